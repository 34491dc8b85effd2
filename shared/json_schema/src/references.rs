//! What schemas call themselves and each other: `$id`, `$anchor` and `$dynamicAnchor`, `$ref` and
//! `$dynamicRef`. Nothing is fetched: a reference leads into the document or to the metaschema.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::{
    index::{Index, address},
    metaschema,
    resource::{Anchor, Pending, Reference, Resource},
    rules::{Id, Rule},
    violation::{Violation, push_key},
};

/// Where a document without an `$id` is said to be.
const NOWHERE: &str = "json-schema:///";

impl<'s> Index<'s> {
    /// The resource that a whole document is, until it says otherwise.
    pub(super) fn add_root(&mut self, root: &'s Value) -> usize {
        let base = Url::parse(NOWHERE).ok();
        self.resources.push(Resource { base, root, pointer: self.pointer.clone(), anchors: HashMap::new() });
        self.resources.len() - 1
    }

    /// The resource that a schema begins, if it has an `$id`.
    pub(super) fn add_resource(
        &mut self,
        root: &'s Value,
        map: &'s Map<String, Value>,
        within: usize,
    ) -> Option<usize> {
        let id = map.get("$id")?.as_str()?;
        let base = joined(self.resources[within].base.as_ref(), id.trim_end_matches('#'));
        match &base {
            Some(base) => {
                let next = self.resources.len();
                self.resources_by_uri.entry(base.to_string()).or_insert(next);
            }
            None => {
                let length = self.pointer.len();
                push_key(&mut self.pointer, "$id");
                let around = std::mem::replace(&mut self.within, self.schemas.len());
                self.problem("$id", "this is no URI");
                self.within = around;
                self.pointer.truncate(length);
            }
        }
        self.resources.push(Resource { base, root, pointer: self.pointer.clone(), anchors: HashMap::new() });
        Some(self.resources.len() - 1)
    }

    pub(super) fn add_anchors(&mut self, schema: Id, map: &'s Map<String, Value>) {
        let resource = self.schemas[schema].resource;
        for (keyword, dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
            if let Some(name) = map.get(keyword).and_then(Value::as_str) {
                self.resources[resource].anchors.insert(name, Anchor { schema, dynamic });
            }
        }
    }

    /// The rule of a reference, which may be to what comes later.
    pub(super) fn reference(&mut self, reference: &'s str, dynamic: bool, resource: usize) -> Rule<'s> {
        let (position, pointer) = (self.references.len(), self.pointer.clone());
        self.references.push(Reference { schema: 0, dynamic: None });
        self.pending.push(Pending { position, reference, dynamic, resource, pointer, within: self.within });
        Rule::Reference(position)
    }

    /// Finds out where all references lead, also those that are met on the way.
    pub(super) fn resolve_pending(&mut self) {
        while let Some(pending) = self.pending.pop() {
            self.pointer.clone_from(&pending.pointer);
            match self.resolved(&pending) {
                Ok(reference) => self.references[pending.position] = reference,
                Err(message) => {
                    self.pointer.clone_from(&pending.pointer);
                    self.within = pending.within;
                    self.problem("$ref", &message);
                    if let Some(anything) = self.anything() {
                        self.references[pending.position].schema = anything;
                    }
                }
            }
        }
    }

    fn resolved(&mut self, pending: &Pending<'s>) -> Result<Reference<'s>, String> {
        let (uri, fragment) = pending.reference.split_once('#').unwrap_or((pending.reference, ""));
        let resource = self.resource(uri, pending.resource)?;
        let decoded = percent_decode_str(fragment).decode_utf8();
        let decoded = decoded.map_err(|_| format!("'{fragment}' is not UTF-8 in percent-encoding"))?;
        if decoded.is_empty() || decoded.starts_with('/') {
            return Ok(Reference { schema: self.pointed_at(&decoded, resource)?, dynamic: None });
        }
        let found = self.resources[resource].anchors.get(&*decoded).copied();
        let anchor = found.ok_or_else(|| format!("Anchor '{decoded}' does not exist"))?;
        let dynamic = (pending.dynamic && anchor.dynamic).then_some(fragment);
        Ok(Reference { schema: anchor.schema, dynamic })
    }

    fn resource(&mut self, uri: &str, from: usize) -> Result<usize, String> {
        if uri.is_empty() {
            return Ok(from);
        }
        let uri = joined(self.resources[from].base.as_ref(), uri)
            .ok_or_else(|| format!("'{uri}' is no reference to a URI"))?;
        if !self.resources_by_uri.contains_key(uri.as_str()) {
            self.add_metaschema(&uri);
        }
        let found = self.resources_by_uri.get(uri.as_str()).copied();
        found.ok_or_else(|| format!("Resource '{uri}' is not part of the schema, and none is fetched"))
    }

    /// Adds the documents of the metaschema once one of them is referred to.
    fn add_metaschema(&mut self, uri: &Url) {
        let documents = metaschema::documents();
        if documents.iter().any(|document| document.get("$id").is_some_and(|id| id == uri.as_str())) {
            for document in documents {
                self.pointer.clear();
                self.add_document(document);
            }
        }
    }

    /// The schema at a pointer into a resource. It may be anywhere, also where no keyword says that there is
    /// one; then it is checked as a schema first.
    fn pointed_at(&mut self, pointer: &str, resource: usize) -> Result<Id, String> {
        let nowhere = || format!("Pointer '{pointer}' does not exist");
        let (mut at, mut within) = (self.resources[resource].root, resource);
        let mut steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
        self.pointer.clone_from(&self.resources[resource].pointer);
        loop {
            if let Some(id) = self.known(at) {
                within = self.schemas[id].resource;
            }
            let Some(step) = steps.next() else { break };
            at = below(at, &step).ok_or_else(nowhere)?;
            push_key(&mut self.pointer, &step);
        }
        match self.known(at) {
            Some(id) => Ok(id),
            None => self.add_unexpected(at, within),
        }
    }

    fn add_unexpected(&mut self, value: &'s Value, resource: usize) -> Result<Id, String> {
        let refused = |message: &str| format!("what this leads to is no schema: {message}");
        if let Some(message) = self.refused.get(&address(value)) {
            return Err(refused(message));
        }
        match metaschema::violations(value, &mut self.budget).pop() {
            None => Ok(self.add(value, resource)),
            Some(Violation { message, .. }) => {
                let why = refused(&message);
                self.refused.insert(address(value), message);
                Err(why)
            }
        }
    }
}

fn joined(base: Option<&Url>, reference: &str) -> Option<Url> {
    base.and_then(|base| base.join(reference).ok())
}

fn below<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(step),
        // An index has no sign and no zeros in front.
        Value::Array(items) => {
            let plain = step == "0" || !step.starts_with(['+', '0']);
            items.get(step.parse::<usize>().ok().filter(|_| plain)?)
        }
        _ => None,
    }
}
