//! Lua into JSON: a script's result and `json.encode`. The rules stand at the head of the `lua` module.
//!
//! The bounds hold while reading, not after: a small table that holds itself many times over, or millions of
//! empty ones, ends as soon as its JSON would be too large. What is read is written as text at once: as values it would
//! take up to a hundred times as much memory.

use std::ffi::c_void;
use std::ops::Range;

use mlua::{LuaString, Table, Value};

use super::integer::{Integer, MAX_EXACT_DOUBLE, type_name};
use super::limits::MAX_DEPTH;
use super::log::truncate;
use super::values::{self, HIDDEN, Mark};
use super::watch::{Stop, Watch};

/// How many values are read between two looks at the clock.
const VALUES_PER_CHECK: usize = 4096;

/// How much of either end of a long place is shown.
const PLACE_BYTES: usize = 80;

/// What authors can do about text that JSON cannot carry.
const NOT_UTF8: &str = "the text is not UTF-8: string.sub, string.byte and # count bytes and can cut a character in two; \
                        find the ends of characters with utf8.offset, or carry bytes with base64.encode";

/// What the JSON may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Compact JSON text. Counted low while reading (escapes and digits are not known yet), so a caller with an
    /// exact limit measures the finished value too.
    pub(super) bytes: usize,
    /// Values, since each takes some ten times the memory of its shortest text.
    pub(super) nodes: usize,
}

/// Why a Lua value is not JSON.
#[derive(Debug)]
pub(super) enum Fault {
    /// Something in it has no counterpart. The place is the path without its root.
    Value { place: String, problem: String },
    /// It is over its budget.
    TooLarge,
    /// Time ran out meanwhile.
    Stopped(Stop),
    /// The binding failed.
    Host(mlua::Error),
}

impl Fault {
    fn here(problem: impl Into<String>) -> Self {
        Self::Value { place: String::new(), problem: problem.into() }
    }

    /// Puts the key of the enclosing table before the place.
    fn under(self, key: &Key) -> Self {
        match self {
            Self::Value { mut place, problem } => {
                place.insert_str(0, &key.segment());
                Self::Value { place, problem }
            }
            other => other,
        }
    }
}

/// The key of a table member that JSON can express.
#[derive(Debug)]
enum Key {
    Index(i64),
    Name(String),
}

impl Key {
    fn segment(&self) -> String {
        match self {
            Self::Index(index) => format!("[{}]", index_text(*index)),
            Self::Name(name) if is_identifier(name) => format!(".{}", truncate(name, PLACE_BYTES)),
            Self::Name(name) => format!("[{:?}]", truncate(name, PLACE_BYTES)),
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Index(index) => index_text(index),
            Self::Name(name) => name,
        }
    }
}

/// Turns `value` into compact JSON. `root` names it in messages; a `watch` ends the work in time.
pub(super) fn to_json(
    value: &Value,
    root: &str,
    budget: Budget,
    watch: Option<&Watch>,
) -> Result<String, Fault> {
    let mut exporter = Exporter { budget, watch, open: Vec::new(), out: Vec::new() };
    exporter.value(value).map_err(|fault| match fault {
        Fault::Value { place, problem } => Fault::Value { place: shorten(format!("{root}{place}")), problem },
        other => other,
    })?;
    String::from_utf8(exporter.out).map_err(|_| Fault::here(NOT_UTF8))
}

/// A place is for people: of a long one the beginning and the end say enough.
fn shorten(place: String) -> String {
    if place.len() <= 2 * PLACE_BYTES {
        return place;
    }
    let (head, tail) =
        (place.floor_char_boundary(PLACE_BYTES), place.ceil_char_boundary(place.len() - PLACE_BYTES));
    format!("{}…{}", &place[..head], &place[tail..])
}

struct Exporter<'a> {
    budget: Budget,
    watch: Option<&'a Watch>,
    /// The tables around the value at hand, outermost first.
    open: Vec<*const c_void>,
    /// What is written.
    out: Vec<u8>,
}

/// The members of a table that is no array, or not in order: each key, and where its value is written.
type Members = Vec<(Key, Range<usize>)>;

