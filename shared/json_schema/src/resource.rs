//! Schemas with a URI of their own, and references to them.

use std::collections::HashMap;

use serde_json::Value;
use url::Url;

use super::rules::Id;

/// A schema with a URI of its own.
pub(super) struct Resource<'s> {
    pub(super) base: Option<Url>,
    pub(super) root: &'s Value,
    /// Where its root is in the document.
    pub(super) pointer: String,
    pub(super) anchors: HashMap<&'s str, Anchor>,
}

#[derive(Clone, Copy)]
pub(super) struct Anchor {
    pub(super) schema: Id,
    pub(super) dynamic: bool,
}

impl Resource<'_> {
    /// The schema that this resource has for a `$dynamicRef` to the name.
    pub(super) fn dynamic_anchor(&self, name: &str) -> Option<Id> {
        self.anchors.get(name).filter(|anchor| anchor.dynamic).map(|anchor| anchor.schema)
    }
}

/// Where a `$ref` or `$dynamicRef` leads.
#[derive(Clone, Copy)]
pub(super) struct Reference<'s> {
    pub(super) schema: Id,
    /// The name by which the outermost resource that was entered, and knows it, says otherwise.
    pub(super) dynamic: Option<&'s str>,
}

/// A reference that was met before what it leads to.
pub(super) struct Pending<'s> {
    pub(super) position: usize,
    pub(super) reference: &'s str,
    pub(super) dynamic: bool,
    pub(super) resource: usize,
    pub(super) pointer: String,
    /// The schema that refers.
    pub(super) within: Id,
}
