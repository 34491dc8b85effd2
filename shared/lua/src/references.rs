//! Tells from its text which steps a script can read, so that the caller loads no others.

use std::collections::BTreeSet;

use super::lexer::{Lexer, Token};

/// Names by which a script can reach its globals without naming them.
const ENVIRONMENTS: [&str; 4] = ["_G", "_ENV", "getfenv", "setfenv"];

/// The steps a script can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepReferences {
    /// None.
    None,
    /// Those with these names, as the script writes them. A name means the step whose id is equal to it, or is
    /// equal once `-` is replaced by `_`.
    Some(BTreeSet<String>),
    /// Any: the script uses `steps` in a way that its text does not tell.
    All,
}

/// Finds the steps that `script` can read.
///
/// Never too few, whatever the script does, as long as it compiles; possibly too many. A use of `steps` tells its
/// step when it is `steps.name` or `steps["name"]`.
#[must_use]
pub fn step_references(script: &str) -> StepReferences {
    if !script.contains("steps") && !ENVIRONMENTS.iter().any(|name| script.contains(name)) {
        return StepReferences::None;
    }
    // The VM ends a comment at these, editors do not; a script that has them is not worth being clever about.
    if script.contains('\0') || script.replace("\r\n", "").contains('\r') {
        return StepReferences::All;
    }
    let tokens: Vec<_> = Lexer::new(script).collect();
    let mut names = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Opaque => return StepReferences::All,
            Token::Name(name) if ENVIRONMENTS.contains(name) => return StepReferences::All,
            Token::Name("steps") => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                match use_of_steps(before, tokens.get(at + 1..).unwrap_or_default()) {
                    Use::NotTheGlobal => {}
                    Use::Step(name) => _ = names.insert(name.to_owned()),
                    Use::Unknown => return StepReferences::All,
                }
            }
            _ => {}
        }
    }
    if names.is_empty() { StepReferences::None } else { StepReferences::Some(names) }
}

enum Use<'a> {
    NotTheGlobal,
    Step(&'a str),
    Unknown,
}

/// What the name `steps` stands for between its neighbours.
fn use_of_steps<'a>(before: Option<&Token<'_>>, after: &[Token<'a>]) -> Use<'a> {
    // `x.steps`, `x:steps()`; `steps = …` as an assignment or a table's key reads nothing.
    if matches!(before, Some(Token::Dot | Token::Symbol(b':'))) || matches!(after, [Token::Assign, ..]) {
        return Use::NotTheGlobal;
    }
    match after {
        [Token::Dot, Token::Name(name), ..]
        | [Token::Symbol(b'['), Token::Text(name), Token::Symbol(b']'), ..] => Use::Step(name),
        _ => Use::Unknown,
    }
}
