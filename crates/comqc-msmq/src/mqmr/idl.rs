//! What the methods of qmmgmt ask and answer ([MS-MQMR] 6), in the order of the IDL.

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind};
use rpc_net::SyntaxId;
use uuid::uuid;

use crate::rpc::macros::wires;
use crate::rpc::{MqStatus, PropVariant, QueueFormat, Text};

/// qmmgmt, version 1.0 ([MS-MQMR] 1.9).
pub const QMMGMT: SyntaxId = SyntaxId::new(uuid!("41208ee0-e970-11d1-9b9e-00e02c064c39"), 1, 0);

/// Numbers of the methods.
pub mod opnum {
    /// R_QMMgmtGetInfo.
    pub const GET_INFO: u16 = 0;
    /// R_QMMgmtAction.
    pub const ACTION: u16 = 1;
}

/// Properties of a queue manager ([MS-MQMQ] 2.3.11).
pub mod machine {
    /// PROPID_MGMT_MSMQ_ACTIVEQUEUES: format names of the queues in use.
    pub const ACTIVEQUEUES: u32 = 1;
    /// PROPID_MGMT_MSMQ_PRIVATEQ: path names of the private queues.
    pub const PRIVATEQ: u32 = 2;
    /// PROPID_MGMT_MSMQ_DSSERVER: the directory server.
    pub const DSSERVER: u32 = 3;
    /// PROPID_MGMT_MSMQ_CONNECTED: `CONNECTED` or `DISCONNECTED`.
    pub const CONNECTED: u32 = 4;
    /// PROPID_MGMT_MSMQ_TYPE: version and build.
    pub const TYPE: u32 = 5;
    /// PROPID_MGMT_MSMQ_BYTES_IN_ALL_QUEUES.
    pub const BYTES_IN_ALL_QUEUES: u32 = 6;
}

/// Properties of a queue ([MS-MQMQ] 2.3.12).
pub mod queue {
    /// PROPID_MGMT_QUEUE_PATHNAME.
    pub const PATHNAME: u32 = 1;
    /// PROPID_MGMT_QUEUE_FORMATNAME.
    pub const FORMATNAME: u32 = 2;
    /// PROPID_MGMT_QUEUE_TYPE: `PUBLIC`, `PRIVATE`, `MACHINE`, `CONNECTOR`, `MULTICAST`.
    pub const TYPE: u32 = 3;
    /// PROPID_MGMT_QUEUE_LOCATION: `LOCAL` or `REMOTE`.
    pub const LOCATION: u32 = 4;
    /// PROPID_MGMT_QUEUE_XACT: `YES`, `NO` or `UNKNOWN`.
    pub const XACT: u32 = 5;
    /// PROPID_MGMT_QUEUE_FOREIGN: `YES`, `NO` or `UNKNOWN`.
    pub const FOREIGN: u32 = 6;
    /// PROPID_MGMT_QUEUE_MESSAGE_COUNT.
    pub const MESSAGE_COUNT: u32 = 7;
    /// PROPID_MGMT_QUEUE_BYTES_IN_QUEUE.
    pub const BYTES_IN_QUEUE: u32 = 8;
    /// PROPID_MGMT_QUEUE_JOURNAL_MESSAGE_COUNT.
    pub const JOURNAL_MESSAGE_COUNT: u32 = 9;
    /// PROPID_MGMT_QUEUE_BYTES_IN_JOURNAL.
    pub const BYTES_IN_JOURNAL: u32 = 10;
    /// PROPID_MGMT_QUEUE_STATE: of an outgoing queue; `LOCAL CONNECTION` otherwise.
    pub const STATE: u32 = 11;
    /// PROPID_MGMT_QUEUE_NEXTHOPS; this and what follows to 25 is of outgoing queues.
    pub const NEXTHOPS: u32 = 12;
    /// PROPID_MGMT_QUEUE_CONNECTION_HISTORY.
    pub const CONNECTION_HISTORY: u32 = 25;
    /// PROPID_MGMT_QUEUE_SUBQUEUE_COUNT.
    pub const SUBQUEUE_COUNT: u32 = 26;
    /// PROPID_MGMT_QUEUE_SUBQUEUE_NAMES.
    pub const SUBQUEUE_NAMES: u32 = 27;
}

