//! Where lines come from: files and standard input, gzipped or not, in batches of bounded size.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    ops::Range,
    path::Path,
};

use anyhow::{Context as _, Result};
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;

use crate::input::is_stdin;

/// How many lines are read before they are judged. The answers do not depend on it, but for what one line says of the
/// names of addresses and later lines of the batch do not.
const BATCH_LINES: usize = 4096;
/// How many bytes end a batch.
const BATCH_BYTES: usize = 8 << 20;
/// How long a line may be. Envoy's headers, the longest part of one, end at 96 KiB.
pub(super) const MAX_LINE: usize = 1 << 20;

/// One log.
pub(super) struct Source {
    /// As messages call it.
    pub(super) name: String,
    reader: Box<dyn BufRead>,
    lines: u64,
}

/// Lines of a log, one after the other.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// Where a line is in the bytes of its batch; `None` if it was too long to keep.
struct Line {
    number: u64,
    range: Option<Range<usize>>,
}

/// A line and its number; without text if it is longer than [`MAX_LINE`].
pub(super) type Numbered<'a> = (u64, Option<&'a [u8]>);

impl Source {
    /// Opens a log, and tells the bar how much of it is read.
    pub(super) fn open(path: &Path, bar: &ProgressBar) -> Result<Self> {
        let context = || format!("cannot read {}", path.display());
        let (name, raw): (String, Box<dyn Read>) = if is_stdin(path) {
            ("<stdin>".into(), Box::new(io::stdin()))
        } else {
            (
                path.display().to_string(),
                Box::new(File::open(path).with_context(context)?),
            )
        };
        let mut reader = BufReader::with_capacity(1 << 16, bar.wrap_read(raw));
        let is_gzip = reader.fill_buf().with_context(context)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> = match is_gzip {
            true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader))),
            false => Box::new(reader),
        };
        Ok(Self { name, reader, lines: 0 })
    }

    /// Reads the next lines. Afterwards the batch is empty if there are none.
    pub(super) fn fill(&mut self, batch: &mut Batch) -> Result<()> {
        batch.bytes.clear();
        batch.lines.clear();
        while batch.lines.len() < BATCH_LINES && batch.bytes.len() < BATCH_BYTES {
            let start = batch.bytes.len();
            let read = read_line(&mut self.reader, &mut batch.bytes)
                .with_context(|| format!("cannot read {} after line {}", self.name, self.lines))?;
            if read == 0 {
                break;
            }
            self.lines += 1;
            let kept = batch.bytes.len() - start <= MAX_LINE;
            if !kept {
                batch.bytes.truncate(start);
            }
            batch.lines.push(Line {
                number: self.lines,
                range: kept.then_some(start..batch.bytes.len()),
            });
        }
        Ok(())
    }
}

impl Batch {
    /// The lines that are not blank.
    pub(super) fn lines(&self) -> impl Iterator<Item = Numbered<'_>> {
        let lines = self.lines.iter().map(|line| {
            let text = line.range.clone().and_then(|range| self.bytes.get(range));
            (line.number, text.map(<[u8]>::trim_ascii))
        });
        lines.filter(|(_, text)| *text != Some(&[]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Appends the next line with its line break, of one that is too long a byte more than may be, and reads it to its
/// end. How many bytes were read: 0 at the end.
fn read_line(reader: &mut dyn BufRead, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let limit = bytes.len() + MAX_LINE + 1;
    let mut read = 0;
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let here = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        let room = limit.saturating_sub(bytes.len());
        bytes.extend(here.iter().take(room));
        let consumed = here.len();
        reader.consume(consumed);
        read += consumed;
        if end.is_some() || consumed == 0 {
            return Ok(read);
        }
    }
}

/// How many bytes all logs have; `None` if one of them is no file.
pub(super) fn total_bytes(paths: &[impl AsRef<Path>]) -> Option<u64> {
    let sizes = paths.iter().map(|path| {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        found.map(|found| found.len())
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_counted() {
        let long = "x".repeat(MAX_LINE + 1);
        let just = "y".repeat(MAX_LINE - 1);
        let text = format!("a\n{long}\n\n{just}\nlast");
        let mut source = Source {
            name: "log".into(),
            reader: Box::new(io::Cursor::new(text)),
            lines: 0,
        };
        let mut batch = Batch::default();
        source.fill(&mut batch).expect("lines");
        let lines: Vec<(u64, Option<usize>)> = batch
            .lines()
            .map(|(number, text)| (number, text.map(<[u8]>::len)))
            .collect();
        let want = vec![(1, Some(1)), (2, None), (4, Some(MAX_LINE - 1)), (5, Some(4))];
        assert_eq!(lines, want, "blank lines count, but are no lines");
        source.fill(&mut batch).expect("the end");
        assert!(batch.is_empty());
    }

    #[test]
    fn a_batch_ends_where_it_is_large_enough() {
        let mut source = Source {
            name: "log".into(),
            reader: Box::new(io::Cursor::new("a\n".repeat(BATCH_LINES + 1))),
            lines: 0,
        };
        let mut batch = Batch::default();
        for want in [BATCH_LINES, 1, 0] {
            source.fill(&mut batch).expect("lines");
            assert_eq!(batch.lines().count(), want);
        }
    }
}
