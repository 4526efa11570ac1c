//! How many connections there may be, and how many logons may fail.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::audit::RefusedConnection;
use crate::server::{ServerOptions, Shared};

/// Addresses with failed logons that are remembered at most.
const MAX_REMEMBERED: usize = 4096;

#[derive(Default)]
struct Counts {
    connections: usize,
    of_address: HashMap<IpAddr, usize>,
    failures: HashMap<IpAddr, Failures>,
}

struct Failures {
    count: u32,
    /// When the count ends to matter: the window's end, or that of the time in which the address is refused.
    until: Instant,
}

pub(crate) struct Limits {
    counts: Mutex<Counts>,
    max_connections: usize,
    max_of_address: usize,
    max_failures: u32,
    within: Duration,
    refused_for: Duration,
}

/// One connection that counts.
pub(super) struct Permit {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.limits.counts();
        counts.connections = counts.connections.saturating_sub(1);
        if let Some(count) = counts.of_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.of_address.remove(&self.address);
            }
        }
    }
}

/// Counts a connection, or says why there may not be one more.
pub(super) fn admit(shared: &Arc<Shared>, address: IpAddr) -> Result<Permit, RefusedConnection> {
    let limits = &shared.limits;
    if limits.blocked(address) {
        return Err(RefusedConnection::FailedLogons);
    }
    let address = network(address);
    let mut counts = limits.counts();
    if counts.connections >= limits.max_connections {
        return Err(RefusedConnection::TooMany);
    }
    let count = counts.of_address.entry(address).or_default();
    if *count >= limits.max_of_address {
        if *count == 0 {
            counts.of_address.remove(&address);
        }
        return Err(RefusedConnection::TooManyFromAddress);
    }
    *count = count.saturating_add(1);
    counts.connections = counts.connections.saturating_add(1);
    drop(counts);
    Ok(Permit { shared: Arc::clone(shared), address })
}

impl Limits {
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            counts: Mutex::default(),
            max_connections: options.max_connections,
            max_of_address: options.max_connections_per_address,
            max_failures: options.max_failed_logons,
            within: options.failed_logons_within,
            refused_for: options.refused_for,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether too many logons from there failed.
    pub(crate) fn blocked(&self, address: IpAddr) -> bool {
        let counts = self.counts();
        let failures = counts.failures.get(&network(address));
        failures.is_some_and(|f| f.count >= self.max_failures && Instant::now() < f.until)
    }

    /// A logon failed.
    pub(crate) fn failed(&self, address: IpAddr) {
        let now = Instant::now();
        let mut counts = self.counts();
        let failures = &mut counts.failures;
        let address = network(address);
        if failures.len() >= MAX_REMEMBERED && !failures.contains_key(&address) {
            failures.retain(|_, f| now < f.until);
            // Still too many at once: those that are forgotten first anyway.
            if failures.len() >= MAX_REMEMBERED {
                let first = failures.iter().min_by_key(|(_, f)| f.until).map(|(address, _)| *address);
                first.and_then(|first| failures.remove(&first));
            }
        }
        let begin = || Failures { count: 0, until: now + self.within };
        let entry = failures.entry(address).or_insert_with(begin);
        if now >= entry.until {
            *entry = begin();
        }
        entry.count = entry.count.saturating_add(1);
        if entry.count == self.max_failures {
            entry.until = now + self.refused_for;
        }
    }
}

/// What counts as one address: of IPv6 a network of 64 bits, which anybody may have for himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}
