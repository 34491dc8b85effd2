//! The five fields of a cron expression: told apart, each held to what it takes, so that an error names the field
//! and says what would be right.

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use types::suggest::quote;
use types::{Error, Result};

/// Longer than any list that somebody means.
const LONGEST: usize = 500;

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Five fields and nothing else.
pub(super) fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// One of the five.
struct Field {
    name: &'static str,
    takes: &'static str,
    /// What stands for a number.
    names: &'static [&'static str],
    /// Letters that stand after a number or alone: the last day, the weekday that is nearest.
    letters: &'static [&'static str],
    /// Whether `?` may stand for `*`.
    any: bool,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", takes: "0-59", names: &[], letters: &[], any: false },
    Field { name: "hour", takes: "0-23", names: &[], letters: &[], any: false },
    Field {
        name: "day-of-month",
        takes: "1-31, L for the last day, 15W for the weekday nearest to the 15th",
        names: &[],
        letters: &["L", "W", "LW"],
        any: true,
    },
    Field { name: "month", takes: "1-12 or JAN-DEC", names: MONTHS, letters: &[], any: false },
    Field {
        name: "day-of-week",
        takes: "0-7 (0 and 7 are Sunday) or SUN-SAT, FRI#2 for the second Friday, FRIL for the last",
        names: DAYS,
        letters: &["L"],
        any: true,
    },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The expression with single spaces between its five fields.
///
/// # Errors
/// Invalid, naming the field that is wrong and what it takes.
pub(super) fn check(cron: &str) -> Result<String> {
    if cron.len() > LONGEST {
        return Err(Error::invalid(format!("cron: must have at most {LONGEST} characters.")));
    }
    if let Some((nickname, fields)) =
        NICKNAMES.iter().find(|(name, _)| cron.trim().eq_ignore_ascii_case(name))
    {
        return Err(Error::invalid(format!("cron: write {nickname} as its five fields, {fields:?}.")));
    }
    let fields: Vec<&str> = cron.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let hint = match fields.len() {
            6 | 7 => "; leave out the seconds and the year, a trigger fires on the minute",
            _ => "",
        };
        return Err(Error::invalid(format!(
            "cron: has {} fields, and takes five: minute, hour, day of month, month, day of week{hint}.",
            fields.len()
        )));
    }
    for (at, (field, text)) in FIELDS.iter().zip(&fields).enumerate() {
        if let Err(why) = field.check(at, text) {
            return Err(Error::invalid(format!(
                "cron: the {} field {:?} {why}; it takes {}, with lists (1,2), ranges (1-5) and steps (*/2, 1-5/2).",
                field.name,
                quote(text),
                field.takes
            )));
        }
    }
    Ok(fields.join(" "))
}

impl Field {
    fn check(&self, at: usize, text: &str) -> Result<(), String> {
        // `croner` reads names wherever they stand, also within other words.
        let upper = text.to_ascii_uppercase();
        if let Some(token) = upper.split([',', '-', '/', '#']).find(|token| !self.knows(token)) {
            return Err(match token {
                "" => "has a part without a value".to_owned(),
                token => format!("has {:?}", quote(token)),
            });
        }
        // The field alone, so that what is wrong is known to be wrong here.
        let alone: Vec<&str> = (0..FIELDS.len()).map(|other| if other == at { text } else { "*" }).collect();
        parser().parse(&alone.join(" ")).map(|_| ()).map_err(|error| match error {
            CronError::ComponentError(why) => {
                let why = why.split(['.', ':']).next().unwrap_or_default();
                format!("is wrong ({})", why.to_lowercase())
            }
            _ => "cannot be read".to_owned(),
        })
    }

    fn knows(&self, token: &str) -> bool {
        let is_value = |text: &str| {
            self.names.contains(&text) || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        };
        token == "*"
            || (token == "?" && self.any)
            || is_value(token)
            || self.letters.iter().any(|letter| {
                token.strip_suffix(letter).is_some_and(|value| value.is_empty() || is_value(value))
            })
    }
}
