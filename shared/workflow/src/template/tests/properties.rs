use proptest::prelude::*;
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

proptest! {
    #[test]
    fn parsing_never_panics_and_errors_point_into_the_text(text in template_like()) {
        if let Err(error) = Template::parse(&text) {
            prop_assert!(error.offset <= text.len());
            prop_assert!(text.is_char_boundary(error.offset));
        }
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(error.offset <= text.len());
        }
        let _ = expand(&json!({ "a": [text] }), &no_scope());
    }

    #[test]
    fn parsing_never_panics_on_any_text(text in any::<String>()) {
        let _ = Template::parse(&text);
        let _ = Condition::parse(&text);
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
