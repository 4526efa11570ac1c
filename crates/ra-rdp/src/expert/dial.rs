//! Reaching a novice: all its addresses at once, the first that answers wins ([MS-RA] 3.1.5).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use ra_connstring::{Endpoint, Host};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;

use super::ExpertOptions;
use crate::RdpError;

/// Most endpoints of a connection string that are tried, and most addresses of a name.
const MOST: usize = 64;

/// Connects to all endpoints at the same time. The first connection wins, the others are dropped. A name is looked
/// up on a thread that nobody can interrupt: one that is given up goes on until the system has an answer.
///
/// # Errors
/// [`RdpError::Configuration`] when there is no endpoint; [`RdpError::Unreachable`]; [`RdpError::TimedOut`].
pub async fn dial(endpoints: &[Endpoint<'_>], options: &ExpertOptions) -> Result<TcpStream, RdpError> {
    if endpoints.is_empty() {
        return Err(RdpError::Configuration("the invitation has no address"));
    }
    let (limit, source) = (options.address_timeout, options.source);
    let mut tries = JoinSet::new();
    for endpoint in endpoints.iter().take(MOST) {
        let endpoint = endpoint.clone().into_owned();
        tries.spawn(async move { reach(&endpoint, limit, source).await });
    }
    let stream = timeout(options.dial_timeout, first(&mut tries)).await.map_err(|_| RdpError::TimedOut)?;
    stream.ok_or(RdpError::Unreachable(endpoints.len()))
}

/// The first stream that a task brings. The other tasks end with the set.
async fn first(tries: &mut JoinSet<Option<TcpStream>>) -> Option<TcpStream> {
    while let Some(tried) = tries.join_next().await {
        if let Ok(Some(stream)) = tried {
            return Some(stream);
        }
    }
    None
}

async fn reach(endpoint: &Endpoint<'_>, limit: Duration, source: Option<IpAddr>) -> Option<TcpStream> {
    let mut tries = JoinSet::new();
    for address in timeout(limit, addresses(endpoint)).await.unwrap_or_default() {
        tries.spawn(async move { timeout(limit, connect(address, source)).await.ok().flatten() });
    }
    first(&mut tries).await
}

/// The addresses of an endpoint; a scope may be a number, or a name that only the system knows.
async fn addresses(endpoint: &Endpoint<'_>) -> Vec<SocketAddr> {
    let port = endpoint.port;
    let name = match &endpoint.host {
        Host::Ipv4(address) => return vec![SocketAddr::from((*address, port))],
        Host::Ipv6 { address, scope: None } => return vec![SocketAddr::from((*address, port))],
        Host::Ipv6 { address, scope: Some(scope) } => match scope.parse() {
            Ok(number) => return vec![SocketAddr::V6(SocketAddrV6::new(*address, port, 0, number))],
            Err(_) => format!("{address}%{scope}"),
        },
        Host::Name(name) => name.to_string(),
        _ => return Vec::new(),
    };
    lookup_host((name.as_str(), port)).await.map(|found| found.take(MOST).collect()).unwrap_or_default()
}

/// Connects from an own address, if one is given: never to an address of the other family.
pub(super) async fn connect(address: SocketAddr, source: Option<IpAddr>) -> Option<TcpStream> {
    let stream = match source {
        None => TcpStream::connect(address).await,
        Some(source) => {
            let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            let socket = socket.ok()?;
            socket.bind((source, 0).into()).ok()?;
            socket.connect(address).await
        }
    };
    debug!(reached = stream.is_ok(), "an address was tried");
    stream.ok()
}
