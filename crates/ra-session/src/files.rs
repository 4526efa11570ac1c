//! File transfer ([MS-RA] 3.9, 3.10).

mod blocks;
mod lanes;
mod machine;
mod name;

use rccommand::InternalData;

pub use blocks::{BlockIter, Blocks, FileBlock};
pub(crate) use machine::FileMachine;
pub use name::FileName;

use crate::Misuse;
use crate::link::Link;

/// A transfer of this session, in either direction. No two have the same.
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

impl FileOffer {
    /// A file of the user.
    #[must_use]
    pub fn new(name: impl Into<String>, size: u64) -> Self {
        Self { name: name.into(), size, internal_data: InternalData::NONE }
    }
}

/// Where the bytes of a file come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The program hands them over in blocks.
    Program,
    /// All of it.
    Owned(Vec<u8>),
}

/// What happened to a file.
///
/// Events with the id of a transfer that the program neither began nor was asked about are of the session's own files: the
/// contacts of version 3.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// The peer wants to send a file. Answer with [`accept`](Files::accept) or [`refuse`](Files::refuse).
    Offered {
        /// The transfer.
        id: TransferId,
        /// FILENAME, and what can be used of it.
        name: FileName,
        /// FILESIZE, in bytes, as the peer says: reserve nothing by it.
        size: u64,
        /// INTERNALDATA (version 3).
        internal_data: InternalData,
    },
    /// The peer no longer offers the file, or the session is over: there is nothing to answer.
    Withdrawn {
        /// The transfer.
        id: TransferId,
    },
    /// The peer wants the file: hand over its bytes with [`blocks`](Files::blocks) now. Not told of files that are empty or
    /// that the session has ([`send_bytes`](Files::send_bytes)).
    Accepted {
        /// The transfer.
        id: TransferId,
    },
    /// Bytes of a file that was accepted, in order.
    Data {
        /// The transfer.
        id: TransferId,
        /// How many came before.
        offset: u64,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// All FILESIZE bytes have come, and the peer says that these are all.
    Complete {
        /// The transfer.
        id: TransferId,
    },
    /// All bytes were handed over. The protocol has nothing that says whether they arrived.
    Sent {
        /// The transfer.
        id: TransferId,
    },
    /// It came to nothing. A receiver throws away what it has of the file.
    Failed {
        /// The transfer.
        id: TransferId,
        /// Why.
        why: FileFailure,
    },
}

/// Why a transfer came to nothing.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFailure {
    /// The peer does not want the file.
    #[error("the peer refused the file")]
    Refused,
    /// The peer has cancelled it.
    #[error("the peer cancelled the transfer")]
    CancelledByPeer,
    /// It was cancelled here.
    #[error("cancelled")]
    Cancelled,
    /// The peer sent what does not belong there.
    #[error("the peer sent messages out of sequence")]
    OutOfSequence,
    /// More or fewer bytes came than were announced.
    #[error("the file does not have the size that was announced")]
    WrongSize,
    /// Its channel is gone or could not be created.
    #[error("the channel of the transfer is gone")]
    ChannelLost,
    /// The session is over ([MS-RA] 3.9.5).
    #[error("the session is over")]
    SessionEnded,
}

/// How far sending has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// The transfer.
    pub id: TransferId,
    /// Bytes handed over.
    pub sent: u64,
    /// Bytes in all.
    pub size: u64,
    /// Bytes in a block.
    pub block: usize,
}

/// How far receiving has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiving {
    /// The transfer.
    pub id: TransferId,
    /// Bytes that have come.
    pub received: u64,
    /// Bytes in all, as the peer says.
    pub size: u64,
    /// Bytes in a block.
    pub block: usize,
}

/// Files, of either role: see [`Expert::files`](crate::Expert::files).
///
/// One transfer runs at a time, whatever its direction ([MS-RA] 3.9); what is sent meanwhile waits. The peer names the
/// channel of its files (CHANNELID), but only among the names of transfers: never another channel of the session.
#[derive(Debug)]
pub struct Files<'s> {
    pub(crate) link: &'s mut Link,
    pub(crate) machine: &'s mut FileMachine,
}

impl Files<'_> {
    /// Offers a file to the peer, now or when the transfers before it are over. [`FileEvent::Accepted`] asks for its bytes.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::QueueFull`]; [`Misuse::OtherVersion`] for internal data outside of version 3;
    /// [`Misuse::Unwritable`] for a name that XML does not allow.
    pub fn send(&mut self, offer: FileOffer) -> Result<TransferId, Misuse> {
        self.machine.send(self.link, offer, Source::Program)
    }

    /// Sends a small file that is in memory. The session hands its blocks over by itself, one whenever there is nothing
    /// else to send.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_bytes(&mut self, name: impl Into<String>, bytes: Vec<u8>) -> Result<TransferId, Misuse> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.machine.send(self.link, FileOffer::new(name, size), Source::Owned(bytes))
    }

    /// Takes the file that the peer offers.
    ///
    /// # Errors
    /// [`Misuse::UnknownTransfer`] when it was withdrawn, for example; [`Misuse::NotAsked`] when it was accepted already or
    /// is not the peer's.
    pub fn accept(&mut self, id: TransferId) -> Result<(), Misuse> {
        self.machine.accept(self.link, id)
    }

    /// Does not take the file that the peer offers. No event follows.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn refuse(&mut self, id: TransferId) -> Result<(), Misuse> {
        self.machine.refuse(self.link, id)
    }

    /// Cancels a transfer of either direction at any moment, also while it waits for its turn.
    ///
    /// # Errors
    /// [`Misuse::UnknownTransfer`] when it is over.
    pub fn cancel(&mut self, id: TransferId) -> Result<(), Misuse> {
        self.machine.cancel(self.link, id)
    }

    /// Blocks of a file that was accepted: as many whole ones as `data` has, and the shorter one at the end of the file.
    /// They count as sent. Send all of them, in order, before the next `poll`: after the last one of the file, `poll`
    /// gives the message that says so.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] before [`FileEvent::Accepted`], for more bytes than are left of the file, and for a file that
    /// the session has; [`Misuse::UnknownTransfer`]; [`Misuse::QueueFull`] when too many outputs wait for `poll`.
    pub fn blocks<'d>(&mut self, id: TransferId, data: &'d [u8]) -> Result<Blocks<'d>, Misuse> {
        self.machine.blocks(self.link, id, data)
    }

    /// The file that is being sent, or offered to the peer.
    #[must_use]
    pub fn sending(&self) -> Option<Sending> {
        self.machine.sending(self.link)
    }

    /// The file that is being received, or offered by the peer.
    #[must_use]
    pub fn receiving(&self) -> Option<Receiving> {
        self.machine.receiving(self.link)
    }
}
