//! The form of what is kept and sent.

/// The form in which this program writes rows and messages. A change after which an earlier program would read them
/// wrongly makes it one more; `tests/it/upgrade.rs` holds what each form looks like.
///
/// - 1: rows and messages that say nothing of their form.
/// - 2: they say it.
/// - 3: values are compressed with a dictionary.
/// - 4: of a run, only its place in the lists says its id and its start.
pub const FORM: u32 = 4;