impl Exporter<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Fault> {
        self.spend_node()?;
        match value {
            Value::Nil => self.write("null"),
            _ if value.is_null() || *value == HIDDEN => self.write("null"),
            Value::Boolean(flag) => self.write(if *flag { "true" } else { "false" }),
            #[allow(clippy::cast_precision_loss, reason = "Lua has doubles only: this one came out of one")]
            Value::Integer(whole) => self.write(&number(*whole as f64)?),
            Value::Number(double) => self.write(&number(*double)?),
            Value::String(string) => {
                let text = utf8(string)?;
                self.spend(text.len() + 1)?;
                self.text(&text);
            }
            Value::Table(table) => self.nested(table)?,
            Value::UserData(data) => match Integer::of(data) {
                Some(integer) => self.write(&integer.json().to_string()),
                None => return Err(Fault::here("a userdata cannot be JSON")),
            },
            other => return Err(Fault::here(format!("a {} cannot be JSON", type_name(other)))),
        }
        Ok(())
    }

    fn write(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, text: &str) {
        // Writing a text into memory does not fail.
        let _ = serde_json::to_writer(&mut self.out, text);
    }

    fn nested(&mut self, table: &Table) -> Result<(), Fault> {
        let identity = table.to_pointer();
        if self.open.contains(&identity) {
            return Err(Fault::here("the table contains itself"));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(Fault::here(format!("tables nest deeper than {MAX_DEPTH}")));
        }
        self.open.push(identity);
        let written = self.table(table);
        self.open.pop();
        written
    }

    /// Reads the members once. As long as they come as 1, 2, 3, … they are an array in the making; the rest is
    /// kept aside, and only the end tells what the table is.
    fn table(&mut self, table: &Table) -> Result<(), Fault> {
        self.spend(1)?;
        let (elements, is_array, nulls) = match values::mark(table).map_err(Fault::Host)? {
            Mark::None => (None, false, None),
            Mark::Array => (None, true, None),
            Mark::List(elements) => (Some(elements), true, None),
            Mark::Nulls(nulls) => (None, false, Some(nulls)),
        };
        let start = self.out.len();
        self.write("[");
        // Where each element of the array in the making ends.
        let mut ends: Vec<usize> = Vec::new();
        let mut rest = Members::new();
        for pair in elements.as_ref().unwrap_or(table).pairs::<Value, Value>() {
            let (key, value) = pair.map_err(Fault::Host)?;
            let key = key_of(&key)?;
            if let Key::Name(name) = &key {
                self.spend(name.len() + 3)?;
            }
            let is_next = rest.is_empty()
                && matches!(&key, Key::Index(index) if usize::try_from(*index) == Ok(ends.len() + 1));
            if is_next && !ends.is_empty() {
                self.write(",");
            }
            let from = self.out.len();
            self.value(&value).map_err(|fault| fault.under(&key))?;
            match is_next {
                true => ends.push(self.out.len()),
                false => rest.push((key, from..self.out.len())),
            }
        }
        if let Some(nulls) = nulls {
            self.nulls(table, &nulls, &mut rest)?;
        }
        if rest.is_empty() {
            if is_array || !ends.is_empty() {
                self.write("]");
            } else {
                self.out.truncate(start);
                self.write("{}");
            }
            return Ok(());
        }
        rest.sort_by_key(|(key, _)| match key {
            Key::Index(index) => *index,
            Key::Name(_) => i64::MAX,
        });
        match last_index(&rest, ends.len(), is_array) {
            Some(last) => self.array(start, &ends, &rest, last),
            None => self.object(start, &ends, rest),
        }
    }

    /// Adds the null keys of an object that the script has given no value.
    fn nulls(&mut self, table: &Table, nulls: &Table, rest: &mut Members) -> Result<(), Fault> {
        for pair in nulls.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(Fault::Host)?;
            if table.raw_get::<Value>(&key).map_err(Fault::Host)?.is_nil() {
                self.spend_node()?;
                let key = key_of(&key)?;
                if let Key::Name(name) = &key {
                    self.spend(name.len() + 3)?;
                }
                let from = self.out.len();
                self.write("null");
                rest.push((key, from..self.out.len()));
            }
        }
        Ok(())
    }

    /// An array that did not come in order, or has gaps, which are nulls.
    fn array(
        &mut self,
        start: usize,
        ends: &[usize],
        rest: &[(Key, Range<usize>)],
        last: usize,
    ) -> Result<(), Fault> {
        let gaps = last.saturating_sub(ends.len() + rest.len());
        self.budget.nodes = self.budget.nodes.checked_sub(gaps).ok_or(Fault::TooLarge)?;
        self.spend(gaps.saturating_mul("null,".len()))?;
        let base = ends.last().copied().unwrap_or(start + 1);
        let written = self.out.split_off(base);
        let mut count = ends.len();
        for (key, range) in rest {
            let Key::Index(index) = key else { continue };
            let index = usize::try_from(*index).unwrap_or(1);
            while count + 1 < index {
                self.write(if count == 0 { "null" } else { ",null" });
                count += 1;
            }
            if count > 0 {
                self.write(",");
            }
            self.out.extend_from_slice(&written[range.start - base..range.end - base]);
            count += 1;
        }
        self.write("]");
        Ok(())
    }

    fn object(&mut self, start: usize, ends: &[usize], rest: Members) -> Result<(), Fault> {
        // Each begins behind the bracket, or behind the comma after the one before.
        let begins = std::iter::once(start).chain(ends.iter().copied()).map(|before| before + 1);
        let numbered = begins.zip(ends).zip(1..).map(|((from, to), index)| (Key::Index(index), from..*to));
        let mut members: Vec<_> = numbered.chain(rest).map(|(key, range)| (key.into_text(), range)).collect();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some([(text, _), _]) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Fault::here(format!("the table has two keys that read {text:?}")));
        }
        let written = self.out.split_off(start);
        for (at, (key, range)) in members.into_iter().enumerate() {
            self.write(if at == 0 { "{" } else { "," });
            self.text(&key);
            self.write(":");
            self.out.extend_from_slice(&written[range.start - start..range.end - start]);
        }
        self.write("}");
        Ok(())
    }

    fn spend_node(&mut self) -> Result<(), Fault> {
        self.budget.nodes = self.budget.nodes.checked_sub(1).ok_or(Fault::TooLarge)?;
        if let Some(watch) = self.watch
            && self.budget.nodes.is_multiple_of(VALUES_PER_CHECK)
        {
            watch.check().map_err(Fault::Stopped)?;
        }
        self.spend(1)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.budget.bytes = self.budget.bytes.checked_sub(bytes).ok_or(Fault::TooLarge)?;
        Ok(())
    }
}

