//! MSMQ's protocols over RPC: RemoteRead, qmmgmt, qmcomm and qmcomm2, as client and as server.
//!
//! Our client with our server proves nothing of the bytes; `vectors` and `peers` do, whose bytes impacket makes and reads.

mod client_protocol;
mod cuts;
mod hostile;
mod management;
mod peers;
mod relay;
mod remote_read;
mod setup;
mod vectors;
