//! The messages of [MS-RDPEMC] 2.2.3 to 2.2.5.

use bytes::BufMut;
use remassist_core::{
    Blob, Cursor, DecodeError, DecodeErrorKind as Kind, EncodeError, Format, MAX_U16, Utf16Le, check_len,
    len_u16,
};

use super::{
    AppFlags, ControlFlags, DiscCode, DiscType, FilterFlags, ParticipantFlags, PduType, WindowFlags,
};
use crate::text::ODD;

at! { "[MS-RDPEMC]":
    CCH = "2.2.2" "UNICODE_STRING" "cchString";
    STRING = "2.2.2" "UNICODE_STRING" "String";
    FILTER_FLAGS = "2.2.3.1" "OD_FILTER_STATE_UPDATED" "Flags";
    APP_FLAGS = "2.2.3.2" "OD_APP_CREATED" "Flags";
    APP_ID = "2.2.3.2" "OD_APP_CREATED" "AppId";
    REMOVED_APP_ID = "2.2.3.3" "OD_APP_REMOVED" "AppId";
    WINDOW_FLAGS = "2.2.3.4" "OD_WND_CREATED" "Flags";
    WINDOW_APP_ID = "2.2.3.4" "OD_WND_CREATED" "AppId";
    WINDOW_ID = "2.2.3.4" "OD_WND_CREATED" "WndId";
    REMOVED_WINDOW_ID = "2.2.3.5" "OD_WND_REMOVED" "WndId";
    SHOWN_WINDOW_ID = "2.2.3.6" "OD_WND_SHOW" "WndId";
    LEFT = "2.2.3.7" "OD_WND_REGION_UPDATE" "left";
    TOP = "2.2.3.7" "OD_WND_REGION_UPDATE" "top";
    RIGHT = "2.2.3.7" "OD_WND_REGION_UPDATE" "right";
    BOTTOM = "2.2.3.7" "OD_WND_REGION_UPDATE" "bottom";
    PARTICIPANT = "2.2.4.1" "OD_PARTICIPANT_CREATED" "ParticipantId";
    GROUP = "2.2.4.1" "OD_PARTICIPANT_CREATED" "GroupId";
    PARTICIPANT_FLAGS = "2.2.4.1" "OD_PARTICIPANT_CREATED" "Flags";
    REMOVED_PARTICIPANT = "2.2.4.2" "OD_PARTICIPANT_REMOVED" "ParticipantId";
    DISC_TYPE = "2.2.4.2" "OD_PARTICIPANT_REMOVED" "DiscType";
    DISC_CODE = "2.2.4.2" "OD_PARTICIPANT_REMOVED" "DiscCode";
    CHANGE_FLAGS = "2.2.4.3" "OD_PARTICIPANT_CTRL_CHANGE" "Flags";
    CHANGE_PARTICIPANT = "2.2.4.3" "OD_PARTICIPANT_CTRL_CHANGE" "ParticipantId";
    RESPONSE_FLAGS = "2.2.4.4" "OD_PARTICIPANT_CTRL_CHANGE_RESPONSE" "Flags";
    RESPONSE_PARTICIPANT = "2.2.4.4" "OD_PARTICIPANT_CTRL_CHANGE_RESPONSE" "ParticipantId";
    REASON = "2.2.4.4" "OD_PARTICIPANT_CTRL_CHANGE_RESPONSE" "ReasonCode";
    BODY = "2.2.1" "ORDER_HDR" "payload";
}

/// Most UTF-16 code units of a UNICODE_STRING ([MS-RDPEMC] 2.2.2).
pub const MAX_STRING: usize = 1024;

