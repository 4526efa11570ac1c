//! Our expert with our novice over real RDP on loopback.

mod pair;
mod relay;
mod security;

use std::fmt::{Debug, Write as _};
use std::io::{self, Read};
use std::sync::{Mutex, Once};
use std::time::Duration;

use ra_channel::ErrorCode;
use ra_connstring::Endpoint;
use ra_rdp::{
    ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, MouseButton, RdpError, Security, dial,
};
use ra_session::{
    Attempts, ControlEvent, EndedBy, Event, ExpertConfig, FileEvent, FileFailure, FileOffer, KeyPolicy,
    Misuse, NoviceConfig, Reason, TakeBack, Version,
};
use tokio::time::timeout;

use pair::{LIMIT, PASSWORD, Pair, STUB, Seen, Setup, credentials, picture, server};

/// Everything that a session has, once.
async fn whole(setup: Setup) {
    let version = setup.version;
    let mut pair = Pair::of(setup).await;
    pair.establish(version).await;

    // The picture.
    while pair.expert().screen() != picture() {
        pair.until(|seen| matches!(seen, Seen::Expert(ExpertEvent::Screen(_)))).await;
    }

    // Chat.
    pair.expert().session().chat().send("Hello Nora!").unwrap();
    pair.novice_hears(&Event::Chat("Hello Nora!".to_owned())).await;
    pair.novice().session().chat().send("Hej Erik, åäö").unwrap();
    pair.expert_hears(&Event::Chat("Hej Erik, åäö".to_owned())).await;

    // Control, and input while it is shared.
    let key = |down| InputEvent::Key { scan_code: 0x1E, extended: false, down };
    let refused = pair.expert().send_input(&[key(true)]);
    assert!(matches!(refused, Err(RdpError::Session(Misuse::WrongState))), "{refused:?}");
    pair.expert().session().request_control().unwrap();
    pair.expert_hears(&Event::Control(ControlEvent::Granted)).await;
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
    pair.novice_hears(&Event::Chat("done".to_owned())).await;
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
    pair.novice_hears(&Event::Chat("late".to_owned())).await;
    wanted.extend([
        InputEvent::Pause { down: false },
        InputEvent::Button { button: MouseButton::Right, down: false },
        InputEvent::Unicode { unit: 0xE5, down: false },
        InputEvent::Key { scan_code: 0x48, extended: true, down: false },
    ]);
    assert_eq!(pair.taken(), wanted);
    let ended = Event::Control(ControlEvent::Ended(EndedBy::PanicKey));
    if pair.expert().session().is_controlling() {
        pair.expert_hears(&ended).await;
    }
    assert!(pair.expert().send_input(&[key(true)]).is_err());

    // A file each way, longer than what may wait to be sent.
    let file = |salt: u32| (0..300_000_u32).flat_map(move |n| (n ^ salt).to_le_bytes()).collect::<Vec<u8>>();
    for salt in [1, 2] {
        let bytes = file(salt);
        let offer = FileOffer::new("driver.zip", bytes.len().try_into().unwrap());
        let source = io::Cursor::new(bytes.clone());
        let sent = if salt == 1 {
            pair.expert().send_file(offer, source)
        } else {
            pair.novice().send_file(offer, source)
        };
        sent.unwrap();
        let complete = |seen: &Seen| match seen {
            Seen::Novice(Event::File(FileEvent::Complete { .. })) => salt == 1,
            Seen::Expert(ExpertEvent::Session(Event::File(FileEvent::Complete { .. }))) => salt == 2,
            _ => false,
        };
        pair.until(complete).await;
        let came = std::mem::take(&mut pair.files);
        assert!(came.into_values().eq([bytes]), "the file is another one");
    }

    pair.expert().session().close();
    assert_eq!(pair.ends().await, [(Some(Reason::Local), true), (Some(Reason::Peer), true)]);
}

#[tokio::test]
async fn version_1() {
    whole(Setup::new(Version::V1, Security::Tls)).await;
}

#[tokio::test]
async fn version_2() {
    whole(Setup::new(Version::V2, Security::Tls)).await;
}

