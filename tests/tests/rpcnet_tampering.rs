//! Somebody stands between our client and our server.

use rpc_net::{
    AuditEvent, AuthLevel, ConnectOptions, Connection, Credentials, Error, Mechanism, Reason, RefusedLogon,
    ServerOptions, Status,
};
use testkit::echo::{self, Echo, Fate, INTERFACE, other};

/// How the logon ended, when one did.
fn refused(events: &[AuditEvent]) -> Option<RefusedLogon> {
    assert!(!events.iter().any(|event| matches!(event, AuditEvent::LoggedOn { .. })), "{events:?}");
    events.iter().find_map(|event| match event {
        AuditEvent::LogonRefused { why, .. } => Some(*why),
        _ => None,
    })
}

/// Where `needle` stands.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[tokio::test]
async fn a_wrong_password_without_mic_gets_nothing() {
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        // sspi, asked alone, takes this for a success: without MIC it proves nothing.
        let relay = echo::relay(server.local_addrs()[0], |client, number, pdu| {
            if client && number == 1 {
                let at = find(pdu, &[6, 0, 4, 0, 2, 0, 0, 0]).unwrap();
                pdu[at + 4] = 0;
            }
            Fate::Pass
        });
        let mut options = ConnectOptions::new(Credentials::new("DOM", "Alice", "wrong"));
        options.mechanism = mechanism;
        let connection = Connection::connect(relay.await, &options).await.unwrap();
        let result = match connection.interface(INTERFACE).await {
            Ok(interface) => interface.call(Echo::WHO, None, Vec::new()).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(result.is_err());
        assert_eq!(refused(&audit.take()), Some(RefusedLogon::WrongCredentials));
    }
}

#[tokio::test]
async fn a_mic_that_was_changed_gets_nothing() {
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    let relay = echo::relay(server.local_addrs()[0], |client, number, pdu| {
        if client && number == 1 {
            let at = find(pdu, b"NTLMSSP\0").unwrap();
            pdu[at + 72] ^= 1;
        }
        Fate::Pass
    });
    let connection = Connection::connect(relay.await, &echo::options()).await.unwrap();
    let interface = connection.interface(INTERFACE).await.unwrap();
    let result = interface.call(Echo::WHO, None, Vec::new()).await;
    assert_eq!(result, Err(Error::Fault(Status::ACCESS_DENIED)));
    assert_eq!(refused(&audit.take()), Some(RefusedLogon::WrongCredentials));
}

#[tokio::test]
async fn every_byte_of_a_first_request_is_proved_before_the_caller_counts() {
    for level in [AuthLevel::INTEGRITY, AuthLevel::PRIVACY] {
        // The object UUID, stub data, the signature: flags and lengths of the header break the PDU itself.
        for from_end in [false, true] {
            let (server, audit) = echo::serve(ServerOptions::default()).await;
            let relay = echo::relay(server.local_addrs()[0], move |client, number, pdu| {
                if client && number == 2 {
                    let at = if from_end { pdu.len() - 10 } else { 26 };
                    pdu[at] ^= 1;
                }
                Fate::Pass
            });
            let mut options = echo::options();
            options.level = level;
            let connection = Connection::connect(relay.await, &options).await.unwrap();
            let interface = connection.interface(INTERFACE).await.unwrap();
            let result = interface.call(Echo::REVERSE, None, vec![0; 64]).await;
            assert_eq!(result, Err(Error::Fault(Status::SEC_PKG_ERROR)), "{level} {from_end}");
            let closed = |event: &AuditEvent| {
                matches!(event, AuditEvent::Disconnected { why: Reason::Security(_), .. })
            };
            audit.until(closed).await;
            assert_eq!(refused(&audit.take()), Some(RefusedLogon::WrongSignature));
        }
    }
}

