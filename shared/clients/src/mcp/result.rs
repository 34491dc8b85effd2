//! What goes into a call of a tool, and what comes of it.

use serde_json::{Map, Value, json};

use super::error::McpError;
use super::words::{shown, shown_value, unexpected};
use types::json_cost;
use types::json_numbers;
use types::mcp::ToolSpec;
use workflow::input::fill_defaults_and_check_in_part;

/// The arguments of a call of the tool at this place of a server's: the missing ones filled with the schema's defaults, and
/// checked against what of it can be checked. The schema is somebody else's, so it belongs on a thread that may block.
///
/// # Errors
/// What the tool does not take, in a sentence.
pub fn arguments(
    tools: &[ToolSpec],
    at: usize,
    given: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let Some(tool) = tools.get(at) else { return Ok(Map::new()) };
    let has_empty_object = given.values().any(has_empty_object);
    match fill_defaults_and_check_in_part(&tool.input_schema, Value::Object(given)) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Ok(Map::new()),
        Err(issues) => {
            let told = |issue: &types::issue::Issue| {
                let why = issue.message.replace("the input does not satisfy input_schema: ", "");
                format!(
                    "{}: {why}{}",
                    issue.json_path.replacen('$', "tool_args", 1),
                    hint(&why, has_empty_object)
                )
            };
            Err(issues.iter().take(5).map(told).collect::<Vec<_>>().join("; "))
        }
    }
}

fn has_empty_object(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty() || members.values().any(has_empty_object),
        Value::Array(items) => items.iter().any(has_empty_object),
        _ => false,
    }
}

/// What the author of a script has to know whose empty table was to be a list.
fn hint(why: &str, has_empty_object: bool) -> &'static str {
    if has_empty_object && why.contains("is not of type") && why.contains("\"array\"") {
        " (an empty Lua table is an object; json.array({}) makes an empty list)"
    } else {
        ""
    }
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoResult {
    /// The tool says that it failed.
    Failed(String),
    /// The answer is not what the protocol asks for.
    Unreadable(McpError),
}

/// The result of a step: the structured content; else the value of the only text that is JSON; else all content, also
/// of kinds that are not known here.
///
/// # Errors
/// The tool's text, when it says that it failed; which field of the answer is not what it should be.
pub fn value(mut result: Value) -> Result<Value, NoResult> {
    let content = content(&mut result).map_err(|why| NoResult::Unreadable(McpError::Protocol(why)))?;
    let structured = Some(result["structuredContent"].take()).filter(|value| !value.is_null());
    if result["isError"] == true {
        return Err(NoResult::Failed(failure(&content, structured.as_ref())));
    }
    if let Some(structured) = structured {
        return Ok(structured);
    }
    if let [only] = &content[..]
        && let Some(text) = text(only)
        && json_cost::cost(text.as_bytes()) <= json_cost::MAX_COST
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = json_numbers::from_str(text)
    {
        return Ok(value);
    }
    Ok(json!({ "content": content }))
}

/// The content of a result whose fields are of the right types.
fn content(result: &mut Value) -> Result<Vec<Value>, String> {
    let wrong = |field: &str, found: Option<&Value>, expected: &str| {
        Err(format!("in the tool's answer, {}", unexpected(field, found, expected)))
    };
    let Value::Object(fields) = result else { return wrong("result", Some(result), "an object") };
    let kind = fields.get("resultType").filter(|kind| !kind.is_null() && *kind != "complete");
    if kind.is_some() || fields.contains_key("task") && !fields.contains_key("content") {
        return Err("the tool asks back, or for patience, which is not supported".to_owned());
    }
    let flag = fields.get("isError").filter(|flag| !flag.is_null());
    if flag.is_some_and(|flag| !flag.is_boolean()) {
        return wrong("result.isError", flag, "a boolean");
    }
    match fields.remove("content") {
        Some(Value::Array(content)) => Ok(content),
        None | Some(Value::Null) => {
            let known = ["structuredContent", "isError", "_meta", "resultType"];
            // What stands in its place is not dropped in silence.
            match fields.keys().all(|field| known.contains(&&**field)) {
                true => Ok(Vec::new()),
                false => wrong("result.content", None, "a list of content blocks"),
            }
        }
        other => wrong("result.content", other.as_ref(), "a list of content blocks"),
    }
}

/// The text of a block of text.
fn text(block: &Value) -> Option<&str> {
    block["text"].as_str().filter(|_| block["type"] == "text")
}

