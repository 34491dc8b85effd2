//! A step's fields as JSON: what templates are expanded in, and the way back into the type.

use serde_json::{Map, Value};
use thiserror::Error;

use super::steps::StepKind;
use types::json_text::JsonText;

/// The fields of step types in which nothing is expanded: code, ids that the run's bindings and checks
/// rest on, the bodies of loops (which expand on their own), conditions (which are evaluated), and what is for readers.
pub const NOT_EXPANDED: [&str; 11] = [
    "script",
    "while_eval_script",
    "while_condition",
    "for_each_body_steps",
    "while_body_steps",
    "instance_id",
    "server_id",
    "llm_credential_id",
    "workflow_id",
    "agent_id",
    "output_from",
];

/// Those of [`NOT_EXPANDED`] that hold an id.
pub(super) const IDS: [&str; 5] =
    ["instance_id", "llm_credential_id", "workflow_id", "agent_id", "output_from"];

/// A field that an expression gave a value of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct Misfit {
    /// The field, such as `llm_params.temperature`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl StepKind {
    /// The fields of the type that templates are expanded in, as the author wrote them: what the step's
    /// `input` is made of (`steps.<id>.input.*`).
    pub fn template_fields(&self) -> Map<String, Value> {
        let mut fields = self.to_fields();
        fields.retain(|key, _| key != "type" && !NOT_EXPANDED.contains(&key.as_str()));
        fields
    }

    /// The same as a text, once they are expanded: values in memory would be yet another copy of them.
    pub fn template_text(&self) -> JsonText {
        let fields = JsonText::of(self).ok().and_then(|text| text.members()).unwrap_or_default();
        let is_shown = |key: &str| key != "type" && !NOT_EXPANDED.contains(&key);
        JsonText::object(
            fields.iter().map(|(key, text)| (key.as_str(), text)).filter(|(key, _)| is_shown(key)),
        )
    }

    /// The same step with its template fields replaced by `expanded` ones: every
    /// [`Templated`](super::steps::Templated) is a value then. A field that is missing was omitted.
    ///
    /// # Errors
    /// The first field whose value does not have the type that the step needs.
    pub fn with_fields(&self, expanded: Map<String, Value>) -> Result<Self, Misfit> {
        let mut fields = self.to_fields();
        fields.retain(|key, _| key == "type" || NOT_EXPANDED.contains(&key.as_str()));
        fields.extend(expanded);
        // Lua cannot tell an empty list from an empty object.
        if fields.get("for_each_items").and_then(Value::as_object).is_some_and(Map::is_empty) {
            fields.insert("for_each_items".to_owned(), Value::Array(Vec::new()));
        }
        values_as_texts(&mut fields);
        no_text_for_a_value(&fields)?;
        let kind = self.type_name();
        super::step_types::read_kind(kind, &fields).map_err(|(field, message)| Misfit { field, message })
    }

    fn to_fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // Every variant is a struct with string keys, so there is nothing that could fail.
            _ => Map::new(),
        }
    }
}

/// Writes values as compact JSON where a text is wanted, as they stand inside longer texts too. Null stays: it is the
/// absence of a text.
fn values_as_texts(fields: &mut Map<String, Value>) {
    for field in TEXTS {
        if let Some(value) = fields.get_mut(field)
            && !value.is_string()
            && !value.is_null()
        {
            *value = Value::String(value.to_string());
        }
    }
}

/// Refuses a text with `{{` where a value is wanted: it came out of an expression, and reading it as a
/// template again would let data act as one.
fn no_text_for_a_value(fields: &Map<String, Value>) -> Result<(), Misfit> {
    let sampling = fields.get("llm_params").and_then(Value::as_object);
    let of_sampling =
        SAMPLING_VALUES.iter().filter_map(|key| Some((format!("llm_params.{key}"), sampling?.get(*key)?)));
    let of_step = VALUES.iter().filter_map(|key| Some(((*key).to_owned(), fields.get(*key)?)));
    match of_step.chain(of_sampling).find(|(_, value)| value.is_string()) {
        Some((field, _)) => Err(Misfit { field, message: "expected a value, found a string".to_owned() }),
        None => Ok(()),
    }
}

/// The fields that are texts, and that templates are expanded in.
const TEXTS: [&str; 7] = ["prompt", "system", "model", "model_ref", "tool_name", "server_url", "task_type"];

/// The fields that are [`Templated`](super::steps::Templated).
const VALUES: [&str; 6] =
    ["output_schema", "tool_args", "task_payload", "for_each_items", "version", "input"];

