//! Server-sent events, as far as an answer to a request needs them: the data of each event, the latest id, and how
//! long to wait before taking a broken stream up again.

use std::collections::VecDeque;
use std::time::Duration;

/// No server has us wait longer before a stream is taken up again.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The events of a stream whose bytes come in pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of a line whose end has not come.
    open: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it belongs to the same end.
    after_return: bool,
    data: String,
    has_data: bool,
    ready: VecDeque<String>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Events {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let was_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if was_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.open);
                    self.line(&String::from_utf8_lossy(&line));
                }
                _ => self.open.push(byte),
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            // An event without data only carries an id.
            if std::mem::take(&mut self.has_data) && !data.trim().is_empty() {
                self.ready.push_back(data);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => {
                let millis = value.parse().ok().map(Duration::from_millis);
                self.retry = millis.map(|retry| retry.min(LONGEST_RETRY)).or(self.retry);
            }
            _ => {}
        }
    }

    /// The data of the next event.
    pub(super) fn next_data(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    pub(super) fn last_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// What had begun when the stream broke off comes again.
    pub(super) fn begin_anew(&mut self) {
        let (id, retry) = (self.id.take(), self.retry);
        *self = Self { id, retry, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let stream = ": hello\r\nid: 7\r\nretry: 500\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nevent: x\ndata:two\n\ndata: ü\r\rid: 8\n\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            stream.as_bytes().chunks(size).for_each(|piece| events.push(piece));
            let data: Vec<String> = std::iter::from_fn(|| events.next_data()).collect();
            assert_eq!(data, ["{\"a\":\n1}", "two", "ü"], "{size}");
            assert_eq!(events.last_id(), Some("8"));
            assert_eq!(events.retry(), Some(Duration::from_millis(500)));
        }
    }
}
