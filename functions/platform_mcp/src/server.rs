//! What the MCP server says of itself, its tools, and how calls of them end. Whatever the API refuses is a tool's
//! error, which a model can read and mend; only calls that name no tool are errors of the protocol.

use std::borrow::Cow;

use http::HeaderMap;
use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use shared::Error;

use crate::api::{Answer, Api, Call};
use crate::tools::{Action, Entry, catalog_call, catalog_succeeded, entries};
use crate::{guide, health};

/// The most bytes of a result that are given as text too. Lambda answers with 6 MB or not at all.
const LARGEST_TEXT: usize = 1024 * 1024;

const INSTRUCTIONS: &str = "AgentRuntime runs workflows: graphs of steps (scripts, model calls, MCP tools, people) \
    that are drafted, published as versions and started as runs. Call ar_get_started first if you do not know it. \
    To build one: workflows_graph_schema, workflows_create, workflows_validate, workflows_publish_version, then \
    workflows_execute_command with command=start, then runs_get_summary. All ids are those of the workspace and \
    project that the access token belongs to. When a tool fails, its text is JSON with error (what is wrong and \
    what to do), code, and issues where there are several.";

/// The versions of MCP whose transport this is: streamable HTTP came with the first of them.
const VERSIONS: &[ProtocolVersion] = &[
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

/// The MCP server, for one request.
#[derive(Debug, Clone)]
pub struct Server {
    api: Api,
    risk_tools: bool,
}

impl Server {
    /// With tools that lead to this API, those that answer with secrets only if asked for.
    pub fn new(api: Api, risk_tools: bool) -> Self {
        Self { api, risk_tools }
    }

    fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        entries().iter().filter(|entry| self.risk_tools || !entry.risk)
    }

    fn entry(&self, name: &str) -> Option<&'static Entry> {
        self.entries().find(|entry| entry.tool.name == name)
    }

    async fn send(&self, caller: &HeaderMap, call: shared::Result<Call>) -> Result<Answer, Answer> {
        let answer = match call {
            Ok(call) => self.api.send(caller, call).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| Answer::refusal(&error, caller))
    }

    async fn call(
        &self,
        entry: &Entry,
        caller: &HeaderMap,
        arguments: rmcp::model::JsonObject,
    ) -> CallToolResult {
        match &entry.action {
            Action::Route(route) => {
                result(self.send(caller, route.call(arguments)).await.and_then(Answer::succeeded))
            }
            Action::Catalog => {
                result(self.send(caller, catalog_call(arguments)).await.and_then(catalog_succeeded))
            }
            Action::Guide | Action::Health if !arguments.is_empty() => {
                let names: Vec<&str> = arguments.keys().map(String::as_str).collect();
                let message = format!("{}: there is no such argument; there are none.", names.join(", "));
                result(Err(Answer::refusal(&Error::invalid(message), caller)))
            }
            Action::Guide => result(guide::read(&self.api, caller, self.entries()).await),
            Action::Health => result(health::read(&self.api, caller).await),
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut implementation = Implementation::new("agentruntime", env!("CARGO_PKG_VERSION"));
        implementation.title = Some("AgentRuntime".to_owned());
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = implementation;
        config.with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.entry(name).map(|entry| entry.tool.clone())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            let message = "cursor: is not one of ours; all tools are in the first page.";
            return Err(ErrorData::invalid_params(message, None));
        }
        Ok(ListToolsResult::with_all_items(self.entries().map(|entry| entry.tool.clone()).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || {
            let message = format!("There is no tool {:?}; tools/list names those there are.", request.name);
            ErrorData::invalid_params(message, None)
        };
        let entry = self.entry(&request.name).ok_or_else(unknown)?;
        let parts = context.extensions.get::<Parts>();
        let parts = parts.ok_or_else(|| ErrorData::internal_error("the request has no headers", None))?;
        Ok(self.call(entry, &parts.headers, request.arguments.unwrap_or_default()).await.into())
    }
}

fn result(outcome: Result<Value, Answer>) -> CallToolResult {
    match outcome {
        Ok(body) => success(body),
        Err(answer) => failure(answer),
    }
}

/// A success: the answer as it is, and as text for clients that know nothing else.
fn success(body: Value) -> CallToolResult {
    let mut text = body.to_string();
    if text.len() > LARGEST_TEXT {
        text = format!("The result has {} bytes of JSON; it is in structuredContent.", text.len());
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(body);
    result
}

/// An error as the API words it. Not as structured content: that would have to satisfy the tool's output schema.
pub(crate) fn failure(answer: Answer) -> CallToolResult {
    let mut body = answer.body;
    if let Some(body) = body.as_object_mut() {
        body.insert("status".to_owned(), answer.status.as_u16().into());
        if let Some(seconds) = answer.retry_after {
            body.insert("retry_after_s".to_owned(), seconds.into());
        }
    }
    CallToolResult::error(vec![ContentBlock::text(body.to_string())])
}
