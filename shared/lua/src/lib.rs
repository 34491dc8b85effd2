//! The Lua sandbox: runs one script of a workflow against the values it may read and gives back the
//! table it returned as JSON, with what it printed.
//!
//! A VM has the library of `workflow-language.md` (section *Lua*) and nothing else. Every script gets one to itself
//! with globals of its own; only scripts of the same run follow each other in one, when they end well, and see nothing
//! of each other (`vm.rs` says why). Time, memory and the size of the result are bounded whatever the script does; an
//! overrun is a [`Failure`], never a crash. Loading the values a script may read, choosing a thread to block and
//! settling the step are left to the caller.
//!
//! # How JSON and Lua values correspond
//!
//! **Numbers.** A number is a double, and every text made of one (`tostring`, `..`, `%s`, JSON) is the shortest that reads back
//! as the same; whole ones within ±2⁵³ have no point (`12.0` is `12`), and negative zero keeps its sign. An integer of JSON
//! beyond ±2⁵³, of up to 64 bits, keeps its digits (`integer.rs`):
//!
//! - `type` says `number`; equal ones are equal with `==`, and as keys of a table;
//! - text made of it has all digits: `tostring`, `..`, `%d`, `%s`, `%.0f`, `%x`, `print`, `table.concat`, JSON; functions of
//!   `string` take it as its digits, as they take other numbers;
//! - two of them compare with `<` and `<=`; against an ordinary number that is an error which names `tonumber`. `==` with an
//!   ordinary number is false, also with a literal of the same digits, which is a double (validation warns of it:
//!   [`inexact_literals`]). `json.decode("9007199254740993")` makes one;
//! - `+`, `-`, `*`, `//`, `%`, unary minus, `math.abs/fmod` with another one or with an ordinary whole number are exact;
//!   more than 64 bits are an error. A result within ±2⁵³ is an ordinary number. `/`, `^` and fractions give ordinary
//!   numbers, which round. `math.floor/ceil/modf/max/min` keep it as it is;
//! - `tonumber` gives the nearest ordinary number, of such an integer and of text.
//!
//! **Null.** A `null` reads as nil, in objects and in arrays (`values.rs`):
//!
//! - an object keeps its nulls when it is handed on, whole or as part of something else, except those that the script
//!   assigned: nil removes such a key, a value replaces it. `pairs` and `next` pass over nulls, so that a copy made with them
//!   has none;
//! - an array goes by its length in JSON: `#`, `ipairs`, `unpack`, `table.insert/remove/sort/concat/foreachi/getn`. A null moves
//!   with its place; `pairs` passes over it. Assigning nil within the array makes a null, at the end it shortens the array;
//!   inserting nil within it inserts a null;
//! - a script makes a null with `json.null`, which is not nil and not falsy. It stays so for the script that made it.
//! - a metatable that a script sets works beside that: `__index` and `__newindex` are asked for nulls as for what is not there.
//!
//! **Tables.**
//!
//! - An array of JSON, and what went through `json.array`, is known to be one: it goes out as `[]` when it is empty, and what
//!   a script left unset between its elements goes out as nulls.
//! - Any other table is an array when its keys are exactly 1..n; an empty one is `{}`, and every other is an object, of which
//!   number keys become their text (`{10, nil, 30}` is `{"1":10,"3":30}`). Two keys with the same text are an error.
//! - NaN, the infinities, functions, coroutines, cycles, text that is not UTF-8, keys that are neither text nor numbers, and
//!   tables nested deeper than [`MAX_DEPTH`] are errors, which name the place (`result.items[3].callback`).
//! - Metatables are ignored: no script code runs while its result is read.

mod export;
mod failure;
mod globals;
mod import;
mod integer;
mod lexer;
mod limits;
mod literals;
mod log;
mod native;
mod outcome;
mod references;
mod search;
mod trouble;
mod values;
mod vm;
mod watch;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::failure::{Failure, FailureKind, SyntaxError};
pub use self::globals::{Globals, Lent};
pub use self::limits::{Limits, MAX_DEPTH, MAX_SCRIPT_BYTES};
pub use self::literals::{InexactLiteral, inexact_literals};
pub use self::outcome::Outcome;
pub use self::references::{StepReferences, step_references};
pub use self::watch::Cancel;

use self::native::Present;
use self::vm::Vm;

/// The VMs in which the scripts of one run are executed, one after the other or side by side. Building one takes longer
/// than most scripts do, so those in which all went well are kept.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Vm>>);

impl Pool {
    /// Runs `script` to its end and returns what came of it. Blocks for up to `limits.time` (a single library call on
    /// values near the memory limit can add some tenths of a second), so it belongs on a thread that may block.
    ///
    /// Never panics and never returns early because of what the script does. After [`Cancel::cancel`] the script ends
    /// at its next instruction that can be interrupted, as [`FailureKind::Cancelled`].
    #[must_use]
    pub fn run(&self, script: &str, globals: &Globals<'_>, limits: &Limits, cancel: &Cancel) -> Outcome {
        let watch = Arc::new(watch::Watch::new(limits.time, cancel.clone()));
        let log = Arc::new(log::Log::default());
        let present = Present { watch: Arc::clone(&watch), log: Arc::clone(&log) };
        // A panic can only be a defect of the engine's binding; it must cost this step, not the worker.
        let attempt = catch_unwind(AssertUnwindSafe(|| self.attempt(script, globals, limits, present)));
        let result = attempt.unwrap_or_else(|_| Err(Failure::error("the script engine failed")));
        // Over the result, because a script can catch the error that the interrupt raises and return as if nothing
        // were.
        let result = watch.stopped().map_or(result, |stop| Err(Failure::stopped(stop, limits)));
        Outcome { result, log: log.take() }
    }

    fn attempt(
        &self,
        script: &str,
        globals: &Globals<'_>,
        limits: &Limits,
        present: Present,
    ) -> Result<String, Failure> {
        let lent: Vec<_> = globals.extra.iter().map(|(name, _)| *name).chain(["body", "loop"]).collect();
        let bytecode = vm::compile(script, &lent)?;
        let kept = self.kept().pop();
        let vm = kept.map_or_else(Vm::new, Ok).map_err(|error| Failure::host(&error, limits))?;
        let result = vm.execute((script, bytecode), globals, limits, present)?;
        if vm.can_be_kept() {
            self.kept().push(vm);
        }
        Ok(result)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles `script` without running it.
///
/// # Errors
///
/// The first thing that keeps it from compiling, with its line where there is one; or that it is longer than
/// [`MAX_SCRIPT_BYTES`].
pub fn check(script: &str) -> Result<(), SyntaxError> {
    vm::compile(script, &[]).map(drop)
}
