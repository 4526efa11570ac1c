//! Laws, damage, vectors and fuzz oracles for the tests of the suite. Panics are its way to report.

pub mod bench;
pub mod broker;
pub mod damage;
pub mod dcom;
pub mod echo;
pub mod laws;
pub mod logon;
pub mod measure;
pub mod memory;
pub mod msmq;
pub mod novice;
pub mod oracles;
pub mod pair;
pub mod queued;
pub mod rdp;
pub mod rpc;
pub mod sample;
pub mod vectors;
