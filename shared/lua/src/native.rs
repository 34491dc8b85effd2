//! The step library's functions that are written in Rust. `prelude.lua` checks their arguments and turns what
//! they complain about into errors on the author's line.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use mlua::{AnyUserData, Function, IntoLua, Lua, LuaString, Table, Value, Variadic};
use sha2::{Digest as _, Sha256};

use super::export::{self, Budget, Fault};
use super::failure;
use super::import::Importer;
use super::integer::{self, Integer, Operator};
use super::log::Log;
use super::search;
use super::trouble::Trouble;
use super::values::{self, HIDDEN, Mark, Values};
use super::watch::Watch;

/// The longest text that the helpers read or write. Their own memory is not the VM's, so it has a bound of its own.
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// What `json.encode` may write: several times the largest result.
const ENCODE_BUDGET: Budget = Budget { bytes: 4 * 1024 * 1024, nodes: 512 * 1024 };

/// How many bytes are hashed between two looks at the clock.
const HASH_PIECE: usize = 1024 * 1024;

/// Standard alphabet; decoding takes text with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What belongs to the script that a VM runs at present.
#[derive(Debug, Clone)]
pub(super) struct Present {
    /// Its time.
    pub(super) watch: Arc<Watch>,
    /// What it prints.
    pub(super) log: Arc<Log>,
}

/// The script that is run, as helpers see it.
fn present(lua: &Lua) -> mlua::Result<Present> {
    let present = lua.app_data_ref::<Present>().map(|present| present.clone());
    present.ok_or_else(|| mlua::Error::runtime("no script is run"))
}

/// The values that JSON has and Lua has not, of the machine.
pub(super) fn known_values(lua: &Lua) -> mlua::Result<mlua::AppDataRef<'_, Values>> {
    lua.app_data_ref::<Values>().ok_or_else(|| mlua::Error::runtime("the machine is not complete"))
}

/// The helpers under the names by which the library's Lua knows them. Those that can fail for the author answer a
/// value, or nil and a message.
pub(super) fn table(lua: &Lua) -> mlua::Result<Table> {
    let native = lua.create_table()?;
    native.raw_set("null", Value::NULL)?;
    add_basics(lua, &native)?;
    add_integers(lua, &native)?;
    add_marks(lua, &native)?;
    add_json(lua, &native)?;
    add_bytes(lua, &native)?;
    native.raw_set("now", lua.create_function(|_, ()| Ok(Timestamp::now().as_second()))?)?;
    native.raw_set("time_format", answering(lua, |_, seconds: f64| time_format(seconds))?)?;
    native.raw_set("time_parse", answering(lua, |_, text: LuaString| time_parse(&text.as_bytes()))?)?;
    native.raw_set("uuid", lua.create_function(|_, ()| Ok(uuid::Uuid::new_v4().to_string()))?)?;
    Ok(native)
}

/// What the replaced functions of the base and string libraries need.
fn add_basics(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let print = |lua: &Lua, text: LuaString| {
        present(lua)?.log.print(&text.as_bytes());
        Ok(())
    };
    native.raw_set("print", lua.create_function(print)?)?;
    // The text of an error that Rust has raised; any other value as it is.
    let error_text = |lua: &Lua, value: Value| match value {
        Value::Error(error) => Ok(Value::String(lua.create_string(failure::text_of(&error))?)),
        other => Ok(other),
    };
    native.raw_set("error_text", lua.create_function(error_text)?)?;
    native.raw_set("is_builtin", lua.create_function(|_, f: Function| Ok(f.info().what == "C"))?)?;
    // From the first byte where `from` is not a number, and nowhere when it is beyond all of them.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
    let find = |lua: &Lua, (text, needle, from): (LuaString, LuaString, f64)| {
        let watch = present(lua)?.watch;
        let from = (from as usize).saturating_sub(1);
        let found = search::find(&text.as_bytes(), &needle.as_bytes(), from, &watch)?;
        Ok(found.map(|at| at + 1))
    };
    native.raw_set("find", lua.create_function(find)?)
}

