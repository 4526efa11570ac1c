//! Verbs among the blocks of a file ([MS-RA] 2.2.3).

use core::fmt;

use remassist_core::Utf16Le;
use remassist_core::utf16;

/// A word in place of a block on a file transfer channel ([MS-RA] 2.2.3): UTF-16LE text.
///
/// Blocks have no header, so a block of a file may be the same bytes: whoever reads decides by what it expects
/// ([MS-RA] 3.9, 3.10).
///
/// ```
/// use ra_channel::FileVerb;
///
/// let bytes = FileVerb::End.to_wire();
/// assert_eq!(FileVerb::recognize(bytes.as_bytes()), Some(FileVerb::End));
/// assert_eq!(FileVerb::recognize(b"FILEXFEREND"), None);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FileVerb {
    /// `FILEXFERACK`: the receiver wants the file.
    #[cfg_attr(feature = "serde", serde(rename = "FILEXFERACK"))]
    Ack,
    /// `FILEXFEREND`: all blocks were sent.
    #[cfg_attr(feature = "serde", serde(rename = "FILEXFEREND"))]
    End,
    /// `FILEXFERREJECT`: not wanted, cancelled, or an error.
    #[cfg_attr(feature = "serde", serde(rename = "FILEXFERREJECT"))]
    Reject,
}

impl FileVerb {
    /// All verbs.
    pub const ALL: [Self; 3] = [Self::Ack, Self::End, Self::Reject];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "FILEXFERACK",
            Self::End => "FILEXFEREND",
            Self::Reject => "FILEXFERREJECT",
        }
    }

    /// The verb that all of a block is, with or without NUL. Upper and lower case differ.
    #[must_use]
    pub fn recognize(block: &[u8]) -> Option<Self> {
        let longest = FileVerb::Reject.name().len().saturating_add(1).saturating_mul(2);
        if block.len() > longest || !block.len().is_multiple_of(2) {
            return None;
        }
        let text = match block {
            [text @ .., 0, 0] => text,
            text => text,
        };
        Self::ALL.into_iter().find(|verb| utf16::units(text).eq(verb.name().encode_utf16()))
    }

    /// The verb to send, with a NUL.
    #[must_use]
    pub fn to_wire(self) -> Utf16Le<'static> {
        Utf16Le::with_nul(self.name())
    }
}

impl fmt::Display for FileVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
