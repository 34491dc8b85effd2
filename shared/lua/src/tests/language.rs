//! Lua 5.1 as authors expect it, and the values a script can read.

use serde_json::json;

use super::super::{Cancel, Globals, Limits, Pool};
use super::{Fixture, error, failure, result, value};

#[test]
fn there_is_one_number_type_and_whole_numbers_print_without_a_point() {
    assert_eq!(value("tostring(12.0)"), json!("12"));
    assert_eq!(value("12.0 .. ''"), json!("12"));
    assert_eq!(value("tostring(7 / 2)"), json!("3.5"));
    assert_eq!(value("10 / 2"), json!(5));
    assert_eq!(value("string.format('%d items, %.2f', 3, 2.5)"), json!("3 items, 2.50"));
    assert_eq!(value("math.floor(3.7)"), json!(3));
    assert_eq!(value("7 % 3"), json!(1));
    assert_eq!(value("2 ^ 10"), json!(1024));
}

#[test]
fn the_everyday_functions_of_lua_5_1_are_there() {
    assert_eq!(value("#'four'"), json!(4));
    assert_eq!(value("#{1, 2, 3}"), json!(3));
    assert_eq!(
        result("local t = {} for k, v in pairs({a = 1, b = 2}) do t[v] = k end return t"),
        json!(["a", "b"])
    );
    assert_eq!(
        result("local t = {} for i, v in ipairs({'x', 'y'}) do t[i] = v .. i end return t"),
        json!(["x1", "y2"])
    );
    assert_eq!(result("return { pcall(function() return 1, 2 end) }"), json!([true, 1, 2]));
    assert_eq!(result("return { pcall(error, 'boom') }"), json!([false, "boom"]));
    assert_eq!(result("return { pcall(error, { code = 7 }) }"), json!([false, { "code": 7 }]));
    assert_eq!(value("tonumber('0x10')"), json!(16));
    assert_eq!(value("tonumber('11', 2)"), json!(3));
    assert_eq!(result("return { n = tonumber('twelve') }"), json!({}));
    assert_eq!(value("select('#', nil, nil)"), json!(2));
    assert_eq!(
        value("type(nil) .. type({}) .. type('') .. type(1) .. type(print)"),
        json!("niltablestringnumberfunction")
    );
    assert_eq!(result("return { unpack({ 1, 2, 3 }) }"), json!([1, 2, 3]));
    assert_eq!(value("table.concat({ 1, 2, 'x' }, '-')"), json!("1-2-x"));
    assert_eq!(value("('%s=%s'):format('a', 1):upper()"), json!("A=1"));
    assert_eq!(value("_VERSION"), json!("Lua 5.1"));
}

#[test]
fn patterns_work_with_and_without_captures() {
    assert_eq!(result("return { ('k=v'):find('=') }"), json!([2, 2]));
    assert_eq!(result("return { ('a.b'):find('.', 2, true) }"), json!([2, 2]));
    assert_eq!(result("return { ('key=value'):match('(%w+)=(%w+)') }"), json!(["key", "value"]));
    assert_eq!(result("return { ('abc'):gsub('%w', '%0%0') }"), json!(["aabbcc", 3]));
    assert_eq!(result("return { ('abc'):gsub('%w', { a = 'x' }, 2) }"), json!(["xbc", 2]));
    assert_eq!(result("return { ('abc'):gsub('%w', string.upper) }"), json!(["ABC", 3]));
    assert_eq!(
        result("local t = {} for w in ('a b c'):gmatch('%w') do t[#t + 1] = w end return t"),
        json!(["a", "b", "c"])
    );
    assert_eq!(value("('x'):find('y') == nil"), json!(true));
}

#[test]
fn tables_sort_with_and_without_a_comparison() {
    assert_eq!(result("local t = { 3, 1, 2 } table.sort(t) return t"), json!([1, 2, 3]));
    assert_eq!(result("local t = { 'b', 'a' } table.sort(t) return t"), json!(["a", "b"]));
    assert_eq!(
        result("local t = { 3, 1, 2 } table.sort(t, function(a, b) return a > b end) return t"),
        json!([3, 2, 1])
    );
}

#[test]
fn foreach_and_foreachi_stop_at_the_first_answer() {
    assert_eq!(
        value("table.foreachi({ 'a', 'b' }, function(i, v) if v == 'b' then return i end end)"),
        json!(2)
    );
    assert_eq!(value("table.foreach({ k = 'v' }, function(k, v) return k .. v end)"), json!("kv"));
    assert_eq!(
        error("table.foreach(nil, print)"),
        "line 1: invalid argument #1 to 'foreach' (table expected, got nil)"
    );
}

