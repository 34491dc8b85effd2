//! How large a JSON value is, without writing it anywhere.

use std::io;

use serde_json::Value;

/// The bytes of `value` as compact JSON, or `None` when they are more than `max`. Counting stops there,
/// so that a huge value costs no more than the limit.
pub fn json_bytes_up_to(value: &Value, max: usize) -> Option<usize> {
    let mut counter = Counter { bytes: 0, max };
    serde_json::to_writer(&mut counter, value).ok().map(|()| counter.bytes)
}

struct Counter {
    bytes: usize,
    max: usize,
}

impl io::Write for Counter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes += buffer.len();
        if self.bytes > self.max { Err(io::Error::other("too large")) } else { Ok(buffer.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::json_bytes_up_to;

    #[test]
    fn counts_compact_json_up_to_and_including_the_limit() {
        let value = json!({ "a": [1, "é"] });
        let bytes = value.to_string().len();
        assert_eq!(json_bytes_up_to(&value, bytes), Some(bytes));
        assert_eq!(json_bytes_up_to(&value, bytes - 1), None);
    }
}
