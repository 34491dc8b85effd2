//! The trace that a piece of work belongs to, as AWS X-Ray names it: from a request through messages to steps.

use std::future::Future;

/// The header by which a request tells its trace.
pub const HEADER: &str = "x-amzn-trace-id";
/// Longer ones are not X-Ray's.
const LONGEST: usize = 256;

tokio::task_local! {
    static CURRENT: Option<Trace>;
}

/// A trace: `Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    header: String,
    /// Where the root's id stands in it.
    root: std::ops::Range<usize>,
}

impl Trace {
    /// Reads a header; none when it is not one of X-Ray's.
    pub fn parse(header: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "=;-:_.".contains(c);
        if header.len() > LONGEST || !header.chars().all(plain) {
            return None;
        }
        let from = header.split(';').find_map(|part| part.strip_prefix("Root="))?;
        let start = header.find(from)?;
        is_root(from).then(|| Self { header: header.to_owned(), root: start..start + from.len() })
    }

    /// The whole header, to be passed on.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The trace's id, by which X-Ray finds it.
    pub fn id(&self) -> &str {
        &self.header[self.root.clone()]
    }

    /// The trace of the work that is under way.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Does work of a trace: messages sent meanwhile carry it.
    pub fn around<F: Future>(trace: Option<Self>, work: F) -> impl Future<Output = F::Output> {
        // Not an `async fn`, which would hold the work twice: as it was given, and as it is polled.
        CURRENT.scope(trace, work)
    }
}

/// `1-`, eight digits of the time, `-`, twenty-four others; all of them hexadecimal.
fn is_root(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length| part.len() == length && part.chars().all(|c| c.is_ascii_hexdigit());
    matches!(parts.as_slice(), ["1", time, rest] if hex(time, 8) && hex(rest, 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-67891233-abcdef012345678912345678";

    #[test]
    fn headers_of_x_ray_are_read_and_others_are_not() {
        for header in [
            format!("Root={ROOT}"),
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("Self=1-67891234-12456789abcdef012345678a;Root={ROOT};Lineage=1:a8af0:0"),
        ] {
            let trace = Trace::parse(&header).unwrap();
            assert_eq!((trace.id(), trace.header()), (ROOT, header.as_str()));
        }
        for header in [
            "",
            "Root=",
            "Parent=53995c3f42cd8ad8",
            "Root=1-67891233-abc",
            "Root=2-67891233-abcdef012345678912345678",
            "Root=1-6789123x-abcdef012345678912345678",
            "Root=1-67891233-abcdef012345678912345678;Note=a b",
        ] {
            assert_eq!(Trace::parse(header), None, "{header}");
        }
        assert_eq!(Trace::parse(&format!("Root={ROOT};{}", "a".repeat(300))), None);
    }

    #[tokio::test]
    async fn work_knows_its_trace_and_none_afterwards() {
        let trace = Trace::parse(&format!("Root={ROOT}"));
        assert_eq!(Trace::around(trace.clone(), async { Trace::current() }).await, trace);
        assert_eq!(Trace::current(), None);
    }
}
