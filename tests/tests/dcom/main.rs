//! Our expert with our novice over DCOM on loopback.

mod bench;
mod callers;
#[cfg(not(target_os = "macos"))]
mod faults;
mod hostile;
#[cfg(not(target_os = "macos"))]
mod kills;
mod load;
mod pair;
#[cfg(not(target_os = "macos"))]
mod relay;
mod scripted;
mod sessions;

#[global_allocator]
static ALLOCATOR: testkit::memory::Counting = testkit::memory::Counting;
