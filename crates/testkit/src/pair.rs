//! Expert and novice joined by channels in memory, on a virtual clock.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ra_session::loopback::{Flight, Loopback, Step};
use ra_session::{
    Attempts, Channel, Credentials, Event, Expert, ExpertConfig, FileEvent, Input, Novice, NoviceConfig,
    Role, ServerKey, Time, describe,
};

/// Which channels there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `RC_CTL`, `70`, `71` and those of transfers, and `encomsp`.
    Dynamic,
    /// `remdesk` for session initialization, the others as in `Dynamic`.
    StaticControl,
    /// `remdesk` for everything, and `encomsp`.
    OneStatic,
}

impl Layout {
    pub const ALL: [Self; 3] = [Self::Dynamic, Self::StaticControl, Self::OneStatic];

    pub fn channels(self) -> &'static [Channel] {
        match self {
            Self::Dynamic => &[Channel::Control, Channel::Chat, Channel::Commands, Channel::Encomsp],
            Self::StaticControl => &[Channel::Remdesk, Channel::Chat, Channel::Commands, Channel::Encomsp],
            Self::OneStatic => &[Channel::Remdesk, Channel::Encomsp],
        }
    }
}

/// What happens to a PDU on its way: none, one or many arrive.
pub type Damage = Box<dyn FnMut(Role, Flight) -> Vec<Flight>>;

/// Both sides, what they report, and a transcript.
pub struct Pair {
    pub both: Loopback,
    /// What was reported and not taken yet.
    events: Vec<(Role, Event)>,
    transcript: String,
    /// The novice's user agrees to the view at once.
    pub agree: bool,
    /// What is done to what the role sends.
    pub damage: Option<Damage>,
}

impl Deref for Pair {
    type Target = Loopback;
    fn deref(&self) -> &Loopback {
        &self.both
    }
}

impl DerefMut for Pair {
    fn deref_mut(&mut self) -> &mut Loopback {
        &mut self.both
    }
}

impl Pair {
    /// Both sides with their channels open, the Client Info PDU handed over and the novice started; nothing is
    /// delivered yet.
    pub fn new(expert: ExpertConfig, novice: NoviceConfig, layout: Layout) -> Self {
        let expert = Expert::new(Time(0), expert, ServerKey::Match).unwrap();
        let mut novice = Novice::new(Time(0), novice, Attempts::new(3)).unwrap();
        novice.client_info(expert.client_info());
        Self::joined(expert, novice, layout)
    }

    /// Two sides as they are, with their channels open and the novice started.
    pub fn joined(expert: Expert, novice: Novice, layout: Layout) -> Self {
        let both = Loopback::new(expert, novice, layout.channels()).unwrap();
        Self { both, events: Vec::new(), transcript: String::new(), agree: true, damage: None }
    }

    /// Both sides with the same credentials, everything else as it is by default but for a name.
    pub fn with(credentials: &Credentials, layout: Layout) -> Self {
        let (expert, novice) = configs(credentials);
        Self::new(expert, novice, layout)
    }

    /// The same, with an established session.
    pub fn established(credentials: &Credentials, layout: Layout) -> Self {
        let mut this = Self::with(credentials, layout);
        this.settle();
        this.expert.screen_started();
        this.settle();
        assert!(this.expert.is_established() && this.novice.is_established(), "{}", this.transcript);
        this
    }

    /// Delivers all there is, and what follows from it, until nothing moves any more.
    pub fn settle(&mut self) {
        for steps in 0.. {
            assert!(steps < 1_000_000, "there is no end:\n{}", self.transcript);
            if !self.once() {
                return;
            }
        }
    }

    /// One step; whether there was one to take.
    pub fn once(&mut self) -> bool {
        self.both.step().map(|step| self.took(step)).is_some()
    }

    /// Takes all that both sides have to say, without delivering anything.
    pub fn hear(&mut self) {
        while let Some(step) = self.both.hear() {
            self.took(step);
        }
    }

    fn took(&mut self, step: Step) {
        match step {
            Step::Sent(role, flight) => {
                match &flight {
                    Flight::Data(channel, bytes) => self.note(role, *channel, bytes),
                    Flight::Opened(channel) => self.line(role, &format!("creates {channel}")),
                    Flight::Closed(channel) => self.line(role, &format!("closes {channel}")),
                }
                if let Some(damage) = &mut self.damage {
                    self.both.wire.pop_back();
                    let arriving = damage(role, flight);
                    self.both.wire.extend(arriving.into_iter().map(|flight| (role.peer(), flight)));
                }
            }
            Step::Event(role, event) => self.event(role, event),
            _ => {}
        }
    }

