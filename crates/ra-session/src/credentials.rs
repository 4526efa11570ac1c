//! What an expert must know, and how it and the novice prove it ([MS-RA] 2.2.7.2, 3.3 to 3.8).

use ra_channel::{ExpertBlob, session_token};
use ra_connstring::{ConnectionString, KeyVerdict};
use ra_invitation::{Invitation, InvitationKind, TicketError, encrypt_pass_stub, pass_value};
use remassist_core::text::TextFormat as _;
use remassist_core::{DecodeError, Role, Secret, Utf16Le, Version, constant_time_eq, from_hex};

/// How the connection string came to the expert: it decides the version ([MS-RA] 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiation {
    /// In an invitation file.
    Invitation,
    /// Over DCOM: IPCHService or IRASrv. There is no password.
    Dcom,
    /// By Easy Connect ([MS-RAIOP]), or told in any other way together with its six characters.
    EasyConnect,
}

/// Why there are no credentials to be had.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The connection string cannot be read.
    #[error("the connection string cannot be read: {0}")]
    ConnectionString(#[from] DecodeError),
    /// The connection string has no ID.
    #[error("the connection string has no ID")]
    NoId,
    /// The invitation has no ticket that can be read.
    #[error("{0}")]
    Ticket(#[from] TicketError),
    /// The invitation has neither RCTICKET nor LHTICKET.
    #[error("the invitation has no connection string")]
    NoConnectionString,
    /// The password has a NUL.
    #[error("a password has no NUL")]
    Password,
}

/// What lets an expert in: a connection string, and what proves the password.
///
/// `Debug` shows none of it.
#[derive(Debug, Clone)]
pub struct Credentials {
    initiation: Initiation,
    connection_string: Secret<String>,
    id: Secret<String>,
    /// Whether it is a connection string 2.
    second: bool,
    password: Option<Secret<String>>,
    pass_stub: Option<Secret<String>>,
    /// Of novice and expert.
    tokens: Option<[Secret<[u8; 20]>; 2]>,
}

impl Credentials {
    fn new(
        initiation: Initiation,
        connection_string: &str,
        password: Option<&str>,
        pass_stub: Option<&str>,
    ) -> Result<Self, CredentialsError> {
        let connection_string = trimmed(connection_string);
        let parsed = ConnectionString::parse(connection_string)?;
        let (id, second) = match &parsed {
            ConnectionString::V1(string) => (Some(string.session_id()), false),
            ConnectionString::V2(string) => (string.id(), true),
        };
        let id = id.filter(|id| !id.expose().is_empty()).ok_or(CredentialsError::NoId)?;
        if password.is_some_and(|p| p.contains('\0')) {
            return Err(CredentialsError::Password);
        }
        let secret = |text: &str| Secret::new(text.to_owned());
        Ok(Self {
            initiation,
            connection_string: secret(connection_string),
            id: secret(id.expose()),
            second,
            password: password.map(secret),
            pass_stub: pass_stub.map(secret),
            tokens: None,
        })
    }

    /// Those of an invitation file ([MS-RAI] 6): the connection string, its password, and the PassStub. Files of type 1 may
    /// have neither password nor PassStub.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn invitation(
        connection_string: &str,
        password: Option<&str>,
        pass_stub: Option<&str>,
    ) -> Result<Self, CredentialsError> {
        Self::new(Initiation::Invitation, connection_string, password, pass_stub)
    }

    /// Those in an invitation file that was read.
    ///
    /// # Errors
    /// [`CredentialsError`]; [`TicketError::WrongPassword`] in it when the password does not open the ticket.
    pub fn from_invitation(
        invitation: &Invitation<'_>,
        password: Option<&str>,
    ) -> Result<Self, CredentialsError> {
        let stub = invitation.pass_stub();
        let stub = stub.as_ref().map(|s| &**s.expose());
        match invitation.kind() {
            InvitationKind::ConnectionString => {
                let string = invitation.connection_string().ok_or(CredentialsError::NoConnectionString)?;
                Self::invitation(string.expose(), password, stub)
            }
            InvitationKind::Type2 => {
                let ticket = invitation.decrypt_ticket(password.unwrap_or_default())?;
                Self::invitation(ticket.expose(), password, stub)
            }
            _ => {
                let ticket = invitation.rc_ticket().ok_or(CredentialsError::NoConnectionString)?;
                Self::invitation(ticket.expose(), password, stub)
            }
        }
    }

    /// Those of a ticket that was got over DCOM ([MS-RAI] 3): it has no password and is the proof itself, so the novice
    /// gives one to one authenticated caller only.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn dcom(connection_string: &str) -> Result<Self, CredentialsError> {
        Self::new(Initiation::Dcom, connection_string, None, None)
    }

    /// Those of Easy Connect: connection string and the six-character password, got out of band. Derives both session
    /// tokens ([MS-RA] 2.2.4), which takes tens of milliseconds.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn easy_connect(connection_string: &str, password: &str) -> Result<Self, CredentialsError> {
        let mut this = Self::new(Initiation::EasyConnect, connection_string, Some(password), None)?;
        let string = this.connection_string.expose();
        this.tokens = Some([Role::Novice, Role::Expert].map(|role| session_token(role, password, string)));
        Ok(this)
    }

    /// How they were got.
    #[must_use]
    pub const fn initiation(&self) -> Initiation {
        self.initiation
    }

    /// The version that a side speaks with them when it speaks none above `highest` ([MS-RA] 3).
    #[must_use]
    pub fn version(&self, highest: Version) -> Version {
        let version = match self.initiation {
            Initiation::EasyConnect => Version::V3,
            _ if self.second => Version::V2,
            _ => Version::V1,
        };
        version.min(highest)
    }

    /// Text of the connection string.
    #[must_use]
    pub fn connection_string(&self) -> &Secret<String> {
        &self.connection_string
    }

    /// Compares the public key of the server's certificate ([MS-RDPBCGR] 2.2.1.4.3.1.1.1, the BLOB) with the hash in the
    /// connection string ([MS-RA] 3.5.5). `None`: there is nothing to compare, as the connection has no TS_UD_SC_SEC1.
    pub fn verify_key(&self, public_key_blob: Option<&[u8]>) -> ServerKey {
        let Some(blob) = public_key_blob else { return ServerKey::Unavailable };
        match ConnectionString::parse(self.connection_string.expose()).map(|s| s.verify_key(blob)) {
            Ok(KeyVerdict::Match) => ServerKey::Match,
            Ok(KeyVerdict::Absent) => ServerKey::Absent,
            Ok(KeyVerdict::UnknownAlgorithm) => ServerKey::UnknownAlgorithm,
            Ok(KeyVerdict::Mismatch) | Err(_) => ServerKey::Mismatch,
        }
    }

    /// The PassStub under the password, in hexadecimal digits: PASS of an expertBlob.
    pub(crate) fn pass(&self) -> Option<Secret<String>> {
        let (password, stub) = (self.password.as_ref()?, self.pass_stub.as_ref()?);
        Some(pass_value(password.expose(), stub.expose()))
    }

    /// The PassStub under the password.
    pub(crate) fn cipher_text(&self) -> Option<Vec<u8>> {
        let (password, stub) = (self.password.as_ref()?, self.pass_stub.as_ref()?);
        Some(encrypt_pass_stub(password.expose(), stub.expose()))
    }

    pub(crate) fn token(&self, role: Role) -> Option<&Secret<[u8; 20]>> {
        let [novice, expert] = self.tokens.as_ref()?;
        Some(match role {
            Role::Novice => novice,
            Role::Expert => expert,
        })
    }

    /// What the expert writes into its Client Info PDU.
    pub(crate) fn client_info(&self, user_name: &str, shell: AlternateShell) -> ClientInfo {
        // Easy Connect has no file, and the token proves its password without telling it.
        let tell = match (self.initiation, shell) {
            (Initiation::EasyConnect | Initiation::Dcom, _) => false,
            (Initiation::Invitation, AlternateShell::Password) => true,
            (Initiation::Invitation, AlternateShell::FreeRdp) => self.pass_stub.is_none(),
        };
        let password = self.password.clone().filter(|_| tell);
        ClientInfo {
            working_dir: self.id.clone(),
            alternate_shell: password.unwrap_or_else(|| Secret::new("*".to_owned())),
            user_name: user_name.to_owned(),
        }
    }
}

