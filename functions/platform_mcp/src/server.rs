//! What the MCP server says of itself, its tools, and how calls of them end. Whatever the API refuses is a tool's
//! error, which a model can read and mend; only calls that name no tool are errors of the protocol.

use std::borrow::Cow;

use http::HeaderMap;
use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use shared::services::auth::Caller;

use crate::api::{Answer, Api, Call};
use crate::tools::exposed::{self, Called};
use crate::tools::{Action, Context, Entry, catalog_call, catalog_succeeded, entries};

/// The most bytes of a result that are given as text too. Lambda answers with 6 MB or not at all.
const LARGEST_TEXT: usize = 1024 * 1024;

const INSTRUCTIONS: &str = "AgentRuntime runs workflows: graphs of steps (scripts, model calls, MCP tools, people) \
    that are drafted, published as versions and started as runs. Call ar_get_started first if you do not know it. \
    To build one: workflows_graph_schema, workflows_create, workflows_validate, workflows_publish_version, then \
    workflow_run. All ids are those of the workspace and \
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

    fn entry(&self, name: &str) -> Option<&'static Entry> {
        entries().iter().find(|entry| entry.tool.name == name && (self.risk_tools || !entry.risk))
    }

    fn context<'a>(&'a self, parts: &'a Parts, caller: &'a Caller) -> Context<'a> {
        Context { api: &self.api, headers: &parts.headers, caller, risk_tools: self.risk_tools }
    }

    async fn send(&self, caller: &HeaderMap, call: shared::Result<Call>) -> Result<Answer, Answer> {
        let answer = match call {
            Ok(call) => self.api.send(caller, call).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| Answer::refusal(&error, caller))
    }

    async fn call(&self, entry: &Entry, context: Context<'_>, arguments: JsonObject) -> CallToolResult {
        let headers = context.headers;
        result(match &entry.action {
            Action::Route(route) => {
                self.send(headers, route.call(arguments)).await.and_then(Answer::succeeded)
            }
            Action::Catalog => self.send(headers, catalog_call(arguments)).await.and_then(catalog_succeeded),
            Action::Own(own) => (own.run)(context, arguments).await,
        })
    }

    /// Calls a workflow that is offered as a tool; none when there is none of this name.
    async fn call_workflow(
        &self,
        name: &str,
        context: Context<'_>,
        arguments: JsonObject,
    ) -> Option<CallToolResult> {
        let workflow = match exposed::find(context, name).await {
            Ok(workflow) => workflow?,
            Err(refused) => return Some(failure(refused)),
        };
        Some(match exposed::call(context, workflow, arguments).await {
            Ok(Called::Report(report)) => success(report),
            Ok(Called::Failed(error)) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
            Err(refused) => failure(refused),
        })
    }
}

/// Who calls: the request's headers, and what its token allows.
fn caller_of(context: &RequestContext<RoleServer>) -> Result<(&Parts, &Caller), ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let caller = parts.and_then(|parts| Some((parts, parts.extensions.get::<Caller>()?)));
    caller.ok_or_else(|| ErrorData::internal_error("the request has no caller", None))
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

    /// The tools that the caller may use: the platform's own in the first page, then workflows that are offered as tools.
    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (parts, caller) = caller_of(&context)?;
        let context = self.context(parts, caller);
        let cursor = request.and_then(|request| request.cursor);
        let mut tools: Vec<Tool> = match cursor {
            None => context.tools().map(|entry| entry.tool.clone()).collect(),
            Some(_) => Vec::new(),
        };
        let mut next = None;
        if exposed::allows(caller) {
            let page = exposed::page(context, cursor.as_deref()).await;
            let (workflows, more) = page.map_err(|refused| unlistable(&refused))?;
            tools.extend(workflows);
            next = more;
        } else if cursor.is_some() {
            return Err(ErrorData::invalid_params("cursor: is not one of ours; there is one page.", None));
        }
        let mut listed = ListToolsResult::with_all_items(tools);
        listed.next_cursor = next;
        Ok(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (parts, caller) = caller_of(&context)?;
        let context = self.context(parts, caller);
        let arguments = request.arguments.unwrap_or_default();
        let called = match self.entry(&request.name) {
            Some(entry) => Some(self.call(entry, context, arguments).await),
            None => self.call_workflow(&request.name, context, arguments).await,
        };
        let unknown = || {
            let message = format!("There is no tool {:?}; tools/list names those there are.", request.name);
            ErrorData::invalid_params(message, None)
        };
        called.map(Into::into).ok_or_else(unknown)
    }
}

/// Why the workflows among the tools cannot be listed.
fn unlistable(refused: &Answer) -> ErrorData {
    let why = refused.body["error"].as_str().unwrap_or("the API did not answer").to_owned();
    match refused.status.is_client_error() {
        true => ErrorData::invalid_params(why, None),
        false => ErrorData::internal_error(why, None),
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
