//! What the methods of qmcomm and qmcomm2 ask and answer ([MS-MQMP] 6), in the order of the IDL.

use ndr_oaut::{Full, Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind};
use rpc_net::SyntaxId;
use uuid::{Uuid, uuid};

use super::buffer::{CacTransferBufferV2, CreateRemoteCursor, VaryingUnits};
use crate::rpc::macros::wires;
use crate::rpc::{ContextHandle, MqStatus, ObjectId, Octets, PropVariant, QueueFormat, Text};

/// qmcomm, version 1.0 ([MS-MQMP] 1.9).
pub const QMCOMM: SyntaxId = SyntaxId::new(uuid!("fdb3a030-065f-11d1-bb9b-00a024ea5525"), 1, 0);
/// qmcomm2, version 1.0 ([MS-MQMP] 1.9).
pub const QMCOMM2: SyntaxId = SyntaxId::new(uuid!("76d12b80-3467-11d3-91ff-0090272f9ea3"), 1, 0);

/// Numbers of the methods of qmcomm.
pub mod opnum {
    /// R_QMGetRemoteQueueName.
    pub const GET_REMOTE_QUEUE_NAME: u16 = 1;
    /// R_QMOpenRemoteQueue.
    pub const OPEN_REMOTE_QUEUE: u16 = 2;
    /// R_QMCloseRemoteQueueContext.
    pub const CLOSE_REMOTE_QUEUE_CONTEXT: u16 = 3;
    /// R_QMCreateRemoteCursor.
    pub const CREATE_REMOTE_CURSOR: u16 = 4;
    /// R_QMCreateObjectInternal.
    pub const CREATE_OBJECT: u16 = 6;
    /// R_QMSetObjectSecurityInternal.
    pub const SET_OBJECT_SECURITY: u16 = 7;
    /// R_QMGetObjectSecurityInternal.
    pub const GET_OBJECT_SECURITY: u16 = 8;
    /// R_QMDeleteObject.
    pub const DELETE_OBJECT: u16 = 9;
    /// R_QMGetObjectProperties.
    pub const GET_OBJECT_PROPERTIES: u16 = 10;
    /// R_QMSetObjectProperties.
    pub const SET_OBJECT_PROPERTIES: u16 = 11;
    /// R_QMObjectPathToObjectFormat.
    pub const OBJECT_PATH_TO_OBJECT_FORMAT: u16 = 12;
    /// R_QMGetTmWhereabouts.
    pub const GET_TM_WHEREABOUTS: u16 = 14;
    /// R_QMEnlistTransaction.
    pub const ENLIST_TRANSACTION: u16 = 15;
    /// R_QMEnlistInternalTransaction.
    pub const ENLIST_INTERNAL_TRANSACTION: u16 = 16;
    /// R_QMCommitTransaction.
    pub const COMMIT_TRANSACTION: u16 = 17;
    /// R_QMAbortTransaction.
    pub const ABORT_TRANSACTION: u16 = 18;
    /// rpc_QMOpenQueueInternal.
    pub const OPEN_QUEUE: u16 = 19;
    /// rpc_ACCloseHandle.
    pub const CLOSE_HANDLE: u16 = 20;
    /// rpc_ACCloseCursor.
    pub const CLOSE_CURSOR: u16 = 22;
    /// rpc_ACSetCursorProperties.
    pub const SET_CURSOR_PROPERTIES: u16 = 23;
    /// rpc_ACHandleToFormatName.
    pub const HANDLE_TO_FORMAT_NAME: u16 = 26;
    /// rpc_ACPurgeQueue.
    pub const PURGE_QUEUE: u16 = 27;
    /// R_QMQueryQMRegistryInternal.
    pub const QUERY_QM_REGISTRY: u16 = 28;
    /// R_QMGetRTQMServerPort.
    pub const GET_RTQM_SERVER_PORT: u16 = 31;
}

