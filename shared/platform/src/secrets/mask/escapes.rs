//! What the bytes at a place of a text may stand for: themselves, or with what follows them a character that is escaped
//! as JSON, URLs, HTML, shells and programming languages do it. Escapes may be escaped again (`%5Cu0022`,
//! `&amp;quot;`), up to [`MAX_DEPTH`] times, so a place may have several readings.

/// How often a character may be escaped.
const MAX_DEPTH: u8 = 4;
/// As deep as escapes are read in a text that is nearly nothing else.
const DEPTH_WHEN_EXHAUSTED: u8 = 2;
const MAX_READINGS: usize = 16;
/// The longest name of a character in HTML has 31 letters.
const MAX_ENTITY: usize = 32;

/// A character that a place of a text may stand for; no bytes when it stands for nothing, as a line that continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// The place behind it. Texts have at most some megabytes, and many of these are copied.
    end: u32,
    bytes: [u8; 4],
    len: u8,
}

impl Reading {
    const NONE: Self = Self { end: 0, bytes: [0; 4], len: 0 };

    /// The place behind it.
    pub(super) const fn end(&self) -> usize {
        self.end as usize
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The byte, when it is one.
    pub(super) const fn byte(&self) -> Option<u8> {
        if self.len == 1 { Some(self.bytes[0]) } else { None }
    }
}

/// The readings of a place; as it is written comes first.
#[derive(Clone, Copy)]
pub(super) struct Readings {
    items: [Reading; MAX_READINGS],
    len: usize,
}

impl Readings {
    const NONE: Self = Self { items: [Reading::NONE; MAX_READINGS], len: 0 };

    pub(super) fn iter(&self) -> impl Iterator<Item = &Reading> {
        self.items.iter().take(self.len)
    }

    fn push(&mut self, bytes: &[u8], end: usize) {
        let Ok(end) = u32::try_from(end) else { return };
        let mut reading = Reading { end, bytes: [0; 4], len: 0 };
        let Some(space) = reading.bytes.get_mut(..bytes.len()) else { return };
        space.copy_from_slice(bytes);
        reading.len = bytes.len().try_into().unwrap_or_default();
        if self.iter().any(|known| *known == reading) {
            return;
        }
        if let Some(free) = self.items.get_mut(self.len) {
            *free = reading;
            self.len += 1;
        }
    }

    fn push_char(&mut self, code: u32, end: usize) {
        if let Some(c) = char::from_u32(code) {
            self.push(c.encode_utf8(&mut [0; 4]).as_bytes(), end);
        }
    }

    /// A number of one byte, which is a part of UTF-8 to most, and a character of Latin-1 to others.
    fn push_byte(&mut self, byte: u8, end: usize) {
        self.push(&[byte], end);
        if !byte.is_ascii() {
            self.push_char(byte.into(), end);
        }
    }
}

/// Whether an escape may begin with this byte.
pub(super) const fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'+')
}

/// The one character that an escape of the most usual kinds stands for, and the place behind it: what takes no time where
/// nothing comes of it.
pub(super) fn usual(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = |offset: usize| text.get(at + offset).copied();
    match (byte(0)?, byte(1)?) {
        (b'\\', b'n') => Some((b'\n', at + 2)),
        (b'\\', b'r') => Some((b'\r', at + 2)),
        (b'\\', b't') => Some((b'\t', at + 2)),
        (b'\\', c @ (b'"' | b'/' | b'\'')) => Some((c, at + 2)),
        (b'%', high) => {
            let high = char::from(high).to_digit(16)?;
            let low = char::from(byte(2)?).to_digit(16)?;
            let decoded = u8::try_from(high * 16 + low).ok()?;
            (decoded.is_ascii() && !begins_escape(decoded)).then_some((decoded, at + 3))
        }
        _ => None,
    }
}

