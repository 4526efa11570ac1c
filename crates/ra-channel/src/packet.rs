//! The header around everything on the static channel, and around session initialization ([MS-RA] 2.2.1.1, 2.2.1.2).

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, Encode, EncodeError, Format, MAX_U32,
    Utf16Le, check_len, len_u32, usize_from,
};

use crate::text::ODD;
use crate::{ChannelName, Control, MAX_NAME};

at! { "[MS-RA]":
    PAYLOAD = "2.2.1" "channel PDU" "";
    PACKET = "2.2.1.2" "REMOTEDESKTOP_CTL_PACKETHEADER" "";
    NAME_LEN = "2.2.1.1" "REMOTEDESKTOP_CHANNELBUFHEADER" "ChannelNameLen";
    DATA_LEN = "2.2.1.1" "REMOTEDESKTOP_CHANNELBUFHEADER" "DataLen";
    NAME = "2.2.1.2" "REMOTEDESKTOP_CTL_PACKETHEADER" "ChannelName";
    DATA = "2.2.1.2" "REMOTEDESKTOP_CTL_PACKETHEADER" "Data";
}

/// One packet: `u32` ChannelNameLen, `u32` DataLen, the name, the data.
///
/// Both lengths are in bytes; the first counts the NUL of the name, the second everything after the name, msgType too. The
/// header of a control packet is thus 22 bytes, not the 72 of the figures in [MS-RA] 2.2.1: the lengths decide.
///
/// An odd ChannelNameLen is an error. Deviations: a name of more than [`MAX_NAME`] bytes, without NUL at its end, or
/// unknown; `remdesk` in place of `RC_CTL` on a control message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Packet<'a> {
    /// Name of the channel as it stands there, with its NUL; see [`channel`](Self::channel).
    pub channel_name: Utf16Le<'a>,
    /// What follows it.
    pub data: Data<'a>,
}

/// What a packet carries.
///
/// Nobody has seen packets of chat, commands or files on the static channel; that they have no msgType is the reading of
/// this crate.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Data<'a> {
    /// On `RC_CTL` and `remdesk`: a message with its msgType.
    Control(Control<'a>),
    /// On any other channel: the message as it would stand on a dynamic channel of that name.
    Payload(Blob<'a>),
}

impl<'a> Packet<'a> {
    /// A packet of session initialization, under the name RC_CTL.
    #[must_use]
    pub fn control(message: Control<'a>) -> Self {
        Self { channel_name: ChannelName::Control.to_wire(), data: Data::Control(message) }
    }

    /// A packet of chat, commands or a file for the static channel.
    #[must_use]
    pub fn payload(channel: ChannelName, payload: impl Into<Blob<'a>>) -> Self {
        Self { channel_name: channel.to_wire(), data: Data::Payload(payload.into()) }
    }

    /// The channel that the packet is for; `None` when the name is unknown.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelName> {
        ChannelName::from_wire(&self.channel_name)
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        let data = match self.data {
            Data::Control(message) => Data::Control(message.into_owned()),
            Data::Payload(payload) => Data::Payload(payload.into_owned()),
        };
        Packet { channel_name: self.channel_name.into_owned(), data }
    }

    fn data_len(&self) -> usize {
        match &self.data {
            Data::Control(message) => message.encoded_len(),
            Data::Payload(payload) => payload.len(),
        }
    }
}

impl<'a> Decode<'a> for Packet<'a> {
    const AT: &'static At = &PACKET;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&PACKET, |cursor| {
            let start = cursor.offset();
            let name_len = cursor.u32(&NAME_LEN)?;
            if !name_len.is_multiple_of(2) {
                return Err(DecodeError::new(start, &NAME_LEN, Kind::Rule(ODD)));
            }
            let name_len = usize_from(name_len);
            let too_long =
                Kind::OutOfBounds { got: u64::try_from(name_len).unwrap_or(u64::MAX), max: MAX_NAME };
            cursor.must(name_len <= MAX_NAME, start, &NAME_LEN, too_long)?;
            let data_len = usize_from(cursor.u32(&DATA_LEN)?);
            let name_at = cursor.offset();
            let channel_name = Utf16Le::from(cursor.take(name_len, &NAME, Format::Utf16Le)?);
            let terminated = channel_name.is_terminated();
            cursor.must(terminated, name_at, &NAME, Kind::Rule("the name does not end with its only NUL"))?;
            let channel = ChannelName::from_wire(&channel_name);
            cursor.must(channel.is_some(), name_at, &NAME, Kind::Rule("unknown channel name"))?;
            let mut data = cursor.sub(data_len, &DATA_LEN)?;
            let data = if channel.is_some_and(ChannelName::is_control) {
                let plain = channel == Some(ChannelName::Control);
                cursor.must(plain, name_at, &NAME, Kind::Rule("control messages are named RC_CTL"))?;
                Data::Control(Control::parse(&mut data)?)
            } else {
                Data::Payload(Blob::from(data.take_rest(&DATA, Format::Bytes)))
            };
            Ok(Self { channel_name, data })
        })
    }
}

impl Encode for Packet<'_> {
    fn encoded_len(&self) -> usize {
        self.channel_name.as_bytes().len().saturating_add(self.data_len()).saturating_add(8)
    }

    fn check(&self) -> Result<(), EncodeError> {
        let name = self.channel_name.as_bytes();
        if !name.len().is_multiple_of(2) {
            return Err(EncodeError::Invalid { at: &NAME, reason: ODD });
        }
        check_len(name.len(), MAX_U32, &NAME_LEN)?;
        check_len(self.data_len(), MAX_U32, &DATA_LEN)?;
        let control = self.channel().is_some_and(ChannelName::is_control);
        match &self.data {
            Data::Control(message) if control => message.check(),
            Data::Payload(_) if !control => Ok(()),
            _ => Err(EncodeError::Invalid {
                at: &NAME,
                reason: "control messages, and nothing else, are named RC_CTL or remdesk",
            }),
        }
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(len_u32(self.channel_name.as_bytes().len()));
        dst.put_u32_le(len_u32(self.data_len()));
        dst.put_slice(self.channel_name.as_bytes());
        match &self.data {
            Data::Control(message) => message.write(dst),
            Data::Payload(payload) => dst.put_slice(payload),
        }
    }
}

/// All packets of one PDU of the channel `remdesk` or `RC_CTL`: one, seldom more. FreeRDP stalls on more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ControlPayload<'a> {
    /// At least one.
    pub packets: Vec<Packet<'a>>,
}

impl ControlPayload<'_> {
    /// The same packets, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ControlPayload<'static> {
        ControlPayload { packets: self.packets.into_iter().map(Packet::into_owned).collect() }
    }
}

/// The packets fill the input.
impl<'a> Decode<'a> for ControlPayload<'a> {
    const AT: &'static At = &PAYLOAD;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let max = cursor.context().limits().items;
        let mut packets = Vec::new();
        while packets.is_empty() || !cursor.is_empty() {
            if packets.len() >= max {
                return Err(cursor.error(&PAYLOAD, Kind::LimitExceeded { limit: "packets", max }));
            }
            packets.push(Packet::parse(cursor)?);
        }
        Ok(Self { packets })
    }
}

impl Encode for ControlPayload<'_> {
    fn encoded_len(&self) -> usize {
        self.packets.iter().fold(0, |sum, packet| packet.encoded_len().saturating_add(sum))
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.packets.is_empty() {
            return Err(EncodeError::Invalid { at: &PAYLOAD, reason: "there is at least one packet" });
        }
        self.packets.iter().try_for_each(Packet::check)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        self.packets.iter().for_each(|packet| packet.write(dst));
    }
}
