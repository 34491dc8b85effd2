//! Bodies in `application/x-www-form-urlencoded`, as browsers and some senders write them. What is not UTF-8 is
//! refused: a value is what was sent, or none.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Whether this is the `Content-Type` of a form.
pub(super) fn is_form(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(MEDIA_TYPE)
}

/// The fields in their order; none when a name or a value is not UTF-8.
pub(super) fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            Some((text(name)?, text(value.strip_prefix(b"=").unwrap_or(value))?))
        })
        .collect()
}

fn text(encoded: &[u8]) -> Option<String> {
    let spaced: Cow<'_, [u8]> = match encoded.contains(&b'+') {
        true => {
            encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>().into()
        }
        false => encoded.into(),
    };
    Some(percent_decode(&spaced).decode_utf8().ok()?.into_owned())
}

/// As an object: a field's text under its name, and a list of them where a name came several times.
pub(super) fn object(fields: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in fields {
        let value = Value::String(value);
        match object.get_mut(&name) {
            None => drop(object.insert(name, value)),
            Some(Value::Array(several)) => several.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> Value {
        object(fields(body.as_bytes()).unwrap()).into()
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        assert_eq!(
            read("order=12345&note=a+b%20c%2B&empty=&bare"),
            json!({
                "order": "12345", "note": "a b c+", "empty": "", "bare": ""
            })
        );
        assert_eq!(read("a=1&a=2&b=x&a=3"), json!({ "a": ["1", "2", "3"], "b": "x" }));
        assert_eq!(read("a==b&&=x&%C3%A4=%E2%82%AC"), json!({ "a": "=b", "": "x", "ä": "€" }));
        assert_eq!(read(""), json!({}));
        assert_eq!(read("100%=50%zz"), json!({ "100%": "50%zz" }), "what is no escape stays");
    }

    #[test]
    fn a_form_that_is_not_utf8_is_none() {
        assert!(fields(b"a=%ff").is_none());
        assert!(fields(b"a=\xff").is_none());
        assert!(fields(b"%c3=a").is_none());
    }

    proptest! {
        #[test]
        fn forms_read_back(pairs in prop::collection::vec((".*", ".*"), 0..8)) {
            let mut written = url::form_urlencoded::Serializer::new(String::new());
            written.extend_pairs(&pairs);
            let expected: Vec<_> = pairs.into_iter().collect();
            prop_assert_eq!(fields(written.finish().as_bytes()).unwrap(), expected);
        }
    }
}
