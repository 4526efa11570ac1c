//! An expert and a novice in memory, their transcript, and their files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use anstyle::Style;
use indicatif::{ProgressBar, ProgressStyle};
use remassist::channel::ChannelName;
use remassist::core::{Role, Time};
use remassist::session::loopback::{Flight, Loopback, Step};
use remassist::session::{
    Attempts, Channel, Event, Expert, ExpertConfig, FileEvent, FileOffer, Novice, NoviceConfig, TransferId,
    Why, describe,
};
use tempfile::{NamedTempFile, TempDir};

use crate::Failure;

/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;
/// What a message takes on its way, in milliseconds.
const LATENCY: u64 = 5;

/// A check that was made, and whether it held.
pub type Check = (String, bool);

/// A file that a side receives.
struct Incoming {
    name: String,
    file: NamedTempFile,
    bar: ProgressBar,
}

/// A file that a side sends.
struct Outgoing {
    role: Role,
    id: TransferId,
    file: File,
}

/// Both sides and everything around them.
pub struct Stage<'o> {
    out: &'o mut dyn Write,
    pub pair: Loopback,
    folder: TempDir,
    outgoing: Vec<Outgoing>,
    /// Files offered, until they are accepted by the peer.
    offered: BTreeMap<(Role, TransferId), PathBuf>,
    incoming: BTreeMap<(Role, TransferId), Incoming>,
    /// Files that arrived, with the side that has them.
    pub arrived: Vec<(Role, PathBuf)>,
    /// Blocks that were not told yet: sender, channel, number, bytes.
    blocks: Option<(Role, Channel, u64, usize)>,
    /// Everything that was printed, to be searched for secrets.
    pub printed: String,
    pub ignored: Vec<Why>,
    /// Nothing reaches the expert: somebody else has taken its place.
    pub replaced: bool,
    dim: Style,
    bold: Style,
}

/// What happens on a stage, event by event.
pub type Script<'s> = dyn FnMut(&mut Stage<'_>, Role, &Event) -> Result<(), Failure> + 's;

/// A call that does not fit: the script is wrong.
pub fn fits<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, Failure> {
    result.map_err(|e| Failure::Input(format!("the demonstration went wrong: {e}")))
}

impl<'o> Stage<'o> {
    pub fn new(
        out: &'o mut dyn Write,
        expert: ExpertConfig,
        novice: NoviceConfig,
        channels: &[Channel],
    ) -> Result<Self, Failure> {
        // The connection of a demonstration is made of memory: there is no key to compare.
        let key = expert.credentials.verify_key(None);
        let expert = fits(Expert::new(Time(0), expert, key))?;
        let mut novice = fits(Novice::new(Time(0), novice, Attempts::new(3)))?;
        novice.client_info(expert.client_info());
        let styled = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let style = |style: Style| if styled { style } else { Style::new() };
        Ok(Self {
            out,
            pair: fits(Loopback::new(expert, novice, channels))?,
            folder: TempDir::new()?,
            outgoing: Vec::new(),
            offered: BTreeMap::new(),
            incoming: BTreeMap::new(),
            arrived: Vec::new(),
            blocks: None,
            printed: String::new(),
            ignored: Vec::new(),
            replaced: false,
            dim: style(Style::new().dimmed()),
            bold: style(Style::new().bold()),
        })
    }

    /// Runs until nothing moves any more.
    pub fn play(&mut self, script: &mut Script<'_>) -> Result<(), Failure> {
        loop {
            match self.pair.step() {
                Some(Step::Sent(from, flight)) => {
                    self.sent(from, &flight)?;
                    if self.replaced && from == Role::Novice {
                        self.pair.wire.pop_back();
                    }
                }
                Some(Step::Event(role, event)) => {
                    self.event(role, &event)?;
                    script(self, role, &event)?;
                }
                Some(_) => self.pair.now = Time(self.pair.now.0.saturating_add(LATENCY)),
                None if self.feed()? => {}
                None => return self.tell_blocks(),
            }
        }
    }

    /// Gives a side something that its peer never wrote.
    pub fn inject(&mut self, to: Role, channel: Channel, bytes: &[u8]) -> Result<(), Failure> {
        self.sent(to.peer(), &Flight::Data(channel, bytes.to_vec()))?;
        self.pair.send(to.peer(), channel, bytes.to_vec());
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
        let id = fits(match role {
            Role::Expert => self.pair.expert.files().send(offer),
            Role::Novice => self.pair.novice.files().send(offer),
        })?;
        self.offered.insert((role, id), path.clone());
        Ok(path)
    }

    /// Takes a file that was offered.
    pub fn accept(&mut self, role: Role, id: TransferId) -> Result<(), Failure> {
        fits(match role {
            Role::Expert => self.pair.expert.files().accept(id),
            Role::Novice => self.pair.novice.files().accept(id),
        })
    }

    /// Sends the next piece of a file whose blocks are wanted; whether there was one.
    fn feed(&mut self) -> Result<bool, Failure> {
        let Some(Outgoing { role, id, file }) = self.outgoing.first_mut() else { return Ok(false) };
        let (role, id) = (*role, *id);
        let mut piece = Vec::with_capacity(PIECE);
        file.take(PIECE.try_into().unwrap_or(u64::MAX)).read_to_end(&mut piece)?;
        let mut files = match role {
            Role::Expert => self.pair.expert.files(),
            Role::Novice => self.pair.novice.files(),
        };
        let blocks = fits(files.blocks(id, &piece))?;
        let channel = blocks.channel();
        let pdus: Vec<Vec<u8>> = blocks.iter().map(|block| block.to_vec()).collect();
        for pdu in pdus {
            self.block(role, channel, pdu.len())?;
            self.pair.send(role, channel, pdu);
        }
        if files_done(&mut self.pair, role, id) {
            self.outgoing.remove(0);
        }
        Ok(true)
    }