/// What a PDU says, without its header. Numbers are little-endian; a name is a `u16` number of UTF-16 code units and the
/// text, which ends at its first NUL if it has one ([MS-RDPEMC] 2.2.2).
///
/// Deviations: bits in flags that have no meaning, names of more than [`MAX_STRING`] code units, unknown types.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "type", rename_all = "snake_case")
)]
pub enum Message<'a> {
    /// [MS-RDPEMC] 2.2.3.1, 1 byte: whether applications are filtered.
    FilterUpdated {
        /// State of the filter.
        flags: FilterFlags,
    },
    /// [MS-RDPEMC] 2.2.3.3, 4 bytes.
    AppRemoved {
        /// Which application.
        app_id: u32,
    },
    /// [MS-RDPEMC] 2.2.3.2, 8 bytes and the text.
    AppCreated {
        /// Whether it is shared.
        flags: AppFlags,
        /// Which application.
        app_id: u32,
        /// Its name.
        name: Utf16Le<'a>,
    },
    /// [MS-RDPEMC] 2.2.3.5, 4 bytes.
    WindowRemoved {
        /// Which window.
        window_id: u32,
    },
    /// [MS-RDPEMC] 2.2.3.4, 12 bytes and the text.
    WindowCreated {
        /// Whether it is shared.
        flags: WindowFlags,
        /// Whose window.
        app_id: u32,
        /// Which window.
        window_id: u32,
        /// Its title.
        name: Utf16Le<'a>,
    },
    /// [MS-RDPEMC] 2.2.3.6, 4 bytes: a participant wants to see a window.
    ShowWindow {
        /// Which window.
        window_id: u32,
    },
    /// [MS-RDPEMC] 2.2.4.2, 12 bytes.
    ParticipantRemoved {
        /// Who.
        participant_id: u32,
        /// Who ended the connection.
        disc_type: DiscType,
        /// Why.
        disc_code: DiscCode,
    },
    /// [MS-RDPEMC] 2.2.4.1, 12 bytes and the text. Also announces changes.
    ParticipantCreated {
        /// Who.
        participant_id: u32,
        /// Its group, or 0.
        group_id: u32,
        /// What it may do.
        flags: ParticipantFlags,
        /// Its name.
        friendly_name: Utf16Le<'a>,
    },
    /// [MS-RDPEMC] 2.2.4.3, 6 bytes: a participant wants other rights.
    ControlChange {
        /// Which.
        flags: ControlFlags,
        /// Who.
        participant_id: u32,
    },
    /// [MS-RDPEMC] 2.2.5.1, no fields.
    StreamPaused,
    /// [MS-RDPEMC] 2.2.5.2, no fields.
    StreamResumed,
    /// [MS-RDPEMC] 2.2.3.7, 16 bytes: the bounds of the shared window, inclusive.
    WindowRegion {
        /// Left bound.
        left: u32,
        /// Upper bound.
        top: u32,
        /// Right bound.
        right: u32,
        /// Lower bound.
        bottom: u32,
    },
    /// [MS-RDPEMC] 2.2.4.4, 10 bytes: answer to a [`ControlChange`](Self::ControlChange).
    ControlChangeResponse {
        /// What was asked for.
        flags: ControlFlags,
        /// By whom.
        participant_id: u32,
        /// Why it was granted or not; no values are specified.
        reason: u32,
    },
    /// A type that the specification does not know, which is a deviation; to be ignored.
    Unknown {
        /// The type.
        pdu_type: PduType,
        /// What follows the header.
        body: Blob<'a>,
    },
}

