//! Standard RDP security between our expert and our novice ([MS-RDPBCGR] 5.3), and who may look into TLS.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use ra_connstring::Endpoint;
use ra_rdp::rdp_standard_security::{Error, Level, Method, Methods};
use ra_rdp::{
    ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, NoviceOptions, Protection, RdpError, Security,
    dial,
};
use ra_session::{Event, ExpertError, KeyPolicy, Reason, Role, ServerKey, Version};
use remassist_core::from_hex;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::pair::{LIMIT, Pair, Seen, Setup, listening};
use crate::relay::Relay;
use crate::session::whole;

const METHODS: [(Methods, Method, u8); 3] = [
    (Methods::BIT_40, Method::Bits40, 40),
    (Methods::BIT_56, Method::Bits56, 56),
    (Methods::BIT_128, Method::Bits128, 128),
];

/// What passed between the two.
#[derive(Debug, Default)]
struct Passed {
    /// MCS Send Data and fast path with the flag of encryption, from expert and novice.
    encrypted: [usize; 2],
    /// Without it.
    clear: [usize; 2],
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// X.224, and what MCS has but data.
    Connecting,
    SlowPath {
        encrypted: bool,
    },
    FastPath {
        encrypted: bool,
    },
}

fn kind(frame: &[u8]) -> Kind {
    match frame {
        // Send Data Request and Indication; the length of the data takes one byte or two.
        [3, _, _, _, 2, 0xF0, 0x80, 0x64 | 0x68, _, _, _, _, _, 0x80..=0xFF, _, flags, ..]
        | [3, _, _, _, 2, 0xF0, 0x80, 0x64 | 0x68, _, _, _, _, _, _, flags, ..] => {
            Kind::SlowPath { encrypted: flags & 8 != 0 }
        }
        [3, ..] => Kind::Connecting,
        [header, ..] => Kind::FastPath { encrypted: header & 0x80 != 0 },
        [] => panic!("an empty frame"),
    }
}

/// Counts what passes, after somebody has changed it.
fn counting(mut change: impl FnMut(Role, &mut [u8]) + Send + 'static) -> (Arc<Mutex<Passed>>, Relay) {
    let passed = Arc::new(Mutex::new(Passed::default()));
    let counted = Arc::clone(&passed);
    let look = move |from, frame: &mut Vec<u8>| {
        change(from, frame);
        let (mut passed, from) = (counted.lock().unwrap(), usize::from(from == Role::Novice));
        match kind(frame) {
            Kind::Connecting => {}
            Kind::SlowPath { encrypted: true } | Kind::FastPath { encrypted: true } => {
                passed.encrypted[from] += 1
            }
            Kind::SlowPath { encrypted: false } | Kind::FastPath { encrypted: false } => {
                passed.clear[from] += 1
            }
        }
    };
    (passed, Relay::looking(look))
}

#[tokio::test]
async fn whole_sessions_of_all_versions_with_keys_of_all_lengths() {
    for version in Version::ALL {
        for (methods, ..) in METHODS {
            let mut setup = Setup::encrypted(version, methods);
            let (passed, relay) = counting(|_, _| {});
            setup.relay = Some(relay);
            whole(setup).await;
            let passed = passed.lock().unwrap();
            // The Security Exchange PDU; nothing of the novice, as it encrypts the license, too.
            assert_eq!(passed.clear, [1, 0], "{version:?} {methods:?}");
            assert!(passed.encrypted.iter().all(|n| *n > 400), "{version:?} {methods:?}: {passed:?}");
        }
    }
}

#[tokio::test]
async fn the_first_event_tells_of_protection_and_key() {
    for (methods, _, bits) in METHODS {
        let mut pair = Pair::of(Setup::encrypted(Version::V2, methods)).await;
        let first = pair.expert().next().await.unwrap();
        let protection = Protection::Rc4 { bits, both_ways: true };
        assert_eq!(first, Some(ExpertEvent::Connected { protection, key: ServerKey::Match }));
    }
    for (security, protection) in [(Security::Tls, Protection::Tls), (Security::Rdp, Protection::None)] {
        let mut pair = Pair::new(Version::V2, security).await;
        let first = pair.expert().next().await.unwrap();
        assert_eq!(first, Some(ExpertEvent::Connected { protection, key: ServerKey::Unavailable }));
    }
}

