//! Ping messages over UDP ([MS-MQQB] 2.1.2, 3.1.7.6 to 3.1.7.8).

use msmq_packet::{Ping, PingFlags};
use uuid::Uuid;

/// A Ping Request of the queue manager `own`. `cookie` is another one each time (PingCookie); `server_class` says that this
/// is a server's operating system.
#[must_use]
pub const fn ping_request(own: Uuid, cookie: u32, server_class: bool) -> Ping {
    let flags = if server_class { PingFlags(0) } else { PingFlags::CLIENT };
    Ping { flags, cookie, queue_manager: own }
}

/// What a Ping Response says to the request with this cookie: whether a session would be accepted; `None` when it answers
/// another request.
#[must_use]
pub const fn ping_answer(response: &Ping, cookie: u32) -> Option<bool> {
    if response.cookie == cookie { Some(!response.flags.contains(PingFlags::REFUSED)) } else { None }
}
