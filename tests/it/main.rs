//! Every integration test, in one binary.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

mod bodies;
mod callers;
mod calls;
mod connections;
mod control;
mod conventions;
mod crash_replay;
mod engine;
mod isolation;
mod kill;
mod llm_calls;
mod llm_keys;
mod llm_wire;
mod loops;
mod lua_steps;
mod onboarding;
mod openapi;
mod people;
mod planted_secrets;
mod readme;
mod routes;
mod run_reads;
mod runs;
mod starts;
mod trigger_faults;
mod trigger_runs;
mod triggers;
mod validation;
mod versions;
mod webhook_faults;
mod webhooks;
mod workflows;
