//! An expert and a novice over RDP on this machine, their transcript, and their files.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ra_rdp::{
    Downloads, ExpertConnection, ExpertEvent, ExpertOptions, NoInput, NoviceConnection, NoviceServer, Passed,
    RdpError, Record, Tickets,
};
use remassist::core::{Role, Time};
use remassist::session::{
    Attempts, Channel, Event, Expert, ExpertConfig, FileEvent, FileOffer, Input, Novice, NoviceConfig,
    TransferId, Why,
};
use tempfile::TempDir;
use tokio::time::{sleep_until, timeout};

use super::words;
use crate::Failure;
use crate::transcript::Transcript;

/// What a demonstration that has come to a stop is waited for.
const LIMIT: Duration = Duration::from_secs(60);
/// After so much time without anything passing, nothing moves any more.
const QUIET: Duration = Duration::from_millis(250);

/// A check that was made, and whether it held.
pub type Check = (String, bool);

/// A novice that listens.
pub struct Door {
    server: NoviceServer,
    pub address: SocketAddr,
}

impl Door {
    pub async fn open() -> Result<Self, Failure> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = fits(NoviceServer::bind(&[any], Default::default()).await)?;
        let address = fits(server.addresses())?.first().copied().unwrap_or(any);
        Ok(Self { server, address })
    }

    /// Makes tickets that lead here.
    pub fn tickets(&self) -> Result<Tickets, RdpError> {
        self.server.tickets(Vec::new())
    }
}

/// Both sides and everything around them.
pub struct Stage<'o> {
    transcript: Transcript<'o>,
    expert: ExpertConnection,
    novice: NoviceConnection,
    /// Whose connection is over.
    over: Vec<Role>,
    begin: Instant,
    /// What has passed on the channels and was not told yet.
    records: Receiver<Record<'static>>,
    folder: TempDir,
    receiving: [Receiving; 2],
    /// Files that arrived, with the side that has them.
    pub arrived: Vec<(Role, PathBuf)>,
    pub ignored: Vec<Why>,
    /// Nothing reaches the expert, and it says nothing: somebody else has taken its place.
    pub replaced: bool,
    /// Whether the novice's screen was seen.
    pub seen: bool,
    /// Messages that have passed on the channels.
    pub passed: usize,
}

/// Files that a side receives.
struct Receiving {
    downloads: Downloads,
    bar: ProgressBar,
}

/// What happens on a stage, event by event.
pub type Script<'s> = dyn FnMut(&mut Stage<'_>, Role, &Event) -> Result<(), Failure> + 's;

/// A call that does not fit: the script is wrong.
pub fn fits<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|e| Failure::Input(format!("the demonstration went wrong: {e}")))
}

