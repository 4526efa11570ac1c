//! Format names ([MS-MQMQ] 2.1.2 to 2.1.7): how queues are addressed.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use core::str::FromStr;

use uuid::Uuid;

use crate::names::{LocalName, Name, NameError, PRIVATE, PathName, QueueName, SYSTEM, json_as_text, strip};

/// The computer of a direct format name, with the protocol that leads there ([MS-MQMQ] 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `TCP:` and an address of the Internet protocol.
    Tcp(IpAddr),
    /// `OS:` and a name of a computer.
    Os(Name),
    /// `HTTP:` or `HTTPS:`, host, port and `/MSMQ`.
    Http {
        /// HTTPS.
        secure: bool,
        /// Name or address.
        host: Name,
        /// Port, where it is not 80 or 443.
        port: Option<u16>,
    },
    /// `IPX:`, numbers of network and host in hexadecimal.
    Ipx(Name),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "TCP:{address}"),
            Self::Os(name) => write!(f, "OS:{name}"),
            Self::Ipx(numbers) => write!(f, "IPX:{numbers}"),
            Self::Http { secure, host, port } => {
                write!(f, "HTTP{}://{host}", if *secure { "S" } else { "" })?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))?;
                f.write_str(MSMQ)
            }
        }
    }
}

/// What follows the host in an address of HTTP.
const MSMQ: &str = "/MSMQ";

/// A queue of the queue manager of a computer ([MS-MQMQ] 2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MachineQueue {
    /// Messages that it has sent, where their senders wanted it.
    Journal,
    /// Messages that could not be delivered.
    DeadLetter,
    /// Transactional messages that could not be delivered.
    DeadXact,
}

impl MachineQueue {
    const ALL: [Self; 3] = [Self::Journal, Self::DeadLetter, Self::DeadXact];

    /// Its name: `JOURNAL`, `DEADLETTER`, `DEADXACT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "JOURNAL",
            Self::DeadLetter => "DEADLETTER",
            Self::DeadXact => "DEADXACT",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name().eq_ignore_ascii_case(name))
    }
}

/// The queue of a direct format name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DirectQueue {
    /// A public queue.
    Public(QueueName),
    /// `PRIVATE$\` and a private queue.
    Private(QueueName),
    /// `SYSTEM$;` and a queue of the computer.
    Machine(MachineQueue),
}

/// DirectName ([MS-MQMQ] 2.1.2) as it goes over the wire, without `DIRECT=`: `OS:computer\PRIVATE$\App`.
///
/// Compared without regard to case. With HTTP slashes are read for backslashes, too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectName {
    /// The computer.
    pub address: Address,
    /// The queue on it.
    pub queue: DirectQueue,
}

impl DirectName {
    /// The name that leads to a queue by the name of its computer.
    ///
    /// # Errors
    /// For a queue of the system that direct format names do not know.
    pub fn of_path(path: PathName) -> Result<Self, NameError> {
        let queue = match path.queue {
            LocalName::Public(name) => DirectQueue::Public(name),
            LocalName::Private(name) => DirectQueue::Private(name),
            LocalName::System(name) => DirectQueue::Machine(machine_queue(&name, 0)?),
        };
        Ok(Self { address: Address::Os(path.computer), queue })
    }

    /// Whether messages cannot be sent there.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match &self.queue {
            DirectQueue::Public(name) | DirectQueue::Private(name) => name.is_journal(),
            DirectQueue::Machine(_) => true,
        }
    }
}

impl fmt::Display for DirectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\", self.address)?;
        match &self.queue {
            DirectQueue::Public(name) => name.fmt(f),
            DirectQueue::Private(name) => write!(f, "{PRIVATE}{name}"),
            DirectQueue::Machine(queue) => write!(f, "{SYSTEM}{}", queue.name()),
        }
    }
}

impl FromStr for DirectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (protocol, rest) = text.split_once(':').ok_or(NameError::new("no protocol", 0))?;
        let at = protocol.len().saturating_add(1);
        let secure = protocol.eq_ignore_ascii_case("HTTPS");
        let (address, queue) = if secure || protocol.eq_ignore_ascii_case("HTTP") {
            http(rest, secure).map_err(|error| error.after(at))?
        } else {
            let (address, queue) = rest
                .split_once('\\')
                .ok_or(NameError::new("no backslash behind the computer", text.len()))?;
            (other(protocol, address).map_err(|error| error.after(at))?, queue)
        };
        // What was not taken stands at the end.
        let at = text.len().saturating_sub(queue.len());
        let private = strip(queue, "PRIVATE$/").filter(|_| matches!(address, Address::Http { .. }));
        let queue = match private {
            Some(name) => {
                name.parse().map(DirectQueue::Private).map_err(|e: NameError| e.after(PRIVATE.len()))
            }
            None => local(queue),
        };
        let queue = queue.map_err(|error| error.after(at))?;
        Ok(Self { address, queue })
    }
}

