use serde_json::json;

use super::{
    super::{UnresolvedCause, expand_field, walk},
    expand, scope,
};

#[test]
fn a_sole_expression_keeps_the_type_of_its_value() {
    for (text, value) in [
        ("{{ input.count }}", json!(3)),
        ("{{ input.flag }}", json!(false)),
        ("{{ input.list }}", json!([{ "id": "a" }, { "id": "b" }])),
        ("{{ input.object }}", json!({ "k": [1, 2.5] })),
        ("{{ input.nothing }}", json!(null)),
        ("{{ input.empty }}", json!("")),
        ("{{ input.list.1.id }}", json!("b")),
        ("{{ input.0 }}", json!("zero key")),
        ("{{ steps.fetch-pr.result.labels.0 }}", json!("x")),
    ] {
        assert_eq!(expand(&json!(text)), Ok(value), "{text}");
    }
}

#[test]
fn inside_a_text_strings_stand_as_they_are_and_the_rest_as_compact_json() {
    let text = "{{ input.name }}/{{ input.count }}/{{ input.object }}/{{ input.nothing }}/{{ input.flag }} ";
    assert_eq!(expand(&json!(text)), Ok(json!(r#"Ada/3/{"k":[1,2.5]}/null/false "#)));
}

#[test]
fn values_are_not_expanded_again() {
    let scope = super::ValueScope(json!({ "input": { "x": "{{ input.secret }}", "secret": "s" } }));
    assert_eq!(super::super::expand(&json!("{{ input.x }}"), &scope), Ok(json!("{{ input.secret }}")));
}

#[test]
fn null_and_empty_count_as_unset_only_when_a_segment_follows() {
    for (text, value) in [
        ("{{ input.nothing | input.name }}", json!("Ada")),
        ("{{ input.empty | 1 }}", json!(1)),
        ("{{ input.missing | input.nothing }}", json!(null)),
        ("{{ input.missing | input.empty }}", json!("")),
        ("{{ input.zero | 1 }}", json!(0)),
        ("{{ input.flag | true }}", json!(false)),
        ("{{ input.none | 1 }}", json!([])),
        ("{{ input.bare | 1 }}", json!({})),
        ("{{ input.missing | null }}", json!(null)),
        (r#"{{ input.missing | "" }}"#, json!("")),
    ] {
        assert_eq!(expand(&json!(text)), Ok(value), "{text}");
    }
}

#[test]
fn nothing_left_names_the_field_and_the_expression() {
    let value = json!({ "tool_args": { "items": [{ "title": "a {{ input.nope | input.nada }}" }] } });
    let unresolved = expand(&value).unwrap_err();
    assert_eq!(unresolved.field, "tool_args.items[0].title");
    assert_eq!(unresolved.expression, "input.nope | input.nada");
    assert_eq!(unresolved.cause, UnresolvedCause::Unset);
    assert_eq!(
        unresolved.to_string(),
        "tool_args.items[0].title: {{ input.nope | input.nada }} has no value"
    );
    // A blank value before an unset one does not come back.
    assert!(expand(&json!("{{ input.empty | input.nope }}")).is_err());
}

#[test]
fn omit_drops_the_key_or_the_element_that_holds_the_string() {
    let value = json!({
        "a": "{{ input.nope | omit }}", "b": ["{{ input.nope | omit }}", 1, ["{{ omit }}"]],
        "c": { "d": "{{ input.name | omit }}" },
    });
    assert_eq!(expand(&value), Ok(json!({ "b": [1, []], "c": { "d": "Ada" } })));
}

#[test]
fn omit_inside_a_longer_text_is_no_text() {
    assert_eq!(expand(&json!("a{{ input.nope | omit }}b")), Ok(json!("ab")));
    assert_eq!(expand(&json!("{{ omit }}{{ omit }}")), Ok(json!("")));
}

#[test]
fn a_field_that_is_omitted_as_a_whole_is_told_apart_from_null() {
    assert_eq!(expand_field(&json!("{{ omit }}"), &scope()), Ok(None));
    assert_eq!(expand_field(&json!("{{ null }}"), &scope()), Ok(Some(json!(null))));
    assert_eq!(expand(&json!("{{ omit }}")), Ok(json!(null)));
}

#[test]
fn keys_are_never_expanded() {
    assert_eq!(expand(&json!({ "{{ input.name }}": 1 })), Ok(json!({ "{{ input.name }}": 1 })));
}

#[test]
fn four_braces_write_two() {
    assert_eq!(expand(&json!("{{{{ input.name }}")), Ok(json!("{{ input.name }}")));
    assert_eq!(expand(&json!("{{{{{{ input.name }}")), Ok(json!("{{Ada")));
    assert_eq!(expand(&json!("{{{{{{{{")), Ok(json!("{{{{")));
}

#[test]
fn what_is_not_a_template_fails_rather_than_passing_through() {
    let unresolved = expand(&json!(["ok", "x {{ input.name"])).unwrap_err();
    assert_eq!(unresolved.field, "[1]");
    assert!(matches!(unresolved.cause, UnresolvedCause::Malformed(_)));
}

#[test]
fn one_large_value_cannot_be_multiplied_without_end() {
    let scope = super::ValueScope(json!({ "input": { "big": "x".repeat(1024 * 1024) } }));
    let expand = |count: usize| super::super::expand(&json!(vec!["{{ input.big }}"; count]), &scope);
    assert!(expand(3).is_ok());
    assert_eq!(expand(5).unwrap_err().cause, UnresolvedCause::TooLarge);
    let text = "{{ input.big }}".repeat(5);
    let unresolved = super::super::expand(&json!({ "prompt": text }), &scope).unwrap_err();
    assert_eq!((unresolved.field.as_str(), unresolved.cause), ("prompt", UnresolvedCause::TooLarge));
}

#[test]
fn walking_follows_keys_and_indexes_and_nothing_else() {
    let value = json!({ "a": [10, { "b": null }], "s": "text" });
    let walk = |path: &str| {
        let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        walk(&value, &keys).cloned()
    };
    assert_eq!(walk("a.1.b"), Some(json!(null)));
    for nowhere in ["a.2", "a.-1", "a.+1", "a.01", "a.x", "s.0", "b", "a.1.b.c"] {
        assert_eq!(walk(nowhere), None, "{nowhere}");
    }
}
