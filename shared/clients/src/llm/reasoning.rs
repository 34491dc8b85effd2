//! Reasoning that models write into their text between tags. It is not the answer.
//!
//! Only what stands in front of the answer is taken out: whole blocks, a block whose opening tag the server has put
//! into the prompt (so that the answer begins within it), and a block that is never closed. Tags further on may be what
//! the answer is about.

use std::ops::Range;

use serde::de::IgnoredAny;

/// Opening and closing tags of models, in small letters; they are found in capitals, too.
const TAGS: [(&str, &str); 10] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[think]", "[/think]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
];

/// What a tag is mentioned in rather than used.
const QUOTES: [char; 6] = ['`', '"', '\'', '(', '“', '„'];

/// What of a text is the answer, and whether there was reasoning in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separated<'a> {
    /// The answer; empty when all of it is reasoning.
    pub answer: &'a str,
    /// Whether reasoning was taken out.
    pub had_reasoning: bool,
}

struct Tag {
    at: Range<usize>,
    /// Which of [`TAGS`].
    pair: usize,
    opens: bool,
}

/// The tags of a text, in order.
fn tags(text: &str) -> Vec<Tag> {
    let bytes = text.as_bytes();
    let begins = |at: usize, tag: &str| {
        bytes.get(at..at + tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let tag_at = |at: usize| {
        TAGS.iter().enumerate().find_map(|(pair, (opening, closing))| {
            let (length, opens) = match () {
                () if begins(at, opening) => (opening.len(), true),
                () if begins(at, closing) => (closing.len(), false),
                () => return None,
            };
            Some(Tag { at: at..at + length, pair, opens })
        })
    };
    // The first byte of each tag, none of which stands within another character.
    let may_begin = |byte: &u8| matches!(byte, b'<' | b'[' | 0xE2);
    (0..bytes.len()).filter(|at| bytes.get(*at).is_some_and(may_begin)).filter_map(tag_at).collect()
}

/// Where the closed blocks of a text are; they may overlap, and begin in order.
pub(super) fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut closings: [Option<usize>; TAGS.len()] = [None; TAGS.len()];
    let mut found = Vec::new();
    for Tag { at, pair, opens } in tags(text).into_iter().rev() {
        let Some(closing) = closings.get_mut(pair) else { continue };
        match (opens, *closing) {
            (true, Some(end)) => found.push(at.start..end),
            (true, None) => {}
            (false, _) => *closing = Some(at.end),
        }
    }
    found.reverse();
    found
}

/// Takes the reasoning from the front of a text. Tags for which `is_asked_for` holds are left: whoever writes a prompt
/// with them wants to see them.
pub fn separate(text: &str, is_asked_for: impl Fn(&str) -> bool) -> Separated<'_> {
    let mut tags = tags(text);
    if !tags.is_empty() {
        let asked_for = TAGS.map(|(opening, closing)| is_asked_for(opening) || is_asked_for(closing));
        tags.retain(|tag| asked_for.get(tag.pair) == Some(&false));
    }
    if tags.is_empty() || serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Separated { answer: text, had_reasoning: false };
    }
    let mut answer = text;
    let mut tags = tags.into_iter().peekable();
    while let Some(tag) = tags.next() {
        let answer_at = text.len() - answer.len();
        let Some(before) = text.get(answer_at..tag.at.start) else { continue };
        let end = match tag.opens {
            true if !before.trim_start().is_empty() => break,
            true => tags.find(|other| other.pair == tag.pair && !other.opens).map(|closing| closing.at.end),
            false if is_mentioned(before) => break,
            false => Some(tag.at.end),
        };
        let Some(rest) = end.and_then(|end| text.get(end..)) else {
            let inside = text.get(tag.at.end..).unwrap_or_default();
            // A model that begins to think and then only answers.
            let is_answer = serde_json::from_str::<IgnoredAny>(inside).is_ok();
            return Separated { answer: if is_answer { inside.trim() } else { "" }, had_reasoning: true };
        };
        answer = rest;
    }
    let had_reasoning = answer.len() < text.len();
    Separated { answer: if had_reasoning { answer.trim_start() } else { text }, had_reasoning }
}

/// Whether a closing tag behind this text is quoted, or part of some code.
fn is_mentioned(before: &str) -> bool {
    before.ends_with(QUOTES) || before.matches("```").count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(text: &str) -> (&str, bool) {
        let Separated { answer, had_reasoning } = separate(text, |_| false);
        (answer, had_reasoning)
    }

    #[test]
    fn reasoning_in_front_is_taken_out() {
        for (opening, closing) in TAGS {
            for text in [
                format!("{opening}Let me see.{closing}\n\nYes."),
                format!("\n {opening}{closing}Yes."),
                format!("{}A{}Yes.", opening.to_uppercase(), closing.to_uppercase()),
                format!("{opening}a{closing}\n{opening}b{closing}Yes."),
                format!("{opening}a{opening}b{closing}c{closing}Yes."),
                format!("The opening tag was in the prompt.\n{closing}\n\nYes."),
                format!("{opening}I could say <p>or ◁x▷.{closing}Yes."),
            ] {
                assert_eq!(answer(&text), ("Yes.", true), "{text}");
            }
            for text in
                [format!("{opening}And then"), format!("{opening}All of it.{closing}\n"), opening.into()]
            {
                assert_eq!(answer(&text), ("", true), "{text}");
            }
        }
    }

    #[test]
    fn an_unclosed_block_that_is_json_is_the_answer() {
        assert_eq!(answer("<think>\n{\"n\": 1}\n"), ("{\"n\": 1}", true));
        assert_eq!(answer("<think>{\"n\": 1} or {\"n\": 2}?"), ("", true));
    }

    #[test]
    fn tags_that_the_answer_is_about_stay() {
        for text in [
            "Put it between <think> and </think>.",
            "Write `</think>` at the end.",
            "Remove this:\n```\n</think>\n```\n",
            r#"{"html": "a</think>b"}"#,
            "No tags, but [brackets] and <b>bold</b>.",
            " Blanks around stay. ",
            "",
        ] {
            assert_eq!(answer(text), (text, false));
        }
        let text = "<reasoning>Because.</reasoning>Yes.";
        assert_eq!(separate(text, |tag| tag == "<reasoning>").answer, text);
        assert_eq!(separate(text, |tag| tag == "<think>").answer, "Yes.");
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        let began = std::time::Instant::now();
        for piece in
            ["<think>", "</think>", "<think></thinking>", "[THINK]</think>", "x</thought>", "```</think>"]
        {
            let text = piece.repeat(2_000_000 / piece.len());
            let _ = (answer(&text), blocks(&text));
        }
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn the_answer_is_an_end_of_the_text(
            pieces in prop::collection::vec(
                prop_oneof!["[ -~]{0,8}", "(<think>|</think>|<thinking>|</thinking>|◁think▷|◁/think▷|\n|```)"],
                0..12,
            )
        ) {
            let text = pieces.concat();
            let Separated { answer, had_reasoning } = separate(&text, |_| false);
            prop_assert!(had_reasoning || answer == text);
            prop_assert!(text.trim_end().ends_with(answer.trim_end()));
        }
    }
}
