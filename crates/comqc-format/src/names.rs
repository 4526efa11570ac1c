//! Numbers with a meaning.

remassist_core::named_numbers! {
    /// The field Header Signature of a header: four ASCII letters, read as a little-endian number ([MC-COMQC] 2.2.1).
    Signature(u32) {
        /// Container header, always the first ([MC-COMQC] 2.2.2).
        CONTAINER = 0x5244_4843, "CHDR";
        /// Partition identifier header ([MC-COMQC] 2.2.3).
        PARTITION = 0x5452_4150, "PART";
        /// Security header ([MC-COMQC] 2.2.4).
        SECURITY = 0x4443_4553, "SECD";
        /// Security reference header ([MC-COMQC] 2.2.5).
        REFERENCE = 0x5243_4553, "SECR";
        /// Method header with an interface ([MC-COMQC] 2.2.6).
        METHOD = 0x4854_454D, "METH";
        /// Method header without an interface ([MC-COMQC] 2.2.6).
        SHORT_METHOD = 0x4854_4D53, "SMTH";
    }

    /// The field Style of security data: what the called side does in calls of its own ([MS-COM] 2.2.3.2.4).
    Style(u16) {
        /// The called side appends itself to the chain of callers.
        APPEND = 0, "append recipient";
        /// The called side does not.
        DO_NOT_APPEND = 2, "do not append recipient";
    }

    /// What a collection of security properties is about ([MS-COM] 2.2.3.2.2).
    CollectionType(u16) {
        /// The whole chain of calls; only the first collection.
        CHAIN = 0x0A01, "call chain";
        /// One caller; all collections but the first.
        CALLER = 0x0A02, "caller";
    }

    /// What a security property says ([MS-COM] 2.2.3.2.1.1).
    PropertyType(u16) {
        /// SID of a caller; claims to come from an authenticated call.
        AUTHENTICATED_SID = 0x0B01, "authenticated SID";
        /// Account name of a caller; claims to come from an authenticated call.
        AUTHENTICATED_NAME = 0x0B02, "authenticated account name";
        /// [`AuthenticationService`](crate::AuthenticationService) of a call.
        AUTHENTICATION_SERVICE = 0x0B03, "authentication service";
        /// [`AuthenticationLevel`](crate::AuthenticationLevel) of a call.
        AUTHENTICATION_LEVEL = 0x0B04, "authentication level";
        /// [`ImpersonationLevel`](crate::ImpersonationLevel) of a call.
        IMPERSONATION_LEVEL = 0x0B05, "impersonation level";
        /// SID of a caller as an application gave it.
        APPLICATION_SID = 0x0B06, "application SID";
        /// Account name of a caller as an application gave it.
        APPLICATION_NAME = 0x0B07, "application account name";
        /// Lowest [`AuthenticationLevel`](crate::AuthenticationLevel) of the chain of calls.
        MINIMUM_LEVEL = 0x0B10, "minimum authentication level";
    }

    /// Security provider of an RPC call ([MS-RPCE] 2.2.1.1.7).
    AuthenticationService(u32) {
        /// No authentication.
        NONE = 0x00, "RPC_C_AUTHN_NONE";
        /// SPNEGO.
        NEGOTIATE = 0x09, "RPC_C_AUTHN_GSS_NEGOTIATE";
        /// NTLM.
        NTLM = 0x0A, "RPC_C_AUTHN_WINNT";
        /// TLS.
        TLS = 0x0E, "RPC_C_AUTHN_GSS_SCHANNEL";
        /// Kerberos.
        KERBEROS = 0x10, "RPC_C_AUTHN_GSS_KERBEROS";
        /// Netlogon.
        NETLOGON = 0x44, "RPC_C_AUTHN_NETLOGON";
        /// The same as NTLM.
        DEFAULT = 0xFF, "RPC_C_AUTHN_DEFAULT";
    }

    /// How well an RPC call was protected ([MS-RPCE] 2.2.1.1.8).
    AuthenticationLevel(u32) {
        /// The same as [`CONNECT`](Self::CONNECT).
        DEFAULT = 0, "RPC_C_AUTHN_LEVEL_DEFAULT";
        /// Not at all.
        NONE = 1, "RPC_C_AUTHN_LEVEL_NONE";
        /// Both sides proved who they are when they connected.
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

    /// What the called side may do in the name of the caller ([MS-RPCE] 2.2.1.1.9, which prints no numbers).
    ImpersonationLevel(u32) {
        /// Whatever the system has as default.
        DEFAULT = 0, "RPC_C_IMP_LEVEL_DEFAULT";
        /// It does not learn who calls.
        ANONYMOUS = 1, "RPC_C_IMP_LEVEL_ANONYMOUS";
        /// It learns who calls.
        IDENTIFY = 2, "RPC_C_IMP_LEVEL_IDENTIFY";
        /// It may act as the caller on its own computer.
        IMPERSONATE = 3, "RPC_C_IMP_LEVEL_IMPERSONATE";
        /// It may act as the caller on other computers too.
        DELEGATE = 4, "RPC_C_IMP_LEVEL_DELEGATE";
    }
}
