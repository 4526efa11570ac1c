//! Numbers with a meaning.

use core::fmt;

remassist_core::named_numbers! {
    /// The field PTYPE (\[C706\] 12.6.3.1, [MS-RPCE] 2.2.2.10).
    PacketType(u8) {
        /// A fragment of the parameters of a call.
        REQUEST = 0, "request";
        /// A fragment of its results.
        RESPONSE = 2, "response";
        /// A call failed.
        FAULT = 3, "fault";
        /// Presentation contexts for a new connection.
        BIND = 11, "bind";
        /// What the server takes of them.
        BIND_ACK = 12, "bind_ack";
        /// The server takes nothing.
        BIND_NAK = 13, "bind_nak";
        /// More contexts for a connection.
        ALTER_CONTEXT = 14, "alter_context";
        /// What the server takes of them.
        ALTER_CONTEXT_RESP = 15, "alter_context_resp";
        /// The last token of an exchange with an odd number of them.
        AUTH3 = 16, "rpc_auth_3";
        /// The server asks the client to end the connection.
        SHUTDOWN = 17, "shutdown";
        /// The client wants a call to end early.
        CO_CANCEL = 18, "co_cancel";
        /// The client does not wait for a call any more.
        ORPHANED = 19, "orphaned";
    }

    /// A security provider: the field auth_type ([MS-RPCE] 2.2.1.1.7).
    AuthType(u8) {
        /// None.
        NONE = 0x00, "RPC_C_AUTHN_NONE";
        /// SPNEGO.
        GSS_NEGOTIATE = 0x09, "RPC_C_AUTHN_GSS_NEGOTIATE";
        /// NTLM: three tokens.
        WINNT = 0x0A, "RPC_C_AUTHN_WINNT";
        /// TLS.
        GSS_SCHANNEL = 0x0E, "RPC_C_AUTHN_GSS_SCHANNEL";
        /// Kerberos.
        GSS_KERBEROS = 0x10, "RPC_C_AUTHN_GSS_KERBEROS";
        /// Netlogon: three tokens.
        NETLOGON = 0x44, "RPC_C_AUTHN_NETLOGON";
        /// The same as [`WINNT`](Self::WINNT).
        DEFAULT = 0xFF, "RPC_C_AUTHN_DEFAULT";
    }

    /// How well a call is protected: the field auth_level ([MS-RPCE] 2.2.1.1.8).
    AuthLevel(u8) {
        /// The same as [`CONNECT`](Self::CONNECT).
        DEFAULT = 0, "RPC_C_AUTHN_LEVEL_DEFAULT";
        /// Not at all.
        NONE = 1, "RPC_C_AUTHN_LEVEL_NONE";
        /// Both sides proved who they are when the context was built; nothing after that is protected.
        CONNECT = 2, "RPC_C_AUTHN_LEVEL_CONNECT";
        /// The same as [`PACKET`](Self::PACKET).
        CALL = 3, "RPC_C_AUTHN_LEVEL_CALL";
        /// Protected from replay.
        PACKET = 4, "RPC_C_AUTHN_LEVEL_PKT";
        /// Protected from changes.
        INTEGRITY = 5, "RPC_C_AUTHN_LEVEL_PKT_INTEGRITY";
        /// Encrypted.
        PRIVACY = 6, "RPC_C_AUTHN_LEVEL_PKT_PRIVACY";
    }

    /// Why a whole bind was refused: the field provider_reject_reason ([MS-RPCE] 2.2.2.5).
    RejectReason(u16) {
        /// None of the others.
        NOT_SPECIFIED = 0, "REASON_NOT_SPECIFIED";
        /// Read as [`LOCAL_LIMIT_EXCEEDED`](Self::LOCAL_LIMIT_EXCEEDED).
        TEMPORARY_CONGESTION = 1, "TEMPORARY_CONGESTION";
        /// The server lacks resources.
        LOCAL_LIMIT_EXCEEDED = 2, "LOCAL_LIMIT_EXCEEDED";
        /// The client broke a rule, or speaks another version.
        PROTOCOL_VERSION_NOT_SPECIFIED = 4, "PROTOCOL_VERSION_NOT_SPECIFIED";
        /// The server has no such security provider.
        AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8, "authentication_type_not_recognized";
        /// The security provider failed.
        INVALID_CHECKSUM = 9, "invalid_checksum";
    }

    /// What became of a presentation context: p_cont_def_result_t (\[C706\] 12.6.3.1, [MS-RPCE] 2.2.2.4).
    ContextResult(u16) {
        /// It can be used.
        ACCEPTANCE = 0, "acceptance";
        /// Refused by the program.
        USER_REJECTION = 1, "user_rejection";
        /// Refused by the server, see [`ContextReason`].
        PROVIDER_REJECTION = 2, "provider_rejection";
        /// Features were negotiated; no context.
        NEGOTIATE_ACK = 3, "negotiate_ack";
    }

    /// Why a presentation context was refused: p_provider_reason_t (\[C706\] 12.6.3.1).
    ContextReason(u16) {
        /// None of the others; also with acceptance.
        NOT_SPECIFIED = 0, "reason_not_specified";
        /// There is no such interface.
        ABSTRACT_SYNTAX_NOT_SUPPORTED = 1, "abstract_syntax_not_supported";
        /// No transfer syntax fits, or another context has the better one.
        TRANSFER_SYNTAXES_NOT_SUPPORTED = 2, "proposed_transfer_syntaxes_not_supported";
        /// Too many contexts.
        LOCAL_LIMIT_EXCEEDED = 3, "local_limit_exceeded";
    }

    /// Why a call failed: the field status of a fault (\[C706\] N.2; low numbers are Win32 error codes, [MS-ERREF] 2.2).
    Status(u32) {
        /// Access denied; also for what breaks limits ([MS-RPCE] 3.3.3.5.4).
        ACCESS_DENIED = 0x0000_0005, "ERROR_ACCESS_DENIED";
        /// The stub data cannot be read.
        BAD_STUB_DATA = 0x0000_06F7, "RPC_X_BAD_STUB_DATA";
        /// The security provider does not do this level.
        UNSUPPORTED_AUTHN_LEVEL = 0x0000_071D, "RPC_S_UNSUPPORTED_AUTHN_LEVEL";
        /// The security provider failed, as with a wrong signature.
        SEC_PKG_ERROR = 0x0000_0721, "RPC_S_SEC_PKG_ERROR";
        /// The interface has no such operation.
        OP_RNG_ERROR = 0x1C01_0002, "nca_op_rng_error";
        /// There is no such interface.
        UNK_IF = 0x1C01_0003, "nca_unk_if";
        /// The protocol was broken.
        PROTO_ERROR = 0x1C01_000B, "nca_proto_error";
        /// The server is too busy.
        SERVER_TOO_BUSY = 0x1C01_0014, "nca_server_too_busy";
        /// There is no such presentation context.
        INVALID_PRES_CONTEXT_ID = 0x1C00_001C, "nca_invalid_pres_context_id";
        /// No security context of this level.
        UNSUPPORTED_NCA_LEVEL = 0x1C00_001D, "nca_unsupported_authn_level";
        /// The signature is wrong.
        INVALID_CHECKSUM = 0x1C00_001F, "nca_invalid_checksum";
        /// The call was cancelled.
        FAULT_CANCEL = 0x1C00_000D, "nca_s_fault_cancel";
        /// No other status fits.
        FAULT_UNSPEC = 0x1C00_0012, "nca_s_fault_unspec";
        /// The context handle is unknown.
        CONTEXT_MISMATCH = 0x1C00_001A, "nca_s_fault_context_mismatch";
        /// The server has no memory left.
        REMOTE_NO_MEMORY = 0x1C00_001B, "nca_s_fault_remote_no_memory";
    }
}