/// Those of `llm_params`.
const SAMPLING_VALUES: [&str; 4] = ["temperature", "max_tokens", "top_p", "seed"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::{
        steps::{StepKind, Templated},
        template::{ValueScope, expand},
    };
    use super::{NOT_EXPANDED, SAMPLING_VALUES, TEXTS, VALUES};

    fn kind(value: serde_json::Value) -> StepKind {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn expansion_turns_templates_into_values_of_the_right_type() {
        let before = kind(json!({
            "type": "llm_call", "prompt": "Hi {{ input.name }}", "model": "m",
            "llm_params": { "temperature": "{{ input.t }}", "seed": "{{ input.nope | omit }}" },
        }));
        let scope = ValueScope(json!({ "input": { "name": "Ada", "t": 0.5 } }));
        let fields = expand(&json!(before.template_fields()), &scope).unwrap();
        let StepKind::LlmCall(after) = before.with_fields(fields.as_object().unwrap().clone()).unwrap()
        else {
            panic!("another type");
        };
        assert_eq!(after.prompt, "Hi Ada");
        let params = after.llm_params.unwrap();
        assert_eq!(params.temperature, Some(Templated::Value(0.5)));
        assert_eq!(params.seed, None);
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_field() {
        let before = kind(json!({ "type": "mcp_call", "tool_name": "t", "tool_args": "{{ input.args }}" }));
        let misfit = before.with_fields(json!({ "tool_args": 5 }).as_object().unwrap().clone()).unwrap_err();
        assert_eq!(misfit.field, "tool_args");
        assert_eq!(misfit.message, "expected an object, found integer `5`");
    }

    #[test]
    fn a_text_that_looks_like_a_template_is_not_one_again() {
        let before = kind(json!({ "type": "mcp_call", "tool_name": "t", "tool_args": "{{ input.args }}" }));
        let fields = json!({ "tool_args": "{{ input.secret }}" });
        assert_eq!(before.with_fields(fields.as_object().unwrap().clone()).unwrap_err().field, "tool_args");
        let before = kind(json!({ "type": "llm_call", "prompt": "p", "llm_params": {} }));
        let fields = json!({ "llm_params": { "seed": "{{ x }}" } });
        assert_eq!(
            before.with_fields(fields.as_object().unwrap().clone()).unwrap_err().field,
            "llm_params.seed"
        );
    }

    #[test]
    fn an_empty_table_is_an_empty_list_of_items() {
        let before = kind(json!({ "type": "for_each", "for_each_items": "{{ steps.a.result.items }}" }));
        for (given, fits) in [(json!({}), true), (json!([]), true), (json!({ "a": 1 }), false)] {
            let fields = json!({ "for_each_items": given });
            let after = before.with_fields(fields.as_object().unwrap().clone());
            assert_eq!(after.is_ok(), fits, "{fields}");
        }
    }

    #[test]
    fn values_are_written_as_json_where_a_text_is_wanted() {
        let before =
            kind(json!({ "type": "llm_call", "prompt": "{{ input.a }}", "system": "{{ input.b }}" }));
        let fields = json!({ "prompt": { "a": [1.5, null] }, "system": null, "model": 5 });
        let StepKind::LlmCall(after) = before.with_fields(fields.as_object().unwrap().clone()).unwrap()
        else {
            panic!("another type");
        };
        assert_eq!(
            (&*after.prompt, after.system.as_deref(), after.model.as_deref()),
            (r#"{"a":[1.5,null]}"#, None, Some("5"))
        );
    }

    #[test]
    fn every_field_that_is_a_text_is_listed() {
        let schema = super::super::graph_schema();
        let mut texts = BTreeSet::new();
        for kind in schema["$defs"]["Step"]["oneOf"].as_array().unwrap() {
            let definition =
                kind["$ref"].as_str().map(|name| schema.pointer(&name[1..]).unwrap()).unwrap_or(kind);
            for (field, of) in definition["properties"].as_object().unwrap() {
                let is_text = of["type"] == "string" || of["type"] == json!(["string", "null"]);
                let is_expanded = field != "type" && !NOT_EXPANDED.contains(&field.as_str());
                if is_text && is_expanded && of.get("enum").is_none() {
                    texts.insert(field.clone());
                }
            }
        }
        assert_eq!(texts, TEXTS.map(str::to_owned).into());
    }

    #[test]
    fn every_templated_field_is_listed() {
        // In the schema such a field takes either its value or a text with an expression.
        let schema = super::super::graph_schema().to_string();
        assert_eq!(schema.matches(r#""pattern":"\\{\\{""#).count(), VALUES.len() + 1 + SAMPLING_VALUES.len());
    }

    #[test]
    fn code_ids_bodies_and_conditions_are_not_offered_for_expansion() {
        let script = kind(json!({ "type": "lua_script", "script": "return {{1}}" }));
        assert!(script.template_fields().is_empty());
        assert_eq!(script.with_fields(serde_json::Map::new()).as_ref(), Ok(&script));
        let calls = kind(json!({ "type": "workflow_call", "workflow_id": "{{ x }}", "input": { "a": 1 } }));
        assert_eq!(json!(calls.template_fields()), json!({ "input": { "a": 1 } }));
        let repeats = kind(json!({
            "type": "while", "while_mode": "until", "while_max_iterations": 3, "while_condition": "{{ x }}",
            "while_body_steps": [{ "id": "a", "type": "lua_script", "script": "{{" }],
        }));
        assert_eq!(
            json!(repeats.template_fields()),
            json!({ "while_mode": "until", "while_max_iterations": 3 })
        );
    }
}
