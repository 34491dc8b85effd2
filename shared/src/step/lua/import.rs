//! JSON into Lua: the values a script may read. The rules stand at the head of the `lua` module.

use mlua::{Lua, LuaSerdeExt, Table, Value};
use serde_json::Value as Json;

/// Builds Lua values out of JSON for one VM.
pub(super) struct Importer<'a> {
    lua: &'a Lua,
    /// Marks a table as an array, which only matters while it is empty.
    array: Table,
}

impl<'a> Importer<'a> {
    pub(super) fn new(lua: &'a Lua) -> Self {
        Self { lua, array: lua.array_metatable() }
    }

    /// A value that stands on its own or as a member of an object, where `null` is absence.
    pub(super) fn member(&self, json: &Json) -> mlua::Result<Value> {
        if json.is_null() { Ok(Value::Nil) } else { self.element(json) }
    }

    /// An element of an array, where `null` keeps its place.
    fn element(&self, json: &Json) -> mlua::Result<Value> {
        Ok(match json {
            Json::Null => Value::NULL,
            Json::Bool(flag) => Value::Boolean(*flag),
            // Without serde_json's `arbitrary_precision` every number has a double.
            Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::String(self.lua.create_string(text)?),
            Json::Array(items) => {
                let table = self.lua.create_table_with_capacity(items.len(), 0)?;
                for (index, item) in items.iter().enumerate() {
                    table.raw_set(index + 1, self.element(item)?)?;
                }
                table.set_metatable(Some(self.array.clone()))?;
                Value::Table(table)
            }
            Json::Object(members) => {
                let table = self.lua.create_table_with_capacity(0, members.len())?;
                for (key, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                    table.raw_set(key.as_str(), self.element(member)?)?;
                }
                Value::Table(table)
            }
        })
    }
}
