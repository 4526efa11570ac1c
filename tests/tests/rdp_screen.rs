//! The screen and the input of our novice: what ends a session, what is looked at, what is released.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ra_channel::ErrorCode;
use ra_connstring::{ConnectionString2, Endpoint, KeyHash};
use ra_rdp::{
    DisplaySource, ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, InputSink, MouseButton, NoInput,
    NoviceConnection, NoviceOptions, NoviceServer, Picture, RdpError, test_picture,
};
use ra_session::{Attempts, ControlEvent, Credentials, Event, ExpertConfig, NoviceConfig, Reason};
use remassist_core::text::TextFormat as _;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

fn credentials(address: SocketAddr) -> Credentials {
    let address = address.to_string();
    let endpoint = Endpoint::parse(&address).unwrap();
    let two = ConnectionString2::new("8rYm30").with_key_hash(&KeyHash::compute_sha1(b"no key"));
    let two = two.with_listener(&endpoint).to_text().unwrap();
    Credentials::invitation(&two, Some("Pass123!"), Some("o2*5GdBARK_JBB")).unwrap()
}

/// A session in which the expert may do everything.
async fn session(
    display: Box<dyn DisplaySource>,
    sink: Box<dyn InputSink>,
) -> (NoviceConnection, ExpertConnection) {
    let address = "127.0.0.1:0".parse().unwrap();
    let mut server = NoviceServer::bind(&[address], NoviceOptions::default()).await.unwrap();
    let address = server.addresses().unwrap()[0];
    let accepting = async {
        let config = NoviceConfig::new([credentials(address)]);
        let caller = server.accept().await.unwrap();
        server.connect(caller, config, Attempts::new(5), display, sink).await.unwrap()
    };
    let options = ExpertOptions::default();
    let dialling = ExpertConnection::dial(ExpertConfig::new(credentials(address)), &options);
    let (novice, expert) = timeout(LIMIT, async { tokio::join!(accepting, dialling) }).await.unwrap();
    (novice, expert.unwrap())
}

/// What a side said last, and how it ended.
type End = (Option<Event>, Result<(), RdpError>);

/// Runs the novice, which says yes to everything, until it ends.
async fn novice(mut connection: NoviceConnection) -> End {
    let mut last = None;
    loop {
        match connection.next().await {
            Ok(Some(Event::AskView { .. })) => connection.session().allow_view().unwrap(),
            Ok(Some(Event::ShareScreen)) => connection.session().view_started().unwrap(),
            Ok(Some(Event::Control(ControlEvent::Requested))) => {
                connection.session().allow_control().unwrap()
            }
            Ok(Some(event)) => last = Some(event),
            Ok(None) => return (last, Ok(())),
            Err(error) => return (last, Err(error)),
        }
    }
}

