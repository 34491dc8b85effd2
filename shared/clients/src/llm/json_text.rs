//! JSON in the text of an answer: bare, in fences, among words.
//!
//! A text that is JSON as a whole is taken as such. Else every object and array in it is a candidate, and what a fence
//! holds; not what stands in reasoning, within another candidate, or within JSON that is broken. The last is the best:
//! models think first and conclude then. Empty objects and arrays come after all others, since prose is full of them.

use std::cmp::Reverse;
use std::collections::VecDeque;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::reasoning::blocks;
use types::json_cost::{MAX_COST, cost};
use types::json_numbers;

/// How many objects are looked at, from the last.
const MAX_OBJECTS: usize = 64;
/// How many arrays and other values are looked at, from the last. They are counted by themselves: a list of sources
/// (`[1] [2] [3]`) after an object must not push it out.
const MAX_OTHERS: usize = 64;
/// How many brackets without a partner are looked at to the end of the text, so that the work is linear.
const MAX_UNMATCHED: usize = 8;

/// The candidates of a text, best first.
pub fn candidates(text: &str) -> Vec<&str> {
    let text = text.trim();
    if is_json(text) {
        return vec![text];
    }
    let mut objects = VecDeque::new();
    let mut others = VecDeque::new();
    let mut last_empty = None;
    let mut count = 0_usize;
    scan(text, |found| {
        count += 1;
        let is_empty =
            matches!(found.as_bytes(), [b'{' | b'[', inside @ .., _] if inside.trim_ascii().is_empty());
        if is_empty {
            last_empty = Some(found);
            return;
        }
        let (kept, most) = match found.starts_with('{') {
            true => (&mut objects, MAX_OBJECTS),
            false => (&mut others, MAX_OTHERS),
        };
        kept.push_front((count, found));
        kept.truncate(most);
    });
    // Both kinds as they stand in the text, the last first.
    let mut filled: Vec<(usize, &str)> = objects.into_iter().chain(others).collect();
    filled.sort_unstable_by_key(|(at, _)| Reverse(*at));
    filled.into_iter().map(|(_, found)| found).chain(last_empty).collect()
}

