//! Files on their way to the peer: their bytes follow when it wants them, and when there is room.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use bytes::{Buf, BytesMut};
use ra_session::{Event, FileEvent, FileOffer, Files, Misuse, TransferId};

use crate::RdpError;
use crate::channels::Channels;

/// Bytes that are read at a time, if the blocks of the version are not larger.
const BATCH: usize = 64 << 10;

/// Where the bytes of a file come from.
pub(crate) type Source = Box<dyn Read + Send>;

/// Files that were offered.
#[derive(Default)]
pub(crate) struct Uploads {
    sources: BTreeMap<TransferId, Source>,
    /// The one that the peer wants now.
    running: Option<TransferId>,
    buffer: Vec<u8>,
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Uploads {
    /// Offers a file to the peer.
    pub(crate) fn offer(
        &mut self,
        mut files: Files<'_>,
        offer: FileOffer,
        source: Source,
    ) -> Result<TransferId, Misuse> {
        let id = files.send(offer)?;
        self.sources.insert(id, source);
        Ok(id)
    }

    /// Looks at an event of the session.
    pub(crate) fn follow(&mut self, event: &Event) {
        match event {
            Event::File(FileEvent::Accepted { id }) if self.sources.contains_key(id) => {
                self.running = Some(*id);
            }
            Event::File(FileEvent::Sent { id } | FileEvent::Failed { id, .. }) => {
                self.sources.remove(id);
                self.running.take_if(|running| *running == *id);
            }
            _ => {}
        }
    }

    /// Sends the next blocks. Whether there were any: then the session may have something to say.
    pub(crate) fn feed(
        &mut self,
        mut files: Files<'_>,
        channels: &mut Channels,
        out: &mut BytesMut,
    ) -> Result<bool, RdpError> {
        let Some(id) = self.running else { return Ok(false) };
        let Some(sending) = files.sending().filter(|sending| sending.id == id) else {
            self.running = None;
            return Ok(false);
        };
        let block = sending.block.max(1);
        let blocks = (BATCH / block).max(1).saturating_mul(block);
        let left = sending.size.saturating_sub(sending.sent);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(blocks);
        self.buffer.resize(want, 0);
        let read = self.sources.get_mut(&id).map(|source| source.read_exact(&mut self.buffer));
        if !matches!(read, Some(Ok(()))) {
            // It has become shorter, or cannot be read any more: the peer is told, and the program by an event.
            self.running = None;
            files.cancel(id)?;
            return Ok(true);
        }
        let blocks = files.blocks(id, &self.buffer)?;
        for block in &blocks {
            channels.send(blocks.channel(), Buf::chain(block.header, block.data), out)?;
        }
        Ok(true)
    }
}