/// Runs the expert until it ends.
async fn expert(
    mut connection: ExpertConnection,
    mut each: impl FnMut(&mut ExpertConnection, &ExpertEvent),
) -> End {
    let mut last = None;
    loop {
        match connection.next().await {
            Ok(Some(event)) => {
                each(&mut connection, &event);
                if let ExpertEvent::Session(event) = event {
                    last = Some(event);
                }
            }
            Ok(None) => return (last, Ok(())),
            Err(error) => return (last, Err(error)),
        }
    }
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
async fn after_the_picture(screen: Shared, then: Result<Picture, &'static str>) -> (End, End) {
    let first = screen.0.lock().unwrap().now.clone().unwrap();
    let (novice_side, expert_side) = session(Box::new(screen.clone()), Box::new(NoInput)).await;
    let mut then = Some(then);
    let watching = expert(expert_side, |connection, event| {
        if matches!(event, ExpertEvent::Screen(_))
            && connection.screen() == first
            && let Some(then) = then.take()
        {
            screen.set(then);
        }
    });
    timeout(LIMIT, async { tokio::join!(novice(novice_side), watching) }).await.unwrap()
}

#[tokio::test]
async fn another_size_ends_the_session() {
    let screen = Shared::new(test_picture(202, 150));
    let (novice, expert) = after_the_picture(screen, Ok(test_picture(150, 202))).await;
    let code = ErrorCode::SHADOW_END_CONFIG_CHANGE;
    assert!(
        matches!(novice, (Some(Event::Closed(Reason::ScreenEnded(c))), Ok(())) if c == code),
        "{novice:?}"
    );
    assert!(matches!(expert, (Some(Event::Closed(_)), Ok(()))), "{expert:?}");
}

#[tokio::test]
async fn a_screen_that_cannot_be_read_ends_the_session() {
    let screen = Shared::new(test_picture(202, 150));
    let (novice, expert) = after_the_picture(screen, Err("switched off")).await;
    let (Some(Event::Closed(Reason::ConnectionLost)), Err(error)) = novice else { panic!("{novice:?}") };
    assert_eq!(error.to_string(), "the screen cannot be read: switched off");
    assert!(matches!(expert, (Some(Event::Closed(_)), _)), "{expert:?}");
}

#[tokio::test]
async fn a_screen_that_does_not_change_is_read_once() {
    let (first, second) = (test_picture(202, 150), Picture::new(202, 150));
    let screen = Shared::new(first.clone());
    let (novice_side, expert_side) = session(Box::new(screen.clone()), Box::new(NoInput)).await;
    let watching = expert(expert_side, |connection, event| {
        if !matches!(event, ExpertEvent::Screen(_)) {
            return;
        }
        if connection.screen() == first {
            screen.set(Ok(second.clone()));
        } else if connection.screen() == second {
            connection.session().close();
        }
    });
    let (novice, _) = timeout(LIMIT, async { tokio::join!(novice(novice_side), watching) }).await.unwrap();
    assert!(matches!(novice, (Some(Event::Closed(Reason::Peer)), Ok(()))), "{novice:?}");
    assert_eq!(screen.0.lock().unwrap().captured, 2);
}

const KEY: InputEvent = InputEvent::Key { scan_code: 0x1E, extended: false, down: true };
const BUTTON: InputEvent = InputEvent::Button { button: MouseButton::Extended1, down: true };

/// Asks for control, and presses a key and a button.
fn press(connection: &mut ExpertConnection, event: &ExpertEvent) {
    match event {
        ExpertEvent::Session(Event::Established(_)) => connection.session().request_control().unwrap(),
        ExpertEvent::Session(Event::Control(ControlEvent::Granted)) => {
            connection.send_input(&[KEY, KEY, BUTTON]).unwrap();
        }
        _ => {}
    }
}

#[tokio::test]
async fn what_is_held_is_released_when_the_connection_is_dropped() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (sender, pressed) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let sink = {
        let taken = Arc::clone(&taken);
        move |event| {
            taken.lock().unwrap().push(event);
            if event == BUTTON {
                sender.take().unwrap().send(()).unwrap();
            }
        }
    };
    let (novice_side, expert_side) = session(Box::new(picture()), Box::new(sink)).await;
    let both = async { tokio::join!(novice(novice_side), expert(expert_side, press)) };
    tokio::select! {
        ends = both => panic!("{ends:?}"),
        pressed = timeout(LIMIT, pressed) => pressed.unwrap().unwrap(),
    }
    // Both connections are dropped here.
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
    let (novice_side, expert_side) = session(Box::new(picture()), Box::new(Broken)).await;
    let both = async { tokio::join!(novice(novice_side), expert(expert_side, press)) };
    let ((last, end), _) = timeout(LIMIT, both).await.unwrap();
    assert!(matches!(last, Some(Event::Closed(Reason::ConnectionLost))), "{last:?}");
    assert_eq!(end.unwrap_err().to_string(), "input cannot be delivered: no keyboard");
}

fn picture() -> Picture {
    test_picture(202, 150)
}
