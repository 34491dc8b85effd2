//! What a script is lent.

use serde_json::Value;

/// The values a script may read. Each becomes a plain table that the script may change: the change is its own.
#[derive(Clone, Copy, Debug)]
pub struct Globals<'a> {
    /// `input`: the run's input.
    pub input: &'a Value,
    /// `steps`: for each step id an object with `result`, `input`, `status` and `error`. An id with hyphens
    /// can also be written with underscores, without appearing twice in `pairs(steps)`.
    pub steps: &'a [(&'a str, Value)],
    /// `run`: identities of the run.
    pub run: &'a Value,
    /// `connection`: identities of the connection, never secrets.
    pub connection: &'a Value,
    /// Further globals by name: `item`, `index`, `foreach` in the body of a loop.
    pub extra: &'a [(&'static str, Value)],
    /// `body`, in the body of a loop: an object of what its inner steps have made so far, by id. Aliases are as in `steps`;
    /// reading `.result` of an output without such a key gives the output itself.
    pub body: Option<&'a Value>,
    /// `loop`, in the body of a `while`: `loop.iteration`, and as `loop.prev` what the iteration before made, as in `body`.
    pub iteration: Option<(u32, &'a Value)>,
}