/// Their names, or the numbers.
macro_rules! shown {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }
    )*};
}
shown!(PacketType, AuthType, AuthLevel, RejectReason, ContextResult, ContextReason, Status);

impl AuthLevel {
    /// The level that is meant: DEFAULT is CONNECT, CALL is PACKET ([MS-RPCE] 2.2.1.1.8).
    #[must_use]
    pub const fn effective(self) -> Self {
        match self {
            Self::DEFAULT => Self::CONNECT,
            Self::CALL => Self::PACKET,
            other => other,
        }
    }

    /// Whether requests and responses carry a signature that is verified: integrity and privacy.
    #[must_use]
    pub const fn is_protected(self) -> bool {
        matches!(self, Self::INTEGRITY | Self::PRIVACY)
    }
}

impl AuthType {
    /// Whether the exchange has an odd number of tokens, so that the client's last one travels in rpc_auth_3
    /// ([MS-RPCE] 2.2.1.1.7, 3.3.1.5.2.1).
    #[must_use]
    pub const fn has_odd_legs(self) -> bool {
        matches!(self, Self::WINNT | Self::NETLOGON | Self::DEFAULT)
    }
}

impl Status {
    /// Codes that no server may send; a client reads them as a protocol error ([MS-RPCE] 3.3.3.5.1, 3.3.2.5.1).
    #[must_use]
    pub const fn is_forbidden(self) -> bool {
        matches!(
            self.0,
            0 | 0x8000_0001
                ..=0x8000_0003
                    | 0xC000_0005
                    | 0xC000_0006
                    | 0xC000_001D
                    | 0xC000_0096
                    | 0xC000_00AA
                    | 0xC000_00FD
                    | 0xC000_0194
                    | 0xC000_0235
                    | 0xC000_0409
                    | 0xC000_0420
        )
    }
}

/// The field pfc_flags (\[C706\] 12.6.3.1, [MS-RPCE] 2.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Flags(pub u8);

impl Flags {
    /// The first fragment.
    pub const FIRST: Self = Self(0x01);
    /// The last fragment.
    pub const LAST: Self = Self(0x02);
    /// First and last: not in fragments.
    pub const WHOLE: Self = Self(0x03);
    /// In bind, alter_context, their answers and rpc_auth_3: the sender supports header signing.
    pub const SUPPORT_HEADER_SIGN: Self = Self(0x04);
    /// In all other PDUs: a cancel was pending.
    pub const PENDING_CANCEL: Self = Self(0x04);
    /// Several calls at a time on one connection.
    pub const CONC_MPX: Self = Self(0x10);
    /// In faults: the call was certainly not executed.
    pub const DID_NOT_EXECUTE: Self = Self(0x20);
    /// In requests: nobody waits for an answer.
    pub const MAYBE: Self = Self(0x40);
    /// In requests: an object UUID follows the fixed fields.
    pub const OBJECT_UUID: Self = Self(0x80);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
