//! Who speaks, and which version of [MS-RA].

use core::fmt;

/// A side of a Remote Assistance connection ([MS-RA] 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Role {
    /// Gives help: the RDP client.
    Expert,
    /// Receives help and shares the screen: the RDP server.
    Novice,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Expert => Self::Novice,
            Self::Novice => Self::Expert,
        }
    }
}

/// `expert` or `novice`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Expert => "expert",
            Self::Novice => "novice",
        })
    }
}

/// A version of the Remote Assistance protocol ([MS-RA] 1.7). It is never on the wire: both sides conclude it from how
/// the session was initiated ([MS-RA] 3).
///
/// Version 1 belongs to Windows XP and Windows Server 2003, version 2 came with Windows Vista, version 3 with
/// Windows 7 and Easy Connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Version {
    /// Version 1; deprecated by current Windows.
    V1,
    /// Version 2.
    V2,
    /// Version 3.
    V3,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 3] = [Self::V1, Self::V2, Self::V3];
}