/// Both sides change the keys of each direction after 4,096 packets ([MS-RDPBCGR] 5.3.7).
#[tokio::test]
async fn keys_are_changed_both_ways() {
    const MANY: u16 = 4_200;
    for (methods, ..) in METHODS {
        let mut setup = Setup::encrypted(Version::V2, methods);
        let (passed, relay) = counting(|_, _| {});
        setup.relay = Some(relay);
        let mut pair = Pair::of(setup).await;
        pair.establish().await;
        pair.take_control().await;
        let moved = |x| InputEvent::Pointer { x, y: 7 };
        for hundred in 0..MANY / 100 {
            for n in 0..100 {
                pair.expert().send_input(&[moved(hundred * 100 + n)]).unwrap();
                pair.novice().session().chat().send(&format!("{hundred} {n}")).unwrap();
            }
            pair.hears(Role::Expert, &Event::Chat(format!("{hundred} 99"))).await;
        }
        pair.expert().session().chat().send("done").unwrap();
        pair.hears(Role::Novice, &Event::Chat("done".to_owned())).await;
        assert!(pair.taken().into_iter().eq((0..MANY).map(moved)), "{methods:?}");
        let passed = passed.lock().unwrap().encrypted;
        assert!(passed.iter().all(|n| *n > 4_096), "{methods:?}: {passed:?}");
    }
}

/// Neither side comes together, and the expert has told nothing: not even the Security Exchange PDU went out.
async fn ends_early(mut setup: Setup, change: impl FnMut(Role, &mut [u8]) + Send + 'static) -> RdpError {
    let (passed, relay) = counting(change);
    setup.relay = Some(relay);
    let (novice, expert) = setup.call().await;
    assert!(novice.is_err());
    let passed = passed.lock().unwrap();
    assert_eq!((passed.clear[0], passed.encrypted[0]), (0, 0), "{passed:?}");
    expert.unwrap_err()
}

#[tokio::test]
async fn another_key_ends_it_before_anything_is_told() {
    for version in Version::ALL {
        for policy in [KeyPolicy::Warn, KeyPolicy::Require] {
            let mut setup = Setup::encrypted(version, Methods::BIT_128);
            setup.policy = policy;
            *setup.key.last_mut().unwrap() ^= 1;
            let error = ends_early(setup, |_, _| {}).await;
            let mismatch = ExpertError::ServerKey(ServerKey::Mismatch);
            assert!(matches!(error, RdpError::Expert(e) if e == mismatch), "{error:?}");
        }
    }
}

/// An invitation without KH, and a connection without certificate.
#[tokio::test]
async fn a_key_that_cannot_be_compared() {
    let no_hash: fn(&mut Setup) = |setup| setup.key.clear();
    let no_certificate: fn(&mut Setup) = |setup| {
        setup.novice.standard = None;
        setup.expert.standard.as_mut().unwrap().allow_unencrypted = true;
    };
    // A novice that speaks in clear has shown nothing but a copy of its certificate.
    let low: fn(&mut Setup) = |setup| {
        setup.novice.standard.as_mut().unwrap().1.level = Level::Low;
        setup.expert.standard.as_mut().unwrap().allow_unencrypted = true;
    };
    let all = [
        (low, ServerKey::Unavailable, Protection::Rc4 { bits: 128, both_ways: false }),
        (no_hash, ServerKey::Absent, Protection::Rc4 { bits: 128, both_ways: true }),
        (no_certificate, ServerKey::Unavailable, Protection::None),
    ];
    for (change, verdict, protection) in all {
        let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
        change(&mut setup);
        let error = ends_early(setup, |_, _| {}).await;
        assert!(matches!(error, RdpError::Expert(e) if e == ExpertError::ServerKey(verdict)), "{error:?}");

        let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
        change(&mut setup);
        setup.policy = KeyPolicy::Warn;
        let mut pair = Pair::of(setup).await;
        let first = pair.expert().next().await.unwrap();
        assert_eq!(first, Some(ExpertEvent::Connected { protection, key: verdict }));
        pair.establish().await;
    }
}

#[tokio::test]
async fn by_default_nothing_less_than_128_bits_is_taken() {
    for (methods, ..) in &METHODS[..2] {
        let mut setup = Setup::encrypted(Version::V2, *methods);
        setup.expert.standard = ExpertOptions::default().standard;
        let (novice, expert) = setup.call().await;
        assert_eq!(
            novice.unwrap_err().to_string(),
            "no common encryption method: the client offers 128 bit ([MS-RDPBCGR] 5.3.2.1)"
        );
        assert!(expert.is_err());
    }
    for any in [Security::Rdp, Security::Any] {
        let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
        setup.expert.security = any;
        setup.expert.standard = ExpertOptions::default().standard;
        setup.novice.standard = None;
        let error = ends_early(setup, |_, _| {}).await;
        assert_eq!(error.to_string(), "the server selected no encryption ([MS-RDPBCGR] 5.3.2)");
    }
}

