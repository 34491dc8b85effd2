//! One VM: builds it, and for each script closes the sandbox around globals of its own, lends it the values that it may
//! read, runs it and reads its result.
//!
//! What scripts share is read-only: the library, the metatable of text, the prelude's functions. What they can change are
//! their own globals and what hangs from these, which nothing refers to any more once they have ended, and the state of
//! `math.random`, which begins anew with each of them. So no script can leave anything to another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Function, LightUserData, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::export::{self, Budget, Fault};
use super::failure::{CHUNK, Failure, FailureKind, LIBRARY_CHUNK, SyntaxError, split_line};
use super::globals::{Globals, Lent};
use super::import::Importer;
use super::integer::type_name;
use super::limits::{Limits, MAX_SCRIPT_BYTES};
use super::native::{self, Present, known_values};
use super::values::Values;
use super::watch::Watch;

/// Globals that hold values of the run, whichever of them a step has.
const LENT: [&str; 4] = ["input", "steps", "run", "connection"];

/// Compiles a script, or says what keeps it from compiling. `lent` names the globals beside those every script has.
pub(super) fn compile(script: &str, lent: &[&str]) -> Result<Vec<u8>, SyntaxError> {
    if script.len() > MAX_SCRIPT_BYTES {
        let message =
            format!("the script has {} bytes; at most {MAX_SCRIPT_BYTES} are allowed", script.len());
        return Err(SyntaxError { line: None, message });
    }
    compiler(lent).compile(script).map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => {
            // The compiler's messages begin `<line>: `.
            let positioned = format!("{CHUNK}:{message}");
            let (line, message) = split_line(&positioned);
            SyntaxError { line, message: message.to_owned() }
        }
        _ => SyntaxError { line: None, message: "the script cannot be compiled".to_owned() },
    })
}

/// The compiler takes two liberties that have to be refused. It reads `global.field` when a script is loaded, so it
/// must know which globals hold tables that scripts change. And it runs built-in functions by their name, even where
/// the library lacks them, so it must know which names mean nothing here.
fn compiler(lent: &[&str]) -> Compiler {
    let removed = ["bit32", "buffer", "integer", "vector"];
    // `for k, v in next, t` would not call it.
    let replaced = ["next"];
    let mutable = removed.iter().chain(&replaced).chain(&LENT).chain(lent).copied();
    Compiler::new().set_mutable_globals(mutable).set_disabled_builtins([
        "rawlen",
        "typeof",
        // Replaced for more than what the built-in ones leave to the function.
        "rawget",
        "rawset",
        "table.unpack",
        "tonumber",
        "type",
        "unpack",
        "math.clamp",
        "math.isfinite",
        "math.isinf",
        "math.isnan",
        "math.lerp",
        "math.round",
        "math.sign",
    ])
}

/// What a VM may hold between two scripts: several times what an empty one does. Garbage counts to it.
const MAX_KEPT: usize = 1024 * 1024;

/// A machine that runs scripts, one at a time.
#[derive(Debug)]
pub(super) struct Vm {
    lua: Lua,
    pcall: Function,
    reseed: Function,
}