fn local(text: &str) -> Result<DirectQueue, NameError> {
    Ok(match text.parse()? {
        LocalName::Public(name) => DirectQueue::Public(name),
        LocalName::Private(name) => DirectQueue::Private(name),
        LocalName::System(name) => DirectQueue::Machine(machine_queue(&name, SYSTEM.len())?),
    })
}

fn machine_queue(name: &str, at: usize) -> Result<MachineQueue, NameError> {
    MachineQueue::from_name(name).ok_or(NameError::new("a queue that computers do not have", at))
}

/// The address of a protocol other than HTTP.
fn other(protocol: &str, address: &str) -> Result<Address, NameError> {
    let numbers = || {
        let (network, host) = address.split_once(':')?;
        let hex = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
        (hex(network) && hex(host)).then(|| Name::new(address, 64, |_| true).map(Address::Ipx))
    };
    if protocol.eq_ignore_ascii_case("OS") {
        Name::computer(address).map(Address::Os)
    } else if protocol.eq_ignore_ascii_case("TCP") {
        address
            .parse()
            .map(Address::Tcp)
            .map_err(|_| NameError::new("no address of the Internet protocol", 0))
    } else if protocol.eq_ignore_ascii_case("IPX") {
        numbers().unwrap_or(Err(NameError::new("no numbers of network and host", 0)))
    } else {
        // The protocol stands before the colon.
        Err(NameError::new("behind a protocol that is not known", 0))
    }
}

/// `//host[:port]/MSMQ\` of HTTP, and the rest.
fn http(text: &str, secure: bool) -> Result<(Address, &str), NameError> {
    let rest = text.strip_prefix("//").ok_or(NameError::new("no // of an address of HTTP", 0))?;
    let end = rest.find('/').ok_or(NameError::new("no /MSMQ behind the host", text.len()))?;
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let queue = strip(path, MSMQ).and_then(|tail| tail.strip_prefix(['\\', '/']));
    let queue = queue.ok_or(NameError::new("no /MSMQ\\ behind the host", end.saturating_add(2)))?;
    let (host, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let digits = port.chars().all(|c| c.is_ascii_digit());
    let port = match port {
        "" => None,
        port => Some(
            port.parse()
                .ok()
                .filter(|_| digits)
                .ok_or(NameError::new("no port", host.len().saturating_add(3)))?,
        ),
    };
    let host = Name::computer(host).map_err(|error| error.after(2))?;
    if host.contains(':') {
        return Err(NameError::new("a colon in the host", 2));
    }
    Ok((Address::Http { secure, host, port }, queue))
}

/// FormatName ([MS-MQMQ] 2.1.2 to 2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FormatName {
    /// `DIRECT=`.
    Direct(DirectName),
    /// `PUBLIC=` and the GUID of the queue in the directory.
    Public(Uuid),
    /// `PRIVATE=`, the GUID of the computer, a backslash and a hexadecimal number.
    Private {
        /// GUID of the computer.
        computer: Uuid,
        /// Number of the queue.
        number: u32,
        /// `;JOURNAL`.
        journal: bool,
    },
    /// `DL=`, the GUID of a distribution list, and its domain behind an `@`.
    DistributionList {
        /// GUID of the list.
        list: Uuid,
        /// Domain, 1 to 255 visible characters.
        domain: Option<Name>,
    },
    /// `MACHINE=` and the GUID of a computer; behind a semicolon the queue that is meant.
    Machine {
        /// GUID of the computer.
        computer: Uuid,
        /// Its queue.
        queue: Option<MachineQueue>,
    },
    /// `CONNECTOR=` and the GUID of a connected system; `;XACTONLY` for its transactional queue.
    Connector {
        /// GUID of the system.
        system: Uuid,
        /// `;XACTONLY`.
        transactional: bool,
    },
    /// `MULTICAST=`, an address from 224.0.0.0 to 239.255.255.255, and a port.
    Multicast(SocketAddrV4),
}

impl FormatName {
    /// Whether messages cannot be sent there.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Direct(name) => name.is_read_only(),
            Self::Private { journal, .. } => *journal,
            Self::Machine { .. } => true,
            _ => false,
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(name) => write!(f, "DIRECT={name}"),
            Self::Public(queue) => write!(f, "PUBLIC={:X}", queue.hyphenated()),
            Self::Private { computer, number, journal } => {
                let journal = if *journal { ";JOURNAL" } else { "" };
                write!(f, "PRIVATE={:X}\\{number:X}{journal}", computer.hyphenated())
            }
            Self::DistributionList { list, domain } => {
                write!(f, "DL={:X}", list.hyphenated())?;
                domain.as_ref().map_or(Ok(()), |domain| write!(f, "@{domain}"))
            }
            Self::Machine { computer, queue } => {
                write!(f, "MACHINE={:X}", computer.hyphenated())?;
                queue.map_or(Ok(()), |queue| write!(f, ";{}", queue.name()))
            }
            Self::Connector { system, transactional } => {
                write!(
                    f,
                    "CONNECTOR={:X}{}",
                    system.hyphenated(),
                    if *transactional { ";XACTONLY" } else { "" }
                )
            }
            Self::Multicast(address) => write!(f, "MULTICAST={address}"),
        }
    }
}

