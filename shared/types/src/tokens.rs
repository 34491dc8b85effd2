//! What models are paid for.

/// What an attempt at a step cost at models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens sent.
    pub tokens_in: u64,
    /// Tokens that came back.
    pub tokens_out: u64,
}
