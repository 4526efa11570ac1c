//! Queues and listeners under load: processes killed, disks that are full.

#[cfg(target_os = "linux")]
mod disk;
mod hostile;
mod kills;
mod once;
mod proxy;
mod wire;
mod workers;
