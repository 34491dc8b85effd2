//! Equality as JSON Schema has it: of numbers by value, of objects without regard to order.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde_json::Value;

use super::numbers::{compare, integer};

/// Whether two values are the same to JSON Schema.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether all items differ from each other; `steps` gains what it cost.
pub(super) fn all_differ(items: &[Value], steps: &mut u64) -> bool {
    // With keys of their own for each call, so that nobody can choose values that fall together.
    let keys = RandomState::new();
    let mut hashes: Vec<(u64, &Value)> = items.iter().map(|item| (hash(&keys, item, steps), item)).collect();
    hashes.sort_unstable_by_key(|(hash, _)| *hash);
    hashes.windows(2).all(|pair| pair[0].0 != pair[1].0 || !equal(pair[0].1, pair[1].1))
}

/// Values that others are looked up in.
pub(super) struct Choice<'s> {
    keys: RandomState,
    /// By hash.
    values: Vec<(u64, &'s Value)>,
}

impl<'s> Choice<'s> {
    pub(super) fn of(values: &'s [Value]) -> Self {
        let keys = RandomState::new();
        let mut values: Vec<_> = values.iter().map(|value| (hash(&keys, value, &mut 0), value)).collect();
        values.sort_unstable_by_key(|(hash, _)| *hash);
        Self { keys, values }
    }

    /// Whether `value` is one of them; `steps` gains what it cost.
    pub(super) fn contains(&self, value: &Value, steps: &mut u64) -> bool {
        let sought = hash(&self.keys, value, steps);
        let first = self.values.partition_point(|(hash, _)| *hash < sought);
        self.values[first..]
            .iter()
            .take_while(|(hash, _)| *hash == sought)
            .any(|(_, candidate)| equal(candidate, value))
    }
}

/// The same for equal values.
fn hash(keys: &RandomState, value: &Value, steps: &mut u64) -> u64 {
    let mut hasher = keys.build_hasher();
    *steps += 1;
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(truth) => truth.hash(&mut hasher),
        Value::Number(number) => match integer(number) {
            Some(integer) => integer.hash(&mut hasher),
            None => number.as_f64().map(f64::to_bits).hash(&mut hasher),
        },
        Value::String(text) => {
            *steps += text.len() as u64 / 32;
            text.hash(&mut hasher);
        }
        Value::Array(items) => {
            1_u8.hash(&mut hasher);
            for item in items {
                hash(keys, item, steps).hash(&mut hasher);
            }
        }
        Value::Object(map) => {
            2_u8.hash(&mut hasher);
            let entry = |(key, value): (&String, &Value)| {
                *steps += key.len() as u64 / 32;
                keys.hash_one((key, hash(keys, value, steps)))
            };
            // In any order.
            map.iter().map(entry).fold(0, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}