impl<'a> Message<'a> {
    /// What kind of message it is.
    #[must_use]
    pub const fn pdu_type(&self) -> PduType {
        match self {
            Self::FilterUpdated { .. } => PduType::FILTER_STATE_UPDATED,
            Self::AppRemoved { .. } => PduType::APP_REMOVED,
            Self::AppCreated { .. } => PduType::APP_CREATED,
            Self::WindowRemoved { .. } => PduType::WND_REMOVED,
            Self::WindowCreated { .. } => PduType::WND_CREATED,
            Self::ShowWindow { .. } => PduType::WND_SHOW,
            Self::ParticipantRemoved { .. } => PduType::PARTICIPANT_REMOVED,
            Self::ParticipantCreated { .. } => PduType::PARTICIPANT_CREATED,
            Self::ControlChange { .. } => PduType::PARTICIPANT_CTRL_CHANGE,
            Self::StreamPaused => PduType::GRAPHICS_STREAM_PAUSED,
            Self::StreamResumed => PduType::GRAPHICS_STREAM_RESUMED,
            Self::WindowRegion { .. } => PduType::WND_REGION_UPDATE,
            Self::ControlChangeResponse { .. } => PduType::PARTICIPANT_CTRL_CHANGE_RESPONSE,
            Self::Unknown { pdu_type, .. } => *pdu_type,
        }
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::FilterUpdated { flags } => Message::FilterUpdated { flags },
            Self::AppRemoved { app_id } => Message::AppRemoved { app_id },
            Self::AppCreated { flags, app_id, name } => {
                Message::AppCreated { flags, app_id, name: name.into_owned() }
            }
            Self::WindowRemoved { window_id } => Message::WindowRemoved { window_id },
            Self::WindowCreated { flags, app_id, window_id, name } => {
                Message::WindowCreated { flags, app_id, window_id, name: name.into_owned() }
            }
            Self::ShowWindow { window_id } => Message::ShowWindow { window_id },
            Self::ParticipantRemoved { participant_id, disc_type, disc_code } => {
                Message::ParticipantRemoved { participant_id, disc_type, disc_code }
            }
            Self::ParticipantCreated { participant_id, group_id, flags, friendly_name } => {
                let friendly_name = friendly_name.into_owned();
                Message::ParticipantCreated { participant_id, group_id, flags, friendly_name }
            }
            Self::ControlChange { flags, participant_id } => Message::ControlChange { flags, participant_id },
            Self::StreamPaused => Message::StreamPaused,
            Self::StreamResumed => Message::StreamResumed,
            Self::WindowRegion { left, top, right, bottom } => {
                Message::WindowRegion { left, top, right, bottom }
            }
            Self::ControlChangeResponse { flags, participant_id, reason } => {
                Message::ControlChangeResponse { flags, participant_id, reason }
            }
            Self::Unknown { pdu_type, body } => Message::Unknown { pdu_type, body: body.into_owned() },
        }
    }

    /// Reads the known fields and leaves the cursor behind them.
    pub(super) fn parse(pdu_type: PduType, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        Ok(match pdu_type {
            PduType::FILTER_STATE_UPDATED => {
                let start = cursor.offset();
                let flags = FilterFlags(cursor.flags8(&FILTER_FLAGS)?);
                let ok = FilterFlags::KNOWN.contains(flags);
                cursor.must(ok, start, &FILTER_FLAGS, Kind::InvalidValue { got: flags.0.into() })?;
                Self::FilterUpdated { flags }
            }
            PduType::APP_REMOVED => Self::AppRemoved { app_id: cursor.u32(&REMOVED_APP_ID)? },
            PduType::APP_CREATED => Self::AppCreated {
                flags: AppFlags(flags16(cursor, &APP_FLAGS, AppFlags::KNOWN.0)?),
                app_id: cursor.u32(&APP_ID)?,
                name: string(cursor)?,
            },
            PduType::WND_REMOVED => Self::WindowRemoved { window_id: cursor.u32(&REMOVED_WINDOW_ID)? },
            PduType::WND_CREATED => Self::WindowCreated {
                flags: WindowFlags(flags16(cursor, &WINDOW_FLAGS, WindowFlags::KNOWN.0)?),
                app_id: cursor.u32(&WINDOW_APP_ID)?,
                window_id: cursor.u32(&WINDOW_ID)?,
                name: string(cursor)?,
            },
            PduType::WND_SHOW => Self::ShowWindow { window_id: cursor.u32(&SHOWN_WINDOW_ID)? },
            PduType::PARTICIPANT_REMOVED => {
                let participant_id = cursor.u32(&REMOVED_PARTICIPANT)?;
                let disc_type = DiscType(cursor.u32(&DISC_TYPE)?);
                cursor.context().note(disc_type.name());
                let disc_code = DiscCode(cursor.u32(&DISC_CODE)?);
                cursor.context().note(disc_code.name());
                Self::ParticipantRemoved { participant_id, disc_type, disc_code }
            }
            PduType::PARTICIPANT_CREATED => Self::ParticipantCreated {
                participant_id: cursor.u32(&PARTICIPANT)?,
                group_id: cursor.u32(&GROUP)?,
                flags: ParticipantFlags(flags16(cursor, &PARTICIPANT_FLAGS, ParticipantFlags::KNOWN.0)?),
                friendly_name: string(cursor)?,
            },
            PduType::PARTICIPANT_CTRL_CHANGE => Self::ControlChange {
                flags: ControlFlags(flags16(cursor, &CHANGE_FLAGS, ControlFlags::KNOWN.0)?),
                participant_id: cursor.u32(&CHANGE_PARTICIPANT)?,
            },
            PduType::GRAPHICS_STREAM_PAUSED => Self::StreamPaused,
            PduType::GRAPHICS_STREAM_RESUMED => Self::StreamResumed,
            PduType::WND_REGION_UPDATE => Self::WindowRegion {
                left: cursor.u32(&LEFT)?,
                top: cursor.u32(&TOP)?,
                right: cursor.u32(&RIGHT)?,
                bottom: cursor.u32(&BOTTOM)?,
            },
            PduType::PARTICIPANT_CTRL_CHANGE_RESPONSE => Self::ControlChangeResponse {
                flags: ControlFlags(flags16(cursor, &RESPONSE_FLAGS, ControlFlags::KNOWN.0)?),
                participant_id: cursor.u32(&RESPONSE_PARTICIPANT)?,
                reason: cursor.u32(&REASON)?,
            },
            _ => Self::Unknown { pdu_type, body: Blob::from(cursor.take_rest(&BODY, Format::Bytes)) },
        })
    }

    fn name(&self) -> Option<&Utf16Le<'a>> {
        match self {
            Self::AppCreated { name, .. }
            | Self::WindowCreated { name, .. }
            | Self::ParticipantCreated { friendly_name: name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        let fixed: usize = match self {
            Self::StreamPaused | Self::StreamResumed => 0,
            Self::FilterUpdated { .. } => 1,
            Self::AppRemoved { .. } | Self::WindowRemoved { .. } | Self::ShowWindow { .. } => 4,
            Self::ControlChange { .. } => 6,
            Self::AppCreated { .. } => 8,
            Self::ControlChangeResponse { .. } => 10,
            Self::WindowCreated { .. }
            | Self::ParticipantRemoved { .. }
            | Self::ParticipantCreated { .. } => 12,
            Self::WindowRegion { .. } => 16,
            Self::Unknown { body, .. } => body.len(),
        };
        fixed.saturating_add(self.name().map_or(0, |name| name.as_bytes().len()))
    }

    pub(super) fn check(&self) -> Result<(), EncodeError> {
        let Some(name) = self.name() else { return Ok(()) };
        if !name.as_bytes().len().is_multiple_of(2) {
            return Err(EncodeError::Invalid { at: &STRING, reason: ODD });
        }
        check_len(name.units().len(), MAX_U16, &CCH)
    }

    pub(super) fn write(&self, dst: &mut dyn BufMut) {
        match self {
            Self::StreamPaused | Self::StreamResumed => {}
            Self::FilterUpdated { flags } => dst.put_u8(flags.0),
            Self::AppRemoved { app_id: id }
            | Self::WindowRemoved { window_id: id }
            | Self::ShowWindow { window_id: id } => dst.put_u32_le(*id),
            Self::AppCreated { flags, app_id, .. } => {
                dst.put_u16_le(flags.0);
                dst.put_u32_le(*app_id);
            }
            Self::WindowCreated { flags, app_id, window_id, .. } => {
                dst.put_u16_le(flags.0);
                dst.put_u32_le(*app_id);
                dst.put_u32_le(*window_id);
            }
            Self::ParticipantRemoved { participant_id, disc_type, disc_code } => {
                dst.put_u32_le(*participant_id);
                dst.put_u32_le(disc_type.0);
                dst.put_u32_le(disc_code.0);
            }
            Self::ParticipantCreated { participant_id, group_id, flags, .. } => {
                dst.put_u32_le(*participant_id);
                dst.put_u32_le(*group_id);
                dst.put_u16_le(flags.0);
            }
            Self::ControlChange { flags, participant_id } => {
                dst.put_u16_le(flags.0);
                dst.put_u32_le(*participant_id);
            }
            Self::WindowRegion { left, top, right, bottom } => {
                for bound in [left, top, right, bottom] {
                    dst.put_u32_le(*bound);
                }
            }
            Self::ControlChangeResponse { flags, participant_id, reason } => {
                dst.put_u16_le(flags.0);
                dst.put_u32_le(*participant_id);
                dst.put_u32_le(*reason);
            }
            Self::Unknown { body, .. } => dst.put_slice(body),
        }
        // The name is the last field of all that have one.
        if let Some(name) = self.name() {
            dst.put_u16_le(len_u16(name.units().len()));
            dst.put_slice(name.as_bytes());
        }
    }
}

fn flags16(
    cursor: &mut Cursor<'_, '_>,
    at: &'static remassist_core::At,
    known: u16,
) -> Result<u16, DecodeError> {
    let start = cursor.offset();
    let flags = cursor.flags16(at)?;
    cursor.must(flags & !known == 0, start, at, Kind::InvalidValue { got: flags.into() })?;
    Ok(flags)
}

/// UNICODE_STRING ([MS-RDPEMC] 2.2.2).
fn string<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<Utf16Le<'a>, DecodeError> {
    let start = cursor.offset();
    let units = cursor.u16(&CCH)?;
    let max = MAX_STRING;
    cursor.must(usize::from(units) <= max, start, &CCH, Kind::OutOfBounds { got: units.into(), max })?;
    let bytes = usize::from(units).saturating_mul(2);
    Ok(Utf16Le::from(cursor.take(bytes, &STRING, Format::Utf16Le)?))
}