/// MGMT_OBJECT ([MS-MQMR] 2.2.1.2): type u16 (an enumeration), again as the discriminant of the union, then its arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MgmtObject {
    /// MGMT_MACHINE, 1: the queue manager; a reserved number.
    Machine(u32),
    /// MGMT_QUEUE, 2: a queue.
    Queue(Option<QueueFormat>),
    /// MGMT_SESSION, 3: refused; a reserved number.
    Session(u32),
}

impl Default for MgmtObject {
    fn default() -> Self {
        Self::Machine(0)
    }
}

static OBJECT: At = At::new("[MS-MQMR]", "2.2.1.2", "MGMT_OBJECT", "");
static TYPE: At = At::new("[MS-MQMR]", "2.2.1.2", "MGMT_OBJECT", "type");
static ARM: At = At::new("[MS-MQMR]", "2.2.1.2", "MGMT_OBJECT", "union");

impl<'a> Ndr<'a> for MgmtObject {
    /// The object, and whether a QUEUE_FORMAT follows.
    type Head = (Self, bool);
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self::Head, DecodeError> {
        r.align(4)?;
        r.group(&OBJECT, |r| {
            let (kind, tag) = (r.u16(&TYPE)?, r.u16(&TYPE)?);
            if kind != tag {
                return Err(
                    r.error(&TYPE, DecodeErrorKind::Rule("the discriminant of the union is not type"))
                );
            }
            Ok(match tag {
                1 => (Self::Machine(r.u32(&ARM)?), false),
                2 => (Self::Queue(None), r.referent(&ARM)?),
                3 => (Self::Session(r.u32(&ARM)?), false),
                _ => return Err(r.error(&TYPE, DecodeErrorKind::InvalidValue { got: tag.into() })),
            })
        })
    }

    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        match head {
            (Self::Queue(_), true) => Ok(Self::Queue(Some(r.value(&ARM)?))),
            (object, _) => Ok(object),
        }
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.align(4);
        let tag = match self {
            Self::Machine(_) => 1,
            Self::Queue(_) => 2,
            Self::Session(_) => 3,
        };
        w.u16(tag);
        w.u16(tag);
        match self {
            Self::Machine(reserved) | Self::Session(reserved) => w.u32(*reserved),
            Self::Queue(queue) => w.referent(queue.is_some()),
        }
    }

    fn put_tail(&self, w: &mut Writer<'_>, _: &'static At) {
        if let Self::Queue(Some(queue)) = self {
            w.value(queue, &ARM);
        }
    }
}

wires! {
    /// The \[in\] parameters of R_QMMgmtGetInfo ([MS-MQMR] 3.1.4.1).
    params GetInfoRequest, "[MS-MQMR]" "3.1.4.1" "R_QMMgmtGetInfo" {
        /// pObjectFormat.
        "pObjectFormat" object: MgmtObject;
        /// cp: 1 to 128.
        "cp" count: u32;
        /// aProp: which properties.
        "aProp" properties: Vec<u32>;
        /// apVar: VT_NULL each.
        "apVar" values: Vec<PropVariant>;
    }

    /// What R_QMMgmtGetInfo answers.
    params GetInfoResponse, "[MS-MQMR]" "3.1.4.1" "R_QMMgmtGetInfo" {
        /// apVar: the values.
        "apVar" values: Vec<PropVariant>;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of R_QMMgmtAction ([MS-MQMR] 3.1.4.2).
    params ActionRequest, "[MS-MQMR]" "3.1.4.2" "R_QMMgmtAction" {
        /// pObjectFormat.
        "pObjectFormat" object: MgmtObject;
        /// lpwszAction: `CONNECT`, `DISCONNECT`, `TIDY`, `PAUSE`, `RESUME`, `EOD_RESEND`. The IDL has no `string` here, which the text
        /// and the length of a name need.
        "lpwszAction" action: Text;
    }
}
