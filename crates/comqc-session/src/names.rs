//! Names of queues ([MS-MQMQ] 2.1.1), and those that COM+ gives its queues ([MC-COMQC] 2.1).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use core::str::FromStr;

/// Text that is no name: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of a queue: {reason} at byte {at}")]
pub struct NameError {
    /// A short clause.
    pub reason: &'static str,
    /// Bytes from the beginning of the text.
    pub at: usize,
}

impl NameError {
    pub(crate) const fn new(reason: &'static str, at: usize) -> Self {
        Self { reason, at }
    }

    /// The same error in a text that has so many bytes before.
    pub(crate) const fn after(self, bytes: usize) -> Self {
        Self { at: self.at.saturating_add(bytes), ..self }
    }
}

/// JSON as text.
macro_rules! json_as_text {
    ($($type:ty),+) => {$(
        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use json_as_text;

/// Text of a name: compared without regard to the case of ASCII letters, written as it was read.
#[derive(Debug, Clone)]
pub struct Name(String);

impl Name {
    /// Text of at most so many characters, all of which a class allows.
    pub(crate) fn new(text: &str, most: usize, allowed: fn(char) -> bool) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::new("a name is empty", 0));
        }
        for (count, (at, c)) in text.char_indices().enumerate() {
            if !allowed(c) {
                return Err(NameError::new("a character that names cannot have", at));
            }
            if count >= most {
                return Err(NameError::new("a name is too long", at));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// A name of a computer: 1 to 256 visible characters of ASCII but those that end it.
    ///
    /// # Errors
    /// For text of another form.
    pub fn computer(text: &str) -> Result<Self, NameError> {
        Self::new(text, 256, |c| c.is_ascii_graphic() && !matches!(c, '\\' | '/' | ',' | ';' | '"'))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let folded = |name: &Self| name.0.to_ascii_lowercase();
        folded(self).cmp(&folded(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

/// What a name of a queue, or of a queue in it, may have ([MS-MQMQ] 2.1.1, MSMQ 2.0 and later), and the space, which
/// names of COM+ applications have.
fn of_queue(c: char) -> bool {
    matches!(c, ' '..='\u{7F}') && !matches!(c, '"' | '+' | ',' | ';' | '\\')
}

/// The part of a suffix that names the journal of a queue.
const JOURNAL: &str = "JOURNAL";

/// QueueName ([MS-MQMQ] 2.1.1): 1 to 124 characters of ASCII without `\ ; + , "`; behind a semicolon a subqueue of 1 to
/// 32, or the journal ([MS-MQMQ] 2.1.2).
///
/// Compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName {
    name: Name,
    subqueue: Option<Name>,
    journal: bool,
}

impl QueueName {
    /// The queue of this name, as a whole.
    ///
    /// # Errors
    /// For a name that no queue can have; a semicolon is not allowed.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.starts_with(' ') || name.ends_with(' ') {
            return Err(NameError::new("a space at an end of the name", 0));
        }
        if [PRIVATE, SYSTEM]
            .iter()
            .any(|prefix| prefix.trim_end_matches(['\\', ';']).eq_ignore_ascii_case(name))
        {
            return Err(NameError::new("a name that begins others", 0));
        }
        Ok(Self { name: Name::new(name, 124, of_queue)?, subqueue: None, journal: false })
    }

    /// A queue inside this one (MSMQ 4.0).
    ///
    /// # Errors
    /// For a name that no subqueue can have; `JOURNAL` would not be read as one again.
    pub fn with_subqueue(self, name: &str) -> Result<Self, NameError> {
        let subqueue = Name::new(name, 32, of_queue)?;
        if subqueue.eq_ignore_ascii_case(JOURNAL) {
            return Err(NameError::new("the journal is not a subqueue", 0));
        }
        Ok(Self { subqueue: Some(subqueue), ..self })
    }

    /// Its journal: the messages that were received from it.
    #[must_use]
    pub fn into_journal(self) -> Self {
        Self { journal: true, ..self }
    }

    /// The name, without what is behind the semicolon.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The subqueue.
    #[must_use]
    pub fn subqueue(&self) -> Option<&Name> {
        self.subqueue.as_ref()
    }

    /// Whether the journal is meant, which can only be read from.
    #[must_use]
    pub fn is_journal(&self) -> bool {
        self.journal
    }

    /// The retry queue of this number that COM+ has beside an application's queue: `App_0` to `App_4`.
    ///
    /// # Errors
    /// For an application whose name is so long that its retry queue can have none.
    pub fn retry(&self, number: u8) -> Result<Self, NameError> {
        Self::new(&format!("{}_{number}", self.name))
    }

    /// The dead queue that COM+ has beside an application's queue: `App_DeadQueue`.
    ///
    /// # Errors
    /// For an application whose name is so long that its dead queue can have none.
    pub fn dead(&self) -> Result<Self, NameError> {
        Self::new(&format!("{}{DEAD}", self.name))
    }

    /// Which queue of COM+ this is, and of which application, by its name. An application may have such a name, too:
    /// where nothing else is known, ask only about queues of applications that are known.
    #[must_use]
    pub fn member(&self) -> (&str, Member) {
        let name = &*self.name;
        let tail = name.len().checked_sub(DEAD.len()).and_then(|at| name.split_at_checked(at));
        if let Some((application, tail)) = tail
            && !application.is_empty()
            && tail.eq_ignore_ascii_case(DEAD)
        {
            return (application, Member::Dead);
        }
        match name.rsplit_once('_') {
            Some((application, number)) if !application.is_empty() => match number.parse::<u8>() {
                // The one form in which it is written.
                Ok(retry) if format!("{retry}") == number => (application, Member::Retry(retry)),
                _ => (name, Member::Main),
            },
            _ => (name, Member::Main),
        }
    }
}

/// What the name of a dead queue ends in.
const DEAD: &str = "_DeadQueue";

/// A queue of those that COM+ has for an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member {
    /// `App`: where messages arrive.
    Main,
    /// `App_0` to `App_4`: where they wait for the next round.
    Retry(u8),
    /// `App_DeadQueue`: what nobody will play.
    Dead,
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let Some(subqueue) = &self.subqueue {
            write!(f, ";{subqueue}")?;
        }
        if self.journal { write!(f, ";{JOURNAL}") } else { Ok(()) }
    }
}

impl FromStr for QueueName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, suffix) = text.split_once(';').map_or((text, None), |(name, suffix)| (name, Some(suffix)));
        let queue = Self::new(name)?;
        let Some(suffix) = suffix else { return Ok(queue) };
        let at = name.len().saturating_add(1);
        let (subqueue, journal) = match suffix.rsplit_once(';') {
            Some((subqueue, journal)) if journal.eq_ignore_ascii_case(JOURNAL) => (Some(subqueue), true),
            _ if suffix.eq_ignore_ascii_case(JOURNAL) => (None, true),
            _ => (Some(suffix), false),
        };
        let queue = match subqueue {
            Some(subqueue) => queue.with_subqueue(subqueue).map_err(|error| error.after(at))?,
            None => queue,
        };
        Ok(Self { journal, ..queue })
    }
}

