//! What Samba refuses on a connection that goes on.

use ndr_oaut::WideString;
use rpc_net::Connection;
use serde_json::json;

use super::samr::{ALL, ENUMERATE_DOMAINS, close, connect, domains};
use super::types::UnicodeString;
use super::{Calls, Failure, LSARPC, NONE, Outcome, SAMR};

/// LsarGetUserName ([MS-LSAT] 3.1.4.4), which Samba answers on named pipes only.
const GET_USER_NAME: u16 = 45;

pub(crate) async fn ask(calls: &Calls, connection: &Connection) -> Outcome<()> {
    let tell = |what: &str, failure: Option<Failure>| match failure {
        Some(failure) => calls.tell_failure(what, &failure),
        None => calls.tell(what, json!(null)),
    };
    let missing = connection.interface(NONE).await;
    tell("an interface that is not there", missing.err().map(Failure::Rpc));
    let server = connect(calls, ALL).await?;
    tell("an operation that is not there", calls.ask(200, server).await.err());
    tell("parameters that are too short", calls.ask(ENUMERATE_DOMAINS, 0_u32).await.err());
    let closed = connect(calls, ALL).await?;
    close(calls, closed).await?;
    tell("a handle that is closed", domains(calls, closed).await.err());
    // Two more interfaces, each with contexts of its own.
    let second = Calls { interface: connection.interface(LSARPC).await?, name: "lsarpc" };
    let (nobody, no_name) = (None::<WideString<'_>>, None::<UnicodeString>);
    let asked = second.ask(GET_USER_NAME, (nobody, no_name, Some(None::<UnicodeString>))).await;
    tell("an interface for named pipes only", asked.err());
    let third = Calls { interface: connection.interface(SAMR).await?, name: "samr" };
    // All of that has left the connection as it was; handles belong to all of it.
    for calls in [calls, &third, calls] {
        calls.tell("EnumerateDomains", json!(domains(calls, server).await?));
    }
    close(&third, server).await
}
