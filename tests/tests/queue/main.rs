//! Queues and listeners under load: processes killed, disks that are full.

mod kills;
#[path = "../common/measure.rs"]
mod measure;
mod workers;