impl Vm {
    /// A machine with the library and nothing else.
    pub(super) fn new() -> mlua::Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::COROUTINE | StdLib::UTF8;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let pcall = lua.globals().raw_get("pcall")?;
        let reseed = lua.globals().raw_get::<Table>("math")?.raw_get("randomseed")?;
        furnish(&lua)?;
        Ok(Self { lua, pcall, reseed })
    }

    /// Whether another script may follow one that has ended well.
    pub(super) fn can_be_kept(&self) -> bool {
        self.lua.used_memory() <= MAX_KEPT
    }

    /// Runs a compiled script. Whether it was stopped is for the caller to ask the watch.
    pub(super) fn execute(
        &self,
        (script, bytecode): (&str, Vec<u8>),
        globals: &Globals<'_>,
        limits: &Limits,
        present: Present,
    ) -> Result<String, Failure> {
        let host = |error: mlua::Error| Failure::host(&error, limits);
        let lua = &self.lua;
        let watch = Arc::clone(&present.watch);
        lua.set_app_data(present);
        self.close_sandbox().map_err(host)?;
        lend(lua, globals, limits)?;
        let environment = lua.globals();
        environment.raw_set("_G", &environment).map_err(host)?;
        // The VM caches what globals hold, which is right as long as they are not changed behind its back.
        environment.set_safeenv(!script.contains("_G"));
        let main = lua.load(bytecode).set_mode(ChunkMode::Binary).set_name(format!("={CHUNK}"));
        let main = main.into_function().map_err(host)?;

        lua.set_memory_limit(limits.memory_bytes).map_err(host)?;
        let clock = Arc::clone(&watch);
        let pressure = Pressure::new(lua, limits.memory_bytes);
        lua.set_interrupt(move |lua| {
            clock.interrupt()?;
            pressure.relieve(lua)?;
            Ok(VmState::Continue)
        });
        let (returned, value): (bool, Value) = self.pcall.call(main).map_err(host)?;
        lua.remove_interrupt();
        // No script code runs from here on; reading must not fail for want of the script's memory.
        lua.set_memory_limit(0).map_err(host)?;
        let outcome =
            if returned { result(&value, limits, &watch) } else { Err(Failure::raised(&value, limits)) };
        // The last look at the clock: throwing the VM away is not the script's time.
        watch.check().map_err(|stop| Failure::stopped(stop, limits))?;
        outcome
    }

    /// Makes everything read-only that is there, with new globals before it.
    fn close_sandbox(&self) -> mlua::Result<()> {
        self.lua.sandbox(false)?;
        self.lua.sandbox(true)?;
        self.reseed.call(rand::random::<i32>())
    }
}

/// Collects garbage before it fills the memory. The VM's own collector works in small steps, one per allocation, so
/// that a script which makes large strings one after the other would run out of memory on garbage alone.
struct Pressure {
    limit: usize,
    /// The use of memory at which to collect next: half-way between what was alive last time and the limit, and not
    /// in ever smaller steps, so that a script close to its limit does not spend its time on collecting.
    next: AtomicUsize,
}

impl Pressure {
    fn new(lua: &Lua, limit: usize) -> Self {
        let pressure = Self { limit, next: AtomicUsize::new(0) };
        pressure.measure(lua);
        pressure
    }

    fn measure(&self, lua: &Lua) {
        let alive = lua.used_memory();
        let next = alive + (self.limit.saturating_sub(alive) / 2).max(self.limit / 32);
        self.next.store(next, Ordering::Relaxed);
    }

    fn relieve(&self, lua: &Lua) -> mlua::Result<()> {
        if lua.used_memory() > self.next.load(Ordering::Relaxed) {
            lua.gc_collect()?;
            self.measure(lua);
        }
        Ok(())
    }
}

/// Takes out of the VM what scripts must not have, and adds the step library.
fn furnish(lua: &Lua) -> mlua::Result<()> {
    static VALUES: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    static TABLES: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    static INTEGERS: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    static PRELUDE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let native = native::table(lua)?;
    let values: Table = library(lua, &VALUES, include_str!("values.lua"))?.call(&native)?;
    library(lua, &TABLES, include_str!("tables.lua"))?.call::<()>(&native)?;
    native.raw_set("array", values.raw_get::<Table>("array")?)?;
    let metamethods: Table = library(lua, &INTEGERS, include_str!("integers.lua"))?.call(&native)?;
    lua.set_app_data(Values::new(lua, &values, &metamethods)?);
    let null: Table = library(lua, &PRELUDE, include_str!("prelude.lua"))?.call(native)?;
    lua.set_type_metatable::<LightUserData>(Some(null));
    Ok(())
}

/// A part of the library that is written in Lua, compiled once.
fn library(lua: &Lua, compiled: &OnceLock<Option<Vec<u8>>>, source: &str) -> mlua::Result<Function> {
    // Without line information its own lines stay out of messages.
    let compile = || Compiler::new().set_debug_level(0).compile(source).ok();
    let Some(bytecode) = compiled.get_or_init(compile) else {
        return Err(mlua::Error::runtime("the library does not compile"));
    };
    lua.load(bytecode.as_slice())
        .set_mode(ChunkMode::Binary)
        .set_name(format!("={LIBRARY_CHUNK}"))
        .into_function()
}

