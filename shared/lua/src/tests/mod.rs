//! What the sandbox promises, told by scripts.

mod errors_caught;
mod handed_on;
mod hostile;
mod integers;
mod json;
mod language;
mod library;
mod limits;
mod literals;
mod messages;
mod nulls;
mod references;
mod reuse;
mod surface;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Cancel, Failure, FailureKind, Globals, Limits, Outcome, Pool};

/// What a script can read in these tests.
struct Fixture {
    input: Value,
    steps: Vec<(&'static str, Value)>,
    extra: Vec<(&'static str, Value)>,
    body: Option<Value>,
    prev: Option<Value>,
    limits: Limits,
}

impl Default for Fixture {
    fn default() -> Self {
        // Generous, because the machine may be busy; tests about time set their own.
        let limits = Limits { time: Duration::from_secs(30), ..Limits::default() };
        Self { input: json!({}), steps: Vec::new(), extra: Vec::new(), body: None, prev: None, limits }
    }
}

impl Fixture {
    fn with_input(input: Value) -> Self {
        Self { input, ..Self::default() }
    }

    fn with_time(time: Duration) -> Self {
        Self { limits: Limits { time, ..Limits::default() }, ..Self::default() }
    }

    /// In a VM in which another script has run.
    fn run(&self, script: &str) -> Outcome {
        let pool = Pool::default();
        let before = Self::default().run_in(&pool, reuse::VANDAL);
        assert!(before.result.is_ok() && pool.kept().len() == 1, "{before:?}");
        self.run_in(&pool, script)
    }

    fn run_in(&self, pool: &Pool, script: &str) -> Outcome {
        let globals = Globals {
            input: &self.input,
            steps: &self.steps,
            run: &json!({ "run_id": "run-1", "version": 3 }),
            connection: &json!({ "connection_id": "con-1", "provider": "github" }),
            extra: &self.extra,
            body: self.body.as_ref(),
            iteration: self.prev.as_ref().map(|prev| (2, prev)),
        };
        pool.run(script, &globals, &self.limits, &Cancel::default())
    }

    fn result(&self, script: &str) -> Value {
        self.run(script).result.unwrap_or_else(|failure| panic!("{script}\nfailed with {failure}"))
    }

    fn failure(&self, script: &str) -> Failure {
        self.run(script).result.expect_err(script)
    }
}

/// The result of a script that succeeds.
fn result(script: &str) -> Value {
    Fixture::default().result(script)
}

/// The value of an expression, by way of a one-element list.
fn value(expression: &str) -> Value {
    let mut list = result(&format!("return {{ {expression} }}"));
    list.get_mut(0).map(Value::take).unwrap_or_else(|| panic!("{expression} has no value"))
}

/// The failure of a script that fails.
fn failure(script: &str) -> Failure {
    Fixture::default().failure(script)
}

/// The message of a script that fails with `LUA_ERROR`.
fn error(script: &str) -> String {
    let failure = failure(script);
    assert_eq!(failure.kind, FailureKind::Error, "{script}\nfailed with {failure}");
    failure.message
}
