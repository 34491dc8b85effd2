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

use super::{Cancel, Failure, FailureKind, Globals, Lent, Limits, Pool};

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
    fn run(&self, script: &str) -> Ran {
        let pool = Pool::default();
        let before = Self::default().run_in(&pool, reuse::VANDAL);
        assert!(before.result.is_ok() && pool.kept().len() == 1, "{before:?}");
        self.run_in(&pool, script)
    }

    fn run_in(&self, pool: &Pool, script: &str) -> Ran {
        let text = |value: &Value| Lent::Text(value.to_string().into());
        // Steps come in parts, as the engine lends them.
        let parts = |value: &Value| match value {
            Value::Object(members) if members.values().filter(|value| value.is_null()).count() < 2 => {
                let part = |(key, value): (&String, &Value)| (&*key.clone().leak(), value.to_string().into());
                Lent::Members(members.iter().map(part).collect())
            }
            other => text(other),
        };
        let steps: Vec<_> = self.steps.iter().map(|(id, value)| (*id, parts(value))).collect();
        let extra: Vec<_> = self.extra.iter().map(|(name, value)| (*name, text(value))).collect();
        let outputs = |value: &Value| -> Vec<(String, String)> {
            let members = value.as_object().into_iter().flatten();
            members.map(|(id, output)| (id.clone(), output.to_string())).collect()
        };
        let (body, prev) = (self.body.as_ref().map(outputs), self.prev.as_ref().map(outputs));
        fn pairs(outputs: Option<&Vec<(String, String)>>) -> Vec<(&str, &str)> {
            outputs.into_iter().flatten().map(|(id, text)| (id.as_str(), text.as_str())).collect()
        }
        let (body_texts, prev_texts) = (pairs(body.as_ref()), pairs(prev.as_ref()));
        let globals = Globals {
            input: &self.input.to_string(),
            steps: &steps,
            run: r#"{ "run_id": "run-1", "version": 3 }"#,
            connection: r#"{ "connection_id": "con-1", "provider": "github" }"#,
            extra: &extra,
            body: body.is_some().then_some(&body_texts[..]),
            iteration: prev.is_some().then_some((2, &prev_texts[..])),
        };
        Ran::of(pool.run(script, &globals, &self.limits, &Cancel::default()))
    }

    fn result(&self, script: &str) -> Value {
        self.run(script).result.unwrap_or_else(|failure| panic!("{script}\nfailed with {failure}"))
    }

    fn failure(&self, script: &str) -> Failure {
        self.run(script).result.expect_err(script)
    }
}

/// What became of a script, its result as a value.
#[derive(Debug, PartialEq)]
struct Ran {
    result: Result<Value, Failure>,
    log: Vec<String>,
}

impl Ran {
    fn of(outcome: super::Outcome) -> Self {
        let read = |text: String| {
            let mut parser = serde_json::Deserializer::from_str(&text);
            parser.disable_recursion_limit();
            let value: Value =
                serde::Deserialize::deserialize(&mut parser).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(value.to_string(), text, "it is compact, and its keys are in order");
            value
        };
        Self { result: outcome.result.map(read), log: outcome.log }
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
