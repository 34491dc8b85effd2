//! A server's tools: asking for them, and what of them can be kept and used.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::McpError;
use super::session::Session;
use super::words::{shown, unexpected};
use types::mcp::{ToolSpec, any_object};

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

/// The most warnings of one answer.
const MAX_WARNINGS: usize = 100;

/// What is not as it should be with a tool that somebody else describes. The tools beside it are not affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ToolWarning {
    /// The tool; empty where it is about `config_schema`.
    #[schema(example = "create_ticket")]
    pub tool: String,
    /// Where in what describes it.
    #[schema(example = "input_schema.properties.key.pattern")]
    pub path: String,
    /// The keyword of a schema that calls are not checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pattern")]
    pub keyword: Option<String>,
    /// What is wrong, and what follows from it.
    pub message: String,
}

/// The tools of a server that can be kept, and what is wrong with them and with those that cannot.
#[derive(Debug, Default)]
pub struct Offer {
    /// The tools.
    pub tools: Vec<ToolSpec>,
    /// What is wrong.
    pub warnings: Vec<ToolWarning>,
}

/// The tools that a server says it has, before their schemas are looked at ([`Offer::looked_through`]).
///
/// # Errors
/// When it does not answer as it should, or has more than is kept.
pub async fn ask(session: &Session) -> Result<Offer, McpError> {
    let described = session.tools(MOST_TOOLS).await?;
    if described.len() > MOST_TOOLS {
        return Err(McpError::Unusable(format!("it has more than {MOST_TOOLS} tools")));
    }
    let mut offer = Offer::default();
    let mut names = BTreeSet::new();
    for (position, tool) in described.into_iter().enumerate() {
        match spec(tool, position, &mut offer.warnings) {
            Ok(tool) if !names.insert(tool.name.clone()) => {
                let message = "the server has two tools of this name; the second is left out".to_owned();
                offer.warnings.push(ToolWarning {
                    tool: tool.name,
                    path: "name".to_owned(),
                    keyword: None,
                    message,
                });
            }
            Ok(tool) => offer.tools.push(tool),
            Err(warning) => offer.warnings.push(warning),
        }
    }
    check(&offer.tools).map_err(McpError::Unusable)?;
    Ok(offer)
}

impl Offer {
    /// With what is wrong with the schemas of its tools. That may take some tenths of a second, so it belongs on a thread that may
    /// block.
    pub fn looked_through(mut self) -> Self {
        self.warnings.extend(unchecked(&self.tools, None));
        self.warnings.truncate(MAX_WARNINGS);
        self
    }
}

/// A tool as it is kept; what cannot be used of it is left out with a warning.
fn spec(mut tool: Value, position: usize, warnings: &mut Vec<ToolWarning>) -> Result<ToolSpec, ToolWarning> {
    let left_out = |path: &str, what: String| ToolWarning {
        tool: format!("tools[{position}]"),
        path: path.to_owned(),
        keyword: None,
        message: format!("{what}; the tool is left out"),
    };
    if !tool.is_object() {
        return Err(left_out("", unexpected("the tool", Some(&tool), "an object")));
    }
    let Value::String(name) = tool["name"].take() else {
        return Err(left_out("name", "the tool has no name that is a string".to_owned()));
    };
    name_problem(&name).map_err(|what| left_out("name", what))?;
    let mut warn = |path: &str, message: String| {
        warnings.push(ToolWarning { tool: name.clone(), path: path.to_owned(), keyword: None, message });
    };
    let mut object = |field: &str, path: &str, is_needed: bool| {
        let found = tool.get_mut(field).map(Value::take);
        let size = found.as_ref().map_or(0, |found| found.to_string().len());
        match found {
            Some(_) if size > LARGEST_SCHEMA => {
                warn(
                    path,
                    format!("it takes {size} bytes; at most {LARGEST_SCHEMA} are kept, so it is left out"),
                );
                None
            }
            Some(found @ Value::Object(_)) => Some(found),
            None | Some(Value::Null) if !is_needed => None,
            other => {
                warn(path, format!("{}; it is left out", unexpected(field, other.as_ref(), "an object")));
                None
            }
        }
    };
    let input_schema = object("inputSchema", "input_schema", true).unwrap_or_else(any_object);
    let output_schema = object("outputSchema", "output_schema", false);
    let annotations = object("annotations", "annotations", false);
    let description =
        tool["description"].as_str().map(|text| text.chars().take(LONGEST_DESCRIPTION).collect());
    Ok(ToolSpec { name, description, input_schema, output_schema, annotations })
}

