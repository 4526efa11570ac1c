//! Our client with our server over loopback: it proves nothing of either, but that both hold their promises.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use rpc_net::{
    AuditEvent, AuthLevel, ConnectOptions, Connection, ContextReason, ContextResult, Credentials, Error,
    Features, Mechanism, NoAudit, Reason, Refusal, RefusedLogon, Server, ServerOptions, Status, SyntaxId,
};
use testkit::echo::{self, Echo, INTERFACE, other};
use tokio::net::TcpListener;
use uuid::uuid;

#[tokio::test]
async fn calls_are_answered_at_every_level_by_both_mechanisms() {
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        for level in [AuthLevel::INTEGRITY, AuthLevel::PRIVACY] {
            let mut options = echo::options();
            options.mechanism = mechanism.clone();
            options.level = level;
            let interface = echo::interface(&server, &options).await;
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
    let (server, audit) = echo::serve(ServerOptions::default()).await;
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
        let denied =
            [Error::Fault(Status::ACCESS_DENIED), Error::Refused(Refusal::Fault(Status::ACCESS_DENIED))];
        assert!(denied.contains(&result.unwrap_err()), "{mechanism:?} {user} {result:?}");
        let refused = audit.take().into_iter().find_map(|event| match event {
            AuditEvent::LogonRefused { user, why, .. } => Some((user, why)),
            AuditEvent::LoggedOn { .. } => panic!("{event:?}"),
            _ => None,
        });
        assert_eq!(refused, Some((user.to_owned(), RefusedLogon::WrongCredentials)));
    }
}

#[tokio::test]
async fn nobody_and_connect_level_get_fault_5_where_it_is_not_allowed() {
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    let mut connect = echo::options();
    connect.level = AuthLevel::CONNECT;
    for (options, level) in [(ConnectOptions::default(), AuthLevel::NONE), (connect, AuthLevel::CONNECT)] {
        let interface = echo::interface(&server, &options).await;
        let refused = interface.call(Echo::WHO, None, Vec::new()).await;
        assert_eq!(refused, Err(Error::Fault(Status::ACCESS_DENIED)));
        let allowed = interface.call(Echo::OPEN, None, Vec::new()).await.unwrap();
        // Connect level proves nothing about this call.
        assert_eq!(String::from_utf8(allowed.stub).unwrap(), format!("None {level}"));
        let refused = audit.take().into_iter().any(
            |event| matches!(event, AuditEvent::CallRefused { opnum: Echo::WHO, level: found, .. } if found == level),
        );
        assert!(refused);
    }
}

#[tokio::test]
async fn packet_level_becomes_integrity() {
    let (server, _) = echo::serve(ServerOptions::default()).await;
    let mut options = echo::options();
    options.level = AuthLevel::PACKET;
    let interface = echo::interface(&server, &options).await;
    let who = interface.call(Echo::WHO, None, Vec::new()).await.unwrap();
    let integrity = AuthLevel::INTEGRITY;
    assert_eq!(String::from_utf8(who.stub).unwrap(), format!("Some(\"DOM\\\\Alice\") {integrity}"));
}

#[tokio::test]
async fn faults_of_a_service_arrive() {
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    let interface = echo::interface(&server, &echo::options()).await;
    for (opnum, status) in [
        (Echo::FAULT, Status(0x1234_5678)),
        (Echo::FORBIDDEN, Status::FAULT_UNSPEC),
        (Echo::PANIC, Status::FAULT_UNSPEC),
        (99, Status::OP_RNG_ERROR),
    ] {
        assert_eq!(interface.call(opnum, None, Vec::new()).await, Err(Error::Fault(status)), "{opnum}");
    }
    assert!(audit.take().iter().any(|e| matches!(e, AuditEvent::CallPanicked { opnum: Echo::PANIC, .. })));
    assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
}

#[tokio::test]
async fn an_unknown_interface_is_refused_and_the_connection_goes_on() {
    let (server, _) = echo::serve(ServerOptions::default()).await;
    let connection = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    let unknown = SyntaxId::new(uuid!("00000000-1111-2222-3333-444444444444"), 1, 0);
    for _ in 0..2 {
        let why =
            Refusal::Context(ContextResult::PROVIDER_REJECTION, ContextReason::ABSTRACT_SYNTAX_NOT_SUPPORTED);
        assert_eq!(connection.interface(unknown).await.unwrap_err(), Error::Refused(why));
    }
    let interface = connection.interface(INTERFACE).await.unwrap();
    assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
}

#[tokio::test]
async fn ten_interfaces_of_one_connection_interleave() {
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        let (server, audit) = echo::serve(ServerOptions::default()).await;
        let mut options = echo::options();
        options.mechanism = mechanism;
        let connection = Connection::connect(server.local_addrs()[0], &options).await.unwrap();
        let mut interfaces = Vec::new();
        for number in 0..10 {
            interfaces.push(connection.interface(other(number)).await.unwrap());
        }
        let mut calls = tokio::task::JoinSet::new();
        for round in 0..100_u8 {
            let interface = interfaces[usize::from(round.wrapping_mul(37) % 10)].clone();
            calls.spawn(async move {
                let stub: Vec<u8> = (0..round).cycle().take(usize::from(round) * 300).collect();
                let reply = interface.call(Echo::REVERSE, None, stub.clone()).await.unwrap();
                assert!(reply.stub.iter().rev().eq(stub.iter()));
            });
        }
        while let Some(done) = calls.join_next().await {
            done.unwrap();
        }
        let connections = |event: &AuditEvent| matches!(event, AuditEvent::Connected { .. });
        let logons = |event: &AuditEvent| matches!(event, AuditEvent::LoggedOn { .. });
        let events = audit.take();
        assert_eq!(events.iter().filter(|event| connections(event)).count(), 1);
        assert_eq!(events.iter().filter(|event| logons(event)).count(), 10);
    }
}

