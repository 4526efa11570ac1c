//! What tests of much and of long need: seeds, counters, a process of their own, a record of what they did.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Display;
use std::io::{self, Read};
use std::process::Command;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Instant;

/// Whether `cargo xtask soak` runs the tests: then they do all that they can, otherwise a tenth or less.
pub fn soak() -> bool {
    std::env::var_os("REMASSIST_SOAK").is_some()
}

/// Tells `cargo xtask soak` what was done.
pub fn record(what: impl Display, began: Instant, result: impl Display) {
    println!("\nsoak | {what} | {:.1} | {result}", began.elapsed().as_secs_f64());
}

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// From REMASSIST_SEED, or from the clock; printed, so that a failure can be had again.
    pub fn seeded() -> Self {
        let given = std::env::var("REMASSIST_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
        let seed = given.unwrap_or_else(clock);
        println!("REMASSIST_SEED={seed}");
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}

/// Bytes without end that depend on the seed and nothing else, and not on how they are read.
impl Read for Random {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len() - buffer.len() % 8;
        let len = if len == 0 { buffer.len() } else { len };
        for piece in buffer[..len].chunks_mut(8) {
            piece.copy_from_slice(&self.number().to_le_bytes()[..piece.len()]);
        }
        Ok(len)
    }
}

/// Runs a test in a process of its own, as it counts what the process holds. Whether this is that process.
pub fn alone(test: &str) -> bool {
    const ALONE: &str = "REMASSIST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ALONE, "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "there is no test {test}");
    false
}

/// Files, sockets and everything else that the process has open.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Counts the bytes that the process has allocated.
struct Counting;

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

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that the process has allocated. Only a process of its own says something about one test.
pub fn memory() -> isize {
    HELD.load(Ordering::Relaxed)
}

/// Most bytes since it was asked for the last time.
pub fn most_memory() -> isize {
    MOST.swap(memory(), Ordering::Relaxed)
}
