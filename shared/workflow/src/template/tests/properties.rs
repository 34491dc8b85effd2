use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Map, Value, json};

use super::super::{Condition, Template, ValueScope, escape, expand, paths_in};

/// Texts made of what the grammar is made of, which random characters would hardly ever hit.
fn template_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("|".to_owned()),
        Just(".".to_owned()),
        Just("\"".to_owned()),
        Just("input.a".to_owned()),
        Just("omit".to_owned()),
        Just("[".to_owned()),
        Just(" == ".to_owned()),
        "[a-z0-9é\\\\ -]{0,3}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// One expression as the grammar has it.
fn expression() -> impl Strategy<Value = String> {
    let key = prop_oneof![Just("a"), Just("é"), Just("b-c"), Just("long_name"), Just("0")];
    let step = key.prop_map(|key| format!(".{key}"));
    let root = prop_oneof![Just("input"), Just("steps.s.result"), Just("run.run_id"), Just("item")];
    let path = (root, proptest::collection::vec(step, 0..4))
        .prop_map(|(root, steps)| format!("{root}{}", steps.concat()));
    let alternative = prop_oneof![
        Just(String::new()),
        Just(" | omit".to_owned()),
        json_value().prop_map(|value| format!(" | {value}")),
    ];
    (path, alternative).prop_map(|(path, alternative)| format!("{{{{ {path}{alternative} }}}}"))
}

/// A text of expressions that are well formed, with at most one wrong character: what is almost right goes deepest
/// into the parser.
fn nearly_a_template() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => expression(), 1 => "[a-zé {}|.\"]{0,4}", 1 => Just(" == ".to_owned())];
    let text = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat());
    let other = prop_oneof![Just(String::new()), any::<char>().prop_map(String::from), Just("{{".to_owned())];
    let change = proptest::option::of((any::<proptest::sample::Index>(), other));
    (text, change).prop_map(|(text, change)| match change {
        None => text,
        Some(_) if text.is_empty() => text,
        Some((index, other)) => {
            let (at, old) = text.char_indices().nth(index.index(text.chars().count())).unwrap();
            format!("{}{other}{}", &text[..at], &text[at + old.len_utf8()..])
        }
    })
}

/// Errors point into the text, and what can be parsed can be expanded; true when there was an expression.
fn parses_or_says_where(text: &str) -> Result<bool, TestCaseError> {
    for error in [Template::parse(text).err(), Condition::parse(text).err()].into_iter().flatten() {
        prop_assert!(error.offset <= text.len());
        prop_assert!(text.is_char_boundary(error.offset));
    }
    let value = json!({ "a": [text] });
    let _ = expand(&value, &no_scope());
    let _ = expand(&value, &ValueScope(json!({ "input": { "a": [{ "a": 1 }] }, "item": "x" })));
    Ok(paths_in(&value).is_ok_and(|paths| !paths.is_empty()))
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn no_scope() -> ValueScope {
    ValueScope(json!({}))
}

/// The strategy is worth something: most of its texts get as far as an expression, and many are wrong somewhere.
#[test]
fn texts_that_are_nearly_templates_are() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = nearly_a_template();
    let texts: Vec<String> = (0..500).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let share =
        |of: &dyn Fn(&String) -> bool| texts.iter().filter(|text| of(text)).count() * 100 / texts.len();
    assert!(share(&|text| text.contains("{{")) >= 70, "{texts:?}");
    assert!(share(&|text| parses_or_says_where(text).unwrap()) >= 30, "{texts:?}");
    assert!(share(&|text| Template::parse(text).is_err()) >= 15, "{texts:?}");
}

proptest! {
    #[test]
    fn parsing_never_panics_and_errors_point_into_the_text(
        text in prop_oneof![3 => nearly_a_template(), 1 => template_like(), 1 => any::<String>()]
    ) {
        parses_or_says_where(&text)?;
    }

    #[test]
    fn what_holds_no_opening_braces_expands_to_itself(value in json_value()) {
        prop_assume!(!value.to_string().contains("{{"));
        prop_assert_eq!(expand(&value, &no_scope()), Ok(value.clone()));
        prop_assert_eq!(paths_in(&value), Ok(Vec::new()));
    }

    #[test]
    fn escaped_text_expands_to_the_text(text in template_like()) {
        prop_assert_eq!(expand(&json!(escape(&text)), &no_scope()), Ok(json!(text)));
    }

    #[test]
    fn a_sole_expression_gives_the_very_value(value in json_value()) {
        let scope = ValueScope(json!({ "input": { "x": value } }));
        prop_assert_eq!(expand(&json!("{{ input.x }}"), &scope), Ok(value));
    }

    #[test]
    fn a_literal_gives_the_very_literal(value in json_value()) {
        let literal = value.to_string();
        prop_assume!(!literal.contains("{{"));
        // The text form of a float is read back as the nearest float, as everywhere in JSON.
        let read: Value = serde_json::from_str(&literal).unwrap();
        let text = format!("{{{{ input.x | {literal} }}}}");
        prop_assert_eq!(expand(&json!(text), &no_scope()), Ok(read));
    }

    #[test]
    fn text_around_expressions_is_kept(before in "[^{]{0,12}", after in "[^{]{0,12}", value in "[^{]{0,12}") {
        let scope = ValueScope(json!({ "input": { "x": value } }));
        let text = format!("{before}{{{{ input.x }}}}{after}");
        prop_assert_eq!(expand(&json!(text), &scope), Ok(json!(format!("{before}{value}{after}"))));
    }
}
