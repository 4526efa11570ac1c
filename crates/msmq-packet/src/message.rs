//! A message.

use alloc::boxed::Box;

use bytes::BufMut;
use remassist_core::{At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format};

use crate::base::{self, BaseHeader, FLAGS as BASE_FLAGS, Head};
use crate::properties::{self, HASH_ALGORITHM, MessagePropertiesHeader};
use crate::user::UserHeader;
use crate::wire::{missing, places, sum};
use crate::{
    AcknowledgmentFlags, BaseFlags, DebugHeader, MessageIdentifier, MultiQueueFormatHeader, QueueName,
    SecurityHeader, SessionHeader, SoapHeader, TransactionHeader, UserFlags,
};

places!("[MS-MQMQ]", "2.2.20", "UserMessage Packet": MESSAGE = "", EXCESS = "(after the last header)");
places!("[MS-MQMQ]", "2.2.19.2", "UserHeader": ADMIN = "AdminQueue");

/// A whole message ([MS-MQMQ] 2.2.20): BaseHeader, UserHeader, TransactionHeader, SecurityHeader,
/// MessagePropertiesHeader, DebugHeader, SoapHeader, MultiQueueFormatHeader, SessionHeader; of these the first two and
/// the properties are always there. PacketSize counts all but the SessionHeader, and is at most
/// [`MAX_PACKET`](crate::MAX_PACKET).
///
/// Which headers are there, and how queues are named, stands in the flags of BaseHeader and UserHeader; these bits
/// follow from the fields here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserMessage<'a> {
    /// BaseHeader.
    pub base: BaseHeader,
    /// UserHeader.
    pub user: UserHeader<'a>,
    /// TransactionHeader, of a transactional message.
    pub transaction: Option<TransactionHeader>,
    /// SecurityHeader.
    pub security: Option<SecurityHeader<'a>>,
    /// MessagePropertiesHeader, with the body.
    pub properties: MessagePropertiesHeader<'a>,
    /// DebugHeader.
    pub debug: Option<DebugHeader>,
    /// SoapHeader.
    pub soap: Option<SoapHeader<'a>>,
    /// MultiQueueFormatHeader: large, and seldom there.
    pub multi_queue: Option<Box<MultiQueueFormatHeader<'a>>>,
    /// Bytes after the last header that PacketSize counts; more than rounding up to 4 breaks a rule.
    #[cfg_attr(feature = "serde", serde(default))]
    pub excess: Blob<'a>,
    /// SessionHeader: an acknowledgment that travels with the message.
    pub session: Option<SessionHeader>,
}

impl<'a> UserMessage<'a> {
    /// An express message without label, extension and body that may take any time ([`with_body`](Self::with_body) and
    /// the others give it more). `sent_time` is Unix time in seconds.
    #[must_use]
    pub fn new(identifier: MessageIdentifier, sent_time: u32, destination: QueueName<'a>) -> Self {
        Self {
            base: BaseHeader::default(),
            user: UserHeader::new(identifier, sent_time, destination),
            transaction: None,
            security: None,
            properties: MessagePropertiesHeader::default(),
            debug: None,
            soap: None,
            multi_queue: None,
            excess: Blob::default(),
            session: None,
        }
    }

    /// Flags of the BaseHeader as they are on the wire.
    #[must_use]
    pub fn base_flags(&self) -> BaseFlags {
        let present = BaseFlags::SESSION.when(self.session.is_some());
        self.base.flags.with(present).with(BaseFlags::DEBUG.when(self.debug.is_some()))
    }

    /// Flags of the UserHeader as they are on the wire.
    #[must_use]
    pub fn user_flags(&self) -> UserFlags {
        self.user
            .flags
            .with(self.user.derived_flags())
            .with(UserFlags::PROPERTIES)
            .with(UserFlags::SECURITY.when(self.security.is_some()))
            .with(UserFlags::TRANSACTION.when(self.transaction.is_some()))
            .with(UserFlags::MULTI_QUEUE.when(self.multi_queue.is_some()))
            .with(UserFlags::SOAP.when(self.soap.is_some()))
    }

