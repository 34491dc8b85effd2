//! Every integration test, in one binary.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

mod analytics;
mod audit;
mod bodies;
mod callers;
mod calls;
mod connections;
mod control;
mod conventions;
mod crash_replay;
mod engine;
mod engine_replay;
mod idempotency;
mod interference;
mod isolation;
mod kill;
mod limits;
mod loops;
mod lua_steps;
mod members;
mod onboarding;
mod openapi;
mod pats;
mod people;
mod planted_secrets;
mod platform_mcp;
mod promises;
mod rate_limits;
mod readme;
mod requests;
mod routes;
mod run_reads;
mod runs;
mod secrets_stay;
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
