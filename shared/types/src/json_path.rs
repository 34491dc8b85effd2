//! Writing down where something is: `$.steps[1].tool_args["a.b"]`.

use std::fmt::{self, Display, Write};

use super::suggest::{cut, quote};

/// Longer paths are cut. A graph can nest a hundred long keys around tens of thousands of strings, and each
/// would repeat the whole path.
const LONGEST: usize = 512;

/// A path that grows and shrinks with a walk, so that a walk costs one buffer. It starts empty: the
/// first key stands without a dot, and whoever wants `$` puts it in front with [`join`].
#[derive(Debug, Default, Clone)]
pub struct FieldPath {
    text: String,
}

impl FieldPath {
    /// Goes down to a key; give the mark to [`FieldPath::pop`].
    pub fn push_key(&mut self, key: &str) -> usize {
        let mark = self.text.len();
        if mark > LONGEST {
            return mark;
        }
        let key = quote(key);
        if is_plain(&key) {
            if mark > 0 {
                self.text.push('.');
            }
            self.text.push_str(&key);
        } else {
            self.text.push('[');
            push_quoted(&mut self.text, &key);
            self.text.push(']');
        }
        mark
    }

    /// Goes down to an array element; give the mark to [`FieldPath::pop`].
    pub fn push_index(&mut self, index: usize) -> usize {
        let mark = self.text.len();
        if mark <= LONGEST {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "[{index}]");
        }
        mark
    }

    /// Goes back up to where the mark was given.
    pub fn pop(&mut self, mark: usize) {
        self.text.truncate(mark);
    }
}

impl Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cut(&self.text, LONGEST))
    }
}

/// The JSON path `base` followed by a relative field path.
pub fn join(base: &str, field: &str) -> String {
    match field.chars().next() {
        None => base.to_owned(),
        Some('[') => format!("{base}{field}"),
        Some(_) => format!("{base}.{field}"),
    }
}

/// The JSON path of the key `key` of the object at `base`.
pub fn key(base: &str, key: &str) -> String {
    let mut field = FieldPath::default();
    field.push_key(key);
    join(base, &field.text)
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@'))
}

fn push_quoted(text: &mut String, key: &str) {
    text.push('"');
    for c in key.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::{FieldPath, join, key};

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        let mut path = FieldPath::default();
        path.push_key("tool_args");
        path.push_index(3);
        let mark = path.push_key("a \"b\"\\");
        assert_eq!(path.to_string(), r#"tool_args[3]["a \"b\"\\"]"#);
        path.pop(mark);
        path.push_key("fetch-pr");
        assert_eq!(path.to_string(), "tool_args[3].fetch-pr");
        assert_eq!(join("$.steps[0]", "[1]"), "$.steps[0][1]");
        assert_eq!(join("$", "a"), "$.a");
        assert_eq!(join("$", ""), "$");
        assert_eq!(key("$", ""), "$[\"\"]");
    }

    #[test]
    fn long_paths_are_cut_and_walks_find_back_out_of_them() {
        let mut path = FieldPath::default();
        path.push_key("start");
        let marks: Vec<_> =
            (0..200).flat_map(|_| [path.push_key(&"k".repeat(1000)), path.push_index(1)]).collect();
        assert!(path.to_string().chars().count() <= 513);
        for mark in marks.into_iter().rev() {
            path.pop(mark);
        }
        assert_eq!(path.to_string(), "start");
    }
}
