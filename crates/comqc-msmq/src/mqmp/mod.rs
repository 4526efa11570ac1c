//! qmcomm and qmcomm2 ([MS-MQMP]).

use rpc_net::{IncomingCall, Status, SyntaxId};
use uuid::uuid;

use crate::rpc::QueueManager;

/// qmcomm, version 1.0 ([MS-MQMP] 1.9).
pub const QMCOMM: SyntaxId = SyntaxId::new(uuid!("fdb3a030-065f-11d1-bb9b-00a024ea5525"), 1, 0);
/// qmcomm2, version 1.0 ([MS-MQMP] 1.9).
pub const QMCOMM2: SyntaxId = SyntaxId::new(uuid!("76d12b80-3467-11d3-91ff-0090272f9ea3"), 1, 0);

#[derive(Default)]
pub(crate) struct Server;

impl Server {
    pub(crate) fn run_down(&self, _: u64) {}
    pub(crate) async fn call(&self, _: &QueueManager, _: &IncomingCall) -> Result<Vec<u8>, Status> {
        Err(Status::OP_RNG_ERROR)
    }
    pub(crate) async fn call2(&self, _: &QueueManager, _: &IncomingCall) -> Result<Vec<u8>, Status> {
        Err(Status::OP_RNG_ERROR)
    }
}
