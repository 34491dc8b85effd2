//! A schema taken apart once, so that evaluating it looks nothing up: what each place asks for, in the order
//! in which it is best asked, cheap questions first.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Number, Value};

use super::{
    equality::Choice,
    pattern::Pattern,
    resource::{Pending, Reference, Resource},
    rules::{Bound, Contains, Count, Dependent, Id, Members, Others, Rule, Schema, Types, list},
    violation::{BUDGET, NESTING_MAX, VIOLATIONS_MAX, Violation, nests_too_deep, push_key},
};

/// The longest pointer to a schema, in bytes.
const LONGEST_POINTER: usize = 4 * 1024;
/// How many problems are kept until it is known which of them matter.
const PROBLEMS_KEPT: usize = 10 * VIOLATIONS_MAX;
const NO_SCHEMA: &str = "a schema is an object or a boolean";

/// A schema document taken apart, and whatever others it refers to.
pub(super) struct Index<'s> {
    pub(super) schemas: Vec<Schema<'s>>,
    pub(super) references: Vec<Reference<'s>>,
    pub(super) resources: Vec<Resource<'s>>,
    pub(super) resources_by_uri: HashMap<String, usize>,
    /// References that are not resolved yet.
    pub(super) pending: Vec<Pending<'s>>,
    pub(super) problems: Vec<Problem>,
    /// What checking may still cost.
    pub(super) budget: u64,
    /// Where the walk is, as a pointer into the document.
    pub(super) pointer: String,
    document: &'s Value,
    by_address: HashMap<usize, Id>,
    /// The schema that is being taken apart.
    pub(super) within: Id,
    /// Why what was referred to is no schema, by its address.
    pub(super) refused: HashMap<usize, String>,
    /// What is left out rather than refused; nothing when every problem is refused.
    pub(super) lenient: Option<Lenient>,
}

/// What an index leaves out.
#[derive(Debug, Default)]
pub(super) struct Lenient {
    /// Why what stands at a pointer violates the metaschema.
    pub(super) invalid: HashMap<String, String>,
    /// Schemas of which something is left out.
    pub(super) tainted: HashSet<Id>,
    /// A schema that anything satisfies, once it is needed.
    pub(super) anything: Option<Id>,
}

/// What is wrong with a schema.
pub(super) struct Problem {
    pub(super) schema: Id,
    pub(super) violation: Violation,
}

impl<'s> Index<'s> {
    /// The index of a document that satisfies the metaschema.
    ///
    /// # Errors
    /// References that lead nowhere, patterns that are none; but not those in definitions that nothing refers to.
    pub(super) fn of(document: &'s Value, budget: u64) -> Result<Self, Vec<Violation>> {
        let mut index = Self::empty(document, budget);
        index.add_document(document);
        index.resolve_pending();
        let problems = index.take_problems();
        if problems.is_empty() { Ok(index) } else { Err(problems) }
    }

    /// What is wrong with schemas that values can come to be held against.
    pub(super) fn take_problems(&mut self) -> Vec<Violation> {
        let mut problems = std::mem::take(&mut self.problems);
        if problems.is_empty() {
            return Vec::new();
        }
        // What was not kept any more may be of any.
        if problems.len() < PROBLEMS_KEPT {
            let used = self.used();
            problems.retain(|problem| used.get(problem.schema) != Some(&false));
        }
        problems.truncate(VIOLATIONS_MAX);
        problems.into_iter().map(|problem| problem.violation).collect()
    }