#[tokio::test]
async fn fips_is_never_offered() {
    let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
    setup.expert.standard.as_mut().unwrap().methods = Methods::BIT_128.or(Methods::FIPS);
    let server = setup.listen().await;
    let config = setup.expert_config(server.addresses().unwrap()[0]);
    let dialling = ExpertConnection::dial(config, &setup.expert);
    let error = timeout(LIMIT, dialling).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "FIPS and unknown methods of encryption cannot be offered");
}

/// The value of a block of the Connect Initial or Connect Response ([MS-RDPBCGR] 2.2.1.3.1).
fn block(frame: &mut [u8], header: [u8; 2]) -> Option<&mut [u8]> {
    let connecting = frame.starts_with(&[3]) && matches!(frame.get(7..9), Some([0x7F, 0x65 | 0x66]));
    // What is searched for stands nowhere else.
    let at = frame.windows(2).position(|two| two == header).filter(|_| connecting)?;
    frame.get_mut(at + 4..)
}

const CS_SECURITY: [u8; 2] = [2, 0xC0];
const SC_SECURITY: [u8; 2] = [2, 0x0C];

/// Someone between the two changes what the novice has selected.
#[tokio::test]
async fn a_selection_that_is_not_taken() {
    let unwanted = |method: u8, level: u8| {
        ends_early(Setup::encrypted(Version::V2, Methods::BIT_128), move |from, frame| {
            if let (Role::Novice, Some(block)) = (from, block(frame, SC_SECURITY)) {
                assert_eq!(block[..8], [2, 0, 0, 0, 3, 0, 0, 0]);
                (block[0], block[4]) = (method, level);
            }
        })
    };
    let errors = [
        (0x10, 4, "the server selected FIPS, which is not supported ([MS-RDPBCGR] 5.3.2)"),
        (2, 4, "the server selected FIPS, which is not supported ([MS-RDPBCGR] 5.3.2)"),
        (8, 3, "the server selected the methods 56 bit, which were not offered ([MS-RDPBCGR] 2.2.1.3.3)"),
        (0, 3, "encryption method 0x0 does not go with level 3 ([MS-RDPBCGR] 5.3.2)"),
        (0, 0, "the server selected no encryption ([MS-RDPBCGR] 5.3.2)"),
        (2, 1, "the peer does not offer the security that is demanded"),
    ];
    for (method, level, words) in errors {
        assert_eq!(unwanted(method, level).await.to_string(), words);
    }
}

/// A novice that takes more than was offered, as it was told another offer.
#[tokio::test]
async fn a_method_that_was_not_offered() {
    let mut setup = Setup::encrypted(Version::V2, Methods::BIT_40);
    setup.novice.standard.as_mut().unwrap().1.methods = Methods::BIT_128;
    let error = ends_early(setup, |from, frame| {
        if let (Role::Expert, Some(block)) = (from, block(frame, CS_SECURITY)) {
            assert_eq!(block[..4], [1, 0, 0, 0]);
            block[0] = 2;
        }
    });
    let error = error.await;
    let selected = Methods::BIT_128;
    assert!(
        matches!(error, RdpError::Standard(Error::NotOffered { selected: s }) if s == selected),
        "{error:?}"
    );
}

#[tokio::test]
async fn encryption_in_one_direction_is_for_who_needs_none() {
    let low = || {
        let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
        setup.novice.standard.as_mut().unwrap().1.level = Level::Low;
        setup
    };
    let error = ends_early(low(), |_, _| {}).await;
    assert!(matches!(error, RdpError::Security), "{error:?}");
    // Who needs none still takes no other key.
    let mut setup = low();
    setup.expert.standard.as_mut().unwrap().allow_unencrypted = true;
    setup.policy = KeyPolicy::Warn;
    setup.key = b"another key".to_vec();
    let error = ends_early(setup, |_, _| {}).await;
    let mismatch = ExpertError::ServerKey(ServerKey::Mismatch);
    assert!(matches!(error, RdpError::Expert(e) if e == mismatch), "{error:?}");
}

