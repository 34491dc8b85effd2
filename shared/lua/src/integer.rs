//! Integers of JSON beyond ±2⁵³, which a double cannot tell apart: values of their own that keep every digit. Scripts take
//! them for numbers; `integers.lua` has their metamethods, this has their arithmetic and their text.
//!
//! Equal integers are one object (see [`super::values`]), so that `==` and table keys compare values. They cannot be
//! changed and their metatable is out of reach.

use std::fmt::Write as _;

use mlua::{AnyUserData, Value, Variadic};

use super::trouble::Trouble;

/// The largest magnitude at which every whole number is a double of its own.
const MAX_EXACT: i128 = 1 << 53;

/// As [`MAX_EXACT`].
pub(super) const MAX_EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// What messages of the VM call such a value: `attempt to compare number < …`.
pub(super) const TYPE_NAME: &str = "integer beyond 2^53 (tonumber makes it an ordinary number)";

/// An integer of 64 bits, signed or unsigned, beyond ±2⁵³.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer(i128);

impl Integer {
    /// `None` when a double holds the value, or 64 bits do not.
    pub(super) fn new(whole: i128) -> Option<Self> {
        let fits = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&whole);
        (fits && whole.abs() > MAX_EXACT).then_some(Self(whole))
    }

    /// The integer behind a Lua value that is one.
    pub(super) fn of(data: &AnyUserData) -> Option<Self> {
        data.borrow::<Self>().ok().map(|integer| *integer)
    }

    pub(super) fn digits(self) -> String {
        self.0.to_string()
    }

    /// As a number of JSON.
    pub(super) fn json(self) -> serde_json::Value {
        match (i64::try_from(self.0), u64::try_from(self.0)) {
            (Ok(whole), _) => whole.into(),
            (_, Ok(whole)) => whole.into(),
            _ => serde_json::Value::Null,
        }
    }

    /// The nearest double.
    #[allow(clippy::cast_precision_loss, reason = "this is what it is for")]
    pub(super) fn double(self) -> f64 {
        self.0 as f64
    }

    pub(super) fn is_less(self, other: Self) -> bool {
        self.0 < other.0
    }
}

/// The operators that such integers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

impl Operator {
    /// Each with the name by which `integers.lua` and the VM's messages know it.
    const NAMES: [(&'static str, Self); 7] = [
        ("add", Self::Add),
        ("sub", Self::Subtract),
        ("mul", Self::Multiply),
        ("div", Self::Divide),
        ("idiv", Self::FloorDivide),
        ("mod", Self::Modulo),
        ("pow", Self::Power),
    ];

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, operator)| *operator)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, operator)| *operator == self).map_or("", |(name, _)| name)
    }
}

/// What a calculation gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Calculated {
    /// An exact whole number.
    Whole(i128),
    /// An ordinary number.
    Double(f64),
}

#[derive(Clone, Copy)]
enum Operand {
    Whole(i128),
    Double(f64),
}

impl Operand {
    #[allow(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::UserData(data) => Integer::of(data).map(|integer| Self::Whole(integer.0)),
            #[allow(clippy::cast_precision_loss, reason = "it came out of a double")]
            Value::Integer(whole) if i128::from(*whole).abs() > MAX_EXACT => {
                Some(Self::Double(*whole as f64))
            }
            Value::Integer(whole) => Some(Self::Whole(i128::from(*whole))),
            Value::Number(double) if double.fract() == 0.0 && double.abs() <= MAX_EXACT_DOUBLE => {
                Some(Self::Whole(*double as i128))
            }
            Value::Number(double) => Some(Self::Double(*double)),
            _ => None,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "the other operand is a double already")]
    fn double(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Double(double) => double,
        }
    }
}

