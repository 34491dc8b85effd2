//! What requests cost in DynamoDB's units, from the sizes of items as its documentation counts them: names and
//! values in bytes, writes in units of 1 KB, strongly consistent reads in units of 4 KB.

use aws_sdk_dynamodb::types::{GlobalSecondaryIndexDescription, KeySchemaElement, TableDescription};
use serde_json::Value;

/// An index of the table.
#[derive(Debug)]
pub struct Index {
    /// The attributes of its key.
    key: Vec<String>,
    /// All attributes that stand in it.
    attributes: Vec<String>,
}

/// The indexes of a table.
pub fn indexes(table: &TableDescription) -> Vec<Index> {
    let names = |keys: &[KeySchemaElement]| -> Vec<String> {
        keys.iter().map(|key| key.attribute_name().to_owned()).collect()
    };
    let index = |index: &GlobalSecondaryIndexDescription| {
        let key = names(index.key_schema());
        let listed = index.projection().map(|projection| projection.non_key_attributes().to_vec());
        let attributes = [names(table.key_schema()), key.clone(), listed.unwrap_or_default()].concat();
        Index { key, attributes }
    };
    table.global_secondary_indexes().iter().map(index).collect()
}

impl Index {
    /// Write units that an item which replaces another or none costs here.
    pub fn write(&self, old: Option<&Value>, new: &Value) -> u64 {
        let old = old.filter(|item| self.has(item));
        match (old, self.has(new)) {
            (None, false) => 0,
            (None, true) => self.units(new),
            (Some(old), false) => self.units(old),
            (Some(old), true) if same(&self.attributes, old, new) => 0,
            (Some(old), true) if same(&self.key, old, new) => self.units(old).max(self.units(new)),
            (Some(old), true) => self.units(old) + self.units(new),
        }
    }

    /// Items without its key do not stand in it.
    fn has(&self, item: &Value) -> bool {
        self.key.iter().all(|name| item.get(name).is_some())
    }

    fn units(&self, item: &Value) -> u64 {
        let sizes = self.attributes.iter().filter_map(|name| Some(name.len() + value_size(item.get(name)?)));
        kilobytes(sizes.sum(), 1)
    }
}

fn same(names: &[String], one: &Value, other: &Value) -> bool {
    names.iter().all(|name| one.get(name) == other.get(name))
}

/// Write units of an item that replaces another or none.
pub fn write(old: Option<&Value>, new: &Value) -> u64 {
    kilobytes(size(new).max(old.map_or(0, size)), 1)
}

/// Read units of an item.
pub fn read(item: &Value) -> u64 {
    kilobytes(size(item), 4)
}

/// The bytes of an item in the JSON of a request.
pub fn size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        // About two digits a byte, and one more.
        ("N", Value::String(digits)) => digits.len().div_ceil(2) + 1,
        ("B", Value::String(base64)) => base64.trim_end_matches('=').len() * 3 / 4,
        ("L", Value::Array(values)) => 3 + values.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        ("M", map) => 3 + size(map),
        (_, Value::String(text)) => text.len(),
        (_, Value::Array(set)) => set.iter().filter_map(Value::as_str).map(str::len).sum(),
        _ => 1,
    }
}

fn kilobytes(bytes: usize, step: usize) -> u64 {
    bytes.div_ceil(step * 1024).max(1) as u64
}