fn name_problem(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_TOOL_NAME || name.chars().any(char::is_control) {
        let name = shown(&name.chars().take(LONGEST_TOOL_NAME).collect::<String>());
        return Err(format!(
            "the name of the tool {name:?} must have 1 to {LONGEST_TOOL_NAME} characters, none of them control characters"
        ));
    }
    Ok(())
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
        name_problem(&tool.name)?;
        let name = shown(&tool.name);
        if !names.insert(&tool.name) {
            return Err(format!("it has two tools named {name:?}"));
        }
        let objects = [Some(&tool.input_schema), tool.output_schema.as_ref(), tool.annotations.as_ref()];
        for object in objects.into_iter().flatten() {
            if !object.is_object() {
                return Err(format!(
                    "of the tool {name:?}, input_schema, output_schema and annotations must be objects"
                ));
            }
            let size = object.to_string().len();
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

/// What of the schemas of tools, and of the one for profiles' `config`, nothing is checked against: the server does that
/// itself.
pub fn unchecked(tools: &[ToolSpec], config_schema: Option<&Value>) -> Vec<ToolWarning> {
    let schemas = tools.iter().map(|tool| (&*tool.name, "input_schema", &tool.input_schema));
    let schemas = schemas.chain(config_schema.map(|schema| ("", "config_schema", schema)));
    let of = |(tool, path, schema): (&str, &'static str, &Value)| {
        let tool = tool.to_owned();
        json_schema::unchecked(schema).into_iter().map(move |part| ToolWarning {
            tool: tool.clone(),
            path: part.path.replacen('$', path, 1),
            keyword: Some(part.keyword).filter(|keyword| !keyword.is_empty()),
            message: format!("{}; nothing is checked against it", shown(&part.message)),
        })
    };
    schemas.flat_map(of).take(MAX_WARNINGS).collect()
}

impl fmt::Display for ToolWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.tool, self.path, self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_of_a_tool_cannot_be_used_is_left_out_with_a_warning() {
        let mut warnings = Vec::new();
        let described = json!({ "name": "t", "description": "d".repeat(20_000), "inputSchema": "none",
                                "outputSchema": { "x": "y".repeat(LARGEST_SCHEMA) }, "annotations": null });
        let tool = spec(described, 0, &mut warnings).unwrap();
        assert_eq!((tool.input_schema, tool.output_schema, tool.annotations), (any_object(), None, None));
        assert_eq!(tool.description.unwrap().len(), LONGEST_DESCRIPTION);
        let paths: Vec<&str> = warnings.iter().map(|warning| &*warning.path).collect();
        assert_eq!(paths, ["input_schema", "output_schema"]);
    }

    #[test]
    fn a_tool_without_a_usable_name_is_left_out() {
        for tool in [json!(5), json!({}), json!({ "name": "" }), json!({ "name": "a\u{7}" })] {
            let warning = spec(tool.clone(), 3, &mut Vec::new()).unwrap_err();
            assert_eq!(warning.tool, "tools[3]", "{tool}");
            assert!(warning.message.ends_with("the tool is left out"), "{warning}");
        }
        assert!(name_problem(&"é".repeat(LONGEST_TOOL_NAME)).is_ok());
        assert!(name_problem(&"é".repeat(LONGEST_TOOL_NAME + 1)).is_err());
    }

    fn tool(name: &str, schema: Value) -> ToolSpec {
        let name = name.to_owned();
        ToolSpec { name, description: None, input_schema: schema, output_schema: None, annotations: None }
    }

    #[test]
    fn a_catalog_has_limits_and_no_name_twice() {
        let large = json!({ "description": "x".repeat(LARGEST_SCHEMA - 100) });
        let many = |count: usize, schema: &Value| -> Vec<ToolSpec> {
            (0..count).map(|number| tool(&format!("t{number}"), schema.clone())).collect()
        };
        assert_eq!(check(&many(MOST_TOOLS, &json!({}))), Ok(()));
        for (tools, what) in [
            (many(MOST_TOOLS + 1, &json!({})), "more than 500 tools"),
            (many(9, &large), "its tools take"),
            (vec![tool("a", json!({})), tool("a", json!({}))], "two tools named"),
            (vec![tool("a", json!([]))], "must be objects"),
            (vec![tool("a", json!({ "x": "y".repeat(LARGEST_SCHEMA) }))], "a schema of the tool"),
        ] {
            let problem = check(&tools).unwrap_err();
            assert!(problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn schemas_say_what_of_them_nothing_is_checked_against() {
        let tools =
            [tool("t", json!({ "properties": { "a": { "pattern": "(?=x)" } } })), tool("u", json!({}))];
        let found = unchecked(&tools, Some(&json!({ "minLength": "x" })));
        let places: Vec<_> = found.iter().map(|warning| (&*warning.tool, &*warning.path)).collect();
        assert_eq!(places, [("t", "input_schema.properties.a.pattern"), ("", "config_schema.minLength")]);
    }
}
