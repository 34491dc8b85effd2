//! Nulls of JSON, in objects and in arrays.

use serde_json::{Value, json};

use super::{Fixture, result, value};

fn ticket() -> Fixture {
    Fixture {
        steps: vec![("a", json!({ "result": { "x": null, "y": 1 }, "status": "completed" }))],
        extra: vec![("item", json!({ "gone": null, "id": 1 }))],
        ..Fixture::with_input(json!({
            "assignee": null, "id": 7, "sub": { "due": null, "n": 1 }, "empty": { "only": null },
            "list": [1, null, 3], "tail": [1, null], "nulls": [null, null], "rows": [{ "a": null }, { "a": 1 }, null],
        }))
    }
}

#[track_caller]
fn after(change: &str, shown: &str) -> Value {
    ticket().result(&format!("{change} return {{ v = {shown} }}"))["v"].take()
}

#[test]
fn nulls_are_handed_on_wherever_they_are() {
    let all = ticket().input;
    assert_eq!(ticket().result("return input"), all);
    assert_eq!(ticket().result("return { ticket = input }"), json!({ "ticket": all }));
    assert_eq!(
        ticket().result("local copy = input.sub return { copy, input.empty }"),
        json!([all["sub"], all["empty"]])
    );
    assert_eq!(ticket().result("return steps.a.result"), json!({ "x": null, "y": 1 }));
    assert_eq!(ticket().result("return { item }"), json!([{ "gone": null, "id": 1 }]));
    assert_eq!(ticket().result("return json.decode(json.encode(input))"), all);
    assert_eq!(after("", "json.encode(input.sub)"), json!(r#"{"due":null,"n":1}"#));
    assert_eq!(
        ticket().result("return { rows = { input.rows[1], input.rows[2] } }"),
        json!({ "rows": [{ "a": null }, { "a": 1 }] })
    );
    let outcome = ticket().failure("error(input.sub)");
    assert_eq!(outcome.message, r#"{"due":null,"n":1}"#);
}

#[test]
fn a_null_reads_as_nil() {
    for expression in [
        "input.assignee == nil and not input.assignee and rawget(input, 'assignee') == nil",
        "input.list[2] == nil and not input.list[2] and rawget(input.list, 2) == nil",
        "type(input.assignee) == 'nil' and type(input.list[2]) == 'nil'",
        "input.assignee ~= json.null and input.list[2] ~= json.null",
        "(input.list[2] or 'default') == 'default'",
        "json.decode('null') == nil and json.decode('[null]')[1] == nil and json.decode('{\"a\":null}').a == nil",
        "input.empty.only == nil and next(input.empty) == nil",
        "type(input.list) == 'table' and input.list[4] == nil and input.list.x == nil and input.list[0] == nil",
    ] {
        assert_eq!(after("", expression), json!(true), "{expression}");
    }
}

#[test]
fn an_object_keeps_the_nulls_that_are_not_assigned() {
    for (change, expected) in [
        ("", json!({ "due": null, "n": 1 })),
        ("t.n = 2", json!({ "due": null, "n": 2 })),
        ("t.more = 'x'", json!({ "due": null, "n": 1, "more": "x" })),
        ("t.n = nil", json!({ "due": null })),
        ("t.due = nil", json!({ "n": 1 })),
        ("t['due'] = nil t.n = nil", json!({})),
        ("t.due = 5", json!({ "due": 5, "n": 1 })),
        ("t.due = false", json!({ "due": false, "n": 1 })),
        ("t.due = 5 t.due = nil", json!({ "n": 1 })),
        ("t.due = json.null", json!({ "due": null, "n": 1 })),
        ("rawset(t, 'due', nil)", json!({ "n": 1 })),
        ("rawset(t, 'due', 1)", json!({ "due": 1, "n": 1 })),
        ("rawset(t, 'n', 3)", json!({ "due": null, "n": 3 })),
        ("setmetatable(t, { __index = { z = 1 } }) assert(t.z == 1)", json!({ "due": null, "n": 1 })),
        ("setmetatable(t, {}) t.due = 4", json!({ "due": 4, "n": 1 })),
        ("setmetatable(t, nil)", json!({ "due": null, "n": 1 })),
        ("t[1] = 'one'", json!({ "1": "one", "due": null, "n": 1 })),
    ] {
        assert_eq!(after(&format!("local t = input.sub {change}"), "input.sub"), expected, "{change}");
    }
    assert_eq!(ticket().failure("input[nil] = 1").message, "line 1: table index is nil");
    assert_eq!(ticket().failure("input.list[nil] = 1").message, "line 1: table index is nil");
}

#[test]
fn objects_with_the_same_nulls_are_changed_apart() {
    let fixture = Fixture::with_input(
        json!([{ "a": null, "b": null }, { "a": null, "b": null }, { "a": null, "b": null }]),
    );
    assert_eq!(
        fixture.result("input[1].a = nil input[2].b = 2 input[2].a = nil return input"),
        json!([{ "b": null }, { "b": 2 }, { "a": null, "b": null }])
    );
}

#[test]
fn pairs_pass_over_nulls() {
    let keys = |table: &str| {
        let script = format!(
            "local keys = {{}} for k in pairs({table}) do keys[#keys + 1] = tostring(k) end
             local more = {{}} local k = next({table}) while k do more[#more + 1] = tostring(k) k = next({table}, k) end
             local third = {{}} for k in {table} do third[#third + 1] = tostring(k) end
             local fourth = {{}} for k in next, {table} do fourth[#fourth + 1] = tostring(k) end
             table.sort(keys) table.sort(more) table.sort(third) table.sort(fourth)
             return {{ table.concat(keys, ' '), table.concat(more, ' '), table.concat(third, ' '), table.concat(fourth, ' ') }}"
        );
        ticket().result(&script)
    };
    assert_eq!(keys("input.sub"), json!(["n", "n", "n", "n"]));
    assert_eq!(keys("input.list"), json!(["1 3", "1 3", "1 3", "1 3"]));
    assert_eq!(keys("input.nulls"), json!(["", "", "", ""]));
    assert_eq!(keys("input.rows"), json!(["1 2", "1 2", "1 2", "1 2"]));
    let copy = "local copy = {} for k, v in pairs(input.sub) do copy[k] = v end return { copy }";
    assert_eq!(ticket().result(copy), json!([{ "n": 1 }]));
    let found = "local found = {} table.foreach(input.list, function(k, v) found[#found + 1] = k * v end) return found";
    assert_eq!(ticket().result(found), json!([1, 9]));
}

#[test]
fn arrays_go_by_their_length_in_json() {
    for (expression, expected) in [
        ("#input.list", json!(3)),
        ("#input.tail", json!(2)),
        ("#input.nulls", json!(2)),
        ("table.getn(input.tail)", json!(2)),
        ("table.maxn(input.list)", json!(3)),
        ("select('#', unpack(input.tail))", json!(2)),
        ("select('#', table.unpack(input.nulls))", json!(2)),
        ("(select(3, unpack(input.list)))", json!(3)),
        ("select('#', unpack(input.list, 2))", json!(2)),
    ] {
        assert_eq!(after("", expression), expected, "{expression}");
    }
    let walked = |list: &str| {
        let script = format!(
            "local out = {{}} for i, v in ipairs({list}) do out[#out + 1] = i .. '=' .. tostring(v) end
             for i = 1, #{list} do out[#out + 1] = i .. ':' .. tostring({list}[i]) end
             table.foreachi({list}, function(i, v) out[#out + 1] = i .. '-' .. tostring(v) end)
             return {{ table.concat(out, ' ') }}"
        );
        ticket().result(&script)[0].take()
    };
    assert_eq!(walked("input.list"), json!("1=1 2=nil 3=3 1:1 2:nil 3:3 1-1 2-nil 3-3"));
    assert_eq!(walked("input.tail"), json!("1=1 2=nil 1:1 2:nil 1-1 2-nil"));
    assert_eq!(walked("input.nulls"), json!("1=nil 2=nil 1:nil 2:nil 1-nil 2-nil"));
    // Where globals are not what they were, the VM takes no shortcuts.
    let slow = "_G.x = 1 local n = 0 for i, v in ipairs(input.tail) do n = n + i end for k in pairs(input.list) do n = n + k end return { n }";
    assert_eq!(ticket().result(slow), json!([7]));
}

#[test]
fn nulls_move_with_their_places() {
    for (change, expected) in [
        ("t[#t + 1] = 4", json!([1, null, 3, 4])),
        ("table.insert(t, 4)", json!([1, null, 3, 4])),
        ("table.insert(t, 1, 0)", json!([0, 1, null, 3])),
        ("table.insert(t, 2, 'x')", json!([1, "x", null, 3])),
        ("table.insert(t, 3, nil)", json!([1, null, null, 3])),
        ("table.insert(t, nil)", json!([1, null, 3])),
        ("table.insert(t, json.null)", json!([1, null, 3, null])),
        ("assert(table.remove(t, 1) == 1)", json!([null, 3])),
        ("assert(table.remove(t, 2) == nil)", json!([1, 3])),
        ("assert(table.remove(t) == 3)", json!([1, null])),
        ("table.remove(t) assert(table.remove(t) == nil)", json!([1])),
        ("table.remove(t) table.remove(t) table.remove(t) table.remove(t)", json!([])),
        ("t[#t] = nil", json!([1, null])),
        ("t[#t] = nil t[#t] = nil", json!([1])),
        ("t[1] = nil", json!([null, null, 3])),
        ("t[2] = nil", json!([1, null, 3])),
        ("t[2] = 2", json!([1, 2, 3])),
        ("t[2] = 2 t[2] = nil", json!([1, null, 3])),
        ("t[5] = 5", json!([1, null, 3, null, 5])),
        ("rawset(t, 2, 'x') rawset(t, 4, 'y')", json!([1, "x", 3, "y"])),
        ("t[1], t[2] = t[2], t[1]", json!([null, 1, 3])),
        ("t.name = 'x'", json!({ "1": 1, "2": null, "3": 3, "name": "x" })),
        ("table.sort(t, function(a, b) return (a or 9) < (b or 9) end)", json!([1, 3, null])),
        ("for i = #t, 1, -1 do if t[i] == nil then table.remove(t, i) end end", json!([1, 3])),
        ("for i = 1, #t do t[i] = t[i] and t[i] * 2 end", json!([2, null, 6])),
    ] {
        assert_eq!(after(&format!("local t = input.list {change}"), "input.list"), expected, "{change}");
    }
}

#[test]
fn functions_that_need_values_say_where_a_null_is() {
    let message = ticket().failure("return { table.concat(input.list, ',') }").message;
    assert_eq!(message, "line 1: invalid value (nil) at index 2 in table for 'concat'");
    let message = ticket().failure("table.sort(input.list) return {}").message;
    assert!(message.starts_with("line 1: attempt to compare ") && message.contains("nil"), "{message}");
    assert_eq!(after("table.remove(input.list, 2)", "table.concat(input.list, ',')"), json!("1,3"));
}

#[test]
fn a_null_that_a_script_made_is_json_null() {
    assert_eq!(
        value("json.null == json.null and json.null ~= nil and type(json.null) == 'userdata'"),
        json!(true)
    );
    assert_eq!(after("input.id = json.null", "{ input.id == json.null, input.id }"), json!([true, null]));
    assert_eq!(
        after("input.list[1] = json.null", "{ input.list[1] == json.null, input.list }"),
        json!([true, [null, null, 3]])
    );
    assert_eq!(
        result("local t = { json.null, 2 } return { t[1] == json.null, #t, t }"),
        json!([true, 2, [null, 2]])
    );
}

#[test]
fn gaps_in_arrays_are_nulls() {
    assert_eq!(result("return { v = json.array({ 10, nil, 30 }) }"), json!({ "v": [10, null, 30] }));
    assert_eq!(result("local t = json.array() t[3] = 'c' return { t }"), json!([[null, null, "c"]]));
    let fixture = Fixture::with_input(json!({ "list": [1, 2, 3] }));
    assert_eq!(fixture.result("input.list[2] = nil return input"), json!({ "list": [1, null, 3] }));
    let far = fixture.failure("input.list[2 ^ 40] = 1 return input");
    assert_eq!(far.kind.code(), "RESULT_TOO_LARGE");
    assert_eq!(result("return { 10, nil, 30 }"), json!({ "1": 10, "3": 30 }));
}

#[test]
fn arrays_and_objects_of_json_take_metatables() {
    let fixture = Fixture::with_input(json!({ "list": [], "o": { "a": 1 } }));
    let script = "setmetatable(input.list, { __index = function() return 'd' end }) setmetatable(input.o, { __call = function() return 'c' end })
        return { input.list, input.list[4], input.o(), getmetatable(input.o) ~= nil }";
    assert_eq!(fixture.result(script), json!([[], "d", "c", true]));
}

/// `[1, null, 3]` and `{ "due": null, "n": 1 }` behave beside a metatable as a list and an object without nulls do.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn lists_and_objects_with_nulls_take_metatables() {
    let class =
        "local C = {} C.__index = C function C.first(t) return t[1] end function C.__len(t) return 40 end
                 C.__call = function(_, x) return x * 2 end";
    let with = |change: &str, shown: &str| {
        after(&format!("{class} local t = input.list local o = input.sub {change}"), shown)
    };
    for (change, shown, expected) in [
        (
            "setmetatable(t, C)",
            "{ t:first(), t(21), t[2] == nil, getmetatable(t) == C, rawget(t, 3) }",
            json!([1, 42, true, true, 3]),
        ),
        ("setmetatable(t, C)", "t", json!([1, null, 3])),
        ("C.__len = nil setmetatable(t, C)", "#t", json!(3)),
        ("setmetatable(t, C)", "#t", json!(40)),
        ("setmetatable(t, C) t[1] = nil", "t", json!([null, null, 3])),
        ("setmetatable(t, C) t[3] = nil", "t", json!([1, null])),
        ("setmetatable(t, C) t[2] = 2", "t", json!([1, 2, 3])),
        ("setmetatable(t, C) t[4] = 4", "t", json!([1, null, 3, 4])),
        ("setmetatable(t, C) table.insert(t, 4) table.remove(t, 1)", "t", json!([null, 3, 4])),
        (
            "setmetatable(t, C) local n = 0 for _, v in pairs(t) do n = n + v end t[1] = n",
            "t",
            json!([4, null, 3]),
        ),
        ("setmetatable(t, C) t = json.array(t)", "{ t, t:first() }", json!([[1, null, 3], 1])),
        (
            "setmetatable(t, setmetatable({}, { __index = function(_, k) return k end }))",
            "t[2] == nil",
            json!(true),
        ),
        ("setmetatable(t, { __index = { x = 7 } })", "{ t.x, t.y == nil, t[1] }", json!([7, true, 1])),
        (
            "local log = {} setmetatable(t, { __newindex = log }) t[1] = 5 t.k = 6",
            "{ t, log }",
            json!([[5, null, 3], { "k": 6 }]),
        ),
        (
            "setmetatable(t, C) setmetatable(t, nil)",
            "{ t, t.first == nil, getmetatable(t) == false }",
            json!([[1, null, 3], true, true]),
        ),
        (
            "setmetatable(t, C) setmetatable(t, { __index = { y = 1 } })",
            "{ t.y, t.first == nil, t }",
            json!([1, true, [1, null, 3]]),
        ),
        ("local m = {} setmetatable(t, m) m.__index = { late = 1 }", "t.late", json!(1)),
        (
            "setmetatable(t, { __metatable = 'mine' })",
            "{ getmetatable(t), (pcall(setmetatable, t, {})) }",
            json!(["mine", false]),
        ),
        ("setmetatable(o, C) o.due = nil", "o", json!({ "n": 1 })),
        ("setmetatable(o, C) rawset(o, 'due', nil)", "o", json!({ "n": 1 })),
        (
            "setmetatable(o, C) o.due = 4",
            "{ o, o:first() == nil, o(1), getmetatable(o) == C }",
            json!([{ "due": 4, "n": 1 }, true, 2, true]),
        ),
        ("setmetatable(o, C) o.due = 4 o.due = nil", "o", json!({ "n": 1 })),
        ("setmetatable(o, C) o.n = nil", "o", json!({ "due": null })),
        ("setmetatable(o, C) setmetatable(o, nil) o.due = nil", "o", json!({ "n": 1 })),
        (
            "setmetatable(o, { __newindex = function(t, k, v) rawset(t, k, v and v * 10) end }) o.due = 4",
            "o",
            json!({ "due": 40, "n": 1 }),
        ),
        ("setmetatable(o, { __newindex = function() end }) o.due = nil", "o", json!({ "due": null, "n": 1 })),
        (
            "local log = {} setmetatable(o, { __newindex = log }) o.due = 3",
            "{ o, log }",
            json!([{ "due": null, "n": 1 }, { "due": 3 }]),
        ),
        ("setmetatable(o, C)", "o", json!({ "due": null, "n": 1 })),
    ] {
        assert_eq!(with(change, shown), expected, "{change}: {shown}");
    }
    let apart = Fixture::with_input(json!([{ "a": null }, { "a": null }]));
    assert_eq!(
        apart.result("setmetatable(input[1], {}) input[1].a = nil return input"),
        json!([{}, { "a": null }])
    );
    let nan = ticket().failure("\nsetmetatable(input.list, {})[0 / 0] = 1").message;
    assert_eq!(nan, "line 2: table index is NaN");
}

#[test]
fn outputs_of_inner_steps_give_themselves_as_result() {
    let body = json!({
        "fetch-pr": { "id": 1, "gone": null }, "own": { "result": 5, "x": 1 }, "null": { "result": null },
        "list": [1, 2], "holes": [1, null], "text": "t",
    });
    let fixture = Fixture { body: Some(body.clone()), prev: Some(body.clone()), ..Fixture::default() };
    for root in ["body", "loop.prev"] {
        for (read, expected) in [
            ("['fetch-pr'].id", json!(1)),
            (".fetch_pr.result.id", json!(1)),
            ("['fetch-pr'].result", body["fetch-pr"].clone()),
            (".fetch_pr.result.result.gone == nil", json!(true)),
            (".own.result", json!(5)),
            (".null.result == nil", json!(true)),
            (".list.result[2]", json!(2)),
            (".list.result", json!([1, 2])),
            (".holes.result", json!([1, null])),
            (".holes.result[2] == nil", json!(true)),
            (".text", json!("t")),
            (".missing == nil", json!(true)),
        ] {
            assert_eq!(
                fixture.result(&format!("return {{ v = {root}{read} }}"))["v"],
                expected,
                "{root}{read}"
            );
        }
        assert_eq!(fixture.result(&format!("return {root}")), body);
        assert_eq!(
            fixture.result(&format!(
                "{root}.fetch_pr.gone = nil {root}.fetch_pr.id = 2 return {root}['fetch-pr'].result"
            )),
            json!({ "id": 2 })
        );
    }
    assert_eq!(
        fixture.result("local n = 0 for k in pairs(body.own) do n = n + 1 end return { n, loop.iteration }"),
        json!([2, 2])
    );
}

#[test]
fn marks_outlast_metatables_that_are_taken_away_again() {
    let fixture = Fixture::with_input(json!({ "o": { "a": null, "b": 1 }, "e": [], "l": [1, 2] }));
    for name in ["o", "e", "l"] {
        for change in [
            "setmetatable(setmetatable(t, {}), nil)",
            "setmetatable(setmetatable(setmetatable(t, {}), nil), {})",
        ] {
            let script = format!("local t = input.{name} {change} return {{ v = t }}");
            assert_eq!(fixture.result(&script)["v"], fixture.input[name], "{script}");
        }
    }
    assert_eq!(result("return { v = setmetatable(setmetatable({}, {}), nil) }"), json!({ "v": {} }));
}
