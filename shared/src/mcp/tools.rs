//! A server's tools: asking for them, and what of them can be kept and used.

use std::collections::BTreeSet;

use rmcp::model::Tool;
use serde_json::Value;

use super::error::{McpError, shown};
use super::session::Session;
use super::types::ToolSpec;
use crate::workflow::json_schema_problems;

/// The most tools of a server.
pub const MOST_TOOLS: usize = 500;
/// The most characters of a tool's name.
pub const LONGEST_TOOL_NAME: usize = 128;
/// The most bytes of a tool's schema.
pub const LARGEST_SCHEMA: usize = 256 * 1024;
/// The most bytes of all tools of a server, as JSON.
pub const LARGEST_CATALOG: usize = 2 * 1024 * 1024;
/// The most characters of a tool's description.
const LONGEST_DESCRIPTION: usize = 10_000;

/// The tools that a server says it has, checked.
///
/// # Errors
/// When it does not answer as it should, or what it says cannot be kept.
pub async fn ask(session: &Session) -> Result<Vec<ToolSpec>, McpError> {
    let tools = session.tools(MOST_TOOLS).await?;
    let tools: Vec<ToolSpec> = tools.into_iter().map(spec).collect();
    check(&tools).map_err(McpError::Unusable)?;
    Ok(tools)
}

fn spec(tool: Tool) -> ToolSpec {
    let schema = |schema: &serde_json::Map<String, Value>| Value::Object(schema.clone());
    ToolSpec {
        name: tool.name.into_owned(),
        description: tool.description.map(|text| text.chars().take(LONGEST_DESCRIPTION).collect()),
        input_schema: schema(&tool.input_schema),
        output_schema: tool.output_schema.map(|output| schema(&output)),
        annotations: tool.annotations.and_then(|hints| serde_json::to_value(hints).ok()),
    }
}

/// Whether these tools can be kept.
///
/// # Errors
/// What is wrong with which of them.
pub fn check(tools: &[ToolSpec]) -> Result<(), String> {
    if tools.len() > MOST_TOOLS {
        return Err(format!("it has more than {MOST_TOOLS} tools"));
    }
    let mut names = BTreeSet::new();
    let mut total = 0;
    for tool in tools {
        let name = shown(&tool.name.chars().take(LONGEST_TOOL_NAME).collect::<String>());
        let length = tool.name.chars().count();
        if length == 0 || length > LONGEST_TOOL_NAME || tool.name.chars().any(char::is_control) {
            return Err(format!(
                "the name of the tool {name:?} must have 1 to {LONGEST_TOOL_NAME} characters, none of them control characters"
            ));
        }
        if !names.insert(&tool.name) {
            return Err(format!("it has two tools named {name:?}"));
        }
        for schema in [Some(&tool.input_schema), tool.output_schema.as_ref()].into_iter().flatten() {
            let size = schema.to_string().len();
            if size > LARGEST_SCHEMA {
                return Err(format!(
                    "a schema of the tool {name:?} takes {size} bytes; at most {LARGEST_SCHEMA} are kept"
                ));
            }
        }
        total += serde_json::to_vec(tool).map_or(0, |json| json.len());
    }
    if total > LARGEST_CATALOG {
        return Err(format!("its tools take {total} bytes; at most {LARGEST_CATALOG} are kept"));
    }
    Ok(())
}

/// What is wrong with the schemas of tools: a call's arguments are not checked against a schema that is none.
pub fn bad_schemas(tools: &[ToolSpec]) -> Vec<String> {
    let of = |tool: &ToolSpec| {
        let objects = [Some(&tool.input_schema), tool.output_schema.as_ref(), tool.annotations.as_ref()];
        if objects.into_iter().flatten().any(|value| !value.is_object()) {
            return Some(format!(
                "{:?}: input_schema, output_schema and annotations must be objects",
                tool.name
            ));
        }
        let problem = json_schema_problems(&tool.input_schema).into_iter().next()?;
        Some(format!("{:?}: {}", tool.name, shown(&problem)))
    };
    tools.iter().filter_map(of).collect()
}