#[tokio::test]
async fn version_3() {
    whole(Setup::new(Version::V3, Security::Tls)).await;
}

#[tokio::test]
async fn version_1_without_tls() {
    whole(Setup::new(Version::V1, Security::Rdp)).await;
}

#[tokio::test]
async fn version_2_without_tls() {
    whole(Setup::new(Version::V2, Security::Rdp)).await;
}

#[tokio::test]
async fn version_3_without_tls() {
    whole(Setup::new(Version::V3, Security::Rdp)).await;
}

#[tokio::test]
async fn the_novice_ends_it() {
    for version in [Version::V1, Version::V2, Version::V3] {
        let mut pair = Pair::new(version, Security::Tls).await;
        pair.establish(version).await;
        pair.novice().session().close();
        assert_eq!(pair.ends().await, [(Some(Reason::Peer), true), (Some(Reason::Local), true)]);
    }
}

#[tokio::test]
async fn control_is_refused() {
    let mut pair = Pair::new(Version::V2, Security::Tls).await;
    pair.control = false;
    pair.establish(Version::V2).await;
    pair.expert().session().request_control().unwrap();
    pair.novice_hears(&Event::Control(ControlEvent::Requested)).await;
    pair.novice().session().refuse_control().unwrap();
    pair.expert_hears(&Event::Control(ControlEvent::Refused)).await;
    assert!(pair.expert().send_input(&[InputEvent::Pointer { x: 0, y: 0 }]).is_err());
    assert!(pair.taken().is_empty());
}

/// As many bytes as are wanted.
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        Ok(buffer.len())
    }
}

#[tokio::test]
async fn a_peer_is_gone_in_the_middle_of_a_file() {
    for novice_goes in [true, false] {
        let mut pair = Pair::new(Version::V2, Security::Tls).await;
        pair.establish(Version::V2).await;
        let offer = FileOffer::new("huge", 1 << 40);
        let sent = if novice_goes {
            pair.expert().send_file(offer, Endless)
        } else {
            pair.novice().send_file(offer, Endless)
        };
        sent.unwrap();
        let data = |seen: &Seen| {
            matches!(
                seen,
                Seen::Novice(Event::File(FileEvent::Data { .. }))
                    | Seen::Expert(ExpertEvent::Session(Event::File(FileEvent::Data { .. })))
            )
        };
        pair.until(data).await;
        if novice_goes {
            pair.novice = None;
        } else {
            pair.expert = None;
        }
        let failed = |seen: &Seen| {
            matches!(
                seen,
                Seen::Novice(Event::File(FileEvent::Failed { .. }))
                    | Seen::Expert(ExpertEvent::Session(Event::File(FileEvent::Failed { .. })))
            )
        };
        pair.until(failed).await;
        let ends = pair.ends().await;
        assert!(ends.iter().any(|(reason, _)| *reason == Some(Reason::ConnectionLost)), "{ends:?}");
    }
}

#[tokio::test]
async fn a_source_that_is_too_short_fails_the_transfer() {
    let mut pair = Pair::new(Version::V2, Security::Tls).await;
    pair.establish(Version::V2).await;
    let id = pair.expert().send_file(FileOffer::new("short", 1_000_000), io::Cursor::new(vec![1; 400_000]));
    let failed = FileEvent::Failed { id: id.unwrap(), why: FileFailure::Cancelled };
    pair.expert_hears(&Event::File(failed)).await;
    let end = |seen: &Seen| matches!(seen, Seen::Novice(Event::File(FileEvent::Failed { .. })));
    pair.until(end).await;
    pair.expert().session().chat().send("sorry").unwrap();
    pair.novice_hears(&Event::Chat("sorry".to_owned())).await;
}

