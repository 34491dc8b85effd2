//! The JSON Schema of a graph, generated from the types that parse it, and the hash of a graph.

use std::{collections::BTreeSet, sync::LazyLock};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    graph::Graph,
    step_types::{fields_by_type, generator, properties_of},
    steps::{LlmParams, Step},
};

/// The JSON Schema (2020-12) of a graph, generated from the types that parse it.
pub fn graph_schema() -> Value {
    graph()
}

/// The hash of [`graph_schema`], made like [`graph_hash`].
pub fn graph_schema_hash() -> &'static str {
    &GRAPH_SCHEMA_HASH
}

/// `sha256:<hex>` over the graph's canonical JSON: compact, object keys sorted.
pub fn graph_hash(graph: &Value) -> String {
    hash(graph)
}

#[cfg(test)]
mod tests;

/// What exported graphs carry beside `steps`: accepted, kept and ignored, whatever stands in it.
pub(super) const IGNORED_KEYS: [&str; 9] = [
    "name",
    "description",
    "tenant_id",
    "workflow_id",
    "params",
    "nodes",
    "edges",
    "example_trigger_payload",
    "canonical_schema_ref",
];

/// Says what shape the unused fields have in the schema: any.
fn anything() -> Value {
    json!(true)
}

/// See [`graph_schema`](super::graph_schema).
pub(super) fn graph() -> Value {
    let mut schema = generator().into_root_schema_for::<Graph>().to_value();
    schema["title"] = json!("Workflow graph");
    for key in IGNORED_KEYS {
        schema["properties"][key] = anything();
    }
    schema["additionalProperties"] = json!(false);
    if let Some(step) = schema.pointer_mut("/$defs/Step") {
        step["unevaluatedProperties"] = json!(false);
    }
    schema
}

/// The fields of the types, taken from their schemas so that no list has to be kept in step.
pub(super) struct KnownFields {
    /// Those of the graph itself.
    pub(super) graph: BTreeSet<String>,
    /// Those that every step has.
    pub(super) common: BTreeSet<String>,
    /// Those of `llm_params`.
    pub(super) llm_params: BTreeSet<String>,
    by_type: Vec<(&'static str, BTreeSet<String>)>,
}

impl KnownFields {
    /// The fields of a step of a type, common ones included.
    pub(super) fn of_step(&self, type_name: &str) -> Option<&BTreeSet<String>> {
        self.by_type.iter().find(|(name, _)| *name == type_name).map(|(_, fields)| fields)
    }

    /// The types that have this field.
    pub(super) fn types_with(&self, field: &str) -> Vec<&'static str> {
        self.by_type.iter().filter(|(_, fields)| fields.contains(field)).map(|(name, _)| *name).collect()
    }
}

/// The fields of the types.
pub(super) static KNOWN_FIELDS: LazyLock<KnownFields> = LazyLock::new(|| {
    let mut common = properties_of::<Step>();
    common.insert("type".to_owned());
    let with_common = |mut own: BTreeSet<String>| {
        own.extend(common.iter().cloned());
        own
    };
    let mut graph = properties_of::<Graph>();
    graph.extend(IGNORED_KEYS.map(str::to_owned));
    KnownFields {
        graph,
        llm_params: properties_of::<LlmParams>(),
        by_type: fields_by_type().into_iter().map(|(name, own)| (name, with_common(own))).collect(),
        common,
    }
});

/// The hash of the schema of graphs: two programs with the same one accept the same graphs.
pub(super) static GRAPH_SCHEMA_HASH: LazyLock<String> = LazyLock::new(|| hash(&graph()));

/// See [`graph_hash`](super::graph_hash).
pub(super) fn hash(graph: &Value) -> String {
    let mut hasher = Sha256::new();
    // Neither the hasher nor a JSON value can fail to be written.
    let _ = serde_json::to_writer(Hashing(&mut hasher), &Canonical(graph));
    format!("sha256:{}", types::text::hex(&hasher.finalize()))
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.update(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A value with the keys of its objects sorted, whatever order serde_json keeps them in: any crate of a
/// build can switch on its `preserve_order`, and hashes must not change with it.
struct Canonical<'a>(&'a Value);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Canonical)),
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                let mut object = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    object.serialize_entry(key, &Canonical(value))?;
                }
                object.end()
            }
            other => other.serialize(serializer),
        }
    }
}
