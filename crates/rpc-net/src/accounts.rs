//! Who may call a server.

use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use md4::{Digest as _, Md4};
use remassist_core::Secret;

/// The NT hash of a password: MD4 of its UTF-16LE ([MS-NLMP] 3.3.1 NTOWFv1). It serves as well as the password itself to
/// log on by NTLM: keep it as secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtHash(Secret<[u8; 16]>);

impl NtHash {
    /// A hash.
    #[must_use]
    pub fn new(hash: [u8; 16]) -> Self {
        Self(Secret::new(hash))
    }

    /// The hash of a password.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let units: Secret<Vec<u8>> =
            Secret::new(password.encode_utf16().flat_map(u16::to_le_bytes).collect());
        Self::new(Md4::digest(units.expose()).into())
    }

    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 16];
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|d| d.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self::new(hash))
    }

    /// 32 hexadecimal digits, for an accounts file.
    #[must_use]
    pub fn to_hex(&self) -> Secret<String> {
        Secret::new(self.0.expose().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        self.0.expose()
    }
}

/// Accounts of a server.
pub trait Accounts: Send + Sync + 'static {
    /// The NT hash of an account; `None` when there is none. Both names come from the client, in its own case; the domain is
    /// whatever the client's user typed, or the name of the client's machine. Asked once for each logon, in the task of a
    /// connection: it must not wait.
    ///
    /// # Errors
    /// When the accounts cannot be read: nobody logs on then.
    fn nt_hash(&self, domain: &str, user: &str) -> Result<Option<NtHash>, AccountsError>;
}

/// Why accounts cannot be read. Quotes nothing of them.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// The file cannot be read.
    #[error("the accounts file cannot be read: {0}")]
    Io(std::io::ErrorKind),
    /// It is no plain file, or larger than 1 MiB.
    #[error("the accounts file is no plain file of at most 1 MiB")]
    NotAFile,
    /// Others may read or change the file.
    #[error("others may read or change the accounts file")]
    Permissions,
    /// A line is no account.
    #[error("line {line} of the accounts file is no account")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// Accounts of another kind cannot be asked.
    #[error("the accounts cannot be asked")]
    Unavailable,
}

impl From<std::io::Error> for AccountsError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Accounts in memory: by domain, lower case, where one is given, and user, lower case.
#[derive(Clone, Default)]
pub struct MemoryAccounts(HashMap<(Option<String>, String), NtHash>);

impl MemoryAccounts {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account, or changes its password. Without domain the client may name any.
    #[must_use]
    pub fn with(mut self, domain: Option<&str>, user: &str, password: &str) -> Self {
        self.insert(domain, user, NtHash::of_password(password));
        self
    }

    /// Adds an account, or changes its hash. Without domain the client may name any.
    pub fn insert(&mut self, domain: Option<&str>, user: &str, hash: NtHash) {
        self.0.insert((domain.map(str::to_lowercase), user.to_lowercase()), hash);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the text of an accounts file; see [`FileAccounts`].
    ///
    /// # Errors
    /// When a line is no account.
    pub fn parse(text: &str) -> Result<Self, AccountsError> {
        let mut accounts = Self::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = AccountsError::Line { line: number.saturating_add(1) };
            let (name, hash) = line.rsplit_once(':').ok_or(wrong)?;
            let (domain, user) = match name.split_once('\\') {
                Some((domain, user)) => (Some(domain), user),
                None => (None, name),
            };
            let hash =
                NtHash::from_hex(hash).filter(|_| !user.is_empty() && !user.contains('\\')).ok_or(wrong)?;
            accounts.insert(domain, user, hash);
        }
        Ok(accounts)
    }
}

impl Accounts for MemoryAccounts {
    fn nt_hash(&self, domain: &str, user: &str) -> Result<Option<NtHash>, AccountsError> {
        let user = user.to_lowercase();
        let mut key = (Some(domain.to_lowercase()), user);
        if let Some(hash) = self.0.get(&key) {
            return Ok(Some(hash.clone()));
        }
        key.0 = None;
        Ok(self.0.get(&key).cloned())
    }
}

/// Only how many.
impl fmt::Debug for MemoryAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryAccounts({})", self.0.len())
    }
}

/// Accounts in a text file, read anew for each logon: one account a line, `DOMAIN\user:hash` or, when the client may name
/// any domain, `user:hash`; the hash is 32 hexadecimal digits ([`NtHash::to_hex`]). Lines that begin with `#` and empty
/// lines are skipped. On Unix the file may be neither readable nor writable by others, nor writable by its group.
#[derive(Debug, Clone)]
pub struct FileAccounts {
    path: PathBuf,
}

impl FileAccounts {
    /// The most bytes of a file.
    pub const MAX_SIZE: u64 = 1 << 20;

    /// Accounts of a file, which must be there and be sound already.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AccountsError> {
        let accounts = Self { path: path.as_ref().to_owned() };
        accounts.read()?;
        Ok(accounts)
    }

    /// What the file holds now.
    ///
    /// # Errors
    /// When it cannot be read, others may read it, or a line is no account.
    pub fn read(&self) -> Result<MemoryAccounts, AccountsError> {
        // Opening a pipe would wait for its other end.
        sound(&std::fs::metadata(&self.path)?)?;
        let file = std::fs::File::open(&self.path)?;
        sound(&file.metadata()?)?;
        let mut text = zeroize::Zeroizing::new(String::new());
        file.take(Self::MAX_SIZE.saturating_add(1)).read_to_string(&mut text)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > Self::MAX_SIZE {
            return Err(AccountsError::NotAFile);
        }
        MemoryAccounts::parse(&text)
    }
}

fn sound(metadata: &std::fs::Metadata) -> Result<(), AccountsError> {
    if !metadata.is_file() || metadata.len() > FileAccounts::MAX_SIZE {
        return Err(AccountsError::NotAFile);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o027 != 0 {
            return Err(AccountsError::Permissions);
        }
    }
    Ok(())
}

impl Accounts for FileAccounts {
    fn nt_hash(&self, domain: &str, user: &str) -> Result<Option<NtHash>, AccountsError> {
        self.read()?.nt_hash(domain, user)
    }
}
