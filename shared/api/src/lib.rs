//! What every route has in common: who may call it, how bodies and queries are read, how errors look, request
//! ids, lists. Handlers are shells around the domain: extract, call one function, map the answer.

mod audit;
mod body;
mod context;
mod error;
mod finish;
mod idempotency;
mod layers;
mod list;
mod openapi;
mod operator;
mod params;
mod permit;
mod routes;

pub use audit::Trail;
pub use body::{Body, collect_body, given, read_arguments, read_bytes};
pub use context::Verified;
pub use error::{CommonErrors, ErrorBody, retry_after_s, status};
pub use finish::finish;
pub use list::{Cursor, Page};
pub use openapi::completed;
pub use operator::Operator;
pub use params::{Path, Query};
pub use permit::{
    Access, CanAudit, CanChangeBilling, CanConnect, CanExecuteMcp, CanListPats, CanManageMembers,
    CanManagePats, CanRead, CanReadAnalytics, CanReadBilling, CanReadConnections, CanReadLlmKeys, CanReadMcp,
    CanReadTasks, CanReadUsage, CanReadWebhooks, CanRun, CanWrite, CanWriteConnections, CanWriteLlmKeys,
    CanWriteMcp, CanWriteWebhooks, Needs, Open, Permit, Shows, Unguarded,
};
#[cfg(feature = "lambda")]
pub use routes::run;
pub use routes::{Function, Route, Routes, State, StateRouter, described, guarded, served};
#[doc(hidden)]
pub use utoipa_axum;
