use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "s3cr\"et/pass word+ü'\\x";

fn mask(secrets: &[&str]) -> Mask {
    let mut mask = Mask::default();
    for secret in secrets {
        mask.note(&(*secret).into());
    }
    mask
}

/// What servers, libraries and shells do to a text.
#[derive(Debug, Clone, Copy)]
enum Encoder {
    Json,
    JsonAscii,
    JsonSlashes,
    Percent,
    PercentSmall,
    PercentPath,
    Form,
    Html,
    HtmlDecimal,
    HtmlHex,
    HtmlNamed,
    ShellSingle,
    ShellDouble,
    ShellBackslash,
    PythonHex,
    Octal,
    Doubled,
    Base64(Base64),
    Hex,
}

#[derive(Debug, Clone, Copy)]
enum Base64 {
    Standard,
    Bare,
    UrlSafe,
    UrlSafeBare,
    Lines(usize, &'static str),
    /// In the middle of other letters of Base64.
    Glued,
}

const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'\\').add(b'`');

fn json_escaped(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn html(text: &str, write: impl Fn(char) -> String) -> String {
    let special = |c: char| "&<>\"'/\\%+=:".contains(c) || !c.is_ascii();
    text.chars().map(|c| if special(c) { write(c) } else { c.to_string() }).collect()
}

fn named(c: char) -> String {
    let name = match c {
        '&' => "amp",
        '<' => "lt",
        '>' => "gt",
        '"' => "quot",
        '\'' => "apos",
        '/' => "sol",
        '\\' => "bsol",
        '%' => "percnt",
        '+' => "plus",
        '=' => "equals",
        ':' => "colon",
        'ü' => "uuml",
        other => return other.to_string(),
    };
    format!("&{name};")
}

impl Encoder {
    fn encode(self, text: &str) -> String {
        match self {
            Self::Json => json_escaped(text),
            Self::JsonAscii => {
                let units = json_escaped(text);
                let escape =
                    |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect();
                units.chars().map(|c| if c.is_ascii() { c.to_string() } else { escape(c) }).collect()
            }
            Self::JsonSlashes => json_escaped(text).replace('/', "\\/"),
            Self::Percent => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            Self::PercentSmall => {
                let all = |byte: u8| format!("%{byte:02x}");
                text.bytes().map(all).collect()
            }
            Self::PercentPath => utf8_percent_encode(text, PATH).to_string(),
            Self::Form => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+"),
            Self::Html => html_escape::encode_quoted_attribute(text).into_owned(),
            Self::HtmlDecimal => html(text, |c| format!("&#{};", u32::from(c))),
            Self::HtmlHex => html(text, |c| format!("&#x{:X};", u32::from(c))),
            Self::HtmlNamed => html(text, named),
            Self::ShellSingle => format!("'{}'", text.replace('\'', "'\\''")),
            Self::ShellDouble => format!("'{}'", text.replace('\'', "'\"'\"'")),
            Self::ShellBackslash => {
                let plain = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii();
                text.chars().map(|c| if plain(c) { c.to_string() } else { format!("\\{c}") }).collect()
            }
            Self::PythonHex => text.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
            Self::Octal => text.bytes().map(|byte| format!("\\{byte:03o}")).collect(),
            Self::Doubled => format!("'{}'", text.replace('\'', "''")),
            Self::Base64(how) => how.encode(text),
            Self::Hex => types::text::hex(text.as_bytes()),
        }
    }
}

impl Base64 {
    fn encode(self, text: &str) -> String {
        match self {
            Self::Standard => STANDARD.encode(text),
            Self::Bare => STANDARD_NO_PAD.encode(text),
            Self::UrlSafe => URL_SAFE.encode(text),
            Self::UrlSafeBare => URL_SAFE_NO_PAD.encode(text),
            Self::Lines(length, with) => {
                let letters: Vec<char> = STANDARD.encode(text).chars().collect();
                let lines: Vec<String> = letters.chunks(length).map(|line| line.iter().collect()).collect();
                lines.join(with)
            }
            Self::Glued => format!("id/{}", STANDARD.encode(text)),
        }
    }
}

const ENCODERS: [Encoder; 24] = [
    Encoder::Json,
    Encoder::JsonAscii,
    Encoder::JsonSlashes,
    Encoder::Percent,
    Encoder::PercentSmall,
    Encoder::PercentPath,
    Encoder::Form,
    Encoder::Html,
    Encoder::HtmlDecimal,
    Encoder::HtmlHex,
    Encoder::HtmlNamed,
    Encoder::ShellSingle,
    Encoder::ShellDouble,
    Encoder::ShellBackslash,
    Encoder::PythonHex,
    Encoder::Octal,
    Encoder::Doubled,
    Encoder::Hex,
    Encoder::Base64(Base64::Standard),
    Encoder::Base64(Base64::Bare),
    Encoder::Base64(Base64::UrlSafe),
    Encoder::Base64(Base64::UrlSafeBare),
    Encoder::Base64(Base64::Lines(19, "\r\n")),
    Encoder::Base64(Base64::Glued),
];

fn encoded(encoders: &[Encoder], text: &str) -> String {
    encoders.iter().fold(text.to_owned(), |text, encoder| encoder.encode(&text))
}

/// Whatever a reader might make of a text, several times over; written without the code that is tested.
fn decodings(text: &str, depth: u8, all: &mut Vec<String>) {
    all.push(text.to_owned());
    if depth == 0 {
        return;
    }
    let unescaped = serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
    let percent = percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let form = percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned());
    let html = Some(html_escape::decode_html_entities(text).into_owned());
    let shell = Some(text.replace("'\\''", "'").replace("'\"'\"'", "'"));
    let bare: String = text.chars().filter(|c| *c != '\\').collect();
    let lines: String = text.split_whitespace().collect();
    let mut next: Vec<String> =
        [unescaped, percent, form, html, shell, Some(bare)].into_iter().flatten().collect();
    for part in lines.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c))) {
        let standard = part.replace('-', "+").replace('_', "/");
        for from in 0..4.min(standard.len()) {
            let whole = standard.len() - (standard.len() - from) % 4;
            if let Ok(bytes) = STANDARD_NO_PAD.decode(&standard[from..whole]) {
                next.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    for other in next {
        if other != text {
            decodings(&other, depth - 1, all);
        }
    }
}

#[test]
fn values_are_masked_in_texts_keys_and_numbers_at_any_depth() {
    let mask = mask(&[SECRET, "123456789012"]);
    let left =
        json!({ "a": [{ "text": format!("Bearer {SECRET}!"), SECRET: 123_456_789_012_u64, "n": 1.5 }] });
    let masked = json!({ "a": [{ "text": "Bearer •••!", "•••": "•••", "n": 1.5 }] });
    assert_eq!(mask.value(left), masked);
    let keys = json!({ SECRET: 1, format!("{}", Encoder::Percent.encode(SECRET)): 2 });
    assert_eq!(mask.value(keys), json!({ "•••": 1, "••• (2)": 2 }));
}

#[test]
fn each_encoding_is_undone_alone_and_in_each_other() {
    let mask = mask(&[SECRET]);
    for outer in ENCODERS {
        for inner in ENCODERS {
            for encoders in [&[inner][..], &[inner, outer]] {
                let text = format!("before {} after", encoded(encoders, SECRET));
                let masked = mask.text(&text);
                assert!(masked.contains(MASK), "{encoders:?}: {text}");
                assert!(
                    masked.starts_with("before ") && masked.ends_with(" after"),
                    "{encoders:?}: {masked}"
                );
                let kept = masked.replace(MASK, "").len() - "before  after".len();
                assert!(kept < 16, "{encoders:?}: {text} became {masked}");
            }
        }
    }
}

#[test]
fn base64_is_undone_at_each_place_in_a_group() {
    let mask = mask(&["s3cret-pass"]);
    for around in ["", "u:", "us:", "user:", "user1:"] {
        for after in ["", "x", "xy", " and more"] {
            let plain = format!("{around}s3cret-pass{after}");
            for encoded in [STANDARD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                let masked = mask.text(&encoded).into_owned();
                let mut all = Vec::new();
                decodings(&masked, 1, &mut all);
                assert!(masked.contains(MASK) && !all.iter().any(|one| one.contains("s3cret-p")), "{masked}");
            }
        }
    }
    assert_eq!(mask.text("Basic dXNlcjpzM2NyZXQtcGFzcw== ok"), "Basic dXNl••• ok");
}

#[test]
fn documents_are_found_however_they_are_broken_into_lines() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----";
    let mask = mask(&[pem]);
    let lines = |with: &str| pem.replace('\n', with);
    for form in [
        lines("\n"),
        lines("\r\n"),
        lines(" "),
        lines("\\n"),
        lines("\\\\n"),
        lines("%0A"),
        lines("%0d%0a"),
        lines("&#10;"),
        lines("\n    "),
        lines(""),
        Encoder::Form.encode(pem),
    ] {
        assert_eq!(mask.text(&format!("key={form};")), "key=•••;", "{form}");
    }
    for encoder in ENCODERS {
        assert!(mask.text(&encoder.encode(pem)).contains(MASK), "{encoder:?}");
    }
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let mask = mask(&["admin", "12345", "prod", "1234567890", "s3cret-value"]);
    let plain = json!({
        "administrator": ["administrator", 12345, 1_234_567_890, "prod-1", "s3cret value", "S3CRET-VALUE"],
        "product": "a product", "prod": { "admin": null }, "text": "the admin of prod has 12345",
    });
    assert_eq!(mask.value(plain.clone()), plain);
    for whole in ["prod", "12345", " admin\n", "\"prod\"", "%70rod"] {
        assert!(mask.text(whole).contains(MASK), "{whole}");
    }
    assert!(!format!("{mask:?}").contains("s3cret"));
}

#[test]
fn values_that_look_like_escapes_are_found_and_their_meaning_is_not() {
    for (value, other) in [
        ("p%41ss%20word", "pAss word"),
        ("pass&amp;word1", "pass&word1"),
        ("C:\\new\\table", "C:new\table"),
        ("a+b+c+d+e", "a b c d e"),
        ("\\u0041\\u0042cdef", "ABcdef"),
        ("it''s''two''q", "it's'two'q"),
    ] {
        let mask = mask(&[value]);
        assert_eq!(mask.text(other), other);
        for encoder in ENCODERS {
            let text = encoder.encode(value);
            assert!(mask.text(&text).contains(MASK), "{encoder:?}: {text}");
        }
    }
}

#[test]
fn an_escape_may_not_swallow_the_beginning_of_a_value() {
    let mask = mask(&["abcdef12-value", "nothing-else"]);
    assert_eq!(mask.text("100%abcdef12-value C:\\nothing-else &abcdef12-value;"), "100%••• C:\\••• &•••;");
}

#[test]
fn of_values_that_hold_each_other_nothing_is_left() {
    let mask = mask(&["token-abc", "token-abc-long", "long-and-longer"]);
    assert_eq!(mask.text("a token-abc-long b token-abc c"), "a ••• b ••• c");
    assert_eq!(mask.text("token-abc-long-and-longer."), "•••.");
    assert!(mask.hides_ignoring_case("https://TOKEN-ABC.example"));
}

#[test]
fn hostile_texts_take_time_that_grows_with_their_length() {
    let long = format!("{}b", "a".repeat(4_000));
    let quotes = "'\"".repeat(500);
    let mask = mask(&[&long, &quotes, "%%%%%%%%%%", "\\\\\\\\\\\\\\\\", "&amp;&amp;&amp;"]);
    let began = std::time::Instant::now();
    for unit in
        ["a", "%61", "\\", "\\\\u0061", "%25", "&amp;", "'", "\"", "&#x61;", "QUFB", "\\n", "%5C", "&"]
    {
        let text = unit.repeat(100_000 / unit.len());
        mask.text(&text);
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{8,40}", "[a-zA-Z0-9_-]{8,60}", "[a-z%&\\\\'\"+;/0-9äß€😀]{8,24}", "[0-9a-f]{16,32}",]
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("long enough", |text| {
            text.chars().count() >= MIN_LENGTH && text.chars().any(|c| c != '•')
        })
}

fn nesting() -> impl Strategy<Value = Vec<Encoder>> {
    prop::collection::vec(prop::sample::select(ENCODERS.to_vec()), 0..=3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_reading_of_what_is_left_has_the_value(
        secret in secret(), encoders in nesting(), before in "[ -~äß]{0,12}", after in "[ -~äß]{0,12}",
    ) {
        let mask = mask(&[&secret]);
        let text = format!("[{}]", encoded(&encoders, &format!("{before} {secret} {after}")));
        let masked = mask.text(&text).into_owned();
        prop_assert!(masked.contains(MASK), "{text}");
        let mut all = Vec::new();
        decodings(&masked, 3, &mut all);
        for one in &all {
            prop_assert!(!one.contains(&secret), "{text} became {masked}, which reads {one}");
        }
        prop_assert_eq!(mask.text(&masked), masked.as_str());
    }

    #[test]
    fn a_text_without_the_value_is_not_changed(
        secret in secret(), encoders in nesting(), text in "[ -~äß😀\n]{0,120}",
    ) {
        let text = encoded(&encoders, &text);
        // Nothing but the whole value counts: all of it but one character is no secret.
        let end = secret.char_indices().next_back().map_or(0, |(at, _)| at);
        let nearly = format!("{text}{}\u{1f512}{text}", &secret[..end]);
        prop_assert_eq!(mask(&[&secret]).text(&nearly), nearly.as_str());
    }

    #[test]
    fn any_text_is_masked_once_and_for_all(
        secrets in prop::collection::vec("[a%&#x;u\\\\'\"0-9 \n]{1,12}", 1..4),
        text in "[a%&#x;u\\\\'\"0-9 \n]{0,200}",
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let mask = mask(&secrets);
        let masked = mask.text(&text).into_owned();
        for secret in secrets {
            let is_long = secret.chars().filter(|c| !c.is_whitespace()).count() >= MIN_LENGTH;
            prop_assert!(!is_long || !masked.contains(secret), "{masked}");
        }
        prop_assert_eq!(mask.text(&masked), masked.as_str());
    }
}
