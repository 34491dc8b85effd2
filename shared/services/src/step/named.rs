//! Which steps of its run something reads.

use std::collections::BTreeSet;

use lua::{StepReferences, step_references};
use workflow::template::Path;

/// The steps that a script or a template names.
#[derive(Debug)]
pub enum NamedSteps {
    /// None.
    None,
    /// Perhaps any.
    All,
    /// These, where `_` may stand for `-`.
    Some(BTreeSet<String>),
}

impl NamedSteps {
    /// Those that are named by paths.
    pub fn by_paths<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let named = paths.filter(|path| path.root() == "steps");
        Self::Some(named.filter_map(|path| path.keys.get(1).cloned()).collect())
    }

    /// Those that a script may read.
    pub fn by_script(source: &str) -> Self {
        match step_references(source) {
            StepReferences::None => Self::None,
            StepReferences::All => Self::All,
            StepReferences::Some(names) => Self::Some(names),
        }
    }

    /// Whether this step may be read.
    pub fn has(&self, id: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(names) => names.contains(id) || names.contains(&id.replace('-', "_")),
        }
    }
}