#[tokio::test]
async fn a_reply_that_was_changed_ends_the_connection() {
    for (mechanism, reply) in [(Mechanism::Ntlm, 1), (Mechanism::Negotiate, 2)] {
        let (server, _) = echo::serve(ServerOptions::default()).await;
        let relay = echo::relay(server.local_addrs()[0], move |client, number, pdu| {
            if !client && number == reply {
                pdu[26] ^= 1;
            }
            Fate::Pass
        });
        let mut options = echo::options();
        options.mechanism = mechanism;
        let connection = Connection::connect(relay.await, &options).await.unwrap();
        let interface = connection.interface(INTERFACE).await.unwrap();
        let result = interface.call(Echo::REVERSE, None, vec![0; 64]).await;
        assert!(matches!(result, Err(Error::Closed(Reason::Security(_)))), "{result:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_gets_no_call() {
    // The challenge is changed on its way: the client proves something else, and the answer is not the server's.
    let (server, audit) = echo::serve(ServerOptions::default()).await;
    let relay = echo::relay(server.local_addrs()[0], |client, number, pdu| {
        if !client && number == 0 {
            let at = find(pdu, b"NTLMSSP\0").unwrap();
            pdu[at + 24] ^= 1;
        }
        Fate::Pass
    });
    let mut options = echo::options();
    options.mechanism = Mechanism::Negotiate;
    let connection = Connection::connect(relay.await, &options).await.unwrap();
    assert!(connection.interface(INTERFACE).await.is_err());
    assert_eq!(refused(&audit.take()), Some(RefusedLogon::WrongCredentials));
}

#[tokio::test]
async fn a_connection_cut_at_any_pdu_is_a_typed_error() {
    for mechanism in [Mechanism::Ntlm, Mechanism::Negotiate] {
        for cut in 0..8 {
            for side in [true, false] {
                let (server, audit) = echo::serve(ServerOptions::default()).await;
                let relay = echo::relay(server.local_addrs()[0], move |client, number, _| {
                    if client == side && number == cut { Fate::Cut } else { Fate::Pass }
                });
                let mut options = echo::options();
                options.mechanism = mechanism.clone();
                let connection = Connection::connect(relay.await, &options).await.unwrap();
                let result = async {
                    for number in 0..3 {
                        let interface = connection.interface(other(number)).await?;
                        interface.call(Echo::REVERSE, None, vec![0; 64]).await?;
                    }
                    Ok(())
                };
                if let Err(error) = result.await {
                    assert!(matches!(error, Error::Closed(_) | Error::Io(_)), "{error:?}");
                }
                drop(connection);
                // The server is through with it too.
                audit.until(|event| matches!(event, AuditEvent::Disconnected { .. })).await;
            }
        }
    }
}

#[tokio::test]
async fn garbage_is_no_panic_and_no_logon() {
    for flip in 0..160 {
        for pdu_number in 0..2 {
            let (server, audit) = echo::serve(ServerOptions::default()).await;
            let relay = echo::relay(server.local_addrs()[0], move |client, number, pdu| {
                if client && number == pdu_number {
                    // Behind the length, without which the relay would not know where it ends.
                    let at = 16 + flip * (pdu.len() - 16) / 160;
                    pdu[at] ^= 0x5A;
                }
                Fate::Pass
            });
            let mut options = echo::options();
            options.bind_timeout = std::time::Duration::from_secs(5);
            let connection = Connection::connect(relay.await, &options).await.unwrap();
            if let Ok(interface) = connection.interface(INTERFACE).await {
                let _ = interface.call(Echo::REVERSE, None, vec![0; 64]).await;
            }
            drop(connection);
            audit.until(|event| matches!(event, AuditEvent::Disconnected { .. })).await;
            if pdu_number == 1 {
                let events = audit.take();
                let logons =
                    events.iter().filter(|event| matches!(event, AuditEvent::LoggedOn { .. })).count();
                // The padding of the PDU and of names is proved by nothing.
                assert!(logons <= 1);
            }
        }
    }
}
