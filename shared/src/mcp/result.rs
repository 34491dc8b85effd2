//! What goes into a call of a tool, and what comes of it.

use rmcp::model::CallToolResult;
use serde_json::{Map, Value, json};

use super::error::shown;
use super::types::ToolSpec;
use crate::json_numbers;
use crate::workflow::input::fill_defaults_and_check;

/// The arguments of a call: the missing ones filled with the schema's defaults, and checked against it.
///
/// # Errors
/// What the tool does not take, in a sentence.
pub fn arguments(tool: &ToolSpec, given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    match fill_defaults_and_check(Some(&tool.input_schema), Value::Object(given)) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Ok(Map::new()),
        Err(issues) => {
            let told = |issue: &crate::workflow::Issue| {
                let why = issue.message.replace("the input does not satisfy input_schema: ", "");
                format!("{}: {why}", issue.json_path.replacen('$', "tool_args", 1))
            };
            Err(issues.iter().take(5).map(told).collect::<Vec<_>>().join("; "))
        }
    }
}

/// The result of a step: the structured content; else the value of the only text that is JSON; else all content.
///
/// # Errors
/// The tool's text, when it says that it failed.
pub fn value(result: CallToolResult) -> Result<Value, String> {
    let texts: Vec<&str> =
        result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect();
    if result.is_error == Some(true) {
        let said = shown(&texts.join("\n"));
        return Err(if said.is_empty() { "The tool failed and said nothing.".to_owned() } else { said });
    }
    if let Some(structured) = result.structured_content {
        return Ok(structured);
    }
    if let ([text], 1) = (&texts[..], result.content.len())
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = json_numbers::from_str(text)
    {
        return Ok(value);
    }
    Ok(json!({ "content": result.content }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(result: Value) -> Result<Value, String> {
        value(serde_json::from_value(result).unwrap())
    }

    #[test]
    fn results_are_mapped_as_the_language_says() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        let structured = json!({ "content": [text("ignored")], "structuredContent": { "a": 1 } });
        assert_eq!(of(structured), Ok(json!({ "a": 1 })));
        assert_eq!(of(json!({ "content": [text("{\"b\":[2]}")] })), Ok(json!({ "b": [2] })));
        assert_eq!(of(json!({ "content": [text("[1]")] })), Ok(json!([1])));
        for plain in [vec![text("5")], vec![text("hello")], vec![text("{}"), text("{}")], vec![]] {
            assert_eq!(of(json!({ "content": plain })), Ok(json!({ "content": plain })));
        }
        let failed = json!({ "content": [text("no\nsuch"), text("thing")], "isError": true });
        assert_eq!(of(failed), Err("no such thing".to_owned()));
    }

    #[test]
    fn missing_arguments_are_filled_and_wrong_ones_told() {
        let tool: ToolSpec = serde_json::from_value(json!({ "name": "t", "inputSchema": {
            "type": "object", "required": ["a", "b"], "additionalProperties": false,
            "properties": { "a": { "type": "number" }, "b": { "type": "number", "default": 2 } },
        } }))
        .unwrap();
        let call = |given: Value| arguments(&tool, given.as_object().unwrap().clone());
        assert_eq!(json!(call(json!({ "a": 1 })).unwrap()), json!({ "a": 1, "b": 2 }));
        assert!(call(json!({ "a": "x" })).unwrap_err().contains("tool_args.a"));
        assert!(call(json!({})).unwrap_err().contains("\"a\""));
    }
}
