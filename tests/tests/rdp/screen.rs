//! The screen and the input of our novice: what ends a session, what is looked at, what is released, what is ignored.

use std::io;
use std::sync::{Arc, Mutex};

use ra_channel::ErrorCode;
use ra_rdp::{DisplaySource, InputEvent, InputSink, MouseButton, Picture, Security, test_picture};
use ra_session::{Reason, Role, Version};

use crate::pair::{End, LIMIT, Pair, Setup, picture};
use crate::relay::Relay;
use crate::tools::Random;

fn setup() -> Setup {
    Setup::new(Version::V2, Security::Tls)
}

/// A screen that others change.
#[derive(Clone)]
struct Shared(Arc<Mutex<Screen>>);

struct Screen {
    now: Result<Picture, &'static str>,
    changed: bool,
    captured: u32,
}

impl Shared {
    fn new(picture: Picture) -> Self {
        Self(Arc::new(Mutex::new(Screen { now: Ok(picture), changed: true, captured: 0 })))
    }

    fn set(&self, now: Result<Picture, &'static str>) {
        let mut screen = self.0.lock().unwrap();
        (screen.now, screen.changed) = (now, true);
    }
}

impl DisplaySource for Shared {
    fn size(&self) -> (u16, u16) {
        self.0.lock().unwrap().now.as_ref().map_or((1, 1), |now| (now.width(), now.height()))
    }

    fn changed(&mut self) -> io::Result<bool> {
        let mut screen = self.0.lock().unwrap();
        screen.now.as_ref().map_err(|why| io::Error::other(*why))?;
        Ok(std::mem::take(&mut screen.changed))
    }

    fn capture(&mut self, picture: &mut Picture) -> io::Result<()> {
        let mut screen = self.0.lock().unwrap();
        screen.captured += 1;
        picture.clone_from(screen.now.as_ref().unwrap());
        Ok(())
    }
}

/// Shows a picture, then does something to the screen.
async fn after_the_picture(then: Result<Picture, &'static str>) -> [End; 2] {
    let screen = Shared::new(picture());
    let mut setup = setup();
    setup.display = Box::new(screen.clone());
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.shows(&picture()).await;
    screen.set(then);
    pair.ends().await
}

#[tokio::test]
async fn another_size_ends_the_session() {
    let [expert, novice] = after_the_picture(Ok(test_picture(150, 202))).await;
    assert_eq!(novice, (Some(Reason::ScreenEnded(ErrorCode::SHADOW_END_CONFIG_CHANGE)), Ok(())));
    assert!(matches!(expert, (Some(_), Ok(()))), "{expert:?}");
}

#[tokio::test]
async fn a_screen_that_cannot_be_read_ends_the_session() {
    let [expert, novice] = after_the_picture(Err("switched off")).await;
    let words = "the screen cannot be read: switched off".to_owned();
    assert_eq!(novice, (Some(Reason::ConnectionLost), Err(words)));
    assert!(matches!(expert, (Some(_), _)), "{expert:?}");
}

#[tokio::test]
async fn a_screen_that_does_not_change_is_read_once() {
    let (first, second) = (picture(), Picture::new(202, 150));
    let screen = Shared::new(first.clone());
    let mut setup = setup();
    setup.display = Box::new(screen.clone());
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.shows(&first).await;
    screen.set(Ok(second.clone()));
    pair.shows(&second).await;
    pair.expert().session().close();
    let [_, novice] = pair.ends().await;
    assert_eq!(novice, (Some(Reason::Peer), Ok(())));
    assert_eq!(screen.0.lock().unwrap().captured, 2);
}

const KEY: InputEvent = InputEvent::Key { scan_code: 0x1E, extended: false, down: true };
const BUTTON: InputEvent = InputEvent::Button { button: MouseButton::Extended1, down: true };

#[tokio::test]
async fn what_is_held_is_released_when_the_connection_is_dropped() {
    let setup = setup();
    let taken = Arc::clone(&setup.taken);
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.take_control().await;
    pair.expert().send_input(&[KEY, KEY, BUTTON]).unwrap();
    let wait = async {
        while !pair.taken().contains(&BUTTON) {
            tokio::select! {
                biased;
                _ = pair.event() => {}
                () = tokio::task::yield_now() => {}
            }
        }
    };
    tokio::time::timeout(LIMIT, wait).await.expect("no input comes");
    drop(pair);
    let released = [
        InputEvent::Button { button: MouseButton::Extended1, down: false },
        InputEvent::Key { scan_code: 0x1E, extended: false, down: false },
    ];
    let pointer = InputEvent::Pointer { x: 0, y: 0 };
    assert_eq!(*taken.lock().unwrap(), [[KEY, KEY, pointer, BUTTON].as_slice(), &released].concat());
}

/// Nothing can be typed.
struct Broken;

impl InputSink for Broken {
    fn input(&mut self, _: InputEvent) -> io::Result<()> {
        Err(io::Error::other("no keyboard"))
    }
}

#[tokio::test]
async fn input_that_cannot_be_delivered_ends_the_session() {
    let mut setup = setup();
    setup.input = Box::new(Broken);
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    pair.take_control().await;
    pair.expert().send_input(&[KEY, KEY, BUTTON]).unwrap();
    let [_, novice] = pair.ends().await;
    let words = "input cannot be delivered: no keyboard".to_owned();
    assert_eq!(novice, (Some(Reason::ConnectionLost), Err(words)));
}

/// The fast-path updates of a frame ([MS-RDPBCGR] 2.2.9.1.2), each with padding behind its data that its size counts
/// ([MS-RA] 2.2.7.1). What is not finished has none: there it would stand within the update.
fn pad(frame: &[u8], random: &mut Random) -> Vec<u8> {
    let mut rest = if frame[1] & 0x80 == 0 { &frame[2..] } else { &frame[3..] };
    let mut updates = Vec::new();
    while let [header, low, high, following @ ..] = rest {
        assert_eq!(header & 0x80, 0, "nobody compresses here");
        let size = u16::from_le_bytes([*low, *high]);
        let (data, next) = following.split_at(size.into());
        let padding = if matches!(header >> 4 & 3, 0 | 1) { 1 + random.below(300) } else { 0 };
        updates.push(*header);
        updates.extend((size + padding as u16).to_le_bytes());
        updates.extend(data);
        updates.extend((0..padding).map(|_| random.number() as u8));
        rest = next;
    }
    let length = u16::try_from(updates.len() + 3).unwrap();
    assert!(length < 0x4000, "{length} bytes are too many for a frame");
    [&[frame[0]][..], &(length | 0x8000).to_be_bytes(), &updates].concat()
}

#[tokio::test]
async fn padding_behind_updates_is_ignored() {
    for version in Version::ALL {
        let mut random = Random::seeded();
        let padded = Arc::new(Mutex::new(0));
        let count = Arc::clone(&padded);
        let mut setup = Setup::new(version, Security::Rdp);
        setup.relay = Some(Relay::looking(move |from, frame| {
            if from == Role::Novice && frame[0] & 3 == 0 {
                *frame = pad(frame, &mut random);
                *count.lock().unwrap() += 1;
            }
        }));
        let mut pair = Pair::of(setup).await;
        assert_eq!(pair.establish().await, version);
        pair.shows(&picture()).await;
        // Four tiles by three.
        assert!(*padded.lock().unwrap() >= 12);
    }
}