/// Whole numbers give exact whole numbers; a fraction, `/` and `^` give ordinary numbers, as everywhere in Lua.
pub(super) fn calculate(operator: Operator, left: &Value, right: &Value) -> Result<Calculated, Trouble> {
    let (Some(a), Some(b)) = (Operand::of(left), Operand::of(right)) else {
        return Err(Trouble::Said(format!(
            "attempt to perform arithmetic ({}) on {} and {}",
            operator.name(),
            named(left),
            named(right)
        )));
    };
    if let (Operand::Whole(a), Operand::Whole(b)) = (a, b) {
        let whole = match operator {
            Operator::Add => Some(a + b),
            Operator::Subtract => Some(a - b),
            Operator::Multiply => Some(a * b),
            Operator::FloorDivide if b != 0 => Some(a / b - i128::from(a % b != 0 && (a < 0) != (b < 0))),
            Operator::Modulo if b != 0 => Some(((a % b) + b) % b),
            _ => None,
        };
        if let Some(whole) = whole {
            return exact(whole);
        }
    }
    let (a, b) = (a.double(), b.double());
    Ok(Calculated::Double(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::FloorDivide => (a / b).floor(),
        Operator::Modulo => a - (a / b).floor() * b,
        Operator::Power => a.powf(b),
    }))
}

fn exact(whole: i128) -> Result<Calculated, Trouble> {
    if whole.abs() <= MAX_EXACT || Integer::new(whole).is_some() {
        return Ok(Calculated::Whole(whole));
    }
    let problem =
        "the result has more than 64 bits; tonumber makes ordinary numbers, which round, of its operands";
    Err(Trouble::Said(problem.to_owned()))
}

/// The type as a script's `type` names it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::UserData(data) if Integer::of(data).is_some() => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::UserData(data) if Integer::of(data).is_some() => TYPE_NAME,
        other => type_name(other),
    }
}

/// What stands in `string.format` between `%` and its letter.
struct Directive {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    conversion: u8,
    /// All of it, `%` included.
    length: usize,
}

impl Directive {
    /// Reads the directive at the beginning of `text`, which begins with `%`.
    fn parse(text: &[u8]) -> Option<Self> {
        let flags = text.get(1..)?.iter().take_while(|byte| b"-+ #0".contains(byte)).count();
        let flagged = &text[1..=flags];
        let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = |from: usize, count: usize| {
            text[from..from + count].iter().fold(0_usize, |sum, digit| sum * 10 + usize::from(digit - b'0'))
        };
        let mut at = 1 + flags;
        let count = digits(at);
        // As the library: more than two digits are refused there.
        let width = if count <= 2 { number(at, count) } else { return None };
        at += count;
        let mut precision = None;
        if text.get(at) == Some(&b'.') {
            let count = digits(at + 1);
            precision = if count <= 2 { Some(number(at + 1, count)) } else { return None };
            at += 1 + count;
        }
        let has = |flag| flagged.contains(&flag);
        Some(Self {
            minus: has(b'-'),
            plus: has(b'+'),
            space: has(b' '),
            zero: has(b'0'),
            width,
            precision,
            conversion: *text.get(at)?,
            length: at + 1,
        })
    }

    /// Puts sign and padding to the digits of a magnitude.
    fn finish(&self, is_negative: bool, digits: &str) -> String {
        let sign = match (is_negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let whole = matches!(self.conversion, b'd' | b'i' | b'u' | b'x' | b'X' | b'o');
        let least = self.precision.filter(|_| whole).unwrap_or(0);
        let digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
        let gap = self.width.saturating_sub(sign.len() + digits.len());
        match (self.minus, self.zero && !(whole && self.precision.is_some())) {
            (true, _) => format!("{sign}{digits}{}", " ".repeat(gap)),
            (_, true) => format!("{sign}{}{digits}", "0".repeat(gap)),
            _ => format!("{}{sign}{digits}", " ".repeat(gap)),
        }
    }

    /// The text of a whole number, if this directive has an exact one.
    fn whole(&self, whole: i128) -> Option<String> {
        let magnitude = whole.unsigned_abs();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bits of 64, as C shows them"
        )]
        let bits = whole as u64;
        let digits = match self.conversion {
            b'd' | b'i' | b'u' => magnitude.to_string(),
            b'x' => return Some(self.finish(false, &format!("{bits:x}"))),
            b'X' => return Some(self.finish(false, &format!("{bits:X}"))),
            b'o' => return Some(self.finish(false, &format!("{bits:o}"))),
            b'f' | b'F' => {
                let mut digits = magnitude.to_string();
                let places = self.precision.unwrap_or(6);
                if places > 0 {
                    let _ = write!(digits, ".{}", "0".repeat(places));
                }
                digits
            }
            b'g' | b'G' if self.precision.is_some_and(|digits| digits >= magnitude.to_string().len()) => {
                magnitude.to_string()
            }
            _ => return None,
        };
        Some(self.finish(whole < 0, &digits))
    }
}

