//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use remassist::core::{Role, Secret};

use crate::Failure;
use crate::shown::Shown;

mod queue;
pub use queue::*;

/// Look into, make and check what Microsoft Remote Assistance and COM+ Queued Components carry.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decode a file and print its fields, or JSON.
    ///
    /// Exit status: 0 decoded, 1 not decodable, 2 wrong usage.
    Inspect(InspectArgs),
    /// Turn the JSON of `inspect --json --show-secrets` back into bytes.
    Encode(EncodeArgs),
    /// Make an invitation file.
    Invite(InviteArgs),
    /// Run the cryptography of the protocols.
    Crypt(CryptArgs),
    /// Ask for help: listen for one expert, share the screen with it when it may see it.
    ///
    /// What you type is a chat message, or the answer to a question; /help tells of commands.
    /// Exit status: 0 when a session has ended or nobody is waited for any more, 1 when the invitation has expired or too
    /// many experts had a wrong password.
    Novice(NoviceArgs),
    /// Give help: connect to the novice of an invitation, or offer help to a machine, and see its screen.
    ///
    /// What you type is a chat message, or the answer to a question; /help tells of commands.
    /// Exit status: 0 when a session has ended, 1 when none came about.
    Expert(ExpertArgs),
    /// List the sessions of a machine that help can be offered to, over DCOM.
    ///
    /// Exit status: 0 when the machine has answered, 1 when it has not, or has refused.
    Sessions(SessionsArgs),
    /// Ask a machine for the ticket of one of its sessions, over DCOM, and print the connection string.
    ///
    /// Whoever has the ticket is let in by the novice, once its user agrees.
    /// Exit status: 0 when there is one, 1 when there is none.
    Ticket(TicketArgs),
    /// Look into queues of COM+ Queued Components, fill them and play what they hold.
    ///
    /// Exit status: 0 done, 1 the queue or the input is not what it should be, 2 wrong usage, 3 not all is done: there was no message,
    /// some have failed, or somebody has said no.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Run whole sessions between an expert and a novice over RDP on this machine, and queued calls, and show what they send.
    ///
    /// Exit status: 0 when every check passed.
    Demo(DemoArgs),
}

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// Find out.
    Auto,
    /// Invitation file of either type ([MS-RAI] 6).
    Invitation,
    /// Connection string 1 or 2 ([MS-RAI] 2.2).
    Connstring,
    /// Messages of the channels RC_CTL and remdesk ([MS-RA] 2.2.1).
    RcCtl,
    /// Messages of the channel encomsp ([MS-RDPEMC] 2.2).
    Encomsp,
    /// Session control message ([MS-RA] 2.2.2).
    Rccommand,
    /// Contact file ([MS-RA] 2.2.5).
    Contact,
    /// What an expert tells about itself ([MS-RA] 2.2.1.4).
    ExpertBlob,
    /// What an expert tells when it offers help ([MS-RAI] 3.1.4.1.1).
    HelpBlob,
    /// Chat message ([MS-RA] 3.11.5).
    Chat,
    /// Queued COM+ calls ([MC-COMQC] 2.2).
    Comqc,
    /// BSTR as stub data of its own ([MS-OAUT] 2.2.23): with the referent id of the pointer to it, any number but 0 and also
    /// "User", or without.
    OautBstr,
    /// VARIANT as stub data of its own ([MS-OAUT] 2.2.29): with the referent id, or without.
    OautVariant,
    /// SAFEARRAY as stub data of its own ([MS-OAUT] 2.2.30): with one referent id, two (PSAFEARRAY), or none.
    OautSafearray,
    /// Reference to an object, of any form ([MS-DCOM] 2.2.18); activation properties, contexts and errors in it are read, too.
    Objref,
    /// Stub data of a call of [MS-RAI] or DCOM, with ORPCTHIS or ORPCTHAT; needs --interface, --opnum, --request or
    /// --response.
    RaiCall,
    /// PDUs of connection-oriented RPC that one side has sent, one after the other ([C706] 12.6, [MS-RPCE] 2.2.2).
    RpcPdu,
    /// Packets of MSMQ, one after the other, or datagrams of its ping ([MS-MQMQ] 2.2.20, [MS-MQQB] 2.2).
    Msmq,
    /// Network traffic, captured into a file of libpcap or pcapng: the packets of MSMQ in it (TCP port 1801, UDP port 3527).
    Capture,
    /// What passed on the channels of a connection, as `novice` and `expert` write it with --record.
    Recording,
}

