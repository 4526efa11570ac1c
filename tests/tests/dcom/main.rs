//! Our expert with our novice over DCOM on loopback.

mod bench;
#[cfg(not(target_os = "macos"))]
mod faults;
mod hostile;
#[cfg(not(target_os = "macos"))]
mod kills;
mod load;
#[path = "../common/measure.rs"]
mod measure;
mod pair;
#[cfg(not(target_os = "macos"))]
mod relay;
mod scripted;
mod sessions;