/// Prepares a call of `string.format` that has arguments which the library's own would get wrong: such integers, and
/// doubles that no 64 bits hold. They become text, everything else is left to the library.
pub(super) fn format(template: &[u8], values: Variadic<Value>) -> Result<(Vec<u8>, Vec<Value>), Trouble> {
    let mut written = Vec::with_capacity(template.len() + 32);
    let mut left = Vec::with_capacity(values.len());
    let mut values = values.into_iter();
    let mut rest = template;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        written.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let Some(directive) = Directive::parse(rest).filter(|directive| directive.conversion != b'%') else {
            let length = rest.len().min(2);
            written.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            continue;
        };
        let (text, after) = rest.split_at(directive.length);
        rest = after;
        match values.next().map(|value| formatted(&directive, value)).transpose()? {
            Some(Formatted::Text(text)) => written.extend_from_slice(text.as_bytes()),
            Some(Formatted::Value(value)) => {
                left.push(value);
                written.extend_from_slice(text);
            }
            None => written.extend_from_slice(text),
        }
    }
    written.extend_from_slice(rest);
    left.extend(values);
    Ok((written, left))
}

enum Formatted {
    Text(String),
    Value(Value),
}

#[allow(clippy::cast_precision_loss, reason = "it came out of a double")]
fn formatted(directive: &Directive, value: Value) -> Result<Formatted, Trouble> {
    let is_whole = matches!(directive.conversion, b'd' | b'i' | b'u' | b'x' | b'X' | b'o' | b'c');
    let double = match &value {
        Value::UserData(data) => match Integer::of(data) {
            Some(integer) => return Ok(of_integer(directive, integer, value)),
            None => return Ok(Formatted::Value(value)),
        },
        Value::Integer(whole) => *whole as f64,
        Value::Number(double) => *double,
        _ => return Ok(Formatted::Value(value)),
    };
    // 2⁶³, the first that a signed integer of 64 bits does not hold.
    let holds = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&double);
    if !is_whole || holds {
        return Ok(Formatted::Value(value));
    }
    if !double.is_finite() || !matches!(directive.conversion, b'd' | b'i' | b'u') {
        let letter = char::from(directive.conversion);
        return Err(Trouble::Said(format!(
            "%{letter} of 'format' takes whole numbers of up to 64 bits (use %s or %g)"
        )));
    }
    Ok(Formatted::Text(directive.finish(double < 0.0, &format!("{:.0}", double.abs()))))
}

fn of_integer(directive: &Directive, integer: Integer, value: Value) -> Formatted {
    if let Some(text) = directive.whole(integer.0) {
        return Formatted::Text(text);
    }
    let digits = integer.digits();
    match directive.conversion {
        b's' => {
            let shown = directive.precision.map_or(digits.as_str(), |most| &digits[..most.min(digits.len())]);
            let gap = " ".repeat(directive.width.saturating_sub(shown.len()));
            Formatted::Text(if directive.minus { format!("{shown}{gap}") } else { format!("{gap}{shown}") })
        }
        b'q' => Formatted::Text(format!("\"{digits}\"")),
        b'e' | b'E' | b'g' | b'G' | b'a' | b'A' => Formatted::Value(Value::Number(integer.double())),
        // What takes no number says so.
        _ => Formatted::Value(value),
    }
}
