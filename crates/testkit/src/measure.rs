//! What tests of much and of long need: seeds, a process of their own, a record of what they did.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Read};
use std::process::Command;
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
    again(test, &[])
}

const AGAIN: &str = "REMASSIST_ALONE";

/// Whether this is already the process that [`alone`] or [`again`] has started.
pub fn is_again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

/// As [`alone`], by a program that runs another one, given with its arguments.
pub fn again(test: &str, by: &[&str]) -> bool {
    if is_again() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let mut words = by.iter().map(OsStr::new).chain([this.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", test, "--nocapture", "--test-threads=1"]).env(AGAIN, "1");
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