#[derive(Debug, ClapArgs)]
pub struct InspectArgs {
    /// What the file is.
    #[arg(long, value_enum, default_value_t = KindArg::Auto)]
    pub kind: KindArg,
    /// The file holds hexadecimal digits; blanks and line breaks are skipped.
    #[arg(long)]
    pub hex: bool,
    #[command(flatten)]
    pub password: OptionalPassword,
    /// Refuse what breaks a rule of the specification.
    #[arg(long)]
    pub strict: bool,
    /// Print one JSON object: kind, value, deviations; of a recording or a capture one for each record or packet.
    #[arg(long)]
    pub json: bool,
    /// Show passwords, tickets, tokens and keys.
    #[arg(long)]
    pub show_secrets: bool,
    /// The file, or - for standard input.
    pub file: PathBuf,
    #[command(flatten)]
    pub stub: StubArgs,
}

/// What stub data do not tell themselves.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Stub data (--kind rai-call)")]
pub struct StubArgs {
    /// Interface of the call: its name (IRASrv, IPCHService, IPCHCollection, ISAFSession, IDispatch, IObjectExporter,
    /// IActivation, IRemoteSCMActivator, IRemUnknown, IRemUnknown2) or its UUID.
    #[arg(long = "interface", id = "stub_interface", value_name = "NAME|UUID")]
    pub interface: Option<String>,
    /// Method of the call: its number or its name.
    #[arg(long, value_name = "N|NAME")]
    pub opnum: Option<String>,
    /// What the client sends.
    #[arg(long, conflicts_with = "response")]
    pub request: bool,
    /// What the server answers.
    #[arg(long)]
    pub response: bool,
    /// There is no ORPCTHIS or ORPCTHAT, with which calls to objects begin.
    #[arg(long)]
    pub no_orpc_header: bool,
    /// Numbers have their highest byte first; also for oaut-bstr, oaut-variant and oaut-safearray.
    #[arg(long)]
    pub big_endian: bool,
}

