//! What goes in and what comes out.

use std::fmt;

use ra_channel::ErrorCode;
use rccommand::Contact;
use remassist_core::{DecodeError, Time, Version};

use crate::{Channel, Claim, ControlEvent, FileEvent, VoiceEvent};

/// What a driver tells a session.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// One PDU that arrived on a channel, reassembled.
    Data {
        /// Where.
        channel: Channel,
        /// All of it.
        bytes: &'a [u8],
    },
    /// A channel can be used: a static one was joined, a dynamic one created on both sides.
    ChannelOpened(Channel),
    /// A channel is gone, or could not be created.
    ChannelClosed(Channel),
    /// The connection is gone, and every channel with it.
    ConnectionLost,
    /// Time has passed. Due at the time that [`Output::Wait`] names; earlier or later does no harm.
    Tick,
}

/// Bytes are counted, not shown.
impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { channel, bytes } => write!(f, "Data({channel}, {} bytes)", bytes.len()),
            Self::ChannelOpened(channel) => write!(f, "ChannelOpened({channel})"),
            Self::ChannelClosed(channel) => write!(f, "ChannelClosed({channel})"),
            Self::ConnectionLost => f.write_str("ConnectionLost"),
            Self::Tick => f.write_str("Tick"),
        }
    }
}

/// What a session wants of its driver.
#[non_exhaustive]
#[must_use = "dropping an output loses bytes or an event"]
#[derive(PartialEq)]
pub enum Output {
    /// Send these bytes as one PDU of the channel, after all that came before on any channel.
    Send {
        /// Where.
        channel: Channel,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Create a dynamic channel (novice only), then answer with [`Input::ChannelOpened`] or [`Input::ChannelClosed`].
    Open(Channel),
    /// Close a dynamic channel (novice only), after all that was sent on it. Needs no answer.
    Close(Channel),
    /// Something that the program wants to know.
    Event(Event),
    /// There is nothing more. Call `handle(now, Input::Tick)` at this time at the latest.
    Wait(Option<Time>),
}

/// Bytes are counted, not shown: they may be a token or a connection string.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { channel, bytes } => write!(f, "Send({channel}, {} bytes)", bytes.len()),
            Self::Open(channel) => write!(f, "Open({channel})"),
            Self::Close(channel) => write!(f, "Close({channel})"),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Wait(time) => f.debug_tuple("Wait").field(time).finish(),
        }
    }
}

/// What happened.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The version of the protocol is known now and stays what it is ([MS-RA] 3).
    Version(Version),
    /// Novice: is this the expert that is expected? Asked only when the novice was given no credentials to compare with;
    /// answer with `accept_expert` or `reject_expert`.
    Verify(Claim),
    /// Novice: the expert has proved that it knows connection string and password. Expert: the novice says so, or has
    /// proved it itself (version 3).
    Verified,
    /// Novice: may the expert see the screen? Answer with `allow_view` or `refuse_view`.
    AskView {
        /// Name of the expert, as it says; unverified.
        expert: Option<String>,
    },
    /// Novice: begin to share the screen, then call `view_started` or `view_failed`.
    ShareScreen,
    /// The session is established: the expert sees the screen.
    Established(Version),
    /// Name of the other person, as it says ([MS-RA] 2.2.1.13, 2.2.1.14; version 2).
    PeerName(String),
    /// Novice: address of the expert for logs, as it says ([MS-RA] 2.2.2 EXPERTIP; version 1).
    ExpertAddress(String),
    /// The peer says that it is still there ([MS-RA] 2.2.1.6).
    Alive,
    /// A chat message.
    Chat(String),
    /// Novice: the expert has begun to type a chat message.
    Typing,
    /// A setting of the peer (version 3).
    Setting {
        /// Its name.
        property: String,
        /// Its value.
        value: String,
    },
    /// The peer's contact (version 3). Whether its address belongs to its key:
    /// [`address_matches_key`](Contact::address_matches_key).
    Contact(Box<Contact>),
    /// Files.
    File(FileEvent),
    /// Share control.
    Control(ControlEvent),
    /// Voice (version 1).
    Voice(VoiceEvent),
    /// A message was dropped. [MS-RA] 3 wants no error for it.
    Ignored(Ignored),
    /// The session is over; nothing follows. Close the connection.
    Closed(Reason),
}

/// A message that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored {
    /// Where it came.
    pub channel: Channel,
    /// Name of the message, where it has one.
    pub message: Option<&'static str>,
    /// Why it was dropped.
    pub why: Why,
}

