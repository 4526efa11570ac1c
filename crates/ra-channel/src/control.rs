//! The messages of session initialization ([MS-RA] 2.2.1.3 to 2.2.1.15).

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode as _, DecodeError, DecodeErrorKind as Kind, Encode as _, EncodeError, Format,
    Secret, Utf16Le,
};

use crate::bstr::{BstrForm, Fields, NameBstr, SecretBstr};
use crate::text::{check_text, owned_secret, secret_text};
use crate::{Authenticate, ErrorCode, ExpertBlob, Version};

at! { "[MS-RA]":
    MSG_TYPE = "2.2.1.3" "REMOTEDESKTOP_CTL_BUFHEADER" "msgType";
    BODY = "2.2.1.3" "REMOTEDESKTOP_CTL_BUFHEADER" "data";
    MAJOR = "2.2.1.8" "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET" "versionMajor";
    MINOR = "2.2.1.8" "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET" "versionMinor";
    STRING = "2.2.1.9" "REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP_PACKET" "raConnectionString";
    RESULT = "2.2.1.10" "REMOTEDESKTOP_CTL_RESULT_PACKET" "result";
}

macro_rules! bstr {
    ($($name:ident = $section:literal $structure:literal $field:literal $form:ident;)*) => {$(
        const $name: Fields = Fields {
            data: At::new("[MS-RA]", $section, $structure, $field),
            count: At::new("[MS-RA]", $section, $structure, "count"),
            nul: At::new("[MS-RA]", $section, $structure, "terminator"),
            form: BstrForm::$form,
        };
    )*};
}
bstr! {
    PASSWORD = "2.2.1.12" "REMOTEDESKTOP_EXPERT_ON_VISTA" "EncryptedPassword" Plain;
    NOVICE = "2.2.1.13" "REMOTEDESKTOP_CTL_RANOVICE_NAME" "RANoviceName" Counted;
    EXPERT = "2.2.1.14" "REMOTEDESKTOP_CTL_RAEXPERT_NAME" "RAExpertName" Counted;
    TOKEN = "2.2.1.15" "REMOTEDESKTOP_CTL_TOKEN_PACKET" "token" Counted;
}

remassist_core::named_numbers! {
    /// What a control message is ([MS-RA] 2.2.1.3); 4 bytes.
    MsgType(u32) {
        /// Asks for a view of the screen.
        REMOTE_CONTROL_DESKTOP = 1 "REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP";
        /// Answer with an error code.
        RESULT = 2 "REMOTEDESKTOP_CTL_RESULT";
        /// Connection string and expertBlob.
        AUTHENTICATE = 3 "REMOTEDESKTOP_CTL_AUTHENTICATE";
        /// The novice is ready.
        SERVER_ANNOUNCE = 4 "REMOTEDESKTOP_CTL_SERVER_ANNOUNCE";
        /// The sender has gone.
        DISCONNECT = 5 "REMOTEDESKTOP_CTL_DISCONNECT";
        /// Version numbers.
        VERSION_INFO = 6 "REMOTEDESKTOP_CTL_VERSIONINFO";
        /// The sender is still there.
        IS_CONNECTED = 7 "REMOTEDESKTOP_CTL_ISCONNECTED";
        /// expertBlob alone.
        VERIFY_PASSWORD = 8 "REMOTEDESKTOP_CTL_VERIFY_PASSWORD";
        /// The expert knows version 2.
        EXPERT_ON_VISTA = 9 "REMOTEDESKTOP_EXPERT_ON_VISTA";
        /// Name of the novice.
        NOVICE_NAME = 10 "REMOTEDESKTOP_CTL_RANOVICE_NAME";
        /// Name of the expert.
        EXPERT_NAME = 11 "REMOTEDESKTOP_CTL_RAEXPERT_NAME";
        /// Session authorization token.
        TOKEN = 12 "REMOTEDESKTOP_CTL_TOKEN";
    }
}

