//! How requests to the queues fail.

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqsError {
    /// A setting is outside the limits of SQS.
    #[error("{code}: {message}")]
    Refused {
        /// The service's error code.
        code: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The queues have been shut down.
    #[error("the embedded SQS has shut down")]
    Closed,
}