    /// Gives a side something, as if the other had sent it.
    pub fn inject(&mut self, to: Role, channel: Channel, bytes: &[u8]) {
        self.note(to.peer(), channel, bytes);
        self.both.handle(to, Input::Data { channel, bytes });
    }

    /// Sends the block of a file, which no session sends by itself.
    pub fn carry(&mut self, from: Role, channel: Channel, bytes: Vec<u8>) {
        self.note(from, channel, &bytes);
        self.both.send(from, channel, bytes);
    }

    fn event(&mut self, role: Role, event: Event) {
        let line = match &event {
            Event::File(FileEvent::Offered { id, name, size, .. }) => {
                format!("File(Offered {{ id: {}, {:?}, {size} bytes }})", id.0, name.suggestion)
            }
            Event::File(FileEvent::Data { id, offset, bytes }) => {
                format!("File(Data {{ id: {}, offset: {offset}, {} bytes }})", id.0, bytes.len())
            }
            Event::Contact(contact) => format!("Contact({:?})", contact.name),
            event => format!("{event:?}"),
        };
        self.line(role, &format!("* {line}"));
        if self.agree {
            match event {
                Event::AskView { .. } => self.novice.allow_view().unwrap(),
                Event::ShareScreen => self.novice.view_started().unwrap(),
                _ => {}
            }
        }
        self.events.push((role, event));
    }

    /// Lets time pass: every timer fires when it is due, and what it leads to is delivered.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        for steps in 0.. {
            assert!(steps < 1_000_000, "timers without end:\n{}", self.transcript);
            self.settle();
            match self.due().filter(|due| *due <= end) {
                Some(due) => self.both.now = self.now.max(due),
                None => break,
            }
            self.tick();
        }
        self.both.now = end;
        self.tick();
        self.settle();
    }

    /// The events of a side since the last call.
    pub fn events(&mut self, role: Role) -> Vec<Event> {
        let (own, others) = std::mem::take(&mut self.events).into_iter().partition(|(r, _)| *r == role);
        self.events = others;
        own.into_iter().map(|(_, event)| event).collect()
    }

    /// What was sent and reported since the last call, one line each.
    pub fn transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript)
    }

    fn note(&mut self, from: Role, channel: Channel, bytes: &[u8]) {
        for description in describe(channel, bytes) {
            let carrier = if channel == Channel::Remdesk { "remdesk: " } else { "" };
            self.line(from, &format!("{carrier}{description}"));
        }
    }

    fn line(&mut self, role: Role, text: &str) {
        let seconds = self.now.0 / 1000;
        writeln!(self.transcript, "{seconds:>4} s {role} {text}").unwrap();
    }
}

/// What both sides get by default: the same credentials and a name.
pub fn configs(credentials: &Credentials) -> (ExpertConfig, NoviceConfig) {
    let mut expert = ExpertConfig::new(credentials.clone());
    expert.options.name = "Eva".to_owned();
    expert.user_name = "eva".to_owned();
    let mut novice = NoviceConfig::new([credentials.clone()]);
    novice.options.name = "Nils".to_owned();
    (expert, novice)
}

pub const PASSWORD: &str = "Pass123!";
pub const PASS_STUB: &str = "o2*5GdBARK_JBB";
pub const STRING_1: &str = "65538,1,192.0.2.10:3389,*,+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6,*,*,DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=";
pub const STRING_2: &str = concat!(
    r#"<E><A KH="DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=" ID="+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6"/>"#,
    r#"<C><T ID="1" SID="0"><L P="3389" N="192.0.2.10"/></T></C></E>"#
);
pub const EASY_PASSWORD: &str = "F8JKRV";

/// An invitation of type 1: version 1.
pub fn first() -> Credentials {
    Credentials::invitation(STRING_1, Some(PASSWORD), Some(PASS_STUB)).unwrap()
}

/// An invitation of type 2: version 2.
pub fn second() -> Credentials {
    Credentials::invitation(STRING_2, Some(PASSWORD), Some(PASS_STUB)).unwrap()
}

/// Easy Connect: version 3. The tokens are made once.
pub fn third() -> Credentials {
    static MADE: std::sync::LazyLock<Credentials> =
        std::sync::LazyLock::new(|| Credentials::easy_connect(STRING_2, EASY_PASSWORD).unwrap());
    MADE.clone()
}
