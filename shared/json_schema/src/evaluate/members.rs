//! Rules about the members of objects and the items of arrays.

use serde_json::{Map, Value};

use super::{
    super::{
        rules::{Contains, Id, Members, Others, Rule},
        violation::push_key,
    },
    Evaluation, Marks, is_marked, mark,
};

/// How many names a message lists at most; it is cut before it could show them.
const NAMES_LISTED: usize = 100;

impl<'i, 's> Evaluation<'i, 's> {
    pub(super) fn members(
        &mut self,
        members: &'i Members<'s>,
        map: &Map<String, Value>,
        marks: &mut Marks<'_>,
    ) -> bool {
        let mut satisfied = true;
        let mut unexpected = Vec::new();
        for (position, (name, member)) in map.iter().enumerate() {
            let (known, fits) = self.member(members, name, member);
            satisfied &= fits;
            if !known {
                match members.others {
                    Others::Ignored => continue,
                    Others::Forbidden | Others::AllForbidden => unexpected.push(&**name),
                    Others::Schema(schema) => satisfied &= self.below(name, schema, member),
                }
            }
            mark(marks, position);
            if self.is_decided(satisfied && unexpected.is_empty()) {
                return false;
            }
        }
        let fits = match members.others {
            Others::AllForbidden => unexpected.is_empty() || self.assertion(&Rule::Never, &Value::Null),
            _ => self.expect(unexpected.is_empty(), "additionalProperties", |_| {
                not_allowed("Additional properties", &unexpected)
            }),
        };
        satisfied && fits
    }

    /// Whether a member is named or matches, and satisfies what it then must.
    fn member(&mut self, members: &'i Members<'s>, name: &str, member: &Value) -> (bool, bool) {
        let mut known = false;
        let mut satisfied = self.draw(1 + name.len() as u64 / 32);
        if let Ok(found) = members.named.binary_search_by(|(known, _)| (*known).cmp(name)) {
            known = true;
            satisfied &= self.below(name, members.named[found].1, member);
        }
        for (pattern, schema) in &members.patterns {
            if self.draw(pattern.steps(name)) && pattern.matches(name) {
                known = true;
                satisfied &= self.below(name, *schema, member);
            }
        }
        (known, satisfied)
    }

    pub(super) fn property_names(&mut self, schema: Id, map: &Map<String, Value>) -> bool {
        let forbidden = matches!(self.index.schemas[schema].rules[..], [Rule::Never]);
        if forbidden && !map.is_empty() {
            return self.assertion(&Rule::Never, &Value::Null);
        }
        let mut satisfied = true;
        let outside = self.named.take();
        for name in map.keys() {
            let first = self.violations.len();
            let name = Value::from(&**name);
            self.named = self.collecting.then(|| name.to_string());
            satisfied &= self.apply(schema, &name, None);
            for violation in &mut self.violations[first..] {
                "propertyNames".clone_into(&mut violation.keyword);
            }
            if self.is_decided(satisfied) {
                break;
            }
        }
        self.named = outside;
        satisfied
    }

    pub(super) fn items<'v>(
        &mut self,
        items: impl Iterator<Item = (usize, &'v Value, Id)>,
        marks: &mut Marks<'_>,
    ) -> bool {
        let mut satisfied = true;
        for (position, item, schema) in items {
            mark(marks, position);
            satisfied &= self.below_index(position, schema, item);
            if self.is_decided(satisfied) {
                return false;
            }
        }
        satisfied
    }

    pub(super) fn contains(&mut self, contains: &Contains, items: &[Value], marks: &mut Marks<'_>) -> bool {
        let mut found = 0;
        for (position, item) in items.iter().enumerate() {
            if self.quietly(|quiet| quiet.apply(contains.schema, item, None)) {
                mark(marks, position);
                found += 1;
            }
            let settled =
                found > contains.at_most || found >= contains.at_least && contains.at_most == u64::MAX;
            if self.has_ended() || settled && marks.is_none() {
                break;
            }
        }
        let holds = (contains.at_least..=contains.at_most).contains(&found);
        self.expect(holds, "contains", |value| format!("None of {value} are valid under the given schema"))
    }

    pub(super) fn unevaluated_properties(
        &mut self,
        schema: Id,
        map: &Map<String, Value>,
        marks: &mut Marks<'_>,
    ) -> bool {
        let mut unexpected = Vec::new();
        for (position, (name, member)) in map.iter().enumerate() {
            if is_marked(marks, position) {
                continue;
            }
            if self.quietly(|quiet| quiet.apply(schema, member, None)) {
                mark(marks, position);
            } else {
                unexpected.push(&**name);
            }
            if self.is_decided(unexpected.is_empty()) {
                return false;
            }
        }
        self.expect(unexpected.is_empty(), "unevaluatedProperties", |_| {
            not_allowed("Unevaluated properties", &unexpected)
        })
    }

    pub(super) fn unevaluated_items(&mut self, schema: Id, items: &[Value], marks: &mut Marks<'_>) -> bool {
        let mut unexpected = 0;
        for (position, item) in items.iter().enumerate() {
            if is_marked(marks, position) {
                continue;
            }
            if self.quietly(|quiet| quiet.apply(schema, item, None)) {
                mark(marks, position);
            } else {
                unexpected += 1;
            }
            if self.is_decided(unexpected == 0) {
                return false;
            }
        }
        let plural = if unexpected == 1 { "" } else { "s" };
        self.expect(unexpected == 0, "unevaluatedItems", |_| {
            format!("Unevaluated items are not allowed ({unexpected} item{plural})")
        })
    }

    /// Applies a schema to a member.
    fn below(&mut self, name: &str, schema: Id, member: &Value) -> bool {
        let length = self.pointer.len();
        if self.collecting {
            push_key(&mut self.pointer, name);
        }
        let satisfied = self.apply(schema, member, None);
        self.pointer.truncate(length);
        satisfied
    }

    /// Applies a schema to an item.
    fn below_index(&mut self, position: usize, schema: Id, item: &Value) -> bool {
        if self.collecting {
            return self.below(&position.to_string(), schema, item);
        }
        self.apply(schema, item, None)
    }
}

fn not_allowed(what: &str, names: &[&str]) -> String {
    let listed: Vec<String> = names.iter().take(NAMES_LISTED).map(|name| format!("'{name}'")).collect();
    let were = if names.len() == 1 { "was" } else { "were" };
    format!("{what} are not allowed ({} {were} unexpected)", listed.join(", "))
}
