//! Why one of the step library's functions gives no value.

/// Why a helper gives no value.
pub(super) enum Trouble {
    /// For the author, who may catch it.
    Said(String),
    /// Memory or time ran out.
    Raised(mlua::Error),
}

impl From<mlua::Error> for Trouble {
    fn from(error: mlua::Error) -> Self {
        Self::Raised(error)
    }
}

impl Trouble {
    pub(super) fn said(message: &str) -> Self {
        Self::Said(message.to_owned())
    }
}
