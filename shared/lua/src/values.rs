//! The values that JSON has and Lua has not, as one machine keeps them: integers beyond ±2⁵³, arrays, and nulls. The rules
//! stand at the head of the `lua` module, what scripts do with such values in `values.lua` and `integers.lua`.
//!
//! - **Integers** are [`Integer`] objects, one for each value, found again by their digits in a table that does not keep
//!   them alive.
//! - **Arrays** without nulls are plain tables with a metatable that marks them.
//! - **Arrays with nulls** are stand-ins: read-only tables with the elements in another table under [`HIDDEN`], which
//!   scripts cannot name, where [`HIDDEN`] also stands for each null. So the elements are a sequence, and what reads or
//!   changes the array goes through a metamethod or a replaced function.
//! - **Objects with nulls** are plain tables with a metatable that has the null keys under [`HIDDEN`]. Objects with the same
//!   null keys share one until a script assigns such a key.

use std::cell::RefCell;
use std::collections::HashMap;

use mlua::{Function, LightUserData, Lua, LuaString, Table, Value};

use super::integer::{self, Calculated, Integer};

/// A value that scripts can neither make nor read.
pub(super) const HIDDEN: Value = Value::LightUserData(LightUserData(std::ptr::without_provenance_mut(1)));

/// What a table is beside its members.
#[derive(Debug)]
pub(super) enum Mark {
    /// Nothing.
    None,
    /// It is an array, also when it is empty or has gaps.
    Array,
    /// It stands in for an array with nulls, which has these elements.
    List(Table),
    /// It is an object with these keys that are null unless they have a value.
    Nulls(Table),
}

/// The tables and functions behind such values.
#[derive(Debug)]
pub(super) struct Values {
    integers: Table,
    /// Marks of tables whose metatable a script has replaced; it does not keep them alive.
    replaced: Table,
    array: Table,
    list: Table,
    /// Makes the metatable of objects with given null keys.
    nulls: Function,
    /// The same metatables, for tables of which `.result` gives themselves.
    output_array: Table,
    output_list: Table,
}

impl Values {
    /// Registers the integers of a new machine, with their metamethods; `parts` is what `values.lua` returns.
    pub(super) fn new(lua: &Lua, parts: &Table, metamethods: &Table) -> mlua::Result<Self> {
        lua.register_userdata_type::<Integer>(|registry| {
            use mlua::UserDataFields as _;
            for (name, function) in metamethods.pairs::<String, Function>().flatten() {
                registry.add_meta_field(name, function);
            }
            registry.add_meta_field("__type", integer::TYPE_NAME);
        })?;
        let weak = |mode: &str| -> mlua::Result<Table> {
            let table = lua.create_table()?;
            table.set_metatable(Some(lua.create_table_from([("__mode", mode)])?))?;
            Ok(table)
        };
        Ok(Self {
            integers: weak("v")?,
            replaced: weak("k")?,
            array: parts.raw_get("array")?,
            list: parts.raw_get("list")?,
            nulls: parts.raw_get("nulls")?,
            output_array: parts.raw_get("output_array")?,
            output_list: parts.raw_get("output_list")?,
        })
    }

    /// A whole number: an ordinary one when a double holds it.
    #[allow(clippy::cast_precision_loss, reason = "it fits, or has more than 64 bits")]
    pub(super) fn whole(&self, lua: &Lua, whole: i128) -> mlua::Result<Value> {
        let Some(integer) = Integer::new(whole) else { return Ok(Value::Number(whole as f64)) };
        let digits = integer.digits();
        let known: Value = self.integers.raw_get(digits.as_str())?;
        if !known.is_nil() {
            return Ok(known);
        }
        let value = Value::UserData(lua.create_any_userdata(integer)?);
        self.integers.raw_set(digits, &value)?;
        Ok(value)
    }

    pub(super) fn calculated(&self, lua: &Lua, calculated: Calculated) -> mlua::Result<Value> {
        match calculated {
            Calculated::Whole(whole) => self.whole(lua, whole),
            Calculated::Double(double) => Ok(Value::Number(double)),
        }
    }

    /// Makes an array of `elements`, which has [`HIDDEN`] for nulls, if any.
    pub(super) fn array(&self, lua: &Lua, elements: Table, has_nulls: bool) -> mlua::Result<Table> {
        if !has_nulls {
            elements.set_metatable(Some(self.array.clone()))?;
            return Ok(elements);
        }
        let list = lua.create_table_with_capacity(0, 1)?;
        list.raw_set(HIDDEN, elements)?;
        list.set_metatable(Some(self.list.clone()))?;
        list.set_readonly(true);
        Ok(list)
    }

