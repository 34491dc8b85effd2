//! Whole numbers in a script's text that are rounded.

use super::super::inexact_literals;

fn found(script: &str) -> Vec<(usize, String, String)> {
    inexact_literals(script).into_iter().map(|found| (found.line, found.text, found.reads)).collect()
}

#[test]
fn whole_literals_beyond_2_53_are_found_with_their_line() {
    let expected = |line: usize, text: &str, reads: &str| vec![(line, text.to_owned(), reads.to_owned())];
    assert_eq!(
        found("return {\n id = 9007199254740993 }"),
        expected(2, "9007199254740993", "9007199254740992")
    );
    assert_eq!(
        found("local x = -9_007_199_254_740_994"),
        expected(1, "9_007_199_254_740_994", "9007199254740994")
    );
    assert_eq!(found("x = 0x20000000000001"), expected(1, "0x20000000000001", "9007199254740992"));
    assert_eq!(
        found("return 100000000000000000000"),
        expected(1, "100000000000000000000", "100000000000000000000")
    );
    assert_eq!(found(&"x = 9007199254740993 ".repeat(50)).len(), 10);
}

#[test]
fn other_numbers_and_texts_are_not() {
    for script in [
        "return { 9007199254740992, 0x20000000000000, 1e300, 12, 9007199254740993.5, 1e17, 3.0 }",
        "return { '9007199254740993', \"9007199254740993\", [[9007199254740993]] }",
        "-- 9007199254740993\n--[[ 9007199254740993 ]] return {}",
        "return { a9007199254740993 = 1 }",
        "",
    ] {
        assert_eq!(found(script), [], "{script}");
    }
}

#[test]
fn literals_tell_which_digits_json_keeps() {
    for (text, digits, fits_json) in [
        ("9007199254740993", "9007199254740993", true),
        ("9_007_199_254_740_993", "9007199254740993", true),
        ("0x20000000000001", "9007199254740993", true),
        ("18446744073709551615", "18446744073709551615", true),
        ("18446744073709551616", "18446744073709551616", false),
    ] {
        let found = inexact_literals(&format!("return {{ {text} }}"));
        let told: Vec<_> = found.iter().map(|found| (found.digits.as_str(), found.fits_json)).collect();
        assert_eq!(told, [(digits, fits_json)], "{text}");
    }
    let long = "9".repeat(50);
    let found = inexact_literals(&format!("return {{ {long} }}"));
    assert!(found.len() == 1 && found[0].digits == long && !found[0].fits_json, "{found:?}");
}
