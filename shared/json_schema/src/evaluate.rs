//! Whether a value satisfies a schema, and what is wrong with it.
//!
//! First only whether: evaluation ends at the first rule that is not satisfied. What is wrong is collected
//! after that, in a second evaluation that goes on behind violations; what only decides (the branches of
//! `anyOf`, `not`, `if`, …) is not collected from. So telling costs little more than deciding.

mod assertions;
mod members;

use serde_json::{Map, Value};

use super::{
    index::Index,
    rules::{Dependent, Id, Rule, Schema},
    violation::{NESTING_MAX, REFERENCE_STEPS, VIOLATIONS_MAX, Violation, nests_too_deep},
};

/// How deep evaluation may nest. A debug build needs up to 1.7 KB of stack for a level, and threads have 2 MB.
const DEPTH_MAX: usize = 700;

/// What was found.
pub(super) enum Answer {
    Satisfied,
    /// The budget does not suffice to find out.
    TooComplex,
    Violated(Vec<Violation>),
}

/// Evaluates a value against the first schema of an index.
pub(super) fn evaluate(index: &Index<'_>, value: &Value, budget: &mut u64) -> Answer {
    if nests_too_deep(value, NESTING_MAX) {
        return Answer::TooComplex;
    }
    let most = *budget;
    let mut deciding = Evaluation::new(index, value, most, false);
    let satisfied = deciding.apply(0, value, None);
    *budget = deciding.left;
    if deciding.exhausted {
        *budget = 0;
        return Answer::TooComplex;
    }
    if satisfied {
        return Answer::Satisfied;
    }
    let mut telling = Evaluation::new(index, value, most, true);
    telling.apply(0, value, None);
    *budget = budget.saturating_sub(most - telling.left);
    if telling.exhausted || telling.violations.is_empty() {
        // What was found is cut short and may blame the wrong place; that it is wrong is certain.
        let message = "the value does not satisfy the schema, which is too complex to say where";
        return Answer::Violated(vec![Violation::of_whole(message)]);
    }
    Answer::Violated(telling.violations)
}

/// Which members or items were looked at, for `unevaluatedProperties` and `unevaluatedItems`; nothing when
/// neither is there to ask.
type Marks<'m> = Option<&'m mut [bool]>;

struct Evaluation<'i, 's> {
    index: &'i Index<'s>,
    root: &'i Value,
    left: u64,
    exhausted: bool,
    depth: usize,
    /// The resources that were entered, the outermost first.
    entered: Vec<usize>,
    collecting: bool,
    violations: Vec<Violation>,
    /// Where in the value it is; kept while collecting.
    pointer: String,
    /// What messages call the value: itself when it is a property's name.
    named: Option<String>,
}

impl<'i, 's> Evaluation<'i, 's> {
    fn new(index: &'i Index<'s>, root: &'i Value, left: u64, collecting: bool) -> Self {
        Self {
            index,
            root,
            left,
            exhausted: false,
            depth: 0,
            entered: Vec::new(),
            collecting,
            violations: Vec::new(),
            pointer: String::new(),
            named: None,
        }
    }

    /// Whether the value satisfies the schema. While nothing is collected, an answer of no comes at once.
    fn apply(&mut self, mut id: Id, value: &Value, marks: Marks<'_>) -> bool {
        if self.depth == DEPTH_MAX {
            self.exhausted = true;
        }
        if self.has_ended() || !self.draw(1) {
            return false;
        }
        self.depth += 1;
        let entered = self.entered.len();
        let satisfied = loop {
            let schema = &self.index.schemas[id];
            if self.entered.last() != Some(&schema.resource) {
                self.entered.push(schema.resource);
            }
            // What only refers needs no stack, however long the chain.
            let [Rule::Reference(reference)] = schema.rules[..] else {
                break self.satisfies(schema, value, marks);
            };
            match self.follow(reference) {
                Some(target) => id = target,
                None => break false,
            }
        };
        self.entered.truncate(entered);
        self.depth -= 1;
        satisfied
    }

    fn satisfies(&mut self, schema: &'i Schema<'s>, value: &Value, mut marks: Marks<'_>) -> bool {
        if !schema.wants_marks {
            return self.satisfies_rules(schema, value, marks);
        }
        // What this schema looks at is its own affair; what is around it learns of it afterwards.
        let mut own = self.unmarked(value);
        let satisfied = self.satisfies_rules(schema, value, Some(&mut own));
        add(&mut marks, &own);
        satisfied
    }

