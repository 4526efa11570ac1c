//! What a server does not let happen to it. No test measures a time; timeouts of servers are short where one is waited for.

use std::time::Duration;

use rpc_net::{
    AuditEvent, ConnectOptions, Connection, Credentials, Error, Reason, Refusal, RefusedConnection,
    RefusedLogon, RejectReason, ServerOptions, Status,
};
use testkit::echo::{self, Echo, Fate, INTERFACE, other};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_millis(200);

fn disconnected(event: &AuditEvent, wanted: Reason) -> bool {
    matches!(event, AuditEvent::Disconnected { why, .. } if *why == wanted)
}

#[tokio::test]
async fn connections_are_limited_in_all_and_by_address() {
    for (all, of_address, wanted) in
        [(2, 9, RefusedConnection::TooMany), (9, 2, RefusedConnection::TooManyFromAddress)]
    {
        let mut options = ServerOptions::default();
        options.max_connections = all;
        options.max_connections_per_address = of_address;
        let (server, audit) = echo::serve(options).await;
        let first = echo::interface(&server, &echo::options()).await;
        let second = echo::interface(&server, &echo::options()).await;
        let third = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
        assert!(matches!(third.interface(INTERFACE).await, Err(Error::Closed(_) | Error::Io(_))));
        let why = audit.take().into_iter().find_map(|event| match event {
            AuditEvent::ConnectionRefused { why, .. } => Some(why),
            _ => None,
        });
        assert_eq!(why, Some(wanted));
        drop(first);
        audit.until(|event| matches!(event, AuditEvent::Disconnected { .. })).await;
        // The count goes down after the event.
        tokio::task::yield_now().await;
        let fourth = echo::interface(&server, &echo::options()).await;
        for interface in [second, fourth] {
            assert!(interface.call(Echo::WHO, None, Vec::new()).await.is_ok());
        }
    }
}

#[tokio::test]
async fn an_address_with_too_many_failed_logons_is_refused() {
    let mut options = ServerOptions::default();
    options.max_failed_logons = 3;
    let (server, audit) = echo::serve(options).await;
    // A connection from before, of one who knows the password.
    let before = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    let interface = before.interface(INTERFACE).await.unwrap();
    let wrong = ConnectOptions::new(Credentials::new("DOM", "Alice", "wrong"));
    for _ in 0..3 {
        let wrong = echo::interface(&server, &wrong).await;
        let denied = Err(Error::Fault(Status::ACCESS_DENIED));
        assert_eq!(wrong.call(Echo::WHO, None, Vec::new()).await, denied);
    }
    let refused = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    assert!(matches!(refused.interface(INTERFACE).await, Err(Error::Closed(_) | Error::Io(_))));
    // Who is logged on stays so, but nobody logs on, neither on this connection.
    assert!(interface.call(Echo::WHO, None, Vec::new()).await.is_ok());
    let error = before.interface(other(1)).await.unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::Fault(Status::ACCESS_DENIED)));
    let events = audit.take();
    let why = RefusedConnection::FailedLogons;
    assert!(events.iter().any(|e| matches!(e, AuditEvent::ConnectionRefused { why: w, .. } if *w == why)));
    let why = RefusedLogon::FailedLogons;
    assert!(events.iter().any(|e| matches!(e, AuditEvent::LogonRefused { why: w, .. } if *w == why)));
}

#[tokio::test]
async fn failed_logons_are_forgotten() {
    let mut options = ServerOptions::default();
    options.max_failed_logons = 1;
    options.refused_for = Duration::ZERO;
    let (server, _) = echo::serve(options).await;
    let wrong = ConnectOptions::new(Credentials::new("DOM", "Alice", "wrong"));
    for _ in 0..3 {
        let wrong = echo::interface(&server, &wrong).await;
        assert!(wrong.call(Echo::WHO, None, Vec::new()).await.is_err());
        let right = echo::interface(&server, &echo::options()).await;
        assert!(right.call(Echo::WHO, None, Vec::new()).await.is_ok());
    }
}

#[tokio::test]
async fn security_and_presentation_contexts_are_limited() {
    let mut options = ServerOptions::default();
    options.rpc.max_security = 2;
    let (server, _) = echo::serve(options).await;
    let connection = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    let first = connection.interface(other(1)).await.unwrap();
    connection.interface(other(2)).await.unwrap();
    let error = connection.interface(other(3)).await.unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::Fault(Status::PROTO_ERROR)));
    assert!(first.call(Echo::WHO, None, Vec::new()).await.is_ok());

    let mut options = ServerOptions::default();
    options.rpc.max_contexts = 3;
    let (server, _) = echo::serve(options).await;
    let connection = Connection::connect(server.local_addrs()[0], &echo::options()).await.unwrap();
    let first = connection.interface(other(1)).await.unwrap();
    connection.interface(other(2)).await.unwrap();
    connection.interface(other(3)).await.unwrap();
    let error = connection.interface(other(4)).await.unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::Bind(RejectReason::LOCAL_LIMIT_EXCEEDED)));
    assert!(first.call(Echo::WHO, None, Vec::new()).await.is_ok());
}

