//! `llm_params` and `output_schema`: what they mean to each provider, and what a provider does not have. Asked by
//! validation for what an author wrote, and by the executor for what templates made of it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Provider;
use super::response_format::ResponseFormat;
use crate::steps::{LlmCall, LlmParams, OneOrMany, Templated, TextOrObject};

/// Something in a step's parameters that its provider does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would mend it.
    pub suggestion: String,
}

/// What the provider would not take of these parameters; those that a template still has to give are not judged.
pub fn problems(provider: Provider, params: &LlmParams) -> Vec<Problem> {
    let mut found = Vec::new();
    let title = provider.title();
    let mut note = |field, message, suggestion| found.push(Problem { field, message, suggestion });
    let (hottest, most_stops) = limits(provider);
    if params.seed.is_some() && matches!(provider, Provider::Anthropic | Provider::Bedrock) {
        let message = format!("{title} has no seed");
        note("llm_params.seed", message, "remove it, or use another provider".to_owned());
    }
    if let Some(Templated::Value(temperature)) = params.temperature
        && temperature > hottest
    {
        let message = format!("the temperature is {temperature}; with {title} it is at most {hottest}");
        note("llm_params.temperature", message, format!("write a number between 0 and {hottest}"));
    }
    let stops = stops(params.stop.as_ref());
    if most_stops.is_some_and(|most| stops.len() > most) {
        let most = most_stops.unwrap_or_default();
        let message = format!("{} stop texts; with {title} there are at most {most}", stops.len());
        note("llm_params.stop", message, "give fewer".to_owned());
    }
    if stops.iter().any(String::is_empty) {
        let message = "an empty stop text would end every answer".to_owned();
        note("llm_params.stop", message, "remove it".to_owned());
    }
    found
}

/// The highest temperature, and the most stop texts.
fn limits(provider: Provider) -> (f64, Option<usize>) {
    match provider {
        Provider::Openai => (2.0, Some(4)),
        Provider::Anthropic | Provider::Bedrock => (1.0, None),
        Provider::Google => (2.0, Some(5)),
        Provider::OpenaiCompatible => (f64::INFINITY, None),
    }
}

/// The stop texts as a list.
pub fn stops(stop: Option<&OneOrMany>) -> Vec<String> {
    match stop {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text.clone()],
        Some(OneOrMany::Many(texts)) => texts.clone(),
    }
}

/// What form the answer is to have: `output_schema` wins over `response_format`.
///
/// # Errors
/// What is wrong with `response_format`.
pub fn response_format(call: &LlmCall) -> Result<ResponseFormat, Problem> {
    if let Some(Templated::Value(schema)) = &call.output_schema {
        return Ok(ResponseFormat::Schema(Arc::new(Value::Object(schema.clone()))));
    }
    let format = call.llm_params.as_ref().and_then(|params| params.response_format.as_ref());
    let unknown = || Problem {
        field: "llm_params.response_format",
        message: "this response format is not known".to_owned(),
        suggestion:
            "use text, json_object, { \"type\": \"json_schema\", \"json_schema\": { \"schema\": … } }, or \
                     output_schema"
                .to_owned(),
    };
    let named = |name: &str| match name {
        "text" => Some(ResponseFormat::Text),
        "json_object" | "json" => Some(ResponseFormat::Json),
        _ => None,
    };
    match format {
        None => Ok(ResponseFormat::Text),
        Some(TextOrObject::Text(name)) => named(name).ok_or_else(unknown),
        Some(TextOrObject::Object(object)) => match object.get("type").and_then(Value::as_str) {
            Some("json_schema") => schema_of(object).ok_or_else(unknown),
            Some(name) => named(name).ok_or_else(unknown),
            None => Err(unknown()),
        },
    }
}

/// As OpenAI writes it, or with the schema right beside the type.
fn schema_of(format: &Map<String, Value>) -> Option<ResponseFormat> {
    let inner = format.get("json_schema").and_then(|inner| inner.get("schema"));
    let schema = inner.or_else(|| format.get("schema"))?;
    schema.is_object().then(|| ResponseFormat::Schema(Arc::new(schema.clone())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(value: Value) -> LlmParams {
        serde_json::from_value(value).unwrap()
    }

    fn call(value: Value) -> LlmCall {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_a_provider_does_not_have_is_named() {
        let hot = params(json!({ "temperature": 1.5, "seed": 1, "stop": ["a", "b", "c", "d", "e"] }));
        let fields =
            |provider| problems(provider, &hot).into_iter().map(|each| each.field).collect::<Vec<_>>();
        assert_eq!(fields(Provider::Openai), ["llm_params.stop"]);
        assert_eq!(fields(Provider::Google), [""; 0]);
        assert_eq!(fields(Provider::Anthropic), ["llm_params.seed", "llm_params.temperature"]);
        assert_eq!(fields(Provider::Bedrock), ["llm_params.seed", "llm_params.temperature"]);
        assert_eq!(fields(Provider::OpenaiCompatible), [""; 0]);
        let templated = params(json!({ "temperature": "{{ input.t }}", "stop": "" }));
        assert_eq!(problems(Provider::Anthropic, &templated).len(), 1, "the empty stop");
    }

    #[test]
    fn the_form_of_the_answer_is_read_from_either_field() {
        let schema = json!({ "type": "object" });
        let with = |format: Value| {
            response_format(&call(json!({ "prompt": "p", "llm_params": { "response_format": format } })))
        };
        assert_eq!(with(json!("json_object")), Ok(ResponseFormat::Json));
        assert_eq!(with(json!({ "type": "json_object" })), Ok(ResponseFormat::Json));
        assert_eq!(with(json!("text")), Ok(ResponseFormat::Text));
        let wanted = ResponseFormat::Schema(Arc::new(schema.clone()));
        for format in [
            json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } }),
            json!({ "type": "json_schema", "schema": schema }),
        ] {
            assert_eq!(with(format), Ok(wanted.clone()));
        }
        for format in [json!("yaml"), json!({ "type": "yaml" }), json!({}), json!({ "type": "json_schema" })]
        {
            assert!(with(format.clone()).is_err(), "{format}");
        }
        assert_eq!(response_format(&call(json!({ "prompt": "p", "output_schema": schema }))), Ok(wanted));
    }
}
