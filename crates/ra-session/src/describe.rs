//! What a PDU says, in one line, for transcripts and logs.

use std::borrow::Cow;
use std::fmt;

use ra_channel::encomsp::{EncomspPayload, Message, PduType};
use ra_channel::{
    ChatMessage, Control, ControlPayload, Data, ErrorCode, ExpertBlob, FileVerb, MsgType, Packet,
};
use rccommand::{Command, CommandError, Name, RcCommand};
use remassist_core::text::TextDocument;
use remassist_core::{Decode as _, DecodeError, DecodeOptions, Decoded, Limits, Utf16Le};

use crate::Channel;

/// Most messages of one PDU that are described.
const MESSAGES: usize = 64;
/// Most characters of one text of the peer that are shown.
const SHOWN: usize = 64;

/// What one message says.
///
/// It can be logged: passwords, PASS, tokens, keys, connection strings and the text of chat messages are not in it. Names of
/// people, files and settings, and addresses are, as the peer wrote them, cut after 64 characters and without control
/// characters.
///
/// `Display` is one line: `71 RCCOMMAND FILEXFER: "a.txt", 12 bytes, on "RA_FX" ([MS-RA] 2.2.2)`.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The channel that the message is for; for a packet on `remdesk`, the one in its header.
    pub channel: Channel,
    /// Name of the message, as the specification prints it where it has one.
    pub name: Cow<'static, str>,
    /// What it says; empty when its name says all.
    pub detail: String,
    /// The section that defines it.
    pub section: &'static str,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, name, detail, section } = self;
        let colon = if detail.is_empty() { "" } else { ": " };
        write!(f, "{channel} {name}{colon}{detail} ({section})")
    }
}

/// What a PDU on a channel says: one description for each message in it, at least one.
///
/// It is read tolerantly and without the state of the session, so it tells what the PDU says, not what a session makes of it. On
/// the channel of a transfer a block that spells a verb is shown as the verb: without the state of the transfer nobody can
/// tell them apart ([MS-RA] 2.2.3).
///
/// ```
/// use ra_session::{Channel, describe};
///
/// let pdu = "<RCCOMMAND NAME=\"PRESTART\"/>\0".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
/// assert_eq!(describe(Channel::Commands, &pdu)[0].to_string(), "71 RCCOMMAND PRESTART ([MS-RA] 2.2.2)");
/// ```
#[must_use]
pub fn describe(channel: Channel, bytes: &[u8]) -> Vec<Description> {
    match channel {
        Channel::Control | Channel::Remdesk => packets(channel, bytes),
        Channel::Encomsp => encomsp(bytes),
        channel => vec![payload(channel, bytes)],
    }
}

fn options() -> DecodeOptions {
    DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_items(MESSAGES))
}

fn undecodable(channel: Channel, error: &DecodeError, section: &'static str) -> Description {
    let detail = format!("{} at byte {}: {}", error.at(), error.offset(), error.kind());
    Description { channel, name: Cow::Borrowed("undecodable"), detail, section }
}

/// What can be shown of a text of the peer, in quotes.
fn quoted(text: impl IntoIterator<Item = char>) -> String {
    format!("\"{}\"", shown(text))
}

