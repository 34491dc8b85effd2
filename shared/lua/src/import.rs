//! JSON into Lua: the values a script may read, and `json.decode`, which parses straight into tables, so that everything it
//! makes counts against the script's memory while it is made. The rules stand at the head of the `lua` module.

use std::cell::{Cell, RefCell};
use std::fmt;

use mlua::{Lua, Table, Value};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::globals::Lent;
use super::trouble::Trouble;
use super::values::{HIDDEN, NullKeys, Values};
use super::watch::Watch;
use types::json_numbers;

/// How many values are made between two looks at the memory.
const VALUES_PER_LOOK: usize = 256;

/// Builds Lua values out of JSON for one VM.
pub(super) struct Importer<'a> {
    lua: &'a Lua,
    values: &'a Values,
    watch: Option<&'a Watch>,
    /// What the VM may hold while values are made, where its own limit does not hold.
    memory_bytes: usize,
    made: Cell<usize>,
    nulls: NullKeys,
    /// The error behind an import that was given up: memory or time ran out.
    raised: RefCell<Option<mlua::Error>>,
}

impl<'a> Importer<'a> {
    /// For `json.decode`; `watch` ends a long import in time.
    pub(super) fn decoding(lua: &'a Lua, values: &'a Values, watch: &'a Watch) -> Self {
        Self { watch: Some(watch), ..Self::lending(lua, values, usize::MAX) }
    }

    /// For the values that a script is lent, which may take so much memory: the VM's own limit would make this several
    /// times slower.
    pub(super) fn lending(lua: &'a Lua, values: &'a Values, memory_bytes: usize) -> Self {
        let (made, nulls, raised) = (Cell::default(), NullKeys::default(), RefCell::new(None));
        Self { lua, values, watch: None, memory_bytes, made, nulls, raised }
    }

    /// The Lua value of what a script is lent; null is nil.
    pub(super) fn lent(&self, lent: &Lent<'_>) -> mlua::Result<Value> {
        match lent {
            Lent::Text(text) => self.text(text),
            Lent::Members(members) => {
                let table = self.lua.create_table_with_capacity(0, members.len())?;
                for (key, text) in members {
                    self.set_member(&table, self.lua.create_string(key)?, self.text(text)?)?;
                }
                Ok(Value::Table(table))
            }
        }
    }

    fn set_member(&self, table: &Table, key: mlua::LuaString, value: Value) -> mlua::Result<()> {
        if value.is_nil() {
            return self.nulls.mark(self.lua, self.values, table, &[key]);
        }
        table.raw_set(key, value)
    }

    /// The Lua value of a text that is JSON, however deep it nests; null is nil.
    pub(super) fn text(&self, text: &str) -> mlua::Result<Value> {
        let mut parser = serde_json::Deserializer::from_str(text);
        parser.disable_recursion_limit();
        let value = Member(self).deserialize(&mut parser);
        let value =
            value.map_err(|error| self.raised.take().unwrap_or_else(|| mlua::Error::external(error)))?;
        self.check_memory()?;
        Ok(value)
    }

    fn check_memory(&self) -> mlua::Result<()> {
        match self.lua.used_memory() > self.memory_bytes {
            true => Err(mlua::Error::MemoryError("the values that are lent".to_owned())),
            false => Ok(()),
        }
    }

    /// Another value is made.
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.made.set(self.made.get() + 1);
        if self.made.get().is_multiple_of(VALUES_PER_LOOK) { self.carry(self.check_memory()) } else { Ok(()) }
    }

    /// Parses `text`, which must be one JSON value. Its nesting is bounded by the parser, at [`super::MAX_DEPTH`]. Numbers
    /// that cannot be kept are their digits as text, as in the answers of others.
    pub(super) fn parse(&self, text: &[u8]) -> Result<Value, Trouble> {
        let text = json_numbers::with_strings(text);
        let mut parser = serde_json::Deserializer::from_slice(&text);
        let parsed = Member(self).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
        match (parsed, self.raised.take()) {
            (_, Some(error)) => Err(Trouble::Raised(error)),
            (Ok(value), None) => Ok(value),
            (Err(error), None) => Err(Trouble::Said(error.to_string())),
        }
    }

    /// Carries an error of the binding through the parser.
    fn carry<T, E: serde::de::Error>(&self, result: mlua::Result<T>) -> Result<T, E> {
        result.map_err(|error| {
            self.raised.replace(Some(error));
            E::custom("given up")
        })
    }

    fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        self.watch.map_or(Ok(()), |watch| self.carry(watch.check().map_err(Into::into)))
    }
}

/// A value on its own or in an object: `null` is `nil`.
#[derive(Clone, Copy)]
struct Member<'a>(&'a Importer<'a>);

/// A value in an array, or a key: `null` is [`HIDDEN`].
#[derive(Clone, Copy)]
struct Element<'a>(&'a Importer<'a>);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Element(self.0).deserialize(deserializer)?;
        Ok(if value == HIDDEN { Value::Nil } else { value })
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
        Ok(HIDDEN)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Boolean(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Value, E> {
        self.0.carry(self.0.values.whole(self.0.lua, i128::from(whole)))
    }

    fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<Value, E> {
        self.0.carry(self.0.values.whole(self.0.lua, i128::from(whole)))
    }

    fn visit_f64<E>(self, double: f64) -> Result<Value, E> {
        Ok(Value::Number(double))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.0.carry(self.0.lua.create_string(text)).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Importer { lua, values, .. } = self.0;
        self.0.check()?;
        let table = self.0.carry(lua.create_table_with_capacity(items.size_hint().unwrap_or(0), 0))?;
        let (mut count, mut has_nulls) = (0_usize, false);
        while let Some(item) = items.next_element_seed(self)? {
            count += 1;
            self.0.count()?;
            has_nulls |= item == HIDDEN;
            self.0.carry(table.raw_set(count, item))?;
        }
        self.0.carry(values.array(lua, table, has_nulls)).map(Value::Table)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Importer { lua, values, nulls, .. } = self.0;
        self.0.check()?;
        let table = self.0.carry(lua.create_table_with_capacity(0, members.size_hint().unwrap_or(0)))?;
        let mut null_keys = Vec::new();
        while let Some(key) = members.next_key_seed(self)? {
            let Value::String(key) = key else { return Err(A::Error::custom("a key is not text")) };
            let value = members.next_value_seed(Member(self.0))?;
            self.0.count()?;
            if value.is_nil() {
                // Of two members with the same key the last one counts.
                self.0.carry(table.raw_set(&key, Value::Nil))?;
                null_keys.push(key);
            } else {
                self.0.carry(table.raw_set(key, value))?;
            }
        }
        if !null_keys.is_empty() {
            self.0.carry(nulls.mark(lua, values, &table, &null_keys))?;
        }
        Ok(Value::Table(table))
    }
}
