//! The queue moniker of COM+: where the calls of a recorder go, and the properties of the message.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};
use core::str::FromStr;

use uuid::Uuid;

use crate::names::{NameError, strip};
use crate::{
    DeliveryGuarantee, EncryptionAlgorithm, FormatName, HashAlgorithm, LocalName, Name, PathName,
    PrivacyLevel, Properties, SignatureLevel,
};

/// What is to be activated behind the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonikerClass {
    /// `new:` and a CLSID, with braces or without.
    Clsid(Uuid),
    /// `new:` and a ProgID, as `QCShip.Ship`; which class it is only the embedder knows.
    ProgId(String),
}

/// Where the message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// ComputerName and QueueName. What is not told is that of the application.
    Queue {
        /// ComputerName.
        computer: Option<Name>,
        /// QueueName.
        queue: Option<LocalName>,
    },
    /// PathName; ComputerName and QueueName mean nothing beside it.
    Path(PathName),
    /// FormatName; what stands before it means nothing.
    Format(FormatName),
}

impl Default for Destination {
    fn default() -> Self {
        Self::Queue { computer: None, queue: None }
    }
}

/// MaxTimeToReachQueue and MaxTimeToReceive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// `INFINITE`: for ever.
    Infinite,
    /// `LONG_LIVED`: what the enterprise has set, 4 days unless it has.
    LongLived,
    /// Seconds.
    Seconds(u32),
}

impl Lifetime {
    const INFINITE: u32 = u32::MAX;
    const LONG_LIVED: u32 = u32::MAX - 1;

    /// In seconds; `None` is for ever.
    #[must_use]
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::Infinite => None,
            Self::LongLived => Some(0x0005_4600),
            Self::Seconds(seconds) => Some(seconds),
        }
    }

    const fn from_number(number: u32) -> Self {
        match number {
            Self::INFINITE => Self::Infinite,
            Self::LONG_LIVED => Self::LongLived,
            seconds => Self::Seconds(seconds),
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Infinite => Self::INFINITE,
            Self::LongLived => Self::LONG_LIVED,
            Self::Seconds(seconds) => seconds,
        }
    }
}

/// Text that is no queue moniker, or a moniker that cannot be written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a queue moniker: {reason} at byte {at}")]
pub struct MonikerError {
    /// A short clause.
    pub reason: &'static str,
    /// Bytes from the beginning of the text.
    pub at: usize,
}

/// `queue:Priority=6,ComputerName=Computer/new:QCShip.Ship`: a class that is called through a queue.
///
/// Parameters and their symbols are read in any case, each at most once; what is not told is `None`. A value cannot hold
/// a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMoniker {
    /// ComputerName, QueueName, PathName, FormatName.
    pub destination: Destination,
    /// AppSpecific.
    pub app_specific: Option<u32>,
    /// AuthLevel.
    pub auth_level: Option<SignatureLevel>,
    /// Delivery.
    pub delivery: Option<DeliveryGuarantee>,
    /// EncryptAlgorithm.
    pub encrypt_algorithm: Option<EncryptionAlgorithm>,
    /// HashAlgorithm.
    pub hash_algorithm: Option<HashAlgorithm>,
    /// Journal: 1 for the dead-letter queue, 2 for the journal, 3 for both.
    pub journal: Option<u8>,
    /// Label, at most 249 characters of UTF-16.
    pub label: Option<String>,
    /// MaxTimeToReachQueue.
    pub max_time_to_reach_queue: Option<Lifetime>,
    /// MaxTimeToReceive.
    pub max_time_to_receive: Option<Lifetime>,
    /// Priority, 0 to 7.
    pub priority: Option<u8>,
    /// PrivLevel.
    pub priv_level: Option<PrivacyLevel>,
    /// Trace.
    pub trace: Option<bool>,
    /// What stands behind `/new:`.
    pub class: MonikerClass,
}

type Symbols = &'static [(&'static str, u32)];

