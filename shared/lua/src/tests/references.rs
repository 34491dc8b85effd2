//! Which steps a script can read, told from its text. Never too few.

use super::super::StepReferences::{self, All, None, Some};
use super::super::{check, step_references};

fn some<const N: usize>(names: [&str; N]) -> StepReferences {
    Some(names.map(str::to_owned).into())
}

#[track_caller]
fn all(script: &str) {
    assert_eq!(step_references(script), All, "{script}");
}

#[test]
fn a_script_without_steps_reads_none() {
    for script in [
        "",
        "return {}",
        "return { input.x }",
        "-- steps.a\nreturn {}",
        "--[[ steps.a\n]] return {}",
        "--[==[ ]] steps.a ]==] return {}",
        "return { 'steps.a', \"steps\" }",
        "return { [[steps.a]] }",
        "return { [=[ ]] steps.a ]=] }",
        "return { mysteps = 1, steps2 = 2, _steps = 3 }",
        "return { footsteps.a }",
    ] {
        assert_eq!(step_references(script), None, "{script}");
    }
}

#[test]
fn names_are_found_as_they_are_written() {
    assert_eq!(step_references("return { steps.fetch_pr.result }"), some(["fetch_pr"]));
    assert_eq!(
        step_references("return { steps['fetch-pr'].result, steps[\"b\"], steps.c }"),
        some(["b", "c", "fetch-pr"])
    );
    assert_eq!(
        step_references("return { steps . a, steps [ 'b' ], steps--[[x]].--\nc }"),
        some(["a", "b", "c"])
    );
    assert_eq!(
        step_references("return { #steps.a.result, -steps.b.n, not steps.c, 1 ..steps.d, 'x'..steps.e }"),
        some(["a", "b", "c", "d", "e"])
    );
    assert_eq!(step_references("steps.a.result.x = 1 steps['b'] = nil"), some(["a", "b"]));
    assert_eq!(step_references("return { a = 1 -- it's steps.x\n, b = steps.y }"), some(["y"]));
    assert_eq!(step_references("return { 'it\\'s', steps.a, \"\\\\\", steps.b }"), some(["a", "b"]));
    assert_eq!(step_references("return { [[']], steps.a, [=[\"]=] }"), some(["a"]));
    assert_eq!(step_references("return {\r\n steps.a, -- note\r\n steps.b }"), some(["a", "b"]));
}

#[test]
fn fields_keys_and_assignments_of_that_name_are_no_reads() {
    for script in [
        "return { input.steps }",
        "return { input.steps.a }",
        "input:steps()",
        "return { steps = 1 }",
        "return { x = 1, steps = 2 }",
        "local steps = {}",
        "steps = nil",
        "function x.steps() end",
    ] {
        assert_eq!(step_references(script), None, "{script}");
    }
    assert_eq!(step_references("return { steps = steps.a }"), some(["a"]));
    assert_eq!(step_references("local steps = steps.a return { steps.b }"), some(["a", "b"]));
}

#[test]
fn any_other_use_reads_all() {
    for script in [
        "return steps",
        "return { steps }",
        "local s = steps return { s.a }",
        "for id, step in pairs(steps) do end return {}",
        "return { steps[input.id] }",
        "return { steps['a' .. 'b'] }",
        "return { steps['a\\45b'] }",
        "return { steps[ [[a]] ] }",
        "return { steps[1] }",
        "return { (steps).a }",
        "return { f(steps) }",
        "return { f{steps} }",
        "return { steps == nil }",
        "local steps = steps",
        "steps, x = nil, steps",
        "return { x = 1 ..steps }",
        "return { next(steps) }",
        "return { steps ~= nil and steps.a }",
        "local function f(steps) return steps.a end",
        "return { steps:a() }",
        "return { 1 }, steps",
    ] {
        all(script);
        assert_eq!(check(script), Ok(()), "{script}");
    }
}

#[test]
fn ways_around_the_name_read_all() {
    for script in [
        "return { _G.steps }",
        "return { _G['st' .. 'eps'] }",
        "for k, v in pairs(_G) do end return {}",
        "return { getfenv().x }",
        "setfenv(1, {})",
        "return { _ENV }",
        "return { rawget(_G, input.k) }",
    ] {
        all(script);
    }
}

#[test]
fn text_that_the_scan_does_not_see_through_reads_all() {
    all("return { `it's {steps.a.result}` }");
    all("return { `x` }, steps.a");
    all("return { 'open, steps.a }");
    all("return { [[ open, steps.a }");
    all("--[[ open\n steps.a");
    // The VM ends a comment at a carriage return.
    all("-- x\r return { steps.a }");
    all("-- x\0 return { steps.a }");
    assert_eq!(step_references("return { `x {input.y}` }"), None);
}

#[test]
fn an_escaped_line_end_and_blank_belong_to_their_string() {
    assert_eq!(step_references("return { 'a\\\n steps.x', steps.a }"), some(["a"]));
    assert_eq!(step_references("return { 'a\\z  \n  steps.x', steps.a }"), some(["a"]));
    assert_eq!(check("return { 'a\\z  \n  b' }"), Ok(()));
}

#[test]
fn numbers_do_not_swallow_names() {
    assert_eq!(step_references("return { 0x1F, 1e-3, .5, 1_000, 3.25, steps.a }"), some(["a"]));
    assert_eq!(step_references("return { 5 ..steps.a }"), some(["a"]));
    all("return { 1..steps }");
    assert!(check("return { 1..steps }").is_err());
}

#[test]
fn the_scan_stands_any_text() {
    for text in [
        "steps",
        "steps.",
        "steps[",
        "steps['",
        "steps['a",
        "steps['a'",
        "\\",
        "'",
        "`steps",
        "é steps é.é",
        "steps.é",
        "--",
        "--[",
        "--[=",
        "[=",
        "[==[steps",
        "1.",
        ".",
        "...",
        "=",
        "steps\u{1F600}",
    ] {
        let _ = step_references(text);
    }
    let script = "steps.a ".repeat(10_000);
    assert_eq!(step_references(&script), some(["a"]));
}
