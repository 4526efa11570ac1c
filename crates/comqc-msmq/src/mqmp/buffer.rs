//! CACTransferBufferV1 and V2 ([MS-MQMP] 2.2.3.2, 2.2.3.3): a message, and room for one.

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind, Format, len_u32, usize_from};
use uuid::Uuid;

use crate::rpc::macros::wires;
use crate::rpc::{ObjectId, Octets, QueueFormat, XactUow};

/// A conformant and varying array of bytes: room, offset 0, number, the bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct VaryingOctets {
    /// Elements of the array; not fewer than bytes are sent.
    pub room: u32,
    /// The bytes sent.
    pub bytes: Vec<u8>,
}

impl From<Vec<u8>> for VaryingOctets {
    fn from(bytes: Vec<u8>) -> Self {
        Self { room: len_u32(bytes.len()), bytes }
    }
}

impl std::fmt::Debug for VaryingOctets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaryingOctets({} of {} bytes)", self.bytes.len(), self.room)
    }
}

/// A conformant and varying array of characters, without a terminator of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VaryingUnits {
    /// Elements of the array; not fewer than characters are sent.
    pub room: u32,
    /// The characters sent.
    pub units: Vec<u16>,
}

impl From<Vec<u16>> for VaryingUnits {
    fn from(units: Vec<u16>) -> Self {
        Self { room: len_u32(units.len()), units }
    }
}

/// Room and number of a varying array that begins at its first element.
fn counts(r: &mut Reader<'_, '_>, at: &'static At) -> Result<(u32, u32), DecodeError> {
    let room = r.u32(at)?;
    if r.u32(at)? != 0 {
        return Err(r.error(at, DecodeErrorKind::Rule("a varying array does not begin at its first element")));
    }
    let position = r.offset();
    let count = r.u32(at)?;
    if count > room {
        let kind = DecodeErrorKind::OutOfBounds { got: count.into(), max: usize_from(room) };
        return Err(DecodeError::new(position, at, kind));
    }
    Ok((room, count))
}

