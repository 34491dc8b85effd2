//! Keeps what a script prints, within bounds that hold however much it prints.

use std::sync::{Mutex, PoisonError};

/// The most entries kept of one script.
pub(super) const MAX_LINES: usize = 100;

/// The most bytes kept of one script, over all entries.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// The entry that stands in for everything that was cut.
pub(super) const CUT: &str = "(further output cut: a script may print 100 lines and 16 KiB)";

/// What one script has printed so far.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    bytes: usize,
    cut: bool,
}

impl Log {
    /// Adds one entry, or as much of it as fits. Text that is not UTF-8 gets replacement characters.
    pub(super) fn print(&self, text: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.cut {
            return;
        }
        let room = MAX_BYTES - kept.bytes;
        if kept.lines.len() == MAX_LINES || (room == 0 && !text.is_empty()) {
            kept.cut = true;
            return;
        }
        // Cut before it is converted: the text may be as large as the script's memory.
        let line = String::from_utf8_lossy(&text[..text.len().min(room)]);
        let fitting = truncate(&line, room);
        kept.cut = text.len() > room || fitting.len() < line.len();
        kept.bytes += fitting.len();
        kept.lines.push(fitting.to_owned());
    }

    /// Hands over the entries, with a note when some are missing.
    pub(super) fn take(&self) -> Vec<String> {
        let mut kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if kept.cut {
            kept.lines.push(CUT.to_owned());
        }
        kept.lines
    }
}

/// The longest beginning of `text` that has at most `limit` bytes and does not split a character.
pub(super) fn truncate(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
