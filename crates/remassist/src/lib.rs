#![doc = include_str!("../README.md")]
#![no_std]

pub use remassist_core as core;

#[cfg(feature = "comqc")]
pub use comqc_format as comqc;
#[cfg(feature = "comqc-msmq")]
pub use comqc_msmq;
#[cfg(feature = "comqc-session")]
pub use comqc_session;
#[cfg(feature = "rpc")]
pub use dce_rpc as rpc;
#[cfg(feature = "msmq")]
pub use msmq_packet as msmq;
#[cfg(feature = "ndr")]
pub use ndr_oaut as ndr;
#[cfg(feature = "channel")]
pub use ra_channel as channel;
#[cfg(feature = "connstring")]
pub use ra_connstring as connstring;
#[cfg(feature = "dcom")]
pub use ra_dcom as dcom;
#[cfg(feature = "invitation")]
pub use ra_invitation as invitation;
#[cfg(feature = "rdp")]
pub use ra_rdp as rdp;
#[cfg(feature = "session")]
pub use ra_session as session;
#[cfg(feature = "rccommand")]
pub use rccommand;
#[cfg(feature = "standard-security")]
pub use rdp_standard_security as standard_security;
#[cfg(feature = "dcom")]
pub use rpc_net;
