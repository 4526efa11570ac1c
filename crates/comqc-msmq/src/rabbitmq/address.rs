//! `amqp://user:password@host:port/vhost?queue=NAME&..`

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use remassist_core::Secret;

use crate::{Place, QueueError};

/// Bytes of the name of the longest queue beside `App`, and what AMQP allows for it.
const LONGEST_NAME: usize = 255 - "_DeadQueue".len();
/// Retry queues that are declared at most.
const MOST_RETRIES: u8 = 32;

/// The type of the broker's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Replicated by Raft.
    Quorum,
    /// On one node.
    Classic,
}

/// Where the broker is, and what its queues are to be like.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    pub(crate) user: String,
    password: Secret<String>,
    host: String,
    port: u16,
    vhost: String,
    /// The query as it was given: no secret is in it.
    query: String,
    pub(crate) queue: String,
    pub(crate) kind: Kind,
    pub(crate) retries: u8,
    pub(crate) delivery_limit: u32,
    pub(crate) limit: Duration,
    pub(crate) declare: bool,
    pub(crate) authority: Option<PathBuf>,
    heartbeat: Option<u16>,
}

impl Address {
    /// Errors never hold what was given: there may be a password in it.
    pub(crate) fn parse(text: &str) -> Result<Self, QueueError> {
        let (tls, rest) = match text.split_once("://") {
            Some(("amqp", rest)) => (false, rest),
            Some(("amqps", rest)) => (true, rest),
            _ => return Err(bad("it begins neither with amqp:// nor with amqps://")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        if vhost.contains('@') {
            return Err(bad("what stands before its @ has a / in it, which is written %2F there"));
        }
        let (user, at) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match at.strip_prefix('[').and_then(|at| at.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
            None => at.split_once(':').unwrap_or((at, "")),
        };
        let port = match port {
            "" if tls => 5671,
            "" => 5672,
            port => port.parse().map_err(|_| bad("its port is not a number"))?,
        };
        let mut address = Self {
            tls,
            user: decoded(user)?,
            password: Secret::new(decoded(password)?),
            host: if host.is_empty() { "localhost".into() } else { decoded(host)? },
            port,
            // Where no virtual host is named, RabbitMQ's own.
            vhost: if vhost.is_empty() { "/".into() } else { decoded(vhost)? },
            query: query.into(),
            queue: String::new(),
            kind: Kind::Quorum,
            retries: 5,
            delivery_limit: 100,
            limit: Duration::from_secs(30),
            declare: true,
            authority: None,
            heartbeat: None,
        };
        if address.user.len() > 255 {
            return Err(bad("its user name is too long"));
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            address.option(name, &decoded(value)?)?;
        }
        match address.queue.len() {
            0 => Err(bad("it names no queue: ?queue=NAME")),
            1..=LONGEST_NAME if !address.queue.starts_with("amq.") => Ok(address),
            _ => Err(bad("the name of its queue is longer than 245 bytes, or begins with amq.")),
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), QueueError> {
        let number = || value.parse::<u32>().map_err(|_| bad(&format!("its {name} is not a number")));
        match name {
            "queue" => self.queue = value.into(),
            "type" => {
                self.kind = match value {
                    "quorum" => Kind::Quorum,
                    "classic" => Kind::Classic,
                    _ => return Err(bad("its type is neither quorum nor classic")),
                };
            }
            "retries" => {
                let number = u8::try_from(number()?).ok().filter(|number| *number <= MOST_RETRIES);
                self.retries = number.ok_or_else(|| bad("it wants more than 32 retry queues"))?;
            }
            "delivery-limit" => self.delivery_limit = number()?,
            "timeout" => self.limit = Duration::from_secs(number()?.max(1).into()),
            "heartbeat" => {
                self.heartbeat =
                    Some(u16::try_from(number()?).map_err(|_| bad("its heartbeat is too long"))?);
            }
            "declare" => {
                self.declare = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(bad("its declare is neither yes nor no")),
                };
            }
            "cacert" => self.authority = Some(value.into()),
            // The name may be half a password that has a question mark in it.
            _ => return Err(bad("it has an option that is not known")),
        }
        Ok(())
    }

    /// What the client library connects to.
    pub(crate) fn uri(&self) -> AMQPUri {
        AMQPUri {
            scheme: if self.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.user.clone(),
                    password: self.password.expose().clone(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString { heartbeat: self.heartbeat, ..AMQPQueryString::default() },
        }
    }

    /// The broker's queue for a place.
    pub(crate) fn name(&self, place: Place) -> String {
        match place {
            Place::Main => self.queue.clone(),
            Place::Retry(number) => format!("{}_{number}", self.queue),
            Place::Dead => format!("{}_DeadQueue", self.queue),
            Place::Journal => format!("{}_Journal", self.queue),
        }
    }

    /// The queue with the one note of the message in hand.
    pub(crate) fn attempts(&self) -> String {
        format!("{}_Attempts", self.queue)
    }
}

impl fmt::Display for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}@", encoded(&self.user))?;
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        write!(f, ":{}/{}?{}", self.port, encoded(&self.vhost), self.query)
    }
}

fn bad(why: &str) -> QueueError {
    QueueError::Address(why.into())
}

fn decoded(text: &str) -> Result<String, QueueError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                (digit(high).zip(digit(low)))
                    .and_then(|(high, low)| u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok())
                    .ok_or_else(|| bad("a % in it is not followed by two hexadecimal digits"))?
            }
            (b'%', _) => return Err(bad("a % in it is not followed by two hexadecimal digits")),
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