/// One byte of one frame is changed on its way, once the session is established.
#[tokio::test]
async fn a_changed_byte_ends_the_connection() {
    for (from, fast) in
        [(Role::Novice, false), (Role::Novice, true), (Role::Expert, false), (Role::Expert, true)]
    {
        let mut setup = Setup::encrypted(Version::V2, Methods::BIT_128);
        let armed = Arc::new(Mutex::new(false));
        let trigger = Arc::clone(&armed);
        setup.relay = Some(Relay::looking(move |sender, frame| {
            let mut armed = trigger.lock().unwrap();
            let wanted =
                if fast { Kind::FastPath { encrypted: true } } else { Kind::SlowPath { encrypted: true } };
            if *armed && sender == from && kind(frame) == wanted {
                *frame.last_mut().unwrap() ^= 0x40;
                *armed = false;
            }
        }));
        let mut pair = Pair::of(setup).await;
        let picture = (from, fast) == (Role::Novice, true);
        if !picture {
            pair.establish().await;
            pair.take_control().await;
        }
        *armed.lock().unwrap() = true;
        match (from, fast) {
            (Role::Novice, false) => pair.novice().session().chat().send("hello").unwrap(),
            // The picture comes by itself.
            (Role::Novice, true) => {}
            (Role::Expert, false) => pair.expert().session().chat().send("hello").unwrap(),
            (Role::Expert, true) => pair.expert().send_input(&[InputEvent::Pointer { x: 1, y: 2 }]).unwrap(),
        }
        let (mut closed, mut error) = (None, None);
        while error.is_none() {
            match pair.step().await {
                (role, Seen::Session(Event::Closed(reason))) if role == from.peer() => closed = Some(reason),
                (role, Seen::End(end)) if role == from.peer() => error = Some(end.unwrap_err()),
                (_, Seen::Session(Event::Chat(_))) => panic!("what was changed is delivered"),
                (_, Seen::Screen(_)) if picture => panic!("a picture that was changed is shown"),
                _ => {}
            }
        }
        assert_eq!(closed, Some(Reason::ConnectionLost));
        assert!(matches!(error, Some(RdpError::Standard(Error::Mac { packet: 1.. }))), "{error:?}");
        let words = error.unwrap().to_string();
        assert!(words.starts_with("the signature of encrypted packet "), "{words}");
        assert!(pair.taken().is_empty(), "input that was changed is delivered");
    }
}

/// Both sides write the same secrets of TLS where they are told to, and no line of it is anything else.
#[tokio::test]
async fn secrets_of_tls_go_to_a_file_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let logs = ["novice", "expert"].map(|name| folder.path().join(name));
    let mut setup = Setup::new(Version::V2, Security::Tls);
    setup.novice.key_log = Some(logs[0].clone());
    setup.expert.key_log = Some(logs[1].clone());
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    let [novice, expert] = logs.map(|log| {
        let text = fs::read_to_string(log).unwrap();
        let lines = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let lines: BTreeSet<_> = lines.collect();
        for line in &lines {
            let [label, random, secret] = &line[..] else { panic!("{line:?}") };
            assert!(label.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_')), "{label}");
            assert!(from_hex(random).is_some_and(|random| random.len() == 32));
            assert!(from_hex(secret).is_some_and(|secret| secret.len() >= 32));
        }
        assert!(lines.iter().any(|line| line[0] == "CLIENT_TRAFFIC_SECRET_0"), "{lines:?}");
        lines
    });
    assert_eq!(novice, expert);
}

#[tokio::test]
async fn an_expert_from_an_own_address() {
    let from = |source: IpAddr| async move {
        let mut server = listening(NoviceOptions::default()).await;
        let address = server.addresses().unwrap()[0];
        let endpoint = address.to_string();
        let endpoints = [Endpoint::parse(&endpoint).unwrap()];
        let mut options = ExpertOptions::default();
        options.source = Some(source);
        let mut stream = timeout(LIMIT, dial(&endpoints, &options)).await.unwrap()?;
        // A request, so that it counts as a caller.
        stream.write_all(&[3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 0, 0]).await.unwrap();
        Ok::<_, RdpError>(timeout(LIMIT, server.accept()).await.unwrap().unwrap().address().ip())
    };
    let second = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    assert_eq!(from(second).await.unwrap(), second);
    // There is no way from one family to the other.
    let other = from(Ipv6Addr::LOCALHOST.into()).await;
    assert!(matches!(other, Err(RdpError::Unreachable(1))), "{other:?}");
}
