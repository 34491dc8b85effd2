//! Models of other companies: who provides them, with whose key they are called, and how each provider wants to be
//! asked.
//!
//! [`resolve`](resolve()) says which provider, model and key a step's fields come to; [`keys`] keeps the keys of
//! projects, [`manage`] shows and changes them for callers, [`SystemKeys`] reads those of the deployment; [`chat`](chat::Chat) is one question and its answer in
//! words that all providers have in common, and `wire` translates it for each of them.

mod key_cache;
pub mod keys;
pub mod manage;
mod resolve;
pub mod view;

pub use key_cache::LlmKeys;
pub use resolve::{Asked, find_model, resolve};
