//! Distinguished encoding (DER, X.690): as much of it as certificates use.

/// Tags: the class and the form in the three high bits, the number in the others.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// The tags that a context gives a meaning; add the number.
pub(super) const CONTEXT: u8 = 0x80;
pub(super) const CONTEXT_CONSTRUCTED: u8 = 0xa0;

/// The elements in the content of another one, which are yet to be read.
///
/// Every method returns `None` for bytes that are no such element, or that say it in another way than DER does.
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Some` if and only if all have been read.
    pub(super) fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// The tag and the content of the next element.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        /// Here the number of the tag would follow in more bytes.
        const LONG_TAG: u8 = 0x1f;

        let (tag, rest) = self.0.split_first()?;
        if tag & LONG_TAG == LONG_TAG {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// The content of the next element if it has this tag; the inner `None` if it has another, or there is none.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) {
            self.expect(tag).map(Some)
        } else {
            Some(None)
        }
    }
}

/// A definite length in its shortest form, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest, shortest) = match first {
        0..=0x7f => return Some((usize::from(*first), rest)),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (u32::from(*length), rest, 0x80)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u32::from(u16::from_be_bytes(*length)), rest, 0x100)
        }
        0x83 => {
            let ([high, middle, low], rest) = rest.split_first_chunk()?;
            (u32::from_be_bytes([0, *high, *middle, *low]), rest, 0x1_0000)
        }
        // Indefinite, or longer than any certificate that fits into a handshake.
        _ => return None,
    };
    let length = (length >= shortest).then_some(length)?;
    Some((usize::try_from(length).ok()?, rest))
}
