use serde_json::json;

use super::{
    super::{Condition, ValueScope, truthy},
    scope,
};

fn holds(text: &str) -> bool {
    Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).eval(&scope())
}

#[test]
fn exactly_the_named_values_are_falsy() {
    for falsy in [
        json!(false),
        json!(null),
        json!(0),
        json!(0.0),
        json!(-0.0),
        json!(""),
        json!("false"),
        json!("0"),
        json!([]),
        json!({}),
    ] {
        assert!(!truthy(&falsy), "{falsy}");
        let scope = ValueScope(json!({ "input": { "x": falsy } }));
        assert!(!Condition::parse("{{ input.x }}").unwrap().eval(&scope));
    }
    for truthful in
        [json!(true), json!(1), json!(-1), json!(0.1), json!("no"), json!(" "), json!([0]), json!({ "a": 0 })]
    {
        assert!(truthy(&truthful), "{truthful}");
    }
}

#[test]
fn unset_is_falsy_and_never_an_error() {
    assert!(!holds("{{ input.nope }}"));
    assert!(!holds("{{ steps.gone.result | input.nope }}"));
    assert!(!holds("{{ input.nope | omit }}"));
    assert!(holds("{{ input.nope | true }}"));
}

#[test]
fn one_comparison_with_a_literal_may_be_written() {
    for (text, expected) in [
        ("{{ input.count }} == 3", true),
        ("{{ input.count }} == 3.0", true),
        ("{{ input.count }} != 3", false),
        ("{{ input.count }}>2", true),
        ("{{ input.count }} >= 3", true),
        ("{{ input.count }} < 3", false),
        ("  {{ input.count }} <= 3  ", true),
        (r#"{{ input.name }} == "Ada""#, true),
        (r#"{{ input.name }} < "Bob""#, true),
        (r#"{{ input.nope | "x" }} == "x""#, true),
        ("{{ input.flag }} == false", true),
        ("{{ input.object }} == {\"k\":[1.0,2.5]}", true),
        ("{{ input.none }} == []", true),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn different_types_are_neither_equal_nor_ordered() {
    for (text, expected) in [
        (r#"{{ input.count }} == "3""#, false),
        (r#"{{ input.count }} != "3""#, true),
        (r#"{{ input.count }} < "4""#, false),
        ("{{ input.flag }} == 0", false),
        ("{{ input.list }} > 0", false),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn unset_compares_like_null() {
    assert!(holds("{{ input.nope }} == null"));
    assert!(holds(r#"{{ input.nope }} != "done""#));
    assert!(!holds("{{ input.nope }} < 1"));
    assert!(!holds("{{ input.nope }} >= 0"));
}

#[test]
fn large_integers_compare_exactly() {
    let scope = ValueScope(json!({ "input": { "id": 9_007_199_254_740_993_u64 } }));
    let holds = |text: &str| Condition::parse(text).unwrap().eval(&scope);
    assert!(!holds("{{ input.id }} == 9007199254740992"));
    assert!(holds("{{ input.id }} > 9007199254740992"));
}

#[test]
fn a_text_without_an_expression_is_always_the_same() {
    assert!(holds("true"));
    assert!(!holds("false"));
    assert!(!holds(""));
    assert!(Condition::parse("true").unwrap().expression().is_none());
    assert_eq!(Condition::parse("{{ a.b | c }} == 1").unwrap().paths().count(), 2);
}

#[test]
fn what_would_always_be_true_is_refused() {
    for (text, message) in [
        ("{{ a }} == {{ b }}", "one expression"),
        ("{{ a }} && {{ b }}", "one expression"),
        ("!{{ a }}", "one expression"),
        ("not {{ a }}", "one expression"),
        ("{{ a }}{{ b }}", "one expression"),
        ("{{ a }} is done", "only a comparison"),
        ("{{ a }} = 1", "only a comparison"),
        ("{{ a }} == done", "double quotes"),
        ("{{ a }} == 'done'", "double quotes"),
        ("{{ a }} ==", "double quotes"),
        ("{{ a }} == 1 == 2", "double quotes"),
        ("{{ a }} === 1", "double quotes"),
        (" {{ a == 1 }}", "outside the braces"),
    ] {
        let error = Condition::parse(text).expect_err(text);
        assert!(error.message.contains(message), "{text}: {error}");
    }
    assert_eq!(Condition::parse("  {{ a b }}").unwrap_err().offset, 7);
}