#[tokio::test]
async fn who_says_nothing_or_never_comes_to_a_call_is_cut_off() {
    let mut options = ServerOptions::default();
    options.handshake_timeout = SOON;
    let (server, audit) = echo::serve(options).await;
    let mut silent = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    assert!(audit.take().iter().any(|event| disconnected(event, Reason::TimedOut)));
    // The beginning of a header.
    let mut slow = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    slow.write_all(&[5, 0, 11]).await.unwrap();
    assert_eq!(slow.read(&mut [0]).await.unwrap(), 0);
    let bound = echo::interface(&server, &echo::options()).await;
    while !bound.connection().is_closed() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(bound.call(Echo::WHO, None, Vec::new()).await, Err(Error::Closed(_))));
}

#[tokio::test]
async fn who_has_no_calls_for_long_is_cut_off_but_nobody_whose_call_takes_long() {
    let mut options = ServerOptions::default();
    options.idle_timeout = SOON;
    let (server, audit, echo) = echo::serve_echo(options).await;
    let interface = echo::interface(&server, &echo::options()).await;
    let waiting = interface.clone();
    let waiting = tokio::spawn(async move { waiting.call(Echo::WAIT, None, vec![7]).await });
    echo.until(1, 0).await;
    tokio::time::sleep(3 * SOON).await;
    echo.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().stub, [7]);
    audit.until(|event| disconnected(event, Reason::TimedOut)).await;
}

#[tokio::test]
async fn who_does_not_take_replies_is_cut_off() {
    let mut options = ServerOptions::default();
    options.write_timeout = SOON;
    let (server, audit) = echo::serve(options).await;
    // Nothing of the server's arrives behind the relay once the calls have begun.
    let relay = echo::relay(server.local_addrs()[0], |client, number, _| match (client, number) {
        (false, 1) => Fate::Stall,
        _ => Fate::Pass,
    });
    let connection = Connection::connect(relay.await, &echo::options()).await.unwrap();
    let interface = connection.interface(INTERFACE).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let interface = interface.clone();
        calls.spawn(async move { interface.call(Echo::BIG, None, (4_u32 << 20).to_le_bytes().into()).await });
    }
    audit.until(|event| disconnected(event, Reason::TimedOut)).await;
}

#[tokio::test]
async fn a_shutdown_lets_calls_end_and_takes_no_new_ones() {
    let (server, audit, echo) = echo::serve_echo(ServerOptions::default()).await;
    let address = server.local_addrs()[0];
    let interface = echo::interface(&server, &echo::options()).await;
    let idle = echo::interface(&server, &echo::options()).await;
    let waiting = interface.clone();
    let waiting = tokio::spawn(async move { waiting.call(Echo::WAIT, None, vec![7]).await });
    echo.until(1, 0).await;
    let ending = tokio::spawn(server.shutdown());
    // Connections without calls end at once.
    audit.until(|event| disconnected(event, Reason::Local)).await;
    assert!(matches!(idle.call(Echo::WHO, None, Vec::new()).await, Err(Error::Closed(_))));
    assert!(!ending.is_finished());
    echo.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().stub, [7]);
    ending.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever_and_a_dropped_server_stops() {
    for dropped in [false, true] {
        let mut options = ServerOptions::default();
        options.shutdown_timeout = SOON;
        let (server, _, echo) = echo::serve_echo(options).await;
        let interface = echo::interface(&server, &echo::options()).await;
        let waiting = tokio::spawn(async move { interface.call(Echo::WAIT, None, vec![7]).await });
        echo.until(1, 0).await;
        if dropped {
            drop(server);
        } else {
            server.shutdown().await;
        }
        assert!(matches!(waiting.await.unwrap(), Err(Error::Closed(_))));
        echo.until(1, 1).await;
    }
}

#[tokio::test]
async fn a_client_that_is_gone_takes_its_calls_along() {
    let (server, audit, echo) = echo::serve_echo(ServerOptions::default()).await;
    let interface = echo::interface(&server, &echo::options()).await;
    let waiting = tokio::spawn(async move { interface.call(Echo::WAIT, None, vec![7]).await });
    echo.until(1, 0).await;
    waiting.abort();
    echo.until(1, 1).await;
    audit.until(|event| disconnected(event, Reason::ConnectionLost)).await;
}
