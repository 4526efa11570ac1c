//! Names of virtual channels, and who uses which ([MS-RA] 2.1, 2.2.1.2, 2.2.2).

use core::fmt;
use core::net::IpAddr;

use remassist_core::{EncodeError, Utf16Le};

at! { "[MS-RA]":
    NAME = "2.2.1.2" "REMOTEDESKTOP_CTL_PACKETHEADER" "ChannelName";
}

/// Longest channel name in a packet header, in bytes, with its NUL ([MS-RA] 2.2.1.2).
pub const MAX_NAME: usize = 64;

/// Who somebody is in a session ([MS-RA] 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// Gets help and shows the screen: the RDP server.
    Novice,
    /// Gives help: the RDP client.
    Expert,
}

impl Role {
    /// The other one.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Novice => Self::Expert,
            Self::Expert => Self::Novice,
        }
    }
}

/// Version of the Remote Assistance protocol ([MS-RA] 1.7). It is never on the wire: both sides conclude it from how the
/// session was initiated ([MS-RA] 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ProtocolVersion {
    /// Windows XP; deprecated by current Windows.
    V1,
    /// Windows Vista.
    V2,
    /// Windows 7: Easy Connect, contacts, the session token.
    V3,
}

impl ProtocolVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 3] = [Self::V1, Self::V2, Self::V3];

    /// Bytes in each block of a file but the last ([MS-RA] 3.9.5).
    #[must_use]
    pub const fn file_block(self) -> usize {
        match self {
            Self::V1 => 409_600,
            Self::V2 | Self::V3 => 1024,
        }
    }

    /// Most bytes of a chat message that is sent, with its NUL ([MS-RA] 3.11.5); `None` when there is no bound.
    #[must_use]
    pub const fn chat_limit(self) -> Option<usize> {
        match self {
            Self::V1 => None,
            Self::V2 | Self::V3 => Some(1024),
        }
    }
}

/// Name of a virtual channel, as it stands in a packet header ([MS-RA] 2.2.1.2) and in CHANNELID ([MS-RA] 2.2.2).
///
/// ```
/// use ra_channel::{ChannelName, ProtocolVersion, Role};
///
/// let name = ChannelName::parse("1000.612009461");
/// assert_eq!(name, Some(ChannelName::ExpertTransfer { seconds: 612_009_461 }));
/// assert!(!ChannelName::Transfer.is_used_in(ProtocolVersion::V1));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelName {
    /// `RC_CTL`: session initialization. Also the name in the headers of packets on the static channel.
    Control,
    /// `remdesk`: the static channel, which carries every other one.
    StaticControl,
    /// `70`: chat.
    Chat,
    /// `71`: share control, beginning of file transfers, voice.
    Commands,
    /// `RA_FX`: files in versions 2 and 3.
    Transfer,
    /// `<ip>.<seconds>`: a file that the novice began to transfer, version 1.
    NoviceTransfer {
        /// Address of the novice.
        ip: IpAddr,
        /// Seconds since 1970, which nobody verifies.
        seconds: u64,
    },
    /// `1000.<seconds>`: a file that the expert began to transfer, version 1.
    ExpertTransfer {
        /// Seconds since 1970, which nobody verifies.
        seconds: u64,
    },
}

impl ChannelName {
    /// Reads a name without NUL; `None` for a name that [MS-RA] 2.2.1.2 does not know. Upper and lower case differ.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "RC_CTL" => Self::Control,
            "remdesk" => Self::StaticControl,
            "70" => Self::Chat,
            "71" => Self::Commands,
            "RA_FX" => Self::Transfer,
            _ => {
                let (sender, seconds) = text.rsplit_once('.')?;
                // `parse` alone would take a plus sign.
                if !seconds.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let seconds = seconds.parse().ok()?;
                match sender {
                    "1000" => Self::ExpertTransfer { seconds },
                    ip => Self::NoviceTransfer { ip: ip.parse().ok()?, seconds },
                }
            }
        })
    }

    /// Reads the name of a packet header, up to its NUL.
    #[must_use]
    pub fn from_wire(name: &Utf16Le<'_>) -> Option<Self> {
        // A long one is none of the known, and not worth a string.
        let name = name.before_nul();
        if name.as_bytes().len() > MAX_NAME.saturating_mul(4) {
            return None;
        }
        Self::parse(&name.to_text().ok()?)
    }

    /// The name for a packet header, with its NUL.
    #[must_use]
    pub fn to_wire(self) -> Utf16Le<'static> {
        Utf16Le::with_nul(&alloc::format!("{self}"))
    }

    /// The name for a file transfer that `initiator` begins. Address and time matter in version 1 only.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] when the name takes more than [`MAX_NAME`] bytes, as it does with most IPv6 addresses.
    pub fn for_transfer(
        version: ProtocolVersion,
        initiator: Role,
        novice: IpAddr,
        seconds: u64,
    ) -> Result<Self, EncodeError> {
        let name = match (version, initiator) {
            (ProtocolVersion::V1, Role::Novice) => Self::NoviceTransfer { ip: novice, seconds },
            (ProtocolVersion::V1, Role::Expert) => Self::ExpertTransfer { seconds },
            (ProtocolVersion::V2 | ProtocolVersion::V3, _) => Self::Transfer,
        };
        remassist_core::check_len(name.to_wire().as_bytes().len(), MAX_NAME, &NAME)?;
        Ok(name)
    }

    /// Whether the packets carry a message type: those of session initialization do, chat, commands and files do not.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Control | Self::StaticControl)
    }

    /// Whether this is the name of a file transfer.
    #[must_use]
    pub const fn is_transfer(self) -> bool {
        matches!(self, Self::Transfer | Self::NoviceTransfer { .. } | Self::ExpertTransfer { .. })
    }

    /// Whether a session of that version uses the name.
    #[must_use]
    pub fn is_used_in(self, version: ProtocolVersion) -> bool {
        match self {
            Self::Control | Self::StaticControl | Self::Chat | Self::Commands => true,
            Self::Transfer => version != ProtocolVersion::V1,
            Self::NoviceTransfer { .. } | Self::ExpertTransfer { .. } => version == ProtocolVersion::V1,
        }
    }

    /// Whether a file transfer of that version that `initiator` began may have this name: the check for CHANNELID.
    #[must_use]
    pub fn is_transfer_of(self, version: ProtocolVersion, initiator: Role) -> bool {
        let by = match self {
            Self::NoviceTransfer { .. } => initiator == Role::Novice,
            Self::ExpertTransfer { .. } => initiator == Role::Expert,
            _ => self.is_transfer(),
        };
        by && self.is_used_in(version)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("RC_CTL"),
            Self::StaticControl => f.write_str("remdesk"),
            Self::Chat => f.write_str("70"),
            Self::Commands => f.write_str("71"),
            Self::Transfer => f.write_str("RA_FX"),
            Self::NoviceTransfer { ip, seconds } => write!(f, "{ip}.{seconds}"),
            Self::ExpertTransfer { seconds } => write!(f, "1000.{seconds}"),
        }
    }
}
