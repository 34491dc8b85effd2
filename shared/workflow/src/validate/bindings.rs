//! What a graph refers to outside itself, and MCP servers, tools and their arguments, as far as the caller
//! knows them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::model::Provider;

use super::super::steps::{McpCall, StepKind, Templated};
use super::super::template::{has_template, templates_in};
use super::{
    findings::Findings,
    view::{Site, View},
};
use json_schema::Unchecked;
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

/// The most parts of a tool's schema that a step's warnings name.
const UNCHECKED_SHOWN: usize = 5;

/// What is known of MCP servers and other workflows. Asked in the middle of a dry run, so answers must be at hand: whoever
/// implements it has looked the graph's servers up beforehand.
pub trait Bindings {
    /// The tools of a server.
    fn tools(&self, server: Server<'_>) -> Tools<'_>;

    /// A workflow that a step calls, by its id.
    fn workflow(&self, id: &str) -> Called;

    /// The keys of model providers; none when nothing can be said of them.
    fn model_keys(&self) -> Option<&ModelKeys> {
        None
    }
}

/// What is known of a workflow that a step calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// Nothing can be said; the step is not judged.
    Unknown,
    /// There is no such workflow.
    NoWorkflow,
    /// It is the workflow whose graph this is.
    Itself,
    /// It has no published version, or is archived.
    NotRunnable,
    /// It can be run.
    Published,
}

/// What is known of the keys of model providers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelKeys {
    /// The project's, by id.
    pub project: BTreeMap<String, Provider>,
    /// Whether the deployment may have keys of its own, which nobody here knows.
    pub deployment: bool,
}

/// An MCP server, as a step names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server<'a> {
    /// A registered instance.
    Instance(&'a str),
    /// An address.
    Url(&'a str),
}

/// What is known of a server's tools.
#[derive(Debug, Clone, PartialEq)]
pub enum Tools<'a> {
    /// Nothing can be said; the step is not judged.
    Unknown,
    /// There is no such server.
    NoServer,
    /// There is none yet; one of this name is made when a run starts.
    WillBeMade(&'a str),
    /// These.
    Known(Vec<Tool<'a>>),
}

/// A tool of an MCP server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: &'a str,
    /// The JSON Schema of its arguments.
    pub input_schema: Option<&'a Value>,
}

/// Knows nothing of anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBindings;

impl Bindings for NoBindings {
    fn tools(&self, _server: Server<'_>) -> Tools<'_> {
        Tools::Unknown
    }

    fn workflow(&self, _id: &str) -> Called {
        Called::Unknown
    }
}

pub(super) fn check(view: &View<'_>, bindings: &dyn Bindings, findings: &mut Findings) {
    let mut calls = 0_usize;
    let mut known = 0_usize;
    let mut left_out = LeftOut::default();
    for site in view.sites() {
        if let StepKind::McpCall(kind) = &site.step.kind {
            calls += 1;
            known += usize::from(call(&site, kind, bindings, &mut left_out, findings));
        }
    }
    if calls > 0 && known == 0 {
        findings.skip(Check::McpBindings);
    }
}

/// Checks one call; `false` when nothing is known of its server.
fn call(
    site: &Site<'_>,
    kind: &McpCall,
    bindings: &dyn Bindings,
    left_out: &mut LeftOut,
    findings: &mut Findings,
) -> bool {
    let (field, name, server) = match (&kind.instance_id, &kind.server_url) {
        (Some(id), _) => ("instance_id", id, Server::Instance(id)),
        (None, Some(url)) => ("server_url", url, Server::Url(url)),
        (None, None) => return false,
    };
    if has_template(name) {
        return false;
    }
    let tools = match bindings.tools(server) {
        Tools::Unknown => return false,
        Tools::NoServer => {
            let message = format!("there is no MCP server {:?}", quote(name));
            let issue = site.error(Check::McpBindings, "mcp_server_not_found", field, message);
            findings.push(issue.suggest("register the server, or name one that is registered"));
            return true;
        }
        Tools::WillBeMade(of) => {
            let message = format!("a run's start will register {of} and make an instance of it");
            let issue = site.warning(Check::McpBindings, "mcp_instance_will_be_made", field, message);
            let advice = "make the instance with POST /v1/mcp/instances to give it credentials beforehand";
            findings.push(issue.suggest(advice));
            return true;
        }
        Tools::Known(tools) => tools,
    };
    if has_template(&kind.tool_name) || kind.tool_name.is_empty() {
        return true;
    }
    let Some(tool) = tools.iter().find(|tool| tool.name == kind.tool_name) else {
        let message = format!("the server has no tool {:?}", quote(&kind.tool_name));
        let names = tools.iter().map(|tool| tool.name);
        let suggestion =
            findings.did_you_mean(&kind.tool_name, names, || "look up the server's tools".to_owned());
        let issue = site.error(Check::McpBindings, "mcp_tool_not_found", "tool_name", message);
        findings.push(issue.suggest(suggestion));
        return true;
    };
    if let Some(schema) = tool.input_schema {
        left_out.tell(site, schema, findings);
        arguments(site, kind, schema, findings);
    }
    true
}

/// What of tools' schemas the arguments are not checked against, neither here nor in a run: looked up once for each
/// schema, however many steps call its tool. Known by where they stand, because they stay there for the whole check.
#[derive(Default)]
struct LeftOut(HashMap<*const Value, Vec<Unchecked>>);

impl LeftOut {
    fn tell(&mut self, site: &Site<'_>, schema: &Value, findings: &mut Findings) {
        let parts = self.0.entry(schema).or_insert_with(|| {
            let mut parts = json_schema::unchecked(schema);
            parts.truncate(UNCHECKED_SHOWN);
            parts
        });
        for Unchecked { path, keyword, message } in parts {
            let message = format!(
                "the arguments are not checked against {keyword:?} at {path} of the tool's input_schema: {message}"
            );
            let issue = site.warning(Check::McpBindings, "mcp_schema_unchecked", "tool_name", message);
            findings.push(issue.suggest("nothing has to be done: the server checks what it is sent"));
        }
    }
}

/// Checks what of the arguments is known before the run: those that an expression gives are left out of
/// account, and with them every rule about a value that holds one, except which keys it has.
fn arguments(site: &Site<'_>, kind: &McpCall, schema: &Value, findings: &mut Findings) {
    let given = match &kind.tool_args {
        Some(Templated::Template(_)) => return,
        Some(Templated::Value(given)) => given.clone(),
        None => Map::new(),
    };
    let given = Value::Object(given);
    let Err(violations) = json_schema::check_in_part(schema, &given) else { return };
    let open: Vec<String> =
        templates_in(&given).into_iter().map(|(field, _)| json_path::join("$", &field)).collect();
    for violation in violations {
        let below = |open: &String| {
            open.strip_prefix(&violation.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let about_keys = ["required", "additionalProperties", "unevaluatedProperties", "type"];
        let leaf = open.contains(&violation.path);
        if open.iter().any(below) && (leaf || !about_keys.contains(&violation.keyword.as_str())) {
            continue;
        }
        let path = site.path("tool_args") + violation.path.trim_start_matches('$');
        let message = format!("the tool does not take these arguments: {}", violation.message);
        let issue = Issue::error(Check::McpBindings, "mcp_args_invalid", path, message);
        findings.push(issue.at_step(site.read.id).suggest("see the tool's input schema"));
    }
}