#[tokio::test]
async fn a_server_that_grants_one_security_context_gets_one() {
    let mut options = ServerOptions::default();
    options.rpc.features = Features::NONE;
    let (server, audit) = echo::serve(options).await;
    let connection = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    for number in 0..3 {
        let interface = connection.interface(other(number)).await.unwrap();
        assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
    }
    assert_eq!(audit.take().iter().filter(|e| matches!(e, AuditEvent::LoggedOn { .. })).count(), 1);
}

#[tokio::test]
async fn big_replies_arrive_and_too_big_ones_fail() {
    let (server, _) = echo::serve(ServerOptions::default()).await;
    let interface = echo::interface(&server, &echo::options()).await;
    for len in [0_u32, 1, 5000, 1 << 20, 4 << 20] {
        let reply = interface.call(Echo::BIG, None, len.to_le_bytes().into()).await.unwrap();
        assert!(reply.stub.into_iter().eq((0..=255).cycle().take(len as usize)), "{len}");
    }
    let len = (4_u32 << 20) + 1;
    let error = interface.call(Echo::BIG, None, len.to_le_bytes().into()).await.unwrap_err();
    assert!(matches!(error, Error::Closed(Reason::Fragments(_))), "{error:?}");
    assert!(matches!(interface.call(Echo::WHO, None, Vec::new()).await, Err(Error::Closed(_))));
}

#[tokio::test]
async fn calls_are_answered_when_they_are_done_not_in_order() {
    let (server, _, echo) = echo::serve_echo(ServerOptions::default()).await;
    let interface = echo::interface(&server, &echo::options()).await;
    let slow = interface.clone();
    let slow = tokio::spawn(async move { slow.call(Echo::WAIT, None, vec![7]).await });
    echo.until(1, 0).await;
    assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
    echo.gate.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().stub, [7]);
}

#[tokio::test]
async fn more_calls_than_a_connection_may_have_wait() {
    let mut options = ServerOptions::default();
    options.max_calls = 2;
    let (server, _, echo) = echo::serve_echo(options).await;
    let mut options = echo::options();
    options.rpc.max_calls = 3;
    let interface = echo::interface(&server, &options).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..50 {
        let interface = interface.clone();
        calls.spawn(async move {
            assert_eq!(interface.call(Echo::WAIT, None, vec![number]).await.unwrap().stub, [number]);
        });
    }
    echo.until(2, 0).await;
    echo.gate.add_permits(50);
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_call_is_abandoned_and_the_connection_goes_on() {
    let (server, _, echo) = echo::serve_echo(ServerOptions::default()).await;
    let interface = echo::interface(&server, &echo::options()).await;
    let dropped = interface.clone();
    let dropped = tokio::spawn(async move { dropped.call(Echo::WAIT, None, vec![7]).await });
    echo.until(1, 0).await;
    dropped.abort();
    // The server has dropped the call too.
    echo.until(1, 1).await;
    assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
}

#[tokio::test]
async fn a_call_that_takes_too_long_fails_and_the_connection_goes_on() {
    for features in [Features::ALL, Features::NONE] {
        let mut options = ServerOptions::default();
        options.rpc.features = features;
        let (server, _, echo) = echo::serve_echo(options).await;
        let mut options = echo::options();
        options.call_timeout = Duration::from_millis(300);
        let interface = echo::interface(&server, &options).await;
        assert_eq!(interface.call(Echo::WAIT, None, vec![7]).await, Err(Error::TimedOut));
        echo.gate.add_permits(1);
        assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
    }
}

#[tokio::test]
async fn several_addresses_are_served() {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    // Where there is no IPv6 two of IPv4 have to do.
    let second = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
        Ok(v6) => v6,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
    };
    let echo = echo::echo();
    let accounts = Arc::new(echo::accounts());
    let server = Server::serve(vec![v4, second], echo, accounts, Arc::new(NoAudit), ServerOptions::default());
    let server = server.unwrap();
    assert_eq!(server.local_addrs().len(), 2);
    for address in server.local_addrs() {
        let connection = Connection::connect(address, &echo::options()).await.unwrap();
        assert_eq!(connection.peer_addr(), *address);
        let interface = connection.interface(INTERFACE).await.unwrap();
        assert_eq!(interface.call(Echo::REVERSE, None, vec![1, 2]).await.unwrap().stub, [2, 1]);
    }
}

#[tokio::test]
async fn kerberos_does_no_level_but_privacy_and_needs_a_kdc() {
    let (server, _) = echo::serve(ServerOptions::default()).await;
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let mut options = echo::options();
    let service = String::from("host/server.example.com");
    options.mechanism = Mechanism::Kerberos { kdc: nobody.to_string(), service };
    let connection = Connection::connect(server.local_addrs()[0], &options).await.unwrap();
    let code = rpc_net::SecurityCode::NO_AUTHENTICATING_AUTHORITY;
    assert_eq!(connection.interface(INTERFACE).await.unwrap_err(), Error::Security(code));
    options.level = AuthLevel::INTEGRITY;
    let connection = Connection::connect(server.local_addrs()[0], &options).await.unwrap();
    assert_eq!(connection.interface(INTERFACE).await.unwrap_err(), Error::UnsupportedLevel);
}

#[test]
fn secrets_do_not_show() {
    let options = echo::options();
    let hash = rpc_net::NtHash::of_password(echo::PASSWORD);
    let shown = format!("{options:?} {:?} {hash:?} {:?}", echo::accounts(), hash.to_hex());
    assert!(!shown.contains("pass w") && !shown.contains(hash.to_hex().expose()), "{shown}");
}
