//! Error codes of REMOTEDESKTOP_CTL_RESULT ([MS-RA] 2.2.6).

use core::fmt;

/// What a REMOTEDESKTOP_CTL_RESULT says ([MS-RA] 2.2.6); 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ErrorCode(pub u32);

macro_rules! error_codes {
    ($($const:ident = $value:literal $name:literal $text:literal;)*) => {
        impl ErrorCode {
            $(#[doc = $text] pub const $const: Self = Self($value);)*

            /// Every code of [MS-RA] 2.2.6, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$const),*];

            /// The specification's name.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$const => Some($name),)*
                    _ => None,
                }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn text(self) -> Option<&'static str> {
                match self {
                    $(Self::$const => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    NO_ERROR = 0 "SAFERROR_NOERROR" "Success.";
    NO_INFO = 1 "SAFERROR_NOINFO" "A component failed and says no more.";
    LOCAL_NOT_ERROR = 3 "SAFERROR_LOCALNOTERROR" "The local user disconnected.";
    REMOTE_BY_USER = 4 "SAFERROR_REMOTEBYUSER" "The remote user disconnected.";
    BY_SERVER = 5 "SAFERROR_BYSERVER" "The remote computer disconnected.";
    DNS_LOOKUP_FAILED = 6 "SAFERROR_DNSLOOKUPFAILED" "The DNS lookup failed.";
    OUT_OF_MEMORY = 7 "SAFERROR_OUTOFMEMORY" "Out of memory.";
    CONNECTION_TIMED_OUT = 8 "SAFERROR_CONNECTIONTIMEDOUT" "Connecting took too long.";
    SOCKET_CONNECT_FAILED = 9 "SAFERROR_SOCKETCONNECTFAILED" "Connecting to the remote computer failed.";
    HOST_NOT_FOUND = 11 "SAFERROR_HOSTNOTFOUND" "The remote computer cannot be reached.";
    WINSOCK_SEND_FAILED = 12 "SAFERROR_WINSOCKSENDFAILED" "Writing to the socket failed.";
    INVALID_IP_ADDR = 14 "SAFERROR_INVALIDIPADDR" "The IP address is not valid.";
    SOCKET_RECV_FAILED = 15 "SAFERROR_SOCKETRECVFAILED" "Reading from the socket failed.";
    INVALID_ENCRYPTION = 18 "SAFERROR_INVALIDENCRYPTION" "The encryption failed.";
    GET_HOST_BY_NAME_FAILED = 20 "SAFERROR_GETHOSTBYNAMEFAILED" "The socket library could not resolve the name.";
    LICENSING_FAILED = 21 "SAFERROR_LICENSINGFAILED" "RDP licensing failed.";
    ENCRYPTION_ERROR = 22 "SAFERROR_ENCRYPTIONERROR" "RDP could not encrypt.";
    DECRYPTION_ERROR = 23 "SAFERROR_DECRYPTIONERROR" "RDP could not decrypt.";
    INVALID_PARAMETER_STRING = 24 "SAFERROR_INVALIDPARAMETERSTRING" "The connection string is not valid.";
    HELP_SESSION_NOT_FOUND = 25 "SAFERROR_HELPSESSIONNOTFOUND" "There is no such connection string.";
    INVALID_PASSWORD = 26 "SAFERROR_INVALIDPASSWORD" "The password is wrong (version 1).";
    HELP_SESSION_EXPIRED = 27 "SAFERROR_HELPSESSIONEXPIRED" "The connection string has expired.";
    CANT_OPEN_RESOLVER = 28 "SAFERROR_CANTOPENRESOLVER" "The remote computer could not find the session.";
    UNKNOWN_SESS_MGR_ERROR = 29 "SAFERROR_UNKNOWNSESSMGRERROR" "The remote session manager failed.";
    CANT_FORM_LINK_TO_USER_SESSION = 30 "SAFERROR_CANTFORMLINKTOUSERSESSION"
        "The remote computer could not connect to the user's session.";
    RC_PROTOCOL_ERROR = 32 "SAFERROR_RCPROTOCOLERROR" "The remote control protocol was violated.";
    RC_UNKNOWN_ERROR = 33 "SAFERROR_RCUNKNOWNERROR" "Remote control failed for an unknown reason.";
    INTERNAL_ERROR = 34 "SAFERROR_INTERNALERROR" "An internal error.";
    HELPEE_RESPONSE_PENDING = 35 "SAFERROR_HELPEERESPONSEPENDING" "The novice has not answered yet; not used.";
    HELPEE_SAID_YES = 36 "SAFERROR_HELPEESAIDYES" "The novice agreed; not used.";
    HELPEE_ALREADY_BEING_HELPED = 37 "SAFERROR_HELPEEALREADYBEINGHELPED" "Somebody already helps this user.";
    HELPEE_CONSIDERING_HELP = 38 "SAFERROR_HELPEECONSIDERINGHELP" "The novice is thinking about it; not used.";
    HELPEE_NEVER_RESPONDED = 40 "SAFERROR_HELPEENEVERRESPONDED" "The remote user did not answer in time.";
    HELPEE_SAID_NO = 41 "SAFERROR_HELPEESAIDNO" "The remote user refused.";
    HELP_SESSION_ACCESS_DENIED = 42 "SAFERROR_HELPSESSIONACCESSDENIED"
        "The remote user may not use this connection string.";
    USER_NOT_FOUND = 43 "SAFERROR_USERNOTFOUND" "There is no such remote user.";
    SESS_MGR_ERROR_NOT_INIT = 44 "SAFERROR_SESSMGRERRORNOTINIT" "The remote session manager is not ready.";
    SELF_HELP_NOT_SUPPORTED = 45 "SAFERROR_SELFHELPNOTSUPPORTED" "Nobody can help in the own session.";
    INCOMPATIBLE_VERSION = 47 "SAFERROR_INCOMPATIBLEVERSION" "The versions do not fit together (version 1).";
    SESSION_NOT_CONNECTED = 48 "SAFERROR_SESSIONNOTCONNECTED" "The session is not connected; not used.";
    SYSTEM_SHUTDOWN = 50 "SAFERROR_SYSTEMSHUTDOWN" "The remote computer shuts down.";
    STOP_LISTEN_BY_USER = 51 "SAFERROR_STOPLISTENBYUSER" "The remote computer no longer waits for a connection.";
    WINSOCK_FAILED = 52 "SAFERROR_WINSOCK_FAILED" "The socket library failed.";
    MISMATCH_PARMS = 53 "SAFERROR_MISMATCHPARMS" "The parameters do not fit together.";
    PASSWORDS_DONT_MATCH = 61 "PASSWORDS_DONT_MATCH" "The password is wrong (version 2).";
    SHADOW_END_BASE = 300 "SAFERROR_SHADOWEND_BASE" "Viewing and control were ended.";
    SHADOW_END_CONFIG_CHANGE = 301 "SAFERROR_SHADOWEND_CONFIGCHANGE"
        "Viewing and control ended because the resolution or colour depth changed.";
    SHADOW_END_UNKNOWN = 302 "SAFERROR_SHADOWEND_UNKNOWN" "Viewing and control have ended.";
}

impl ErrorCode {
    /// What Windows Vista and later answer to version numbers that do not fit ([MS-RA] notes <5> and <6>). It is an HRESULT
    /// and none of the codes of 2.2.6, so a deviation.
    pub const E_FAIL: Self = Self(0x8000_4005);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.text()) {
            (Some(name), Some(text)) => write!(f, "{} ({name}): {text}", self.0),
            _ => write!(f, "unknown error code {}", self.0),
        }
    }
}