const AUTH_LEVEL: Symbols = &[
    ("MQMSG_AUTH_LEVEL_NONE", 0),
    ("MQMSG_AUTH_LEVEL_ALWAYS", 1),
    ("MQMSG_AUTH_LEVEL_SIG10", 2),
    ("MQMSG_AUTH_LEVEL_SIG20", 4),
    ("MQMSG_AUTH_LEVEL_SIG30", 8),
];
const DELIVERY: Symbols = &[("MQMSG_DELIVERY_EXPRESS", 0), ("MQMSG_DELIVERY_RECOVERABLE", 1)];
const ENCRYPT: Symbols = &[
    ("CALG_RC2", 0x6602),
    ("CALG_RC4", 0x6801),
    ("CALG_AES_128", 0x660E),
    ("CALG_AES_192", 0x660F),
    ("CALG_AES_256", 0x6610),
];
const HASH: Symbols = &[
    ("CALG_MD2", 0x8001),
    ("CALG_MD4", 0x8002),
    ("CALG_MD5", 0x8003),
    ("CALG_SHA", 0x8004),
    ("CALG_SHA1", 0x8004),
    ("CALG_MAC", 0x8005),
    ("CALG_SSL3_SHAMD5", 0x8008),
    ("CALG_HMAC", 0x8009),
    ("CALG_TLS1PRF", 0x800A),
    ("CALG_SHA_256", 0x800C),
    ("CALG_SHA_512", 0x800E),
];
const JOURNAL: Symbols = &[("MQMSG_JOURNAL_NONE", 0), ("MQMSG_DEADLETTER", 1), ("MQMSG_JOURNAL", 2)];
const LIFETIME: Symbols = &[("INFINITE", Lifetime::INFINITE), ("LONG_LIVED", Lifetime::LONG_LIVED)];
const PRIORITY: Symbols = &[("MQ_MIN_PRIORITY", 0), ("MQ_DEFAULT_PRIORITY", 3), ("MQ_MAX_PRIORITY", 7)];
const PRIV_LEVEL: Symbols = &[
    ("MQMSG_PRIV_LEVEL_NONE", 0),
    ("NONE", 0),
    ("MQMSG_PRIV_LEVEL_BODY_BASE", 1),
    ("BODY_BASE", 1),
    ("MQMSG_PRIV_LEVEL_BODY", 1),
    ("BODY", 1),
    ("MQMSG_PRIV_LEVEL_BODY_ENHANCED", 3),
    ("BODY_ENHANCED", 3),
    ("MQMSG_PRIV_LEVEL_BODY_AES", 5),
    ("BODY_AES", 5),
];
const TRACE: Symbols = &[("MQMSG_TRACE_NONE", 0), ("MQMSG_SEND_ROUTE_TO_REPORT_QUEUE", 1)];
const NO_SYMBOLS: Symbols = &[];

/// The names of all parameters, in the order in which they are written.
const PARAMETERS: [&str; 16] = [
    "ComputerName",
    "QueueName",
    "PathName",
    "FormatName",
    "AppSpecific",
    "AuthLevel",
    "Delivery",
    "EncryptAlgorithm",
    "HashAlgorithm",
    "Journal",
    "Label",
    "MaxTimeToReachQueue",
    "MaxTimeToReceive",
    "Priority",
    "PrivLevel",
    "Trace",
];

/// A number, or a symbol for one.
fn number(value: &str, symbols: Symbols) -> Result<u32, NameError> {
    let symbol = symbols.iter().find(|(symbol, _)| symbol.eq_ignore_ascii_case(value));
    if let Some((_, number)) = symbol {
        return Ok(*number);
    }
    let (digits, radix) = strip(value, "0x").map_or((value, 10), |digits| (digits, 16));
    let number =
        u32::from_str_radix(digits, radix).ok().filter(|_| digits.chars().all(|c| c.is_digit(radix)));
    number.ok_or(NameError::new("a value that is neither a number nor a symbol of this parameter", 0))
}

/// A number that is at most `most`.
fn small(value: &str, symbols: Symbols, most: u8) -> Result<u8, NameError> {
    let number = number(value, symbols)?;
    u8::try_from(number).ok().filter(|n| *n <= most).ok_or(NameError::new("a number that is too large", 0))
}

/// A number that has a symbol.
fn known(value: &str, symbols: Symbols) -> Result<u32, NameError> {
    let number = number(value, symbols)?;
    let known = symbols.iter().any(|(_, known)| *known == number);
    if known { Ok(number) } else { Err(NameError::new("a number that means nothing", 0)) }
}

impl QueueMoniker {
    /// A class behind the queue of its application, with no parameters.
    #[must_use]
    pub fn new(class: MonikerClass) -> Self {
        Self {
            destination: Destination::default(),
            app_specific: None,
            auth_level: None,
            delivery: None,
            encrypt_algorithm: None,
            hash_algorithm: None,
            journal: None,
            label: None,
            max_time_to_reach_queue: None,
            max_time_to_receive: None,
            priority: None,
            priv_level: None,
            trace: None,
            class,
        }
    }

