//! "Did you mean …?"

use std::borrow::Cow;

/// Names longer than this are not compared: the cost grows with their product.
const LONGEST: usize = 64;
/// How many characters a message quotes of what an author wrote.
const QUOTED: usize = 80;

/// The candidate that differs from `name` the least, if it differs by little: one edit for short names,
/// two for others, or only in case and separators.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let allowed = if name.chars().count() <= 4 { 1 } else { 2 };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name && candidate.len() <= LONGEST)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 2 * allowed)
        .map(|candidate| (distance(&plain(name), &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Edits (insert, delete, replace, swap of neighbours) between two names.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// `text` for use in a message: cut when it is long, since authors can write half a megabyte.
pub fn quote(text: &str) -> Cow<'_, str> {
    cut(text, QUOTED)
}

/// The first `most` characters of `text`, and an ellipsis when there are more.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::{closest, quote};

    #[test]
    fn finds_what_a_typo_meant_and_nothing_far_off() {
        let known = ["depends_on", "timeout_s", "retry_count", "prompt", "id"];
        for (typo, meant) in [
            ("depend_on", Some("depends_on")),
            ("dependsOn", Some("depends_on")),
            ("timeout", Some("timeout_s")),
            ("retry_cuont", Some("retry_count")),
            ("Prompt", Some("prompt")),
            ("ic", Some("id")),
            ("description", None),
            ("", None),
        ] {
            assert_eq!(closest(typo, known), meant, "{typo}");
        }
        assert_eq!(closest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn long_quotes_are_cut_between_characters() {
        assert_eq!(quote("short"), "short");
        assert_eq!(quote(&"é".repeat(100)).chars().count(), 81);
    }
}