    fn sent(&mut self, from: Role, flight: &Flight) -> Result<(), Failure> {
        match flight {
            Flight::Data(channel, bytes) => {
                for description in describe(*channel, bytes) {
                    let carrier = match (*channel, description.channel) {
                        (carrier, logical) if carrier == logical => carrier.to_string(),
                        (carrier, logical) => format!("{carrier}/{logical}"),
                    };
                    let said = format!("{} {}", description.name, description.detail);
                    self.message(from, &carrier, said.trim_end(), description.section)?;
                }
                Ok(())
            }
            Flight::Opened(channel) => {
                self.message(from, &channel.to_string(), "channel created", "[MS-RA] 2.1")
            }
            Flight::Closed(channel) => {
                self.message(from, &channel.to_string(), "channel closed", "[MS-RA] 2.1")
            }
        }
    }

    fn message(&mut self, from: Role, channel: &str, said: &str, section: &str) -> Result<(), Failure> {
        self.tell_blocks()?;
        let (arrow, dim) = (direction(from), self.dim);
        self.line(&format!("{arrow}  {channel:<14} {said:<58} {dim}{section}{dim:#}"))
    }

    fn block(&mut self, from: Role, channel: Channel, len: usize) -> Result<(), Failure> {
        match &mut self.blocks {
            Some((role, on, count, bytes)) if (*role, *on) == (from, channel) => {
                *count += 1;
                *bytes += len;
            }
            _ => {
                self.tell_blocks()?;
                self.blocks = Some((from, channel, 1, len));
            }
        }
        Ok(())
    }

    fn tell_blocks(&mut self) -> Result<(), Failure> {
        let Some((from, channel, count, bytes)) = self.blocks.take() else { return Ok(()) };
        let packets = if channel == Channel::Remdesk { "remdesk/" } else { "" };
        let said = format!("{count} blocks, {bytes} bytes with headers");
        self.message(from, &format!("{packets}{}", ChannelName::Transfer), &said, "[MS-RA] 3.9.5")
    }

    fn event(&mut self, role: Role, event: &Event) -> Result<(), Failure> {
        match event {
            Event::File(FileEvent::Offered { id, name, size, .. }) => {
                let bar = ProgressBar::new(*size).with_style(bar_style());
                bar.set_message(name.suggestion.clone());
                let file = NamedTempFile::new_in(self.folder.path())?;
                self.incoming.insert((role, *id), Incoming { name: name.suggestion.clone(), file, bar });
            }
            Event::File(FileEvent::Data { id, bytes, .. }) => {
                if let Some(incoming) = self.incoming.get_mut(&(role, *id)) {
                    incoming.file.write_all(bytes)?;
                    incoming.bar.inc(bytes.len().try_into().unwrap_or(u64::MAX));
                }
                // A line for each block is no transcript.
                return Ok(());
            }
            Event::File(FileEvent::Complete { id }) => {
                if let Some(Incoming { name, file, bar }) = self.incoming.remove(&(role, *id)) {
                    bar.finish_and_clear();
                    let path = self.folder.path().join(format!("received-{name}"));
                    file.persist(&path).map_err(|e| e.error)?;
                    self.arrived.push((role, path));
                }
            }
            // What was written of it goes with it.
            Event::File(FileEvent::Failed { id, .. } | FileEvent::Withdrawn { id }) => {
                self.incoming.remove(&(role, *id));
                self.outgoing.retain(|o| (o.role, o.id) != (role, *id));
            }
            Event::File(FileEvent::Accepted { id }) => {
                if let Some(path) = self.offered.remove(&(role, *id)) {
                    self.outgoing.push(Outgoing { role, id: *id, file: File::open(path)? });
                }
            }
            Event::Ignored(ignored) => self.ignored.push(ignored.why),
            _ => {}
        }
        let (bold, who) = (self.bold, who(role));
        self.tell_blocks()?;
        self.line(&format!("{bold}{who:>6}: {}{bold:#}", super::words::of_event(event)))
    }

    /// A line with the time before it.
    fn line(&mut self, text: &str) -> Result<(), Failure> {
        let millis = self.pair.now.0;
        let line = format!("{:>3}.{:03} s  {text}\n", millis / 1000, millis % 1000);
        self.printed.push_str(&line);
        self.out.write_all(line.as_bytes())?;
        Ok(())
    }

    /// A line as it is.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }
}

fn files_done(pair: &mut Loopback, role: Role, id: TransferId) -> bool {
    let sending = match role {
        Role::Expert => pair.expert.files().sending(),
        Role::Novice => pair.novice.files().sending(),
    };
    sending.is_none_or(|s| s.id != id)
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {bytes}/{total_bytes} {eta}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn direction(from: Role) -> &'static str {
    match from {
        Role::Expert => "expert -> novice",
        Role::Novice => "novice -> expert",
    }
}

fn who(role: Role) -> &'static str {
    match role {
        Role::Expert => "expert",
        Role::Novice => "novice",
    }
}
