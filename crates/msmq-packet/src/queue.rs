//! How a UserHeader names queues.

use alloc::string::String;

use bytes::BufMut;
use remassist_core::{
    At, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U16, Utf16Le, check_len, len_u16,
};
use uuid::Uuid;

use crate::QueueType;
use crate::wire::{Padding, invalid, places, rounded};

places!("[MS-MQMQ]", "2.2.18.1.5.1", "PrivateQueueFormatNameId": PRIVATE_ID = "PrivateQueueIdentifier");
places!("[MS-MQMQ]", "2.2.18.1.5.2", "DirectQueueFormatName":
    COUNT = "Count", DIRECT = "DirectFormatName", DIRECT_PADDING = "(padding)");
places!("[MS-MQMQ]", "2.2.18.1.7.1", "PublicQueueFormatName": PUBLIC = "PublicQueueIdentifier");
places!("[MS-MQMQ]", "2.2.18.1.7.2", "PrivateQueueFormatName":
    PRIVATE_MANAGER = "SourceQueueManager", PRIVATE = "PrivateQueueIdentifier");

/// A queue in a UserHeader ([MS-MQMQ] 2.2.18.1.5, 2.2.19.2). Which form it has stands in Flags.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum QueueName<'a> {
    /// 0: no queue; no bytes.
    #[default]
    None,
    /// 1: the administration queue, as response queue; no bytes.
    SameAsAdmin,
    /// 2: a private queue of the sender, 4 bytes.
    PrivateOnSource {
        /// PrivateQueueIdentifier.
        identifier: u32,
    },
    /// 3: a private queue of the receiver, 4 bytes.
    PrivateOnDestination {
        /// PrivateQueueIdentifier.
        identifier: u32,
    },
    /// 4: a private queue of the host of the administration queue, 4 bytes.
    PrivateOnAdminHost {
        /// PrivateQueueIdentifier.
        identifier: u32,
    },
    /// 5: a public queue, 16 bytes.
    Public {
        /// PublicQueueIdentifier.
        identifier: Uuid,
    },
    /// 6: a private queue of any host, 20 bytes.
    Private {
        /// SourceQueueManager: the host.
        queue_manager: Uuid,
        /// PrivateQueueIdentifier.
        identifier: u32,
    },
    /// 7: a direct format name.
    Direct(DirectName<'a>),
}

/// A direct format name ([MS-MQMQ] 2.2.18.1.5.2): Count u16 in bytes, UTF-16LE with its NUL, padding to a multiple of 4.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DirectName<'a> {
    /// DirectFormatName, with the NUL, without `DIRECT=`: `OS:server\private$\orders`.
    pub name: Utf16Le<'a>,
    /// Bytes up to a multiple of 4.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

impl<'a> DirectName<'a> {
    /// A name without `DIRECT=` and without a NUL.
    #[must_use]
    pub fn new(name: &str) -> DirectName<'static> {
        DirectName { name: Utf16Le::with_nul(name), padding: Padding::default() }
    }

    /// The name as text, without `DIRECT=` and NUL.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.name.to_text_lossy()
    }

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let count = usize::from(cursor.u16(&COUNT)?);
        let offset = cursor.offset();
        let max = cursor.context().limits().string;
        if count > max {
            return Err(cursor.error(&DIRECT, DecodeErrorKind::LimitExceeded { limit: "string bytes", max }));
        }
        let name = Utf16Le::from(cursor.take(count, &DIRECT, Format::Utf16Le)?);
        let kind = DecodeErrorKind::Rule("Count does not end at the only NUL");
        cursor.must(name.is_terminated(), offset, &DIRECT, kind)?;
        let padding = Padding::parse(cursor, count.saturating_add(2), &DIRECT_PADDING)?;
        Ok(Self { name, padding })
    }

    fn size(&self) -> usize {
        rounded(self.name.as_bytes().len().saturating_add(2))
    }

    fn put(&self, dst: &mut dyn BufMut) {
        let name = self.name.as_bytes();
        dst.put_slice(&len_u16(name.len()).to_le_bytes());
        dst.put_slice(name);
        self.padding.put(name.len().saturating_add(2), dst);
    }
}