/// Without byte order mark, blanks and NUL around it.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{FEFF}').trim_matches([' ', '\t', '\r', '\n', '\0'])
}

fn same(a: &str, b: &str) -> bool {
    constant_time_eq(a.as_bytes(), b.as_bytes())
}

/// What the expert's transport found out about the key of the server ([MS-RA] 3.5.5, [MS-RAI] 2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ServerKey {
    /// The key is the one that the connection string tells of.
    Match,
    /// The key is another one.
    Mismatch,
    /// The connection string has no hash.
    Absent,
    /// The hash was made with an algorithm that is not known.
    UnknownAlgorithm,
    /// The connection has no TS_UD_SC_SEC1 to compare with, as under TLS.
    Unavailable,
}

/// What follows when there is nothing to compare a server's key with. A key that does not match always ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPolicy {
    /// Go on; the program knows the verdict and tells the user. Then nothing proves who the novice is until it has
    /// shown its token (version 3), and never in versions 1 and 2.
    #[default]
    Warn,
    /// Do not go on.
    Require,
}

impl ServerKey {
    /// Whether to go on.
    #[must_use]
    pub const fn is_acceptable(self, policy: KeyPolicy) -> bool {
        match self {
            Self::Match => true,
            Self::Mismatch => false,
            Self::Absent | Self::UnknownAlgorithm | Self::Unavailable => {
                matches!(policy, KeyPolicy::Warn)
            }
        }
    }
}

