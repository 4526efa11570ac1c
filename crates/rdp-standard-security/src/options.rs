//! Encryption methods and levels, and what a program wants of them.

use core::fmt;

use crate::Error;

/// A method that this layer can use: RC4 with keys of a strength ([MS-RDPBCGR] 2.2.1.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// 40 bits: broken in seconds.
    Bits40,
    /// 56 bits: broken in hours.
    Bits56,
    /// 128 bits.
    Bits128,
}

impl Method {
    /// The number on the wire.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits40 => Methods::BIT_40.0,
            Self::Bits56 => Methods::BIT_56.0,
            Self::Bits128 => Methods::BIT_128.0,
        }
    }

    /// The method of a number on the wire.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        [Self::Bits40, Self::Bits56, Self::Bits128].into_iter().find(|m| m.bits() == bits)
    }

    /// Length of the keys in bytes: 8 also for 40 and 56 bits, where the rest is salt that everybody knows.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Bits40 | Self::Bits56 => 8,
            Self::Bits128 => 16,
        }
    }
}

/// A set of encryption methods as it stands on the wire ([MS-RDPBCGR] 2.2.1.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Methods(pub u32);

impl Methods {
    /// RC4 with 40 bits.
    pub const BIT_40: Self = Self(0x01);
    /// RC4 with 128 bits.
    pub const BIT_128: Self = Self(0x02);
    /// RC4 with 56 bits.
    pub const BIT_56: Self = Self(0x08);
    /// Triple DES and SHA-1: never used here.
    pub const FIPS: Self = Self(0x10);
    /// All that this layer can use.
    pub const ALL: Self = Self(0x0B);

    /// Whether a method is in the set.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bits() != 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in one of the sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The strongest method of the set that this layer can use.
    #[must_use]
    pub fn strongest(self) -> Option<Method> {
        [Method::Bits128, Method::Bits56, Method::Bits40].into_iter().find(|m| self.contains(*m))
    }
}

impl From<Method> for Methods {
    fn from(method: Method) -> Self {
        Self(method.bits())
    }
}

/// The names of the methods, `none` for the empty set, and what is left as a number.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        let names = [
            (Self::BIT_40, "40 bit"),
            (Self::BIT_56, "56 bit"),
            (Self::BIT_128, "128 bit"),
            (Self::FIPS, "FIPS"),
        ];
        let mut rest = self.0;
        let mut between = "";
        for (method, name) in names {
            if rest & method.0 != 0 {
                write!(f, "{between}{name}")?;
                between = ", ";
                rest &= !method.0;
            }
        }
        if rest != 0 { write!(f, "{between}{rest:#x}") } else { Ok(()) }
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Methods({self})")
    }
}

/// What is encrypted ([MS-RDPBCGR] 5.3.1). FIPS is missing on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing.
    None,
    /// What the client sends.
    Low,
    /// Both directions, with the strongest method of the client.
    ClientCompatible,
    /// Both directions, with the strongest method of the server.
    High,
}

impl Level {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Low => 1,
            Self::ClientCompatible => 2,
            Self::High => 3,
        }
    }

    /// The level of a number on the wire.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::None, Self::Low, Self::ClientCompatible, Self::High].into_iter().find(|l| l.number() == number)
    }
}

/// What became of the negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// The server has not selected anything yet.
    Negotiating,
    /// Nothing is encrypted: the layer hands everything on as it is.
    Clear,
    /// RC4.
    Encrypted {
        /// The method.
        method: Method,
        /// The level: low leaves what the server sends in clear.
        level: Level,
    },
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// The methods that it offers; what this layer cannot use is left out.
    pub methods: Methods,
    /// Whether a server may select no encryption at all.
    pub allow_unencrypted: bool,
    /// Whether the salted MAC is announced, and used when the server announces it too.
    pub salted_mac: bool,
}

/// 128 bits only, no connection without encryption, salted MAC.
impl Default for ClientOptions {
    fn default() -> Self {
        Self { methods: Methods::BIT_128, allow_unencrypted: false, salted_mac: true }
    }
}

/// What a server wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// The methods that it allows.
    pub methods: Methods,
    /// The level that it selects.
    pub level: Level,
    /// Whether the salted MAC is announced, and used when the client announces it too.
    pub salted_mac: bool,
}

/// 128 bits only, level high, salted MAC.
impl Default for ServerOptions {
    fn default() -> Self {
        Self { methods: Methods::BIT_128, level: Level::High, salted_mac: true }
    }
}

impl ServerOptions {
    /// The method for a client that offers these; `None` for the level none.
    ///
    /// Level high takes the strongest method of the server or none at all. The levels below it take the strongest that
    /// both have: [MS-RDPBCGR] 5.3.2.1 lets a server refuse a client whose strongest method it does not have, but the
    /// client has asked for nothing more than one of those it offers (2.2.1.3.3).
    ///
    /// # Errors
    ///
    /// [`Error::NoCommonMethod`].
    pub fn select(&self, offered: Methods) -> Result<Option<Method>, Error> {
        let none = Error::NoCommonMethod { offered };
        match self.level {
            Level::None => Ok(None),
            Level::Low | Level::ClientCompatible => {
                self.methods.and(offered).strongest().map(Some).ok_or(none)
            }
            Level::High => self.methods.strongest().filter(|m| offered.contains(*m)).map(Some).ok_or(none),
        }
    }
}
