//! The body that came, without the key: whatever a server says is masked here, whole and before anything else is done
//! with it, so that no half of a key is left where it is cut or cleaned later.

use http::{HeaderMap, header};
use serde_json::Value;

use super::text::shown;
use platform::secrets::Mask;
use types::json_cost::{MAX_COST, cost};
use types::json_numbers;

/// A body.
#[derive(Debug)]
pub(super) enum Received {
    /// JSON.
    Json(Value),
    /// JSON that would take too much memory.
    TooManyValues,
    /// Something else.
    Other {
        text: String,
        /// What of it is no JSON.
        problem: String,
        /// It is the beginning of JSON.
        is_cut_off: bool,
    },
}

impl Received {
    pub(super) fn read(bytes: &[u8], mask: &Mask) -> Self {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if cost(bytes) > MAX_COST {
            return Self::TooManyValues;
        }
        match json_numbers::from_slice::<Value>(bytes) {
            Ok(value) => Self::Json(mask.value(value)),
            Err(error) => Self::Other {
                text: mask.text(&String::from_utf8_lossy(bytes)).into_owned(),
                problem: error.to_string(),
                is_cut_off: error.is_eof(),
            },
        }
    }

    /// The JSON; null when it is none.
    pub(super) fn json(&self) -> &Value {
        match self {
            Self::Json(value) => value,
            Self::TooManyValues | Self::Other { .. } => &Value::Null,
        }
    }

    /// What a server says in a body that is no JSON: a page's title, or a text.
    pub(super) fn words(&self) -> Option<String> {
        let Self::Other { text, .. } = self else { return None };
        let words = if text.trim_start().starts_with('<') { title(text)? } else { text };
        Some(shown(words)).filter(|words| !words.is_empty())
    }

    /// What came in place of JSON, and whether another attempt may bring it.
    pub(super) fn describe(&self, headers: &HeaderMap) -> Option<(String, bool)> {
        if matches!(self, Self::TooManyValues) {
            let why = "the answer takes too much memory once it is read, because it consists of very many small values";
            return Some((why.to_owned(), false));
        }
        let Self::Other { text, problem, is_cut_off } = self else { return None };
        let media =
            headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let start = text.trim_start();
        Some(match () {
            () if start.is_empty() => ("the answer is empty".to_owned(), true),
            () if media.starts_with("text/event-stream")
                || start.starts_with("data:")
                || start.starts_with("event:") =>
            {
                let why = "the answer is a stream of events, which was not asked for; switch streaming off in the \
                           server or gateway at the key's base_url";
                (why.to_owned(), false)
            }
            () if start.starts_with('<') => {
                let title = title(text)
                    .map(|title| format!(" with the title {:?}", shown(title)))
                    .unwrap_or_default();
                (format!("the answer is a page{title} and no JSON; look at the key's base_url"), false)
            }
            () if start.starts_with(['{', '[']) => {
                (format!("the answer is broken JSON: {problem}"), *is_cut_off)
            }
            () => {
                let words = shown(start);
                (format!("the answer is no JSON; look at the key's base_url. It begins: {words}"), false)
            }
        })
    }
}

/// The title of a page of HTML.
fn title(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find('<')?;
    text.get(start..end).map(str::trim).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(media: &'static str, body: &str) -> (String, bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(media));
        Received::read(body.as_bytes(), &Mask::default()).describe(&headers).unwrap()
    }

    #[test]
    fn what_is_no_json_is_described() {
        for (media, body, words, may_pass) in [
            ("text/html", "<html><TITLE>502 Bad\nGateway</title>", "title \"502 Bad Gateway\" and", false),
            ("application/json", "<!doctype html>", "a page and no JSON", false),
            ("text/html", " \n", "is empty", true),
            ("text/event-stream", "data: {}\n\n", "stream of events", false),
            ("application/json", ": ping\n\ndata: {}", "begins: : ping", false),
            ("application/json", "data: {\"choices\":[]}\n\ndata: [DONE]", "stream of events", false),
            ("application/json", "{\"choices\": [", "broken JSON: EOF", true),
            ("application/json", "{\"choices\": ]", "broken JSON: expected value", false),
            ("application/json", "{\"a\":1}\n{\"b\":2}", "broken JSON: trailing", false),
            ("text/plain", "upstream connect error", "begins: upstream connect error", false),
        ] {
            let (described, passes) = described(media, body);
            assert!(described.contains(words), "{body}: {described}");
            assert_eq!(passes, may_pass, "{body}");
        }
        let with_mark = Received::read(b"\xEF\xBB\xBF{\"a\":1}", &Mask::default());
        assert_eq!(with_mark.json()["a"], 1);
        let beyond = Received::read(b"{\"n\":1e999}", &Mask::default());
        assert_eq!(beyond.json()["n"], "1e999");
    }
}
