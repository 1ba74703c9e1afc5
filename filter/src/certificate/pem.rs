//! The text form of a certificate (RFC 7468, the strict form).

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The bytes of the certificate that the text begins with; `None` if it begins with something else.
pub(super) fn certificate(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if lines.next()? != BEGIN {
        return None;
    }
    let mut decoder = Decoder::new(text.len());
    for line in lines {
        if line == END {
            return decoder.finish();
        }
        line.iter().try_for_each(|byte| decoder.push(*byte))?;
    }
    None
}

/// Base64 (RFC 4648), with the padding that it wants and nothing that it does not.
struct Decoder {
    bytes: Vec<u8>,
    /// The bits of a group of four digits, as far as they have come.
    group: u32,
    digits: u8,
    padding: u8,
}

impl Decoder {
    fn new(text_length: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(text_length / 4 * 3),
            group: 0,
            digits: 0,
            padding: 0,
        }
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        let value = match (byte, self.padding) {
            // Two digits at least make a byte, so two may be missing.
            (b'=', _) if self.digits >= 2 => {
                self.padding = self.padding.saturating_add(1);
                0
            }
            (_, 0) => digit(byte)?,
            _ => return None,
        };
        self.group = self.group << 6 | u32::from(value);
        self.digits = self.digits.saturating_add(1);
        if self.digits == 4 {
            self.flush()?;
        }
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        let [_, first, second, third] = self.group.to_be_bytes();
        match self.padding {
            0 => self.bytes.extend([first, second, third]),
            // What padding fills up must be zero, or the same bytes had several texts.
            1 if third == 0 => self.bytes.extend([first, second]),
            2 if second == 0 && third == 0 => self.bytes.push(first),
            _ => return None,
        }
        self.group = 0;
        // After padding, no digit makes a full group: nothing may follow.
        self.digits = 0;
        Some(())
    }

    fn finish(self) -> Option<Vec<u8>> {
        (self.digits == 0).then_some(self.bytes)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