    /// Where the body begins, in bytes from the beginning of the packet.
    #[must_use]
    pub fn body_offset(&self) -> usize {
        sum([
            BaseHeader::LEN,
            self.user.size(),
            self.transaction.map_or(0, TransactionHeader::size),
            self.security.as_ref().map_or(0, SecurityHeader::size),
            self.properties.body_offset(),
        ])
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> UserMessage<'static> {
        UserMessage {
            base: self.base,
            user: self.user.into_owned(),
            transaction: self.transaction,
            security: self.security.map(SecurityHeader::into_owned),
            properties: self.properties.into_owned(),
            debug: self.debug,
            soap: self.soap.map(SoapHeader::into_owned),
            multi_queue: self.multi_queue.map(|multi| Box::new(multi.into_owned())),
            excess: self.excess.into_owned(),
            session: self.session,
        }
    }

    /// Reads what comes after the BaseHeader of a packet.
    pub(crate) fn parse_after(cursor: &mut Cursor<'_, 'a>, head: &Head) -> Result<Self, DecodeError> {
        let mut inside = cursor.sub(head.remaining(), &MESSAGE)?;
        let (mut message, parts) = Self::parse_front(&mut inside, head, false)?;
        message.parse_back(&mut inside, parts)?;
        let offset = inside.offset();
        let excess = inside.take_rest(&EXCESS, Format::Bytes);
        let rounding = missing(offset.saturating_sub(head.start));
        let kind = DecodeErrorKind::Rule("bytes that PacketSize counts and no header has");
        cursor.must(excess.is_empty() || excess.len() == rounding, offset, &EXCESS, kind)?;
        message.excess = excess.into();
        message.parse_session(cursor, head)?;
        Ok(message)
    }

    /// Reads UserHeader up to DebugHeader.
    pub(crate) fn parse_front(
        cursor: &mut Cursor<'_, 'a>,
        head: &Head,
        remote: bool,
    ) -> Result<(Self, UserFlags), DecodeError> {
        let (user, parts) = UserHeader::parse(cursor, remote)?;
        let transactional = parts.contains(UserFlags::TRANSACTION);
        let priority = head.base.priority();
        let kind = DecodeErrorKind::Rule("a transactional message has priority 0");
        cursor.must(!transactional || priority == 0, head.flags_at, &BASE_FLAGS, kind)?;
        let flags = head.base.flags;
        let kind = DecodeErrorKind::Rule("TR is set without DH");
        let traced = flags.contains(BaseFlags::TRACING) && !flags.contains(BaseFlags::DEBUG);
        cursor.must(!traced, head.flags_at, &BASE_FLAGS, kind)?;

        let transaction = match transactional {
            true => Some(TransactionHeader::parse(cursor)?),
            false => None,
        };
        let security = match parts.contains(UserFlags::SECURITY) {
            true => Some(SecurityHeader::parse(cursor)?),
            false => None,
        };
        let others = UserFlags::SOAP.with(UserFlags::MULTI_QUEUE);
        let debugged = flags.contains(BaseFlags::DEBUG);
        let last = !remote && !debugged && parts.without(others) == parts;
        let properties::Read { header: properties, flags_at, hash_at } =
            MessagePropertiesHeader::parse(cursor, last)?;

        let reports = properties.flags.0 & AcknowledgmentFlags::USED.0 != 0;
        let kind =
            DecodeErrorKind::Rule(if reports { "reports to no queue" } else { "a queue for no report" });
        cursor.must(reports != user.admin_queue.is_none(), flags_at, &ADMIN, kind)?;
        let signed = security.as_ref().is_some_and(|s| !s.signature.data.is_empty());
        let hash = properties.hash_algorithm;
        let kind = DecodeErrorKind::InvalidValue { got: hash.0.into() };
        cursor.must(!signed || hash.name().is_some(), hash_at, &HASH_ALGORITHM, kind)?;

        let debug = match debugged {
            true => Some(DebugHeader::parse(cursor)?),
            false => None,
        };
        let derived = BaseFlags::SESSION.with(BaseFlags::DEBUG);
        let base = BaseHeader { flags: flags.without(derived), ..head.base };
        let message = Self {
            base,
            user,
            transaction,
            security,
            properties,
            debug,
            soap: None,
            multi_queue: None,
            excess: Blob::default(),
            session: None,
        };
        Ok((message, parts))
    }

