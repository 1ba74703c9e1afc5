//! How large a WebAssembly module is, and how much of it is only names and notes.

use anyhow::{Context as _, Result, ensure};

const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Sections with this id carry names, producers and the like: nothing that runs.
const CUSTOM: u8 = 0;

/// Bytes of a module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModuleSize {
    /// The whole file.
    pub(crate) total: usize,
    /// Its custom sections, with their headers.
    pub(crate) custom: usize,
}

impl ModuleSize {
    /// Measures a module. The error says where it is malformed.
    pub(crate) fn of(module: &[u8]) -> Result<Self> {
        let mut rest = module
            .strip_prefix(&HEADER)
            .context("not a WebAssembly module of version 1")?;
        let mut custom = 0;
        while let [id, after_id @ ..] = rest {
            let at = module.len() - rest.len();
            let (length, body) = leb128(after_id).with_context(|| format!("bad section length at byte {at}"))?;
            let after = body
                .get(length..)
                .with_context(|| format!("section cut off at byte {at}"))?;
            if *id == CUSTOM {
                custom += rest.len() - after.len();
            }
            rest = after;
        }
        Ok(Self {
            total: module.len(),
            custom,
        })
    }

    /// The size when stripped.
    pub(crate) fn without_custom(&self) -> usize {
        self.total - self.custom
    }
}

/// An unsigned 32-bit number in the variable-length encoding of WebAssembly, and what follows it.
fn leb128(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let mut value = 0;
    for (position, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[position + 1..]));
        }
    }
    ensure!(bytes.len() < 5, "number too long");
    anyhow::bail!("number cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [&HEADER, sections.concat().as_slice()].concat()
    }

    #[test]
    fn counts_custom_sections() {
        let long_custom = [&[0, 0x80, 0x01][..], &[7; 128]].concat();
        let cases: [(&str, &[&[u8]], usize); 4] = [
            ("empty module", &[], 0),
            ("code only", &[&[10, 2, 1, 1]], 0),
            ("custom between others", &[&[1, 1, 0], &[0, 3, 1, b'n', 9], &[10, 0]], 5),
            ("length of two bytes", &[&long_custom], 131),
        ];
        for (why, sections, custom) in cases {
            let bytes = module(sections);
            let size = ModuleSize::of(&bytes).unwrap();
            assert_eq!((size.total, size.custom), (bytes.len(), custom), "{why}");
            assert_eq!(size.without_custom(), bytes.len() - custom, "{why}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_module() {
        let cases: [(&str, Vec<u8>); 5] = [
            ("empty file", vec![]),
            ("a component, not a module", b"\0asm\x0d\0\x01\0".to_vec()),
            ("section longer than the file", module(&[&[10, 2, 1]])),
            ("length cut off", module(&[&[10, 0x80]])),
            ("length of six bytes", module(&[&[10, 0x80, 0x80, 0x80, 0x80, 0x80, 0]])),
        ];
        for (why, bytes) in cases {
            assert!(ModuleSize::of(&bytes).is_err(), "{why}");
        }
    }
}
