//! `sqlite:PATH?queue=NAME`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use comqc_session::QueueName;

use super::{Mode, Store, StoreOptions, StoredQueue};
use crate::QueueError;

/// The address of a queue in a database file: `sqlite:PATH?queue=NAME`, and `&mode=rwc`, `rw` or `ro` for [`Mode`].
///
/// Path and name may hold any character as `%` and two digits; `%`, `?`, `#` and `&` must be written so, and so is
/// printed whatever is not a visible character of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteAddress {
    /// The file.
    pub path: PathBuf,
    /// The queue.
    pub queue: String,
    /// How the file is opened.
    pub mode: Mode,
}

impl SqliteAddress {
    /// The address of a queue that is open.
    #[must_use]
    pub fn of(queue: &StoredQueue) -> Self {
        Self {
            path: queue.store().path().into(),
            queue: queue.name().into(),
            mode: queue.store().inner.options.mode,
        }
    }

    /// Opens the queue.
    ///
    /// # Errors
    /// Those of [`Store::open`] and [`Store::queue`].
    pub fn open(&self) -> Result<StoredQueue, QueueError> {
        let options = StoreOptions { mode: self.mode, ..StoreOptions::default() };
        Store::open_with(&self.path, options)?.queue(&self.queue)
    }
}

impl fmt::Display for SqliteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sqlite:")?;
        encode(f, self.path.as_os_str().as_encoded_bytes())?;
        f.write_str("?queue=")?;
        encode(f, self.queue.as_bytes())?;
        match self.mode {
            Mode::Create => Ok(()),
            Mode::Existing => f.write_str("&mode=rw"),
            Mode::ReadOnly => f.write_str("&mode=ro"),
        }
    }
}

impl FromStr for SqliteAddress {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let wrong = |what: &str| QueueError::Address(format!("{text:?}: {what}"));
        let rest = text.strip_prefix("sqlite:").ok_or_else(|| wrong("does not begin with sqlite:"))?;
        let (path, query) = rest.split_once('?').ok_or_else(|| wrong("has no ?queue="))?;
        let path = match path.strip_prefix("//") {
            Some(path) if path.starts_with('/') => path,
            Some(_) => return Err(wrong("names a host")),
            None => path,
        };
        let path = decode(path).filter(|path| !path.is_empty() && !path.contains(&0));
        let path = path.and_then(path_of).ok_or_else(|| wrong("has no path"))?;
        let (mut queue, mut mode) = (None, None);
        for option in query.split('&') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = decode(value).and_then(|value| String::from_utf8(value).ok());
            let value = value.ok_or_else(|| wrong("has a value that is not UTF-8"))?;
            match name {
                "queue" if queue.is_none() => queue = Some(value),
                "mode" if mode.is_none() => {
                    mode = Some(match &*value {
                        "rwc" => Mode::Create,
                        "rw" => Mode::Existing,
                        "ro" => Mode::ReadOnly,
                        _ => return Err(wrong("has a mode that is not rwc, rw or ro")),
                    });
                }
                "queue" | "mode" => return Err(wrong("has an option twice")),
                _ => return Err(wrong("has an option that is not known")),
            }
        }
        let queue = queue.ok_or_else(|| wrong("has no ?queue="))?;
        // Before a file is made for it.
        QueueName::new(&queue).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { path, queue, mode: mode.unwrap_or_default() })
    }
}

fn encode(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|&byte| match byte {
        b'%' | b'?' | b'#' | b'&' => write!(f, "%{byte:02X}"),
        b'!'..=b'~' => write!(f, "{}", char::from(byte)),
        _ => write!(f, "%{byte:02X}"),
    })
}

/// Nothing where a `%` is not followed by two digits.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        bytes.extend(remassist_core::from_hex(std::str::from_utf8(digits).ok()?)?);
    }
    Some(bytes)
}

/// A path of any bytes, where the system has such.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems know text only")]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

/// A path of text, where the system has no other.
#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}
