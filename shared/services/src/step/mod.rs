//! What steps do when they run. An executor is given all that it may see and gives back an outcome; it knows
//! nothing of runs, storage or other steps.

mod attempt;
mod effect;
mod llm;
pub mod mcp;
mod named;
mod scope;
mod script;

pub use attempt::{Attempt, Performed};
pub use effect::Effect;
pub use named::NamedSteps;
pub use scope::{Found, RoundScope, StepScope, View, run_view, step_view};
pub use script::{CancelHandle, Script, Scripted, Scripts};

/// Whether this version can execute steps of this type.
pub fn is_available(step_type: &str) -> bool {
    matches!(
        step_type,
        "lua_script" | "llm_call" | "mcp_call" | "human_task" | "for_each" | "while" | "workflow_call"
    )
}