/// The last index of a table with these members after its first `count`, sorted, if it is an array: its keys are exactly
/// 1..n, or it is known to be one and all are indices.
fn last_index(rest: &[(Key, Range<usize>)], count: usize, is_array: bool) -> Option<usize> {
    let index = |key: &Key| match key {
        Key::Index(index) => usize::try_from(*index).ok().filter(|index| *index > count),
        Key::Name(_) => None,
    };
    let last = rest.iter().try_fold(count, |_, (key, _)| index(key))?;
    (is_array || last == count + rest.len()).then_some(last)
}

fn key_of(key: &Value) -> Result<Key, Fault> {
    match key {
        Value::String(name) => utf8(name).map(Key::Name),
        Value::Integer(index) => Ok(Key::Index(*index)),
        // Lua holds both zeros for the same key.
        Value::Number(double) if *double == 0.0 => Ok(Key::Index(0)),
        Value::Number(double) if double.is_finite() => Ok(Key::Name(double_text(*double))),
        Value::Number(_) => Err(Fault::here("a key is not a finite number")),
        Value::UserData(data) if let Some(integer) = Integer::of(data) => Ok(Key::Name(integer.digits())),
        other => Err(Fault::here(format!("a key is a {}, not text or a number", type_name(other)))),
    }
}

/// The text of a whole key as `tostring` gives it. It came out of a double, so beyond 2⁵³ not all its digits mean something.
#[allow(clippy::cast_precision_loss, reason = "it came out of a double")]
fn index_text(index: i64) -> String {
    double_text(index as f64)
}

/// The text of a finite double as `tostring` gives it: the shortest that reads back as the same.
fn double_text(double: f64) -> String {
    let scientific = format!("{double:e}");
    let parts = scientific.split_once('e');
    let parts = parts.and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)));
    match parts {
        // Within these bounds the VM writes all places.
        Some((digits, exponent)) if !(-6..=20).contains(&exponent) => format!("{digits}e{exponent:+03}"),
        _ => double.to_string(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "whole and within the range where doubles are exact")]
fn number(double: f64) -> Result<String, Fault> {
    let is_negative_zero = double == 0.0 && double.is_sign_negative();
    if double.fract() == 0.0 && double.abs() <= MAX_EXACT_DOUBLE && !is_negative_zero {
        return Ok((double as i64).to_string());
    }
    serde_json::Number::from_f64(double)
        .map(|number| number.to_string())
        .ok_or_else(|| Fault::here("a number is NaN or infinite, which JSON cannot express"))
}

fn utf8(string: &LuaString) -> Result<String, Fault> {
    match string.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Fault::here(NOT_UTF8)),
    }
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.bytes();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|other| other.is_ascii_alphanumeric() || other == b'_')
}