    /// Makes `table`, an output of an inner step, give itself as its `result` if it has no such key.
    pub(super) fn make_output(&self, table: &Table) -> mlua::Result<()> {
        let metatable = match mark(table)? {
            Mark::Array => self.output_array.clone(),
            Mark::List(_) => self.output_list.clone(),
            Mark::Nulls(nulls) if !nulls.contains_key("result")? => self.nulls.call((nulls, true))?,
            Mark::None if table.raw_get::<Value>("result")?.is_nil() => {
                self.nulls.call((Value::Nil, true))?
            }
            Mark::None | Mark::Nulls(_) => return Ok(()),
        };
        set_metatable(table, metatable)
    }

    /// Gives `table` the metatable that a script wants it to have, if it is marked as an array; its mark stays. Tables with
    /// nulls cannot be without their metatable: `values.lua` puts the script's beside it.
    pub(super) fn replace_metatable(&self, table: &Table, metatable: Option<Table>) -> mlua::Result<bool> {
        let Some(own) = table.metatable() else { return Ok(false) };
        match of_metatable(table, &own)? {
            Mark::None | Mark::List(_) | Mark::Nulls(_) => return Ok(false),
            Mark::Array => {}
        }
        // Without another one, its own stays: scripts do not see it.
        if metatable.is_some() {
            self.replaced.raw_set(table, own)?;
            table.set_metatable(metatable)?;
        }
        Ok(true)
    }

    /// The mark that a table had before [`Self::replace_metatable`].
    fn replaced(&self, table: &Table) -> mlua::Result<Mark> {
        match self.replaced.raw_get(table)? {
            Some(own) => of_metatable(table, &own),
            None => Ok(Mark::None),
        }
    }
}

/// The metatables of objects with nulls that one import has made so far, by their null keys, each with its length.
#[derive(Debug, Default)]
pub(super) struct NullKeys(RefCell<HashMap<Vec<u8>, Table>>);

impl NullKeys {
    /// Gives `object` these keys as nulls.
    pub(super) fn mark(
        &self,
        lua: &Lua,
        values: &Values,
        object: &Table,
        keys: &[LuaString],
    ) -> mlua::Result<()> {
        let mut name = Vec::with_capacity(keys.len() * 16);
        for key in keys {
            let key = key.as_bytes();
            name.extend_from_slice(&key.len().to_le_bytes());
            name.extend_from_slice(&key);
        }
        let mut known = self.0.borrow_mut();
        if let Some(metatable) = known.get(&name) {
            return object.set_metatable(Some(metatable.clone()));
        }
        let nulls = lua.create_table_with_capacity(0, keys.len())?;
        for key in keys {
            nulls.raw_set(key, true)?;
        }
        let metatable: Table = values.nulls.call((nulls, false))?;
        object.set_metatable(Some(metatable.clone()))?;
        known.insert(name, metatable);
        Ok(())
    }
}

/// The mark of a table.
pub(super) fn mark(table: &Table) -> mlua::Result<Mark> {
    if let Some(metatable) = table.metatable() {
        let mark = of_metatable(table, &metatable)?;
        if !matches!(mark, Mark::None) {
            return Ok(mark);
        }
    }
    // Also without a metatable: the script may have taken away again the one that it put in place of the mark.
    let Some(lua) = table.weak_lua().try_upgrade() else { return Ok(Mark::None) };
    lua.app_data_ref::<Values>().map_or(Ok(Mark::None), |values| values.replaced(table))
}

/// Sets the metatable also of a stand-in, which is read-only.
pub(super) fn set_metatable(table: &Table, metatable: Table) -> mlua::Result<()> {
    let is_read_only = table.is_readonly();
    table.set_readonly(false);
    let set = table.set_metatable(Some(metatable));
    table.set_readonly(is_read_only);
    set
}

pub(super) fn of_metatable(table: &Table, metatable: &Table) -> mlua::Result<Mark> {
    Ok(match metatable.raw_get(HIDDEN)? {
        Value::Table(nulls) => Mark::Nulls(nulls),
        Value::Boolean(true) => Mark::Array,
        Value::Boolean(false) => Mark::List(table.raw_get(HIDDEN)?),
        _ => Mark::None,
    })
}
