//! Why a script has no result: the kinds the run's events know, and messages that an author can act on. They
//! name the author's line and nothing of the host.

use std::fmt;

use mlua::Value;

use super::export::{self, Budget};
use super::integer::type_name;
use super::limits::Limits;
use super::log::truncate;
use super::watch::Stop;

/// The longest message, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 * 1024;

/// The name under which the VM knows the author's script; its messages begin `script:<line>: `.
pub(super) const CHUNK: &str = "script";
/// The same of the library's parts that are written in Lua; `values.lua` takes it out of what scripts catch.
pub(super) const LIBRARY_CHUNK: &str = "prelude";

/// What the VM says when an allocation would pass the limit, also through `pcall`.
const OUT_OF_MEMORY: [&str; 4] =
    ["not enough memory", "resulting string too large", "buffer too large", "memory allocation error"];

/// A script that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct SyntaxError {
    /// The line, from 1, where there is one to name.
    pub line: Option<u32>,
    /// What is wrong there.
    pub message: String,
}

/// Which promise a script broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It raised an error or does not compile.
    Error,
    /// It ran past [`Limits::time`].
    Timeout,
    /// It needed more than [`Limits::memory_bytes`].
    Memory,
    /// What it may read needs more than that by itself.
    InputTooLarge,
    /// It returned something other than a table, or a table that is not JSON.
    ReturnType,
    /// Its result is larger than [`Limits::result_bytes`].
    ResultTooLarge,
    /// The caller cancelled it. No step fails with this: whoever cancels drops the outcome.
    Cancelled,
}

impl FailureKind {
    /// The failure code that events and the API carry.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Error => "LUA_ERROR",
            Self::Timeout => "LUA_TIMEOUT",
            Self::Memory => "LUA_MEMORY",
            Self::InputTooLarge => "STEP_INPUT_TOO_LARGE",
            Self::ReturnType => "LUA_RETURN_TYPE",
            Self::ResultTooLarge => "RESULT_TOO_LARGE",
            Self::Cancelled => "RUN_STOPPED",
        }
    }
}

/// Why a script has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which promise it broke.
    pub kind: FailureKind,
    /// For the author: what happened and on which line, at most 2 KiB.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.kind.code(), self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(super) fn new(kind: FailureKind, message: &str) -> Self {
        Self { kind, message: truncate(message, MAX_MESSAGE_BYTES).to_owned() }
    }

    pub(super) fn error(message: &str) -> Self {
        Self::new(FailureKind::Error, message)
    }

    pub(super) fn memory(limits: &Limits) -> Self {
        let limit = size(limits.memory_bytes);
        Self::new(
            FailureKind::Memory,
            &format!("the script and the values it reads need more than {limit} of memory"),
        )
    }

    /// From an error while the values were read into the VM that the script may read.
    pub(super) fn of_lending(error: &mlua::Error, limits: &Limits) -> Self {
        if !is_memory_error(error) {
            return Self::host(error, limits);
        }
        let limit = size(limits.memory_bytes);
        let message = format!(
            "the values that the script may read take more than {limit} of memory. Name the steps that it needs \
             (steps.fetch, not pairs(steps)), or let the steps before it return less"
        );
        Self::new(FailureKind::InputTooLarge, &message)
    }

    pub(super) fn too_large(limits: &Limits) -> Self {
        let limit = size(limits.result_bytes);
        Self::new(FailureKind::ResultTooLarge, &format!("the result is larger than {limit} of JSON"))
    }

    pub(super) fn stopped(stop: Stop, limits: &Limits) -> Self {
        match stop {
            Stop::Deadline => {
                Self::new(FailureKind::Timeout, &format!("the script ran longer than {:?}", limits.time))
            }
            Stop::Cancelled => Self::new(FailureKind::Cancelled, "the script was cancelled"),
        }
    }

    /// From what the script raised and did not catch.
    pub(super) fn raised(value: &Value, limits: &Limits) -> Self {
        match value {
            Value::Error(error) => Self::host(error, limits),
            Value::String(text) => {
                let text = text.to_string_lossy();
                if is_out_of_memory(&text) { Self::memory(limits) } else { Self::error(&with_line(&text)) }
            }
            Value::Nil => Self::error("the script raised an error without a message"),
            Value::Boolean(_) | Value::Integer(_) | Value::Number(_) | Value::Table(_) => {
                Self::error(&as_json(value))
            }
            Value::UserData(_) if type_name(value) == "number" => Self::error(&as_json(value)),
            other => Self::error(&format!("the script raised a {} as its error", other.type_name())),
        }
    }

    /// From an error of the binding: running out of memory where Rust was at work, or a defect.
    pub(super) fn host(error: &mlua::Error, limits: &Limits) -> Self {
        if is_memory_error(error) { Self::memory(limits) } else { Self::error(text_of(error)) }
    }
}

impl From<SyntaxError> for Failure {
    fn from(error: SyntaxError) -> Self {
        Self::error(&error.to_string())
    }
}

/// Splits `script:<line>: <message>` into its line and its message.
pub(super) fn split_line(text: &str) -> (Option<u32>, &str) {
    let split = text.strip_prefix(CHUNK).and_then(|rest| rest.strip_prefix(':')).and_then(|rest| {
        let (line, message) = rest.split_once(": ")?;
        Some((line.parse().ok()?, message))
    });
    split.map_or((None, text), |(line, message)| (Some(line), message))
}

/// Names the line where the error was raised. A coroutine's errors come with every line they passed through, the
/// origin last.
fn with_line(text: &str) -> String {
    let (mut line, mut message) = split_line(text);
    while let (Some(inner), rest) = split_line(message) {
        (line, message) = (Some(inner), rest);
    }
    // The library's own has no lines that an author could see.
    let inner = message.strip_prefix(LIBRARY_CHUNK).and_then(|rest| rest.strip_prefix(':')?.split_once(": "));
    let message =
        inner.filter(|(line, _)| line.bytes().all(|c| c.is_ascii_digit())).map_or(message, |(_, m)| m);
    line.map_or_else(|| message.to_owned(), |line| format!("line {line}: {message}"))
}

/// An error object is what its author put into it; JSON shows that. `__tostring` is not asked: it is script code,
/// and the script is over.
fn as_json(value: &Value) -> String {
    let budget = Budget { bytes: 8 * MAX_MESSAGE_BYTES, nodes: MAX_MESSAGE_BYTES };
    match export::to_json(value, "error", budget, None) {
        Ok(json) => json,
        Err(_) => "the script raised a table that cannot be shown as JSON".to_owned(),
    }
}

fn is_out_of_memory(text: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|phrase| text.contains(phrase))
}

/// What a script may see of an error of the binding. Its own text can tell of the host, with a trace of the stack.
pub(super) fn text_of(error: &mlua::Error) -> &'static str {
    if is_memory_error(error) {
        OUT_OF_MEMORY[0]
    } else if let Some(stop) = Stop::of(error) {
        stop.as_str()
    } else {
        "the script engine failed"
    }
}

fn is_memory_error(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
            is_memory_error(cause)
        }
        mlua::Error::RuntimeError(text) => is_out_of_memory(text),
        _ => false,
    }
}

/// `64 MiB`, `1 KiB`, `1000 bytes`.
fn size(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    match bytes {
        MIB.. if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        1024.. if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} bytes"),
    }
}
