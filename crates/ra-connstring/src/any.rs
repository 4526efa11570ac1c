//! Either connection string.

use std::fmt;

use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::{At, DecodeError, EncodeError};

use crate::{ConnectionString1, ConnectionString2, Endpoint, KeyVerdict};

static AT: At = At::new("[MS-RAI]", "2.2", "Remote Assistance Connection String", "");

/// A connection string of either form; the first character that is no blank tells which.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ConnectionString<'a> {
    /// Eight fields with commas: Windows XP and Windows Server 2003 ([MS-RAI] 2.2.1).
    V1(ConnectionString1<'a>),
    /// XML: Windows Vista and later ([MS-RAI] 2.2.2).
    V2(ConnectionString2<'a>),
}

impl ConnectionString<'_> {
    /// The addresses to try, in the order in which they stand. What is no address with a port is left out.
    #[must_use]
    pub fn candidates(&self) -> Vec<Endpoint<'_>> {
        match self {
            Self::V1(string) => string.candidates().collect(),
            Self::V2(string) => string.candidates().collect(),
        }
    }

    /// Compares the key of a server with what the connection string says of it.
    pub fn verify_key(&self, public_key_blob: &[u8]) -> KeyVerdict {
        match self {
            Self::V1(string) => string.verify_key(public_key_blob),
            Self::V2(string) => string.verify_key(public_key_blob),
        }
    }

    /// The same connection string, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ConnectionString<'static> {
        match self {
            Self::V1(string) => ConnectionString::V1(string.into_owned()),
            Self::V2(string) => ConnectionString::V2(string.into_owned()),
        }
    }
}

impl<'a> TextFormat<'a> for ConnectionString<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        if cursor.rest().trim_start().starts_with('<') {
            ConnectionString2::parse_text(cursor).map(Self::V2)
        } else {
            ConnectionString1::parse_text(cursor).map(Self::V1)
        }
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        match self {
            Self::V1(string) => string.check_text(),
            Self::V2(string) => string.check_text(),
        }
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self {
            Self::V1(string) => string.write_text(out),
            Self::V2(string) => string.write_text(out),
        }
    }
}
