//! Arithmetic on JSON's numbers, exact without numbers of any size.

use std::cmp::Ordering;

use serde_json::Number;

/// A number by its value: `2.0` is 2.
#[derive(Debug, Clone, Copy)]
pub enum Exact {
    /// An integer.
    Whole(i128),
    /// What has a fraction, or is larger than any integer here.
    Double(f64),
}

impl From<&Number> for Exact {
    fn from(number: &Number) -> Self {
        match written_as_integer(number) {
            Some(integer) => Self::Whole(integer),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        }
    }
}

impl From<f64> for Exact {
    fn from(double: f64) -> Self {
        // 2^126: what is larger stays a double, where it is still equal to itself.
        let is_whole = double.fract() == 0.0 && double.abs() < 8.5e37;
        if is_whole { Self::Whole(double as i128) } else { Self::Double(double) }
    }
}

impl Exact {
    /// Compares two numbers, also where a double could not hold the integer.
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Whole(a), Self::Double(b)) => integer_with_double(a, b),
            (Self::Double(a), Self::Whole(b)) => integer_with_double(b, a).reverse(),
            (Self::Double(a), Self::Double(b)) => a.total_cmp(&b),
        }
    }
}

/// The integer that a number is; `2.0` is one too.
pub(super) fn integer(number: &Number) -> Option<i128> {
    match Exact::from(number) {
        Exact::Whole(integer) => Some(integer),
        Exact::Double(_) => None,
    }
}

/// Whether a number has no fraction.
pub(super) fn is_integer(number: &Number) -> bool {
    written_as_integer(number).is_some() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn written_as_integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Compares two numbers by their values.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    Exact::from(a).compare(b.into())
}

fn integer_with_double(integer: i128, double: f64) -> Ordering {
    // Casts of what is too large saturate, which still compares rightly.
    let whole = double.trunc();
    integer.cmp(&(whole as i128)).then_with(|| 0.0_f64.total_cmp(&(double - whole + 0.0)))
}

/// Whether `number` is a multiple of `of`, both read as the decimals that they are written as: 0.3 is one of
/// 0.1, though the nearest floats are not.
///
/// A decimal is digits and a power of ten, and the digits of a JSON number that we can hold fit a `u64`. So
/// with `number = a·10^k·of / b`, all that is asked is whether `b` divides `a·10^k`: a remainder when `k` is
/// positive, and otherwise whether `b·10^-k` divides `a`, which it cannot once that is larger.
pub(super) fn is_multiple(number: &Number, of: &Number) -> bool {
    let (Some(number), Some(of)) = (Decimal::of(number), Decimal::of(of)) else { return false };
    if of.digits == 0 {
        return false;
    }
    let shift = number.exponent - of.exponent;
    let (a, b) = (u128::from(number.digits), u128::from(of.digits));
    if shift >= 0 {
        return ((a % b) * power_of_ten(shift.unsigned_abs(), b)).is_multiple_of(b);
    }
    let divisor = 10_u128.checked_pow(shift.unsigned_abs()).and_then(|power| power.checked_mul(b));
    a == 0 || divisor.is_some_and(|divisor| a.is_multiple_of(divisor))
}

/// 10^`exponent` modulo a number of 64 bits.
fn power_of_ten(mut exponent: u32, modulus: u128) -> u128 {
    let (mut power, mut base) = (1 % modulus, 10 % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    power
}

/// `digits · 10^exponent`, without the sign, which is of no account for multiples.
struct Decimal {
    digits: u64,
    exponent: i32,
}

impl Decimal {
    fn of(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // `1.0` and `1000000000000000000000.0` have zeros to spare.
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
        let significant = if fraction.is_empty() { digits.trim_end_matches('0') } else { &digits };
        let spared = i32::try_from(digits.len() - significant.len()).ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        let digits = if significant.is_empty() { 0 } else { significant.parse().ok()? };
        Some(Self { digits, exponent: exponent + spared - places })
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::{Number, Value};

    use super::{compare, integer, is_multiple};

    fn number(text: &str) -> Number {
        match serde_json::from_str(text).unwrap() {
            Value::Number(number) => number,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn multiples_are_those_of_the_decimals() {
        for (value, of) in [
            ("0.3", "0.1"),
            ("1070468.14", "0.01"),
            ("-4.02", "0.01"),
            ("35", "5"),
            ("7.5", "1.5"),
            ("0", "0.01"),
            ("0.0075", "0.0001"),
            ("1e308", "0.5"),
            ("12391239123", "1e-8"),
            ("18446744073709551615", "5"),
            ("1e300", "1e299"),
            ("5e-324", "5e-324"),
        ] {
            assert!(is_multiple(&number(value), &number(of)), "{value} {of}");
        }
        for (value, of) in [
            ("0.31", "0.1"),
            ("35", "1.5"),
            ("0.00751", "0.0001"),
            ("1e308", "0.123456789"),
            ("18446744073709551615", "2"),
            ("1e-300", "1"),
            ("1", "1e300"),
        ] {
            assert!(!is_multiple(&number(value), &number(of)), "{value} {of}");
        }
    }

    #[test]
    fn comparisons_are_exact_where_floats_are_not() {
        for (a, b, order) in [
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("18446744073709551615", "18446744073709551616.0", Ordering::Less),
            ("1", "1.0", Ordering::Equal),
            ("1", "1.5", Ordering::Less),
            ("-1", "-1.5", Ordering::Greater),
            ("-2", "-1.5", Ordering::Less),
            ("0", "-0.0", Ordering::Equal),
            ("5", "1e300", Ordering::Less),
            ("5", "-1e300", Ordering::Greater),
            ("1e300", "1e299", Ordering::Greater),
        ] {
            assert_eq!(compare(&number(a), &number(b)), order, "{a} {b}");
            assert_eq!(compare(&number(b), &number(a)), order.reverse(), "{b} {a}");
        }
        assert_eq!(integer(&number("2.0")), Some(2));
        assert_eq!(integer(&number("2.5")), None);
    }
}