impl FromStr for FormatName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, value) = text.split_once('=').ok_or(NameError::new("no kind of format name", 0))?;
        let parse = match &*kind.to_ascii_uppercase() {
            "DIRECT" => |value: &str| value.parse().map(Self::Direct),
            "PUBLIC" => |value: &str| guid(value).map(Self::Public),
            "PRIVATE" => private,
            "DL" => distribution_list,
            "MACHINE" => |value: &str| {
                let (computer, queue) = suffixed(value, ';');
                let at = computer.len().saturating_add(1);
                let queue = queue.map(|queue| machine_queue(queue, at)).transpose()?;
                Ok(Self::Machine { computer: guid(computer)?, queue })
            },
            "CONNECTOR" => |value: &str| {
                let (system, suffix) = suffixed(value, ';');
                match suffix {
                    Some(suffix) if !suffix.eq_ignore_ascii_case("XACTONLY") => {
                        Err(NameError::new("not XACTONLY", system.len().saturating_add(1)))
                    }
                    _ => Ok(Self::Connector { system: guid(system)?, transactional: suffix.is_some() }),
                }
            },
            "MULTICAST" => multicast,
            _ => return Err(NameError::new("a kind of format name that is not known", 0)),
        };
        parse(value).map_err(|error| error.after(kind.len().saturating_add(1)))
    }
}

fn suffixed(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

/// A GUID as format names have it: hyphens, no braces.
fn guid(text: &str) -> Result<Uuid, NameError> {
    let guid = Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH);
    guid.ok_or(NameError::new("no GUID with hyphens and without braces", 0))
}

fn private(value: &str) -> Result<FormatName, NameError> {
    let (computer, rest) =
        value.split_once('\\').ok_or(NameError::new("no number of a queue", value.len()))?;
    let at = computer.len().saturating_add(1);
    let (number, journal) = suffixed(rest, ';');
    let digits = (1..=8).contains(&number.len()) && number.chars().all(|c| c.is_ascii_hexdigit());
    let queue = u32::from_str_radix(number, 16).ok().filter(|_| digits);
    let queue = queue.ok_or(NameError::new("no number of 1 to 8 hexadecimal digits", at))?;
    if journal.is_some_and(|journal| !journal.eq_ignore_ascii_case("JOURNAL")) {
        return Err(NameError::new("not JOURNAL", at.saturating_add(number.len()).saturating_add(1)));
    }
    Ok(FormatName::Private { computer: guid(computer)?, number: queue, journal: journal.is_some() })
}

fn distribution_list(value: &str) -> Result<FormatName, NameError> {
    let (list, domain) = suffixed(value, '@');
    // A comma would begin the next name.
    let domain =
        domain.map(|domain| Name::new(domain, 255, |c| c.is_ascii_graphic() && c != ',')).transpose();
    let domain = domain.map_err(|error| error.after(list.len().saturating_add(1)))?;
    Ok(FormatName::DistributionList { list: guid(list)?, domain })
}

fn multicast(value: &str) -> Result<FormatName, NameError> {
    let (address, port) = value.split_once(':').ok_or(NameError::new("no port", value.len()))?;
    let address = address.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast);
    let address = address.ok_or(NameError::new("no address for many", 0))?;
    let canonical = |number: &u16| number.to_string() == port;
    let port = port.parse().ok().filter(canonical).ok_or(NameError::new("no port", value.len()))?;
    Ok(FormatName::Multicast(SocketAddrV4::new(address, port)))
}

/// MultipleElementName ([MS-MQMQ] 2.1.7): one format name or several with commas between, which messages go to all of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FormatNames(Vec<FormatName>);

impl FormatNames {
    /// The names; at least one.
    #[must_use]
    pub fn names(&self) -> &[FormatName] {
        &self.0
    }
}

impl From<FormatName> for FormatNames {
    fn from(name: FormatName) -> Self {
        Self(Vec::from([name]))
    }
}

impl fmt::Display for FormatNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, name)| {
            f.write_str(if n == 0 { "" } else { "," })?;
            name.fmt(f)
        })
    }
}

impl FromStr for FormatNames {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (mut names, mut at) = (Vec::new(), 0_usize);
        let several = text.contains(',');
        for element in text.split(',') {
            let name: FormatName = element.parse().map_err(|error: NameError| error.after(at))?;
            if several && name.is_read_only() {
                return Err(NameError::new("a queue that can only be read from, among several", at));
            }
            names.push(name);
            at = at.saturating_add(element.len()).saturating_add(1);
        }
        Ok(Self(names))
    }
}

json_as_text!(DirectName, FormatName, FormatNames);