    /// Which schemas a value can come to be held against.
    fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.schemas.len()];
        let mut names = HashSet::new();
        let mut open = vec![0];
        while let Some(id) = open.pop() {
            if used.get(id) != Some(&false) {
                continue;
            }
            used[id] = true;
            for rule in &self.schemas[id].rules {
                open.extend(self.below(rule));
                // Whichever resource is entered first, its schema of that name is meant.
                if let Rule::Reference(reference) = rule
                    && let Some(name) = self.references[*reference].dynamic
                    && names.insert(name)
                {
                    open.extend(self.resources.iter().filter_map(|resource| resource.dynamic_anchor(name)));
                }
            }
        }
        used
    }

    /// The schemas that a rule holds values against.
    pub(super) fn below(&self, rule: &Rule<'s>) -> Vec<Id> {
        match rule {
            Rule::Members(members) => {
                let named = members.named.iter().map(|(_, id)| *id);
                let others = match members.others {
                    Others::Schema(id) => Some(id),
                    _ => None,
                };
                named.chain(members.patterns.iter().map(|(_, id)| *id)).chain(others).collect()
            }
            Rule::PropertyNames(id)
            | Rule::Items(_, id)
            | Rule::Not(_, id)
            | Rule::UnevaluatedProperties(id)
            | Rule::UnevaluatedItems(id) => vec![*id],
            Rule::Contains(contains) => vec![contains.schema],
            Rule::Dependent(dependent) => dependent.schemas.iter().map(|(_, id)| *id).collect(),
            Rule::PrefixItems(ids) | Rule::AllOf(ids) | Rule::AnyOf(ids) | Rule::OneOf(ids) => ids.clone(),
            Rule::If(condition, then, otherwise) => {
                [Some(*condition), *then, *otherwise].into_iter().flatten().collect()
            }
            Rule::Reference(reference) => vec![self.references[*reference].schema],
            _ => Vec::new(),
        }
    }

    /// The index of the metaschema, whose first document is the whole.
    pub(super) fn of_metaschema(documents: &'s [Value]) -> Self {
        let mut index = Self::empty(&Value::Null, BUDGET);
        for document in documents {
            index.add_document(document);
        }
        index.resolve_pending();
        index
    }

    pub(super) fn empty(document: &'s Value, budget: u64) -> Self {
        Self {
            schemas: Vec::new(),
            references: Vec::new(),
            resources: Vec::new(),
            resources_by_uri: HashMap::new(),
            pending: Vec::new(),
            problems: Vec::new(),
            budget,
            pointer: String::new(),
            document,
            by_address: HashMap::new(),
            within: 0,
            refused: HashMap::new(),
            lenient: None,
        }
    }

    pub(super) fn add_document(&mut self, document: &'s Value) {
        if nests_too_deep(document, NESTING_MAX) {
            self.problem("", "the schema nests too deep");
            return;
        }
        let resource = self.add_root(document);
        self.add(document, resource);
    }

    pub(super) fn problem(&mut self, keyword: &str, message: &str) {
        if let Some(lenient) = &mut self.lenient {
            lenient.tainted.insert(self.within);
        }
        if self.problems.len() < PROBLEMS_KEPT {
            let violation = Violation::at(self.document, &self.pointer, keyword, message);
            self.problems.push(Problem { schema: self.within, violation });
        }
    }

    /// The schema that a value was taken for.
    pub(super) fn known(&self, value: &Value) -> Option<Id> {
        self.by_address.get(&address(value)).copied()
    }

    /// Takes a schema of a resource apart, unless it has been.
    pub(super) fn add(&mut self, value: &'s Value, resource: usize) -> Id {
        if let Some(id) = self.known(value) {
            return id;
        }
        let map = value.as_object();
        let resource = map.and_then(|map| self.add_resource(value, map, resource)).unwrap_or(resource);
        let id = self.schemas.len();
        self.schemas.push(Schema { rules: Vec::new(), resource, wants_marks: false });
        self.by_address.insert(address(value), id);
        let around = std::mem::replace(&mut self.within, id);
        let rules = match (value, map) {
            // Each reference keeps where it stands.
            _ if self.pointer.len() > LONGEST_POINTER => {
                self.problem("", "this stands too deep, or below names that are too long");
                Vec::new()
            }
            (Value::Bool(false), _) => vec![Rule::Never],
            (_, Some(map)) => self.rules(id, map),
            (Value::Bool(true), _) => Vec::new(),
            _ => {
                self.problem("", NO_SCHEMA);
                Vec::new()
            }
        };
        self.within = around;
        let wants_marks =
            |rule: &Rule<'_>| matches!(rule, Rule::UnevaluatedProperties(_) | Rule::UnevaluatedItems(_));
        self.schemas[id].wants_marks = rules.iter().any(wants_marks);
        self.schemas[id].rules = rules;
        id
    }

    fn rules(&mut self, id: Id, map: &'s Map<String, Value>) -> Vec<Rule<'s>> {
        self.add_anchors(id, map);
        let mut ranked: Vec<(u8, Rule<'s>)> = Vec::new();
        let resource = self.schemas[id].resource;
        for (keyword, value) in map {
            let length = self.pointer.len();
            push_key(&mut self.pointer, keyword);
            let rule = match self.is_left_out(keyword) {
                true => None,
                false => {
                    self.assertion(keyword, value).or_else(|| self.applicator(keyword, value, map, resource))
                }
            };
            self.pointer.truncate(length);
            ranked.extend(rule);
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, rule)| rule).collect()
    }

    /// The rule of a keyword without schemas below it, and its place among all.
    fn assertion(&mut self, keyword: &str, value: &'s Value) -> Option<(u8, Rule<'s>)> {
        let number = value.as_number();
        let bound = |bound| number.map(|number| Rule::Bound(bound, number));
        let count = |count| number.map(|number| Rule::Count(count, natural(number)));
        Some(match keyword {
            "type" => (0, Rule::Type(Types::of(value))),
            "const" => (1, Rule::Const(value, Choice::of(std::slice::from_ref(value)))),
            "enum" => (2, Rule::Enum(list(value), Choice::of(list(value)))),
            "minimum" => (3, bound(Bound::Minimum)?),
            "maximum" => (4, bound(Bound::Maximum)?),
            "exclusiveMinimum" => (5, bound(Bound::ExclusiveMinimum)?),
            "exclusiveMaximum" => (6, bound(Bound::ExclusiveMaximum)?),
            "multipleOf" => (7, Rule::MultipleOf(number?)),
            "minLength" => (8, count(Count::MinLength)?),
            "maxLength" => (9, count(Count::MaxLength)?),
            "minItems" => (10, count(Count::MinItems)?),
            "maxItems" => (11, count(Count::MaxItems)?),
            "minProperties" => (12, count(Count::MinProperties)?),
            "maxProperties" => (13, count(Count::MaxProperties)?),
            "required" => (14, Rule::Required(list(value))),
            "pattern" => (16, Rule::Pattern(value.as_str()?, self.pattern("pattern", value.as_str()?)?)),
            "uniqueItems" if value == &Value::Bool(true) => (17, Rule::UniqueItems),
            _ => return None,
        })
    }

    /// The rule of a keyword with schemas below it, and its place among all. Keywords that say nothing by
    /// themselves are walked through: there may be anchors below them.
    fn applicator(
        &mut self,
        keyword: &str,
        value: &'s Value,
        beside: &'s Map<String, Value>,
        resource: usize,
    ) -> Option<(u8, Rule<'s>)> {
        Some(match keyword {
            "properties" | "patternProperties" | "additionalProperties" => {
                // They are one rule, which one of them makes.
                let mut all = ["additionalProperties", "patternProperties", "properties"].into_iter();
                let one = all.find(|keyword| beside.contains_key(*keyword));
                (20, (one == Some(keyword)).then(|| self.members(beside, resource))?)
            }
            "propertyNames" => (21, Rule::PropertyNames(self.add(value, resource))),
            "items" => {
                let first = beside.get("prefixItems").map_or(0, |prefix| list(prefix).len());
                (22, Rule::Items(first, self.add(value, resource)))
            }
            "prefixItems" => (23, Rule::PrefixItems(self.add_list(value, resource))),
            "contains" => (24, Rule::Contains(self.contains(value, beside, resource))),
            "dependentRequired" => (15, self.dependent(value, keyword != "dependencies", resource)?),
            // What earlier drafts had for the other two; nothing in this one says that it evaluates.
            "dependencies" => (25, self.dependent(value, keyword != "dependencies", resource)?),
            "dependentSchemas" => (26, self.dependent(value, keyword != "dependencies", resource)?),
            "allOf" => (28, Rule::AllOf(self.add_list(value, resource))),
            "$dynamicRef" => (29, self.reference(value.as_str()?, true, resource)),
            "$ref" => (30, self.reference(value.as_str()?, false, resource)),
            "anyOf" => (31, Rule::AnyOf(self.add_list(value, resource))),
            "oneOf" => (32, Rule::OneOf(self.add_list(value, resource))),
            "not" => (33, Rule::Not(value, self.add(value, resource))),
            "if" => {
                let branch = |index: &mut Self, keyword| {
                    Some(index.add_beside(keyword, beside.get(keyword)?, resource))
                };
                let (then, otherwise) = (branch(self, "then"), branch(self, "else"));
                (34, Rule::If(self.add(value, resource), then, otherwise))
            }
            "unevaluatedProperties" => (35, Rule::UnevaluatedProperties(self.add(value, resource))),
            "unevaluatedItems" => (36, Rule::UnevaluatedItems(self.add(value, resource))),
            "$defs" | "definitions" => {
                self.add_named(value, resource);
                return None;
            }
            "contentSchema" | "then" | "else" => {
                self.add(value, resource);
                return None;
            }
            _ => return None,
        })
    }

    /// Adds the schema of a neighbouring keyword, at its own place.
    fn add_beside(&mut self, keyword: &str, value: &'s Value, resource: usize) -> Id {
        let here = self.pointer.clone();
        let parent = here.rfind('/').unwrap_or(0);
        self.pointer.truncate(parent);
        let id = self.add_below(keyword, value, resource);
        self.pointer = here;
        id
    }

    fn add_below(&mut self, key: &str, value: &'s Value, resource: usize) -> Id {
        let length = self.pointer.len();
        push_key(&mut self.pointer, key);
        let id = self.add(value, resource);
        self.pointer.truncate(length);
        id
    }

    fn add_list(&mut self, value: &'s Value, resource: usize) -> Vec<Id> {
        let items = list(value).iter().enumerate();
        items.map(|(position, item)| self.add_below(&position.to_string(), item, resource)).collect()
    }

    /// In the order of the names.
    fn add_named(&mut self, value: &'s Value, resource: usize) -> Vec<(&'s str, Id)> {
        let entries = value.as_object().into_iter().flatten();
        let mut named: Vec<_> =
            entries.map(|(name, schema)| (&**name, self.add_below(name, schema, resource))).collect();
        named.sort_unstable();
        named
    }

    fn members(&mut self, map: &'s Map<String, Value>, resource: usize) -> Rule<'s> {
        let here = self.pointer.clone();
        let parent = here.rfind('/').unwrap_or(0);
        let mut members = Members { named: Vec::new(), patterns: Vec::new(), others: Others::Ignored };
        let is_object = |keyword| map.get(keyword).is_none_or(Value::is_object);
        let mut are_known = is_object("properties") && is_object("patternProperties");
        self.pointer.truncate(parent);
        push_key(&mut self.pointer, "properties");
        members.named =
            map.get("properties").map(|value| self.add_named(value, resource)).unwrap_or_default();
        for (text, schema) in map.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
            self.pointer.truncate(parent);
            push_key(&mut self.pointer, "patternProperties");
            push_key(&mut self.pointer, text);
            let id = self.add(schema, resource);
            let pattern = self.pattern("patternProperties", text);
            are_known &= pattern.is_some();
            members.patterns.extend(pattern.map(|pattern| (pattern, id)));
        }
        self.pointer.truncate(parent);
        if let Some(schema) = map.get("additionalProperties") {
            let id = self.add_below("additionalProperties", schema, resource);
            let some_may = map.contains_key("properties") || map.contains_key("patternProperties");
            members.others = match schema {
                // What is not known cannot be told from the others.
                _ if !are_known => Others::Ignored,
                Value::Bool(false) if some_may => Others::Forbidden,
                Value::Bool(false) => Others::AllForbidden,
                _ => Others::Schema(id),
            };
        }
        self.pointer = here;
        Rule::Members(members)
    }

    fn contains(&mut self, value: &'s Value, beside: &Map<String, Value>, resource: usize) -> Contains {
        let limit = |keyword| beside.get(keyword).and_then(Value::as_number).map(natural);
        Contains {
            schema: self.add(value, resource),
            at_least: limit("minContains").unwrap_or(u64::from(!beside.contains_key("minContains"))),
            at_most: limit("maxContains").unwrap_or(u64::MAX),
        }
    }

    fn dependent(&mut self, value: &'s Value, marks: bool, resource: usize) -> Option<Rule<'s>> {
        let mut dependent = Dependent { required: Vec::new(), schemas: Vec::new(), marks };
        for (name, asked) in value.as_object()? {
            match asked {
                Value::Array(required) => dependent.required.push((name, required)),
                schema => dependent.schemas.push((name, self.add_below(name, schema, resource))),
            }
        }
        Some(Rule::Dependent(dependent))
    }

    fn pattern(&mut self, keyword: &str, text: &str) -> Option<Pattern> {
        if self.budget == 0 {
            self.problem("pattern", "the patterns are too large, all together");
            return None;
        }
        let mut steps = 0;
        let pattern = Pattern::of(text, &mut steps);
        self.budget = self.budget.saturating_sub(steps);
        if pattern.is_none() {
            match self.lenient {
                Some(_) => {
                    self.problem(keyword, "the pattern is invalid, too large, or looks around or back");
                }
                None => self.problem("format", "value is not a \"regex\""),
            }
        }
        pattern
    }
}

pub(super) fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

/// A limit, which may be written `2.0`; what is larger than all counts is as good as the largest.
fn natural(number: &Number) -> u64 {
    number.as_u64().or_else(|| number.as_f64().map(|float| float as u64)).unwrap_or(0)
}
