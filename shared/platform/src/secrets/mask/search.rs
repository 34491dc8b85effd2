//! Finds values in a text however their characters are escaped: an automaton of Aho and Corasick walks over the graph of
//! all readings of the text, so that each value is found in one pass, in whatever mixture of escapes.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::escapes::{Reader, Reading, begins_escape, usual};

/// So many states of the automaton are followed at a place. More come about only by values that are made for it.
const MAX_ACTIVE: usize = 32;
/// So many escapes are remembered of what may become a match.
const MAX_EDGES: usize = 1 << 17;
/// A character that is escaped often takes no more bytes.
const MAX_ESCAPED: usize = 64;

/// Values to find.
pub(super) struct Values {
    automaton: NFA,
    values: Vec<Vec<u8>>,
    start: StateID,
    /// Bytes with which something may begin.
    wakes: [bool; 256],
    /// The values have no white space; that of texts is passed over.
    skips_space: bool,
}

impl Values {
    /// None when there are none. With `skips_space` they are found however they are broken into lines.
    pub(super) fn new(values: impl IntoIterator<Item = Vec<u8>>, skips_space: bool) -> Option<Self> {
        let values: BTreeSet<Vec<u8>> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let values: Vec<_> = values.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        // It cannot fail below some 2 GiB of values.
        let automaton = NFA::builder().match_kind(MatchKind::Standard).build(&values).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let mut wakes = [false; 256];
        let firsts = values.iter().filter_map(|value| value.first().copied());
        let first_or_escape = firsts.chain((0..=u8::MAX).filter(|byte| begins_escape(*byte)));
        first_or_escape.for_each(|byte| wakes[usize::from(byte)] = true);
        Some(Self { automaton, values, start, wakes, skips_space })
    }

    /// The length of the shortest.
    pub(super) fn shortest(&self) -> usize {
        self.automaton.min_pattern_len()
    }

    /// Where the values stand, in the order of their ends; what overlaps is one place.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        if self.wake(text, 0) == text.len() {
            return Vec::new();
        }
        let mut search = Search {
            of: self,
            text,
            reader: Reader::new(text),
            pending: Vec::new(),
            edges: BTreeSet::new(),
            effort: text.len().saturating_mul(4).saturating_add(10_000),
            found: Vec::new(),
        };
        search.run();
        search.found
    }

    /// Where something may begin next.
    fn wake(&self, text: &[u8], at: usize) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| self.wakes[usize::from(*byte)]).unwrap_or(rest.len())
    }

    fn next(&self, state: StateID, byte: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    fn is_skipped(&self, byte: u8) -> bool {
        self.skips_space && byte.is_ascii_whitespace()
    }

    /// Whether a byte is more than itself.
    fn is_special(&self, byte: u8) -> bool {
        begins_escape(byte) || is_quote(byte) || self.is_skipped(byte)
    }
}

/// What shells put around parts of a word, and double inside.
const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
}

/// An escape that was read, by its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    end: usize,
    from: usize,
    len: usize,
    bytes: [u8; 4],
}

