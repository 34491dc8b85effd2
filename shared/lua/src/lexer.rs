//! Cuts a Lua script into the tokens that the scans for step references and for literals tell apart. Comments are left out. It
//! only has to be right about scripts that compile; about everything else it must not fail.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or a keyword.
    Name(&'a str),
    /// A quoted string without escapes.
    Text(&'a str),
    /// A string whose value takes work to know.
    OtherText,
    /// A number, as far as it has no sign.
    Number(&'a str),
    /// `.` on its own, not `..` or `...`.
    Dot,
    /// `=` on its own, not `==`.
    Assign,
    /// Any other character of an operator or a bracket.
    Symbol(u8),
    /// Something this lexer does not see through: an interpolated string, which holds code, or a string without
    /// an end. Nothing can be told about what follows.
    Opaque,
}

/// The tokens of one script, in order.
pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(script: &'a str) -> Self {
        Self { rest: script }
    }

    /// How much is left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.rest.as_bytes().get(offset).copied()
    }

    /// Takes `length` bytes, or what is left, or a little more so as not to split a character.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.ceil_char_boundary(length));
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().position(|byte| !belongs(byte)).unwrap_or(self.rest.len());
        self.take(length)
    }

    /// Skips white space and comments. False when a comment has no end.
    fn skip_blank(&mut self) -> bool {
        loop {
            self.take_while(|byte| byte.is_ascii_whitespace() || byte == b'\x0b');
            if !self.rest.starts_with("--") {
                return true;
            }
            self.take(2);
            match self.long_bracket() {
                Some(true) => {}
                Some(false) => return false,
                None => _ = self.take_while(|byte| byte != b'\n'),
            }
        }
    }

    /// Takes a `[[…]]` or `[=[…]=]`, if one begins here. False when it has no end.
    fn long_bracket(&mut self) -> Option<bool> {
        let equals = self.rest.strip_prefix('[')?.bytes().take_while(|byte| *byte == b'=').count();
        (self.byte(1 + equals) == Some(b'[')).then_some(())?;
        self.take(2 + equals);
        let closing = format!("]{}]", "=".repeat(equals));
        let end = self.rest.find(&closing);
        self.take(end.map_or(self.rest.len(), |end| end + closing.len()));
        Some(end.is_some())
    }

    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let text = &self.rest[1..];
        let mut bytes = text.bytes().enumerate().peekable();
        let mut escaped = false;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    escaped = true;
                    // `\z` goes on over the white space behind it, line ends too.
                    if bytes.next().is_some_and(|(_, byte)| byte == b'z') {
                        while bytes.next_if(|(_, byte)| byte.is_ascii_whitespace()).is_some() {}
                    }
                }
                b'\n' => break,
                _ if byte == quote => {
                    self.take(at + 2);
                    return if escaped { Token::OtherText } else { Token::Text(&text[..at]) };
                }
                _ => {}
            }
        }
        self.opaque()
    }

    fn opaque(&mut self) -> Token<'a> {
        self.take(self.rest.len());
        Token::Opaque
    }

    fn number(&mut self) -> Token<'a> {
        let from = self.rest;
        loop {
            self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            // Two dots are an operator, and what follows them is no part of the number.
            if self.byte(0) != Some(b'.') || self.byte(1) == Some(b'.') {
                return Token::Number(&from[..from.len() - self.rest.len()]);
            }
            self.take(1);
        }
    }

    fn symbol(&mut self, first: u8) -> Token<'a> {
        let run = self.rest.bytes().take_while(|byte| *byte == first).count();
        match (first, run) {
            (b'.', 1) => {
                self.take(1);
                Token::Dot
            }
            (b'=', 1) => {
                self.take(1);
                Token::Assign
            }
            (b'.', _) => {
                self.take(run.min(3));
                Token::Symbol(first)
            }
            (b'=', _) => {
                self.take(2);
                Token::Symbol(first)
            }
            _ => {
                self.take(1);
                Token::Symbol(first)
            }
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if !self.skip_blank() {
            return Some(self.opaque());
        }
        let first = self.byte(0)?;
        Some(match first {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                Token::Name(self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_some_and(|byte| byte.is_ascii_digit()) => self.number(),
            b'"' | b'\'' => self.quoted(first),
            b'`' => self.opaque(),
            b'[' => match self.long_bracket() {
                Some(true) => Token::OtherText,
                Some(false) => Token::Opaque,
                None => self.symbol(first),
            },
            _ => self.symbol(first),
        })
    }
}
