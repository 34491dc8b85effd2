//! One VM: builds it, and for each script closes the sandbox around globals of its own, lends it the values that it may
//! read, runs it and reads its result.
//!
//! What scripts share is read-only: the library, the metatable of text, the prelude's functions. What they can change are
//! their own globals and what hangs from these, which nothing refers to any more once they have ended, and the state of
//! `math.random`, which begins anew with each of them. So no script can leave anything to another.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Function, LightUserData, Lua, LuaOptions, StdLib, Table, Value, VmState};
use serde_json::Value as Json;

use super::export::{self, Budget, Fault};
use super::failure::{CHUNK, split_line};
use super::import::Importer;
use super::native::Present;
use super::watch::Watch;
use super::{Failure, FailureKind, Globals, Limits, MAX_SCRIPT_BYTES, SyntaxError, native};

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
    let mutable = removed.iter().chain(&LENT).chain(lent).copied();
    Compiler::new().set_mutable_globals(mutable).set_disabled_builtins([
        "rawlen",
        "typeof",
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
const MOST_KEPT: usize = 1024 * 1024;

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
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::COROUTINE;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let pcall = lua.globals().raw_get("pcall")?;
        let reseed = lua.globals().raw_get::<Table>("math")?.raw_get("randomseed")?;
        furnish(&lua)?;
        Ok(Self { lua, pcall, reseed })
    }

    /// Whether another script may follow one that has ended well.
    pub(super) fn can_be_kept(&self) -> bool {
        self.lua.used_memory() <= MOST_KEPT
    }

    /// Runs a compiled script. Whether it was stopped is for the caller to ask the watch.
    pub(super) fn execute(
        &self,
        (script, bytecode): (&str, Vec<u8>),
        globals: &Globals<'_>,
        limits: &Limits,
        present: Present,
    ) -> Result<Json, Failure> {
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
    static PRELUDE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    // Without line information the prelude's own lines stay out of messages.
    let compile = || Compiler::new().set_debug_level(0).compile(include_str!("prelude.lua")).ok();
    let Some(prelude) = PRELUDE.get_or_init(compile) else {
        return Err(mlua::Error::runtime("the prelude does not compile"));
    };
    let prelude = lua.load(prelude.as_slice()).set_mode(ChunkMode::Binary).set_name("=prelude");
    let null: Table = prelude.call(native::table(lua)?)?;
    lua.set_type_metatable::<LightUserData>(Some(null));
    Ok(())
}

/// Sets the globals that hold the values a script may read.
fn lend(lua: &Lua, globals: &Globals<'_>, limits: &Limits) -> Result<(), Failure> {
    let host = |error: mlua::Error| Failure::host(&error, limits);
    let importer = Importer::new(lua);
    // The limit itself would make loading several times slower; asked after every value, it can be passed by one.
    let import = |json: &Json| {
        let value = importer.member(json).map_err(host)?;
        if lua.used_memory() > limits.memory_bytes { Err(Failure::memory(limits)) } else { Ok(value) }
    };
    let environment = lua.globals();
    for (name, json) in [("input", globals.input), ("run", globals.run), ("connection", globals.connection)] {
        environment.raw_set(name, import(json)?).map_err(host)?;
    }
    for (name, json) in globals.extra {
        environment.raw_set(*name, import(json)?).map_err(host)?;
    }
    let steps = lua.create_table().map_err(host)?;
    let aliases = lua.create_table().map_err(host)?;
    for (id, view) in globals.steps {
        let view = import(view)?;
        // Of two ids with the same alias the first has it; an id that is spelt so has precedence over both.
        let alias = id.replace('-', "_");
        if alias != *id && !aliases.contains_key(alias.as_str()).map_err(host)? {
            aliases.raw_set(alias, &view).map_err(host)?;
        }
        steps.raw_set(*id, view).map_err(host)?;
    }
    if !aliases.is_empty() {
        let metatable = lua.create_table_from([("__index", aliases)]).map_err(host)?;
        steps.set_metatable(Some(metatable)).map_err(host)?;
    }
    environment.raw_set("steps", steps).map_err(host)
}

/// Reads what the script returned.
fn result(value: &Value, limits: &Limits, watch: &Watch) -> Result<Json, Failure> {
    let wrong_type = |message: &str| Failure::new(FailureKind::ReturnType, message);
    if !value.is_table() {
        let article = match value {
            Value::Nil => "nothing".to_owned(),
            _ if value.is_null() => "json.null".to_owned(),
            other => format!("a {}", export::type_name(other)),
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
    if fits(&json, limits.result_bytes) { Ok(json) } else { Err(Failure::too_large(limits)) }
}

/// Whether `json` as compact text has at most `limit` bytes.
fn fits(json: &Json, limit: usize) -> bool {
    struct Meter(usize);

    impl Write for Meter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    serde_json::to_writer(Meter(limit), json).is_ok()
}