#[tokio::test]
async fn a_wrong_password() {
    for version in [Version::V1, Version::V2, Version::V3] {
        let mut setup = Setup::new(version, Security::Tls);
        setup.password = "Pass124!";
        let mut pair = Pair::of(setup).await;
        let mut closed = [None; 2];
        while pair.expert.is_some() || pair.novice.is_some() {
            match pair.step().await {
                Seen::Expert(ExpertEvent::Session(Event::Closed(reason))) => closed[0] = Some(reason),
                Seen::Novice(Event::Closed(reason)) => closed[1] = Some(reason),
                Seen::Expert(ExpertEvent::Session(Event::Established(_) | Event::Verified))
                | Seen::Novice(Event::Established(_) | Event::Verified | Event::AskView { .. })
                | Seen::Expert(ExpertEvent::Screen(_)) => panic!("an expert without password"),
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

#[tokio::test]
async fn security_that_is_not_to_be_had() {
    for (novice, expert) in [(Security::Rdp, Security::Tls), (Security::Tls, Security::Rdp)] {
        let mut server = server(novice).await;
        let address = server.addresses().unwrap()[0];
        let accepting = async {
            let config = NoviceConfig::new([credentials(Version::V2, address, PASSWORD)]);
            let stream = server.accept().await.unwrap();
            let display = Box::new(picture());
            server.connect(stream, config, Attempts::new(5), display, Box::new(ra_rdp::NoInput)).await
        };
        let config = ExpertConfig::new(credentials(Version::V2, address, PASSWORD));
        let mut options = ExpertOptions::default();
        options.security = expert;
        let both = async { tokio::join!(accepting, ExpertConnection::dial(config, &options)) };
        let (novice, expert) = timeout(LIMIT, both).await.unwrap();
        assert!(matches!(novice, Err(RdpError::Security)), "{novice:?}");
        assert!(matches!(expert, Err(RdpError::Security)), "{expert:?}");
    }
}

#[tokio::test]
async fn a_key_that_must_be_compared_ends_it_before_anything_is_told() {
    let mut server = server(Security::Tls).await;
    let address = server.addresses().unwrap()[0];
    let accepting = async {
        let config = NoviceConfig::new([credentials(Version::V2, address, PASSWORD)]);
        let stream = server.accept().await.unwrap();
        let display = Box::new(picture());
        server.connect(stream, config, Attempts::new(5), display, Box::new(ra_rdp::NoInput)).await
    };
    let mut config = ExpertConfig::new(credentials(Version::V2, address, PASSWORD));
    config.key_policy = KeyPolicy::Require;
    let options = ExpertOptions::default();
    let both = async { tokio::join!(accepting, ExpertConnection::dial(config, &options)) };
    let (novice, expert) = timeout(LIMIT, both).await.unwrap();
    assert!(matches!(expert, Err(RdpError::Expert(_))), "{expert:?}");
    assert!(novice.is_err());
}

#[tokio::test]
async fn an_invitation_that_is_no_longer_valid() {
    log();
    let mut options = ra_rdp::NoviceOptions::default();
    options.valid_for = Some(Duration::ZERO);
    let mut server = pair::listening(options).await;
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
    let config = ExpertConfig::new(credentials(Version::V2, silent.local_addr().unwrap(), PASSWORD));
    let mut options = ExpertOptions::default();
    options.connect_timeout = Duration::from_millis(50);
    let expert = timeout(LIMIT, ExpertConnection::dial(config, &options)).await.unwrap();
    assert!(matches!(expert, Err(RdpError::TimedOut)), "{expert:?}");
}

/// What all crates log in all of these tests: one that came later would miss places that are reached meanwhile.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Log;

impl tracing::field::Visit for &Log {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn Debug) {
        writeln!(LOG.lock().unwrap(), "{value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut &*self);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut &*self);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    for security in [Security::Tls, Security::Rdp] {
        let mut pair = Pair::new(Version::V2, security).await;
        pair.establish(Version::V2).await;
        writeln!(LOG.lock().unwrap(), "{:?}{:?}", pair.expert, pair.novice).unwrap();
        pair.expert().session().close();
        pair.ends().await;
    }
    let text = LOG.lock().unwrap().clone();
    assert!(text.contains("ServerDemandActive"), "IronRDP logs no more: the test proves nothing");
    for secret in [PASSWORD, STUB, "8rYm30"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
