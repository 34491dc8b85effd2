//! The values of step fields that JSON and Rust see differently.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Map, Value};

use super::template;
use types::strict::Strict;

/// A span of time in seconds, as authors write it: `10`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Seconds(#[schemars(range(min = 0))] pub f64);

impl Seconds {
    /// The same span as a [`Duration`]; anything that is none counts as nothing.
    pub fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or_default()
    }

    pub(super) fn one() -> Self {
        Self(1.0)
    }

    pub(super) fn is_one(&self) -> bool {
        *self == Self::one()
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole seconds go back out as authors write them: `10`, not `10.0`.
        if self.0.fract() == 0.0 && (0.0..1e15).contains(&self.0) {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self)
    }
}

/// A value that the author wrote down, or a string with an expression that will give it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Templated<T> {
    /// The value itself (whose own strings may hold expressions).
    Value(T),
    /// A string with at least one expression.
    Template(#[schemars(regex(pattern = r"\{\{"))] String),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Templated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) if template::has_template(&text) => Ok(Self::Template(text)),
            value => T::deserialize(Strict(value)).map(Self::Value).map_err(D::Error::custom),
        }
    }
}

impl<T> Templated<T> {
    /// The value, when it is not left to a template.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Template(_) => None,
        }
    }

    /// The value, when it is not left to a template.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Template(_) => None,
        }
    }
}

/// One text, or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// A list of texts.
    Many(Vec<String>),
}

/// A text, or a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string or an object")]
pub enum TextOrObject {
    /// A text.
    Text(String),
    /// A JSON object.
    Object(Map<String, Value>),
}
