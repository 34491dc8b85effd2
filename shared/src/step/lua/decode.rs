//! `json.decode`: parses JSON text straight into Lua tables, so that everything it makes counts against the
//! script's memory while it is made.

use std::cell::RefCell;
use std::fmt;

use mlua::{Lua, LuaSerdeExt, Table, Value};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::native::Trouble;
use super::watch::Watch;

/// Parses `text`, which must be one JSON value. Its nesting is bounded by the parser, at [`super::MAX_DEPTH`].
pub(super) fn from_json(lua: &Lua, text: &[u8], watch: &Watch) -> Result<Value, Trouble> {
    let decoder = Decoder { lua, array: lua.array_metatable(), watch, raised: RefCell::new(None) };
    let mut parser = serde_json::Deserializer::from_slice(text);
    let parsed = Member(&decoder).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    match (parsed, decoder.raised.take()) {
        (_, Some(error)) => Err(Trouble::Raised(error)),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(Trouble::Said(error.to_string())),
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    array: Table,
    watch: &'a Watch,
    /// The error behind a parse that was given up: memory or time ran out.
    raised: RefCell<Option<mlua::Error>>,
}

impl Decoder<'_> {
    /// Carries an error of the binding through the parser.
    fn carry<T, E: serde::de::Error>(&self, result: mlua::Result<T>) -> Result<T, E> {
        result.map_err(|error| {
            self.raised.replace(Some(error));
            E::custom("given up")
        })
    }
}

/// A value on its own or in an object: `null` is `nil`.
#[derive(Clone, Copy)]
struct Member<'a>(&'a Decoder<'a>);

/// A value in an array: `null` is `json.null`.
#[derive(Clone, Copy)]
struct Element<'a>(&'a Decoder<'a>);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Element(self.0).deserialize(deserializer)?;
        Ok(if value.is_null() { Value::Nil } else { value })
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Boolean(flag))
    }

    #[allow(clippy::cast_precision_loss, reason = "Lua has doubles only")]
    fn visit_i64<E>(self, whole: i64) -> Result<Value, E> {
        Ok(Value::Number(whole as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "Lua has doubles only")]
    fn visit_u64<E>(self, whole: u64) -> Result<Value, E> {
        Ok(Value::Number(whole as f64))
    }

    fn visit_f64<E>(self, double: f64) -> Result<Value, E> {
        Ok(Value::Number(double))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.carry(self.0.lua.create_string(text)).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let decoder = self.0;
        decoder.carry(decoder.watch.check().map_err(Into::into))?;
        let table = decoder.carry(decoder.lua.create_table())?;
        while let Some(item) = items.next_element_seed(self)? {
            decoder.carry(table.raw_push(item))?;
        }
        decoder.carry(table.set_metatable(Some(decoder.array.clone())))?;
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let decoder = self.0;
        decoder.carry(decoder.watch.check().map_err(Into::into))?;
        let table = decoder.carry(decoder.lua.create_table())?;
        while let Some(key) = members.next_key_seed(self)? {
            if !matches!(key, Value::String(_)) {
                return Err(A::Error::custom("a key is not text"));
            }
            let value = members.next_value_seed(Member(decoder))?;
            decoder.carry(table.raw_set(key, value))?;
        }
        Ok(Value::Table(table))
    }
}