    fn satisfies_rules(&mut self, schema: &'i Schema<'s>, value: &Value, mut marks: Marks<'_>) -> bool {
        let mut satisfied = true;
        for rule in &schema.rules {
            satisfied &= self.rule(rule, value, &mut marks);
            if self.is_decided(satisfied) {
                return false;
            }
        }
        satisfied
    }

    fn rule(&mut self, rule: &'i Rule<'s>, value: &Value, marks: &mut Marks<'_>) -> bool {
        match (rule, value) {
            (Rule::AllOf(schemas), _) => self.all_of(schemas, value, marks),
            (Rule::Reference(reference), _) => match self.follow(*reference) {
                Some(target) => self.apply(target, value, marks.as_deref_mut()),
                None => false,
            },
            (Rule::AnyOf(schemas), _) => self.any_of(schemas, value, marks),
            (Rule::OneOf(schemas), _) => self.one_of(schemas, value, marks),
            (Rule::Not(written, schema), _) => self.not(written, *schema, value),
            (Rule::If(condition, then, otherwise), _) => {
                let holds = self.quietly(|quiet| quiet.apply_marking(*condition, value, marks));
                let branch = if holds { then } else { otherwise };
                branch.is_none_or(|branch| self.apply(branch, value, marks.as_deref_mut()))
            }
            (Rule::Dependent(dependent), Value::Object(map)) => self.dependent(dependent, map, value, marks),
            (Rule::Members(members), Value::Object(map)) => self.members(members, map, marks),
            (Rule::PropertyNames(schema), Value::Object(map)) => self.property_names(*schema, map),
            (Rule::UnevaluatedProperties(schema), Value::Object(map)) => {
                self.unevaluated_properties(*schema, map, marks)
            }
            (Rule::Items(first, schema), Value::Array(items)) => {
                let rest = items.iter().enumerate().skip(*first);
                self.items(rest.map(|(position, item)| (position, item, *schema)), marks)
            }
            (Rule::PrefixItems(schemas), Value::Array(items)) => {
                let paired = items.iter().enumerate().zip(schemas);
                self.items(paired.map(|((position, item), schema)| (position, item, *schema)), marks)
            }
            (Rule::Contains(contains), Value::Array(items)) => self.contains(contains, items, marks),
            (Rule::UnevaluatedItems(schema), Value::Array(items)) => {
                self.unevaluated_items(*schema, items, marks)
            }
            _ => self.assertion(rule, value),
        }
    }

    fn dependent(
        &mut self,
        dependent: &'i Dependent<'s>,
        map: &Map<String, Value>,
        value: &Value,
        marks: &mut Marks<'_>,
    ) -> bool {
        let mut satisfied = self.draw((dependent.required.len() + dependent.schemas.len()) as u64);
        for (_, names) in dependent.required.iter().filter(|(name, _)| map.contains_key(*name)) {
            satisfied &= self.required(names, map);
            if self.is_decided(satisfied) {
                return false;
            }
        }
        for (_, schema) in dependent.schemas.iter().filter(|(name, _)| map.contains_key(*name)) {
            let marks = if dependent.marks { marks.as_deref_mut() } else { None };
            satisfied &= self.apply(*schema, value, marks);
            if self.is_decided(satisfied) {
                return false;
            }
        }
        satisfied
    }

    fn all_of(&mut self, schemas: &[Id], value: &Value, marks: &mut Marks<'_>) -> bool {
        let mut satisfied = true;
        for schema in schemas {
            satisfied &= self.apply_marking(*schema, value, marks);
            if self.is_decided(satisfied) {
                return false;
            }
        }
        satisfied
    }

    fn any_of(&mut self, schemas: &[Id], value: &Value, marks: &mut Marks<'_>) -> bool {
        let mut satisfied = false;
        for schema in schemas {
            satisfied |= self.quietly(|quiet| quiet.apply_marking(*schema, value, marks));
            if self.has_ended() || satisfied && marks.is_none() {
                break;
            }
        }
        self.expect(satisfied, "anyOf", |value| {
            format!("{value} is not valid under any of the schemas listed in the 'anyOf' keyword")
        })
    }