impl MsgType {
    /// Whether a session of that version uses the message ([MS-RA] 2.2.1.3 to 2.2.1.15); others are dropped without an
    /// answer ([MS-RA] 3). Messages of no stated version, and unknown ones, belong to all.
    #[must_use]
    pub fn is_used_in(self, version: Version) -> bool {
        match self {
            Self::REMOTE_CONTROL_DESKTOP | Self::AUTHENTICATE | Self::IS_CONNECTED => version == Version::V1,
            Self::VERSION_INFO => version != Version::V3,
            Self::VERIFY_PASSWORD | Self::EXPERT_ON_VISTA | Self::NOVICE_NAME | Self::EXPERT_NAME => {
                version == Version::V2
            }
            Self::TOKEN => version == Version::V3,
            _ => true,
        }
    }
}

/// A message of session initialization: `u32` msgType, then the fields of the variant, to the end of the packet.
///
/// ```
/// use ra_channel::{Control, Packet};
/// use remassist_core::{Decode as _, Encode as _};
///
/// let bytes = Packet::control(Control::VersionInfo { major: 1, minor: 2 }).to_vec()?;
/// assert_eq!(bytes.len(), 34);
/// # Ok::<(), remassist_core::EncodeError>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "type", rename_all = "snake_case")
)]
pub enum Control<'a> {
    /// [MS-RA] 2.2.1.9, expert, version 1: asks for a view of the screen.
    RemoteControlDesktop {
        /// Connection string, with or without NUL. The novice does not look at it.
        connection_string: Secret<Utf16Le<'a>>,
    },
    /// [MS-RA] 2.2.1.10, novice.
    Result {
        /// A code that [MS-RA] 2.2.6 does not list is a deviation.
        code: ErrorCode,
    },
    /// [MS-RA] 2.2.1.4, expert, version 1.
    Authenticate(Authenticate<'a>),
    /// [MS-RA] 2.2.1.7, novice: no fields.
    ServerAnnounce,
    /// [MS-RA] 2.2.1.5, either side: no fields.
    Disconnect,
    /// [MS-RA] 2.2.1.8, either side, versions 1 and 2.
    ///
    /// Numbers other than 1 and 2 are a deviation: a strict decoder refuses them, and a session that has to answer
    /// them (INCOMPATIBLEVERSION) decodes tolerantly.
    VersionInfo {
        /// 1.
        major: u32,
        /// 2.
        minor: u32,
    },
    /// [MS-RA] 2.2.1.6, either side, version 1: no fields.
    IsConnected,
    /// [MS-RA] 2.2.1.11, expert, version 2.
    VerifyPassword {
        /// Name of the expert and proof of the password.
        expert_blob: ExpertBlob<'a>,
    },
    /// [MS-RA] 2.2.1.12, expert, version 2.
    ExpertOnVista {
        /// The PassStub encrypted with the password ([MS-RAI] 6): the cipher text alone, the length is inside it. A count
        /// before it is a deviation. Empty for a ticket without PassStub.
        password: SecretBstr<'a>,
    },
    /// [MS-RA] 2.2.1.13, novice, version 2.
    NoviceName {
        /// Name of the novice.
        name: NameBstr<'a>,
    },
    /// [MS-RA] 2.2.1.14, expert, version 2.
    ExpertName {
        /// Name of the expert.
        name: NameBstr<'a>,
    },
    /// [MS-RA] 2.2.1.15, either side, version 3.
    Token {
        /// The session token of [MS-RA] 2.2.4; see [`SecretBstr::token`].
        token: SecretBstr<'a>,
    },
    /// A msgType that the specification does not know, which is a deviation.
    Unknown {
        /// The number.
        msg_type: MsgType,
        /// What follows it.
        body: Blob<'a>,
    },
}

impl<'a> Control<'a> {
    /// EXPERT_ON_VISTA with the cipher text alone.
    #[must_use]
    pub fn expert_on_vista(cipher_text: impl Into<Blob<'a>>) -> Self {
        Self::ExpertOnVista { password: SecretBstr::new(BstrForm::Plain, cipher_text) }
    }