#[test]
fn coroutines_are_part_of_the_base_library() {
    let script = "local out = {}
        local numbers = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
        for n in numbers do out[#out + 1] = n end
        return out";
    assert_eq!(result(script), json!([1, 2, 3]));
    assert_eq!(value("coroutine.status(coroutine.create(function() end))"), json!("suspended"));
    assert_eq!(error("coroutine.yield()"), "attempt to yield across metamethod/C-call boundary");
}

#[test]
fn a_script_reads_its_input_the_run_and_the_connection() {
    let fixture = Fixture::with_input(json!({ "repo": { "name": "x" }, "count": 2 }));
    let script = "return { input.repo.name, input.count + 1, run.run_id, connection.provider }";
    assert_eq!(fixture.result(script), json!(["x", 3, "run-1", "github"]));
}

#[test]
fn a_step_is_read_by_its_id_or_by_the_alias_with_underscores() {
    let steps = vec![
        (
            "fetch-pr",
            json!({ "result": { "title": "t" }, "input": { "n": 1 }, "status": "completed", "error": null }),
        ),
        ("plain", json!({ "status": "failed", "error": { "code": "LUA_ERROR" } })),
    ];
    let fixture = Fixture { steps, ..Fixture::default() };
    assert_eq!(fixture.result("return { steps['fetch-pr'].result.title }"), json!(["t"]));
    assert_eq!(
        fixture.result("return { steps.fetch_pr.result.title, steps.fetch_pr.input.n }"),
        json!(["t", 1])
    );
    assert_eq!(
        fixture.result("return { same = steps.fetch_pr == steps['fetch-pr'] }"),
        json!({ "same": true })
    );
    assert_eq!(
        fixture.result("return { steps.plain.error.code, steps.plain.status }"),
        json!(["LUA_ERROR", "failed"])
    );
    assert_eq!(
        fixture.result("return { none = steps.missing == nil, ok = steps.plain.result == nil }"),
        json!({ "none": true, "ok": true })
    );
    let ids = "local ids = {} for id in pairs(steps) do ids[#ids + 1] = id end table.sort(ids) return ids";
    assert_eq!(fixture.result(ids), json!(["fetch-pr", "plain"]));
}

#[test]
fn an_id_spelt_like_an_alias_has_precedence_over_it() {
    let steps = vec![
        ("a-b", json!({ "result": 1 })),
        ("a_b", json!({ "result": 2 })),
        ("c-d_e", json!({ "result": 3 })),
        ("c_d-e", json!({ "result": 4 })),
    ];
    let fixture = Fixture { steps, ..Fixture::default() };
    assert_eq!(
        fixture.result("return { steps.a_b.result, steps['a-b'].result, steps.c_d_e.result }"),
        json!([2, 1, 3])
    );
}

#[test]
fn a_loop_body_reads_its_item_and_the_outputs_of_its_iteration() {
    let extra = vec![
        ("item", json!("apple")),
        ("index", json!(4)),
        ("foreach", json!({ "item": "apple", "index": 4 })),
    ];
    let body = Some(json!({ "inner": { "ok": true } }));
    let prev = Some(json!({ "inner": { "ok": false } }));
    let fixture = Fixture { extra, body, prev, ..Fixture::default() };
    let script = "return { item, index, foreach.item, foreach.index, body.inner.ok, loop.iteration, loop.prev.inner.ok }";
    assert_eq!(fixture.result(script), json!(["apple", 4, "apple", 4, true, 2, false]));
    assert_eq!(result("return { item == nil, loop == nil }"), json!([true, true]));
}

#[test]
fn a_script_may_change_what_it_reads_and_keeps_the_change_to_itself() {
    let fixture = Fixture {
        steps: vec![("a", json!({ "result": { "n": 1 } }))],
        ..Fixture::with_input(json!({ "n": 1 }))
    };
    let script =
        "input.n = 2 input.more = true steps.a.result.n = 5 steps.b = { result = 1 } run.run_id = 'x'
        return { input.n, steps.a.result.n, steps.b.result, run.run_id }";
    assert_eq!(fixture.result(script), json!([2, 5, 1, "x"]));
    assert_eq!(fixture.result("return { input.n, steps.a.result.n, run.run_id }"), json!([1, 1, "run-1"]));
    let fixture = Fixture { extra: vec![("item", json!({ "n": 1 }))], ..Fixture::default() };
    assert_eq!(fixture.result("item.n = item.n + 1 item.n = item.n + 1 return { item.n }"), json!([3]));
}

#[test]
fn globals_of_a_script_work_by_name_and_through_the_global_table() {
    assert_eq!(result("count = 1 count = count + 1 return { count, _G.count }"), json!([2, 2]));
    assert_eq!(result("_G.helper = function() return 'h' end return { helper() }"), json!(["h"]));
    assert_eq!(
        result("_G['tostring'] = function() return 'mine' end return { tostring(1) }"),
        json!(["mine"])
    );
    assert_eq!(result("return { _G.string == string, _G._G == _G }"), json!([true, true]));
}

#[test]
fn absent_run_and_connection_are_nil() {
    let globals = Globals {
        input: "null",
        steps: &[],
        run: "null",
        connection: "null",
        extra: &[],
        body: None,
        iteration: None,
    };
    let outcome = Pool::default().run(
        "return { input == nil, run == nil, connection == nil }",
        &globals,
        &Limits::default(),
        &Cancel::default(),
    );
    assert_eq!(outcome.result.as_deref(), Ok("[true,true,true]"));
}

#[test]
fn a_script_must_return_a_table() {
    for (script, returned) in [
        ("", "nothing"),
        ("return", "nothing"),
        ("return nil", "nothing"),
        ("return 1", "a number"),
        ("return 'x'", "a string"),
        ("return true", "a boolean"),
        ("return function() end", "a function"),
        ("return json.null", "json.null"),
    ] {
        let failure = failure(script);
        assert_eq!(failure.kind.code(), "LUA_RETURN_TYPE", "{script}");
        assert_eq!(failure.message, format!("the script must return a table, but it returned {returned}"));
    }
    assert_eq!(result("return { pass = true }, 'ignored'"), json!({ "pass": true }));
}
