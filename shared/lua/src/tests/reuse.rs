//! Scripts of a run that follow each other in one VM see nothing of each other. All other tests run their scripts in a VM
//! in which [`VANDAL`] ran before; these compare it with a new one.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{FailureKind, Limits, Pool};
use super::{Fixture, Ran};

/// Changes whatever lets itself be changed, and ends well.
pub(super) const VANDAL: &str = r#"
leak = "a global"
_G.leak_too = "another"
input.leak, run.leak, connection.leak, steps.leak = 1, 1, 1, { result = 1 }
for _, library in { string, table, math, coroutine, json, base64, crypto, time, uuid, utf8, getmetatable("").__index } do
    pcall(function() library.leak = function() return "leaked" end end)
    pcall(rawset, library, "leak", 1)
    for name in pairs(library) do
        pcall(rawset, library, name, nil)
        pcall(function() library[name] = nil end)
    end
end
pcall(function() getmetatable("").__index = { leak = 1 } end)
pcall(rawset, getmetatable(""), "__add", function() return "leaked" end)
pcall(setmetatable, json.null, { __index = { leak = 1 } })
pcall(setmetatable, json.array({}), { __index = { leak = 1 } })
local mine = json.decode('{"id":9007199254740993,"null":null,"list":[null,1]}')
pcall(function() mine.id.leak = 1 end)
pcall(rawset, mine.id, "leak", 1)
pcall(setmetatable, mine.id, { __index = { leak = 1 } })
pcall(function() mine.list.leak, mine.null = 1, 1 end)
pcall(setmetatable, mine, { __index = { leak = 1 } })
pcall(setmetatable, mine.list, { __index = { leak = 1 } })
id = mine.id
print, tostring, pairs, error, pcall_too = nil, nil, nil, nil, pcall
held = coroutine.wrap(function() while true do coroutine.yield(leak) end end)
held()
math.randomseed(7)
setmetatable(_G, { __index = function() return "leaked" end })
return {}
"#;

fn in_new_vm(script: &str) -> Ran {
    Fixture::default().run_in(&Pool::default(), script)
}

#[test]
fn a_script_finds_what_it_finds_in_a_new_vm() {
    // Every name and kind of value that can be reached, by way of globals, metatables and libraries.
    let script = r#"
        local seen, found = {}, {}
        local function visit(value, path)
            found[path] = type(value)
            if type(value) ~= "table" or seen[value] then return end
            seen[value] = true
            for key, inner in pairs(value) do visit(inner, path .. "." .. tostring(key)) end
            local meta = getmetatable(value)
            if meta then visit(meta, path .. ".metatable") end
        end
        visit(_G, "_G")
        visit(getmetatable(_G), "metatable of _G")
        visit(getmetatable(""), "metatable of text")
        visit(getmetatable(json.null), "metatable of null")
        visit(getmetatable(json.array({})), "metatable of arrays")
        local decoded = json.decode('{"id":9007199254740993,"null":null,"list":[null,1]}')
        visit(decoded, "decoded")
        found.id = tostring(decoded.id) .. tostring(pcall(function() return decoded.id.leak end))
        for _, name in { "string", "table", "math", "coroutine", "json", "base64", "crypto", "time", "uuid", "utf8", "print",
                         "tostring", "pairs", "error", "pcall", "leak", "leak_too", "held", "pcall_too" } do
            local ok, value = pcall(function() return _G[name] end)
            visit(value, name)
        end
        found.sum = tostring(pcall(function() return "1" + 1 end))
        return found
    "#;
    let (new, used) = (in_new_vm(script), Fixture::default().run(script));
    let found = new.result.as_ref().unwrap();
    assert_eq!(found["_G.metatable.__index.string.gsub"], "function", "{found:#}");
    assert_eq!(found["leak"], "nil");
    assert_eq!(new, used);
}

#[test]
fn random_numbers_do_not_follow_from_what_another_script_did() {
    let script = "return { math.random(), math.random(1000000) }";
    let pool = Pool::default();
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        Fixture::default().run_in(&pool, VANDAL).result.unwrap();
        let drawn = Fixture::default().run_in(&pool, script).result.unwrap();
        seen.insert(drawn.to_string());
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn what_is_printed_belongs_to_the_script_that_prints_it() {
    let pool = Pool::default();
    let first = Fixture::default().run_in(&pool, "print('first') return {}");
    let second = Fixture::default().run_in(&pool, "print('second') return {}");
    assert_eq!((first.log, second.log), (vec!["first".to_owned()], vec!["second".to_owned()]));
    assert_eq!(pool.kept().len(), 1);
}

#[test]
fn each_script_has_its_own_time() {
    let pool = Pool::default();
    Fixture::default().run_in(&pool, "return {}").result.unwrap();
    let short = Fixture::with_time(Duration::from_millis(30));
    let failure = short.run_in(&pool, "while true do end").result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(Fixture::default().run_in(&pool, "return { 1 }").result.unwrap(), json!([1]));
}

#[test]
fn a_vm_in_which_something_went_wrong_or_grew_is_not_used_again() {
    let small = Limits { memory_bytes: 8 * 1024 * 1024, ..Fixture::default().limits };
    for (script, fixture) in [
        ("error('no')", Fixture::default()),
        ("return nil", Fixture::default()),
        ("while true do end", Fixture::with_time(Duration::from_millis(30))),
        (
            "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
            Fixture { limits: small, ..Fixture::default() },
        ),
        ("kept = {} for i = 1, 100000 do kept[i] = { i } end return {}", Fixture::default()),
    ] {
        let pool = Pool::default();
        let _ = fixture.run_in(&pool, script);
        assert_eq!(pool.kept().len(), 0, "{script}");
        assert_eq!(Fixture::default().run_in(&pool, "return { 1 }").result.unwrap(), json!([1]), "{script}");
    }
}

#[test]
fn scripts_side_by_side_have_a_vm_each() {
    let pool = Pool::default();
    let script = "local n = 0 for i = 1, 200000 do n = n + i end x = (x or 0) + 1 return { x, n }";
    let results: Vec<Value> = std::thread::scope(|threads| {
        let run = || Fixture::default().run_in(&pool, script).result.unwrap();
        let running: Vec<_> = (0..8).map(|_| threads.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results, vec![json!([1, 20_000_100_000_i64]); 8]);
    assert!((1..=8).contains(&pool.kept().len()));
}
