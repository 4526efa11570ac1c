//! Expert and novice joined in memory, on a clock that the program sets: for tests and demonstrations of programs that
//! embed sessions.

use std::collections::VecDeque;
use std::fmt;

use crate::{Channel, Event, Expert, Input, Misuse, Novice, Output, Role, Time};

/// Something on its way to a side.
#[derive(Clone, PartialEq, Eq)]
pub enum Flight {
    /// A PDU of a channel.
    Data(Channel, Vec<u8>),
    /// A dynamic channel was created.
    Opened(Channel),
    /// A dynamic channel was closed.
    Closed(Channel),
}

/// Bytes are counted, not shown.
impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(channel, bytes) => write!(f, "Data({channel}, {} bytes)", bytes.len()),
            Self::Opened(channel) => write!(f, "Opened({channel})"),
            Self::Closed(channel) => write!(f, "Closed({channel})"),
        }
    }
}

/// What a step did.
#[non_exhaustive]
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A side sent something; it is the last in [`Loopback::wire`] now.
    Sent(Role, Flight),
    /// A side reports something.
    Event(Role, Event),
    /// Something arrived at a side.
    Arrived(Role),
}

/// Both sides, and what is on its way between them.
///
/// ```
/// use ra_session::loopback::{Loopback, Step};
/// use ra_session::{Attempts, Channel, Credentials, Event, Expert, ExpertConfig, Novice, NoviceConfig, Time};
///
/// let string = r#"<E><A ID="8rYm30"/><C/></E>"#;
/// let credentials = Credentials::invitation(string, Some("Pass123!"), Some("o2*5GdBARK_JBB"))?;
/// let key = credentials.verify_key(None);
/// let expert = Expert::new(Time(0), ExpertConfig::new(credentials.clone()), key)?;
/// let mut novice = Novice::new(Time(0), NoviceConfig::new([credentials]), Attempts::new(1))?;
/// novice.client_info(expert.client_info());
/// let mut pair = Loopback::new(expert, novice, &[Channel::Remdesk, Channel::Encomsp])?;
/// while let Some(step) = pair.step() {
///     match step {
///         Step::Event(_, Event::AskView { .. }) => pair.novice.allow_view()?,
///         Step::Event(_, Event::ShareScreen) => pair.novice.view_started()?,
///         _ => {}
///     }
/// }
/// assert!(pair.novice.is_established() && pair.expert.is_established());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Loopback {
    /// The expert.
    pub expert: Expert,
    /// The novice.
    pub novice: Novice,
    /// The time that both are told.
    pub now: Time,
    /// What is on its way, with the side that it goes to: take from it, change it, put into it.
    pub wire: VecDeque<(Role, Flight)>,
    expert_due: Option<Time>,
    novice_due: Option<Time>,
}

impl Loopback {
    /// Opens the channels on both sides at time 0 and starts the novice.
    ///
    /// # Errors
    /// As [`Novice::start`].
    pub fn new(expert: Expert, novice: Novice, channels: &[Channel]) -> Result<Self, Misuse> {
        let mut this =
            Self { expert, novice, now: Time(0), wire: VecDeque::new(), expert_due: None, novice_due: None };
        for channel in channels {
            this.handle(Role::Expert, Input::ChannelOpened(*channel));
            this.handle(Role::Novice, Input::ChannelOpened(*channel));
        }
        this.novice.start(this.now)?;
        Ok(this)
    }

    /// Gives an input to a side.
    pub fn handle(&mut self, role: Role, input: Input<'_>) {
        match role {
            Role::Expert => self.expert.handle(self.now, input),
            Role::Novice => self.novice.handle(self.now, input),
        }
    }

    /// Sends something that a session does not send by itself: the blocks of a file.
    pub fn send(&mut self, from: Role, channel: Channel, bytes: Vec<u8>) {
        self.wire.push_back((from.peer(), Flight::Data(channel, bytes)));
    }

    /// Takes one output of a side; where there is none, delivers what has been on its way for longest. `None`: nothing moves
    /// until [`due`](Self::due).
    pub fn step(&mut self) -> Option<Step> {
        self.hear().or_else(|| self.deliver())
    }

    /// Takes one output of a side.
    pub fn hear(&mut self) -> Option<Step> {
        self.output(Role::Novice).or_else(|| self.output(Role::Expert))
    }

    fn output(&mut self, role: Role) -> Option<Step> {
        let (output, due) = match role {
            Role::Expert => (self.expert.poll(), &mut self.expert_due),
            Role::Novice => (self.novice.poll(), &mut self.novice_due),
        };
        let flight = match output {
            Output::Wait(time) => {
                *due = time;
                return None;
            }
            Output::Event(event) => return Some(Step::Event(role, event)),
            Output::Send { channel, bytes } => Flight::Data(channel, bytes),
            Output::Open(channel) => {
                // The answer comes back to the side that asked.
                self.wire.push_back((role, Flight::Opened(channel)));
                Flight::Opened(channel)
            }
            Output::Close(channel) => Flight::Closed(channel),
        };
        self.wire.push_back((role.peer(), flight.clone()));
        Some(Step::Sent(role, flight))
    }

    /// Delivers what has been on its way for longest.
    pub fn deliver(&mut self) -> Option<Step> {
        let (role, flight) = self.wire.pop_front()?;
        match &flight {
            Flight::Data(channel, bytes) => self.handle(role, Input::Data { channel: *channel, bytes }),
            Flight::Opened(channel) => self.handle(role, Input::ChannelOpened(*channel)),
            Flight::Closed(channel) => self.handle(role, Input::ChannelClosed(*channel)),
        }
        Some(Step::Arrived(role))
    }

    /// When a side wants to be called at the latest, as it said last: set `now` and call [`tick`](Self::tick).
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        [self.expert_due, self.novice_due].into_iter().flatten().min()
    }

    /// Tells both sides the time.
    pub fn tick(&mut self) {
        self.handle(Role::Expert, Input::Tick);
        self.handle(Role::Novice, Input::Tick);
    }
}
