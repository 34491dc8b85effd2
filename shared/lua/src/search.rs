//! `string.find` for plain text, for sizes at which the VM's own search could run for hours without a chance to
//! interrupt it.

use super::watch::{Stop, Watch};

/// How many bytes may be compared between two looks at the clock.
const BYTES_PER_CHECK: usize = 1 << 20;

/// Where `needle` first begins in `haystack` at or after `from`, counted from 0.
pub(super) fn find(
    haystack: &[u8],
    needle: &[u8],
    from: usize,
    watch: &Watch,
) -> Result<Option<usize>, Stop> {
    let Some((first, _)) = needle.split_first() else {
        return Ok((from <= haystack.len()).then_some(from));
    };
    let mut at = from;
    let mut compared = 0;
    while let Some(rest) = haystack.get(at..).filter(|rest| rest.len() >= needle.len()) {
        // A stretch without the first byte is skipped in pieces, so that the clock is not forgotten over it.
        let window = &rest[..rest.len().min(BYTES_PER_CHECK)];
        let skipped = window.iter().position(|byte| byte == first).unwrap_or(window.len());
        at += skipped;
        compared += skipped;
        if skipped < window.len() {
            if haystack[at..].starts_with(needle) {
                return Ok(Some(at));
            }
            at += 1;
            compared += needle.len();
        }
        if compared >= BYTES_PER_CHECK {
            watch.check()?;
            compared = 0;
        }
    }
    Ok(None)
}
