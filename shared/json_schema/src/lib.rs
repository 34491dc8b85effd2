//! JSON Schema 2020-12 with a budget, which is why it is ours: no library bounds what a schema of somebody else's may
//! cost, and a few kilobytes can ask for more than a worker has.
//!
//! Schemas come from authors and from MCP servers, so none may stall a worker. Patterns run on the linear
//! regex engine (no look-around, no back-references), nothing is fetched, and all that is done draws on a
//! budget: a few kilobytes of schema can otherwise ask for 2^100 evaluations of one small value.
//!
//! What holds it: the official tests (`tests/suite`, which `./test.sh json-schema` downloads; what is judged otherwise
//! stands there with its reason), and a fuzzer's entry that asks the crate `jsonschema` for its judgement. `tests/fuzz.rs`
//! calls that with bytes by chance; `cargo +nightly fuzz run check`, from this directory, searches for better ones.
//!
//! `format` and `content…` only annotate, as the standard has it. What is said of a
//! violation is in the words of the crate `jsonschema`.

use serde_json::Value;

use evaluate::{Answer, evaluate};
use index::Index;
pub use lenient::{Unchecked, check_in_part, unchecked};
use violation::BUDGET;

pub use equality::equal;
pub use numbers::Exact;
pub use violation::{Violation, path_at};

mod equality;
mod evaluate;
mod index;
mod lenient;
mod metaschema;
mod numbers;
mod pattern;
mod references;
mod resource;
mod rules;
#[cfg(test)]
mod tests;
mod violation;

/// Why a value was not found to satisfy a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// The schema itself cannot be used.
    BadSchema(Vec<Violation>),
    /// The schema asks for more evaluation than it may cost.
    TooComplex,
    /// The value does not satisfy it.
    Violations(Vec<Violation>),
}

/// Checks a value against a schema.
///
/// # Errors
/// What is wrong with the value, or why the schema cannot tell.
pub fn check(schema: &Value, value: &Value) -> Result<(), Rejected> {
    let mut budget = BUDGET;
    check_within(schema, value, &mut budget)
}

/// Checks a value against a schema in so many steps, and takes those that it needed from them.
///
/// # Errors
/// What is wrong with the value, or why the schema cannot tell.
pub fn check_within(schema: &Value, value: &Value, budget: &mut u64) -> Result<(), Rejected> {
    let index = usable(schema).map_err(Rejected::BadSchema)?;
    match evaluate(&index, value, budget) {
        Answer::Satisfied => Ok(()),
        Answer::TooComplex => Err(Rejected::TooComplex),
        Answer::Violated(violations) => Err(Rejected::Violations(violations)),
    }
}

/// What is wrong with a schema; empty when it can be used.
pub fn problems(schema: &Value) -> Vec<Violation> {
    usable(schema).err().unwrap_or_default()
}

/// The schema ready for evaluation.
fn usable(schema: &Value) -> Result<Index<'_>, Vec<Violation>> {
    if !schema.is_object() && !schema.is_boolean() {
        return Err(vec![Violation::of_whole("a schema is an object or a boolean")]);
    }
    let mut budget = BUDGET;
    let wrong = metaschema::violations(schema, &mut budget);
    if wrong.is_empty() { Index::of(schema, budget) } else { Err(wrong) }
}
