//! How a plugin dies.

use std::fmt;

/// A callback that did not return. The virtual machine it ran in is dead from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// The callback that was under way.
    pub callback: &'static str,
    /// What happened.
    pub kind: TrapKind,
    /// The runtime's description, with the wasm stack.
    pub message: String,
}

/// What ended a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapKind {
    /// `unreachable`: an abort, or a panic in a build without unwinding.
    Unreachable,
    /// An access outside the plugin's memory.
    OutOfBounds,
    /// The stack is used up.
    StackOverflow,
    /// The callback burnt more fuel than [`VmConfig::fuel`](crate::VmConfig::fuel).
    OutOfFuel,
    /// A wasm exception that nobody caught.
    Exception,
    /// Anything else.
    Other,
}

impl Trap {
    pub(crate) fn new(callback: &'static str, error: &wasmtime::Error) -> Self {
        use wasmtime::Trap as Code;
        let kind = match error.downcast_ref::<Code>() {
            Some(Code::UnreachableCodeReached) => TrapKind::Unreachable,
            Some(Code::MemoryOutOfBounds | Code::TableOutOfBounds) => TrapKind::OutOfBounds,
            Some(Code::StackOverflow) => TrapKind::StackOverflow,
            Some(Code::OutOfFuel) => TrapKind::OutOfFuel,
            Some(_) => TrapKind::Other,
            None if error.is::<wasmtime::ThrownException>() => TrapKind::Exception,
            None => TrapKind::Other,
        };
        Self {
            callback,
            kind,
            message: format!("{error:#}"),
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            callback,
            kind,
            message,
        } = self;
        write!(f, "the plugin trapped in {callback} ({kind:?}): {message}")
    }
}

impl std::error::Error for Trap {}
