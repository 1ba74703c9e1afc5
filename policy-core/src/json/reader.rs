//! The text and how far it was read. Nothing here depends on a type.

use alloc::string::String;

use super::Error;

/// How deep values that nobody looks at may be nested. Types set their own bound.
const MAX_DEPTH: usize = 128;

/// A text and how far it was read.
pub(super) struct Reader<'de> {
    text: &'de str,
    at: usize,
    /// Whether a bracket or brace was just opened: what comes next needs no comma.
    is_first: bool,
}

/// A string.
pub(super) enum Text<'de> {
    /// As it stands in the text.
    Written(&'de str),
    /// It has escapes.
    Unescaped(String),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Text::Written(text) => text,
            Text::Unescaped(text) => text,
        }
    }
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Result<Self, Error> {
        let reader = |text, at| Self {
            text,
            at,
            is_first: false,
        };
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(reader(text, 0)),
            Err(error) => {
                let text = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let text = core::str::from_utf8(text).unwrap_or_default();
                Err(Error::new("not UTF-8").at(&reader(text, text.len())))
            }
        }
    }

    /// Line and column, counted from one.
    pub(super) fn place(&self) -> (usize, usize) {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        (line.saturating_add(1), column.saturating_add(1))
    }

    /// Nothing but blanks may come.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Error::new("trailing characters").at(self)),
        }
    }

    /// What comes next but blanks.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.step();
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn since(&self, start: usize) -> &'de str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> Error {
        let found = if self.at < self.text.len() {
            ""
        } else {
            "unexpected end, "
        };
        let mut message = String::from(found);
        message.push_str("expected ");
        message.push_str(wanted);
        Error::new(&message).at(self)
    }

    /// A bracket or brace.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), Error> {
        if self.peek() != Some(bracket) {
            return Err(self.unexpected(if bracket == b'[' { "a list" } else { "an object" }));
        }
        self.step();
        self.is_first = true;
        Ok(())
    }

    /// Whether another item comes; takes the comma before it.
    pub(super) fn has_next(&mut self, bracket: u8) -> Result<bool, Error> {
        let next = self.peek();
        if next == Some(bracket) {
            return Ok(false);
        }
        if core::mem::take(&mut self.is_first) {
            return Ok(true);
        }
        if next != Some(b',') {
            return Err(self.unexpected(if bracket == b']' { "`,` or `]`" } else { "`,` or `}`" }));
        }
        self.step();
        if self.peek() == Some(bracket) {
            return Err(Error::new("trailing comma").at(self));
        }
        Ok(true)
    }

    /// The end of a list or an object, all of which was read.
    pub(super) fn close(&mut self, bracket: u8) -> Result<(), Error> {
        if self.peek() != Some(bracket) {
            return Err(Error::new("too many items").at(self));
        }
        self.step();
        self.is_first = false;
        Ok(())
    }

    /// Whether a variant is written as an object, which is then open.
    pub(super) fn opens_variant(&mut self) -> Result<bool, Error> {
        match self.peek() {
            Some(b'"') => Ok(false),
            Some(b'{') => {
                self.step();
                self.is_first = false;
                Ok(true)
            }
            _ => Err(self.unexpected("a variant: a string, or an object with one key")),
        }
    }

    /// The end of such an object.
    pub(super) fn last(&mut self, bracket: u8) -> Result<(), Error> {
        if self.peek() != Some(bracket) {
            return Err(self.unexpected("`}` after the one key of a variant"));
        }
        self.step();
        Ok(())
    }

    pub(super) fn colon(&mut self) -> Result<(), Error> {
        if self.peek() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.step();
        Ok(())
    }

    fn word(&mut self, word: &str) -> bool {
        let is_next = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is_next {
            self.at = self.at.saturating_add(word.len());
        }
        is_next
    }

    /// Whether `null` is next; if so, it is taken.
    pub(super) fn null(&mut self) -> Result<bool, Error> {
        match self.peek() {
            Some(b'n') if self.word("null") => Ok(true),
            Some(b'n') => Err(self.unexpected("a value")),
            _ => Ok(false),
        }
    }

    pub(super) fn bool(&mut self) -> Result<bool, Error> {
        self.peek();
        let value = self.word("true");
        if value || self.word("false") {
            Ok(value)
        } else {
            Err(self.unexpected("true or false"))
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64, Error> {
        self.peek();
        let start = self.at;
        self.number()?;
        self.since(start).parse().map_err(|_| {
            self.at = start;
            self.unexpected("an integer")
        })
    }

    /// A number as JSON writes it.
    fn number(&mut self) -> Result<(), Error> {
        if self.byte() == Some(b'-') {
            self.step();
        }
        if self.byte() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.step();
            if let Some(b'+' | b'-') = self.byte() {
                self.step();
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        if self.at == start {
            return Err(self.unexpected("a number"));
        }
        Ok(())
    }

    pub(super) fn string(&mut self) -> Result<Text<'de>, Error> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        self.step();
        let mut unescaped: Option<String> = None;
        loop {
            let plain = self.plain();
            match self.byte() {
                Some(b'"') => {
                    self.step();
                    return Ok(match unescaped {
                        None => Text::Written(plain),
                        Some(mut text) => {
                            text.push_str(plain);
                            Text::Unescaped(text)
                        }
                    });
                }
                Some(b'\\') => {
                    self.step();
                    let text = unescaped.get_or_insert_default();
                    text.push_str(plain);
                    text.push(self.escaped()?);
                }
                _ => return Err(self.unexpected("the end of the string, or a control character as `\\u00..`")),
            }
        }
    }

    /// What a string has up to its end, an escape or something that must be one.
    fn plain(&mut self) -> &'de str {
        let start = self.at;
        while self.byte().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')) {
            self.step();
        }
        self.since(start)
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let byte = self.byte();
        self.step();
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(Error::new("no such escape").at(self)),
        })
    }

    /// Four hexadecimal digits, or twice as many for what is beyond them.
    fn code_point(&mut self) -> Result<char, Error> {
        let high = self.unit()?;
        let code = match high {
            0xd800..0xdc00 if self.word("\\u") => match self.unit()? {
                low @ 0xdc00..0xe000 => 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff),
                _ => high,
            },
            code => code,
        };
        char::from_u32(code).ok_or_else(|| Error::new("half of a character").at(self))
    }

    fn unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at.saturating_add(4)).unwrap_or_default();
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(unit) if is_hex => {
                self.at = self.at.saturating_add(4);
                Ok(unit)
            }
            _ => Err(self.unexpected("four hexadecimal digits")),
        }
    }

    /// Passes over the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<&'de str, Error> {
        self.peek();
        let start = self.at;
        self.skip_nested(MAX_DEPTH)?;
        Ok(self.since(start))
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), Error> {
        let Some(deeper) = depth.checked_sub(1) else {
            return Err(Error::new("nested too deep").at(self));
        };
        match self.peek() {
            Some(b'[') => {
                self.open(b'[')?;
                while self.has_next(b']')? {
                    self.skip_nested(deeper)?;
                }
                self.close(b']')
            }
            Some(b'{') => {
                self.open(b'{')?;
                while self.has_next(b'}')? {
                    self.string()?;
                    self.colon()?;
                    self.skip_nested(deeper)?;
                }
                self.close(b'}')
            }
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.bool().map(drop),
            Some(b'n') => self.null().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("a value")),
        }
    }
}
