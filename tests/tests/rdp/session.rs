//! Whole sessions, and how connections begin and end.

use std::io::{self, Read};
use std::time::Duration;

use ra_channel::ErrorCode;
use ra_connstring::Endpoint;
use ra_rdp::rdp_standard_security::Methods;
use ra_rdp::{
    Downloads, ExpertConnection, ExpertOptions, InputEvent, MouseButton, NoviceOptions, Protection, RdpError,
    Security, dial,
};
use ra_session::{
    Attempts, ControlEvent, EndedBy, Event, FileEvent, FileFailure, FileOffer, KeyPolicy, Misuse, Reason,
    Role, ServerKey, TakeBack, Version,
};
use tokio::time::timeout;

use crate::pair::{ID, LIMIT, PASSWORD, Pair, STUB, Seen, Setup, listening, picture};
use crate::relay::{Kill, Relay};
use crate::tools::{Random, keep_log, log};

/// Everything that a session has, once.
pub async fn whole(setup: Setup) {
    let version = setup.version;
    let pair = Pair::of(setup).await;
    whole_of(pair, version).await;
}

async fn whole_of(mut pair: Pair, version: Version) {
    assert_eq!(pair.establish().await, version);

    // The picture.
    pair.shows(&picture()).await;

    // Chat.
    pair.expert().session().chat().send("Hello Nora!").unwrap();
    pair.hears(Role::Novice, &Event::Chat("Hello Nora!".to_owned())).await;
    pair.novice().session().chat().send("Hej Erik, åäö").unwrap();
    pair.hears(Role::Expert, &Event::Chat("Hej Erik, åäö".to_owned())).await;

    // Control, and input while it is shared.
    let key = |down| InputEvent::Key { scan_code: 0x1E, extended: false, down };
    let refused = pair.expert().send_input(&[key(true)]);
    assert!(matches!(refused, Err(RdpError::Session(Misuse::WrongState))), "{refused:?}");
    pair.take_control().await;
    let events = [
        key(true),
        key(false),
        InputEvent::Key { scan_code: 0x48, extended: true, down: true },
        InputEvent::Unicode { unit: 0xE5, down: true },
        InputEvent::Pointer { x: 17, y: 149 },
        InputEvent::Button { button: MouseButton::Right, down: true },
        InputEvent::Wheel { delta: -120, horizontal: false },
        InputEvent::Pause { down: true },
        InputEvent::Button { button: MouseButton::Extended2, down: true },
        InputEvent::Button { button: MouseButton::Extended2, down: false },
        // Not pressed: nothing is released.
        key(false),
    ];
    pair.expert().send_input(&events).unwrap();
    pair.expert().session().chat().send("done").unwrap();
    pair.hears(Role::Novice, &Event::Chat("done".to_owned())).await;
    let mut wanted = events.to_vec();
    wanted.pop();
    // A button says where it is pressed.
    for at in [5, 9, 11] {
        wanted.insert(at, InputEvent::Pointer { x: 17, y: 149 });
    }
    assert_eq!(pair.taken(), wanted);

    // The novice takes control back; what is held is released, what is on its way then comes to nothing.
    pair.novice().session().take_control(TakeBack::PanicKey).unwrap();
    pair.expert().send_input(&[key(true)]).unwrap();
    pair.expert().session().chat().send("late").unwrap();
    pair.hears(Role::Novice, &Event::Chat("late".to_owned())).await;
    wanted.extend([
        InputEvent::Pause { down: false },
        InputEvent::Button { button: MouseButton::Right, down: false },
        InputEvent::Unicode { unit: 0xE5, down: false },
        InputEvent::Key { scan_code: 0x48, extended: true, down: false },
    ]);
    assert_eq!(pair.taken(), wanted);
    let ended = Event::Control(ControlEvent::Ended(EndedBy::PanicKey));
    if pair.expert().session().is_controlling() {
        pair.hears(Role::Expert, &ended).await;
    }
    assert!(pair.expert().send_input(&[key(true)]).is_err());

    // A file each way, longer than what may wait to be sent.
    const FILE: u64 = 1_200_000;
    let folder = tempfile::tempdir().unwrap();
    let mut downloads = Downloads::new(folder.path());
    for (from, seed) in [(Role::Expert, 1), (Role::Novice, 2)] {
        pair.side(from).send_file(FileOffer::new("driver.zip", FILE), Random(seed).take(FILE));
        let path = loop {
            let (role, seen) = pair.event().await;
            if let (Seen::Session(event), true) = (seen, role == from.peer())
                && let Some(path) = downloads.follow(&event).unwrap()
            {
                break path;
            }
        };
        let mut sent = Vec::new();
        Random(seed).take(FILE).read_to_end(&mut sent).unwrap();
        assert!(std::fs::read(path).unwrap() == sent, "the file is another one");
    }

    pair.expert().session().close();
    assert_eq!(pair.ends().await, [(Some(Reason::Local), Ok(())), (Some(Reason::Peer), Ok(()))]);
}