/// The JSON in a text that nothing more is asked of: an object where there is one.
pub fn json_in(text: &str) -> Option<Value> {
    // What costs more is no result.
    let read = |text: &str| {
        (cost(text.as_bytes()) <= MAX_COST).then(|| json_numbers::from_str::<Value>(text).ok())?
    };
    let mut values = candidates(text).into_iter().filter_map(read);
    let first = values.next()?;
    if first.is_object() { Some(first) } else { Some(values.find(Value::is_object).unwrap_or(first)) }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Goes through a text once.
fn scan<'a>(text: &'a str, mut found: impl FnMut(&'a str)) {
    let mut reasoning = blocks(text).into_iter().peekable();
    let mut unmatched = 0;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        while reasoning.next_if(|block| block.start < at).is_some() {}
        if let Some(block) = reasoning.next_if(|block| block.start == at) {
            at = block.end;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        at += match byte {
            b'{' | b'[' => match value_at(rest) {
                Bracket::Value(length) => {
                    found(rest.get(..length).unwrap_or_default());
                    length
                }
                Bracket::Broken(length) => length,
                Bracket::Unmatched if unmatched == MAX_UNMATCHED => return,
                Bracket::Unmatched => {
                    unmatched += 1;
                    1
                }
                Bracket::Beginning => return,
                Bracket::Word => 1,
            },
            b'`' if rest.starts_with("```") => match fenced(rest) {
                Some((inside, length)) => {
                    found(inside);
                    length
                }
                None => 3,
            },
            _ => 1,
        };
    }
}

/// What a bracket begins.
enum Bracket {
    /// A value of this length.
    Value(usize),
    /// Something like JSON, of this length: what is inside it is no answer.
    Broken(usize),
    /// Something like JSON without an end.
    Unmatched,
    /// A value that is cut off by the end of the text.
    Beginning,
    /// Something else.
    Word,
}

fn value_at(text: &str) -> Bracket {
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start();
    let literal = ["true", "false", "null"].iter().any(|word| inside.starts_with(word));
    let is_like_json = match (text.as_bytes().first(), inside.as_bytes().first()) {
        (Some(b'{'), Some(b'"' | b'}')) => true,
        (Some(b'['), Some(b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9')) => true,
        (Some(b'['), _) => literal,
        _ => false,
    };
    if !is_like_json {
        return Bracket::Word;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match stream.next() {
        Some(Ok(_)) => Bracket::Value(stream.byte_offset()),
        Some(Err(error)) if error.is_eof() => Bracket::Beginning,
        _ => partner(text).map_or(Bracket::Unmatched, Bracket::Broken),
    }
}

/// Where the bracket at the beginning of a text is closed, brackets in texts aside.
fn partner(text: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// A number, a text, a word in the fence at the beginning of a text; and the fence's length. Brackets are found anyway.
fn fenced(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix("```")?;
    let (inside, _) = after.split_once("```")?;
    let value = inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    // Without a language, what was taken for one may be the value.
    let value = if value.trim().is_empty() { inside.trim() } else { value.trim() };
    (!value.starts_with(['{', '[']) && is_json(value)).then_some((value, inside.len() + 6))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values(text: &str) -> Vec<Value> {
        candidates(text).into_iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    #[test]
    fn json_is_found_bare_fenced_and_among_words() {
        for text in [
            r#"{"a":1}"#,
            "\n {\"a\":1}\n",
            "```json\n{\"a\":1}\n```",
            "Here it is:\n```\n{\"a\":1}\n```\nAnything else?",
            r#"Sure! {"a":1} is what you want."#,
            r#"I use {x}. {"a":1}"#,
            r#"I use { x }, {x: 1}, [y], [^1] and {{ z }}. {"a":1}"#,
            r#"Wrap it in "{" and "}". {"a":1}"#,
            r#"An open { and an open [ are here. {"a":1}"#,
            r#"{"a":2} at first, then {"a":1}."#,
            r#"{"a":1} ({} when there is none, [] for lists)"#,
            r#"<think>{}</think>{"a":1}"#,
            r#"Well. {"a":1} <think>Or {"a":2}?</think>"#,
            r#"{'a': 1} in Python, {"a":1} in JSON"#,
            r#"{"a":2,} is wrong, {"a":1} is right"#,
        ] {
            assert_eq!(values(text)[0], json!({ "a": 1 }), "{text}");
            assert_eq!(json_in(text), Some(json!({ "a": 1 })), "{text}");
        }
        for (text, value) in [
            ("the list: [1, 2]", json!([1, 2])),
            ("42", json!(42)),
            ("\"a\"", json!("a")),
            ("```json\n42\n```", json!(42)),
            ("It is:\n```\ntrue\n```", json!(true)),
            (r#"Text: {"a":"} { ``` \" ]"} end"#, json!({ "a": "} { ``` \" ]" })),
        ] {
            assert_eq!(json_in(text), Some(value), "{text}");
        }
        for text in ["", "no", "{", "} {", "{ a: 1 }", "```json\n{\n```", "``````", "```"] {
            assert_eq!(json_in(text), None, "{text}");
        }
        assert_eq!(json_in(r#"{"a":1} as in [1]"#), Some(json!({ "a": 1 })), "an object before an array");
    }

    #[test]
    fn parts_of_a_value_are_no_candidates() {
        for text in [
            r#"{"items":[{"id":1},{"id":2}"#,
            r#"{"items":[{"id":1},]}"#,
            r#"See: {"a":{"b":1},, "c":{"d":2}}"#,
            r#"[{"id":1}, oops]"#,
            r#"<think>{"id":1}</think> I cannot."#,
        ] {
            assert_eq!(values(text), [] as [Value; 0], "{text}");
        }
        assert_eq!(values(r#"x [{"id":1}]"#), [json!([{ "id": 1 }])]);
    }

    #[test]
    fn few_candidates_are_kept_and_the_last_first() {
        let text: String = (0..1000).map(|n| format!("{{\"n\":{n}}} {{}}")).collect();
        let found = values(&text);
        assert_eq!(found.len(), MAX_OBJECTS + 1);
        assert_eq!((&found[0], &found[MAX_OBJECTS]), (&json!({ "n": 999 }), &json!({})));
        let text: String = (0..1000).map(|n| format!("{{\"n\":{n}}} [{n}] ")).collect();
        let found = values(&text);
        assert_eq!(found.len(), MAX_OBJECTS + MAX_OTHERS);
        assert_eq!((&found[0], &found[1]), (&json!([999]), &json!({ "n": 999 })), "in the text's order");
    }

    #[test]
    fn citations_do_not_push_out_an_object() {
        let sources: String = (1..200).map(|n| format!(" [{n}]")).collect();
        let text = format!("{{\"n\":1}}\n\nSources:{sources}");
        assert!(values(&text).contains(&json!({ "n": 1 })));
        assert_eq!(json_in(&text), Some(json!({ "n": 1 })));
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        let began = std::time::Instant::now();
        for piece in [
            "{",
            "[",
            "[[",
            "{\"",
            "{\"a\":",
            "[1,",
            "[\"",
            "{\"a\":[",
            "{\"a\":1,,",
            "```",
            "```{",
            "{}",
            "[{\"a\" ",
            "<think>{",
            "\"{",
            "{   ",
            "[1 x",
            "{\"a\" b\"",
        ] {
            let text = format!("x {}", piece.repeat(500_000 / piece.len()));
            let _ = candidates(&text);
        }
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(\\PC|[{}\\[\\]\"\\\\`<>]){0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-z{}\"]{0,4}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_object_is_found_in_any_prose(
            inside in value(), before in "[a-zA-Z{}.,: \n]{0,40}", after in "[a-zA-Z.,: \n]{0,40}", fence in any::<bool>()
        ) {
            let object = json!({ "answer": inside });
            let text = match fence {
                true => format!("{before}\n```json\n{object:#}\n```\n{after}"),
                false => format!("{before} {object} {after}"),
            };
            prop_assert_eq!(json_in(&text), Some(object), "{}", text);
        }

        #[test]
        fn any_text_is_survived(text in "[\\[\\]{}\",:0-9a ` <>/think\n]{0,200}") {
            for found in candidates(&text) {
                prop_assert!(text.contains(found));
            }
        }
    }
}