/// What a tool that failed says of it.
fn failure(content: &[Value], structured: Option<&Value>) -> String {
    let texts: Vec<&str> = content
        .iter()
        .filter_map(|block| text(block).or_else(|| block["resource"]["text"].as_str()))
        .collect();
    let said = shown(&texts.join("\n"));
    let is_told = |structured: &&Value| {
        let said = serde_json::from_str::<Value>(&said);
        said.is_ok_and(|said| said == **structured)
    };
    let structured = structured.filter(|structured| !is_told(structured)).map(shown_value);
    match (said.is_empty(), structured) {
        (true, Some(structured)) => structured,
        (false, Some(structured)) => shown(&format!("{said} (structuredContent: {structured})")),
        (false, None) => said,
        (true, None) if content.is_empty() => "it says no more than that it failed (isError)".to_owned(),
        (true, None) => shown(&Value::from(content).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(result: Value) -> Result<Value, String> {
        value(result).map_err(|error| match error {
            NoResult::Failed(said) => said,
            NoResult::Unreadable(error) => error.to_string(),
        })
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
    fn unusual_results_are_kept_or_refused_by_field() {
        let unknown = json!([{ "type": "video", "data": "x" }, "plain", 5, { "type": "text", "text": 5 }]);
        assert_eq!(of(json!({ "content": unknown })), Ok(json!({ "content": unknown })));
        for empty in [json!({}), json!({ "content": null }), json!({ "isError": false, "_meta": {} })] {
            assert_eq!(of(empty), Ok(json!({ "content": [] })));
        }
        assert_eq!(of(json!({ "structuredContent": [1] })), Ok(json!([1])));
        let text = json!([{ "type": "text", "text": "no" }]);
        for (result, said) in [
            (json!({ "isError": true, "structuredContent": { "why": "x" } }), "{\"why\":\"x\"}"),
            (
                json!({ "isError": true, "content": text, "structuredContent": { "why": "x" } }),
                "no (structuredContent: {\"why\":\"x\"})",
            ),
            (
                json!({ "isError": true, "content": [{ "type": "text", "text": "{\"why\":1}" }], "structuredContent": { "why": 1 } }),
                "{\"why\":1}",
            ),
            (json!({ "isError": true }), "no more than that it failed"),
            (json!({ "isError": true, "content": [{ "type": "video" }] }), "video"),
            (
                json!({ "isError": true, "content": [{ "type": "resource", "resource": { "text": "deep" } }] }),
                "deep",
            ),
            (json!({ "isError": "no", "content": [] }), "result.isError is a string; a boolean was expected"),
            (
                json!({ "content": "hello" }),
                "result.content is a string; a list of content blocks was expected",
            ),
            (json!({ "toolResult": 1 }), "result.content is missing; a list of content blocks was expected"),
            (json!([]), "result is a list; an object was expected"),
            (json!({ "resultType": "input_required" }), "asks back"),
        ] {
            let error = of(result.clone()).unwrap_err();
            assert!(error.contains(said), "{result}: {error}");
        }
    }

    #[test]
    fn a_default_that_its_schema_refuses_is_not_filled() {
        let tool: ToolSpec = serde_json::from_value(json!({ "name": "t", "inputSchema": {
            "type": "object", "required": ["a"], "properties": {
                "a": { "type": "string", "pattern": "^(?=x)" }, "b": { "type": "string", "default": null },
                "c": { "type": "number", "default": 3 },
            },
        } }))
        .unwrap();
        let call =
            |given: Value| arguments(std::slice::from_ref(&tool), 0, given.as_object().unwrap().clone());
        assert_eq!(json!(call(json!({ "a": "y" })).unwrap()), json!({ "a": "y", "c": 3 }));
        for wrong in [json!({}), json!({ "a": 1 }), json!({ "a": "y", "b": null })] {
            assert!(call(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn missing_arguments_are_filled_and_wrong_ones_told() {
        let tool: ToolSpec = serde_json::from_value(json!({ "name": "t", "inputSchema": {
            "type": "object", "required": ["a", "b"], "additionalProperties": false,
            "properties": { "a": { "type": "number" }, "b": { "type": "number", "default": 2 } },
        } }))
        .unwrap();
        let call =
            |given: Value| arguments(std::slice::from_ref(&tool), 0, given.as_object().unwrap().clone());
        assert_eq!(json!(call(json!({ "a": 1 })).unwrap()), json!({ "a": 1, "b": 2 }));
        assert!(call(json!({ "a": "x" })).unwrap_err().contains("tool_args.a"));
        assert!(call(json!({})).unwrap_err().contains("\"a\""));
    }

    #[test]
    fn an_empty_table_for_a_list_names_json_array() {
        let tool: ToolSpec = serde_json::from_value(json!({ "name": "t", "inputSchema": {
            "type": "object", "properties": { "labels": { "type": "array" }, "more": { "type": ["array", "null"] } },
        } }))
        .unwrap();
        for (given, names) in [
            (json!({ "labels": {} }), true),
            (json!({ "more": {} }), true),
            (json!({ "labels": { "a": 1 } }), false),
            (json!({ "labels": "x" }), false),
        ] {
            let why =
                arguments(std::slice::from_ref(&tool), 0, given.as_object().unwrap().clone()).unwrap_err();
            assert_eq!(why.contains("json.array({})"), names, "{why}");
        }
    }
}
