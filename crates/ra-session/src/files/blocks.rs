//! Blocks of a file on the wire ([MS-RA] 3.9.5).

use std::slice::Chunks;

use ra_channel::{ChannelName, Packet};
use remassist_core::{Encode as _, len_u32};

use crate::channel::Way;
use crate::{Channel, Misuse};

/// The data of a file comes from far memory once. Copied in pieces it is read from first to last; the `memcpy` of some
/// systems reads the end of 1,024 bytes before the middle, which takes nearly twice as long.
const PIECE: usize = 256;

/// Blocks of a file: each is one PDU of [`channel`](Self::channel).
#[derive(Debug, Clone)]
#[must_use = "these blocks count as sent"]
pub struct Blocks<'d> {
    channel: Channel,
    data: &'d [u8],
    block: usize,
    /// Of a whole block. Both are empty where the channel is the transfer's own.
    header: Vec<u8>,
    /// Of the shorter block at the end.
    last_header: Vec<u8>,
}

/// One PDU: its header, and then its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileBlock<'b, 'd> {
    /// REMOTEDESKTOP_CTL_PACKETHEADER ([MS-RA] 2.2.1.2) on the static channel, nothing on one of the transfer's own.
    pub header: &'b [u8],
    /// Bytes of the file.
    pub data: &'d [u8],
}

impl FileBlock<'_, '_> {
    /// Writes the PDU to the beginning of a buffer and gives its length; `None`, and nothing is written, when it does not
    /// fit.
    #[must_use]
    pub fn copy_to(&self, buffer: &mut [u8]) -> Option<usize> {
        let len = self.header.len().checked_add(self.data.len())?;
        let (header, data) = buffer.get_mut(..len)?.split_at_mut_checked(self.header.len())?;
        header.copy_from_slice(self.header);
        for (to, from) in data.chunks_mut(PIECE).zip(self.data.chunks(PIECE)) {
            to.copy_from_slice(from);
        }
        Some(len)
    }

    /// The PDU in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        [self.header, self.data].concat()
    }
}

impl<'d> Blocks<'d> {
    /// Whole blocks of `data`, and what is left over as a last one.
    pub(super) fn new(way: Way, name: ChannelName, data: &'d [u8], block: usize) -> Result<Self, Misuse> {
        let (channel, header, last_header) = match way {
            Way::Own(channel) => (channel, Vec::new(), Vec::new()),
            Way::Packet => {
                let last = data.len().checked_rem(block).unwrap_or_default();
                (Channel::Remdesk, header(name, block)?, header(name, last)?)
            }
        };
        Ok(Self { channel, data, block, header, last_header })
    }

    /// Where they go.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Bytes of the data handed over that are in these blocks: begin with the next one when you hand over more.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.data.len()
    }

    /// Whether there was not enough data for a block.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The blocks, in order.
    #[must_use]
    pub fn iter(&self) -> BlockIter<'_, 'd> {
        BlockIter {
            chunks: self.data.chunks(self.block.max(1)),
            block: self.block,
            header: &self.header,
            last_header: &self.last_header,
        }
    }
}

impl<'b, 'd> IntoIterator for &'b Blocks<'d> {
    type Item = FileBlock<'b, 'd>;
    type IntoIter = BlockIter<'b, 'd>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Blocks`].
#[derive(Debug, Clone)]
pub struct BlockIter<'b, 'd> {
    chunks: Chunks<'d, u8>,
    block: usize,
    header: &'b [u8],
    last_header: &'b [u8],
}

impl<'b, 'd> Iterator for BlockIter<'b, 'd> {
    type Item = FileBlock<'b, 'd>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let data = self.chunks.next()?;
        let header = if data.len() == self.block { self.header } else { self.last_header };
        Some(FileBlock { header, data })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for BlockIter<'_, '_> {}

/// The header of a packet with so many bytes: that of an empty one, with another DataLen ([MS-RA] 2.2.1.1).
fn header(name: ChannelName, data_len: usize) -> Result<Vec<u8>, Misuse> {
    let mut header = Packet::payload(name, Vec::new()).to_vec().map_err(|_| Misuse::Unwritable)?;
    header.get_mut(4..8).ok_or(Misuse::Unwritable)?.copy_from_slice(&len_u32(data_len).to_le_bytes());
    Ok(header)
}
