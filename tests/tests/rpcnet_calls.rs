//! Our client with our server over loopback: it proves nothing of either, but that both hold their promises.

mod common {
    pub mod rpc;
}

use std::sync::Arc;

use common::rpc::{self, Echo, INTERFACE, other};
use rpc_net::{
    AuditEvent, AuthLevel, ConnectOptions, Connection, Credentials, Error, Mechanism, Refusal, RefusedLogon,
    SecurityCode, Server, ServerOptions, Status,
};

#[tokio::test]
async fn calls_are_answered_at_every_level_by_both_mechanisms() {
    let (server, audit) = rpc::serve(ServerOptions::default()).await;
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        for level in [AuthLevel::INTEGRITY, AuthLevel::PRIVACY] {
            let mut options = rpc::options();
            options.mechanism = mechanism.clone();
            options.level = level;
            let interface = rpc::interface(&server, &options).await;
            for len in [0, 1, 15, 16, 17, 5000, 5840, 100_000] {
                let stub: Vec<u8> = (0..=255).cycle().take(len).collect();
                let reply = interface.call(Echo::REVERSE, None, stub.clone()).await.unwrap();
                assert!(reply.stub.iter().rev().eq(stub.iter()), "{mechanism:?} {level} {len}");
            }
            let who = interface.call(Echo::WHO, None, Vec::new()).await.unwrap();
            assert_eq!(String::from_utf8(who.stub).unwrap(), format!("Some(\"DOM\\\\Alice\") {level}"));
        }
    }
    let logons = audit.take().into_iter().filter(|e| matches!(e, AuditEvent::LoggedOn { .. })).count();
    assert_eq!(logons, 4);
    server.shutdown().await;
}

#[tokio::test]
async fn a_wrong_password_gets_nothing() {
    let (server, audit) = rpc::serve(ServerOptions::default()).await;
    for (mechanism, user) in [
        (Mechanism::Ntlm, "Alice"),
        (Mechanism::Negotiate, "Alice"),
        (Mechanism::Ntlm, "nobody"),
        (Mechanism::Negotiate, "nobody"),
    ] {
        let mut options = ConnectOptions::new(Credentials::new("DOM", user, "wrong"));
        options.mechanism = mechanism.clone();
        let connection = Connection::connect(server.local_addrs()[0], &options).await.unwrap();
        let result = match connection.interface(INTERFACE).await {
            // The last token of NTLM has no answer: the first call tells.
            Ok(interface) => interface.call(Echo::WHO, None, Vec::new()).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let denied = [Error::Fault(Status::ACCESS_DENIED), Error::Refused(Refusal::Fault(Status::ACCESS_DENIED))];
        assert!(denied.contains(&result.unwrap_err()), "{mechanism:?} {user} {result:?}");
        let refused = audit.take().into_iter().find_map(|event| match event {
            AuditEvent::LogonRefused { user, why, .. } => Some((user, why)),
            AuditEvent::LoggedOn { .. } => panic!("{event:?}"),
            _ => None,
        });
        assert_eq!(refused, Some((user.to_owned(), RefusedLogon::WrongCredentials)));
    }
}