#[derive(Debug, ClapArgs)]
pub struct EncodeArgs {
    /// What the value is; may be left out when the JSON says so.
    #[arg(long, value_enum, default_value_t = KindArg::Auto)]
    pub kind: KindArg,
    /// Write hexadecimal digits.
    #[arg(long)]
    pub hex: bool,
    /// The JSON, or - for standard input.
    pub file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct InviteArgs {
    /// 1 for Windows XP and Windows Server 2003, 2 for all later ones.
    #[arg(long = "type", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub file_type: u8,
    /// Name of the person who asks for help.
    #[arg(long)]
    pub name: String,
    /// Where the expert can connect: HOST:PORT, [IPV6]:PORT; best first.
    #[arg(long = "address", value_name = "HOST:PORT", required = true, num_args = 1..)]
    pub addresses: Vec<String>,
    #[command(flatten)]
    pub password: Password,
    /// How long the invitation is valid.
    #[arg(long, default_value_t = 360, value_parser = clap::value_parser!(u32).range(1..))]
    pub minutes: u32,
    /// The `PublicKeyBlob` of the server certificate, from which KH and KH2 are computed ([MS-RAI] 2.2.2). Without
    /// it they are random, and an expert that checks them refuses the connection.
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Where to write the file; standard output when left out.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct NoviceArgs {
    /// Where to listen: ADDR:PORT; port 0 for any; 0.0.0.0 for all IPv4 addresses of this machine, [::] for all IPv6 ones.
    #[arg(long, value_name = "ADDR:PORT", required = true, num_args = 1..)]
    pub listen: Vec<std::net::SocketAddr>,
    /// Where the expert can connect, if not there: HOST:PORT, as outside of a router that forwards the port.
    #[arg(long = "address", value_name = "HOST:PORT", num_args = 1..)]
    pub addresses: Vec<String>,
    #[command(flatten)]
    pub password: OptionalPassword,
    /// Where to write the invitation; send it to the expert, and the password another way.
    #[arg(long, value_name = "FILE", required_unless_present = "dcom")]
    pub invitation: Option<PathBuf>,
    #[command(flatten)]
    pub offers: OffersArgs,
    /// 1 for Windows XP and Windows Server 2003, 2 for all later ones.
    #[arg(long = "type", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub file_type: u8,
    /// How long the invitation is valid: nobody is let in later, and the program ends.
    #[arg(long, default_value_t = 360, value_parser = clap::value_parser!(u32).range(1..))]
    pub minutes: u32,
    /// Your name, as the expert sees it.
    #[arg(long, default_value = "novice")]
    pub name: String,
    /// Security of the RDP connection.
    #[arg(long, value_enum, default_value_t = SecurityArg::Tls)]
    pub security: SecurityArg,
    /// Encryption where TLS is not used; all of it is old and weak.
    #[arg(long, value_enum, default_value_t = EncryptionArg::Bits128)]
    pub encryption: EncryptionArg,
    #[command(flatten)]
    pub logs: Logs,
    /// What to share: a test picture, an image, or an X11 display with its keyboard and mouse (x11::0; x11 for that of
    /// $DISPLAY).
    #[arg(long, value_name = "test|PNG|x11:DISPLAY", default_value = "test")]
    pub display: Shown,
    /// What to allow without asking.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub allow: Vec<Allow>,
    /// Where files of the expert go.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub receive_dir: PathBuf,
    /// Print events as JSON, one object in a line.
    #[arg(long, value_enum)]
    pub events: Option<EventsArg>,
    /// End after one session instead of waiting for the next expert; who only connects has had none.
    #[arg(long)]
    pub exit_after_session: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ExpertArgs {
    /// The invitation.
    #[arg(required_unless_present = "offer", conflicts_with = "offer")]
    pub invitation: Option<PathBuf>,
    /// Offer help to this machine instead: ask it for the ticket of a session, over DCOM.
    #[arg(long, value_name = "HOST", requires = "user")]
    pub offer: Option<String>,
    #[command(flatten)]
    pub session: SessionArgs,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub password: OptionalPassword,
    /// Your name, as the novice sees it.
    #[arg(long, default_value = "expert")]
    pub name: String,
    /// Security of the RDP connection.
    #[arg(long, value_enum, default_value_t = SecurityArg::Tls)]
    pub security: SecurityArg,
    /// Weakest encryption to take where TLS is not used; all of it is old and weak.
    #[arg(long, value_enum, default_value_t = EncryptionArg::Bits128)]
    pub encryption: EncryptionArg,
    /// Own address to connect from.
    #[arg(long, value_name = "ADDR")]
    pub source: Option<std::net::IpAddr>,
    #[command(flatten)]
    pub logs: Logs,
    /// What follows when nothing can be compared with the key hash of the invitation, as under TLS.
    #[arg(long, value_enum, default_value_t = KeyPolicyArg::Warn)]
    pub key_policy: KeyPolicyArg,
    /// Where to write the screen as it was last seen.
    #[arg(long, value_name = "PNG")]
    pub screenshot: Option<PathBuf>,
    /// Send a chat message.
    #[arg(long, value_name = "TEXT")]
    pub say: Option<String>,
    /// Send files, one after the other.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub send: Vec<PathBuf>,
    /// Ask for mouse and keyboard.
    #[arg(long)]
    pub request_control: bool,
    /// Ask for mouse and keyboard, and type this once they are granted.
    #[arg(long = "type", value_name = "KEYS")]
    pub keys: Option<String>,
    /// Take files of the novice without asking.
    #[arg(long)]
    pub accept_files: bool,
    /// Where files of the novice go.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub receive_dir: PathBuf,
    /// Print events as JSON, one object in a line.
    #[arg(long, value_enum)]
    pub events: Option<EventsArg>,
    /// End after so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u64>,
}

/// For experts who ask for a ticket instead of having an invitation.
#[derive(Debug, ClapArgs)]
pub struct OffersArgs {
    /// Let helpers list the session of this screen and ask for its ticket, over DCOM ([MS-RAI] 3): where to listen.
    /// Clients want port 135.
    #[arg(long, value_name = "ADDR:PORT", num_args = 0.., default_missing_value = "0.0.0.0:135", requires = "helpers")]
    pub dcom: Vec<std::net::SocketAddr>,
    /// The second port that DCOM needs, where a firewall has to know it.
    #[arg(long, value_name = "PORT", default_value_t = 0, requires = "dcom", hide_short_help = true)]
    pub dcom_object_port: u16,
    /// Who may ask: a file with one account in a line, as `remassist crypt account` prints them, that nobody else can read.
    #[arg(long, value_name = "FILE", requires = "dcom")]
    pub helpers: Option<PathBuf>,
    /// Who can log on at all, if others than the helpers can: a file of the same form.
    #[arg(long, value_name = "FILE", requires = "dcom", hide_short_help = true)]
    pub accounts: Option<PathBuf>,
    /// Whose session it is, as helpers see it; this user of this machine when left out.
    #[arg(long, value_name = "DOM\\USER", requires = "dcom")]
    pub session_of: Option<Account>,
    /// Number of the session, as helpers see it.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "dcom")]
    pub session_id: u32,
}

#[derive(Debug, ClapArgs)]
pub struct SessionsArgs {
    /// The machine: name or address.
    pub host: String,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub password: OptionalPassword,
    /// Print one JSON object for each session.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct TicketArgs {
    /// The machine: name or address.
    pub host: String,
    #[command(flatten)]
    pub session: SessionArgs,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub password: OptionalPassword,
    /// Write the ticket into this file instead, as an invitation without a password.
    #[arg(long, value_name = "FILE")]
    pub invitation: Option<PathBuf>,
}

/// Which session of a machine. The only one when left out.
#[derive(Debug, ClapArgs)]
pub struct SessionArgs {
    /// Number of the session.
    #[arg(long = "session", value_name = "N", conflicts_with = "user_name")]
    pub id: Option<u32>,
    /// User of the session: USER or DOM\USER.
    #[arg(long, value_name = "USER")]
    pub user_name: Option<Account>,
}

/// Who asks a machine over DCOM, and how.
#[derive(Debug, ClapArgs)]
pub struct AccountArgs {
    /// Own account at the machine: USER or DOM\USER.
    #[arg(long, value_name = "DOM\\USER")]
    pub user: Option<Account>,
    /// How the account is proved.
    #[arg(long, value_enum, default_value_t = AuthArg::Negotiate)]
    pub auth: AuthArg,
    /// The KDC, for Kerberos: HOST or HOST:PORT.
    #[arg(long, value_name = "HOST", required_if_eq("auth", "kerberos"))]
    pub kdc: Option<String>,
    /// Port of the resolver; that of DCOM when left out.
    #[arg(long, default_value_t = 135, hide_short_help = true)]
    pub dcom_port: u16,
    /// Ask one interface only: IRASrv, or IPCHService as for Windows XP.
    #[arg(long, value_enum, hide_short_help = true)]
    pub interface: Option<InterfaceArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthArg {
    /// NTLM.
    Ntlm,
    /// Kerberos.
    Kerberos,
    /// What SPNEGO agrees on.
    Negotiate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InterfaceArg {
    /// IRASrv: Windows Vista and later.
    Rasrv,
    /// IPCHService: Windows XP and Windows Server 2003.
    Pchservice,
}

/// An account: `USER`, or `DOM\USER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Empty when none was given.
    pub domain: String,
    pub user: String,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.domain.is_empty() {
            write!(f, "{}\\", self.domain)?;
        }
        f.write_str(&self.user)
    }
}

impl std::str::FromStr for Account {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (domain, user) = text.split_once('\\').unwrap_or(("", text));
        if user.is_empty() {
            return Err("USER or DOM\\USER is needed");
        }
        Ok(Self { domain: domain.to_owned(), user: user.to_owned() })
    }
}

/// For looking into a connection.
#[derive(Debug, ClapArgs)]
pub struct Logs {
    /// Write what passes on the channels into this file; `inspect` reads it. It holds chat, files, and what passwords can
    /// be tried on.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Add the secrets of TLS to this file, in the format of SSLKEYLOGFILE. Whoever has it can read the connection.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub tls_key_log: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyPolicyArg {
    /// End the connection.
    Require,
    /// Go on.
    Warn,
}

impl From<SecurityArg> for ra_rdp::Security {
    fn from(arg: SecurityArg) -> Self {
        match arg {
            SecurityArg::Tls => Self::Tls,
            SecurityArg::Rdp => Self::Rdp,
            SecurityArg::Any => Self::Any,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SecurityArg {
    /// TLS only.
    Tls,
    /// Standard RDP security; see --encryption.
    Rdp,
    /// TLS if the other side has it; for tests.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncryptionArg {
    /// None at all: for tests, and for networks that protect themselves.
    None,
    /// RC4 with 40 bits.
    #[value(name = "40")]
    Bits40,
    /// RC4 with 56 bits.
    #[value(name = "56")]
    Bits56,
    /// RC4 with 128 bits.
    #[value(name = "128")]
    Bits128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allow {
    /// Seeing the screen.
    View,
    /// Mouse and keyboard.
    Control,
    /// Files.
    Files,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventsArg {
    /// JSON lines.
    Json,
}

#[derive(Debug, ClapArgs)]
pub struct DemoArgs {
    /// One act only; all of them when left out.
    #[arg(long, value_enum)]
    pub act: Option<Act>,
    /// What happens when the expert has an invitation.
    #[arg(long, value_enum, default_value_t = Scenario::Session)]
    pub scenario: Scenario,
    /// Be the player of the act about queues, with the files in this directory.
    #[arg(long, value_name = "DIR", hide = true)]
    pub player: Option<PathBuf>,
    /// The message at which that player stops in the middle.
    #[arg(long, value_name = "N", hide = true, requires = "player")]
    pub stop_at: Option<u64>,
}

/// A part of the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Act {
    /// The expert has an invitation.
    Help,
    /// The expert offers help: it asks for a ticket over DCOM.
    Offer,
    /// Calls are recorded, queued, and played by a player that is killed.
    Queue,
}

/// What happens when the expert has an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Chat, control, files, contacts: a session of version 2, then one of version 3.
    Session,
    /// The expert has a wrong password.
    WrongPassword,
    /// The novice's user refuses the view, and in another session control and a file.
    Refused,
    /// A peer that sends what it must not.
    Hostile,
}

#[derive(Debug, ClapArgs)]
pub struct CryptArgs {
    #[command(subcommand)]
    pub command: CryptCommand,
}

#[derive(Debug, Subcommand)]
pub enum CryptCommand {
    /// Line of a helper for `novice --helpers`: the account, and the NT hash of its password.
    Account {
        /// The account: USER, with which the helper may name any domain, or DOM\\USER.
        #[arg(long, value_name = "DOM\\USER")]
        user: Account,
        #[command(flatten)]
        password: Password,
    },
    /// Encrypt a PassStub: PASS of an expertBlob, in upper-case hexadecimal digits ([MS-RAI] 6).
    PassStub {
        #[command(flatten)]
        password: Password,
        /// PassStub of the invitation.
        #[arg(long)]
        stub: String,
    },
    /// Encrypt the connection string on standard input as LHTICKET, or decrypt one ([MS-RAI] 6).
    Lhticket {
        #[command(flatten)]
        password: Password,
        /// Standard input holds hexadecimal digits; print the text.
        #[arg(long)]
        decrypt: bool,
    },
    /// Session token for the connection string on standard input ([MS-RA] 2.2.4).
    Token {
        /// Who is to be recognised by the token.
        #[arg(long, value_enum)]
        role: RoleArg,
        #[command(flatten)]
        password: Password,
    },
    /// Easy Connect ([MS-RAIOP]).
    EasyConnect {
        #[command(subcommand)]
        command: EasyConnectCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum EasyConnectCommand {
    /// Password that belongs to the connection string on standard input.
    Password,
    /// Name under which the connection string is published.
    PeerName {
        #[command(flatten)]
        key: EasyConnectKey,
    },
    /// Encrypt the connection string on standard input; print hexadecimal digits.
    Encrypt {
        #[command(flatten)]
        key: EasyConnectKey,
    },
    /// Decrypt the hexadecimal digits on standard input; print the connection string.
    Decrypt {
        #[command(flatten)]
        key: EasyConnectKey,
    },
}

#[derive(Debug, ClapArgs)]
pub struct EasyConnectKey {
    #[command(flatten)]
    pub password: Password,
    /// Whole hours since 1970-01-01 UTC.
    #[arg(long)]
    pub hours: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// The one who receives help.
    Novice,
    /// The one who gives help.
    Expert,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Novice => Self::Novice,
            RoleArg::Expert => Self::Expert,
        }
    }
}

/// A password that must be given.
#[derive(Debug, ClapArgs)]
pub struct Password {
    #[command(flatten)]
    given: OptionalPassword,
}

impl Password {
    pub fn read(&self) -> Result<Secret<String>, Failure> {
        let missing = || Failure::Usage("a password is needed: --password or --password-file".to_owned());
        self.given.read()?.ok_or_else(missing)
    }
}

/// A password that may be given.
#[derive(Debug, ClapArgs)]
pub struct OptionalPassword {
    /// The password. Other users of this machine may see it: better --password-file.
    #[arg(long, value_parser = secret, conflicts_with = "password_file", value_name = "PW")]
    password: Option<Secret<String>>,
    /// File whose first line is the password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

impl OptionalPassword {
    pub fn read(&self) -> Result<Option<Secret<String>>, Failure> {
        let Some(path) = &self.password_file else { return Ok(self.password.clone()) };
        let text = std::fs::read_to_string(path).map(Secret::new);
        let text = text.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        let line = text.map(|t| t.lines().next().unwrap_or_default().to_owned());
        Ok(Some(line))
    }
}
