//! What reading a JSON text into a [`serde_json::Value`] takes, known before it is read: by its values, not by its bytes. An
//! object with one member takes 700 bytes, whatever its text; so a megabyte of text may take a hundred.

/// The slot of a value: in its parent, or where the whole is kept.
const SLOT: usize = 32;
/// What an allocator takes for a block beside what was asked for, at most one part in so many, and at least so much.
const BLOCK: (usize, usize) = (8, 16);
/// The first slots of an array that is not empty.
const FIRST_SLOTS: usize = 4;
/// A map's members stand in nodes of eleven, which are at least five members full.
const MAP_NODE: usize = 648;
const MEMBERS_OF_ONE_NODE: usize = 11;
/// Each member's share of the nodes of a larger map, and what such a map has beside them.
const PER_MEMBER: usize = 132;
const LARGE_MAP: usize = 900;
/// No reader goes deeper: what comes behind is not read.
const MAX_DEPTH: usize = 1024;

/// The most memory that one value may take, or all that a step reads together, in bytes. A megabyte of ordinary JSON takes ten to
/// twenty, and of nothing but tiny objects a hundred.
pub const MAX_COST: usize = 64 * 1024 * 1024;

/// The bytes of memory that a JSON text takes once it is read, at most; for ordinary data it is no more than twice of what it
/// takes. Of what is no JSON it says something.
pub fn cost(json: &[u8]) -> usize {
    let mut cost = SLOT;
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let start = at + 1;
                at = end_of_string(json, start);
                cost += block(at - start);
            }
            b'{' | b'[' => {
                if open.len() == MAX_DEPTH {
                    break;
                }
                let is_empty = matches!(
                    json[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace()),
                    Some(b'}' | b']')
                );
                open.push((byte == b'{', usize::from(!is_empty)));
            }
            b',' => {
                if let Some((_, count)) = open.last_mut() {
                    *count += 1;
                }
            }
            b'}' | b']' => {
                if let Some((is_map, count)) = open.pop() {
                    cost += if is_map { map(count) } else { array(count) };
                }
            }
            _ => {}
        }
        at += 1;
    }
    cost
}

/// The closing quote of the string whose text begins at `at`.
fn end_of_string(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + (bytes / BLOCK.0).max(BLOCK.1) }
}

fn array(count: usize) -> usize {
    if count == 0 { 0 } else { block(count.next_power_of_two().max(FIRST_SLOTS) * SLOT) }
}

fn map(count: usize) -> usize {
    match count {
        0 => 0,
        1..=MEMBERS_OF_ONE_NODE => block(MAP_NODE),
        _ => LARGE_MAP + PER_MEMBER * count + PER_MEMBER / BLOCK.0 * count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What a value takes at least: what its parts ask of the allocator.
    fn taken(value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.capacity(),
            Value::Array(items) => items.capacity() * SLOT + items.iter().map(taken).sum::<usize>(),
            Value::Object(map) => {
                let members: usize = map.iter().map(|(key, value)| key.capacity() + taken(value)).sum();
                let nodes = map.len().div_ceil(MEMBERS_OF_ONE_NODE) * (MAP_NODE - 16);
                nodes + members
            }
        }
    }

    fn measured(text: &str) -> (usize, usize) {
        (SLOT + taken(&serde_json::from_str(text).unwrap()), cost(text.as_bytes()))
    }

    #[test]
    fn what_explodes_is_seen_before_it_is_read() {
        for (text, times) in [
            (format!("[{}0]", r#"{"":0},"#.repeat(100_000)), 90),
            (format!("[{}0]", "[0],".repeat(100_000)), 35),
            (format!("[{}0]", "[],".repeat(100_000)), 10),
            (format!("[{}0]", "0,".repeat(100_000)), 16),
            (format!("[{}0]", r#"{"a":{"b":1}},"#.repeat(100_000)), 80),
        ] {
            let (taken, cost) = measured(&text);
            assert!(taken <= cost && cost <= 2 * taken, "{taken} {cost}");
            assert!(cost / text.len() >= times, "{cost} {}", text.len());
        }
    }

    #[test]
    fn long_texts_cost_little_more_than_their_length() {
        for text in [json!("x".repeat(1_000_000)), json!({ "k".repeat(1_000_000): "é\n\"".repeat(100_000) })]
        {
            let (taken, cost) = measured(&text.to_string());
            assert!(taken <= cost && cost <= 2 * taken, "{taken} {cost}");
        }
        assert_eq!(cost(br#"{ "a" : [ ] , "b" : { } }"#), cost(br#"{"a":[],"b":{}}"#));
        assert!(cost("[".repeat(2_000_000).as_bytes()) < 1024 * 1024);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 200, 30, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..30).prop_map(Value::from),
                proptest::collection::btree_map(".{0,12}", inner, 0..30)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_takes_more_than_its_cost(value in any_value()) {
            let (taken, cost) = measured(&value.to_string());
            prop_assert!(taken <= cost, "{taken} {cost} {value}");
        }
    }
}
