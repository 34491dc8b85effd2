//! What tools do to the world.

use rmcp::model::ToolAnnotations;

/// What a tool does to the world, as its annotations say it.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
}

impl Effect {
    /// Changes nothing.
    pub const READS: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// Adds something each time.
    pub const ADDS: Self =
        Self { read_only: false, destructive: false, idempotent: false, open_world: false };
    /// Adds something; a second time changes nothing.
    pub const ADDS_ONCE: Self = Self { idempotent: true, ..Self::ADDS };
    /// Overwrites or removes something; a second time changes nothing.
    pub const REPLACES: Self = Self { destructive: true, idempotent: true, ..Self::ADDS };
    /// Sets something going that may reach other systems, or ends it.
    pub const ACTS: Self = Self { destructive: true, open_world: true, ..Self::ADDS };

    pub(super) fn annotations(self) -> ToolAnnotations {
        ToolAnnotations::new()
            .read_only(self.read_only)
            .destructive(self.destructive)
            .idempotent(self.idempotent)
            .open_world(self.open_world)
    }
}