/// Why a message was dropped.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It cannot be decoded.
    Undecodable(DecodeError),
    /// Its attributes do not say what its name promises.
    Incomplete,
    /// It belongs to a version that this session does not speak.
    OtherVersion,
    /// The side that sent it may not send it.
    WrongSender,
    /// It does not fit the state of the session.
    OutOfSequence,
    /// The session is not established yet.
    NotEstablished,
    /// It came on a channel where it does not belong.
    WrongChannel,
    /// The specification does not know it.
    Unknown,
    /// Sessions of Remote Assistance have no use for it.
    NotUsed,
    /// A transfer runs already.
    Busy,
    /// It would take more memory than the limits allow.
    TooLarge,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(error) => write!(f, "cannot be decoded: {error}"),
            Self::Incomplete => f.write_str("an attribute is missing or malformed"),
            Self::OtherVersion => f.write_str("belongs to another version"),
            Self::WrongSender => f.write_str("may not be sent by that side"),
            Self::OutOfSequence => f.write_str("out of sequence"),
            Self::NotEstablished => f.write_str("the session is not established"),
            Self::WrongChannel => f.write_str("does not belong on this channel"),
            Self::Unknown => f.write_str("unknown"),
            Self::NotUsed => f.write_str("of no use here"),
            Self::Busy => f.write_str("a transfer runs already"),
            Self::TooLarge => f.write_str("too large"),
        }
    }
}

/// Why a session is over.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This side closed it.
    Local,
    /// The peer sent DISCONNECT.
    Peer,
    /// A channel that a session cannot do without is gone.
    ChannelLost(Channel),
    /// The connection is gone.
    ConnectionLost,
    /// The other side answered the handshake with an error code.
    Refused(ErrorCode),
    /// Novice: the expert did not prove that it knows connection string and password.
    NotVerified,
    /// Novice: too many experts have failed to prove it before; this one was not looked at.
    TooManyAttempts,
    /// The peer's token is not the one that password and connection string make (version 3).
    WrongToken,
    /// The peer's version numbers do not fit (version 1).
    IncompatibleVersion {
        /// versionMajor.
        major: u32,
        /// versionMinor.
        minor: u32,
    },
    /// Novice: the user refused, or what else the code says.
    ViewRefused(ErrorCode),
    /// The screen is no longer shared: it changed its resolution, or what else the code says.
    ScreenEnded(ErrorCode),
    /// The peer, or the user, was silent for too long.
    TimedOut,
    /// More came out than the limits allow, without being taken with `poll`.
    Overflow,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed here"),
            Self::Peer => f.write_str("the peer disconnected"),
            Self::ConnectionLost => f.write_str("the connection is gone"),
            Self::ChannelLost(channel) => write!(f, "the channel {channel} is gone"),
            Self::Refused(code) => write!(f, "the other side answered {code}"),
            Self::NotVerified => f.write_str("the expert does not know connection string and password"),
            Self::TooManyAttempts => f.write_str("too many failed attempts"),
            Self::WrongToken => f.write_str("the peer's token is wrong"),
            Self::IncompatibleVersion { major, minor } => {
                write!(f, "version numbers {major}.{minor} do not fit")
            }
            Self::ViewRefused(code) => write!(f, "the view was refused: {code}"),
            Self::ScreenEnded(code) => write!(f, "the screen is no longer shared: {code}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Overflow => f.write_str("too many outputs were not taken"),
        }
    }
}

/// A call that does not fit the state of the session. Nothing was changed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The session was started already.
    #[error("the session was started already")]
    Started,
    /// The session is over.
    #[error("the session is over")]
    Closed,
    /// The session is not established yet.
    #[error("the session is not established")]
    NotEstablished,
    /// Nobody asked, or the question was answered or withdrawn.
    #[error("there is no such question")]
    NotAsked,
    /// It does not fit what goes on: asking for control while having it, for example.
    #[error("not possible in this state")]
    WrongState,
    /// The version of the session does not have it.
    #[error("not part of this version of the protocol")]
    OtherVersion,
    /// The text has more bytes than the version allows.
    #[error("{got} bytes are more than the {max} that this version allows")]
    TooLong {
        /// Bytes in UTF-16LE, with NUL.
        got: usize,
        /// Most that can be sent.
        max: usize,
    },
    /// A text has a NUL, or what else cannot be written.
    #[error("the text cannot be written")]
    Unwritable,
    /// There is no such transfer.
    #[error("there is no such transfer")]
    UnknownTransfer,
    /// Too much is waiting already.
    #[error("too much is waiting already")]
    QueueFull,
    /// There is no channel for it.
    #[error("there is no channel for it")]
    NoChannel,
    /// The peer has no voice, or its audio is not tuned.
    #[error("the peer cannot do voice")]
    PeerHasNoVoice,
}