    /// Reads SoapHeader and MultiQueueFormatHeader.
    pub(crate) fn parse_back(
        &mut self,
        cursor: &mut Cursor<'_, 'a>,
        parts: UserFlags,
    ) -> Result<(), DecodeError> {
        let multi_queue = parts.contains(UserFlags::MULTI_QUEUE);
        if parts.contains(UserFlags::SOAP) {
            self.soap = Some(SoapHeader::parse(cursor, !multi_queue)?);
        }
        if multi_queue {
            self.multi_queue = Some(Box::new(MultiQueueFormatHeader::parse(cursor)?));
        }
        Ok(())
    }

    pub(crate) fn parse_session(
        &mut self,
        cursor: &mut Cursor<'_, 'a>,
        head: &Head,
    ) -> Result<(), DecodeError> {
        if head.base.flags.contains(BaseFlags::SESSION) {
            self.session = Some(SessionHeader::parse(cursor)?);
        }
        Ok(())
    }

    /// Checks everything but the size of the whole.
    pub(crate) fn check_headers(&self, remote: bool) -> Result<(), EncodeError> {
        let derived = BaseFlags::INTERNAL.with(BaseFlags::SESSION).with(BaseFlags::DEBUG);
        if self.base.flags.0 & derived.0 != 0 {
            let reason = "a bit that follows from the rest is set";
            return Err(EncodeError::Invalid { at: &BASE_FLAGS, reason });
        }
        self.user.check()?;
        self.transaction.map_or(Ok(()), TransactionHeader::check)?;
        self.security.as_ref().map_or(Ok(()), SecurityHeader::check)?;
        let nothing = self.debug.is_none() && self.soap.is_none() && self.multi_queue.is_none();
        self.properties.check(nothing && !remote && self.excess.is_empty())?;
        self.debug.map_or(Ok(()), DebugHeader::check)?;
        self.soap.as_ref().map_or(Ok(()), SoapHeader::check)?;
        self.multi_queue.as_ref().map_or(Ok(()), |multi| multi.check())
    }

    /// BaseHeader up to DebugHeader.
    pub(crate) fn front_size(&self) -> usize {
        sum([
            BaseHeader::LEN,
            self.user.size(),
            self.transaction.map_or(0, TransactionHeader::size),
            self.security.as_ref().map_or(0, SecurityHeader::size),
            self.properties.size(),
            self.debug.map_or(0, DebugHeader::size),
        ])
    }

    /// SoapHeader up to the last byte that PacketSize counts.
    pub(crate) fn back_size(&self) -> usize {
        sum([
            self.soap.as_ref().map_or(0, |soap| soap.size(self.multi_queue.is_none())),
            self.multi_queue.as_ref().map_or(0, |multi| multi.size()),
            self.excess.len(),
        ])
    }

    pub(crate) fn session_size(&self) -> usize {
        if self.session.is_some() { SessionHeader::LEN } else { 0 }
    }

    pub(crate) fn put_front(&self, packet_size: usize, dst: &mut dyn BufMut) {
        self.base.put(self.base_flags(), packet_size, dst);
        self.user.put(self.user_flags(), dst);
        if let Some(transaction) = self.transaction {
            transaction.put(dst);
        }
        if let Some(security) = &self.security {
            security.put(dst);
        }
        self.properties.put(dst);
        if let Some(debug) = self.debug {
            debug.put(dst);
        }
    }

    pub(crate) fn put_back(&self, dst: &mut dyn BufMut) {
        if let Some(soap) = &self.soap {
            soap.put(self.multi_queue.is_none(), dst);
        }
        if let Some(multi_queue) = &self.multi_queue {
            multi_queue.put(dst);
        }
        dst.put_slice(&self.excess);
        if let Some(session) = self.session {
            session.put(dst);
        }
    }

    fn packet_size(&self) -> usize {
        self.front_size().saturating_add(self.back_size())
    }
}

impl<'a> Decode<'a> for UserMessage<'a> {
    const AT: &'static At = &MESSAGE;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let head = Head::parse(cursor)?;
        if head.base.flags.contains(BaseFlags::INTERNAL) {
            let kind = DecodeErrorKind::Rule("IN is set: no message");
            return Err(DecodeError::new(head.flags_at, &BASE_FLAGS, kind));
        }
        Self::parse_after(cursor, &head)
    }
}

impl Encode for UserMessage<'_> {
    fn encoded_len(&self) -> usize {
        self.packet_size().saturating_add(self.session_size())
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.check_headers(false)?;
        base::check_size(self.packet_size())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        self.put_front(self.packet_size(), dst);
        self.put_back(dst);
    }
}
