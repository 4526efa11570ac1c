//! What the program decides about a session.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ra_channel::ErrorCode;
use rccommand::{Contact, InternalData};
use remassist_core::Version;

/// Bounds on what a session keeps.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Bytes of one PDU that arrives. A block of version 1 has 409,600.
    pub message: usize,
    /// Messages in one PDU that arrives.
    pub items: usize,
    /// Outputs that wait for `poll`.
    pub outputs: usize,
    /// Files that wait to be sent.
    pub files: usize,
    /// Bytes of a contact file.
    pub contact: usize,
    /// Settings kept.
    pub settings: usize,
}

impl Default for SessionLimits {
    /// 1 MiB, 64 messages, 4,096 outputs, 64 files, 1 MiB, 64 settings.
    fn default() -> Self {
        Self { message: 1 << 20, items: 64, outputs: 4096, files: 64, contact: 1 << 20, settings: 64 }
    }
}

/// What follows a VERSIONINFO that does not say 1.2, in version 1 ([MS-RA] 3.3.5, 3.4.5, notes <5> and <6>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadVersion {
    /// RESULT(INCOMPATIBLEVERSION) and the end, as the text says and Windows XP does.
    #[default]
    IncompatibleVersion,
    /// RESULT(E_FAIL) and the end, as the notes say of Windows Vista and later.
    Fail,
    /// Go on as if it were right: an older text of the notes, which says that no error is returned.
    NoError,
}

impl BadVersion {
    pub(crate) const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::IncompatibleVersion => Some(ErrorCode::INCOMPATIBLE_VERSION),
            Self::Fail => Some(ErrorCode::E_FAIL),
            Self::NoError => None,
        }
    }
}

/// What follows when the peer asks for a voice session ([MS-RA] 3.17.5, note <8>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VoicePolicy {
    /// Nothing is answered, as Windows Vista and later do.
    #[default]
    Silent,
    /// DISABLEVOICE, as 64-bit Windows XP does.
    Disabled,
    /// The program is asked.
    Ask,
}

/// What is given away when contacts are exchanged ([MS-RA] 3.14, version 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnContact {
    /// Name, machine, picture, public key and address.
    pub contact: Contact,
    /// INTERNALDATA of the transfer. The specification names no value; it is not 0.
    pub internal_data: InternalData,
}

/// What both roles decide.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Options {
    /// Name shown to the other person. Empty: none is sent, but the expertBlob still says NAME.
    pub name: String,
    /// Highest version spoken.
    pub highest: Version,
    /// What follows wrong version numbers.
    pub bad_version: BadVersion,
    /// Send ISCONNECTED every 30 seconds on an idle connection (version 1).
    pub heartbeat: bool,
    /// Contact to exchange (version 3). `None`: CONTACTEXCHANGE is announced as 0.
    pub contact: Option<OwnContact>,
    /// Voice (version 1).
    pub voice: VoicePolicy,
    /// How long the peer may take until it is verified, `None` for ever.
    pub handshake_timeout: Option<Duration>,
    /// Own address: part of the channel names of the novice's transfers in version 1.
    pub address: IpAddr,
    /// Seconds since 1970 at time 0 of the driver's clock: part of the channel names of transfers in version 1, which
    /// nobody verifies.
    pub unix_time: u64,
    /// Bounds.
    pub limits: SessionLimits,
}

impl Default for Options {
    /// All versions, heartbeats, no name, no contact, no voice, two minutes for the handshake.
    fn default() -> Self {
        Self {
            name: String::new(),
            highest: Version::V3,
            bad_version: BadVersion::default(),
            heartbeat: true,
            contact: None,
            voice: VoicePolicy::default(),
            handshake_timeout: Some(Duration::from_secs(120)),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            unix_time: 0,
            limits: SessionLimits::default(),
        }
    }
}