/// What can be shown of a text of the peer: a line stays one line, reads from left to right, and ends where it says.
fn shown(text: impl IntoIterator<Item = char>) -> String {
    let tame = |c: char| match c {
        '"' => '\'',
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let mut chars = text.into_iter().map(tame);
    let mut shown: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The characters of a text up to its NUL.
fn chars(text: &Utf16Le<'_>) -> impl Iterator<Item = char> {
    char::decode_utf16(text.units())
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .take_while(|c| *c != '\0')
}

fn packets(channel: Channel, bytes: &[u8]) -> Vec<Description> {
    let payloads = match ControlPayload::decode_with(bytes, &options()) {
        Ok(Decoded { value, .. }) => value,
        Err(error) => return vec![undecodable(channel, &error, "[MS-RA] 2.2.1.2")],
    };
    let describe = |packet: &Packet<'_>| match (&packet.data, Channel::of_packet(packet.channel())) {
        (Data::Control(message), _) => control(message),
        (Data::Payload(bytes), Some(to)) => payload(to, bytes),
        _ => Description {
            channel,
            name: Cow::Borrowed("packet"),
            detail: format!("for the unknown channel {}", quoted(chars(&packet.channel_name))),
            section: "[MS-RA] 2.2.1.2",
        },
    };
    payloads.packets.iter().map(describe).collect()
}

fn control(message: &Control<'_>) -> Description {
    let kind = message.msg_type();
    let section = match kind {
        MsgType::AUTHENTICATE => "[MS-RA] 2.2.1.4",
        MsgType::DISCONNECT => "[MS-RA] 2.2.1.5",
        MsgType::IS_CONNECTED => "[MS-RA] 2.2.1.6",
        MsgType::SERVER_ANNOUNCE => "[MS-RA] 2.2.1.7",
        MsgType::VERSION_INFO => "[MS-RA] 2.2.1.8",
        MsgType::REMOTE_CONTROL_DESKTOP => "[MS-RA] 2.2.1.9",
        MsgType::RESULT => "[MS-RA] 2.2.1.10",
        MsgType::VERIFY_PASSWORD => "[MS-RA] 2.2.1.11",
        MsgType::EXPERT_ON_VISTA => "[MS-RA] 2.2.1.12",
        MsgType::NOVICE_NAME => "[MS-RA] 2.2.1.13",
        MsgType::EXPERT_NAME => "[MS-RA] 2.2.1.14",
        MsgType::TOKEN => "[MS-RA] 2.2.1.15",
        _ => "[MS-RA] 2.2.1.3",
    };
    let detail = match message {
        Control::VersionInfo { major, minor } => format!("{major}.{minor}"),
        Control::Result { code } => error_code(*code),
        Control::Authenticate(message) => expert_blob(&message.expert_blob),
        Control::VerifyPassword { expert_blob: blob } => expert_blob(blob),
        Control::NoviceName { name } | Control::ExpertName { name } => quoted(chars(&name.data)),
        Control::Unknown { body, .. } => format!("{} bytes", body.len()),
        // The others have no fields, or nothing but a secret.
        _ => String::new(),
    };
    let name = kind.name().map_or_else(|| Cow::Owned(format!("control message {}", kind.0)), Cow::Borrowed);
    Description { channel: Channel::Control, name, detail, section }
}

fn error_code(code: ErrorCode) -> String {
    match code.name() {
        Some(name) => format!("{name} ({})", code.0),
        None => format!("unknown error code {:#x}", code.0),
    }
}

fn expert_blob(blob: &ExpertBlob<'_>) -> String {
    // Where a length in the blob is wrong, the value goes on with the next property, which may be PASS.
    let name = blob.name().map(|name| quoted(chars(name).take_while(|c| *c != ';')));
    let pass = if blob.pass().is_some() { "with PASS" } else { "without PASS" };
    format!("{}, {pass}", name.as_deref().unwrap_or("no name"))
}

/// What has no header of its own: chat, commands and files.
fn payload(channel: Channel, bytes: &[u8]) -> Description {
    match channel {
        Channel::Chat => chat(bytes),
        Channel::Commands => command(bytes),
        channel => match FileVerb::recognize(bytes) {
            Some(verb) => Description {
                channel,
                name: Cow::Borrowed(verb.name()),
                detail: String::new(),
                section: "[MS-RA] 2.2.3",
            },
            None => Description {
                channel,
                name: Cow::Borrowed("file data"),
                detail: format!("{} bytes", bytes.len()),
                section: "[MS-RA] 3.9.5",
            },
        },
    }
}

fn chat(bytes: &[u8]) -> Description {
    let (channel, section) = (Channel::Chat, "[MS-RA] 3.11.5");
    match ChatMessage::decode_with(bytes, &options()) {
        Ok(_) => Description {
            channel,
            name: Cow::Borrowed("chat message"),
            detail: format!("{} bytes", bytes.len()),
            section,
        },
        Err(error) => undecodable(channel, &error, section),
    }
}

fn command(bytes: &[u8]) -> Description {
    let (channel, section) = (Channel::Commands, "[MS-RA] 2.2.2");
    let message = match TextDocument::<RcCommand<'_>>::decode_with(bytes, &options()) {
        Ok(Decoded { value, .. }) => value.content,
        Err(error) => return undecodable(channel, &error, section),
    };
    let name = match Name::parse(message.name()) {
        Some(name) => name.as_str().to_owned(),
        None => shown(message.name().chars()),
    };
    let detail = match message.command() {
        Ok(Command::FileXfer(file)) => {
            let (name, on) = (quoted(file.file_name.chars()), quoted(file.channel_id.chars()));
            let internal = match file.internal_data.0 {
                0 => String::new(),
                flags => format!(", INTERNALDATA {flags:#x}"),
            };
            format!("{name}, {} bytes, on {on}{internal}", file.file_size)
        }
        Ok(Command::ExpertIp { address }) => quoted(address.chars()),
        Ok(Command::SettingAnnounce { property, value }) => {
            format!("{}={}", shown(property.chars()), quoted(value.chars()))
        }
        Ok(Command::VoipGo(go)) => quoted(go.ip_list.chars()),
        Ok(_) => String::new(),
        Err(CommandError::Missing { attribute, .. }) => format!("{attribute} is missing"),
        Err(CommandError::Malformed { attribute, .. }) => format!("{attribute} is malformed"),
        Err(_) => "incomplete".to_owned(),
    };
    Description { channel, name: Cow::Owned(format!("RCCOMMAND {name}")), detail, section }
}

