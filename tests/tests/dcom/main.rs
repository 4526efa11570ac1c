//! Our expert with our novice over DCOM on loopback.

mod pair;
mod sessions;