impl<'o> Stage<'o> {
    pub async fn new(
        out: &'o mut dyn Write,
        door: Door,
        expert: ExpertConfig,
        novice: NoviceConfig,
    ) -> Result<Self, Failure> {
        let Door { mut server, .. } = door;
        let accepting = async {
            let caller = server.accept().await?;
            let screen = Box::new(ra_rdp::test_picture(320, 200));
            server.connect(caller, novice, Attempts::new(3), screen, Box::new(NoInput)).await
        };
        let options = ExpertOptions::default();
        let both = async { tokio::join!(accepting, ExpertConnection::dial(expert, &options)) };
        let (novice, expert) = fits(timeout(LIMIT, both).await)?;
        let (mut novice, expert) = (fits(novice)?, fits(expert)?);
        let (begin, (tell, records)) = (Instant::now(), mpsc::channel());
        novice.record(move |record: &Record<'_>| {
            let _nobody_reads = tell.send(record.clone().into_owned());
        });
        let folder = TempDir::new()?;
        let receiving = || -> Result<Receiving, Failure> {
            let path = tempfile::tempdir_in(folder.path())?.keep();
            Ok(Receiving { downloads: Downloads::new(path), bar: ProgressBar::hidden() })
        };
        Ok(Self {
            transcript: Transcript::new(out),
            expert,
            novice,
            over: Vec::new(),
            begin,
            records,
            receiving: [receiving()?, receiving()?],
            folder,
            arrived: Vec::new(),
            ignored: Vec::new(),
            replaced: false,
            seen: false,
            passed: 0,
        })
    }

    pub fn expert(&mut self) -> &mut Expert {
        self.expert.session()
    }

    pub fn novice(&mut self) -> &mut Novice {
        self.novice.session()
    }

    /// Everything that was printed, to be searched for secrets.
    pub fn printed(&self) -> &str {
        &self.transcript.printed
    }

    /// Runs until both connections are over.
    pub async fn play(&mut self, script: &mut Script<'_>) -> Result<(), Failure> {
        self.play_until(script, |stage| stage.over.len() == 2).await
    }

    /// Runs until something is so.
    pub async fn play_until(
        &mut self,
        script: &mut Script<'_>,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), Failure> {
        while !is_so(self) {
            if !self.step(script, LIMIT).await? {
                return fits(Err("nothing happens any more"));
            }
        }
        Ok(())
    }

    /// Runs until nothing moves any more.
    pub async fn settle(&mut self, script: &mut Script<'_>) -> Result<(), Failure> {
        while self.step(script, QUIET).await? {}
        Ok(())
    }

    /// Does the next thing that happens; whether anything has happened or passed in time.
    async fn step(&mut self, script: &mut Script<'_>, patience: Duration) -> Result<bool, Failure> {
        let until = tokio::time::Instant::now() + patience;
        let (expert, novice) = (self.over.contains(&Role::Expert), self.over.contains(&Role::Novice));
        let (role, event) = tokio::select! {
            biased;
            event = self.novice.next(), if !novice => (Role::Novice, event),
            event = self.expert.next(), if !expert && !self.replaced => (Role::Expert, match event {
                Ok(Some(ExpertEvent::Session(event))) => Ok(Some(event)),
                Ok(Some(other)) => {
                    self.seen |= matches!(other, ExpertEvent::Screen(_));
                    return Ok(true);
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            }),
            () = sleep_until(until) => return self.tell(),
        };
        self.tell()?;
        match event {
            Ok(Some(event)) => {
                self.event(role, &event)?;
                script(self, role, &event)?;
            }
            Ok(None) | Err(RdpError::Closed) => self.over.push(role),
            Err(error) => return fits(Err(error)),
        }
        Ok(true)
    }

    /// Tells what has passed; whether there was anything.
    fn tell(&mut self) -> Result<bool, Failure> {
        let mut any = false;
        for record in self.records.try_iter() {
            self.transcript.record(&record)?;
            self.passed += usize::from(matches!(record.what, Passed::Message(_)));
            any = true;
        }
        Ok(any)
    }

    /// Gives a side something that its peer never wrote.
    pub fn inject(&mut self, to: Role, channel: Channel, bytes: &[u8]) -> Result<(), Failure> {
        self.tell()?;
        let (time, what) = (self.begin.elapsed(), Passed::Message(bytes.into()));
        self.transcript.record(&Record { time, from: to.peer(), channel, what })?;
        let (now, input) = (Time(0).after(time), Input::Data { channel, bytes });
        match to {
            Role::Expert => self.expert().handle(now, input),
            Role::Novice => self.novice().handle(now, input),
        }
        Ok(())
    }

    /// Has the novice believe that the expert has opened a channel.
    pub fn pretend_open(&mut self, channel: Channel) -> Result<(), Failure> {
        self.tell()?;
        let (time, what) = (self.begin.elapsed(), Passed::Opened);
        self.transcript.record(&Record { time, from: Role::Novice, channel, what })?;
        self.novice().handle(Time(0).after(time), Input::ChannelOpened(channel));
        Ok(())
    }

    /// Writes a file of that many bytes, which look like nothing, and offers it.
    pub fn offer(&mut self, role: Role, name: &str, size: usize) -> Result<PathBuf, Failure> {
        let path = self.folder.path().join(format!("sent-{name}"));
        let mut state = u64::try_from(size).unwrap_or(1) | 1;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .take(size)
        .collect();
        std::fs::write(&path, bytes)?;
        let offer = FileOffer::new(name, u64::try_from(size).unwrap_or(u64::MAX));
        let source: Box<dyn Read + Send> = Box::new(File::open(&path)?);
        fits(match role {
            Role::Expert => self.expert.send_file(offer, source),
            Role::Novice => self.novice.send_file(offer, source),
        })?;
        Ok(path)
    }

    /// Takes a file that was offered.
    pub fn accept(&mut self, role: Role, id: TransferId) -> Result<(), Failure> {
        fits(match role {
            Role::Expert => self.expert().files().accept(id),
            Role::Novice => self.novice().files().accept(id),
        })
    }

    fn event(&mut self, role: Role, event: &Event) -> Result<(), Failure> {
        let [expert, novice] = &mut self.receiving;
        let Receiving { downloads, bar } = if role == Role::Expert { expert } else { novice };
        if let Some(path) = downloads.follow(event)? {
            self.arrived.push((role, path));
        }
        match event {
            Event::File(FileEvent::Offered { name, size, .. }) => {
                *bar = ProgressBar::new(*size).with_style(bar_style());
                bar.set_message(name.suggestion.clone());
            }
            Event::File(FileEvent::Data { bytes, .. }) => {
                bar.inc(bytes.len().try_into().unwrap_or(u64::MAX));
                // A line for each block is no transcript.
                return Ok(());
            }
            Event::File(_) => bar.finish_and_clear(),
            Event::Ignored(ignored) => self.ignored.push(ignored.why),
            _ => {}
        }
        Ok(self.transcript.event(self.begin.elapsed(), role, &words::of_event(event))?)
    }

    /// A line as it is.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.tell()?;
        Ok(self.transcript.say(text)?)
    }

    /// What is still to be told.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.tell()?;
        Ok(self.transcript.flush()?)
    }
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {bytes}/{total_bytes} {eta}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
