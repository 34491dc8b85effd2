//! Rules without schemas below them, and what is said when a value does not satisfy one.

use serde_json::{Map, Value};

use super::{
    super::{
        equality::all_differ,
        numbers,
        rules::{Bound, Count, Rule, Types},
    },
    Evaluation,
};

impl<'i, 's> Evaluation<'i, 's> {
    /// A rule without schemas below it.
    pub(super) fn assertion(&mut self, rule: &'i Rule<'s>, value: &Value) -> bool {
        match (rule, value) {
            (Rule::Never, _) => {
                self.expect(false, "falseSchema", |value| format!("False schema does not allow {value}"))
            }
            (Rule::Type(types), _) => {
                self.expect(is_of_type(value, *types), "type", |value| of_other_type(value, *types))
            }
            (Rule::Const(expected, choice), _) => {
                let mut steps = 0;
                let found = choice.contains(value, &mut steps);
                self.draw(steps);
                self.expect(found, "const", |_| format!("{expected} was expected"))
            }
            (Rule::Enum(options, choice), _) => {
                let mut steps = 0;
                let found = choice.contains(value, &mut steps);
                self.draw(steps);
                self.expect(found, "enum", |value| none_of_options(value, options))
            }
            (Rule::Required(names), Value::Object(map)) => self.required(names, map),
            (Rule::Pattern(written, pattern), Value::String(text)) => {
                let found = self.draw(pattern.steps(text)) && pattern.matches(text);
                self.expect(found, "pattern", |value| format!("{value} does not match \"{written}\""))
            }
            (Rule::UniqueItems, Value::Array(items)) => {
                let mut steps = 0;
                let unique = all_differ(items, &mut steps);
                self.draw(steps);
                self.expect(unique, "uniqueItems", |value| format!("{value} has non-unique elements"))
            }
            (Rule::Bound(bound, limit), Value::Number(number)) => {
                let (keyword, holds, relation) = bounded(*bound, numbers::compare(number, limit));
                self.expect(holds, keyword, |value| format!("{value} is {relation} of {limit}"))
            }
            (Rule::MultipleOf(of), Value::Number(number)) => {
                let shown = of.as_f64().unwrap_or_default();
                self.expect(numbers::is_multiple(number, of), "multipleOf", |value| {
                    format!("{value} is not a multiple of {shown}")
                })
            }
            (Rule::Count(count, limit), _) => self.count(*count, *limit, value),
            _ => true,
        }
    }

    fn count(&mut self, count: Count, limit: u64, value: &Value) -> bool {
        let (keyword, most, counted, one, many) = match (count, value) {
            (Count::MinLength, Value::String(text)) => {
                ("minLength", false, self.length(text), " character", "s")
            }
            (Count::MaxLength, Value::String(text)) => {
                ("maxLength", true, self.length(text), " character", "s")
            }
            (Count::MinItems, Value::Array(items)) => ("minItems", false, items.len(), " item", "s"),
            (Count::MaxItems, Value::Array(items)) => ("maxItems", true, items.len(), " item", "s"),
            (Count::MinProperties, Value::Object(map)) => {
                ("minProperties", false, map.len(), " propert", "ies")
            }
            (Count::MaxProperties, Value::Object(map)) => {
                ("maxProperties", true, map.len(), " propert", "ies")
            }
            _ => return true,
        };
        let counted = counted as u64;
        let holds = if most { counted <= limit } else { counted >= limit };
        let relation = match (one, most) {
            (" character", true) => "is longer than",
            (" character", false) => "is shorter than",
            (_, true) => "has more than",
            (_, false) => "has less than",
        };
        let ending = match (limit, many) {
            (1, "ies") => "y",
            (1, _) => "",
            _ => many,
        };
        self.expect(holds, keyword, |value| format!("{value} {relation} {limit}{one}{ending}"))
    }

    /// In characters.
    fn length(&mut self, text: &str) -> usize {
        self.draw(text.len() as u64 / 32);
        text.chars().count()
    }

    pub(super) fn required(&mut self, names: &[Value], map: &Map<String, Value>) -> bool {
        let mut satisfied = self.draw(names.len() as u64);
        for name in names {
            let present = name.as_str().is_none_or(|name| {
                self.draw(name.len() as u64 / 32);
                map.contains_key(name)
            });
            satisfied &= self.expect(present, "required", |_| format!("{name} is a required property"));
            if self.is_decided(satisfied) {
                return false;
            }
        }
        satisfied
    }
}

fn is_of_type(value: &Value, types: Types) -> bool {
    match value {
        Value::Null => types.has("null"),
        Value::Bool(_) => types.has("boolean"),
        Value::Number(number) => types.has("number") || types.has("integer") && numbers::is_integer(number),
        Value::String(_) => types.has("string"),
        Value::Array(_) => types.has("array"),
        Value::Object(_) => types.has("object"),
    }
}

fn of_other_type(value: &str, types: Types) -> String {
    let names: Vec<String> = types.names().map(|name| format!("\"{name}\"")).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{value} is not of type{plural} {}", names.join(", "))
}

fn none_of_options(value: &str, options: &[Value]) -> String {
    let shown = if options.len() > 3 { 2 } else { options.len().saturating_sub(1) };
    let first: Vec<String> = options.iter().take(shown).map(Value::to_string).collect();
    let rest = match options {
        [] => String::new(),
        [.., last] if options.len() <= 3 => last.to_string(),
        _ => format!("{} other candidates", options.len() - shown),
    };
    let or = if first.is_empty() { "" } else { " or " };
    format!("{value} is not one of {}{or}{rest}", first.join(", "))
}

fn bounded(bound: Bound, order: std::cmp::Ordering) -> (&'static str, bool, &'static str) {
    match bound {
        Bound::Minimum => ("minimum", order.is_ge(), "less than the minimum"),
        Bound::Maximum => ("maximum", order.is_le(), "greater than the maximum"),
        Bound::ExclusiveMinimum => ("exclusiveMinimum", order.is_gt(), "less than or equal to the minimum"),
        Bound::ExclusiveMaximum => {
            ("exclusiveMaximum", order.is_lt(), "greater than or equal to the maximum")
        }
    }
}
