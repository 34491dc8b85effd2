//! The tools: what each is called and says of itself, and the route that it leads to. Their schemas are put
//! together once per process.

mod analytics;
mod catalog;
mod definitions;
mod risk;
mod route;

use std::sync::{Arc, LazyLock};

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::json;

pub use catalog::{call as catalog_call, succeeded as catalog_succeeded};
pub use definitions::Definition;
pub use route::Route;

use crate::schema::{Document, Schema};
use crate::{guide, health};

/// A tool and what a call of it does.
#[derive(Debug)]
pub struct Entry {
    /// As clients see it.
    pub tool: Tool,
    /// What a call does.
    pub action: Action,
    /// Whether its answers hold secrets.
    pub risk: bool,
}

/// What a call of a tool does.
#[derive(Debug)]
pub enum Action {
    /// Sends a request to a route.
    Route(Route),
    /// Sends a request to a route that the call names.
    Catalog,
    /// Explains the service.
    Guide,
    /// Looks at several routes.
    Health,
}

/// What a tool does to the world, as its annotations say it.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
}

impl Effect {
    /// Changes nothing.
    pub const READS: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// Adds something each time.
    pub const ADDS: Self =
        Self { read_only: false, destructive: false, idempotent: false, open_world: false };
    /// Adds something; a second time changes nothing.
    pub const ADDS_ONCE: Self = Self { idempotent: true, ..Self::ADDS };
    /// Overwrites or removes something; a second time changes nothing.
    pub const REPLACES: Self = Self { destructive: true, idempotent: true, ..Self::ADDS };
    /// Sets something going that may reach other systems, or ends it.
    pub const ACTS: Self = Self { destructive: true, open_world: true, ..Self::ADDS };

    fn annotations(self) -> ToolAnnotations {
        ToolAnnotations::new()
            .read_only(self.read_only)
            .destructive(self.destructive)
            .idempotent(self.idempotent)
            .open_world(self.open_world)
    }
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let document = Document::of_the_api();
    let plain =
        definitions::DEFINITIONS.iter().chain(analytics::DEFINITIONS).map(|definition| (definition, false));
    let risk = risk::DEFINITIONS.iter().map(|definition| (definition, true));
    let routes = plain.chain(risk).filter_map(|(definition, risk)| of_route(definition, risk, &document));
    let mut entries = vec![
        own(
            "ar_get_started",
            "Get started with AgentRuntime",
            guide::DESCRIPTION,
            &guide::output(),
            Action::Guide,
        ),
        own("ar_health_summary", "How things are", health::DESCRIPTION, &health::output(), Action::Health),
    ];
    entries.extend(routes);
    if document.has_under(catalog::PREFIX) {
        entries.push(catalog_entry());
    }
    entries.sort_by(|one, other| one.tool.name.cmp(&other.tool.name));
    entries
});

/// Every tool, also those that answer with secrets, by name.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

fn of_route(definition: &'static Definition, risk: bool, document: &Document) -> Option<Entry> {
    let operation = document.operation(definition.method, definition.path)?;
    let route = Route::new(definition, document.fields(operation))?;
    let tool = Tool::new(definition.name, definition.description, Arc::new(document.object(route.input())))
        .with_title(definition.title)
        .with_raw_output_schema(Arc::new(document.output(operation)))
        .with_annotations(definition.effect.annotations());
    Some(Entry { tool, action: Action::Route(route), risk })
}

fn catalog_entry() -> Entry {
    let tool = Tool::new("catalog_bff_request", catalog::DESCRIPTION, schema(&catalog::input()))
        .with_title("Request an MCP catalog route")
        .with_raw_output_schema(schema(&catalog::output()))
        .with_annotations(Effect::ACTS.annotations());
    Entry { tool, action: Action::Catalog, risk: false }
}

fn schema(value: &serde_json::Value) -> Arc<Schema> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

/// A tool without arguments that only reads.
fn own(
    name: &'static str,
    title: &str,
    description: &'static str,
    output: &serde_json::Value,
    action: Action,
) -> Entry {
    let input = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let tool = Tool::new(name, description, schema(&input))
        .with_title(title)
        .with_raw_output_schema(schema(output))
        .with_annotations(Effect::READS.annotations());
    Entry { tool, action, risk: false }
}
