//! Patterns: ECMA-262's regular expressions, on an engine that takes linear time.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes: taken apart, and before it is known how large it is compiled, it may be a thousand times
/// as large.
const LONGEST: usize = 16 * 1024;
/// The largest compiled pattern, in bytes.
const LARGEST: usize = 1024 * 1024;
/// The sizes tried, the smallest first: what a pattern costs on a text grows with its size.
const SIZES: [usize; 5] = [LARGEST / 256, LARGEST / 64, LARGEST / 16, LARGEST / 4, LARGEST];
/// How many bytes of compiled pattern the engine passes, for one byte of text, in one step of the budget.
const BYTES_PER_STEP: u64 = 512;
/// How many it makes in one.
const BYTES_PER_STEP_TO_COMPILE: u64 = 4;

/// What `\s` means; to Rust it means a little more.
const SPACE: &str = r"\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// A pattern that texts can be looked through with.
pub(super) struct Pattern {
    regex: Regex,
    size: usize,
}

impl Pattern {
    /// Nothing when it is none, looks around or back, or is too large. `steps` gains what it cost to find out.
    pub(super) fn of(pattern: &str, steps: &mut u64) -> Option<Self> {
        *steps += pattern.len() as u64;
        let translated = translated(pattern).filter(|_| pattern.len() <= LONGEST)?;
        for size in SIZES {
            match RegexBuilder::new(&translated).size_limit(size).build() {
                Err(regex::Error::CompiledTooBig(_)) => *steps += size as u64 / BYTES_PER_STEP_TO_COMPILE,
                Ok(regex) => {
                    *steps += size as u64 / BYTES_PER_STEP_TO_COMPILE;
                    return Some(Self { regex, size });
                }
                Err(_) => return None,
            }
        }
        None
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// How many steps of the budget a match takes at worst.
    pub(super) fn steps(&self, text: &str) -> u64 {
        1 + text.len() as u64 * self.size as u64 / BYTES_PER_STEP
    }
}

/// The pattern as Rust would write it, or nothing for some that it would take for something else.
fn translated(pattern: &str) -> Option<String> {
    let mut rust = String::with_capacity(pattern.len());
    let mut class = Class::Outside;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = class != Class::Outside;
        match c {
            '\\' => {
                let escaped = chars.next()?;
                class = class.after(if "dDsSwW".contains(escaped) { Class::Shorthand } else { Class::Atom });
                push_escape(&mut rust, escaped, inside, || chars.next())?;
            }
            // Nobody asks for what a group held, and remembering it takes memory for each state of the engine.
            '(' if !inside => rust.push_str(group(&mut chars)?),
            '[' if !inside => {
                class = Class::Start;
                rust.push('[');
                rust.extend(chars.next_if_eq(&'^'));
                // To ECMA-262 `[]` is nothing and `[^]` anything; to Rust the bracket belongs to the class.
                if chars.peek() == Some(&']') {
                    return None;
                }
            }
            ']' if inside => {
                class = Class::Outside;
                rust.push(']');
            }
            '.' if !inside => rust.push_str(r"[^\n\r\x{2028}\x{2029}]"),
            '-' if class == Class::Atom && chars.peek() != Some(&']') => {
                class = Class::Range;
                rust.push('-');
            }
            // Rust has nested classes and operations on them; to ECMA-262 these are characters.
            '[' | '&' | '~' | '-' if inside => {
                class = class.after(Class::Atom);
                rust.push('\\');
                rust.push(c);
            }
            other => {
                class = class.after(Class::Atom);
                rust.push(other);
            }
        }
    }
    Some(rust)
}

/// Where in a class of characters a pattern is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    Start,
    /// Behind a character, which may begin a range.
    Atom,
    /// Behind `\w` or its like, which may not.
    Shorthand,
    /// Behind the hyphen of a range.
    Range,
}

impl Class {
    fn after(self, atom: Self) -> Self {
        match self {
            Self::Outside => Self::Outside,
            // The end of a range does not begin the next.
            Self::Range => Self::Start,
            Self::Start | Self::Atom | Self::Shorthand => atom,
        }
    }
}

