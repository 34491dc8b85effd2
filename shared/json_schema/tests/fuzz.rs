//! The entry of the fuzzer (`fuzz/`), with bytes by chance: what runs where Rust is stable.

#![allow(clippy::panic, reason = "tests may fail loudly")]

#[path = "../fuzz/entry.rs"]
mod entry;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn bytes_by_chance_are_judged_rightly(data in vec(any::<u8>(), 200..2_000)) {
        entry::fuzz(&data);
    }
}

#[test]
fn texts_of_others_are_judged_within_a_budget() {
    for (schema, value) in [
        (r##"{"$ref":"#"}"##, "1"),
        (r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "{}"),
        (r##"{"$dynamicRef":"#x","$defs":{"a":{"$dynamicAnchor":"x","not":{"$dynamicRef":"#x"}}}}"##, "{}"),
        (r#"{"pattern":"((a?){99}){9}"}"#, r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaa""#),
        (r#"{"pattern":"(?=a)"}"#, r#""a""#),
        (r#"{"type":"object","$id":"http://["}"#, "{}"),
        (r#"{"multipleOf":1e-300}"#, "1e300"),
        (r#"{"minLength":1e400}"#, r#""a""#),
        (r#"{"#, "1"),
    ] {
        entry::fuzz(format!("{schema}\n{value}").as_bytes());
    }
}
