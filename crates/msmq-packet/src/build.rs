//! What a sender gives a message.

use remassist_core::{Blob, Utf16Le};

use crate::{
    AcknowledgmentFlags, BaseHeader, DeliveryMode, MessageClass, MessageIdentifier, QueueName,
    SecurityHeader, TransactionHeader, UserFlags, UserMessage,
};

impl<'a> UserMessage<'a> {
    /// The message with a body. BodyType stays 0.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Blob<'a>>) -> Self {
        self.properties.body = body.into();
        self.properties.allocation_body_size = None;
        self.properties.slack = Blob::default();
        self
    }

    /// The message with another BodyType ([MS-MQMQ] 2.2.12).
    #[must_use]
    pub const fn with_body_type(mut self, body_type: u32) -> Self {
        self.properties.body_type = body_type;
        self
    }

    /// The message with ExtensionData: of a COMQC message the 16 bytes of its GUID.
    #[must_use]
    pub fn with_extension(mut self, extension: impl Into<Blob<'a>>) -> Self {
        self.properties.extension = extension.into();
        self
    }

    /// The message with a label of at most 249 UTF-16 code units; none when it is empty.
    #[must_use]
    pub fn with_label(mut self, label: &str) -> Self {
        self.properties.label = if label.is_empty() { Utf16Le::default() } else { Utf16Le::with_nul(label) };
        self
    }

    /// The message with a priority of 0 to 7.
    #[must_use]
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.base = self.base.with_priority(priority);
        self
    }

    /// The message on disk of all queue managers that have it.
    #[must_use]
    pub fn recoverable(mut self) -> Self {
        self.user.set_delivery_mode(DeliveryMode::RECOVERABLE);
        self
    }

    /// The message as part of a transaction: recoverable and with priority 0.
    #[must_use]
    pub fn in_transaction(mut self, transaction: TransactionHeader) -> Self {
        self.transaction = Some(transaction);
        self.recoverable().with_priority(0)
    }

    /// The message with seconds to reach its queue.
    #[must_use]
    pub fn with_time_to_reach_queue(mut self, seconds: u32) -> Self {
        self.base = BaseHeader { time_to_reach_queue: seconds, ..self.base };
        self
    }

    /// The message with seconds until somebody must have taken it.
    #[must_use]
    pub const fn with_time_to_be_received(mut self, seconds: u32) -> Self {
        self.user.time_to_be_received = seconds;
        self
    }

    /// The message with a queue for reports, and the reports that it gets.
    #[must_use]
    pub fn with_admin_queue(mut self, queue: QueueName<'a>, reports: AcknowledgmentFlags) -> Self {
        self.user.admin_queue = queue;
        self.properties.flags = reports;
        self
    }

    /// The message with a queue for answers.
    #[must_use]
    pub fn with_response_queue(mut self, queue: QueueName<'a>) -> Self {
        self.user.response_queue = queue;
        self
    }

    /// The message with the sender's wish to keep it when it fails (JN), or when it arrives (JP); a receiver answers
    /// either with a FinalAck if the message is transactional.
    #[must_use]
    pub fn with_journal(mut self, negative: bool, positive: bool) -> Self {
        let flags = self.user.flags.without(UserFlags::NEGATIVE_JOURNAL.with(UserFlags::POSITIVE_JOURNAL));
        self.user.flags = flags
            .with(UserFlags::NEGATIVE_JOURNAL.when(negative))
            .with(UserFlags::POSITIVE_JOURNAL.when(positive));
        self
    }

    /// The message with another class.
    #[must_use]
    pub const fn with_class(mut self, class: MessageClass) -> Self {
        self.properties.message_class = class;
        self
    }

    /// The message with a CorrelationID.
    #[must_use]
    pub const fn with_correlation(mut self, correlation: MessageIdentifier) -> Self {
        self.properties.correlation_id = correlation;
        self
    }

    /// The message with an ApplicationTag.
    #[must_use]
    pub const fn with_application_tag(mut self, tag: u32) -> Self {
        self.properties.application_tag = tag;
        self
    }

    /// The message with security data.
    #[must_use]
    pub fn with_security(mut self, security: SecurityHeader<'a>) -> Self {
        self.security = Some(security);
        self
    }
}
