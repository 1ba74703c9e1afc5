//! What all contexts of one VM share, and the shield that turns a panic into a denial.

use core::{
    alloc::Layout,
    fmt::{self, Write},
    panic::AssertUnwindSafe,
};
use std::{
    cell::OnceCell,
    panic::{PanicHookInfo, catch_unwind},
};

use crate::{
    contexts::Contexts,
    host::{Host, Level},
    metrics::Metrics,
    policy::Store,
};

const NODE: &str = "xds\0node\0id";

/// One per VM, which is one per worker thread.
pub(crate) struct Vm<H: Host> {
    pub(crate) host: H,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    pub(crate) contexts: Contexts<H>,
    /// The name of the proxy, once somebody asked for it.
    node: OnceCell<Vec<u8>>,
}

impl<H: Host> Vm<H> {
    pub(crate) fn new(host: H) -> Self {
        Self {
            host,
            store: Store::default(),
            metrics: Metrics::default(),
            contexts: Contexts::default(),
            node: OnceCell::new(),
        }
    }

    /// The name of the proxy; empty if the host does not tell.
    pub(crate) fn node(&self) -> &[u8] {
        self.node
            .get_or_init(|| self.host.property(NODE).ok().flatten().unwrap_or_default())
    }

    /// Runs the body of a callback; `None` if it panicked, which was counted. A panic that left the callback would take
    /// the whole VM down, with all requests in it.
    ///
    /// The caller refuses then, and trusts nothing that the body may have left half done. The caches of the engine
    /// take an entry whole or not at all.
    pub(crate) fn shield<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        let answer = catch_unwind(AssertUnwindSafe(body)).ok();
        if answer.is_none() {
            // When memory is short, even this may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| self.metrics.count_panic(&self.host)));
        }
        answer
    }
}

/// The panic hook. It allocates nothing, since lack of memory may be the reason.
pub(crate) fn log_panic(host: &impl Host, panic: &PanicHookInfo<'_>) {
    let mut line = Line::default();
    // `Line` takes what fits and never fails.
    let _ = write!(line, "{panic}");
    host.log(Level::Critical, line.as_str());
}

/// The allocation error hook: unwinds, where the default would abort and with it end the VM.
#[cfg_attr(
    not(all(target_arch = "wasm32", panic = "unwind")),
    expect(dead_code, reason = "the hook needs unwinding")
)]
#[expect(clippy::panic, reason = "this is how an allocation that failed becomes a denial")]
pub(crate) fn out_of_memory(layout: Layout) {
    panic!("out of memory: {} bytes", layout.size())
}

/// Text of bounded length; what does not fit is cut off.
struct Line {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl Line {
    const SIZE: usize = 512;

    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.length)
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; Self::SIZE],
            length: 0,
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = Self::SIZE.saturating_sub(self.length);
        let text = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        let end = self.length.saturating_add(text.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(text.as_bytes());
            self.length = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_what_fits_of_whole_characters() {
        let mut line = Line::default();
        let _ = write!(line, "{}é", "x".repeat(Line::SIZE - 2));
        assert_eq!(line.as_str().len(), Line::SIZE, "both bytes of the last character fit");

        let mut line = Line::default();
        let _ = write!(line, "{}é", "x".repeat(Line::SIZE - 1));
        assert_eq!(line.as_str(), "x".repeat(Line::SIZE - 1), "one byte is missing");
        let _ = write!(line, "yz");
        assert!(line.as_str().ends_with("xy"), "there is room for one more");
    }
}