    fn one_of(&mut self, schemas: &[Id], value: &Value, marks: &mut Marks<'_>) -> bool {
        let mut found = 0;
        let mut marked = marks.as_ref().map(|_| self.unmarked(value));
        for schema in schemas {
            found += usize::from(
                self.quietly(|quiet| quiet.apply_marking(*schema, value, &mut marked.as_deref_mut())),
            );
            if self.has_ended() || found == 2 {
                break;
            }
        }
        if found == 1 {
            add(marks, &marked.unwrap_or_default());
        }
        let said = if found == 0 { "not valid under any" } else { "valid under more than one" };
        self.expect(found == 1, "oneOf", |value| {
            format!("{value} is {said} of the schemas listed in the 'oneOf' keyword")
        })
    }

    fn not(&mut self, written: &Value, schema: Id, value: &Value) -> bool {
        let satisfied = self.quietly(|quiet| quiet.apply(schema, value, None));
        self.expect(!satisfied, "not", |value| format!("{written} is not allowed for {value}"))
    }

    /// Applies a schema to the same value; what it looked at counts if it is satisfied.
    fn apply_marking(&mut self, schema: Id, value: &Value, marks: &mut Marks<'_>) -> bool {
        if marks.is_none() {
            return self.apply(schema, value, None);
        }
        let mut marked = self.unmarked(value);
        let satisfied = self.apply(schema, value, Some(&mut marked));
        if satisfied {
            add(marks, &marked);
        }
        satisfied
    }

    /// Does what only decides.
    fn quietly(&mut self, act: impl FnOnce(&mut Self) -> bool) -> bool {
        let collecting = std::mem::replace(&mut self.collecting, false);
        let answer = act(self);
        self.collecting = collecting;
        answer
    }

    /// Where a reference leads from here, if the budget lets it be followed.
    fn follow(&mut self, reference: usize) -> Option<Id> {
        let reference = &self.index.references[reference];
        if !self.draw(REFERENCE_STEPS) {
            return None;
        }
        let Some(name) = reference.dynamic else { return Some(reference.schema) };
        self.draw(self.entered.len() as u64 * (1 + name.len() as u64 / 32));
        let resources = self.entered.iter().map(|resource| &self.index.resources[*resource]);
        let outermost = resources.filter_map(|resource| resource.dynamic_anchor(name)).next();
        Some(outermost.unwrap_or(reference.schema))
    }

    fn unmarked(&mut self, value: &Value) -> Vec<bool> {
        let length = match value {
            Value::Array(items) => items.len(),
            Value::Object(map) => map.len(),
            _ => 0,
        };
        if self.draw(length as u64) { vec![false; length] } else { Vec::new() }
    }

    /// Takes from the budget; no says that it is exhausted.
    fn draw(&mut self, steps: u64) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => self.exhausted = true,
        }
        !self.exhausted
    }

    /// Whether nothing more is to be found out.
    fn has_ended(&self) -> bool {
        self.exhausted || self.violations.len() >= VIOLATIONS_MAX
    }

    /// Whether a schema needs no further look.
    fn is_decided(&self, satisfied: bool) -> bool {
        self.has_ended() || !satisfied && !self.collecting
    }

    /// Reports a violation unless all is well.
    fn expect(&mut self, holds: bool, keyword: &str, message: impl FnOnce(&str) -> String) -> bool {
        if !holds && self.collecting && !self.has_ended() {
            let message = message(self.named.as_deref().unwrap_or("value"));
            self.violations.push(Violation::at(self.root, &self.pointer, keyword, &message));
        }
        holds
    }
}

fn mark(marks: &mut Marks<'_>, position: usize) {
    if let Some(mark) = marks.as_deref_mut().and_then(|marks| marks.get_mut(position)) {
        *mark = true;
    }
}

fn is_marked(marks: &Marks<'_>, position: usize) -> bool {
    marks.as_deref().and_then(|marks| marks.get(position)).is_some_and(|mark| *mark)
}

fn add(marks: &mut Marks<'_>, others: &[bool]) {
    for (mark, other) in marks.iter_mut().flat_map(|marks| marks.iter_mut()).zip(others) {
        *mark |= other;
    }
}