/// A queue of a computer ([MS-MQMQ] 2.1.1): what stands behind the computer in a path name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalName {
    /// A public queue, which a directory knows: `App`.
    Public(QueueName),
    /// A private queue: `PRIVATE$\App`.
    Private(QueueName),
    /// A queue of the queue manager itself: `SYSTEM$;DEADXACT`.
    System(Name),
}

impl fmt::Display for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(name) => name.fmt(f),
            Self::Private(name) => write!(f, "{PRIVATE}{name}"),
            Self::System(name) => write!(f, "{SYSTEM}{name}"),
        }
    }
}

pub(crate) const PRIVATE: &str = "PRIVATE$\\";
pub(crate) const SYSTEM: &str = "SYSTEM$;";

/// The text behind a prefix, whatever its case.
pub(crate) fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

impl FromStr for LocalName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = |name: &str, prefix: &str| name.parse().map_err(|e: NameError| e.after(prefix.len()));
        if let Some(name) = strip(text, PRIVATE) {
            return parse(name, PRIVATE).map(Self::Private);
        }
        if let Some(name) = strip(text, SYSTEM) {
            let name = Name::new(name, 124, of_queue);
            return name.map(Self::System).map_err(|error| error.after(SYSTEM.len()));
        }
        text.parse().map(Self::Public)
    }
}

/// QueuePathName ([MS-MQMQ] 2.1.1): `computer\App`, `computer\PRIVATE$\App`, `computer\SYSTEM$;name`.
///
/// Compared without regard to case. A computer of `.` is this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathName {
    /// The computer, 1 to 256 visible characters.
    pub computer: Name,
    /// The queue on it.
    pub queue: LocalName,
}

impl PathName {
    /// The queue of a COM+ application ([MC-COMQC] 2.1): that of the lowercase name of the computer without its domain,
    /// private in workgroup mode, public where there is a directory.
    ///
    /// # Errors
    /// For names that no queue or computer can have.
    pub fn of_application(computer: &str, application: &str, workgroup: bool) -> Result<Self, NameError> {
        let computer = computer.split('.').next().unwrap_or(computer).to_ascii_lowercase();
        let queue = QueueName::new(application)?;
        Ok(Self {
            computer: Name::computer(&computer)?,
            queue: if workgroup { LocalName::Private(queue) } else { LocalName::Public(queue) },
        })
    }
}

impl fmt::Display for PathName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}", self.computer, self.queue)
    }
}

impl FromStr for PathName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (computer, queue) =
            text.split_once('\\').ok_or(NameError::new("no backslash behind the computer", text.len()))?;
        Ok(Self {
            computer: Name::computer(computer)?,
            queue: queue.parse().map_err(|error: NameError| error.after(computer.len().saturating_add(1)))?,
        })
    }
}

json_as_text!(QueueName, LocalName, PathName);
