//! What requests cost in DynamoDB's units, from the sizes of items as its documentation counts them: names and
//! values in bytes, writes in units of 1 KB, strongly consistent reads in units of 4 KB.

use serde_json::Value;

/// Attributes that stand in both lists of runs.
const LISTED: [&str; 13] = [
    "pk",
    "sk",
    "feed_sk",
    "status",
    "workflow_id",
    "version",
    "started_at",
    "ended_at",
    "trigger_type",
    "failure_code",
    "project_id",
    "run_id",
    "external_user_id",
];
/// The table's indexes: the key attributes of each, and what else stands in it.
const INDEXES: [(&str, &str, &[&str]); 3] = [
    ("wf_pk", "feed_sk", &LISTED),
    ("tenant_pk", "feed_sk", &LISTED),
    ("deadline_pk", "deadline_sk", &["pk", "sk"]),
];

/// Write units of an item that replaces another or none.
pub fn write(old: Option<&Value>, new: &Value) -> u64 {
    kilobytes(size(new).max(old.map_or(0, size)), 1)
}

/// Read units of an item.
pub fn read(item: &Value) -> u64 {
    kilobytes(size(item), 4)
}

/// Write units that the same write costs in the indexes.
pub fn index_writes(old: Option<&Value>, new: &Value) -> u64 {
    let cost = |(pk, sk, rest): (&str, &str, &[&str])| {
        let entry = |item: &Value| {
            let key = Some((item.get(pk)?.clone(), item.get(sk)?.clone()))?;
            Some((key, rest.iter().map(|name| item.get(*name).cloned()).collect::<Vec<_>>()))
        };
        let units = |item: &Value| {
            let names = rest.iter().chain([&pk, &sk]);
            kilobytes(names.filter_map(|name| Some(name.len() + value_size(item.get(*name)?))).sum(), 1)
        };
        match (old.and_then(entry).zip(old), entry(new)) {
            (None, None) => 0,
            (None, Some(_)) => units(new),
            (Some((_, old)), None) => units(old),
            (Some((before, _)), Some(after)) if before == after => 0,
            (Some((before, old)), Some(after)) if before.0 == after.0 => units(old).max(units(new)),
            (Some((_, old)), Some(_)) => units(old) + units(new),
        }
    };
    INDEXES.into_iter().map(cost).sum()
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
