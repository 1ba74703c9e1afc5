//! JSON, written piece by piece: ASCII only, on one line, whatever bytes it is made of.

use core::fmt::Display;

/// An object that is being written. Whoever writes it opens and closes what is inside.
///
/// What is called in many places is not inlined: the plugin is to be small.
pub(crate) struct Json(String);

/// What is written behind a text that was cut off.
const CUT_OFF: &str = "...";

impl Json {
    /// The beginning of an object.
    pub(crate) fn object() -> Self {
        Self(String::from("{"))
    }

    /// The end of it.
    pub(crate) fn finish(mut self) -> String {
        self.close('}');
        self.0
    }

    /// The key of what comes next, a plain word.
    #[inline(never)]
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        self.0.extend(["\"", key, "\":"]);
        self
    }

    /// Begins an object or an array, by its bracket.
    pub(crate) fn open(&mut self, bracket: char) {
        self.separate();
        self.0.push(bracket);
    }

    /// Ends an object or an array, by its bracket.
    pub(crate) fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// A word that needs no escaping: a number, `true`, `false`.
    pub(crate) fn word(&mut self, word: &str) {
        self.separate();
        self.0.push_str(word);
    }

    /// A string of so many bytes at most; more are cut off, and `...` takes their place. What is not UTF-8 becomes
    /// U+FFFD.
    #[inline(never)]
    pub(crate) fn text(&mut self, text: &[u8], most: usize) {
        self.separate();
        self.0.push('"');
        self.escape(text, most);
        self.0.push('"');
    }

    /// A string of what is displayed, as [`text`](Self::text).
    #[inline(never)]
    pub(crate) fn show(&mut self, value: &dyn Display, most: usize) {
        self.text(value.to_string().as_bytes(), most);
    }

    fn escape(&mut self, text: &[u8], most: usize) {
        let kept = text.get(..most).unwrap_or(text);
        for chunk in kept.utf8_chunks() {
            chunk.valid().chars().for_each(|c| self.push(c));
            if !chunk.invalid().is_empty() {
                self.push(char::REPLACEMENT_CHARACTER);
            }
        }
        if kept.len() < text.len() {
            self.0.push_str(CUT_OFF);
        }
    }

    fn push(&mut self, c: char) {
        match c {
            '"' | '\\' => self.0.extend(['\\', c]),
            ' '..='~' => self.0.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.0.push_str("\\u");
                    let digits = [12, 8, 4, 0].map(|shift| (*unit >> shift) & 0xf);
                    let digit = |digit: u16| char::from_digit(u32::from(digit), 16);
                    self.0.extend(digits.into_iter().filter_map(digit));
                }
            }
        }
    }

    /// A comma, unless there is nothing before it.
    fn separate(&mut self) {
        if !matches!(self.0.as_bytes().last(), Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8], most: usize) -> String {
        let mut json = Json::object();
        json.key("a").text(bytes, most);
        json.finish()
    }

    #[test]
    fn pieces_have_commas_between_them() {
        let mut json = Json::object();
        json.key("a").open('{');
        json.close('}');
        json.key("b").open('[');
        json.text(b"x", 9);
        json.text(b"{", 9);
        json.open('{');
        json.key("c").word("1");
        json.key("d").word("true");
        json.close('}');
        json.close(']');
        json.key("e").show(&"", 9);
        assert_eq!(json.finish(), r#"{"a":{},"b":["x","{",{"c":1,"d":true}],"e":""}"#);
        assert_eq!(Json::object().finish(), "{}");
    }

    #[test]
    fn what_could_break_a_line_or_a_string_is_escaped() {
        for (bytes, want, why) in [
            (&b"a b~"[..], "a b~", "printable"),
            (b"\"\\/", r#"\"\\/"#, "what ends strings"),
            (
                b"\r\n\0\x7f\x1b",
                r"\u000d\u000a\u0000\u007f\u001b",
                "control characters",
            ),
            ("é\u{2028}".as_bytes(), r"\u00e9\u2028", "not ASCII"),
            ("\u{1f600}".as_bytes(), r"\ud83d\ude00", "outside the basic plane"),
            (b"a\xff\xfeb\xc3", r"a\ufffd\ufffdb\ufffd", "not UTF-8"),
            (b"0123456789", "0123456789", "just short enough"),
            (b"0123456789a", "0123456789...", "a byte more"),
            (
                "012345678é".as_bytes(),
                r"012345678\ufffd...",
                "cut through a character",
            ),
        ] {
            assert_eq!(text(bytes, 10), format!(r#"{{"a":"{want}"}}"#), "{why}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_line_of_json(bytes: Vec<u8>, most in 0_usize..64) {
            let line = text(&bytes, most);
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            let cut = if bytes.len() > most { "..." } else { "" };
            let want = String::from_utf8_lossy(&bytes[..most.min(bytes.len())]).into_owned() + cut;
            prop_assert_eq!(&value["a"], &want);
            prop_assert!(line.len() <= most * 6 + 16);
        }
    }
}
