//! Providers of models: one question and its answer, in the words that all have in common and in those of each.

mod answer;
pub mod chat;
pub mod credential;
pub mod json_text;
mod question;
mod reasoning;
pub mod resolved;
mod system;
mod wire;

pub use credential::Credential;
pub use resolved::{KeySource, KeyValues, Resolved, UsedKey};
pub use system::{SystemKey, SystemKeys};
