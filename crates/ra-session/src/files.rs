//! File transfer ([MS-RA] 3.9, 3.10).

use std::collections::VecDeque;

use ra_channel::ChannelName;
use rccommand::{FileXfer, InternalData};

use crate::Misuse;
use crate::link::Link;

/// A transfer of this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOffer {
    /// Name, without a path: what the other side suggests to its user.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// [`InternalData::NONE`] for a file of the user (version 3 only).
    pub internal_data: InternalData,
}

/// Where the bytes of a file come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The program hands them over in blocks.
    Program,
    /// All of it.
    Owned(Vec<u8>),
}

/// Files.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
}

/// Files, of either role: see [`Expert::files`](crate::Expert::files).
#[derive(Debug)]
pub struct Files<'s> {
    pub(crate) link: &'s mut Link,
    pub(crate) machine: &'s mut FileMachine,
}

#[derive(Debug)]
pub(crate) struct FileMachine {
    queue: VecDeque<FileOffer>,
}

impl FileMachine {
    pub(crate) fn new(_: &crate::Options) -> Self { Self { queue: VecDeque::new() } }
    /// Queues a file and begins with it when nothing else runs.
    pub(crate) fn send(&mut self, _link: &mut Link, _offer: FileOffer, _source: Source) -> Result<TransferId, Misuse> { Err(Misuse::QueueFull) }
    /// FILEXFER came. `collect`: internal data of at most so many bytes is taken without asking.
    pub(crate) fn receive(&mut self, _link: &mut Link, _xfer: &FileXfer<'_>, _collect: Option<usize>) {}
    /// A block or verb on the channel of a transfer; gives internal data that is complete.
    pub(crate) fn data(&mut self, _link: &mut Link, _name: ChannelName, _bytes: &[u8]) -> Option<Vec<u8>> { None }
    /// The channel of a transfer was created.
    pub(crate) fn opened(&mut self, _link: &mut Link, _name: ChannelName) {}
    /// The channel of a transfer is gone or could not be created.
    pub(crate) fn closed(&mut self, _link: &mut Link, _name: ChannelName) {}
    /// There is nothing else to send: the next block of a file that the session itself has.
    pub(crate) fn pump(&mut self, _link: &mut Link) {}
    /// The session is over ([MS-RA] 3.9.5): every transfer fails.
    pub(crate) fn end(&mut self, _link: &mut Link) {}
}