    /// TOKEN with a byte count and the 20 bytes.
    #[must_use]
    pub fn token(token: &Secret<[u8; 20]>) -> Control<'static> {
        Control::Token { token: SecretBstr::new(BstrForm::Counted, token.expose().to_vec()) }
    }

    /// REMOTE_CONTROL_DESKTOP with a NUL after the connection string.
    #[must_use]
    pub fn remote_control_desktop(connection_string: &str) -> Control<'static> {
        Control::RemoteControlDesktop { connection_string: Secret::new(Utf16Le::with_nul(connection_string)) }
    }

    /// What kind of message it is.
    #[must_use]
    pub const fn msg_type(&self) -> MsgType {
        match self {
            Self::RemoteControlDesktop { .. } => MsgType::REMOTE_CONTROL_DESKTOP,
            Self::Result { .. } => MsgType::RESULT,
            Self::Authenticate(_) => MsgType::AUTHENTICATE,
            Self::ServerAnnounce => MsgType::SERVER_ANNOUNCE,
            Self::Disconnect => MsgType::DISCONNECT,
            Self::VersionInfo { .. } => MsgType::VERSION_INFO,
            Self::IsConnected => MsgType::IS_CONNECTED,
            Self::VerifyPassword { .. } => MsgType::VERIFY_PASSWORD,
            Self::ExpertOnVista { .. } => MsgType::EXPERT_ON_VISTA,
            Self::NoviceName { .. } => MsgType::NOVICE_NAME,
            Self::ExpertName { .. } => MsgType::EXPERT_NAME,
            Self::Token { .. } => MsgType::TOKEN,
            Self::Unknown { msg_type, .. } => *msg_type,
        }
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Control<'static> {
        match self {
            Self::RemoteControlDesktop { connection_string } => {
                Control::RemoteControlDesktop { connection_string: owned_secret(connection_string) }
            }
            Self::Result { code } => Control::Result { code },
            Self::Authenticate(message) => Control::Authenticate(message.into_owned()),
            Self::ServerAnnounce => Control::ServerAnnounce,
            Self::Disconnect => Control::Disconnect,
            Self::VersionInfo { major, minor } => Control::VersionInfo { major, minor },
            Self::IsConnected => Control::IsConnected,
            Self::VerifyPassword { expert_blob } => {
                Control::VerifyPassword { expert_blob: expert_blob.into_owned() }
            }
            Self::ExpertOnVista { password } => Control::ExpertOnVista { password: password.into_owned() },
            Self::NoviceName { name } => Control::NoviceName { name: name.into_owned() },
            Self::ExpertName { name } => Control::ExpertName { name: name.into_owned() },
            Self::Token { token } => Control::Token { token: token.into_owned() },
            Self::Unknown { msg_type, body } => Control::Unknown { msg_type, body: body.into_owned() },
        }
    }

    /// Reads all that is left.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.offset();
        let msg_type = MsgType(cursor.u32(&MSG_TYPE)?);
        cursor.context().note(msg_type.name());
        let message = match msg_type {
            MsgType::REMOTE_CONTROL_DESKTOP => {
                Self::RemoteControlDesktop { connection_string: secret_text(cursor, &STRING)? }
            }
            MsgType::RESULT => {
                let at = cursor.offset();
                let code = ErrorCode(cursor.u32(&RESULT)?);
                cursor.context().note(code.name());
                let got = code.0.into();
                cursor.must(code.name().is_some(), at, &RESULT, Kind::InvalidValue { got })?;
                Self::Result { code }
            }
            MsgType::AUTHENTICATE => Self::Authenticate(Authenticate::parse(cursor)?),
            MsgType::SERVER_ANNOUNCE => Self::ServerAnnounce,
            MsgType::DISCONNECT => Self::Disconnect,
            MsgType::VERSION_INFO => {
                let at = cursor.offset();
                let major = cursor.u32(&MAJOR)?;
                cursor.must(major == 1, at, &MAJOR, Kind::InvalidValue { got: major.into() })?;
                let at = cursor.offset();
                let minor = cursor.u32(&MINOR)?;
                cursor.must(minor == 2, at, &MINOR, Kind::InvalidValue { got: minor.into() })?;
                Self::VersionInfo { major, minor }
            }
            MsgType::IS_CONNECTED => Self::IsConnected,
            MsgType::VERIFY_PASSWORD => Self::VerifyPassword { expert_blob: ExpertBlob::parse(cursor)? },
            MsgType::EXPERT_ON_VISTA => {
                Self::ExpertOnVista { password: SecretBstr::parse(cursor, &PASSWORD)? }
            }
            MsgType::NOVICE_NAME => Self::NoviceName { name: NameBstr::parse(cursor, &NOVICE)? },
            MsgType::EXPERT_NAME => Self::ExpertName { name: NameBstr::parse(cursor, &EXPERT)? },
            MsgType::TOKEN => Self::Token { token: SecretBstr::parse(cursor, &TOKEN)? },
            _ => {
                let got = msg_type.0.into();
                cursor.must(false, start, &MSG_TYPE, Kind::InvalidValue { got })?;
                Self::Unknown { msg_type, body: Blob::from(cursor.take_rest(&BODY, Format::Bytes)) }
            }
        };
        cursor.finish(&BODY)?;
        Ok(message)
    }

    pub(crate) fn encoded_len(&self) -> usize {
        let body = match self {
            Self::RemoteControlDesktop { connection_string } => connection_string.expose().as_bytes().len(),
            Self::Result { .. } => 4,
            Self::Authenticate(message) => message.encoded_len(),
            Self::ServerAnnounce | Self::Disconnect | Self::IsConnected => 0,
            Self::VersionInfo { .. } => 8,
            Self::VerifyPassword { expert_blob } => expert_blob.encoded_len(),
            Self::ExpertOnVista { password: bstr } | Self::Token { token: bstr } => bstr.encoded_len(),
            Self::NoviceName { name } | Self::ExpertName { name } => name.encoded_len(),
            Self::Unknown { body, .. } => body.len(),
        };
        body.saturating_add(4)
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        match self {
            Self::RemoteControlDesktop { connection_string } => {
                check_text(connection_string.expose().as_bytes(), &STRING)
            }
            Self::Authenticate(message) => message.check(),
            Self::VerifyPassword { expert_blob } => expert_blob.check(),
            Self::ExpertOnVista { password } => password.check(&PASSWORD),
            Self::NoviceName { name } => name.check(&NOVICE),
            Self::ExpertName { name } => name.check(&EXPERT),
            Self::Token { token } => token.check(&TOKEN),
            Self::Unknown { msg_type, .. } if msg_type.name().is_some() => Err(EncodeError::Invalid {
                at: &MSG_TYPE,
                reason: "the type is known: it would not be read as an unknown message",
            }),
            Self::Result { .. }
            | Self::ServerAnnounce
            | Self::Disconnect
            | Self::IsConnected
            | Self::VersionInfo { .. }
            | Self::Unknown { .. } => Ok(()),
        }
    }

    pub(crate) fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(self.msg_type().0);
        match self {
            Self::RemoteControlDesktop { connection_string } => {
                dst.put_slice(connection_string.expose().as_bytes());
            }
            Self::Result { code } => dst.put_u32_le(code.0),
            Self::Authenticate(message) => message.write(dst),
            Self::ServerAnnounce | Self::Disconnect | Self::IsConnected => {}
            Self::VersionInfo { major, minor } => {
                dst.put_u32_le(*major);
                dst.put_u32_le(*minor);
            }
            Self::VerifyPassword { expert_blob } => expert_blob.write(dst),
            Self::ExpertOnVista { password: bstr } | Self::Token { token: bstr } => bstr.write(dst),
            Self::NoviceName { name } | Self::ExpertName { name } => name.write(dst),
            Self::Unknown { body, .. } => dst.put_slice(body),
        }
    }
}
