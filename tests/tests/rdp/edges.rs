//! What is legal and rare, and what a hostile peer does: bytes that our own sides do not send.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ra_rdp::{
    ExpertEvent, InputEvent, MouseButton, NoviceOptions, NoviceServer, Picture, RdpError, Rectangle, Security,
};
use ra_session::{Event, FileEvent, FileOffer, Reason, Role, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::pair::{LIMIT, Pair, Seen, Setup, listening, picture};
use crate::relay::Relay;
use crate::session::{Endless, whole};

/// The I/O channel of our novice; the static channels come after it.
const IO: u16 = 1003;

/// Two sides in clear, and what becomes of each frame between them.
fn between(version: Version, look: impl FnMut(Role, &mut Vec<u8>) + Send + 'static) -> Setup {
    let mut setup = Setup::new(version, Security::Rdp);
    setup.relay = Some(Relay::looking(look));
    setup
}

/// Channel and user data of a frame that carries data ([MS-RDPBCGR] 2.2.6.1).
fn user_data(frame: &[u8]) -> Option<(u16, &[u8])> {
    let [3, _, _, _, 2, 0xF0, 0x80, 0x64 | 0x68, _, _, high, low, _, length, rest @ ..] = frame else {
        return None;
    };
    Some((u16::from_be_bytes([*high, *low]), if length & 0x80 == 0 { rest } else { &rest[1..] }))
}

/// A frame that carries them.
fn carried(from: Role, channel: u16, data: &[u8]) -> Vec<u8> {
    let kind = if from == Role::Expert { 0x64 } else { 0x68 };
    let [high, low] = channel.to_be_bytes();
    let length = (data.len() as u16 | 0x8000).to_be_bytes();
    let total = (15 + data.len() as u16).to_be_bytes();
    [&[3, 0, total[0], total[1], 2, 0xF0, 0x80, kind, 0, 6, high, low, 0x70, length[0], length[1]], data]
        .concat()
}

/// Channel, flags and message of a frame with a whole message of a static channel.
fn message(frame: &[u8]) -> Option<(u16, &[u8])> {
    let (channel, data) = user_data(frame)?;
    (channel > IO && data.get(4..8)? == [0x13, 0, 0, 0]).then(|| (channel, &data[8..]))
}

fn chunk(from: Role, channel: u16, flags: u32, message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_le_bytes();
    carried(from, channel, &[&length[..], &flags.to_le_bytes(), message].concat())
}

#[tokio::test]
async fn an_update_without_end() {
    let hostile = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&hostile);
    let setup = between(Version::V2, move |from, frame| {
        if from == Role::Novice && now.swap(false, Ordering::Relaxed) {
            // FIRST, and then NEXT over and over: a bitmap of more than 32 MiB.
            for n in 0..2_200 {
                let kind = if n == 0 { 0x21 } else { 0x31 };
                frame.extend([0, 0x80 | 0x3F, 0xF6, kind, 0xF0, 0x3F]);
                frame.resize(frame.len() + 0x3FF0, 7);
            }
        }
    });
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    hostile.store(true, Ordering::Relaxed);
    pair.novice().session().chat().send("now").unwrap();
    loop {
        match pair.step().await {
            (Role::Expert, Seen::End(Err(RdpError::Protocol(what)))) => {
                return assert_eq!(what, "an update that is too long");
            }
            (Role::Expert, Seen::End(other)) => panic!("{other:?}"),
            _ => {}
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_takes_nothing_for_too_long_is_given_up() {
    let mut setup = Setup::new(Version::V2, Security::Tls);
    setup.novice.keep_alive = Some(Duration::from_secs(1));
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.novice().send_file(FileOffer::new("endless", 1 << 50), Endless).unwrap();
    pair.file_data().await;
    let end = async {
        loop {
            match pair.novice().next().await {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    };
    let end = timeout(LIMIT, end).await.expect("it waits for ever");
    assert!(matches!(&end, Err(RdpError::Io(e)) if e.kind() == io::ErrorKind::TimedOut), "{end:?}");
}

/// A socket that is closed before all was read of it resets the connection, in the middle of what the other end writes.
#[tokio::test]
async fn the_last_words_of_one_who_goes_without_reading() {
    for security in [Security::Tls, Security::Rdp] {
        let mut pair = Pair::new(Version::V2, security).await;
        pair.establish().await;
        for _ in 0..200 {
            pair.novice().session().chat().send(&"blah ".repeat(100)).unwrap();
        }
        // What fits is sent; the expert reads the beginning.
        while timeout(Duration::ZERO, pair.novice().next()).await.is_ok() {}
        pair.expert().session().chat().send("last words").unwrap();
        while !matches!(
            timeout(LIMIT, pair.expert().next()).await.unwrap().unwrap(),
            Some(ExpertEvent::Session(Event::Chat(_)))
        ) {}
        pair.drop_side(Role::Expert);
        pair.novice().session().chat().send("what?").unwrap();
        pair.hears(Role::Novice, &Event::Chat("last words".to_owned())).await;
        assert_eq!(pair.ends().await[1], (Some(Reason::ConnectionLost), Ok(())));
    }
}

/// [MS-RDPBCGR] 3.1.5.2.2, 2.2.6.1.1: whole messages without flags, and chunks that ask to suspend and resume.
#[tokio::test]
async fn chunks_that_few_send() {
    for version in [Version::V1, Version::V3] {
        whole(between(version, |from, frame| {
            if let Some((channel, message)) = message(frame) {
                let plain = chunk(from, channel, 0, message);
                let (suspend, resume) = (chunk(from, channel, 0x20, b""), chunk(from, channel, 0x40, b""));
                *frame = [suspend, plain, resume].concat();
            }
        }))
        .await;
    }
}

/// [MS-RDPEDYC] 2.2.1.1, 2.2.1.2.
#[tokio::test]
async fn compressed_data_is_not_promised() {
    for (asked, answered) in [(1, 1), (2, 2), (3, 2)] {
        let answer = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&answer);
        let setup = between(Version::V3, move |from, frame| match (from, message(frame)) {
            (Role::Novice, Some((channel, [0x50, 0, 1, 0]))) if asked > 1 => {
                *frame = chunk(from, channel, 3, &[0x50, 0, asked, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            (Role::Expert, Some((_, [0x50, 0, version, 0]))) => *heard.lock().unwrap() = Some(*version),
            _ => {}
        });
        Pair::of(setup).await.establish().await;
        assert_eq!(*answer.lock().unwrap(), Some(answered));
    }
}

/// The expert says Close ([MS-RDPEDYC] 2.2.4) where it should answer Create.
#[tokio::test]
async fn a_channel_that_is_closed_before_it_is_open() {
    let hostile = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&hostile);
    let mut closed = None;
    let setup = between(Version::V3, move |from, frame| match (from, message(frame)) {
        (Role::Expert, Some((channel, [0x10, id, 0, 0, 0, 0]))) if now.swap(false, Ordering::Relaxed) => {
            let close = [0x40, *id];
            closed = Some(chunk(Role::Novice, channel, 3, &close));
            *frame = chunk(from, channel, 3, &close);
        }
        (Role::Novice, _) => {
            // Our expert has to know what it is said to have done.
            if let Some(close) = closed.take() {
                frame.splice(..0, close);
            }
        }
        _ => {}
    });
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    hostile.store(true, Ordering::Relaxed);
    let offer =
        |pair: &mut Pair| pair.novice().send_file(FileOffer::new("a", 3), io::Cursor::new(b"abc")).unwrap();
    let first = offer(&mut pair);
    let failed = |_, seen: &Seen| matches!(seen, Seen::Session(Event::File(FileEvent::Failed { id, .. })) if *id == first);
    pair.until(failed).await;
    let second = offer(&mut pair);
    pair.hears(Role::Novice, &Event::File(FileEvent::Sent { id: second })).await;
}

/// [MS-RDPBCGR] 2.2.8.1.1.3: all input of a session, as events of the slow path.
#[tokio::test]
async fn input_on_the_slow_path() {
    whole(between(Version::V2, |from, frame| {
        if from == Role::Expert && frame[0] & 3 == 0 {
            *frame = carried(from, IO, &slow_path(frame));
        }
    }))
    .await;
}

/// An Input Event PDU with the events of a fast-path frame.
fn slow_path(frame: &[u8]) -> Vec<u8> {
    let mut rest = &frame[if frame[1] & 0x80 == 0 { 2 } else { 3 }..];
    let mut count = frame[0] >> 2 & 0xF;
    if count == 0 {
        (count, rest) = (rest[0], &rest[1..]);
    }
    let mut events = vec![count, 0, 0, 0];
    for _ in 0..count {
        let (code, flags) = (rest[0] >> 5, rest[0] & 0x1F);
        // RELEASE, EXTENDED and EXTENDED1.
        let keyboard = [0, (flags & 1) << 7 | flags >> 1 & 3];
        let (kind, parameters, length): (u16, Vec<u8>, usize) = match code {
            0 => (4, [keyboard, [rest[1], 0], [0, 0]].concat(), 2),
            1 => (0x8001, rest[1..7].to_vec(), 7),
            2 => (0x8002, rest[1..7].to_vec(), 7),
            4 => (5, [keyboard, [rest[1], rest[2]], [0, 0]].concat(), 3),
            _ => panic!("an event of kind {code}"),
        };
        events.extend([0; 4]);
        events.extend(kind.to_le_bytes());
        events.extend(parameters);
        rest = &rest[length..];
    }
    let length = (18 + events.len() as u16).to_le_bytes();
    let header =
        [length[0], length[1], 0x17, 0, 0xEF, 3, 1, 0, 1, 0, 0, 1, length[0], length[1], 28, 0, 0, 0];
    [&header[..], &events].concat()
}

/// Where a capability set begins, after its header.
fn capability(frame: &[u8], kind: u8, length: u8) -> Option<usize> {
    let header = [kind, 0, length, 0];
    user_data(frame)?;
    frame.windows(4).position(|window| window == header).map(|at| at + 4)
}

/// [MS-RDPBCGR] 2.2.7.1.6: Unicode, the horizontal wheel and extended buttons have flags of their own.
#[tokio::test]
async fn input_that_the_novice_does_not_know() {
    let key = InputEvent::Key { scan_code: 0x1E, extended: false, down: true };
    let unicode = InputEvent::Unicode { unit: 0xE5, down: true };
    let wheel = |horizontal| InputEvent::Wheel { delta: 120, horizontal };
    let button = InputEvent::Button { button: MouseButton::Extended1, down: true };
    let at = InputEvent::Pointer { x: 0, y: 0 };
    for (known, wanted) in [
        (true, vec![key, unicode, key, wheel(true), wheel(false), at, button]),
        (false, vec![key, wheel(false)]),
    ] {
        let setup = between(Version::V2, move |from, frame| {
            if let (Role::Novice, Some(flags), false) = (from, capability(frame, 0x0D, 0x58), known) {
                // INPUT_FLAG_SCANCODES and INPUT_FLAG_FASTPATH_INPUT2.
                frame[flags..flags + 2].copy_from_slice(&[0x21, 0]);
            }
        });
        let mut pair = Pair::of(setup).await;
        pair.establish().await;
        pair.take_control().await;
        let sent = pair.expert().send_input(&[key, unicode]).map_err(|e| e.to_string());
        let refused = "the peer does not keep to RDP: the novice takes no Unicode input";
        assert_eq!(sent, if known { Ok(()) } else { Err(refused.to_owned()) });
        pair.expert().send_input(&[key, wheel(true), wheel(false), button]).unwrap();
        pair.expert().session().chat().send("done").unwrap();
        pair.hears(Role::Novice, &Event::Chat("done".to_owned())).await;
        assert_eq!(pair.taken(), wanted);
    }
}

/// [MS-RDPBCGR] 1.3.1.3: the novice takes its screen away and gives another one.
#[tokio::test]
async fn a_screen_of_another_size() {
    let again = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&again);
    let mut activation: Vec<Vec<u8>> = Vec::new();
    let setup = between(Version::V2, move |from, frame| {
        let Some((IO, data)) = user_data(frame).filter(|_| from == Role::Novice) else {
            if from == Role::Novice && now.swap(false, Ordering::Relaxed) {
                // Deactivate All, and the end of the connection sequence once more.
                frame.extend(carried(from, IO, &[13, 0, 0x16, 0, 0xEA, 3, 0, 0, 1, 0, 1, 0, 0]));
                frame.extend(activation.concat());
            }
            return;
        };
        // Demand Active, and the five Data PDUs after it.
        if data[2..4] == [0x11, 0] {
            activation.push(frame.clone());
            let size = capability(frame, 2, 28).unwrap() + 8;
            activation[0][size..size + 4].copy_from_slice(&[64, 0, 48, 0]);
        } else if (1..6).contains(&activation.len()) {
            activation.push(frame.clone());
        }
    });
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.shows(&picture()).await;
    again.store(true, Ordering::Relaxed);
    pair.novice().session().chat().send("look").unwrap();
    let (_, seen) = pair.until(|_, seen| matches!(seen, Seen::Screen(_))).await;
    let whole = Rectangle { x: 0, y: 0, width: 64, height: 48 };
    assert!(matches!(seen, Seen::Screen(changed) if changed == whole), "{seen:?}");
    assert_eq!(pair.expert().screen(), Picture::new(64, 48));
}

/// [MS-RDPBCGR] 2.2.7.1.1, 2.2.7.1.2: an expert that wants headers, or fewer colours.
#[tokio::test]
async fn the_screen_as_the_expert_wants_it() {
    // Bits of a pixel, and what is left of its bytes.
    for (bits, mask) in [(32, [0xFF; 3]), (24, [0xFF; 3]), (16, [0xF8, 0xFC, 0xF8]), (15, [0xF8; 3])] {
        for header in [false, true] {
            let seen = Arc::new(Mutex::new(BTreeSet::new()));
            let bitmaps = Arc::clone(&seen);
            let setup = between(Version::V2, move |from, frame| match from {
                Role::Expert => {
                    if let (Some(general), true) = (capability(frame, 1, 24), header) {
                        // NO_BITMAP_COMPRESSION_HDR of extraFlags.
                        frame[general + 11] &= !4;
                    }
                    if let Some(bitmap) = capability(frame, 2, 28) {
                        frame[bitmap] = bits;
                    }
                }
                // bitsPerPixel and flags of the first bitmap of an update.
                Role::Novice if frame[0] & 3 == 0 => {
                    let update = if frame[1] & 0x80 == 0 { 2 } else { 3 };
                    let flags = u16::from_le_bytes([frame[update + 21], frame[update + 22]]);
                    bitmaps.lock().unwrap().insert((frame[update + 19], flags));
                }
                Role::Novice => {}
            });
            let mut pair = Pair::of(setup).await;
            pair.establish().await;
            let visible = |mut picture: Picture| {
                let pixels = picture.pixels_mut().chunks_mut(4);
                pixels.flat_map(|pixel| pixel.iter_mut().zip(mask)).for_each(|(byte, mask)| *byte &= mask);
                picture
            };
            while visible(pair.expert().screen()) != visible(picture()) {
                pair.until(|_, seen| matches!(seen, Seen::Screen(_))).await;
            }
            // BITMAP_COMPRESSION, NO_BITMAP_COMPRESSION_HDR.
            let flags = if bits < 32 {
                0
            } else if header {
                1
            } else {
                0x401
            };
            assert!(seen.lock().unwrap().iter().eq(&[(bits, flags)]), "{bits} {header}: {seen:?}");
        }
    }
}

/// X.224 connection request without negotiation ([MS-RDPBCGR] 2.2.1.1).
const REQUEST: [u8; 11] = [3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 0, 0];

/// Somebody who asks for a connection.
async fn call(server: &NoviceServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.addresses().unwrap()[0]).await.unwrap();
    stream.write_all(&REQUEST).await.unwrap();
    stream
}

#[tokio::test]
async fn both_families_can_have_the_same_port() {
    let port = |server: &NoviceServer| server.addresses().unwrap()[0].port();
    let bind = |address: &str, port| {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        async move { NoviceServer::bind(&[address], NoviceOptions::default()).await }
    };
    let six = match bind("::", 0).await {
        Ok(server) => server,
        Err(error) => return println!("no IPv6 here: {error}"),
    };
    let four = bind("0.0.0.0", port(&six)).await.unwrap();
    assert_eq!(port(&four), port(&six));
}

#[tokio::test]
async fn the_oldest_of_many_who_say_nothing_gives_way() {
    let mut options = NoviceOptions::default();
    options.connect_timeout = 10 * LIMIT;
    let mut server = listening(options).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(server.addresses().unwrap()[0]).await.unwrap());
    }
    let expert = call(&server).await;
    let caller = timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    assert_eq!(caller.address(), expert.local_addr().unwrap());
    // One of them has waited in vain, and the youngest has not.
    assert_eq!(timeout(LIMIT, silent[0].read(&mut [0])).await.unwrap().unwrap(), 0);
    let last = silent.last_mut().unwrap();
    last.write_all(&REQUEST).await.unwrap();
    let caller = timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    assert_eq!(caller.address(), last.local_addr().unwrap());
}

/// The machine sleeps, and with it the clock that the novice waits for.
#[tokio::test(start_paused = true)]
async fn an_invitation_expires_while_the_machine_sleeps() {
    // As long as something blocks, the clock stands still.
    let (awake, asleep) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || asleep.recv());
    let mut options = NoviceOptions::default();
    options.valid_for = Some(Duration::from_nanos(1));
    let mut server = listening(options).await;
    let _expert = call(&server).await;
    let caller = server.accept().await;
    assert!(matches!(caller, Err(RdpError::Expired)), "{caller:?}");
    drop(awake);
}

/// In a process of its own, which may open next to nothing.
#[cfg(unix)]
#[test]
fn a_novice_that_is_out_of_descriptors_goes_on_when_there_are_some() {
    const CHILD: &str = "REMASSIST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
        let name = std::thread::current().name().unwrap().to_owned();
        let ended = shell.args(["--exact", &name]).env(CHILD, "1").output().unwrap();
        let told = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = listening(NoviceOptions::default()).await;
        let _expert = call(&server).await;
        let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let nobody = timeout(Duration::from_millis(300), server.accept()).await;
        assert!(nobody.is_err(), "{nobody:?}");
        drop(taken);
        timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    });
}