#[tokio::test]
async fn with_tls() {
    for version in Version::ALL {
        whole(Setup::new(version, Security::Tls)).await;
    }
}

#[tokio::test]
async fn without_tls() {
    for version in Version::ALL {
        whole(Setup::new(version, Security::Rdp)).await;
    }
}

/// Every wait of both sides is given up at once, and begun again: nothing is lost.
#[tokio::test]
async fn what_is_dropped_while_it_waits_loses_nothing() {
    let setups = Version::ALL.map(|version| Setup::new(version, Security::Tls));
    for setup in setups.into_iter().chain([Setup::encrypted(Version::V2, Methods::BIT_128)]) {
        let version = setup.version;
        let mut pair = Pair::of(setup).await;
        pair.impatient = true;
        whole_of(pair, version).await;
    }
}

#[tokio::test]
async fn the_novice_ends_it() {
    for version in Version::ALL {
        let mut pair = Pair::new(version, Security::Tls).await;
        pair.establish().await;
        pair.novice().session().close();
        assert_eq!(pair.ends().await, [(Some(Reason::Peer), Ok(())), (Some(Reason::Local), Ok(()))]);
    }
}

#[tokio::test]
async fn control_is_refused() {
    let mut pair = Pair::new(Version::V2, Security::Tls).await;
    pair.control = false;
    pair.establish().await;
    pair.expert().session().request_control().unwrap();
    pair.hears(Role::Novice, &Event::Control(ControlEvent::Requested)).await;
    pair.novice().session().refuse_control().unwrap();
    pair.hears(Role::Expert, &Event::Control(ControlEvent::Refused)).await;
    assert!(pair.expert().send_input(&[InputEvent::Pointer { x: 0, y: 0 }]).is_err());
    assert!(pair.taken().is_empty());
}

/// As many bytes as are wanted.
pub struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        Ok(buffer.len())
    }
}

#[tokio::test]
async fn a_peer_is_gone_in_the_middle_of_a_file() {
    for (version, from) in
        Version::ALL.into_iter().flat_map(|v| [Role::Expert, Role::Novice].map(|from| (v, from)))
    {
        for gone in [from, from.peer()] {
            let mut pair = Pair::new(version, Security::Tls).await;
            pair.establish().await;
            pair.side(from).send_file(FileOffer::new("huge", 1 << 40), Endless);
            pair.file_data().await;
            pair.drop_side(gone);
            pair.until(|_, seen| matches!(seen, Seen::Session(Event::File(FileEvent::Failed { .. })))).await;
            let [expert, novice] = pair.ends().await;
            let left = if gone == Role::Expert { novice } else { expert };
            assert_eq!(left.0, Some(Reason::ConnectionLost), "{version:?} {from:?} {gone:?}: {left:?}");
        }
    }
}

