//! The schema of schemas, as published at <https://json-schema.org/draft/2020-12/schema>.

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    evaluate::{Answer, evaluate},
    index::Index,
    violation::Violation,
};

const TEXTS: [&str; 9] = [
    include_str!("metaschema/schema.json"),
    include_str!("metaschema/core.json"),
    include_str!("metaschema/applicator.json"),
    include_str!("metaschema/unevaluated.json"),
    include_str!("metaschema/validation.json"),
    include_str!("metaschema/meta-data.json"),
    include_str!("metaschema/format-annotation.json"),
    include_str!("metaschema/format-assertion.json"),
    include_str!("metaschema/content.json"),
];

static DOCUMENTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| TEXTS.iter().filter_map(|text| serde_json::from_str(text).ok()).collect());

static INDEX: LazyLock<Index<'static>> = LazyLock::new(|| Index::of_metaschema(documents()));

/// The documents that any schema may refer to, the one for whole schemas first.
pub(super) fn documents() -> &'static [Value] {
    &DOCUMENTS
}

/// Why `schema` is none.
pub(super) fn violations(schema: &Value, budget: &mut u64) -> Vec<Violation> {
    match evaluate(&INDEX, schema, budget) {
        Answer::Satisfied => Vec::new(),
        Answer::TooComplex => vec![Violation::of_whole("the schema is too large or nests too deep")],
        Answer::Violated(violations) => violations,
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, TEXTS, documents, violations};

    #[test]
    fn the_metaschema_is_whole_and_satisfies_itself() {
        assert_eq!(documents().len(), TEXTS.len());
        for document in documents() {
            assert_eq!(violations(document, &mut 1_000_000), []);
            assert!(Index::of(document, 1_000_000).is_ok());
        }
    }
}
