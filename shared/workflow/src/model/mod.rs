//! Models as a graph names them: providers, their catalog, parameters, and the form of an answer.

pub mod catalog;
pub mod params;
pub mod provider;
pub mod response_format;

pub use params::{Problem, problems, response_format};
pub use provider::{BadModelRef, ModelRef, Provider, check_model};
pub use response_format::ResponseFormat;