#[tokio::test]
async fn a_source_that_is_too_short_fails_the_transfer() {
    let mut pair = Pair::new(Version::V2, Security::Tls).await;
    pair.establish().await;
    let id = pair.expert().send_file(FileOffer::new("short", 1_000_000), io::Cursor::new(vec![1; 400_000]));
    let failed = FileEvent::Failed { id: id.unwrap(), why: FileFailure::Cancelled };
    pair.hears(Role::Expert, &Event::File(failed)).await;
    pair.until(|role, seen| {
        role == Role::Novice && matches!(seen, Seen::Session(Event::File(FileEvent::Failed { .. })))
    })
    .await;
    pair.expert().session().chat().send("sorry").unwrap();
    pair.hears(Role::Novice, &Event::Chat("sorry".to_owned())).await;
}

#[tokio::test]
async fn a_wrong_password() {
    for version in Version::ALL {
        let mut setup = Setup::new(version, Security::Tls);
        setup.password = "Pass124!";
        let mut pair = Pair::of(setup).await;
        let mut closed = [None; 2];
        let mut ended = 0;
        while ended < 2 {
            match pair.step().await {
                (role, Seen::Session(Event::Closed(reason))) => {
                    closed[usize::from(role == Role::Novice)] = Some(reason);
                }
                (_, Seen::Session(Event::Established(_) | Event::Verified | Event::AskView { .. }))
                | (_, Seen::Screen(_)) => panic!("an expert without password"),
                (_, Seen::End(_)) => ended += 1,
                _ => {}
            }
        }
        let wanted = match version {
            Version::V1 => [Reason::Refused(ErrorCode(26)), Reason::NotVerified],
            Version::V2 => [Reason::Refused(ErrorCode::PASSWORDS_DONT_MATCH), Reason::NotVerified],
            Version::V3 => [Reason::WrongToken, Reason::Peer],
        };
        assert_eq!(closed, wanted.map(Some), "{version:?}");
    }
}

/// The connection is killed, and nobody has closed the session: the invitation lets in again, where the server goes on.
#[tokio::test]
async fn the_same_invitation_and_server_after_the_connection_was_lost() {
    for version in Version::ALL {
        for kill in [Kill::Reset, Kill::Finish] {
            let first = Setup::new(version, Security::Tls);
            let mut server = first.listen().await;
            let address = server.addresses().unwrap()[0];
            let relay = Relay::new();
            let (detour, _) = relay.start(address).await;
            let attempts = Attempts::new(5);
            for (way, lost) in [(detour, true), (address, false)] {
                let setup = Setup::new(version, Security::Tls);
                let (novice, expert) = (setup.novice_config(address), setup.expert_config(address));
                let accepting = async {
                    let caller = server.accept().await.unwrap();
                    server.connect(caller, novice, attempts, setup.display, setup.input).await
                };
                let stream = tokio::net::TcpStream::connect(way).await.unwrap();
                let connecting = ExpertConnection::connect(stream, expert, &setup.expert);
                let both = async { tokio::join!(accepting, connecting) };
                let (novice, expert) = timeout(LIMIT, both).await.unwrap();
                let mut pair = Pair::joined(expert.unwrap(), novice.unwrap(), setup.taken);
                if !lost {
                    whole_of(pair, version).await;
                    continue;
                }
                pair.establish().await;
                pair.take_control().await;
                pair.side(Role::Expert).send_file(FileOffer::new("huge", 1 << 40), Endless);
                pair.file_data().await;
                relay.kill(kill);
                let ends = pair.ends().await.map(|end| end.0);
                assert_eq!(ends, [Some(Reason::ConnectionLost); 2], "{version:?} {kill:?}");
            }
        }
    }
}

#[tokio::test]
async fn security_that_is_not_to_be_had() {
    for (novice, expert) in [(Security::Rdp, Security::Tls), (Security::Tls, Security::Rdp)] {
        let mut setup = Setup::new(Version::V2, novice);
        setup.expert.security = expert;
        let (novice, expert) = setup.call().await;
        assert!(matches!(novice, Err(RdpError::Security)), "{novice:?}");
        assert!(matches!(expert, Err(RdpError::Security)), "{expert:?}");
    }
}

