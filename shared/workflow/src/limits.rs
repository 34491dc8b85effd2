//! The numbers of the workflow language, in one place.
//!
//! Each is named by the specification; validation, the JSON Schema and the engine read them from here.

/// The largest graph, in bytes of compact JSON.
pub const GRAPH_MAX_BYTES: usize = 512 * 1024;
/// The most memory that a graph may take as values, in bytes: one of that size takes a few megabytes.
pub const GRAPH_MAX_COST: usize = 16 * 1024 * 1024;
/// The most steps of a graph; also the most steps of one loop body.
pub const STEPS_MAX: usize = 500;
/// The most characters of a step id.
pub const ID_MAX_CHARS: usize = 128;
/// The most characters of a step name.
pub const NAME_MAX_CHARS: usize = 200;
/// The most further attempts after a failure.
pub const RETRY_COUNT_MAX: u32 = 10;
/// The longest first wait between attempts, in seconds.
pub const RETRY_BACKOFF_MAX_S: f64 = 300.0;
/// The shortest timeout, in seconds: anything less could never be met.
pub const TIMEOUT_MIN_S: f64 = 0.001;
/// The largest script, in bytes.
pub const SCRIPT_MAX_BYTES: usize = 64 * 1024;
/// The largest input of a run that a retry may make, in bytes of compact JSON: as much as a start may bring.
pub const INPUT_MAX_BYTES: usize = 1024 * 1024;
/// The most items of a `for_each`.
pub const FOR_EACH_ITEMS_MAX: usize = 500;
/// The most items of a `for_each` that run at the same time.
pub const FOR_EACH_PARALLEL_MAX: u32 = 100;
/// The items of a `for_each` that run at the same time when the step does not say.
pub const FOR_EACH_PARALLEL_DEFAULT: u32 = 10;
/// The most rounds of a `while`.
pub const WHILE_ITERATIONS_MAX: u32 = 1000;
/// The tool rounds of an `agent_call` when the step does not say.
pub const TOOL_ROUNDS_DEFAULT: u32 = 10;
/// The largest result of a step, in bytes of compact JSON.
pub const RESULT_MAX_BYTES: usize = 1024 * 1024;
/// The most text and values that one expansion of a step's fields may produce, in bytes. The
/// specification leaves it open; without it a graph of many references to one large result would
/// multiply that result without end.
pub const EXPANSION_MAX_BYTES: usize = 4 * RESULT_MAX_BYTES;
/// The most text that one step may read in all, in bytes: results, inputs and items, as JSON.
pub const READS_MAX_BYTES: usize = 32 * RESULT_MAX_BYTES;
/// The most memory that the values may take which a step reads out of texts, in bytes.
pub const VALUES_MAX_COST: usize = types::json_cost::MAX_COST;
/// The most issues of one report. A broken graph can hold tens of thousands; past this the last issue
/// says how many were left out, so that the answer fits into a response.
pub const ISSUES_MAX: usize = 2000;
/// How many runs may call one another: the child of a child, and so on.
pub const CALL_DEPTH_MAX: usize = 8;