fn encomsp(bytes: &[u8]) -> Vec<Description> {
    match EncomspPayload::decode_with(bytes, &options()) {
        Ok(Decoded { value, .. }) => value.pdus.iter().map(|pdu| order(&pdu.message)).collect(),
        Err(error) => vec![undecodable(Channel::Encomsp, &error, "[MS-RDPEMC] 2.2.1")],
    }
}

fn order(message: &Message<'_>) -> Description {
    let kind = message.pdu_type();
    let section = match kind {
        PduType::FILTER_STATE_UPDATED => "[MS-RDPEMC] 2.2.3.1",
        PduType::APP_CREATED => "[MS-RDPEMC] 2.2.3.2",
        PduType::APP_REMOVED => "[MS-RDPEMC] 2.2.3.3",
        PduType::WND_CREATED => "[MS-RDPEMC] 2.2.3.4",
        PduType::WND_REMOVED => "[MS-RDPEMC] 2.2.3.5",
        PduType::WND_SHOW => "[MS-RDPEMC] 2.2.3.6",
        PduType::WND_REGION_UPDATE => "[MS-RDPEMC] 2.2.3.7",
        PduType::PARTICIPANT_CREATED => "[MS-RDPEMC] 2.2.4.1",
        PduType::PARTICIPANT_REMOVED => "[MS-RDPEMC] 2.2.4.2",
        PduType::PARTICIPANT_CTRL_CHANGE => "[MS-RDPEMC] 2.2.4.3",
        PduType::PARTICIPANT_CTRL_CHANGE_RESPONSE => "[MS-RDPEMC] 2.2.4.4",
        PduType::GRAPHICS_STREAM_PAUSED => "[MS-RDPEMC] 2.2.5.1",
        PduType::GRAPHICS_STREAM_RESUMED => "[MS-RDPEMC] 2.2.5.2",
        _ => "[MS-RDPEMC] 2.2.1",
    };
    let detail = match message {
        Message::FilterUpdated { flags } => bits(flags.0, flags.names()),
        Message::AppRemoved { app_id } => format!("application {app_id}"),
        Message::AppCreated { flags, app_id, name } => {
            format!("application {app_id}, {}, {}", quoted(chars(name)), bits(flags.0, flags.names()))
        }
        Message::WindowRemoved { window_id } | Message::ShowWindow { window_id } => {
            format!("window {window_id}")
        }
        Message::WindowCreated { flags, app_id, window_id, name } => {
            let (name, flags) = (quoted(chars(name)), bits(flags.0, flags.names()));
            format!("window {window_id} of application {app_id}, {name}, {flags}")
        }
        Message::ParticipantRemoved { participant_id, disc_type, disc_code } => {
            let by = named(disc_type.name(), disc_type.0);
            format!("participant {participant_id}, {by}, {}", named(disc_code.name(), disc_code.0))
        }
        Message::ParticipantCreated { participant_id, group_id, flags, friendly_name } => {
            let (name, flags) = (quoted(chars(friendly_name)), bits(flags.0, flags.names()));
            format!("participant {participant_id} of group {group_id}, {name}, {flags}")
        }
        Message::ControlChange { flags, participant_id } => {
            format!("participant {participant_id}, {}", bits(flags.0, flags.names()))
        }
        Message::WindowRegion { left, top, right, bottom } => {
            format!("({left}, {top}) to ({right}, {bottom})")
        }
        Message::ControlChangeResponse { flags, participant_id, reason } => {
            let flags = bits(flags.0, flags.names());
            format!("participant {participant_id}, {flags}, reason {reason:#x}")
        }
        Message::Unknown { body, .. } => format!("{} bytes", body.len()),
        _ => String::new(),
    };
    let name = kind.name().map_or_else(|| Cow::Owned(format!("PDU of type {}", kind.0)), Cow::Borrowed);
    Description { channel: Channel::Encomsp, name, detail, section }
}

/// Names of bits, and in hexadecimal digits all of them when one has no name.
fn bits(value: impl Into<u32>, names: impl Iterator<Item = &'static str>) -> String {
    let value = value.into();
    let names: Vec<_> = names.collect();
    if names.len() == usize::try_from(value.count_ones()).unwrap_or(usize::MAX) && value != 0 {
        return names.join("|");
    }
    named(Some(&*names.join("|")).filter(|names| !names.is_empty()), value)
}

/// A number with its name, where it has one.
fn named(name: Option<&str>, value: u32) -> String {
    match name {
        Some(name) => format!("{name} ({value:#x})"),
        None => format!("{value:#x}"),
    }
}
