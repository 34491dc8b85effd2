//! What a script is lent.

use std::borrow::Cow;

/// The values a script may read, as JSON texts. Each becomes a plain table that the script may change: the change is its own.
/// They are read into the VM as they are, so that what they take counts to its memory.
#[derive(Clone, Copy, Debug)]
pub struct Globals<'a> {
    /// `input`: the run's input.
    pub input: &'a str,
    /// `steps`: for each step id an object with `result`, `input`, `status` and `error`. An id with hyphens
    /// can also be written with underscores, without appearing twice in `pairs(steps)`.
    pub steps: &'a [(&'a str, Lent<'a>)],
    /// `run`: identities of the run.
    pub run: &'a str,
    /// `connection`: identities of the connection, never secrets.
    pub connection: &'a str,
    /// Further globals by name: `item`, `index`, `foreach` in the body of a loop.
    pub extra: &'a [(&'static str, Lent<'a>)],
    /// `body`, in the body of a loop: what its inner steps have made so far, by id. Aliases are as in `steps`;
    /// reading `.result` of an output without such a key gives the output itself.
    pub body: Option<&'a [(&'a str, &'a str)]>,
    /// `loop`, in the body of a `while`: `loop.iteration`, and as `loop.prev` what the iteration before made, as in `body`.
    pub iteration: Option<(u32, &'a [(&'a str, &'a str)])>,
}

/// A value that a script is lent.
#[derive(Clone, Debug)]
pub enum Lent<'a> {
    /// This JSON.
    Text(Cow<'a, str>),
    /// An object of these members, each with its JSON. At most one of them is null.
    Members(Vec<(&'static str, Cow<'a, str>)>),
}

impl<'a> From<&'a str> for Lent<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}