/// The beginning of a group that is not remembered; or of what only looks like a group.
fn group(chars: &mut Peekable<Chars<'_>>) -> Option<&'static str> {
    let mut ahead = chars.clone();
    if ahead.next() != Some('?') {
        return Some("(?:");
    }
    if ahead.next() != Some('<') || matches!(ahead.peek(), Some('=' | '!')) {
        return Some("(");
    }
    let name: String = ahead.by_ref().take_while(|c| *c != '>').collect();
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    *chars = ahead;
    is_name.then_some("(?:")
}

fn push_escape(
    rust: &mut String,
    escaped: char,
    inside: bool,
    next: impl FnOnce() -> Option<char>,
) -> Option<()> {
    match escaped {
        'b' if inside => rust.push_str(r"\x08"),
        // As `\w` has it. Its opposite would be none on UTF-8, so that one takes letters as Rust does.
        'b' => rust.push_str(r"(?-u:\b)"),
        'd' => rust.push_str("[0-9]"),
        'D' => rust.push_str("[^0-9]"),
        'w' => rust.push_str("[A-Za-z0-9_]"),
        'W' => rust.push_str("[^A-Za-z0-9_]"),
        's' => rust.extend(["[", SPACE, "]"]),
        'S' => rust.extend(["[^", SPACE, "]"]),
        'c' => {
            let letter = next().filter(char::is_ascii_alphabetic)?;
            rust.push_str(&format!(r"\x{{{:x}}}", u32::from(letter) % 32));
        }
        'B' if !inside => rust.push_str(r"\B"),
        'n' | 'r' | 't' | 'f' | 'v' | 'p' | 'P' | 'x' | 'u' => rust.extend(['\\', escaped]),
        '0' => rust.push_str(r"\x00"),
        // To Rust others mean something, or look back.
        other if other.is_ascii_alphanumeric() => return None,
        // Nor are these characters, to Rust.
        '<' | '>' => rust.push(escaped),
        other => rust.extend(['\\', other]),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Pattern, translated};

    #[test]
    fn patterns_mean_what_ecma_262_says() {
        for (pattern, matching, others) in [
            (r"^\d+$", &["12"][..], &["١", "a", ""][..]),
            (r"^\w$", &["a", "_", "0"], &["é"]),
            (r"^\s$", &[" ", "\u{feff}", "\n"], &["\u{85}", "a"]),
            (r"^[\S]$", &["a", "\u{85}"], &["\u{2003}"]),
            (r"^.$", &["a", "\u{85}", "😀"], &["\n", "\r", "\u{2028}"]),
            (r"^a\/b\-$", &["a/b-"], &["a\\/b-"]),
            (r"^\cA$", &["\u{1}"], &["A"]),
            (r"a$", &["ba"], &["a\n"]),
            (r"^[a&&b]+$", &["a&b"], &["c"]),
            (r"^[a~~b]+$", &["a~b"], &["c"]),
            (r"^[a-z--b]$", &["a", "-", "0", "A"], &["{"]),
            (r"^[[a]]$", &["[]", "a]"], &["a"]),
            (r"^[\w-.]+$", &["a-b.c"], &["a,"]),
            (r"^[a-]$", &["a", "-"], &["b"]),
            (r"^\p{L}\p{Lu}\p{Script=Greek}$", &["aBγ"], &["abγ"]),
            (r"^(?<year>\d{4})$", &["2024"], &["24"]),
            (r"^(a|(b))+[(]$", &["ab("], &["ab", ""]),
            (r"\bé\b", &["aéa"], &["é", " é "]),
            (r"a\Bb", &["ab"], &["a b"]),
            (r"^\<\>[\b]\0$", &["<>\u{8}\0"], &["<>b0"]),
        ] {
            let compiled = Pattern::of(pattern, &mut 0).unwrap_or_else(|| panic!("{pattern}"));
            assert!(matching.iter().all(|text| compiled.matches(text)), "{pattern}");
            assert!(!others.iter().any(|text| compiled.matches(text)), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in [
            r"(?<1>a)", r"(?<a", "[]a]", "[^]", r"\A", r"\z", r"\1", r"\k<a>", r"\c", r"\c1", r"\a", r"\",
            r"\m", "[a-", "(", ")", "a{3,2}", r"[a-\w]", r"(a)\1", "(?=a)", "(?<!a)",
        ] {
            assert!(Pattern::of(pattern, &mut 0).is_none(), "{pattern}");
        }
        assert!(Pattern::of(&"a".repeat(LONGEST), &mut 0).is_some());
        assert!(Pattern::of(&"a".repeat(LONGEST + 1), &mut 0).is_none());
        assert_eq!(translated("[^-a]").as_deref(), Some(r"[^\-a]"));
    }
}
