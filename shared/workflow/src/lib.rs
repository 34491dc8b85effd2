//! The workflow language: what a graph may say and what it means before anything runs.
//!
//! [`graph`] holds the types that parse a graph, [`plan`] its compiled form, [`template`] the
//! `{{ … }}` expressions, [`input`] the run input and [`validate`] the dry run. Everything here is
//! pure: no storage, no network, and no clock but the dry run's allowance for scripts. What a step does when it runs is `services::step`'s business,
//! and when it runs is `services::run`'s.

mod edges;
pub mod fields;
pub mod graph;
pub mod input;
mod input_fields;
pub mod limits;
pub mod model;
pub mod plan;
mod read;
mod schema;
mod shape;
pub mod size;
mod step_set;
mod step_types;
pub mod steps;
pub mod template;
pub mod tool;
pub mod validate;
mod values;

pub use graph::Graph;

pub use plan::{Body, BodyStep, Plan, PlanStep, inner_step_id};
pub use schema::{graph_hash, graph_schema, graph_schema_hash};
pub use step_set::{StepIx, StepSet};
pub use steps::{ErrorPolicy, OnTimeout, Step, StepKind, WhileMode};
