//! The parameters of a start as callers send them, and as workflows, triggers and subscriptions save them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use engine::TriggerType;
use types::ids::RunId;
use types::strict::Strict;
use types::suggest::quote;
use types::text::{in_json_words, shown_path};
use types::{Error, Result};

/// The most characters of an `external_user_id`.
const EXTERNAL_USER_ID_MAX_CHARS: usize = 256;

/// Keys of `params` that are no input and mean nothing yet, and what to do instead. Inside `trigger_payload` and in
/// the body of a webhook they are keys like any other.
const RESERVED: [(&str, &str); 6] = [
    (
        "segment_id",
        "starts a run for each member of a segment, which the command execute does; this deployment has none",
    ),
    (
        "team_id",
        "is not a parameter of a start: a run belongs to the project of the token; name the end user with external_user_id",
    ),
    ("user_id", "is not a parameter of a start; name the end user with external_user_id"),
    (
        "principal_id",
        "names an end user who has connections of their own, which this deployment does not have yet; name the end user with external_user_id",
    ),
    (
        "budget_microcredits",
        "bounds what a run may spend, which this deployment cannot hold a run to yet; leave it out",
    ),
    (
        "on_budget",
        "says what happens when a budget is spent, which this deployment does not know yet; leave it out",
    ),
];

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct StartParams {
    /// `{{input.*}}`.
    pub input: Map<String, Value>,
    /// Laid over the input for one step; a key lets a `no_auto_start` step begin.
    pub trigger_steps: Map<String, Value>,
    /// Roots to leave out.
    pub excluded_step_ids: Vec<String>,
    /// What started it, as a caller of the API says.
    pub trigger_type: TriggerType,
    /// Merge the version's saved defaults below these parameters.
    pub use_run_setup_defaults: bool,
    /// A published version; the latest when absent.
    pub version: Option<u32>,
    /// The client's own id.
    pub run_id: Option<RunId>,
    /// The caller's own name for whoever it is for.
    pub external_user_id: Option<String>,
    /// The run whose settled steps are taken over.
    pub resume: Option<Resume>,
}

/// Which run to go on from.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The failed or stopped run.
    pub run_id: RunId,
    /// Execute this step, and all that depends on it, anew; the one that failed when absent.
    pub from_step_id: Option<String>,
}

/// The keys of `params` that a start takes for its own.
const OWN_KEYS: [&str; 11] = [
    "trigger_payload",
    "trigger_steps",
    "excluded_step_ids",
    "trigger_type",
    "use_run_setup_defaults",
    "version",
    "run_id",
    "external_user_id",
    "resume_from_run_id",
    "from_step_id",
    "reuse_completed_steps",
];

/// The keys of `params` that are not input.
#[derive(Debug, Default, Deserialize)]
struct Params {
    trigger_payload: Option<Map<String, Value>>,
    #[serde(default)]
    trigger_steps: Map<String, Value>,
    #[serde(default)]
    excluded_step_ids: Vec<String>,
    #[serde(default)]
    trigger_type: TriggerType,
    #[serde(default)]
    use_run_setup_defaults: bool,
    version: Option<u32>,
    run_id: Option<String>,
    external_user_id: Option<String>,
    resume_from_run_id: Option<String>,
    from_step_id: Option<String>,
    reuse_completed_steps: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Reads a command's `params`.
///
/// # Errors
/// Invalid, naming the key that is wrong.
pub(in crate::run) fn read_params<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Strict(Value::Object(params))).map_err(|error| {
        let field = match shown_path(error.path()) {
            Some(path) => format!("params.{path}"),
            None => "params".to_owned(),
        };
        Error::invalid(format!("{field}: {}.", in_json_words(&error.inner().to_string())))
    })
}

impl StartParams {
    /// Reads the `params` of a start.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong, also one that is reserved.
    pub fn from_params(mut params: Map<String, Value>) -> Result<Self> {
        for (key, meaning) in RESERVED {
            // Clients write null for what they do not use.
            if params.remove(key).is_some_and(|value| !value.is_null()) {
                return Err(Error::invalid(format!(
                    "params.{key}: is reserved and never taken as input: it {meaning}. If it is a key of the \
                     workflow's input, put the input into trigger_payload."
                )));
            }
        }
        Self::from_saved_params(params)
    }

