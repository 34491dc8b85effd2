//! Tools whose answers hold secrets: absent unless the deployment enables the `risk` group.

use super::Definition;

/// The tools.
pub const DEFINITIONS: &[Definition] = &[];
