use serde_json::json;

use super::super::{Expression, Fallback, Template, TemplateError, paths_in, templates_in};

fn only(text: &str) -> Expression {
    let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    template.sole().unwrap_or_else(|| panic!("{text} is not one expression")).clone()
}

fn paths(text: &str) -> Vec<String> {
    only(text).paths.iter().map(ToString::to_string).collect()
}

fn error(text: &str) -> TemplateError {
    Template::parse(text).expect_err(text)
}

#[test]
fn a_path_is_keys_and_indexes_with_hyphens_allowed() {
    let expression = only("{{ steps.fetch-pr.result.items.0.title }}");
    assert_eq!(expression.paths[0].keys, ["steps", "fetch-pr", "result", "items", "0", "title"]);
    assert_eq!(expression.paths[0].root(), "steps");
    assert_eq!(expression.paths[0].rest().len(), 5);
    assert_eq!(expression.text, "steps.fetch-pr.result.items.0.title");
    assert_eq!(paths("{{input.größe}}"), ["input.größe"]);
    assert_eq!(paths("{{ input.$ref.@type.a:b }}"), ["input.$ref.@type.a:b"]);
}

#[test]
fn white_space_around_segments_means_nothing() {
    assert_eq!(paths("{{\n input.a\t|input.b\r\n}}"), ["input.a", "input.b"]);
    assert_eq!(only("{{  input.a | 1  }}").text, "input.a | 1");
}

#[test]
fn segments_are_tried_left_to_right_with_a_literal_last() {
    let expression = only(r#"{{ input.a | input.b | "x" }}"#);
    assert_eq!(expression.paths.len(), 2);
    assert_eq!(expression.fallback, Some(Fallback::Literal(json!("x"))));
}

#[test]
fn every_json_literal_may_stand_last() {
    for (text, value) in [
        (r#"{{ a | "}}" }}"#, json!("}}")),
        (r#"{{ a | "q\"\u00e9" }}"#, json!("q\"é")),
        ("{{ a | {} }}", json!({})),
        ("{{ a | {}}}", json!({})),
        (r#"{{ a | {"b":{"c":{}}}}}"#, json!({ "b": { "c": {} } })),
        ("{{ a | [1, [2]] }}", json!([1, [2]])),
        ("{{ a | -1.5e2 }}", json!(-150.0)),
        ("{{ a | 7}}", json!(7)),
        ("{{ a | true }}", json!(true)),
        ("{{ a | false}}", json!(false)),
        ("{{ a | null }}", json!(null)),
    ] {
        assert_eq!(only(text).fallback, Some(Fallback::Literal(value)), "{text}");
    }
    assert_eq!(only("{{ a | omit }}").fallback, Some(Fallback::Omit));
}

#[test]
fn a_literal_or_omit_may_stand_alone() {
    assert_eq!(only("{{ 5 }}").fallback, Some(Fallback::Literal(json!(5))));
    assert_eq!(only("{{ omit }}").fallback, Some(Fallback::Omit));
}

#[test]
fn words_that_only_begin_like_literals_are_paths() {
    assert_eq!(paths("{{ nullable.x }}"), ["nullable.x"]);
    assert_eq!(paths("{{ omit.x | truely }}"), ["omit.x", "truely"]);
}

#[test]
fn only_exactly_one_expression_is_sole() {
    for text in ["", "x", " {{ a }}", "{{ a }} ", "{{ a }}{{ b }}", "{{{{"] {
        assert!(Template::parse(text).expect(text).sole().is_none(), "{text}");
    }
}

#[test]
fn closing_braces_in_text_are_text() {
    assert_eq!(Template::parse(r#"{"a":{{ b }}}"#).unwrap().expressions().count(), 1);
    assert_eq!(Template::parse("}} }").unwrap().expressions().count(), 0);
}

#[test]
fn errors_say_where_and_what() {
    for (text, offset, message) in [
        ("a {{ input.x", 2, "not closed"),
        ("{{", 0, "not closed"),
        ("{{ ", 0, "not closed"),
        ("{{ input.", 0, "not closed"),
        ("{{ input.x |", 0, "not closed"),
        ("{{ a }} {{ b", 8, "not closed"),
        ("{{ input.x }", 11, "two closing braces"),
        ("{{ {{ a }} }}", 3, "inside an expression"),
        ("{{ a {{ b }} }}", 5, "inside an expression"),
        (r#"{{ a | "{{ b }}" }}"#, 8, "inside an expression"),
        ("{{ a | [ {{ b }} ] }}", 9, "inside an expression"),
        ("{{}}", 2, "missing here"),
        ("{{ | a }}", 3, "missing here"),
        ("{{ a | }}", 7, "missing here"),
        ("{{ a || b }}", 6, "missing here"),
        ("{{ 1 | a }}", 6, "last place"),
        ("{{ omit | a }}", 9, "last place"),
        ("{{ a..b }}", 5, "missing after the dot"),
        ("{{ a. }}", 5, "missing after the dot"),
        ("{{ .a }}", 3, "cannot begin"),
        ("{{ a[0] }}", 4, "items.0"),
        ("{{ a == 1 }}", 5, "outside the braces"),
        ("{{ now() }}", 6, "no functions"),
        ("{{ a b }}", 5, "expected"),
        ("{{ a | 'x' }}", 7, "double quotes"),
        ("{{ a | 1.2.3 }}", 7, "not a JSON number"),
        ("{{ a | {x} }}", 7, "cannot be read"),
        (r#"{{ a | "x }}"#, 7, "cannot be read"),
    ] {
        let error = error(text);
        assert_eq!(error.offset, offset, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn deep_literals_are_refused_rather_than_followed() {
    let text = format!("{{{{ a | {}{} }}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&text).message.contains("recursion limit"));
}

#[test]
fn expressions_are_found_at_any_depth_with_their_field() {
    let value = json!({ "a": [{ "b c": "x {{ input.y }}" }], "d": "{{ input.z | 1 }}", "e": "plain" });
    let found: Vec<_> =
        paths_in(&value).unwrap().into_iter().map(|(field, found)| (field, found.text)).collect();
    assert_eq!(
        found,
        [("a[0][\"b c\"]".to_owned(), "input.y".to_owned()), ("d".to_owned(), "input.z | 1".to_owned())]
    );
}

#[test]
fn every_malformed_string_is_reported() {
    let value = json!({ "a": "{{", "b": ["{{ x }}", "{{ 1 | y }}"] });
    let fields: Vec<_> = paths_in(&value).unwrap_err().into_iter().map(|malformed| malformed.field).collect();
    assert_eq!(fields, ["a", "b[1]"]);
    assert_eq!(templates_in(&value).len(), 3);
}
