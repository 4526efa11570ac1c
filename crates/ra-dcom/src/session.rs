//! Sessions as [MS-RAI] tells them: text and state.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use ndr_oaut::{Bstr, Ndr, Reader, Writer};
use remassist_core::{At, DecodeError};

/// What IRASrv::GetSessionInfo says about a session ([MS-RAI] 3.3.4.1.2): `Domain\User:SessionID`.
///
/// The id stands behind the last colon, the user behind the first backslash. Without a backslash all is the user. A
/// session without domain or user may be there, and is of no use to an expert ([MS-RAI] 3.2.4).
///
/// ```
/// let session: ra_dcom::SessionName = "EXDOMAIN\\alice:2".parse()?;
/// assert_eq!((session.domain.as_str(), session.user.as_str(), session.id), ("EXDOMAIN", "alice", 2));
/// assert!(session.has_user());
/// # Ok::<(), ra_dcom::SessionNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionName {
    /// The domain of the user; without a backslash.
    pub domain: String,
    /// The user.
    pub user: String,
    /// Number of the terminal services session.
    pub id: u32,
}

/// Why a text is no [`SessionName`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionNameError {
    /// A surrogate is unpaired, or half a character stands at the end.
    NotText,
    /// No colon.
    NoId,
    /// What follows the last colon is not a number of 32 bits in decimal digits.
    BadId,
}

impl fmt::Display for SessionNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotText => "a session's name is not well-formed text",
            Self::NoId => "a session's name has no colon before an id",
            Self::BadId => "the id of a session is not a number",
        })
    }
}

impl core::error::Error for SessionNameError {}

impl SessionName {
    /// Whether it has domain and user; an expert ignores the others.
    #[must_use]
    pub fn has_user(&self) -> bool {
        !self.domain.is_empty() && !self.user.is_empty()
    }

    /// The text of a BSTR up to its first NUL; `None` for a null BSTR.
    #[must_use]
    pub fn from_bstr(bstr: &Bstr<'_>) -> Option<Result<Self, SessionNameError>> {
        let text = bstr.text.as_ref()?.before_nul();
        Some(text.to_text().map_err(|_| SessionNameError::NotText).and_then(|text| text.parse()))
    }
}

impl FromStr for SessionName {
    type Err = SessionNameError;

    fn from_str(text: &str) -> Result<Self, SessionNameError> {
        let (name, id) = text.rsplit_once(':').ok_or(SessionNameError::NoId)?;
        // `parse` takes a sign, too.
        if !id.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(SessionNameError::BadId);
        }
        let id = id.parse().map_err(|_| SessionNameError::BadId)?;
        let (domain, user) = name.split_once('\\').unwrap_or(("", name));
        Ok(Self { domain: domain.into(), user: user.into(), id })
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}:{}", self.domain, self.user, self.id)
    }
}

remassist_core::named_numbers! {
    /// `SessionStateEnum` ([MS-RAI] 2.2.3), 16 bits on the wire, as NDR has enumerations.
    #[derive(Default)]
    SessionStateEnum(u16) {
        /// `pchActive`, 0: a user is logged on and active.
        ACTIVE = 0, "pchActive";
        /// `pchConnected`, 1: connected to a client.
        CONNECTED = 1, "pchConnected";
        /// `pchConnectQuery`, 2: about to be connected to a client.
        CONNECT_QUERY = 2, "pchConnectQuery";
        /// `pchShadow`, 3: shows another session.
        SHADOW = 3, "pchShadow";
        /// `pchDisconnected`, 4: its client is gone.
        DISCONNECTED = 4, "pchDisconnected";
        /// `pchIdle`, 5: waits for a client.
        IDLE = 5, "pchIdle";
        /// `pchListen`, 6: listens for connections; nobody is logged on.
        LISTEN = 6, "pchListen";
        /// `pchReset`, 7: is being reset.
        RESET = 7, "pchReset";
        /// `pchDown`, 8: is down after an error.
        DOWN = 8, "pchDown";
        /// `pchInit`, 9: is being made.
        INIT = 9, "pchInit";
        /// `pchStateInvalid`, 10: nobody knows.
        STATE_INVALID = 10, "pchStateInvalid";
    }
}

impl<'a> Ndr<'a> for SessionStateEnum {
    type Head = Self;
    const ALIGN: usize = 2;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let state = Self(r.u16(at)?);
        r.note(state.name());
        Ok(state)
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.u16(self.0);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
