//! Every integration test, in one binary.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

mod bodies;
mod callers;
mod conventions;
mod crash_replay;
mod engine;
mod isolation;
mod kill;
mod lua_steps;
mod onboarding;
mod openapi;
mod readme;
mod run_reads;
mod runs;
mod starts;
mod validation;
mod versions;
mod workflows;