/// Numbers of the methods of qmcomm2.
pub mod opnum2 {
    /// QMSendMessageInternalEx.
    pub const SEND_MESSAGE_INTERNAL: u16 = 0;
    /// rpc_ACSendMessageEx.
    pub const SEND_MESSAGE: u16 = 1;
    /// rpc_ACReceiveMessageEx.
    pub const RECEIVE_MESSAGE: u16 = 2;
    /// rpc_ACCreateCursorEx.
    pub const CREATE_CURSOR: u16 = 3;
}

/// dwDesiredAccess of rpc_QMOpenQueueInternal.
pub mod access {
    /// MQ_RECEIVE_ACCESS: receive and peek.
    pub const RECEIVE: u32 = 0x01;
    /// MQ_SEND_ACCESS.
    pub const SEND: u32 = 0x02;
    /// MQ_PEEK_ACCESS.
    pub const PEEK: u32 = 0x20;
}

/// Properties of queues ([MS-MQMQ] 2.3.1).
pub mod property {
    /// PROPID_Q_INSTANCE: GUID.
    pub const INSTANCE: u32 = 101;
    /// PROPID_Q_PATHNAME.
    pub const PATHNAME: u32 = 103;
    /// PROPID_Q_JOURNAL.
    pub const JOURNAL: u32 = 104;
    /// PROPID_Q_QUOTA, in kilobytes.
    pub const QUOTA: u32 = 105;
    /// PROPID_Q_LABEL.
    pub const LABEL: u32 = 108;
    /// PROPID_Q_AUTHENTICATE.
    pub const AUTHENTICATE: u32 = 111;
    /// PROPID_Q_PRIV_LEVEL.
    pub const PRIV_LEVEL: u32 = 112;
    /// PROPID_Q_TRANSACTION.
    pub const TRANSACTION: u32 = 113;
}

/// OBJECT_FORMAT ([MS-MQMP] 2.2.3.5): ObjType u32 (1), again as the discriminant of the union, pQueueFormat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectFormat(
    /// pQueueFormat.
    pub Option<QueueFormat>,
);

static OBJ_TYPE: At = At::new("[MS-MQMP]", "2.2.3.5", "OBJECT_FORMAT", "ObjType");
static QUEUE: At = At::new("[MS-MQMP]", "2.2.3.5", "OBJECT_FORMAT", "pQueueFormat");

impl<'a> Ndr<'a> for ObjectFormat {
    /// Whether a QUEUE_FORMAT follows.
    type Head = bool;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<bool, DecodeError> {
        for _ in 0..2 {
            let kind = r.u32(&OBJ_TYPE)?;
            if kind != 1 {
                return Err(r.error(&OBJ_TYPE, DecodeErrorKind::InvalidValue { got: kind.into() }));
            }
        }
        r.referent(&QUEUE)
    }

    fn tail(head: bool, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        head.then(|| r.value(&QUEUE)).transpose().map(Self)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.u32(1);
        w.u32(1);
        w.referent(self.0.is_some());
    }

    fn put_tail(&self, w: &mut Writer<'_>, _: &'static At) {
        if let Some(queue) = &self.0 {
            w.value(queue, &QUEUE);
        }
    }
}