/// What the expert tells in AlternateShell when the invitation has a password ([MS-RA] 2.2.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlternateShell {
    /// The password, as the specification demands. Whoever is at the other end can read it.
    #[default]
    Password,
    /// `*` when there is a PassStub, which proves the password; the password when there is none. FreeRDP does so.
    FreeRdp,
}

/// The fields of the RDP Client Info PDU that Remote Assistance uses ([MS-RA] 2.2.7.2). Password is always
/// [`PASSWORD`](Self::PASSWORD).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// WorkingDir: the ID of the connection string.
    pub working_dir: Secret<String>,
    /// AlternateShell: the password, or `*`.
    pub alternate_shell: Secret<String>,
    /// UserName: whatever the expert calls itself.
    pub user_name: String,
}

impl ClientInfo {
    /// The field Password.
    pub const PASSWORD: &'static str = "*";
}

/// Whether the novice looks at the Client Info PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientInfoPolicy {
    /// It must carry the ID, and in AlternateShell the password or `*`.
    #[default]
    Require,
    /// Only where nothing else proves that the expert has the invitation: in version 2 without password or PassStub.
    WhereNeeded,
}

/// What an expert has shown: in its Client Info PDU, and in the messages of its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Version of the session.
    pub version: Version,
    /// The Client Info PDU, if the driver handed one over.
    pub client_info: Option<ClientInfo>,
    /// The connection string of AUTHENTICATE (version 1).
    pub connection_string: Option<Secret<String>>,
    /// NAME of the expertBlob (versions 1 and 2).
    pub expert_name: Option<String>,
    /// PASS of the expertBlob (versions 1 and 2).
    pub pass: Option<Secret<String>>,
    /// The encrypted password of EXPERT_ON_VISTA (version 2); `None` when it is empty.
    pub encrypted_password: Option<Secret<Vec<u8>>>,
    /// The expert's token (version 3).
    pub token: Option<Secret<[u8; 20]>>,
}

impl Claim {
    pub(crate) fn of_blob(version: Version, blob: &ExpertBlob<'_>) -> Self {
        let name = blob.name().map(Utf16Le::to_text_lossy).filter(|n| !n.is_empty());
        let pass = blob.pass().map(|p| Secret::new(p.expose().to_text_lossy()));
        Self {
            version,
            client_info: None,
            connection_string: None,
            expert_name: name,
            pass,
            encrypted_password: None,
            token: None,
        }
    }

    pub(crate) fn of_token(token: Secret<[u8; 20]>) -> Self {
        Self {
            version: Version::V3,
            client_info: None,
            connection_string: None,
            expert_name: None,
            pass: None,
            encrypted_password: None,
            token: Some(token),
        }
    }

    /// Whether the expert has shown what these credentials demand. Every comparison is in constant time.
    ///
    /// - The ID of the connection string: WorkingDir of the Client Info PDU. In version 1 the connection string of
    ///   AUTHENTICATE besides.
    /// - The password: PASS where there is a PassStub, or in version 2 the encrypted password of EXPERT_ON_VISTA, and both
    ///   if both are there; AlternateShell where there is a password and no PassStub; the
    ///   token in version 3. AlternateShell is the password or `*` in any case, as experts do either.
    #[must_use]
    pub fn proves(&self, credentials: &Credentials, policy: ClientInfoPolicy) -> bool {
        let c = credentials;
        let info = self.client_info.as_ref();
        let id = info.is_some_and(|i| same(i.working_dir.expose(), c.id.expose()));
        let shell = |text: &str| info.is_some_and(|i| same(i.alternate_shell.expose(), text));
        let told = c.password.as_ref().is_some_and(|p| shell(p.expose()));
        let pass = || {
            let Some(own) = c.cipher_text() else { return false };
            let in_blob = self
                .pass
                .as_ref()
                .map(|p| from_hex(p.expose()).is_some_and(|shown| constant_time_eq(&shown, &own)));
            let beside = self.encrypted_password.as_ref().map(|p| constant_time_eq(p.expose(), &own));
            in_blob.or(beside).is_some() && in_blob.unwrap_or(true) && beside.unwrap_or(true)
        };
        let password = match (&c.password, &c.pass_stub) {
            (Some(_), Some(_)) => pass(),
            (Some(_), None) => told,
            (None, _) => true,
        };
        let string = || {
            let shown = self.connection_string.as_ref();
            shown.is_some_and(|s| same(trimmed(s.expose()), c.connection_string.expose()))
        };
        let (proof, needs_info) = match self.version {
            Version::V1 => (string() && password, false),
            // Only PASS is made of the connection string's invitation; without it the ID is all there is.
            Version::V2 => (password, c.password.is_none() || c.pass_stub.is_none()),
            Version::V3 => {
                let own = c.token(Role::Expert);
                (self.token.as_ref().zip(own).is_some_and(|(shown, own)| shown == own), false)
            }
        };
        let info = match policy {
            ClientInfoPolicy::WhereNeeded if !needs_info => true,
            _ => id && (told || shell("*")),
        };
        proof && info
    }
}
