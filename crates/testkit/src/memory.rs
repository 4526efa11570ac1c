//! Counts the bytes that a test program has allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, counted. A test program that asks for its memory has it:
/// `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
pub struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

impl Counting {
    fn count(more: usize, less: usize) {
        let change = more.cast_signed() - less.cast_signed();
        let held = HELD.fetch_add(change, Ordering::Relaxed) + change;
        MOST.fetch_max(held, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that the process has allocated. Only a process of its own says something about one test.
pub fn memory() -> isize {
    HELD.load(Ordering::Relaxed)
}

/// Most bytes since it was asked for the last time.
pub fn most_memory() -> isize {
    MOST.swap(memory(), Ordering::Relaxed)
}
