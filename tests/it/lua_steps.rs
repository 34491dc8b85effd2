//! Scripts that mean harm, as steps of runs: each ends as its own failed step within its limits, and the
//! process lives on. The sandbox itself is tested where it is.

use std::time::{Duration, Instant};

use it::{TestApp, Workspace, graph, lua, lua_after};
use serde_json::{Value, json};

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

/// Runs each script as the only step of a run, and expects it to fail with its code.
async fn all_fail(acme: &Workspace, timeout_s: f64, scripts: &[(&str, &str)]) {
    let begun = Instant::now();
    let mut runs = Vec::new();
    for (script, _) in scripts {
        let mut step = lua("bad", script);
        step["timeout_s"] = json!(timeout_s);
        let id = acme.publish(&graph([step])).await;
        runs.push((acme.start(&id, json!({})).await, id));
    }
    for ((run, id), (script, code)) in runs.iter().zip(scripts) {
        let run = acme.finished(id, run).await;
        assert_eq!(run["status"], "failed", "{script}: {run:#}");
        assert_eq!(
            (&run["failure_code"], &run["failed_step_id"]),
            (&json!(code), &json!("bad")),
            "{script}: {run:#}"
        );
        assert!(run["error"].as_str().is_some_and(|text| !text.is_empty()), "{script}: {run:#}");
    }
    // Generous: the machine may be busy. Without limits these scripts run for ever.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let good = acme.run(&graph([lua("good", "return { sum = 1 + 1 }")]), json!({})).await;
    assert_eq!(good["outputs"]["good"]["sum"], 2, "the process lives on: {good:#}");
}

#[tokio::test]
async fn scripts_that_never_end_are_ended() {
    let (_app, acme) = acme().await;
    let scripts = [
        ("while true do end", "LUA_TIMEOUT"),
        ("while true do pcall(function() while true do end end) end", "LUA_TIMEOUT"),
        ("pcall(function() while true do end end) return { still = 'here' }", "LUA_TIMEOUT"),
        ("string.gsub('a', '.', function() while true do end end)", "LUA_TIMEOUT"),
        (
            "string.gsub(string.rep('a', 1e6), '.', function() pcall(function() while true do end end) end)",
            "LUA_TIMEOUT",
        ),
        ("return { string.find(string.rep('a', 100000), '.-.-.-.-.-.-b') }", "LUA_TIMEOUT"),
        ("table.sort({ 3, 2, 1 }, function() while true do end end)", "LUA_TIMEOUT"),
        ("coroutine.wrap(function() while true do end end)()", "LUA_TIMEOUT"),
        ("return setmetatable({}, { __index = function() while true do end end }).x", "LUA_TIMEOUT"),
    ];
    all_fail(&acme, 0.2, &scripts).await;
}

#[tokio::test]
async fn scripts_that_want_too_much_are_refused() {
    let (_app, acme) = acme().await;
    let scripts = [
        ("return { x = string.rep('x', 1024 * 1024 * 1024) }", "LUA_MEMORY"),
        ("local s = 'x' while true do s = s .. s end", "LUA_MEMORY"),
        ("local t = {} for i = 1, 1e9 do t[i] = { i } end return t", "LUA_MEMORY"),
        (
            "pcall(function() local s = string.rep('x', 1024 * 1024 * 1024) end) local s = 'x' while true do s = s .. s end",
            "LUA_MEMORY",
        ),
        ("return { x = string.rep('x', 2 * 1024 * 1024) }", "RESULT_TOO_LARGE"),
        ("local function f() return 1 + f() end return { f() }", "LUA_ERROR"),
        ("local t = {} for i = 1, 1000 do t = { t } end return t", "LUA_RETURN_TYPE"),
        ("local t = {} t.t = t return t", "LUA_RETURN_TYPE"),
        ("return { f = print }", "LUA_RETURN_TYPE"),
        ("return 'text'", "LUA_RETURN_TYPE"),
        ("return", "LUA_RETURN_TYPE"),
    ];
    all_fail(&acme, 10.0, &scripts).await;
}

#[tokio::test]
async fn scripts_that_reach_for_the_host_find_nothing() {
    let (_app, acme) = acme().await;
    let scripts = [
        ("return { os.time() }", "LUA_ERROR"),
        ("os.execute('true')", "LUA_ERROR"),
        ("return { io.open('/etc/passwd') }", "LUA_ERROR"),
        ("return { debug.getinfo(1) }", "LUA_ERROR"),
        ("return { debug.info(1, 's') }", "LUA_ERROR"),
        ("return { load('return 1')() }", "LUA_ERROR"),
        ("return { loadstring('return 1')() }", "LUA_ERROR"),
        ("return { dofile('/etc/passwd') }", "LUA_ERROR"),
        ("return { require('os') }", "LUA_ERROR"),
        ("getmetatable('').__index = function() return 'mine' end return {}", "LUA_ERROR"),
        ("getmetatable('').__index.upper = function() return 'mine' end return {}", "LUA_ERROR"),
        ("string.upper = function() return 'mine' end return {}", "LUA_ERROR"),
        ("rawset(string, 'upper', nil) return {}", "LUA_ERROR"),
        ("setmetatable(string, {}) return {}", "LUA_ERROR"),
    ];
    all_fail(&acme, 5.0, &scripts).await;
    let names = [
        "os",
        "io",
        "debug",
        "load",
        "loadstring",
        "dofile",
        "require",
        "collectgarbage",
        "package",
        "loadfile",
        "newproxy",
    ];
    let body: Vec<String> = names.iter().map(|name| format!("{name} = type({name})")).collect();
    let run = acme.run(&graph([lua("a", &format!("return {{ {} }}", body.join(", ")))]), json!({})).await;
    for name in names {
        assert_eq!(run["outputs"]["a"][name], "nil", "{name}: {run:#}");
    }
}

