//! Personal access tokens: made, listed, revoked. They are shown once, so revealing one is refused.

pub mod create;
pub mod delete;
pub mod list;
pub mod reveal;
