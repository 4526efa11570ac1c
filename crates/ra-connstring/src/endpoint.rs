//! Where a novice listens.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address that an expert can connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Endpoint<'a> {
    /// Address or name of the novice's computer.
    pub host: Host<'a>,
    /// TCP port, never 0 when read from a connection string.
    pub port: u16,
}

impl<'a> Endpoint<'a> {
    /// Reads `host:port`, with or without brackets around an IPv6 address; the last colon counts.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, digits) = text.rsplit_once(':')?;
        Some(Self { host: Host::parse(host)?, port: port(digits)? })
    }

    /// The same endpoint, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Endpoint<'static> {
        Endpoint { host: self.host.into_owned(), port: self.port }
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ipv6 { .. } => write!(f, "[{}]:{}", self.host, self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A computer: an address or a name.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Host<'a> {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6 {
        /// The address.
        address: Ipv6Addr,
        /// What stands behind `%`: number or name of a network interface; it means something on one computer only.
        scope: Option<Cow<'a, str>>,
    },
    /// The name of a computer.
    Name(Cow<'a, str>),
}

impl<'a> Host<'a> {
    /// Reads an address, with or without brackets, or takes anything else as a name. `None` when it is empty, when
    /// blanks or control characters stand in it, or when it can be neither address nor name.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Ipv4(address));
        }
        let blank = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty()
            || text.bytes().any(|b| b <= b' ' || b == 0x7F)
            || (!text.is_ascii() && text.contains(blank))
        {
            return None;
        }
        if !text.contains(':') {
            return (!text.contains(['[', ']', '%'])).then_some(Self::Name(Cow::Borrowed(text)));
        }
        let bare = text.strip_prefix('[').map_or(Some(text), |t| t.strip_suffix(']'))?;
        let (address, scope) = match bare.split_once('%') {
            Some((address, scope)) => (address, Some(scope)),
            None => (bare, None),
        };
        let address = address.parse().ok().filter(|_| scope != Some(""))?;
        Some(Self::Ipv6 { address, scope: scope.map(Cow::Borrowed) })
    }

    /// Whether [`parse`](Self::parse) makes a host of the text; the usual forms are told without reading them.
    pub(crate) fn is_one(text: &str) -> bool {
        Self::is_simple(text) || is_ipv6(text) || Host::parse(text).is_some()
    }

    /// Whether the text is an IPv4 address or a name of the usual characters.
    pub(crate) fn is_simple(text: &str) -> bool {
        let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        !text.is_empty() && text.bytes().all(usual)
    }

    /// The same host, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Host<'static> {
        match self {
            Self::Ipv4(address) => Host::Ipv4(address),
            Self::Ipv6 { address, scope } => {
                Host::Ipv6 { address, scope: scope.map(|s| Cow::Owned(s.into_owned())) }
            }
            Self::Name(name) => Host::Name(Cow::Owned(name.into_owned())),
        }
    }
}

impl From<Ipv4Addr> for Host<'_> {
    fn from(address: Ipv4Addr) -> Self {
        Self::Ipv4(address)
    }
}

impl From<Ipv6Addr> for Host<'_> {
    fn from(address: Ipv6Addr) -> Self {
        Self::Ipv6 { address, scope: None }
    }
}

/// Address or name alone; an IPv6 address without brackets, as the attribute N has it.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6 { address, scope: None } => address.fmt(f),
            Self::Ipv6 { address, scope: Some(scope) } => write!(f, "{address}%{scope}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Eight groups of hexadecimal digits, or fewer around one `::`: an IPv6 address without brackets, scope or dots.
fn is_ipv6(text: &str) -> bool {
    let (mut digits, mut groups, mut shortened) = (0_u8, 0_usize, false);
    let mut before = b'.';
    for byte in text.bytes() {
        match byte {
            b':' if before == b':' => {
                if shortened {
                    return false;
                }
                shortened = true;
            }
            b':' => digits = 0,
            _ if byte.is_ascii_hexdigit() && digits < 4 => {
                groups = groups.wrapping_add(usize::from(digits == 0));
                digits = digits.wrapping_add(1);
            }
            _ => return false,
        }
        before = byte;
    }
    // A colon alone at either end belongs to nothing.
    let whole =
        text.starts_with(':') == text.starts_with("::") && text.ends_with(':') == text.ends_with("::");
    whole && if shortened { groups < 8 } else { groups == 8 }
}

/// A port: decimal digits, 1 to 65,535.
pub(crate) fn port(text: &str) -> Option<u16> {
    let value = text.bytes().try_fold(0_u32, |value, byte| {
        let digit = char::from(byte).to_digit(10)?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })?;
    u16::try_from(value).ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::{Host, is_ipv6};

    #[test]
    fn what_looks_like_ipv6_is_ipv6() {
        let parts = [
            "",
            "::",
            ":",
            "1",
            "ab12",
            "12345",
            "0",
            "::1",
            "1::",
            "1:2:3:4:5:6:7",
            "fe80",
            "g",
            "1.2.3.4",
            "%eth0",
        ];
        let mut seen = 0;
        for a in parts {
            for b in parts {
                for c in parts {
                    let text = [a, b, c].join(":");
                    for text in [text, [a, b, c].concat()] {
                        if is_ipv6(&text) {
                            assert!(
                                matches!(Host::parse(&text), Some(Host::Ipv6 { scope: None, .. })),
                                "{text}"
                            );
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert!(seen > 50, "{seen}");
        for text in ["::", "::1", "1::", "2001:4898:1a:5:79e2:3356:9b22:3470", "1:2:3:4:5:6:7::"] {
            assert!(is_ipv6(text), "{text}");
        }
    }
}