impl Edge {
    fn new(from: usize, end: usize, text: &[u8]) -> Self {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
        Self { end, from, len: text.len().min(4), bytes }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

struct Search<'a> {
    of: &'a Values,
    text: &'a [u8],
    reader: Reader<'a>,
    /// States that are reached by an escape, and where it ends.
    pending: Vec<(usize, StateID)>,
    edges: BTreeSet<Edge>,
    /// How many steps back are left.
    effort: usize,
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    fn run(&mut self) {
        let (mut active, mut next) = (vec![self.of.start], Vec::new());
        let mut at = 0;
        while let Some(&byte) = self.text.get(at) {
            let only =
                if let [state] = active[..] { Some(state).filter(|_| self.pending.is_empty()) } else { None };
            if only == Some(self.of.start) && !self.of.wakes[usize::from(byte)] {
                at = self.of.wake(self.text, at + 1);
                continue;
            }
            if let Some(state) = only.filter(|_| !self.of.is_special(byte)) {
                at += 1;
                let state = self.of.next(state, byte);
                self.note(at, state);
                active[0] = state;
                continue;
            }
            self.pending.retain(|(end, state)| {
                if *end == at {
                    push(&mut active, *state);
                }
                *end > at
            });
            next.clear();
            for &state in &active {
                self.step(at, byte, state, &mut next);
            }
            let is_vain =
                |(byte, _): (u8, usize)| only == Some(self.of.start) && !self.of.wakes[usize::from(byte)];
            if begins_escape(byte) && !usual(self.text, at).is_some_and(is_vain) {
                self.follow(at, &active);
            }
            // Whatever else is followed goes through the start as well.
            if next.len() > 1 {
                next.retain(|state| *state != self.of.start);
            }
            if next.is_empty() {
                next.push(self.of.start);
            }
            std::mem::swap(&mut active, &mut next);
            if self.pending.is_empty() && active == [self.of.start] || self.edges.len() > MAX_EDGES {
                self.edges.clear();
            }
            at += 1;
        }
    }

    /// A byte as it is written.
    fn step(&mut self, at: usize, byte: u8, state: StateID, next: &mut Vec<StateID>) {
        if self.of.is_skipped(byte) {
            return push(next, state);
        }
        let reached = self.of.next(state, byte);
        self.note(at + 1, reached);
        push(next, reached);
        if is_quote(byte) {
            push(next, state);
        }
    }

    /// The escapes that begin at a place.
    fn follow(&mut self, at: usize, active: &[StateID]) {
        let readings = self.reader.at(at);
        for reading in readings.iter().filter(|reading| reading.end() > at + 1 || reading.bytes() == b" ") {
            for &state in active {
                self.take(at, reading, state);
            }
        }
    }

    fn take(&mut self, at: usize, reading: &Reading, state: StateID) {
        let bytes = reading.bytes();
        let is_skipped = reading.byte().is_none_or(|byte| self.of.is_skipped(byte)) && bytes.len() < 2;
        if (is_skipped || reading.byte().is_some_and(is_quote)) && state != self.of.start {
            self.reach(Edge::new(at, reading.end(), b""), state);
        }
        if is_skipped {
            return;
        }
        let reached = bytes.iter().fold(state, |state, byte| self.of.next(state, *byte));
        if reached != self.of.start {
            self.reach(Edge::new(at, reading.end(), bytes), reached);
            self.note(reading.end(), reached);
        }
    }

    fn reach(&mut self, edge: Edge, state: StateID) {
        self.edges.insert(edge);
        let reached = (edge.end, state);
        if self.pending.len() < MAX_ACTIVE * 8 && !self.pending.contains(&reached) {
            self.pending.push(reached);
        }
    }

    /// Notes the values that end here, when this state says that some do.
    fn note(&mut self, end: usize, state: StateID) {
        if !self.of.automaton.is_match(state) {
            return;
        }
        for index in 0..self.of.automaton.match_len(state) {
            let id = self.of.automaton.match_pattern(state, index);
            let of = self.of;
            let Some(value) = of.values.get(id.as_usize()) else { continue };
            let latest = end.saturating_sub(value.len());
            // One in a row of the same, without looking for its beginning: it cannot be before the row's.
            let is_in_row = self.edges.is_empty()
                && self.found.last().is_some_and(|last| last.start <= latest && latest <= last.end);
            let start = if is_in_row { latest } else { self.start_of(value, end) };
            add(&mut self.found, start..end);
        }
    }

    /// Where a value that ends here begins, at the earliest. In a text that is made to be read in many ways, all that may
    /// belong to it.
    fn start_of(&mut self, value: &[u8], end: usize) -> usize {
        if self.text.get(..end).is_some_and(|text| text.ends_with(value)) {
            return end - value.len();
        }
        let mut first = end;
        let mut seen = HashSet::new();
        let mut left = vec![(end, value.len())];
        while let Some((at, length)) = left.pop() {
            let Some((&last, before)) = value.get(..length).and_then(<[u8]>::split_last) else {
                first = first.min(at);
                continue;
            };
            if !seen.insert((at, length)) {
                continue;
            }
            if self.effort == 0 {
                return end.saturating_sub(value.len() * MAX_ESCAPED);
            }
            self.effort -= 1;
            let is_inside = length < value.len();
            let range = Edge::new(0, at, b"")..Edge::new(0, at + 1, b"");
            for edge in self.edges.range(range) {
                let bytes = edge.bytes();
                if value.get(..length).is_some_and(|value| value.ends_with(bytes))
                    && (is_inside || !bytes.is_empty())
                {
                    left.push((edge.from, length - bytes.len()));
                }
            }
            let Some(&byte) = at.checked_sub(1).and_then(|at| self.text.get(at)) else { continue };
            if byte == last {
                left.push((at - 1, before.len()));
            }
            if is_inside && (is_quote(byte) || self.of.is_skipped(byte)) {
                left.push((at - 1, length));
            }
        }
        if first < end { first } else { end - value.len().min(end) }
    }
}

fn push(states: &mut Vec<StateID>, state: StateID) {
    if states.len() < MAX_ACTIVE && !states.contains(&state) {
        states.push(state);
    }
}

/// Adds a place to others, which are in the order of their ends; what overlaps becomes one.
pub(super) fn add(found: &mut Vec<Range<usize>>, mut place: Range<usize>) {
    while let Some(last) = found.last() {
        if last.end <= place.start || place.is_empty() {
            break;
        }
        place = last.start.min(place.start)..last.end.max(place.end);
        found.pop();
    }
    if !place.is_empty() {
        found.push(place);
    }
}
