//! Memory: for what the host hands over, and for the plugin itself, which counts how often it asks for some.

#![expect(unsafe_code, reason = "an allocator, and a function that gives memory to the host")]

use core::{
    alloc::{GlobalAlloc, Layout},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory was asked for. A host finds it by this name: that an allowed request costs none but for what the
/// host hands over is tested on the very module that is shipped.
#[unsafe(export_name = "portcullis_allocations")]
static ALLOCATIONS: AtomicU32 = AtomicU32::new(0);

/// The allocator of the system, counted.
struct Counting;

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: all is left to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Where the host puts a value that it hands over. Null, which makes the call that asked for the value fail, if there
/// is no memory.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout is not empty.
        Ok(layout) if size != 0 => unsafe { std::alloc::alloc(layout) },
        _ => ptr::null_mut(),
    }
}

/// What the host put there.
///
/// # Safety
///
/// The host got `data` from [`proxy_on_memory_allocate`] for this very size, filled all of it and does not use it any
/// more; or `data` is null.
pub(super) unsafe fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: an array of so many bytes, from the allocator that the vector gives it back to.
    unsafe { Vec::from_raw_parts(data, size, size) }
}