impl<'a> QueueName<'a> {
    /// A direct format name without `DIRECT=`, such as `OS:server\private$\orders`.
    #[must_use]
    pub fn direct(name: &str) -> QueueName<'static> {
        QueueName::Direct(DirectName::new(name))
    }

    /// The number of the form.
    #[must_use]
    pub const fn queue_type(&self) -> QueueType {
        match self {
            Self::None => QueueType::NONE,
            Self::SameAsAdmin => QueueType::SAME_AS_ADMIN,
            Self::PrivateOnSource { .. } => QueueType::PRIVATE_ON_SOURCE,
            Self::PrivateOnDestination { .. } => QueueType::PRIVATE_ON_DESTINATION,
            Self::PrivateOnAdminHost { .. } => QueueType::PRIVATE_ON_ADMIN_HOST,
            Self::Public { .. } => QueueType::PUBLIC,
            Self::Private { .. } => QueueType::PRIVATE,
            Self::Direct(_) => QueueType::DIRECT,
        }
    }

    /// Whether no queue is named.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The direct format name, if it is one.
    #[must_use]
    pub const fn as_direct(&self) -> Option<&DirectName<'a>> {
        if let Self::Direct(name) = self { Some(name) } else { None }
    }

    /// The same name, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> QueueName<'static> {
        match self {
            Self::None => QueueName::None,
            Self::SameAsAdmin => QueueName::SameAsAdmin,
            Self::PrivateOnSource { identifier } => QueueName::PrivateOnSource { identifier },
            Self::PrivateOnDestination { identifier } => QueueName::PrivateOnDestination { identifier },
            Self::PrivateOnAdminHost { identifier } => QueueName::PrivateOnAdminHost { identifier },
            Self::Public { identifier } => QueueName::Public { identifier },
            Self::Private { queue_manager, identifier } => QueueName::Private { queue_manager, identifier },
            Self::Direct(DirectName { name, padding }) => {
                QueueName::Direct(DirectName { name: name.into_owned(), padding })
            }
        }
    }

    /// Reads a name of the form that the flags tell. A form that is not allowed closes a session ([MS-MQMQ] 2.2.19.2),
    /// so it is an error under both policies.
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, 'a>,
        form: QueueType,
        role: &'static Role,
        flags_at: usize,
    ) -> Result<Self, DecodeError> {
        if !role.allows(form) {
            return Err(DecodeError::new(flags_at, &role.flag, invalid(form.0.into())));
        }
        if matches!(form, QueueType::NONE | QueueType::SAME_AS_ADMIN) {
            return Ok(if form == QueueType::NONE { Self::None } else { Self::SameAsAdmin });
        }
        let name = cursor.group(role.at, |cursor| {
            Ok(match form {
                QueueType::PRIVATE_ON_SOURCE => {
                    Self::PrivateOnSource { identifier: cursor.u32(&PRIVATE_ID)? }
                }
                QueueType::PRIVATE_ON_DESTINATION => {
                    Self::PrivateOnDestination { identifier: cursor.u32(&PRIVATE_ID)? }
                }
                QueueType::PRIVATE_ON_ADMIN_HOST => {
                    Self::PrivateOnAdminHost { identifier: cursor.u32(&PRIVATE_ID)? }
                }
                QueueType::PUBLIC => Self::Public { identifier: cursor.guid(&PUBLIC)? },
                QueueType::PRIVATE => Self::Private {
                    queue_manager: cursor.guid(&PRIVATE_MANAGER)?,
                    identifier: cursor.u32(&PRIVATE)?,
                },
                _ => Self::Direct(DirectName::parse(cursor)?),
            })
        })?;
        Ok(name)
    }

    pub(crate) fn check(&self, role: &'static Role) -> Result<(), EncodeError> {
        if !role.allows(self.queue_type()) {
            return Err(EncodeError::Invalid { at: &role.flag, reason: "a form that is not allowed here" });
        }
        match self {
            Self::Direct(direct) => check_len(direct.name.as_bytes().len(), MAX_U16, &COUNT),
            _ => Ok(()),
        }
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::None | Self::SameAsAdmin => 0,
            Self::PrivateOnSource { .. }
            | Self::PrivateOnDestination { .. }
            | Self::PrivateOnAdminHost { .. } => 4,
            Self::Public { .. } => 16,
            Self::Private { .. } => 20,
            Self::Direct(name) => name.size(),
        }
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        match self {
            Self::None | Self::SameAsAdmin => {}
            Self::PrivateOnSource { identifier }
            | Self::PrivateOnDestination { identifier }
            | Self::PrivateOnAdminHost { identifier } => dst.put_slice(&identifier.to_le_bytes()),
            Self::Public { identifier } => dst.put_slice(&identifier.to_bytes_le()),
            Self::Private { queue_manager, identifier } => {
                dst.put_slice(&queue_manager.to_bytes_le());
                dst.put_slice(&identifier.to_le_bytes());
            }
            Self::Direct(name) => name.put(dst),
        }
    }
}

/// One of the three queues of a UserHeader: its field, its flag, and the forms that it may have, a bit for each.
pub(crate) struct Role {
    pub(crate) at: &'static At,
    pub(crate) flag: At,
    pub(crate) forms: u8,
}

impl Role {
    fn allows(&self, form: QueueType) -> bool {
        1_u8.checked_shl(form.0.into()).is_some_and(|bit| self.forms & bit != 0)
    }
}