fn add_json(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let encode = |lua: &Lua, value: Value| encode(lua, &value, &present(lua)?.watch);
    native.raw_set("encode", answering(lua, encode)?)?;
    let decode = |lua: &Lua, text: LuaString| {
        let (watch, values) = (present(lua)?.watch, known_values(lua)?);
        Importer::decoding(lua, &values, &watch).parse(readable(&text.as_bytes())?)
    };
    native.raw_set("decode", answering(lua, decode)?)
}

/// What integers beyond 2^53 need to behave as numbers.
fn add_integers(lua: &Lua, native: &Table) -> mlua::Result<()> {
    native.raw_set("integer_type", integer::TYPE_NAME)?;
    let calculate = |lua: &Lua, (name, left, right): (LuaString, Value, Value)| {
        let operator = Operator::named(&name.as_bytes())
            .ok_or_else(|| mlua::Error::runtime("there is no such operator"))?;
        let calculated = integer::calculate(operator, &left, &right)?;
        Ok(known_values(lua)?.calculated(lua, calculated)?)
    };
    native.raw_set("calculate", answering(lua, calculate)?)?;
    let is_less =
        |_: &Lua, (left, right): (AnyUserData, AnyUserData)| Ok(operand(&left)?.is_less(operand(&right)?));
    native.raw_set("is_less", lua.create_function(is_less)?)?;
    native.raw_set("digits", lua.create_function(|_, data: AnyUserData| Ok(operand(&data)?.digits()))?)?;
    native.raw_set("double", lua.create_function(|_, data: AnyUserData| Ok(operand(&data)?.double()))?)?;
    let format = |lua: &Lua, (template, values): (Value, Variadic<Value>)| {
        let Value::String(template) = template else {
            return Err(Trouble::said("the first argument of string.format must be a string"));
        };
        let (template, values) = integer::format(&template.as_bytes(), values)?;
        let call = lua.create_table()?;
        call.raw_set("n", values.len() + 1)?;
        call.raw_set(1, lua.create_string(template)?)?;
        for (value, index) in values.into_iter().zip(2..) {
            call.raw_set(index, value)?;
        }
        Ok(call)
    };
    native.raw_set("format", answering(lua, format)?)
}

fn operand(data: &AnyUserData) -> mlua::Result<Integer> {
    Integer::of(data).ok_or_else(|| mlua::Error::runtime("not an integer"))
}

/// What tables that came out of JSON need.
fn add_marks(lua: &Lua, native: &Table) -> mlua::Result<()> {
    native.raw_set("hidden", HIDDEN)?;
    let set = |_: &Lua, (table, metatable): (Table, Table)| values::set_metatable(&table, metatable);
    native.raw_set("set_metatable", lua.create_function(set)?)?;
    // The metatable of a table with nulls as it is, for any other value nil.
    let own = |_: &Lua, value: Value| -> mlua::Result<Option<Table>> {
        let Value::Table(table) = value else { return Ok(None) };
        let Some(metatable) = table.metatable() else { return Ok(None) };
        match values::of_metatable(&table, &metatable)? {
            Mark::Nulls(_) | Mark::List(_) => Ok(Some(metatable)),
            Mark::None | Mark::Array => Ok(None),
        }
    };
    native.raw_set("own_metatable", lua.create_function(own)?)?;
    let replace = |lua: &Lua, (value, metatable): (Value, Option<Table>)| match value {
        Value::Table(table) => known_values(lua)?.replace_metatable(&table, metatable),
        _ => Ok(false),
    };
    native.raw_set("replace_metatable", lua.create_function(replace)?)
}

/// Encodings and hashes of bytes.
fn add_bytes(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let encode =
        |lua: &Lua, bytes: LuaString| Ok(lua.create_string(BASE64.encode(readable(&bytes.as_bytes())?))?);
    native.raw_set("base64_encode", answering(lua, encode)?)?;
    let decode = |lua: &Lua, text: LuaString| match BASE64.decode(readable(&text.as_bytes())?) {
        Ok(bytes) => Ok(lua.create_string(bytes)?),
        Err(error) => Err(Trouble::Said(error.to_string())),
    };
    native.raw_set("base64_decode", answering(lua, decode)?)?;
    let hash = |lua: &Lua, bytes: LuaString| sha256(&bytes.as_bytes(), &present(lua)?.watch);
    native.raw_set("sha256", lua.create_function(hash)?)?;
    let hmac = |lua: &Lua, (key, bytes): (LuaString, LuaString)| {
        hmac_sha256(&key.as_bytes(), &bytes.as_bytes(), &present(lua)?.watch)
    };
    native.raw_set("hmac_sha256", lua.create_function(hmac)?)
}

