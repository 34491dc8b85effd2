//! The tools: what each is called and says of itself, and the route that it leads to. Their schemas are put
//! together once per process.

mod analytics;
mod catalog;
mod connectors;
mod contracts;
mod definitions;
pub(crate) mod effect;
pub(crate) mod entry;
pub mod exposed;
pub(crate) mod own;
mod risk;
mod route;
mod runs;

use std::sync::{Arc, LazyLock};

use rmcp::model::Tool;
use shared::api::{CanExecuteMcp, CanReadMcp, CanWriteMcp};
use shared::services::auth::Caller;

pub use catalog::{call as catalog_call, succeeded as catalog_succeeded};
pub use definitions::Definition;
pub use effect::Effect;
pub use entry::{Action, Entry};
pub use own::{Context, Own};
pub use route::Route;

use crate::schema::{Document, Schema};
use crate::{guide, health};

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let document = Document::of_the_api();
    let plain =
        definitions::DEFINITIONS.iter().chain(analytics::DEFINITIONS).map(|definition| (definition, false));
    let risk = risk::DEFINITIONS.iter().map(|definition| (definition, true));
    let routes = plain.chain(risk).filter_map(|(definition, risk)| of_route(definition, risk, &document));
    let own = [&guide::TOOL, &health::TOOL].into_iter();
    let own = own.chain(runs::TOOLS).chain(connectors::TOOLS).chain(contracts::TOOLS);
    let mut entries: Vec<Entry> = own.map(of_own).collect();
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

// Here and not beside the rest of it, as the list is made of tools that are called with a context.
impl Context<'_> {
    /// The tools that the caller may use, by name; those that answer with secrets only where the deployment has them.
    pub fn tools(&self) -> impl Iterator<Item = &'static Entry> {
        entries().iter().filter(|entry| (self.risk_tools || !entry.risk) && (entry.allows)(self.caller))
    }
}

fn of_route(definition: &'static Definition, risk: bool, document: &Document) -> Option<Entry> {
    let operation = document.operation(definition.method, definition.path)?;
    let route = Route::new(definition, document.fields(operation))?;
    let tool = Tool::new(definition.name, definition.description, Arc::new(document.object(route.input())))
        .with_title(definition.title)
        .with_raw_output_schema(Arc::new(document.output(operation)))
        .with_annotations(definition.effect.annotations());
    Some(Entry { tool, action: Action::Route(route), risk, allows: definition.allows })
}

fn catalog_entry() -> Entry {
    let tool = Tool::new("catalog_bff_request", catalog::DESCRIPTION, schema(&catalog::input()))
        .with_title("Request an MCP catalog route")
        .with_raw_output_schema(schema(&catalog::output()))
        .with_annotations(Effect::ACTS.annotations());
    Entry { tool, action: Action::Catalog, risk: false, allows: may_use_the_catalog }
}

/// Whether there is any route of `/v1/mcp/*` that the caller may call; each asks for its own permission again.
fn may_use_the_catalog(caller: &Caller) -> bool {
    CanReadMcp::allows(caller) || CanWriteMcp::allows(caller) || CanExecuteMcp::allows(caller)
}

fn of_own(own: &'static Own) -> Entry {
    let tool = Tool::new(own.name, own.description, schema(&(own.input)()))
        .with_title(own.title)
        .with_raw_output_schema(schema(&(own.output)()))
        .with_annotations(own.effect.annotations());
    Entry { tool, action: Action::Own(own), risk: false, allows: own.allows }
}

fn schema(value: &serde_json::Value) -> Arc<Schema> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use shared::workflow::tool::RESERVED_TOOL_PREFIXES;

    use super::*;

    #[test]
    fn no_workflow_can_take_the_name_of_a_tool() {
        for entry in entries() {
            let name = &entry.tool.name;
            assert!(RESERVED_TOOL_PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }
}
