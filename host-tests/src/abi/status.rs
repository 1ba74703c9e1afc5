//! The status codes of the ABI.

/// What a host call answers. The numbers are the ABI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// The call did what it was asked.
    Ok = 0,
    /// There is no such property, header, queue or function.
    NotFound = 1,
    /// An argument is out of range, or the thing it names is not available in this callback.
    BadArgument = 2,
    /// The value exists but has no wire form.
    SerializationFailure = 3,
    /// A pointer or a length leaves the guest's memory.
    InvalidMemoryAccess = 6,
    /// The queue has no item.
    Empty = 7,
    /// The shared value changed since the guest read it.
    CasMismatch = 8,
    /// The host cannot do this here; also the answer to a call that the capability set forbids.
    InternalFailure = 10,
    /// The proxy has no implementation of this call.
    Unimplemented = 12,
}
