//! What is known of a run's input before there is a run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::template::walk;

/// What is known of the input of a run and of its steps.
pub(super) struct Inputs<'a> {
    pub(super) run: KnownInput<'a>,
    /// What is laid over it for single steps.
    pub(super) steps: Option<&'a Map<String, Value>>,
}

impl Inputs<'_> {
    /// What is laid over the input of this step of the graph.
    pub(super) fn overlay(&self, step_id: &str) -> Option<&Map<String, Value>> {
        self.steps?.get(step_id)?.as_object()
    }

    /// The outlook of the path `input.<keys>` in this step of the graph.
    pub(super) fn outlook(&self, step_id: &str, keys: &[String]) -> Outlook {
        let overlaid =
            keys.split_first().and_then(|(key, below)| Some((self.overlay(step_id)?.get(key)?, below)));
        match overlaid {
            Some((value, below)) if walk(value, below).is_some() => Outlook::Fine,
            Some(_) => Outlook::Missing,
            None => self.run.outlook(keys),
        }
    }
}

/// What is known of the input.
pub(super) enum KnownInput<'a> {
    /// Nothing: neither `params` nor an `input_schema`.
    Unknown,
    /// The input itself, with the defaults filled in.
    Given(Value),
    /// What the schema declares.
    Declared(Declared<'a>),
}

/// Whether a path below `input` will have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outlook {
    /// It has, or it cannot be told.
    Fine,
    /// The schema allows leaving it out.
    MayBeUnset,
    /// Nothing gives it one.
    Missing,
}

/// The properties that a schema declares.
///
/// A schema that lists properties and says nothing about others is taken at its word: what it does not
/// list is a typo, until the author declares it or sets `additionalProperties`.
pub(super) struct Declared<'a> {
    properties: BTreeMap<&'a str, Property<'a>>,
    /// Whether what is not listed is missing.
    closed: bool,
}

struct Property<'a> {
    declared: Declared<'a>,
    required: bool,
    default: Option<&'a Value>,
}

/// Keywords by which properties can come from elsewhere than `properties`; such schemas are not judged.
const OPEN: [&str; 12] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "patternProperties",
    "dependentSchemas",
    "unevaluatedProperties",
    "propertyNames",
    "const",
    "enum",
];

impl KnownInput<'_> {
    /// The outlook of the path `input.<keys>`.
    pub(super) fn outlook(&self, keys: &[String]) -> Outlook {
        match self {
            Self::Unknown => Outlook::Fine,
            Self::Given(input) if walk(input, keys).is_some() => Outlook::Fine,
            Self::Given(_) => Outlook::Missing,
            Self::Declared(declared) => declared.outlook(keys),
        }
    }
}

impl<'a> Declared<'a> {
    pub(super) fn by(schema: &'a Value) -> Self {
        let judged = OPEN.iter().all(|keyword| schema.get(keyword).is_none());
        let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|_| judged) else {
            return Self { properties: BTreeMap::new(), closed: false };
        };
        let required = schema.get("required").and_then(Value::as_array);
        let required: BTreeSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        let property = |(key, schema): (&'a String, &'a Value)| {
            let property = Property {
                declared: Self::by(schema),
                required: required.contains(key.as_str()),
                default: schema.get("default"),
            };
            (key.as_str(), property)
        };
        Self {
            properties: properties.iter().map(property).collect(),
            closed: matches!(schema.get("additionalProperties"), None | Some(Value::Bool(false))),
        }
    }

    fn outlook(&self, keys: &[String]) -> Outlook {
        let mut outlook = Outlook::Fine;
        let mut at = self;
        for (depth, key) in keys.iter().enumerate() {
            let Some(property) = at.properties.get(key.as_str()) else {
                return if at.closed { Outlook::Missing } else { outlook };
            };
            // Only top-level defaults are filled in.
            let default = property.default.filter(|_| depth == 0);
            let filled = default.is_some_and(|default| walk(default, &keys[depth + 1..]).is_some());
            if !property.required && !filled {
                outlook = Outlook::MayBeUnset;
            }
            at = &property.declared;
        }
        outlook
    }
}