#[tokio::test]
async fn two_runs_cannot_see_each_others_globals() {
    let (_app, acme) = acme().await;
    let script = "
        local seen = { mine = mine, g = _G.secret, upper = ('x'):upper(), k = input.k }
        mine = 'secret ' .. input.k
        _G.secret = mine
        pcall(function() string.upper = function() return 'stolen' end end)
        pcall(function() getmetatable('').__index.upper = function() return 'stolen' end end)
        pcall(function() table.insert = nil end)
        pcall(function() rawset(_G, 'pairs', nil) end)
        input.k = 'changed'
        local n = 0 for i = 1, 200000 do n = n + 1 end
        return seen";
    let id = acme.publish(&graph([lua("one", script), lua("other", script)])).await;
    let mut runs = Vec::new();
    for k in 0..4 {
        runs.push(acme.start(&id, json!({ "k": k })).await);
    }
    for (run, k) in runs.iter().zip(0..) {
        let run = acme.finished(&id, run).await;
        let expected: Value = json!({ "upper": "X", "k": k });
        assert_eq!(run["outputs"], json!({ "one": expected, "other": expected }), "{run:#}");
        let input = acme.of_run(&run, "context").await["input"].clone();
        assert_eq!(input, json!({ "k": k }), "a script cannot change what others read");
    }
}

#[tokio::test]
async fn messages_of_failed_scripts_tell_nothing_of_the_host() {
    let (_app, acme) = acme().await;
    for script in ["error({ code = 7 })", "error()", "local x = nil + 1", "string.rep()", "json.decode('{')"]
    {
        let run = acme.run(&graph([lua("a", script)]), json!({})).await;
        let error = run["error"].as_str().unwrap();
        for hint in [".rs", "/work", "mlua", "panicked", "stack traceback", "runtime error"] {
            assert!(!error.contains(hint), "{script}: {error}");
        }
    }
}

#[tokio::test]
async fn ids_and_nulls_survive_scripts() {
    let (_app, acme) = acme().await;
    let input = json!({
        "id": 9_007_199_254_740_993_u64, "hash": u64::MAX, "min": i64::MIN, "x": 0.999_999_999_999_999_9, "assignee": null,
        "tags": ["a", null], "none": [], "sub": { "due": null, "rows": [{ "a": null }, null] },
    });
    let first = lua(
        "first",
        "return { id = input.id, text = tostring(input.id) .. '/' .. string.format('%d', input.hash), ticket = input }",
    );
    let second = lua_after(
        "second",
        &["first"],
        "local ticket = steps.first.result.ticket
         return { first = steps.first.result, ticket = ticket, same = steps.first.result.id == input.id, seen = { [input.id] = #ticket.tags },
                  open = ticket.assignee == nil and ticket.tags[2] == nil }",
    );
    let run = acme.run(&graph([first, second]), input.clone()).await;
    assert_eq!(
        run["outputs"]["second"],
        json!({
            "first": { "id": input["id"], "text": "9007199254740993/18446744073709551615", "ticket": input },
            "ticket": input, "same": true, "seen": { "9007199254740993": 2 }, "open": true,
        })
    );
}

#[tokio::test]
async fn cut_characters_fail_with_path_step_and_utf8() {
    let (_app, acme) = acme().await;
    let cut = lua("cut-name", "return { people = { { name = string.sub('Zoë', 1, 3) } } }");
    let id = acme.publish(&graph([cut])).await;
    let run = acme.start(&id, json!({})).await;
    let run = acme.finished(&id, &run).await;
    assert_eq!(run["failure_code"], "LUA_RETURN_TYPE");
    let error = run["error"].as_str().unwrap();
    for part in ["cut-name", "result.people[1].name", "utf8.offset"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn literals_beyond_2_53_are_warned_of() {
    let (_app, acme) = acme().await;
    let graph = graph([lua("a", "local x = 1\nreturn { same = input.id == 9007199254740993 }")]);
    let body = json!({ "graph": graph, "params": { "id": 1 } });
    let report = acme.client.post("/v1/workflows/validate", &body).await.expect(200);
    assert_eq!(report["valid"], true, "{report:#}");
    let issues = report["issues"].as_array().unwrap();
    let issue = issues.iter().find(|issue| issue["code"] == "lua_number_inexact").unwrap();
    assert_eq!(
        (&issue["severity"], &issue["step_id"], &issue["json_path"]),
        (&json!("warning"), &json!("a"), &json!("$.steps[0].script"))
    );
    assert!(
        issue["message"].as_str().unwrap().starts_with("line 2: 9007199254740993 is beyond 2^53"),
        "{issue:#}"
    );
}
