//! The values of NAME, and who may send them when.

use remassist_core::{Role, Version};

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// File transfer ([MS-RA] 3.9, 3.10).
    FileTransfer,
    /// Share control ([MS-RA] 3.15, 3.16).
    ShareControl,
    /// Keeping both sides informed ([MS-RA] 2.2.2).
    Synchronization,
    /// Voice ([MS-RA] 3.17, 3.18).
    Voice,
}

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $purpose:ident, $senders:ident, $versions:ident, [$($attribute:literal),*];)*) => {
        /// A value of NAME ([MS-RA] 2.2.2).
        #[non_exhaustive]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Name {
            $($(#[$doc])* $variant,)*
        }

        impl Name {
            /// Every name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What the command is about.
            #[must_use]
            pub const fn purpose(self) -> Purpose {
                match self { $(Self::$variant => Purpose::$purpose,)* }
            }

            /// The attributes that belong to the command beside NAME.
            #[must_use]
            pub const fn attributes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($attribute),*],)* }
            }

            fn exact(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }

            const fn rule(self) -> (&'static [Role], &'static [Version]) {
                match self { $(Self::$variant => ($senders, $versions),)* }
            }
        }
    };
}

const E: &[Role] = &[Role::Expert];
const N: &[Role] = &[Role::Novice];
const BOTH: &[Role] = &[Role::Expert, Role::Novice];
const ALL: &[Version] = &[Version::V1, Version::V2, Version::V3];
const V1: &[Version] = &[Version::V1];
const V3: &[Version] = &[Version::V3];

names! {
    /// Wants to send a file.
    FileXfer = "FILEXFER", FileTransfer, BOTH, ALL, ["FILENAME", "FILESIZE", "CHANNELID", "INTERNALDATA"];
    /// An error on the expert's side ends remote control.
    AbortRc = "ABORTRC", ShareControl, E, ALL, [];
    /// The novice grants control.
    AcceptRc = "ACCEPTRC", ShareControl, N, ALL, [];
    /// A policy of the novice's machine forbids control; supersedes REJECTRC. Sections 3.15 and 3.16 print the name
    /// with a blank behind it, which is accepted and never written.
    DeniedRc = "DENIEDRC", ShareControl, N, ALL, [];
    /// The novice took control back with the panic key.
    EscRc = "ESCRC", ShareControl, N, ALL, [];
    /// The novice refuses control.
    RejectRc = "REJECTRC", ShareControl, N, ALL, [];
    /// The expert asks for control; versions 2 and 3 ask through [MS-RDPEMC].
    RemoteCtrlStart = "REMOTECTRLSTART", ShareControl, E, V1, [];
    /// The expert gives control back.
    RemoteCtrlEnd = "REMOTECTRLEND", ShareControl, E, ALL, [];
    /// The novice took control back.
    TakeControl = "TAKECONTROL", ShareControl, N, ALL, [];
    /// The expert has begun to type a chat message.
    TypingStart = "TYPINGSTART", Synchronization, E, ALL, [];
    /// The address of the expert, for logs.
    ExpertIp = "EXPERTIP", Synchronization, E, V1, ["EXPERTIPDATA"];
    /// A setting and its value; the expert announces first, the novice answers.
    SettingAnnounce = "SETTINGANNOUNCE", Synchronization, BOTH, V3, ["PROPERTY", "VALUE"];
    /// Prefers voice at 6,400 bit/s.
    BandwToLow = "BANDWTOLOW", Voice, BOTH, V1, [];
    /// Prefers voice at 64,000 bit/s.
    BandwToHigh = "BANDWTOHIGH", Voice, BOTH, V1, [];
    /// Has no voice.
    DisableVoice = "DISABLEVOICE", Voice, BOTH, V1, [];
    /// Wants to begin a voice session, or to end the one there is.
    PreStart = "PRESTART", Voice, BOTH, V1, [];
    /// Has a PRESTART of its own outstanding.
    PreStartNo = "PRESTARTNO", Voice, BOTH, V1, [];
    /// Agrees to a voice session.
    PreStartYes = "PRESTARTYES", Voice, BOTH, V1, [];
    /// The initiator has finished the first handshake.
    VoipPreGo = "VOIPPREGO", Voice, BOTH, V1, [];
    /// The expert will connect, in answer to the novice's VOIPPREGO.
    VoipPreGo2 = "VOIPPREGO2", Voice, E, V1, [];
    /// The RTC server is ready. The server is always the novice (3.17, 3.18), although the table of 2.2.2 also speaks
    /// of the client.
    VoipGo = "VOIPGO", Voice, N, V1, ["VOIPVER", "VOIPGOKEY", "VOIPIPLIST", "VOIPILIST"];
    /// RTC could not be initialised.
    VoipGoNo = "VOIPGONO", Voice, BOTH, V1, [];
    /// Refuses a voice session.
    VoipQNo = "VOIPQNO", Voice, BOTH, V1, [];
    /// Tuning the audio failed: the receiver cannot enable voice.
    WizardBad = "WIZARDBAD", Voice, BOTH, V1, [];
    /// Tuning the audio succeeded: the receiver can enable voice.
    WizardGood = "WIZARDGOOD", Voice, BOTH, V1, [];
}

impl Name {
    /// The name that a text is, with or without blanks behind it; `None` for one that [MS-RA] does not define.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::exact(text).or_else(|| Self::exact(text.trim_end_matches(' ')))
    }

    /// Whether a side may send the command in a version.
    #[must_use]
    pub fn may_send(self, sender: Role, version: Version) -> bool {
        let (senders, versions) = self.rule();
        senders.contains(&sender) && versions.contains(&version)
    }
}
