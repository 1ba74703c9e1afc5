//! Claims as bytes, as the network filter hands them to the HTTP filter.
//!
//! Namespace, service account, pod and address: a byte that says what follows, and that. Then the number of labels and
//! their keys and values. Numbers have four bytes, the least significant first, and come before every text.

use core::net::IpAddr;

use super::Claim;

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const V4: u8 = 4;
const V6: u8 = 6;

impl Claim {
    /// Appends the claim to bytes. What [`Self::decode`] makes of the appended ones is this claim.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for field in [&self.namespace, &self.service_account, &self.pod] {
            match field {
                None => out.push(ABSENT),
                Some(text) => {
                    out.push(PRESENT);
                    put_text(out, text);
                }
            }
        }
        match self.address {
            None => out.push(ABSENT),
            Some(IpAddr::V4(address)) => {
                out.push(V4);
                out.extend(address.octets());
            }
            Some(IpAddr::V6(address)) => {
                out.push(V6);
                out.extend(address.octets());
            }
        }
        put_number(out, self.labels.len());
        for (key, value) in &self.labels {
            put_text(out, key);
            put_text(out, value);
        }
    }

    /// `None` for bytes that [`Self::encode`] does not make, and for those with something behind them.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let namespace = reader.optional_text()?;
        let service_account = reader.optional_text()?;
        let pod = reader.optional_text()?;
        let address = reader.address()?;
        // Not reserved in advance: it may promise more labels than there are bytes.
        let mut labels = Vec::new();
        for _ in 0..reader.number()? {
            labels.push((reader.text()?, reader.text()?));
        }
        reader.0.is_empty().then_some(Self {
            namespace,
            service_account,
            pod,
            labels,
            address,
        })
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// No number is larger in the plugin; if one were, there would not be as much to decode.
fn put_number(out: &mut Vec<u8>, number: usize) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(str::from_utf8(text).ok()?.to_owned())
    }

    fn optional_text(&mut self) -> Option<Option<String>> {
        match self.take()? {
            [ABSENT] => Some(None),
            [PRESENT] => self.text().map(Some),
            _ => None,
        }
    }

    fn address(&mut self) -> Option<Option<IpAddr>> {
        match self.take()? {
            [ABSENT] => Some(None),
            [V4] => self.take::<4>().map(|octets| Some(IpAddr::from(octets))),
            [V6] => self.take::<16>().map(|octets| Some(IpAddr::from(octets))),
            _ => None,
        }
    }
}