/// Reads a text. What it may cost grows with the text's length and no faster: when it has read more escapes of escapes
/// than anybody writes, it reads them less deep.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    effort: usize,
    /// Whether something inside of the escape that is read may itself be escaped.
    is_nested: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, effort: text.len().saturating_mul(8).saturating_add(10_000), is_nested: false }
    }

    /// What the place may stand for.
    pub(super) fn at(&mut self, at: usize) -> Readings {
        let simple = self.simple(at);
        if !self.is_nested {
            return simple;
        }
        let depth = if self.effort == 0 { DEPTH_WHEN_EXHAUSTED } else { MAX_DEPTH };
        self.readings(at, depth)
    }

    /// The readings without escapes of escapes, and whether there are such, which is rare.
    fn simple(&mut self, at: usize) -> Readings {
        let mut found = Readings::NONE;
        self.is_nested = false;
        let Some(&byte) = self.text.get(at) else { return found };
        found.push(&[byte], at + 1);
        self.escapes(byte, at + 1, 0, &mut found);
        self.is_nested |= found.iter().skip(1).filter_map(Reading::byte).any(begins_escape);
        found
    }

    fn readings(&mut self, at: usize, depth: u8) -> Readings {
        let mut found = Readings::NONE;
        let Some(&byte) = self.text.get(at) else { return found };
        if depth == 0 || !begins_escape(byte) {
            self.is_nested |= begins_escape(byte);
            found.push(&[byte], at + 1);
            return found;
        }
        self.effort = self.effort.saturating_sub(1);
        let heads = self.readings(at, depth - 1);
        found = heads;
        for head in heads.iter() {
            if let Some(byte) = head.byte() {
                self.escapes(byte, head.end(), depth - 1, &mut found);
            }
        }
        found
    }

    /// The escapes that begin with a byte, which ends here.
    fn escapes(&mut self, byte: u8, end: usize, depth: u8, found: &mut Readings) {
        match byte {
            b'%' => self.percent(end, depth, found),
            b'+' => found.push(b" ", end),
            b'\\' => self.backslash(end, depth, found),
            b'&' => self.entity(end, depth, found),
            _ => {}
        }
    }

    /// The first reading of a place that is a byte of this kind.
    fn one(&mut self, at: usize, depth: u8, is_wanted: impl Fn(u8) -> bool) -> Option<(u8, usize)> {
        let readings = self.readings(at, depth);
        readings
            .iter()
            .find_map(|reading| Some((reading.byte().filter(|byte| is_wanted(*byte))?, reading.end())))
    }

    /// A number of so many digits.
    fn number(&mut self, mut at: usize, depth: u8, digits: u32, radix: u32) -> Option<(u32, usize)> {
        let mut number: u32 = 0;
        for _ in 0..digits {
            let (digit, end) = self.one(at, depth, |byte| char::from(byte).is_digit(radix))?;
            number = number.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?)?;
            at = end;
        }
        Some((number, at))
    }

    /// Behind a percent sign: `41`, or `u0041` as old scripts write it.
    fn percent(&mut self, at: usize, depth: u8, found: &mut Readings) {
        if let Some((byte, end)) = self.number(at, depth, 2, 16) {
            found.push_byte(u8::try_from(byte).unwrap_or_default(), end);
        } else if let Some((_, at)) = self.one(at, depth, |byte| byte == b'u')
            && let Some((code, end)) = self.number(at, depth, 4, 16)
        {
            found.push_char(code, end);
        }
    }

    /// Behind a backslash.
    fn backslash(&mut self, at: usize, depth: u8, found: &mut Readings) {
        let readings = self.readings(at, depth);
        for reading in readings.iter() {
            let end = reading.end();
            match reading.byte() {
                Some(b'u') => self.unicode(end, depth, found),
                Some(b'U') => {
                    if let Some((code, end)) = self.number(end, depth, 8, 16) {
                        found.push_char(code, end);
                    }
                }
                Some(b'x') => {
                    if let Some((byte, end)) = self.number(end, depth, 2, 16) {
                        found.push_byte(u8::try_from(byte).unwrap_or_default(), end);
                    }
                }
                Some(b'0'..=b'3') => {
                    if let Some((byte, end)) = self.number(at, depth, 3, 8) {
                        found.push_byte(u8::try_from(byte).unwrap_or_default(), end);
                    }
                }
                Some(b'n') => found.push(b"\n", end),
                Some(b'r') => found.push(b"\r", end),
                Some(b't') => found.push(b"\t", end),
                Some(b'b') => found.push(&[8], end),
                Some(b'f') => found.push(&[12], end),
                Some(b'v') => found.push(&[11], end),
                // A shell's line that goes on, or a line break.
                Some(b'\n') => {
                    found.push(b"", end);
                    found.push(b"\n", end);
                }
                Some(byte) if byte.is_ascii() && !byte.is_ascii_alphanumeric() => found.push(&[byte], end),
                _ => {}
            }
        }
    }

    /// Behind `\u`: `0041`, `{41}`, or the first half of a pair of surrogates.
    fn unicode(&mut self, at: usize, depth: u8, found: &mut Readings) {
        if let Some((_, at)) = self.one(at, depth, |byte| byte == b'{') {
            for digits in 1..=6 {
                if let Some((code, end)) = self.number(at, depth, digits, 16)
                    && let Some((_, end)) = self.one(end, depth, |byte| byte == b'}')
                {
                    found.push_char(code, end);
                }
            }
            return;
        }
        let Some((unit, end)) = self.number(at, depth, 4, 16) else { return };
        if !(0xD800..0xDC00).contains(&unit) {
            found.push_char(unit, end);
            return;
        }
        // An escaped backslash reads as one as well, with what is not the second half behind it.
        let heads = self.readings(end, depth);
        let heads = heads.iter().filter(|head| head.byte() == Some(b'\\'));
        let mut halves = heads.filter_map(|head| {
            let (_, at) = self.one(head.end(), depth, |byte| byte == b'u')?;
            self.number(at, depth, 4, 16)
        });
        let low = halves.next();
        if let Some((low @ 0xDC00..0xE000, end)) = low {
            found.push_char(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), end);
        }
    }

    /// Behind an ampersand: `quot;`, `#34;`, `#x22;`, the numbers also without their semicolon.
    fn entity(&mut self, at: usize, depth: u8, found: &mut Readings) {
        if let Some((_, at)) = self.one(at, depth, |byte| byte == b'#') {
            let hex = self.one(at, depth, |byte| byte.eq_ignore_ascii_case(&b'x'));
            let (radix, mut at) = hex.map_or((10, at), |(_, at)| (16, at));
            let mut code: Option<u32> = None;
            while let Some((digit, end)) = self.one(at, depth, |byte| char::from(byte).is_digit(radix)) {
                let digit = char::from(digit).to_digit(radix).unwrap_or_default();
                let Some(more) =
                    code.unwrap_or(0).checked_mul(radix).and_then(|code| code.checked_add(digit))
                else {
                    return;
                };
                (code, at) = (Some(more), end);
            }
            let Some(code) = code else { return };
            let end = self.one(at, depth, |byte| byte == b';').map_or(at, |(_, end)| end);
            found.push_char(code, end);
            return;
        }
        let mut name = String::from("&");
        let mut at = at;
        while let Some((byte, end)) = self.one(at, depth, |byte| byte.is_ascii_alphanumeric() || byte == b';')
        {
            name.push(char::from(byte));
            at = end;
            if byte == b';' {
                let stands_for = html_escape::decode_html_entities(&name);
                if stands_for != name {
                    found.push(stands_for.as_bytes(), at);
                }
                return;
            }
            if name.len() > MAX_ENTITY {
                return;
            }
        }
    }
}
