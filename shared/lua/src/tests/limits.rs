//! Each limit at its edge, and that what stays within it is left alone.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{Cancel, FailureKind, Globals, Limits, MAX_SCRIPT_BYTES, Pool, check};
use super::{Fixture, failure, result};

#[test]
fn a_result_may_be_as_large_as_the_limit() {
    let script = |bytes: usize| format!("return {{ s = string.rep('x', {}) }}", bytes - r#"{"s":""}"#.len());
    let limit = Limits::default().result_bytes;
    assert_eq!(limit, 1024 * 1024);
    assert_eq!(result(&script(limit)).to_string().len(), limit);
    let over = failure(&script(limit + 1));
    assert_eq!(
        (over.kind.code(), over.message.as_str()),
        ("RESULT_TOO_LARGE", "the result is larger than 1 MiB of JSON")
    );
}

#[test]
fn the_result_is_measured_as_the_text_it_becomes() {
    let fixture =
        |result_bytes| Fixture { limits: Limits { result_bytes, ..Limits::default() }, ..Fixture::default() };
    for (script, bytes) in [
        ("return { '\\1' }", 10),
        ("return { 1.5, -20, true }", 14),
        ("return { a = {}, b = json.array() }", 15),
        ("return {}", 2),
        ("return { 'é' }", 6),
    ] {
        assert_eq!(fixture(bytes).result(script).to_string().len(), bytes, "{script}");
        assert_eq!(fixture(bytes - 1).failure(script).kind, FailureKind::ResultTooLarge, "{script}");
    }
}

#[test]
fn a_script_may_be_as_long_as_the_limit() {
    let script = |bytes: usize| format!("--{}\nreturn {{}}", "x".repeat(bytes - 12));
    assert_eq!(script(MAX_SCRIPT_BYTES).len(), MAX_SCRIPT_BYTES);
    assert_eq!(check(&script(MAX_SCRIPT_BYTES)), Ok(()));
    assert_eq!(result(&script(MAX_SCRIPT_BYTES)), json!({}));
    let error = check(&script(MAX_SCRIPT_BYTES + 1)).unwrap_err();
    assert_eq!(error.to_string(), "the script has 65537 bytes; at most 65536 are allowed");
    assert_eq!(failure(&script(MAX_SCRIPT_BYTES + 1)).kind, FailureKind::Error);
}

#[test]
fn memory_is_bounded_by_the_limit_and_free_below_it() {
    let script = |mib: usize| format!("local s = string.rep('x', {mib} * 1024 * 1024) return {{ #s }}");
    assert_eq!(result(&script(60)), json!([60 * 1024 * 1024]));
    let failure = failure(&script(64));
    assert_eq!(
        (failure.kind.code(), failure.message.as_str()),
        ("LUA_MEMORY", "the script and the values it reads need more than 64 MiB of memory")
    );
}

#[test]
fn garbage_does_not_count_as_memory() {
    let strings = "local s, n = string.rep('x', 4000000), 0 for i = 1, 60 do local t = s .. i n = n + #t end return { n }";
    assert_eq!(result(strings), json!([240_000_111]));
    let tables = "local n = 0 for i = 1, 300000 do local t = { i, i, { i } } n = n + #t end return { n }";
    assert_eq!(result(tables), json!([900_000]));
    let coroutine = "return { coroutine.wrap(function()
        local s = string.rep('x', 20000000) for i = 1, 10 do local t = s .. i end return 'done' end)() }";
    assert_eq!(result(coroutine), json!(["done"]));
    let callback = "local s = string.rep('x', 20000000)
        return { (string.gsub('aaaaaaaa', 'a', function() local t = s .. math.random() return 'b' end)) }";
    assert_eq!(result(callback), json!(["bbbbbbbb"]));
}

#[test]
fn the_values_a_script_reads_count_as_its_memory() {
    let limits = Limits { memory_bytes: 2 * 1024 * 1024, ..Limits::default() };
    let fixture =
        Fixture { limits, ..Fixture::with_input(json!({ "list": vec![json!({ "a": 1 }); 20_000] })) };
    let failure = fixture.failure("return {}");
    assert_eq!(failure.kind, FailureKind::InputTooLarge);
    assert!(failure.message.contains("take more than 2 MiB of memory. Name the steps"), "{failure}");
    let steps = vec![("a", json!({ "result": "x".repeat(3 * 1024 * 1024) }))];
    let limits = Limits { memory_bytes: 2 * 1024 * 1024, ..Limits::default() };
    assert_eq!(
        Fixture { steps, limits, ..Fixture::default() }.failure("return {}").kind,
        FailureKind::InputTooLarge
    );
}

#[test]
fn memory_of_nothing_is_enough_for_nothing() {
    for memory_bytes in [0, 1, 10_000] {
        let limits = Limits { memory_bytes, ..Limits::default() };
        let fixture = Fixture { limits, ..Fixture::default() };
        assert_eq!(fixture.failure("return {}").kind, FailureKind::Memory, "{memory_bytes}");
    }
}

#[test]
fn a_script_ends_with_its_time() {
    let start = Instant::now();
    let failure = Fixture::with_time(Duration::from_millis(50)).failure("while true do end");
    assert_eq!(
        (failure.kind.code(), failure.message.as_str()),
        ("LUA_TIMEOUT", "the script ran longer than 50ms")
    );
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_script_without_time_does_not_succeed() {
    assert_eq!(Fixture::with_time(Duration::ZERO).failure("return {}").kind, FailureKind::Timeout);
}

#[test]
fn the_defaults_are_those_of_the_workflow_language() {
    let expected = Limits { time: Duration::from_secs(5), memory_bytes: 64 << 20, result_bytes: 1 << 20 };
    assert_eq!(Limits::default(), expected);
}

#[test]
fn a_cancelled_script_ends_promptly() {
    let cancel = Cancel::default();
    let globals = Globals {
        input: "null",
        steps: &[],
        run: "null",
        connection: "null",
        extra: &[],
        body: None,
        iteration: None,
    };
    let start = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let script = scope.spawn(|| {
            let endless = "while true do pcall(function() while true do end end) end";
            Pool::default().run(
                endless,
                &globals,
                &Limits { time: Duration::from_secs(60), ..Limits::default() },
                &cancel,
            )
        });
        cancel.clone().cancel();
        script.join().unwrap()
    });
    assert_eq!(outcome.result.unwrap_err().kind, FailureKind::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(cancel.is_cancelled());
    assert_eq!(
        Pool::default().run("return {}", &globals, &Limits::default(), &cancel).result.unwrap_err().kind,
        FailureKind::Cancelled
    );
}