impl<'a> Ndr<'a> for VaryingOctets {
    type Head = Self;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let (room, count) = counts(r, at)?;
        Ok(Self { room, bytes: r.bytes(usize_from(count), at, Format::Bytes)?.into() })
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.need(len_u32(self.bytes.len()) <= self.room, at, "an array is larger than its room");
        w.u32(self.room);
        w.u32(0);
        w.len(self.bytes.len(), at);
        w.bytes(&self.bytes);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl<'a> Ndr<'a> for VaryingUnits {
    type Head = Self;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let (room, count) = counts(r, at)?;
        Ok(Self { room, units: r.elements(count, at, |r| r.u16(at))? })
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.need(len_u32(self.units.len()) <= self.room, at, "an array is larger than its room");
        w.u32(self.room);
        w.u32(0);
        w.len(self.units.len(), at);
        self.units.iter().for_each(|unit| w.u16(*unit));
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

wires! {
    /// The arm of a transfer buffer to send: the queues for reports and answers.
    struct SendArm, "[MS-MQMP]" "2.2.3.2" "CACTransferBufferV1.Send" {
        /// pAdminQueueFormat.
        "pAdminQueueFormat" admin_queue: Option<QueueFormat>;
        /// pResponseQueueFormat.
        "pResponseQueueFormat" response_queue: Option<QueueFormat>;
    }

    /// The arm of a transfer buffer to receive: what is wanted, and room for format names, in characters with the NUL.
    struct ReceiveArm, "[MS-MQMP]" "2.2.3.2" "CACTransferBufferV1.Receive" {
        /// RequestTimeout, in milliseconds.
        "RequestTimeout" request_timeout: u32;
        /// Action: as ulAction of RemoteRead, without lookup identifiers.
        "Action" action: u32;
        /// Asynchronous: ignored.
        "Asynchronous" asynchronous: u32;
        /// Cursor: 0 for none.
        "Cursor" cursor: u32;
        /// ulResponseFormatNameLen: 0 to 1024, as the two others.
        "ulResponseFormatNameLen" response_len: u32;
        /// ppResponseFormatName.
        "ppResponseFormatName" response: Option<Option<Vec<u16>>>;
        /// pulResponseFormatNameLenProp.
        "pulResponseFormatNameLenProp" response_len_prop: Option<u32>;
        /// ulAdminFormatNameLen.
        "ulAdminFormatNameLen" admin_len: u32;
        /// ppAdminFormatName.
        "ppAdminFormatName" admin: Option<Option<Vec<u16>>>;
        /// pulAdminFormatNameLenProp.
        "pulAdminFormatNameLenProp" admin_len_prop: Option<u32>;
        /// ulDestFormatNameLen.
        "ulDestFormatNameLen" dest_len: u32;
        /// ppDestFormatName.
        "ppDestFormatName" dest: Option<Option<Vec<u16>>>;
        /// pulDestFormatNameLenProp.
        "pulDestFormatNameLenProp" dest_len_prop: Option<u32>;
        /// ulOrderingFormatNameLen.
        "ulOrderingFormatNameLen" ordering_len: u32;
        /// ppOrderingFormatName.
        "ppOrderingFormatName" ordering: Option<Option<Vec<u16>>>;
        /// pulOrderingFormatNameLenProp.
        "pulOrderingFormatNameLenProp" ordering_len_prop: Option<u32>;
    }

    /// CACCreateRemoteCursor ([MS-MQMP] 2.2.3.4), 12 bytes.
    struct CreateRemoteCursor, "[MS-MQMP]" "2.2.3.4" "CACCreateRemoteCursor" {
        /// hCursor.
        "hCursor" cursor: u32;
        /// srv_hACQueue.
        "srv_hACQueue" srv_queue: u32;
        /// cli_pQMQueue.
        "cli_pQMQueue" cli_queue: u32;
    }
}

/// uTransferType u32, again as the discriminant of the union, then its arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// CACTB_SEND, 0.
    Send(SendArm),
    /// CACTB_RECEIVE, 1.
    Receive(ReceiveArm),
    /// CACTB_CREATECURSOR, 2; no method takes it.
    CreateCursor(CreateRemoteCursor),
}

impl Default for Transfer {
    fn default() -> Self {
        Self::Send(SendArm::default())
    }
}

static TYPE: At = At::new("[MS-MQMP]", "2.2.3.2", "CACTransferBufferV1", "uTransferType");

/// What stands in place of a [`Transfer`].
#[doc(hidden)]
pub enum TransferHead {
    Send(<SendArm as Ndr<'static>>::Head),
    Receive(Box<<ReceiveArm as Ndr<'static>>::Head>),
    CreateCursor(<CreateRemoteCursor as Ndr<'static>>::Head),
}

impl<'a> Ndr<'a> for Transfer {
    type Head = TransferHead;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<TransferHead, DecodeError> {
        let (kind, tag) = (r.u32(&TYPE)?, r.u32(&TYPE)?);
        if kind != tag {
            let rule = DecodeErrorKind::Rule("the discriminant of the union is not uTransferType");
            return Err(r.error(&TYPE, rule));
        }
        Ok(match tag {
            0 => TransferHead::Send(SendArm::head(r, at)?),
            1 => TransferHead::Receive(Box::new(ReceiveArm::head(r, at)?)),
            2 => TransferHead::CreateCursor(CreateRemoteCursor::head(r, at)?),
            _ => return Err(r.error(&TYPE, DecodeErrorKind::InvalidValue { got: tag.into() })),
        })
    }

    fn tail(head: TransferHead, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        Ok(match head {
            TransferHead::Send(head) => Self::Send(SendArm::tail(head, r, at)?),
            TransferHead::Receive(head) => Self::Receive(ReceiveArm::tail(*head, r, at)?),
            TransferHead::CreateCursor(head) => Self::CreateCursor(CreateRemoteCursor::tail(head, r, at)?),
        })
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        let tag = match self {
            Self::Send(_) => 0,
            Self::Receive(_) => 1,
            Self::CreateCursor(_) => 2,
        };
        w.u32(tag);
        w.u32(tag);
        match self {
            Self::Send(arm) => arm.put_head(w, at),
            Self::Receive(arm) => arm.put_head(w, at),
            Self::CreateCursor(arm) => arm.put_head(w, at),
        }
    }

    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        match self {
            Self::Send(arm) => arm.put_tail(w, at),
            Self::Receive(arm) => arm.put_tail(w, at),
            Self::CreateCursor(arm) => arm.put_tail(w, at),
        }
    }
}

wires! {
    /// CACTransferBufferV1 ([MS-MQMP] 2.2.3.2): each property of a message behind a pointer, and sizes of the arrays.
    struct CacTransferBufferV1, "[MS-MQMP]" "2.2.3.2" "CACTransferBufferV1" {
        /// uTransferType and the union.
        "uTransferType" transfer: Transfer;
        /// pClass.
        "pClass" class: Option<u16>;
        /// ppMessageID.
        "ppMessageID" message_id: Option<Option<ObjectId>>;
        /// ppCorrelationID: 20 bytes.
        "ppCorrelationID" correlation_id: Option<Option<VaryingOctets>>;
        /// pSentTime: seconds since 1970 (UTC).
        "pSentTime" sent_time: Option<u32>;
        /// pArrivedTime, likewise.
        "pArrivedTime" arrived_time: Option<u32>;
        /// pPriority: 0 to 7.
        "pPriority" priority: Option<u8>;
        /// pDelivery: 0 express, 1 recoverable.
        "pDelivery" delivery: Option<u8>;
        /// pAcknowledge.
        "pAcknowledge" acknowledge: Option<u8>;
        /// pAuditing: 1 negative, 2 positive source journaling.
        "pAuditing" auditing: Option<u8>;
        /// pApplicationTag.
        "pApplicationTag" application_tag: Option<u32>;
        /// ppBody.
        "ppBody" body: Option<Option<VaryingOctets>>;
        /// ulBodyBufferSizeInBytes: bytes of the body.
        "ulBodyBufferSizeInBytes" body_buffer_size: u32;
        /// ulAllocBodyBufferInBytes: room for the body.
        "ulAllocBodyBufferInBytes" alloc_body_buffer: u32;
        /// pBodySize: bytes of the body that was received.
        "pBodySize" body_size: Option<u32>;
        /// ppTitle: the label.
        "ppTitle" title: Option<Option<VaryingUnits>>;
        /// ulTitleBufferSizeInWCHARs.
        "ulTitleBufferSizeInWCHARs" title_buffer_size: u32;
        /// pulTitleBufferSizeInWCHARs.
        "pulTitleBufferSizeInWCHARs" title_size: Option<u32>;
        /// ulAbsoluteTimeToQueue.
        "ulAbsoluteTimeToQueue" absolute_time_to_queue: u32;
        /// pulRelativeTimeToQueue.
        "pulRelativeTimeToQueue" relative_time_to_queue: Option<u32>;
        /// ulRelativeTimeToLive.
        "ulRelativeTimeToLive" relative_time_to_live: u32;
        /// pulRelativeTimeToLive.
        "pulRelativeTimeToLive" time_to_live: Option<u32>;
        /// pTrace.
        "pTrace" trace: Option<u8>;
        /// pulSenderIDType.
        "pulSenderIDType" sender_id_type: Option<u32>;
        /// ppSenderID.
        "ppSenderID" sender_id: Option<Option<Octets>>;
        /// pulSenderIDLenProp.
        "pulSenderIDLenProp" sender_id_len_prop: Option<u32>;
        /// pulPrivLevel.
        "pulPrivLevel" priv_level: Option<u32>;
        /// ulAuthLevel: ignored.
        "ulAuthLevel" auth_level: u32;
        /// pAuthenticated.
        "pAuthenticated" authenticated: Option<u8>;
        /// pulHashAlg.
        "pulHashAlg" hash_alg: Option<u32>;
        /// pulEncryptAlg.
        "pulEncryptAlg" encrypt_alg: Option<u32>;
        /// ppSenderCert.
        "ppSenderCert" sender_cert: Option<Option<Octets>>;
        /// ulSenderCertLen.
        "ulSenderCertLen" sender_cert_len: u32;
        /// pulSenderCertLenProp.
        "pulSenderCertLenProp" sender_cert_len_prop: Option<u32>;
        /// ppwcsProvName.
        "ppwcsProvName" prov_name: Option<Option<Vec<u16>>>;
        /// ulProvNameLen.
        "ulProvNameLen" prov_name_len: u32;
        /// pulAuthProvNameLenProp.
        "pulAuthProvNameLenProp" auth_prov_name_len_prop: Option<u32>;
        /// pulProvType.
        "pulProvType" prov_type: Option<u32>;
        /// fDefaultProvider.
        "fDefaultProvider" default_provider: i32;
        /// ppSymmKeys.
        "ppSymmKeys" symm_keys: Option<Option<Octets>>;
        /// ulSymmKeysSize.
        "ulSymmKeysSize" symm_keys_size: u32;
        /// pulSymmKeysSizeProp.
        "pulSymmKeysSizeProp" symm_keys_size_prop: Option<u32>;
        /// bEncrypted.
        "bEncrypted" encrypted: u8;
        /// bAuthenticated.
        "bAuthenticated" is_authenticated: u8;
        /// uSenderIDLen.
        "uSenderIDLen" sender_id_len: u16;
        /// ppSignature.
        "ppSignature" signature: Option<Option<Octets>>;
        /// ulSignatureSize.
        "ulSignatureSize" signature_size: u32;
        /// pulSignatureSizeProp.
        "pulSignatureSizeProp" signature_size_prop: Option<u32>;
        /// ppSrcQMID: the queue manager of the sender.
        "ppSrcQMID" source_qm: Option<Option<Uuid>>;
        /// pUow: a transaction.
        "pUow" uow: Option<XactUow>;
        /// ppMsgExtension.
        "ppMsgExtension" extension: Option<Option<VaryingOctets>>;
        /// ulMsgExtensionBufferInBytes.
        "ulMsgExtensionBufferInBytes" extension_buffer_size: u32;
        /// pMsgExtensionSize.
        "pMsgExtensionSize" extension_size: Option<u32>;
        /// ppConnectorType.
        "ppConnectorType" connector_type: Option<Option<Uuid>>;
        /// pulBodyType.
        "pulBodyType" body_type: Option<u32>;
        /// pulVersion.
        "pulVersion" version: Option<u32>;
    }

    /// CACTransferBufferV2 ([MS-MQMP] 2.2.3.3).
    struct CacTransferBufferV2, "[MS-MQMP]" "2.2.3.3" "CACTransferBufferV2" {
        /// old.
        "old" old: CacTransferBufferV1;
        /// pbFirstInXact.
        "pbFirstInXact" first_in_xact: Option<u8>;
        /// pbLastInXact.
        "pbLastInXact" last_in_xact: Option<u8>;
        /// ppXactID.
        "ppXactID" xact_id: Option<Option<ObjectId>>;
    }
}

/// Length of an array behind two pointers; 0 where there is none.
fn len<T>(array: Option<&Option<T>>, len: impl Fn(&T) -> usize) -> u32 {
    len_u32(array.and_then(Option::as_ref).map_or(0, len))
}

impl CacTransferBufferV2 {
    /// Whether the sizes are those of the arrays, as `size_is`, `length_is` and `range` want; a size may stand without its array.
    #[must_use]
    pub fn sizes_agree(&self) -> bool {
        let old = &self.old;
        let octets = |array: &Option<Option<Octets>>, size: u32| {
            array.as_ref().is_none_or(|array| array.is_none() || len(Some(array), |o| o.0.len()) == size)
        };
        let units = |array: &Option<Option<Vec<u16>>>, size: u32| {
            array.as_ref().is_none_or(|array| array.is_none() || len(Some(array), Vec::len) == size)
        };
        let varying = |array: &Option<Option<VaryingOctets>>, room: u32, size: u32| {
            let array = array.as_ref().and_then(Option::as_ref);
            array.is_none_or(|array| array.room == room && len_u32(array.bytes.len()) == size)
        };
        let title = old.title.as_ref().and_then(Option::as_ref);
        let title = title.is_none_or(|title| {
            title.room == old.title_buffer_size && len_u32(title.units.len()) == old.title_buffer_size
        });
        let names = match &old.transfer {
            Transfer::Receive(arm) => [
                (&arm.response, arm.response_len),
                (&arm.admin, arm.admin_len),
                (&arm.dest, arm.dest_len),
                (&arm.ordering, arm.ordering_len),
            ]
            .into_iter()
            .all(|(name, len)| len <= 1024 && units(name, len)),
            _ => true,
        };
        names
            && title
            && varying(&old.correlation_id, 20, 20)
            && varying(&old.body, old.alloc_body_buffer, old.body_buffer_size)
            && varying(&old.extension, old.extension_buffer_size, old.extension_buffer_size)
            && octets(&old.sender_id, old.sender_id_len.into())
            && octets(&old.sender_cert, old.sender_cert_len)
            && octets(&old.symm_keys, old.symm_keys_size)
            && octets(&old.signature, old.signature_size)
            && units(&old.prov_name, old.prov_name_len)
    }
}
