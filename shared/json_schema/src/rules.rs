//! What a schema asks for, ready to be asked.

use serde_json::{Number, Value};

use super::{equality::Choice, pattern::Pattern};

/// Which schema of an index.
pub(super) type Id = usize;

/// One schema: the whole, or one within it.
pub(super) struct Schema<'s> {
    /// What it asks for, in order.
    pub(super) rules: Vec<Rule<'s>>,
    /// Which resource it belongs to.
    pub(super) resource: usize,
    /// Whether a rule depends on what the others looked at.
    pub(super) wants_marks: bool,
}

/// What a schema asks for, by keyword.
pub(super) enum Rule<'s> {
    /// The schema `false`.
    Never,
    Type(Types),
    Const(&'s Value, Choice<'s>),
    Enum(&'s [Value], Choice<'s>),
    Bound(Bound, &'s Number),
    MultipleOf(&'s Number),
    Count(Count, u64),
    Required(&'s [Value]),
    Pattern(&'s str, Pattern),
    UniqueItems,
    Members(Members<'s>),
    PropertyNames(Id),
    /// For all items but so many first ones.
    Items(usize, Id),
    PrefixItems(Vec<Id>),
    Contains(Contains),
    Dependent(Dependent<'s>),
    AllOf(Vec<Id>),
    /// Which of the index's references.
    Reference(usize),
    AnyOf(Vec<Id>),
    OneOf(Vec<Id>),
    Not(&'s Value, Id),
    If(Id, Option<Id>, Option<Id>),
    UnevaluatedProperties(Id),
    UnevaluatedItems(Id),
}

/// A set of types.
#[derive(Clone, Copy)]
pub(super) struct Types(u8);

impl Types {
    const NAMES: [&'static str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

    pub(super) fn of(value: &Value) -> Self {
        let named =
            |name: &Value| Self::NAMES.iter().position(|known| name == known).map_or(0, |bit| 1 << bit);
        Self(list(value).iter().map(named).fold(named(value), |types, bit| types | bit))
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// In the order in which messages name them.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & 1 << bit != 0)
            .map(|(_, name)| name)
    }
}

/// What a number is held against.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

/// What is counted, and held against a limit.
#[derive(Clone, Copy)]
pub(super) enum Count {
    MinLength,
    MaxLength,
    MinItems,
    MaxItems,
    MinProperties,
    MaxProperties,
}

/// `properties`, `patternProperties` and `additionalProperties`, which are about each other.
pub(super) struct Members<'s> {
    /// By name, in order.
    pub(super) named: Vec<(&'s str, Id)>,
    pub(super) patterns: Vec<(Pattern, Id)>,
    pub(super) others: Others,
}

/// What becomes of members that are neither named nor match.
#[derive(Clone, Copy)]
pub(super) enum Others {
    Ignored,
    Forbidden,
    /// Like all others, since none is named.
    AllForbidden,
    Schema(Id),
}

/// What the presence of a property asks for: other properties, or a schema for the whole.
pub(super) struct Dependent<'s> {
    pub(super) required: Vec<(&'s str, &'s [Value])>,
    pub(super) schemas: Vec<(&'s str, Id)>,
    /// Whether what the schemas look at counts as evaluated.
    pub(super) marks: bool,
}

/// `contains`, with what stands beside it.
pub(super) struct Contains {
    pub(super) schema: Id,
    pub(super) at_least: u64,
    pub(super) at_most: u64,
}

/// The items of a list; none of anything else.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