    /// The properties of a message of its recorder: the defaults of COM+ (recoverable, for ever), and what the moniker
    /// says.
    #[must_use]
    pub fn properties(&self) -> Properties {
        let usual = Properties::default();
        let lifetime = |told: Option<Lifetime>, usual| told.map_or(usual, Lifetime::seconds);
        Properties {
            application_tag: self.app_specific.unwrap_or(usual.application_tag),
            signature_level: self.auth_level.unwrap_or(usual.signature_level),
            delivery: self.delivery.unwrap_or(usual.delivery),
            encryption_algorithm: self.encrypt_algorithm.unwrap_or(usual.encryption_algorithm),
            hash_algorithm: self.hash_algorithm.unwrap_or(usual.hash_algorithm),
            negative_journaling: self.journal.map_or(usual.negative_journaling, |bits| bits & 1 != 0),
            positive_journaling: self.journal.map_or(usual.positive_journaling, |bits| bits & 2 != 0),
            label: self.label.clone().unwrap_or_default(),
            time_to_reach_queue: lifetime(self.max_time_to_reach_queue, usual.time_to_reach_queue),
            time_to_be_received: lifetime(self.max_time_to_receive, usual.time_to_be_received),
            priority: self.priority.unwrap_or(usual.priority),
            privacy: self.priv_level.unwrap_or(usual.privacy),
            tracing: self.trace.unwrap_or(usual.tracing),
            ..usual
        }
    }

    fn set(&mut self, parameter: &str, value: &str) -> Result<(), NameError> {
        match parameter {
            "ComputerName" => {
                let name = Name::computer(value)?;
                match &mut self.destination {
                    Destination::Queue { computer, .. } => *computer = Some(name),
                    Destination::Path(_) => {}
                    Destination::Format(_) => return Err(BEHIND_FORMAT),
                }
            }
            "QueueName" => {
                let name = value.parse()?;
                match &mut self.destination {
                    Destination::Queue { queue, .. } => *queue = Some(name),
                    Destination::Path(_) => {}
                    Destination::Format(_) => return Err(BEHIND_FORMAT),
                }
            }
            "PathName" if matches!(self.destination, Destination::Format(_)) => return Err(BEHIND_FORMAT),
            "PathName" => self.destination = Destination::Path(value.parse()?),
            "FormatName" => self.destination = Destination::Format(value.parse()?),
            "AppSpecific" => self.app_specific = Some(number(value, NO_SYMBOLS)?),
            "AuthLevel" => self.auth_level = Some(SignatureLevel(known(value, AUTH_LEVEL)?)),
            "Delivery" => self.delivery = Some(DeliveryGuarantee(small(value, DELIVERY, 1)?)),
            "EncryptAlgorithm" => self.encrypt_algorithm = Some(EncryptionAlgorithm(number(value, ENCRYPT)?)),
            "HashAlgorithm" => self.hash_algorithm = Some(HashAlgorithm(number(value, HASH)?)),
            "Journal" => self.journal = Some(small(value, JOURNAL, 3)?),
            "Label" => {
                if value.encode_utf16().count() > MAX_LABEL {
                    return Err(NameError::new("a label that is too long", 0));
                }
                self.label = Some(value.to_owned());
            }
            "MaxTimeToReachQueue" => {
                self.max_time_to_reach_queue = Some(Lifetime::from_number(number(value, LIFETIME)?));
            }
            "MaxTimeToReceive" => {
                self.max_time_to_receive = Some(Lifetime::from_number(number(value, LIFETIME)?))
            }
            "Priority" => self.priority = Some(small(value, PRIORITY, 7)?),
            "PrivLevel" => self.priv_level = Some(PrivacyLevel(known(value, PRIV_LEVEL)?)),
            _ => self.trace = Some(small(value, TRACE, 1)? != 0),
        }
        Ok(())
    }

