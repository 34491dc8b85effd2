//! What goes wrong with the database itself, not with a request to it.

/// Why the database could not be opened or swept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DynamoError {
    /// The path is not valid UTF-8, which the database asks for.
    #[error("the database path is not valid UTF-8")]
    Path,
    /// The file cannot be opened, or not be kept to its owner.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database refused, for instance because another process is writing to the file.
    #[error("embedded DynamoDB: {0}")]
    Database(#[from] dynoxide::DynoxideError),
    /// The database's thread could not start.
    #[error("the embedded DynamoDB's thread did not start: {0}")]
    Thread(#[from] std::io::Error),
    /// The database has been shut down.
    #[error("the embedded DynamoDB has shut down")]
    Closed,
}
