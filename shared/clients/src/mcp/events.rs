//! Server-sent events as WHATWG defines them, as far as an answer to a request needs them: the data of each event of the
//! type `message`, the latest id, and how long to wait before taking a broken stream up again.

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
    /// A line has ended: what begins now is no byte order mark.
    has_begun: bool,
    /// The type of the event that has begun; `message` when it is empty.
    kind: String,
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
        let line = match std::mem::replace(&mut self.has_begun, true) {
            true => line,
            false => line.strip_prefix('\u{feff}').unwrap_or(line),
        };
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            let kind = std::mem::take(&mut self.kind);
            let is_message = kind.is_empty() || kind == "message";
            // An event without data only carries an id; those of other types are for others.
            if std::mem::take(&mut self.has_data) && is_message && !data.trim().is_empty() {
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
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
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
        let stream = ": hello\r\nid: 7\r\nretry: 500\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nevent: message\ndata:two\n\ndata: ü\r\rid: 8\n\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            stream.as_bytes().chunks(size).for_each(|piece| events.push(piece));
            let data: Vec<String> = std::iter::from_fn(|| events.next_data()).collect();
            assert_eq!(data, ["{\"a\":\n1}", "two", "ü"], "{size}");
            assert_eq!(events.last_id(), Some("8"));
            assert_eq!(events.retry(), Some(Duration::from_millis(500)));
        }
    }

    #[test]
    fn other_types_marks_and_empty_data_are_no_messages() {
        for (stream, expected) in [
            ("event: heartbeat\ndata: {}\n\ndata: 1\n\n", &["1"][..]),
            ("event: heartbeat\n\ndata: 1\n\n", &["1"]),
            ("event:\ndata: 1\n\n", &["1"]),
            ("event: message\ndata: 1\n\n", &["1"]),
            ("event: a\nevent: message\ndata: 1\n\n", &["1"]),
            ("data: 1\nevent: a\n\ndata: 2\n\n", &["2"]),
            ("\u{feff}data: 1\n\n", &["1"]),
            ("\u{feff}\u{feff}data: 1\n\ndata: 2\n\n", &["2"]),
            ("\u{feff}: comment\n\ndata\n\ndata:\n\ndata: \n\ndata: 1\n\n", &["1"]),
            (":\n\n:ping\nretry: 5\nretry: x\nretry: +6\nid: 1\nunknown: x\nnothing\ndata: 1\n\n", &["1"]),
            ("data: 1\rdata: 2\r\r\ndata: 3\r\n\r\n", &["1\n2", "3"]),
            ("data:  1\n\n", &[" 1"]),
            ("data: 1\n\ndata: cut", &["1"]),
        ] {
            for size in 1..4 {
                let mut events = Events::default();
                stream.as_bytes().chunks(size).for_each(|piece| events.push(piece));
                let data: Vec<String> = std::iter::from_fn(|| events.next_data()).collect();
                assert_eq!(data, expected, "{stream:?}");
                assert!(events.retry().is_none_or(|retry| retry == Duration::from_millis(5)));
            }
        }
    }
}
