//! Tickets for experts who asked for one: no file, no password.

use ra_connstring::Endpoint;
use ra_rdp::{ExpertConnection, FileType, MadeTicket, NoviceServer, RdpError};
use ra_session::{Attempts, Credentials, Event, ExpertConfig, NoviceConfig, Reason, Role, Version};
use tokio::time::timeout;

use crate::pair::{LIMIT, Pair, Seen, Setup};

/// Both sides: the novice lets in the first ticket, the expert has the second.
async fn with(server: &mut NoviceServer, lets_in: &MadeTicket, has: &Credentials) -> Pair {
    let setup = Setup::new(Version::V2, ra_rdp::Security::Tls);
    let novice = NoviceConfig::new([lets_in.credentials.clone()]);
    let expert = ExpertConfig::new(has.clone());
    let accepting = async {
        let caller = server.accept().await.unwrap();
        server.connect(caller, novice, Attempts::new(5), setup.display, setup.input).await
    };
    let both = async { tokio::join!(accepting, ExpertConnection::dial(expert, &setup.expert)) };
    let (novice, expert) = timeout(LIMIT, both).await.unwrap();
    Pair::joined(expert.unwrap(), novice.unwrap(), setup.taken)
}

#[tokio::test]
async fn a_ticket_lets_in_without_a_password() {
    for (form, version) in [(FileType::Type1, Version::V1), (FileType::Type2, Version::V2)] {
        let mut server = Setup::new(version, ra_rdp::Security::Tls).listen().await;
        let tickets = server.tickets(Vec::new()).unwrap();
        let ticket = tickets.make(form).unwrap();
        // All that the expert was told.
        let told = Credentials::dcom(ticket.connection_string.expose()).unwrap();
        let mut pair = with(&mut server, &ticket, &told).await;
        assert_eq!(pair.establish().await, version);
    }
}

#[tokio::test]
async fn another_ticket_does_not() {
    let mut server = Setup::new(Version::V2, ra_rdp::Security::Tls).listen().await;
    let tickets = server.tickets(Vec::new()).unwrap();
    let [one, other] = [(); 2].map(|()| tickets.make(FileType::Type2).unwrap());
    assert_ne!(one.connection_string.expose(), other.connection_string.expose());
    let mut pair = with(&mut server, &one, &other.credentials).await;
    let (role, seen) = pair
        .until(|role, seen| {
            assert!(
                !matches!(seen, Seen::Session(Event::Established(_) | Event::AskView { .. })),
                "{seen:?}"
            );
            role == Role::Novice && matches!(seen, Seen::Session(Event::Closed(_)))
        })
        .await;
    assert!(matches!(seen, Seen::Session(Event::Closed(Reason::NotVerified))), "{role:?} {seen:?}");
}

#[tokio::test]
async fn connection_string_1_has_no_ipv6_address() {
    let server = Setup::new(Version::V2, ra_rdp::Security::Tls).listen().await;
    let endpoint = |text| Endpoint::parse(text).unwrap().into_owned();
    let both = vec![endpoint("[2001:db8::7]:3389"), endpoint("192.0.2.7:3389")];
    let tickets = server.tickets(both.clone()).unwrap();
    assert_eq!(tickets.addresses(), both);
    let one = tickets.make(FileType::Type1).unwrap().connection_string;
    assert!(one.expose().contains("192.0.2.7:3389") && !one.expose().contains("2001"));
    assert!(tickets.make(FileType::Type2).unwrap().connection_string.expose().contains("2001:db8::7"));
    let none = server.tickets(both[..1].to_vec()).unwrap().make(FileType::Type1);
    assert!(matches!(none, Err(RdpError::Configuration(_))));
    // Nothing lets anybody in who reads a log.
    let ticket = tickets.make(FileType::Type2).unwrap();
    let id = ticket.connection_string.expose().split('"').nth(3).unwrap().to_owned();
    assert!(!format!("{ticket:?}").contains(&id));
}