/// A function that answers `value`, or `nil, message` when there is something to tell the author.
fn answering<A, R>(
    lua: &Lua,
    helper: impl Fn(&Lua, A) -> Result<R, Trouble> + Send + 'static,
) -> mlua::Result<Function>
where
    A: mlua::FromLuaMulti,
    R: IntoLua,
{
    lua.create_function(move |lua, arguments: A| match helper(lua, arguments) {
        Ok(value) => Ok((value.into_lua(lua)?, None)),
        Err(Trouble::Said(message)) => Ok((Value::Nil, Some(message))),
        Err(Trouble::Raised(error)) => Err(error),
    })
}

fn readable(bytes: &[u8]) -> Result<&[u8], Trouble> {
    if bytes.len() <= MAX_TEXT_BYTES {
        Ok(bytes)
    } else {
        Err(Trouble::said("the text is longer than 16 MiB"))
    }
}

fn encode(lua: &Lua, value: &Value, watch: &Watch) -> Result<LuaString, Trouble> {
    let json = export::to_json(value, "value", ENCODE_BUDGET, Some(watch)).map_err(|fault| match fault {
        Fault::Value { place, problem } => Trouble::Said(format!("{place}: {problem}")),
        Fault::TooLarge => Trouble::said("the value is larger than 4 MiB of JSON"),
        Fault::Stopped(stop) => Trouble::Raised(stop.into()),
        Fault::Host(error) => Trouble::Raised(error),
    })?;
    Ok(lua.create_string(json)?)
}

fn sha256(bytes: &[u8], watch: &Watch) -> mlua::Result<String> {
    let mut hash = Sha256::new();
    for piece in bytes.chunks(HASH_PIECE) {
        watch.check()?;
        hash.update(piece);
    }
    Ok(hex(&hash.finalize()))
}

fn hmac_sha256(key: &[u8], bytes: &[u8], watch: &Watch) -> mlua::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(mlua::Error::external)?;
    for piece in bytes.chunks(HASH_PIECE) {
        watch.check()?;
        mac.update(piece);
    }
    Ok(hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
        text
    })
}

/// RFC 3339 in UTC, to the microsecond: finer than that a double does not tell today's seconds apart.
#[allow(clippy::cast_possible_truncation, reason = "a cast saturates, and the range is checked next")]
fn time_format(seconds: f64) -> Result<String, Trouble> {
    let microseconds = (seconds * 1e6).round();
    let timestamp =
        if microseconds.is_finite() { Timestamp::from_microsecond(microseconds as i64).ok() } else { None };
    match timestamp {
        Some(timestamp) => Ok(timestamp.to_string()),
        None => Err(Trouble::said("the seconds are not within the years -9999 to 9999")),
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds of the years up to 9999 are exact in a double")]
fn time_parse(text: &[u8]) -> Result<f64, Trouble> {
    let text = String::from_utf8_lossy(text);
    let timestamp = is_rfc3339(&text).then(|| text.to_ascii_uppercase().parse::<Timestamp>().ok()).flatten();
    match timestamp {
        Some(timestamp) => Ok(timestamp.as_second() as f64 + f64::from(timestamp.subsec_nanosecond()) / 1e9),
        None => Err(Trouble::said("not an RFC 3339 timestamp, such as 2024-05-06T07:08:09Z")),
    }
}

/// The shape of RFC 3339 section 5.6: the parser also takes other notations of ISO 8601.
fn is_rfc3339(text: &str) -> bool {
    let matches = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                _ => byte.eq_ignore_ascii_case(&expected),
            })
    };
    let Some((date_time, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let fraction = rest
        .strip_prefix('.')
        .map_or("", |digits| &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()]);
    let offset = if rest.starts_with('.') { &rest[1 + fraction.len()..] } else { rest };
    (matches(date_time, "0000-00-00T00:00:00") || matches(date_time, "0000-00-00 00:00:00"))
        && (!rest.starts_with('.') || !fraction.is_empty())
        && (matches(offset, "Z") || matches(offset, "+00:00") || matches(offset, "-00:00"))
}