wires! {
    /// The \[in\] parameters of rpc_QMOpenQueueInternal ([MS-MQMP] 3.1.4.17).
    params OpenQueueRequest, "[MS-MQMP]" "3.1.4.17" "rpc_QMOpenQueueInternal" {
        /// pQueueFormat.
        "pQueueFormat" queue: QueueFormat;
        /// dwDesiredAccess: one of [`access`].
        "dwDesiredAccess" access: u32;
        /// dwShareMode: 0, or 1 to be alone.
        "dwShareMode" share_mode: u32;
        /// hRemoteQueue: 0.
        "hRemoteQueue" remote_queue: u32;
        /// lplpRemoteQueueName: null.
        "lplpRemoteQueueName" remote_queue_name: Full<Text>;
        /// dwpQueue.
        "dwpQueue" queue_pointer: u32;
        /// pLicGuid: the client.
        "pLicGuid" license: Uuid;
        /// lpClientName.
        "lpClientName" client_name: Text;
        /// dwRemoteProtocol.
        "dwRemoteProtocol" remote_protocol: u32;
        /// dwpRemoteContext.
        "dwpRemoteContext" remote_context: u32;
    }

    /// What rpc_QMOpenQueueInternal answers.
    params OpenQueueResponse, "[MS-MQMP]" "3.1.4.17" "rpc_QMOpenQueueInternal" {
        /// lplpRemoteQueueName: not null where the queue is on another machine.
        "lplpRemoteQueueName" remote_queue_name: Full<Text>;
        /// pdwQMContext: the queue in rpc_ACReceiveMessageEx.
        "pdwQMContext" qm_context: u32;
        /// phQueue: the queue in all other calls.
        "phQueue" queue: ContextHandle;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// A handle alone: what rpc_ACCloseHandle and rpc_ACPurgeQueue ask.
    params HandleRequest, "[MS-MQMP]" "3.1.4.18" "qmcomm" {
        /// phQueue.
        "phQueue" queue: ContextHandle;
    }

    /// What rpc_ACCloseHandle answers.
    params CloseHandleResponse, "[MS-MQMP]" "3.1.4.18" "rpc_ACCloseHandle" {
        /// phQueue: none when it was closed.
        "phQueue" queue: ContextHandle;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of rpc_ACCloseCursor.
    params CloseCursorRequest, "[MS-MQMP]" "3.1.4.19" "rpc_ACCloseCursor" {
        /// hQueue.
        "hQueue" queue: ContextHandle;
        /// hCursor.
        "hCursor" cursor: u32;
    }

    /// The \[in\] parameters of rpc_ACHandleToFormatName.
    params HandleToFormatNameRequest, "[MS-MQMP]" "3.1.4.21" "rpc_ACHandleToFormatName" {
        /// hQueue.
        "hQueue" queue: ContextHandle;
        /// dwFormatNameRPCBufferLen: room, in characters.
        "dwFormatNameRPCBufferLen" buffer_len: u32;
        /// lpwcsFormatName.
        "lpwcsFormatName" format_name: Option<VaryingUnits>;
        /// pdwLength.
        "pdwLength" length: u32;
    }

    /// What rpc_ACHandleToFormatName answers.
    params HandleToFormatNameResponse, "[MS-MQMP]" "3.1.4.21" "rpc_ACHandleToFormatName" {
        /// lpwcsFormatName.
        "lpwcsFormatName" format_name: Option<VaryingUnits>;
        /// pdwLength: with the NUL.
        "pdwLength" length: u32;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of R_QMCreateObjectInternal ([MS-MQMP] 3.1.4.5).
    params CreateObjectRequest, "[MS-MQMP]" "3.1.4.5" "R_QMCreateObjectInternal" {
        /// dwObjectType: 1.
        "dwObjectType" object_type: u32;
        /// lpwcsPathName.
        "lpwcsPathName" path_name: Text;
        /// SDSize.
        "SDSize" security_size: u32;
        /// pSecurityDescriptor.
        "pSecurityDescriptor" security: Option<Octets>;
        /// cp: 1 to 128.
        "cp" count: u32;
        /// aProp.
        "aProp" properties: Vec<u32>;
        /// apVar.
        "apVar" values: Vec<PropVariant>;
    }

    /// The \[in\] parameter of R_QMDeleteObject.
    params ObjectRequest, "[MS-MQMP]" "3.1.4.8" "R_QMDeleteObject" {
        /// pObjectFormat.
        "pObjectFormat" object: ObjectFormat;
    }

    /// The \[in\] parameters of R_QMGetObjectProperties ([MS-MQMP] 3.1.4.9).
    params GetObjectPropertiesRequest, "[MS-MQMP]" "3.1.4.9" "R_QMGetObjectProperties" {
        /// pObjectFormat.
        "pObjectFormat" object: ObjectFormat;
        /// cp: 1 to 128.
        "cp" count: u32;
        /// aProp.
        "aProp" properties: Vec<u32>;
        /// apVar.
        "apVar" values: Vec<PropVariant>;
    }

    /// What R_QMGetObjectProperties answers.
    params GetObjectPropertiesResponse, "[MS-MQMP]" "3.1.4.9" "R_QMGetObjectProperties" {
        /// apVar.
        "apVar" values: Vec<PropVariant>;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of R_QMObjectPathToObjectFormat ([MS-MQMP] 3.1.4.11).
    params PathToFormatRequest, "[MS-MQMP]" "3.1.4.11" "R_QMObjectPathToObjectFormat" {
        /// lpwcsPathName.
        "lpwcsPathName" path_name: Text;
        /// pObjectFormat.
        "pObjectFormat" object: ObjectFormat;
    }

    /// What R_QMObjectPathToObjectFormat answers.
    params PathToFormatResponse, "[MS-MQMP]" "3.1.4.11" "R_QMObjectPathToObjectFormat" {
        /// pObjectFormat.
        "pObjectFormat" object: ObjectFormat;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameter of R_QMGetRTQMServerPort.
    params GetServerPortRequest, "[MS-MQMP]" "3.1.4.24" "R_QMGetRTQMServerPort" {
        /// fIP: 0 for qmcomm over TCP.
        "fIP" ip: u32;
    }

    /// The \[in\] parameters of QMSendMessageInternalEx ([MS-MQMP] 3.1.5.1).
    params SendMessageInternalRequest, "[MS-MQMP]" "3.1.5.1" "QMSendMessageInternalEx" {
        /// pQueueFormat.
        "pQueueFormat" queue: QueueFormat;
        /// ptb.
        "ptb" buffer: CacTransferBufferV2;
        /// pMessageID.
        "pMessageID" message_id: Option<ObjectId>;
    }

    /// The \[in\] parameters of rpc_ACSendMessageEx ([MS-MQMP] 3.1.5.2).
    params SendMessageRequest, "[MS-MQMP]" "3.1.5.2" "rpc_ACSendMessageEx" {
        /// hQueue.
        "hQueue" queue: ContextHandle;
        /// ptb.
        "ptb" buffer: CacTransferBufferV2;
        /// pMessageID: not null where the identifier is wanted.
        "pMessageID" message_id: Option<ObjectId>;
    }

    /// What both methods that send answer.
    params SendMessageResponse, "[MS-MQMP]" "3.1.5.2" "rpc_ACSendMessageEx" {
        /// pMessageID.
        "pMessageID" message_id: Option<ObjectId>;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of rpc_ACReceiveMessageEx ([MS-MQMP] 3.1.5.3).
    params ReceiveMessageRequest, "[MS-MQMP]" "3.1.5.3" "rpc_ACReceiveMessageEx" {
        /// hQMContext.
        "hQMContext" qm_context: u32;
        /// ptb.
        "ptb" buffer: CacTransferBufferV2;
    }

    /// What rpc_ACReceiveMessageEx answers.
    params ReceiveMessageResponse, "[MS-MQMP]" "3.1.5.3" "rpc_ACReceiveMessageEx" {
        /// ptb.
        "ptb" buffer: CacTransferBufferV2;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of rpc_ACCreateCursorEx ([MS-MQMP] 3.1.5.4).
    params CreateCursorRequest, "[MS-MQMP]" "3.1.5.4" "rpc_ACCreateCursorEx" {
        /// hQueue.
        "hQueue" queue: ContextHandle;
        /// pcc.
        "pcc" cursor: CreateRemoteCursor;
    }

    /// What rpc_ACCreateCursorEx answers.
    params CreateCursorResponse, "[MS-MQMP]" "3.1.5.4" "rpc_ACCreateCursorEx" {
        /// pcc.
        "pcc" cursor: CreateRemoteCursor;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }
}
