use serde_json::{Value, json};

use super::{
    super::{Condition, ValueScope, truthy},
    scope,
};

fn holds(text: &str) -> bool {
    let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    condition.eval(&scope()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Whether `{{ input.x }}` with this value is so, or what is in no order.
fn compared(x: &Value, comparison: &str) -> Result<bool, String> {
    let scope = ValueScope(json!({ "input": { "x": x } }));
    let condition = Condition::parse(&format!("{{{{ input.x }}}} {comparison}")).unwrap();
    condition.eval(&scope).map_err(|error| error.to_string())
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
        assert_eq!(Condition::parse("{{ input.x }}").unwrap().eval(&scope), Ok(false));
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
fn equality_compares_type_and_value() {
    for (text, expected) in [
        (r#"{{ input.count }} == "3""#, false),
        (r#"{{ input.count }} != "3""#, true),
        ("{{ input.flag }} == 0", false),
        ("{{ input.list }} == 0", false),
        ("{{ input.count }} == 3e0", true),
    ] {
        assert_eq!(holds(text), expected, "{text}");
    }
}

#[test]
fn orders_read_numbers_in_texts() {
    for text in ["10", " 10 ", "\t10\n", "1e1", "1.0E+1", "+10", "0010", "10.", "10.000"] {
        for (comparison, expected) in [
            ("> 5", true),
            ("<= 5", false),
            (">= 10", true),
            ("< 10", false),
            ("> \"9\"", true),
            ("< \" 10.5\"", true),
        ] {
            assert_eq!(compared(&json!(text), comparison), Ok(expected), "{text:?} {comparison}");
        }
    }
    assert_eq!(compared(&json!("-.5"), "< 0"), Ok(true));
    assert_eq!(compared(&json!("-0"), ">= 0"), Ok(true));
    assert_eq!(compared(&json!("1e400"), "> 1e308"), Ok(true));
    assert_eq!(compared(&json!("18446744073709551617"), "> \"18446744073709551616\""), Ok(true));
}

#[test]
fn other_pairs_are_in_no_order_and_named() {
    for (x, kind) in [
        (json!("ten"), "a string that is no number"),
        (json!(""), "a string that is no number"),
        (json!(" "), "a string that is no number"),
        (json!("0x10"), "a string that is no number"),
        (json!("NaN"), "a string that is no number"),
        (json!("Infinity"), "a string that is no number"),
        (json!("inf"), "a string that is no number"),
        (json!("1,000"), "a string that is no number"),
        (json!("1_000"), "a string that is no number"),
        (json!("\u{661}"), "a string that is no number"),
        (json!("\u{a0}10"), "a string that is no number"),
        (json!("1e"), "a string that is no number"),
        (json!("10 20"), "a string that is no number"),
        (json!(true), "a boolean"),
        (json!([10]), "a list"),
        (json!({ "a": 10 }), "an object"),
    ] {
        for operator in ["<", "<=", ">", ">="] {
            let error = compared(&x, &format!("{operator} 5")).unwrap_err();
            assert!(
                error.starts_with(&format!("{{{{ input.x }}}} {operator} …: {kind} and a number ")),
                "{error}"
            );
        }
        assert_eq!(compared(&x, "== 5"), Ok(false));
        assert_eq!(compared(&x, "!= 5"), Ok(true));
    }
    assert!(
        compared(&json!(10), "< \"ten\"").unwrap_err().contains("a number and a string that is no number")
    );
    assert!(compared(&json!(true), "< \"10\"").unwrap_err().contains("a boolean and a string with a number"));
    assert!(compared(&json!(false), "< true").unwrap_err().contains("a boolean and a boolean"));
}

#[test]
fn texts_are_ordered_as_texts_unless_both_are_numbers() {
    for (x, comparison, expected) in [
        ("2026-11-30", "< \"2026-12-01\"", true),
        ("b", "> \"a\"", true),
        ("10", "> \"9\"", true),
        ("10", "> \"9a\"", false),
        ("", "< \"a\"", true),
    ] {
        assert_eq!(compared(&json!(x), comparison), Ok(expected), "{x} {comparison}");
    }
}

#[test]
fn null_is_in_no_order_with_anything() {
    for operator in ["<", "<=", ">", ">="] {
        for literal in ["5", "\"a\"", "null", "true", "[]"] {
            assert_eq!(compared(&json!(null), &format!("{operator} {literal}")), Ok(false));
        }
        assert_eq!(compared(&json!([1]), &format!("{operator} null")), Ok(false));
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
    let holds = |text: &str| Condition::parse(text).unwrap().eval(&scope).unwrap();
    for literal in ["9007199254740992", "9007199254740992.0", "\"9007199254740992\"", "9.007199254740992e15"]
    {
        assert!(!holds(&format!("{{{{ input.id }}}} == {literal}")));
        assert!(holds(&format!("{{{{ input.id }}}} > {literal}")), "{literal}");
        assert!(!holds(&format!("{{{{ input.id }}}} <= {literal}")), "{literal}");
    }
    assert!(holds("{{ input.id }} < 18446744073709551615"));
    assert!(holds("{{ input.id }} < 1e300"));
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
