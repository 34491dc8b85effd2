//! How much of a list a call asks for: tools by their names, or a page.

use serde_json::{Value, json};

use super::super::own::Context;
use crate::api::Answer;

/// The most names of a call that asks for tools by their names.
pub(super) const MAX_NAMES: usize = 20;
/// The most entries of a page.
const MAX_PAGE_SIZE: usize = 100;

/// Which page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    page: usize,
    size: usize,
}

impl Paging {
    pub(super) fn checked(
        context: &Context<'_>,
        page: Option<usize>,
        size: Option<usize>,
    ) -> Result<Self, Answer> {
        let (page, size) = (page.unwrap_or(1), size.unwrap_or(MAX_PAGE_SIZE));
        if page == 0 {
            return Err(context.invalid("page: must be 1 or more.".to_owned()));
        }
        if !(1..=MAX_PAGE_SIZE).contains(&size) {
            return Err(context.invalid(format!("page_size: must be 1 to {MAX_PAGE_SIZE}.")));
        }
        Ok(Self { page, size })
    }

    pub(super) fn of<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip((self.page - 1).saturating_mul(self.size)).take(self.size).collect()
    }

    /// The schema of arguments that say which page, and these.
    pub(super) fn input(more: Value) -> Value {
        let mut properties = json!({
            "page": { "type": "integer", "minimum": 1, "default": 1,
                      "description": "Which page, counted from 1." },
            "page_size": { "type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": MAX_PAGE_SIZE,
                           "description": "How many entries a page has." }
        });
        merge(&mut properties, more);
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// The schema of a page whose entries stand under this name; `counted` is what `total` counts.
    pub(super) fn output(name: &str, entries: &Value, counted: &str) -> Value {
        let mut properties = json!({
            "page": { "type": "integer" }, "page_size": { "type": "integer" },
            "total": { "type": "integer", "description": format!("{counted} on all pages.") },
            "truncated": { "type": "boolean", "description": "Whether there are more than were looked at." }
        });
        merge(&mut properties, json!({ name: entries }));
        json!({ "type": "object", "properties": properties,
                "required": [name, "page", "page_size", "total", "truncated"] })
    }

    /// A page as [`Paging::output`] describes it.
    pub(super) fn answer(self, name: &str, entries: &Value, total: usize, is_cut: bool) -> Value {
        json!({ name: entries, "page": self.page, "page_size": self.size, "total": total, "truncated": is_cut })
    }
}

fn merge(properties: &mut Value, more: Value) {
    if let (Value::Object(properties), Value::Object(more)) = (properties, more) {
        properties.extend(more);
    }
}
