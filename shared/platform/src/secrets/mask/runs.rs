//! Runs of letters in a text that may be Base64 (either alphabet, broken into lines or not, its signs escaped or not) or
//! hexadecimal: what they decode to, and which part of the text a part of that comes from.

use std::ops::Range;

use super::escapes::{Reader, begins_escape, usual};

/// A byte that is no letter of Base64.
const NO_LETTER: u8 = u8::MAX;
/// A letter that is no digit.
const NO_DIGIT: u8 = u8::MAX;

/// Letters that follow one another in a text, but for line breaks.
#[derive(Default)]
pub(super) struct Run {
    /// Their values in Base64.
    letters: Vec<u8>,
    pieces: Vec<Piece>,
    /// Behind the last letter and its padding.
    end: usize,
}

/// Letters that stand side by side, of the same number of bytes each.
struct Piece {
    first: usize,
    at: usize,
    bytes_each: usize,
}

/// How a run encodes bytes.
#[derive(Debug, Clone, Copy)]
struct Coding {
    bits: usize,
    /// Letters that are decoded together: all of them are masked.
    group: usize,
}

const BASE64: Coding = Coding { bits: 6, group: 4 };
const HEX: Coding = Coding { bits: 4, group: 2 };

/// Calls `each` with everything of at least `shortest` bytes that runs of this text may decode to, and `found` with the
/// places of what it finds there.
pub(super) fn decode(
    text: &[u8],
    shortest: usize,
    mut each: impl FnMut(&[u8]) -> Vec<Range<usize>>,
    mut found: impl FnMut(Range<usize>),
) {
    let mut reader = Reader::new(text);
    let mut run = Run::default();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        at = run.read(&mut reader, text, at);
        if run.letters.len() < (shortest * 8).div_ceil(BASE64.bits) {
            continue;
        }
        for from in 0..BASE64.group {
            let letters = run.letters.get(from..).unwrap_or_default();
            pack(letters, BASE64, &mut decoded);
            for place in each(&decoded) {
                found(run.place(&place, from, run.letters.len(), BASE64));
            }
        }
        run.hex(shortest, &mut decoded, &mut each, &mut found);
    }
}

/// The bytes of letters that have so many bits each.
fn pack(letters: &[u8], coding: Coding, bytes: &mut Vec<u8>) {
    bytes.clear();
    let (mut held, mut bits) = (0_u32, 0);
    for letter in letters {
        held = held << coding.bits | u32::from(*letter);
        bits += coding.bits;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xFF).unwrap_or_default());
        }
    }
}

impl Run {
    /// Reads the run that begins here; where to go on.
    fn read(&mut self, reader: &mut Reader<'_>, text: &[u8], mut at: usize) -> usize {
        self.letters.clear();
        self.pieces.clear();
        self.end = at;
        while let Some(&byte) = text.get(at) {
            let plain = text.get(at..).unwrap_or_default().iter().take_while(|byte| value(**byte).is_some());
            let before = self.letters.len();
            self.letters.extend(plain.map(|byte| VALUES[usize::from(*byte)]));
            let plain = self.letters.len() - before;
            if plain > 0 {
                self.pieces.push(Piece { first: before, at, bytes_each: 1 });
                at += plain;
                self.end = at;
                continue;
            }
            let (byte, end) = if begins_escape(byte) {
                let fitting = usual(text, at).or_else(|| {
                    let readings = reader.at(at);
                    let bytes = readings.iter().filter_map(|reading| Some((reading.byte()?, reading.end())));
                    bytes.filter(|(byte, _)| is_part(*byte)).max_by_key(|(_, end)| *end)
                });
                match fitting.filter(|(byte, _)| is_part(*byte)) {
                    Some(fitting) => fitting,
                    None => return at + 1,
                }
            } else {
                (byte, at + 1)
            };
            match value(byte) {
                Some(letter) => self.push(letter, at, end),
                None if self.letters.is_empty() => return end,
                None if is_break(byte) => at = skip_blanks(text, end),
                None if byte == b'=' => {
                    // One or two of them; what follows is another run.
                    self.end = end;
                    let second = reader.at(end);
                    let second = second.iter().find(|reading| reading.byte() == Some(b'='));
                    self.end = second.map_or(end, |second| second.end());
                    return self.end;
                }
                None => return end,
            }
            if value(byte).is_some() {
                at = end;
            }
        }
        at.max(self.end)
    }

    fn push(&mut self, letter: u8, at: usize, end: usize) {
        let bytes_each = end - at;
        let goes_on =
            self.end == at && self.pieces.last().is_some_and(|piece| piece.bytes_each == bytes_each);
        if !goes_on {
            self.pieces.push(Piece { first: self.letters.len(), at, bytes_each });
        }
        self.letters.push(letter);
        self.end = end;
    }

    /// Where a letter stands.
    fn letter(&self, index: usize) -> Range<usize> {
        let after = self.pieces.partition_point(|piece| piece.first <= index);
        let Some(piece) = after.checked_sub(1).and_then(|piece| self.pieces.get(piece)) else {
            return self.end..self.end;
        };
        let at = piece.at + (index - piece.first) * piece.bytes_each;
        at..at + piece.bytes_each
    }

    /// Where the groups of letters stand that these decoded bytes come from; letters are decoded from `from` to `to`.
    fn place(&self, bytes: &Range<usize>, from: usize, to: usize, coding: Coding) -> Range<usize> {
        let first = bytes.start * 8 / coding.bits;
        let last = (bytes.end * 8).div_ceil(coding.bits);
        let first = from + first / coding.group * coding.group;
        let last = (from + last.next_multiple_of(coding.group)).min(to);
        let end = if last >= self.letters.len() { self.end } else { self.letter(last.saturating_sub(1)).end };
        self.letter(first).start..end
    }

    /// The same for the digits among the letters.
    fn hex(
        &self,
        shortest: usize,
        decoded: &mut Vec<u8>,
        each: &mut impl FnMut(&[u8]) -> Vec<Range<usize>>,
        found: &mut impl FnMut(Range<usize>),
    ) {
        let is_digit = |letter: &u8| digit(*letter) != NO_DIGIT;
        let mut at = 0;
        for part in self.letters.split(|letter| !is_digit(letter)) {
            let to = at + part.len();
            if part.len() >= shortest * 2 {
                let digits: Vec<u8> = part.iter().map(|letter| digit(*letter)).collect();
                for from in 0..HEX.group {
                    pack(digits.get(from..).unwrap_or_default(), HEX, decoded);
                    for place in each(decoded) {
                        found(self.place(&place, at + from, to, HEX));
                    }
                }
            }
            at = to + 1;
        }
    }
}

/// Whether a byte is of Base64, or may stand between its lines.
fn is_part(byte: u8) -> bool {
    value(byte).is_some() || byte == b'=' || is_break(byte)
}

const fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A line may be indented.
fn skip_blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    at + blanks
}

/// The value of a letter in Base64, of either alphabet.
fn value(byte: u8) -> Option<u8> {
    Some(VALUES[usize::from(byte)]).filter(|value| *value != NO_LETTER)
}

static VALUES: [u8; 256] = {
    let mut values = [NO_LETTER; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        values[byte as usize] = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NO_LETTER,
        };
        byte += 1;
    }
    values
};

/// The hexadecimal digit that a letter of this value is.
const fn digit(letter: u8) -> u8 {
    match letter {
        0..=5 => letter + 10,
        26..=31 => letter - 16,
        52..=61 => letter - 52,
        _ => NO_DIGIT,
    }
}