#[tokio::test]
async fn an_expert_that_takes_any_security_comes_again_without_tls() {
    for (novice, protection) in [(Security::Rdp, Protection::None), (Security::Tls, Protection::Tls)] {
        let mut setup = Setup::new(Version::V2, novice);
        setup.expert.security = Security::Any;
        let mut pair = Pair::of(setup).await;
        let seen = pair.until(|_, seen| matches!(seen, Seen::Connected(..))).await.1;
        assert!(matches!(seen, Seen::Connected(p, ServerKey::Unavailable) if p == protection), "{seen:?}");
        whole_of(pair, Version::V2).await;
    }
}

#[tokio::test]
async fn a_key_that_must_be_compared_ends_it_before_anything_is_told() {
    let mut setup = Setup::new(Version::V2, Security::Tls);
    setup.policy = KeyPolicy::Require;
    let (novice, expert) = setup.call().await;
    assert!(matches!(expert, Err(RdpError::Expert(_))), "{expert:?}");
    assert!(novice.is_err());
}

#[tokio::test]
async fn an_invitation_that_is_no_longer_valid() {
    let mut options = NoviceOptions::default();
    options.valid_for = Some(Duration::ZERO);
    let mut server = listening(options).await;
    let _caller = tokio::net::TcpStream::connect(server.addresses().unwrap()[0]).await.unwrap();
    let nobody = timeout(LIMIT, server.accept()).await.unwrap();
    assert!(matches!(nobody, Err(RdpError::Expired)), "{nobody:?}");
}

#[tokio::test]
async fn the_first_address_that_answers_wins() {
    log();
    let good = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let texts = [
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("[fe80::1%nowhere]:{port}"),
        format!("localhost:{}", good.local_addr().unwrap().port()),
    ];
    let endpoints: Vec<_> = texts.iter().map(|text| Endpoint::parse(text).unwrap()).collect();
    let options = ExpertOptions::default();
    let stream = timeout(LIMIT, dial(&endpoints, &options)).await.unwrap().unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    let none = timeout(LIMIT, dial(&endpoints[..3], &options)).await.unwrap();
    assert!(matches!(none, Err(RdpError::Unreachable(3))), "{none:?}");
    let nothing = timeout(LIMIT, dial(&[], &options)).await.unwrap();
    assert!(matches!(nothing, Err(RdpError::Configuration(_))), "{nothing:?}");
}

/// A server that accepts and says nothing.
#[tokio::test]
async fn a_silent_server() {
    log();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::new(Version::V2, Security::Tls);
    setup.expert.connect_timeout = Duration::from_millis(50);
    let config = setup.expert_config(silent.local_addr().unwrap());
    let expert = timeout(LIMIT, ExpertConnection::dial(config, &setup.expert)).await.unwrap();
    assert!(matches!(expert, Err(RdpError::TimedOut)), "{expert:?}");
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    log();
    keep_log();
    for security in [Security::Tls, Security::Rdp] {
        for version in Version::ALL {
            let mut pair = Pair::new(version, security).await;
            pair.establish().await;
            let said = Event::Chat("of a dog".to_owned());
            pair.expert().session().chat().send("of a dog").unwrap();
            pair.hears(Role::Novice, &said).await;
            tracing::info!("{:?}", pair.expert());
            tracing::info!("{:?}", pair.novice());
            pair.expert().session().close();
            drop(pair.ends().await);
        }
    }
    let text = keep_log();
    assert!(text.contains("ServerDemandActive"), "IronRDP logs no more: the test proves nothing");
    assert!(text.contains("NoviceConnection"), "our own events are not in it");
    assert!(text.contains("REMOTEDESKTOP_CTL_VERSIONINFO"), "our own messages are not in it");
    assert!(text.contains("127.0.0.1:"), "nobody knows of which connection it is");
    for secret in [PASSWORD, STUB, ID, "of a dog"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