/// Sets the globals that hold the values a script may read.
fn lend(lua: &Lua, globals: &Globals<'_>, limits: &Limits) -> Result<(), Failure> {
    let host = |error: mlua::Error| Failure::host(&error, limits);
    let values = known_values(lua).map_err(host)?;
    if lua.used_memory() > limits.memory_bytes {
        return Err(Failure::memory(limits));
    }
    let importer = Importer::lending(lua, &values, limits.memory_bytes);
    let import = |lent: &Lent<'_>| importer.lent(lent).map_err(|error| Failure::of_lending(&error, limits));
    let environment = lua.globals();
    for (name, json) in [("input", globals.input), ("run", globals.run), ("connection", globals.connection)] {
        environment.raw_set(name, import(&json.into())?).map_err(host)?;
    }
    for (name, lent) in globals.extra {
        environment.raw_set(*name, import(lent)?).map_err(host)?;
    }
    let mut steps = Vec::with_capacity(globals.steps.len());
    for (id, view) in globals.steps {
        steps.push((*id, import(view)?));
    }
    environment.raw_set("steps", by_id(lua, steps).map_err(host)?).map_err(host)?;
    let outputs = |texts: &[(&str, &str)]| {
        let mut outputs = Vec::new();
        for (id, json) in texts {
            let output = import(&(*json).into())?;
            if let Value::Table(table) = &output {
                values.make_output(table).map_err(host)?;
            }
            outputs.push((*id, output));
        }
        by_id(lua, outputs).map_err(host)
    };
    if let Some(body) = globals.body {
        environment.raw_set("body", outputs(body)?).map_err(host)?;
    }
    if let Some((iteration, prev)) = globals.iteration {
        let table = lua.create_table_from([("iteration", iteration)]).map_err(host)?;
        table.raw_set("prev", outputs(prev)?).map_err(host)?;
        environment.raw_set("loop", table).map_err(host)?;
    }
    Ok(())
}

/// A table of values by step id, where an id with hyphens can also be written with underscores.
fn by_id(lua: &Lua, values: Vec<(&str, Value)>) -> mlua::Result<Table> {
    let (table, aliases) = (lua.create_table()?, lua.create_table()?);
    for (id, value) in values {
        // Of two ids with the same alias the first has it; an id that is spelt so has precedence over both.
        let alias = id.replace('-', "_");
        if alias != id && !aliases.contains_key(alias.as_str())? {
            aliases.raw_set(alias, &value)?;
        }
        table.raw_set(id, value)?;
    }
    if !aliases.is_empty() {
        table.set_metatable(Some(lua.create_table_from([("__index", aliases)])?))?;
    }
    Ok(table)
}

/// Reads what the script returned.
fn result(value: &Value, limits: &Limits, watch: &Watch) -> Result<String, Failure> {
    let wrong_type = |message: &str| Failure::new(FailureKind::ReturnType, message);
    if !value.is_table() {
        let article = match value {
            Value::Nil => "nothing".to_owned(),
            _ if value.is_null() => "json.null".to_owned(),
            other => format!("a {}", type_name(other)),
        };
        return Err(wrong_type(&format!("the script must return a table, but it returned {article}")));
    }
    // Every value takes at least one byte, and a separator or a bracket.
    let budget = Budget { bytes: limits.result_bytes, nodes: limits.result_bytes / 2 + 1 };
    let json = export::to_json(value, "result", budget, Some(watch)).map_err(|fault| match fault {
        Fault::Value { place, problem } => wrong_type(&format!("{place}: {problem}")),
        Fault::TooLarge => Failure::too_large(limits),
        Fault::Stopped(stop) => Failure::stopped(stop, limits),
        Fault::Host(error) => Failure::host(&error, limits),
    })?;
    if json.len() <= limits.result_bytes { Ok(json) } else { Err(Failure::too_large(limits)) }
}
