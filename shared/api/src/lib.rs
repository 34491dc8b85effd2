//! What every route has in common: who may call it, how bodies and queries are read, how errors look, request
//! ids, lists. Handlers are shells around the domain: extract, call one function, map the answer.

mod body;
mod error;
mod exchange;
mod finish;
mod idempotency;
mod list;
mod openapi;
mod operator;
mod params;
mod permit;
mod routes;

pub use body::{Body, given, read_arguments, read_bytes};
pub use error::{CommonErrors, ErrorBody, retry_after_s, status};
pub use exchange::{Exchange, Trail};
pub use finish::finish;
pub use list::{Cursor, Page};
pub use openapi::completed;
pub use operator::Operator;
pub use params::{Path, Query};
pub use permit::{
    Bearer, CanAudit, CanChangeBilling, CanConnect, CanExecuteMcp, CanListPats, CanManageMembers,
    CanManagePats, CanRead, CanReadAnalytics, CanReadBilling, CanReadConnections, CanReadLlmKeys, CanReadMcp,
    CanReadTasks, CanReadUsage, CanReadWebhooks, CanRun, CanWrite, CanWriteConnections, CanWriteLlmKeys,
    CanWriteMcp, CanWriteWebhooks,
};
pub use routes::{Function, Route, Routes, State, StateRouter, described, run, served};
#[doc(hidden)]
pub use utoipa_axum;