    /// Reads `params` that were saved before some of their keys were reserved: those are input, as they were then.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong.
    pub fn from_saved_params(params: Map<String, Value>) -> Result<Self> {
        let params: Params = read_params(params)?;
        if let Some((step, _)) = params.trigger_steps.iter().find(|(_, value)| !value.is_object()) {
            return Err(Error::invalid(format!("params.trigger_steps.{}: must be an object.", quote(step))));
        }
        let user = params.external_user_id.as_deref();
        if user.is_some_and(|id| id.chars().count() > EXTERNAL_USER_ID_MAX_CHARS) {
            return Err(Error::invalid(format!(
                "params.external_user_id: must have at most {EXTERNAL_USER_ID_MAX_CHARS} characters."
            )));
        }
        if params.from_step_id.is_some() && params.resume_from_run_id.is_none() {
            return Err(Error::invalid("params.from_step_id: needs params.resume_from_run_id beside it."));
        }
        // The hosted product's name for what going on from a run does in any case.
        if params.reuse_completed_steps.is_some_and(|reuse| !reuse || params.resume_from_run_id.is_none()) {
            return Err(Error::invalid(
                "params.reuse_completed_steps: stands beside params.resume_from_run_id and is true; to execute all \
                 steps anew start a run without either.",
            ));
        }
        let resume = params.resume_from_run_id.map(|id| {
            let run_id =
                id.parse().map_err(|why| Error::invalid(format!("params.resume_from_run_id: {why}.")));
            run_id.map(|run_id| Resume { run_id, from_step_id: params.from_step_id })
        });
        let run_id = params
            .run_id
            .map(|id| id.parse().map_err(|why| Error::invalid(format!("params.run_id: {why}."))));
        let input = match (params.trigger_payload, params.rest) {
            (Some(payload), rest) => match rest.keys().next() {
                None => payload,
                Some(key) => {
                    return Err(Error::invalid(format!(
                        "params.{}: unknown beside trigger_payload, which is the whole input; move it in there.",
                        quote(key)
                    )));
                }
            },
            (None, rest) => rest.into_iter().collect(),
        };
        Ok(Self {
            input,
            trigger_steps: params.trigger_steps,
            excluded_step_ids: params.excluded_step_ids,
            trigger_type: params.trigger_type,
            use_run_setup_defaults: params.use_run_setup_defaults,
            version: params.version,
            run_id: run_id.transpose()?,
            external_user_id: params.external_user_id,
            resume: resume.transpose()?,
        })
    }

    /// Whether a start's `params` never give this key to the workflow as input.
    pub fn is_own_key(key: &str) -> bool {
        OWN_KEYS.contains(&key) || RESERVED.iter().any(|(reserved, _)| *reserved == key)
    }

    /// Takes out a start's own keys that are null: clients write that for what they do not use, and kept it would be input.
    pub fn drop_unused(params: &mut Map<String, Value>) {
        params.retain(|key, value| !(value.is_null() && Self::is_own_key(key)));
    }

    /// Lays these parameters over the defaults that a workflow or version has saved, as JSON text.
    ///
    /// # Errors
    /// Internal, when they cannot be read.
    pub fn over_saved(self, setup: &str) -> Result<Self> {
        let setup = serde_json::from_str(setup).map_err(Error::internal_from)?;
        Ok(self.over_defaults(Self::from_saved_params(setup)?))
    }

    /// Lays these parameters over saved defaults: they win key by key.
    fn over_defaults(mut self, defaults: Self) -> Self {
        let beneath = |above: &mut Map<String, Value>, below: Map<String, Value>| {
            for (key, value) in below {
                above.entry(key).or_insert(value);
            }
        };
        beneath(&mut self.input, defaults.input);
        beneath(&mut self.trigger_steps, defaults.trigger_steps);
        if self.excluded_step_ids.is_empty() {
            self.excluded_step_ids = defaults.excluded_step_ids;
        }
        self.external_user_id = self.external_user_id.or(defaults.external_user_id);
        self
    }
}
