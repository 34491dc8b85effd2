//! Every integration test, in one binary.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

mod analytics;
mod bodies;
mod callers;
mod calls;
mod connections;
mod control;
mod conventions;
mod crash_replay;
mod engine;
mod engine_replay;
mod interference;
mod isolation;
mod kill;
mod limits;
mod llm_calls;
mod llm_keys;
mod llm_wire;
mod loops;
mod lua_steps;
mod onboarding;
mod openapi;
mod people;
mod planted_secrets;
mod platform_mcp;
mod promises;
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
mod workers;
mod workflows;
mod world;
