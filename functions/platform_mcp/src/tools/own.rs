//! Tools that look at several routes, or at none. Each reads and writes through routes with the caller's own token, like
//! the tools that are a route, so that it may what its caller may and no more.

use std::pin::Pin;

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use shared::Error;
use shared::api::read_arguments;
use shared::services::auth::Caller;

use super::Effect;
use crate::api::{Answer, Api, Call};

/// The most pages that a tool reads of a list: a thousand entries.
const MAX_PAGES: usize = 10;

/// What a tool answers.
pub type Outcome = Result<Value, Answer>;

/// A call of a tool that is under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A tool that is more than a route.
#[derive(Debug)]
pub struct Own {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is for and when to use it, for a model.
    pub description: &'static str,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether a caller may use it.
    pub allows: fn(&Caller) -> bool,
    /// What it takes.
    pub input: fn() -> Value,
    /// What it answers.
    pub output: fn() -> Value,
    /// What a call does.
    pub run: for<'a> fn(Context<'a>, Map<String, Value>) -> Running<'a>,
}

/// Who calls a tool, and the way to the routes.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The API.
    pub api: &'a Api,
    /// The headers of the caller's request.
    pub headers: &'a HeaderMap,
    /// Who calls.
    pub caller: &'a Caller,
    /// Whether this deployment has the tools that answer with secrets.
    pub risk_tools: bool,
}

impl Context<'_> {
    /// The arguments as a type. A null is what models send for what they leave out.
    ///
    /// # Errors
    /// Invalid, naming the argument.
    pub fn arguments<T: DeserializeOwned>(&self, mut given: Map<String, Value>) -> Result<T, Answer> {
        given.retain(|_, value| !value.is_null());
        read_arguments(given).map_err(|error| self.refusal(&error))
    }

    /// What a route would answer that met this error.
    pub fn refusal(&self, error: &Error) -> Answer {
        Answer::refusal(error, self.headers)
    }

    /// A refusal that names an argument.
    pub fn invalid(&self, message: String) -> Answer {
        self.refusal(&Error::invalid(message))
    }

    /// What a GET answers.
    ///
    /// # Errors
    /// What the route refused.
    pub async fn get(&self, target: &str) -> Outcome {
        self.api.read(self.headers, target).await
    }

    /// What a POST answers.
    ///
    /// # Errors
    /// What the route refused.
    pub async fn post(&self, target: String, headers: HeaderMap, body: Value) -> Outcome {
        let call = Call { method: Method::POST, target, headers, body: Some(body) };
        let answer = self.api.send(self.headers, call).await;
        answer.map_err(|error| self.refusal(&error))?.succeeded()
    }

    /// The entries of a list, up to a thousand, and whether there are more. `target` has no query, or one that ends
    /// with `&`.
    ///
    /// # Errors
    /// What the route refused.
    pub async fn entries(&self, target: &str, name: &str) -> Result<(Vec<Value>, bool), Answer> {
        let separator = if target.ends_with('&') { "" } else { "?" };
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let mut page = self.get(&format!("{target}{separator}limit=100{cursor}")).await?;
            if let Some(entries) = page.get_mut(name).and_then(Value::as_array_mut) {
                all.append(entries);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok((all, false)),
            }
        }
        Ok((all, true))
    }
}

/// A tool that takes no arguments.
pub fn nothing() -> Value {
    serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// What [`nothing`] is read as.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