    /// The value of a parameter as it is written.
    fn get(&self, parameter: &str) -> Option<String> {
        let symbol = |number: u32, symbols: Symbols| {
            let symbol = symbols.iter().find(|(_, known)| *known == number);
            symbol.map_or_else(|| number.to_string(), |(symbol, _)| (*symbol).to_owned())
        };
        match (parameter, &self.destination) {
            ("ComputerName", Destination::Queue { computer, .. }) => {
                computer.as_ref().map(ToString::to_string)
            }
            ("QueueName", Destination::Queue { queue, .. }) => queue.as_ref().map(ToString::to_string),
            ("PathName", Destination::Path(path)) => Some(path.to_string()),
            ("FormatName", Destination::Format(name)) => Some(name.to_string()),
            ("AppSpecific", _) => self.app_specific.map(|number| number.to_string()),
            ("AuthLevel", _) => self.auth_level.map(|level| symbol(level.0, AUTH_LEVEL)),
            ("Delivery", _) => self.delivery.map(|delivery| symbol(delivery.0.into(), DELIVERY)),
            ("EncryptAlgorithm", _) => self.encrypt_algorithm.map(|algorithm| symbol(algorithm.0, ENCRYPT)),
            ("HashAlgorithm", _) => self.hash_algorithm.map(|algorithm| symbol(algorithm.0, HASH)),
            ("Journal", _) => self.journal.map(|bits| symbol(bits.into(), JOURNAL)),
            ("Label", _) => self.label.clone(),
            ("MaxTimeToReachQueue", _) => {
                self.max_time_to_reach_queue.map(|time| symbol(time.number(), LIFETIME))
            }
            ("MaxTimeToReceive", _) => self.max_time_to_receive.map(|time| symbol(time.number(), LIFETIME)),
            ("Priority", _) => self.priority.map(|priority| priority.to_string()),
            ("PrivLevel", _) => self.priv_level.map(|level| symbol(level.0, PRIV_LEVEL)),
            ("Trace", _) => self.trace.map(|trace| symbol(trace.into(), TRACE)),
            _ => None,
        }
    }

    /// The moniker as text, which is read as the same moniker again.
    ///
    /// # Errors
    /// For values that a moniker cannot tell: a label with a comma or too long, a priority above 7, and the like.
    pub fn to_text(&self) -> Result<String, MonikerError> {
        let mut text = String::from(QUEUE);
        let mut separator = "";
        for parameter in PARAMETERS {
            if let Some(value) = self.get(parameter) {
                let _ = write!(text, "{separator}{parameter}={value}");
                separator = ",";
            }
        }
        let _ = write!(text, "{NEW}{}", self.class);
        let read: Self = text.parse()?;
        if read != *self {
            return Err(MonikerError { reason: "a value would be read as another", at: 0 });
        }
        Ok(text)
    }
}

/// The most characters of a label in UTF-16 ([MS-MQDMPR] 3.1.1.12).
const MAX_LABEL: usize = 249;

const BEHIND_FORMAT: NameError = NameError::new("a destination behind FormatName", 0);

impl FromStr for MonikerClass {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        if bare.len() == uuid::fmt::Hyphenated::LENGTH
            && let Ok(clsid) = Uuid::try_parse(bare)
        {
            return Ok(Self::Clsid(clsid));
        }
        // Vendor.Component.Version.
        let name = Name::new(text, 255, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let name = name.map_err(|error| NameError { reason: "neither a CLSID nor a ProgID", ..error })?;
        Ok(Self::ProgId(name.to_string()))
    }
}

impl FromStr for QueueMoniker {
    type Err = MonikerError;

    fn from_str(text: &str) -> Result<Self, MonikerError> {
        let error = |reason, at| MonikerError { reason, at };
        let named = |from: NameError, at| {
            let NameError { reason, at } = from.after(at);
            error(reason, at)
        };
        let rest = strip(text, QUEUE).ok_or(error("no queue: at the beginning", 0))?;
        // The last one: addresses of HTTP have slashes, too.
        let split = rest.char_indices().rev().find_map(|(at, _)| {
            let (parameters, class) = rest.split_at_checked(at)?;
            Some((parameters, strip(class, NEW)?))
        });
        let (parameters, class) = split.ok_or(error("no /new: at the end", text.len()))?;
        let at = text.len().saturating_sub(class.len());
        let mut moniker = Self::new(class.parse().map_err(|error| named(error, at))?);
        let (mut at, mut seen) = (QUEUE.len(), [false; PARAMETERS.len()]);
        for parameter in parameters.split(',').filter(|_| !parameters.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(error("a parameter without a value", at))?;
            let known =
                PARAMETERS.iter().zip(&mut seen).find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
            let (known, seen) = known.ok_or(error("a parameter that is not known", at))?;
            if core::mem::replace(seen, true) {
                return Err(error("a parameter that stands twice", at));
            }
            let value_at = at.saturating_add(name.len()).saturating_add(1);
            moniker.set(known, value).map_err(|error| named(error, value_at))?;
            at = at.saturating_add(parameter.len()).saturating_add(1);
        }
        Ok(moniker)
    }
}

const QUEUE: &str = "queue:";
const NEW: &str = "/new:";

impl fmt::Display for MonikerClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clsid(clsid) => write!(f, "{:X}", clsid.braced()),
            Self::ProgId(name) => f.write_str(name),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for QueueMoniker {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text().map_err(serde::ser::Error::custom)?)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for QueueMoniker {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
