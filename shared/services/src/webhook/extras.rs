//! What a subscription adds to each of its deliveries.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::run::StartParams;
use types::{Error, Result};

/// The most bytes of a subscription's extras: a list of a hundred must fit into an answer.
const LARGEST: usize = 32 * 1024;

/// What the runs of a subscription are started with, beside the body.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extras {
    /// Input that the body is laid over, key by key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    pub trigger_payload: Map<String, Value>,
    /// By step: laid over the input for that step; a key lets a `no_auto_start` step begin.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    pub trigger_steps: Map<String, Value>,
    /// Roots to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_step_ids: Vec<String>,
    /// Merge the version's saved defaults below all that.
    #[serde(default)]
    pub use_run_setup_defaults: bool,
}

impl Extras {
    /// Whether they can be kept and a start can read them.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong.
    pub fn check(&self) -> Result<()> {
        if let Some((step, _)) = self.trigger_steps.iter().find(|(_, value)| !value.is_object()) {
            return Err(Error::invalid(format!("extras.trigger_steps.{step}: must be an object.")));
        }
        let length = self.write()?.len();
        if length > LARGEST {
            return Err(Error::invalid(format!(
                "extras: must be at most 32 KiB of JSON, these are {length} bytes."
            )));
        }
        Ok(())
    }

    /// As a row holds them.
    pub(super) fn write(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal_from)
    }

    /// From a row.
    ///
    /// # Errors
    /// Internal, when the row is damaged.
    pub fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::internal("extras").with_source(error))
    }

    /// What a delivery of this body asks for.
    pub fn params(self, body: Map<String, Value>) -> StartParams {
        let mut input = self.trigger_payload;
        input.extend(body);
        StartParams {
            input,
            trigger_steps: self.trigger_steps,
            excluded_step_ids: self.excluded_step_ids,
            use_run_setup_defaults: self.use_run_setup_defaults,
            ..StartParams::default()
        }
    }
}
