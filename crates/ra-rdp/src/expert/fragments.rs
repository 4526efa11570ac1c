//! Fast-path updates in pieces ([MS-RDPBCGR] 2.2.9.1.2.1, fragmentation): IronRDP puts them together without a bound.

use ironrdp_core::{ReadCursor, decode_cursor};
use ironrdp_pdu::fast_path::{FastPathHeader, FastPathUpdatePdu, Fragmentation};

use crate::RdpError;

/// Most bytes of an update: more than an uncompressed screen of 3,840 by 2,160 pixels has. The Multifragment Update capability
/// is no bound, as IronRDP announces what the novice does.
const UPDATE: usize = 32 << 20;

/// How much of an update has come.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    bytes: usize,
}

impl Fragments {
    /// Looks at a fast-path frame before IronRDP does.
    pub(super) fn check(&mut self, frame: &[u8]) -> Result<(), RdpError> {
        let mut cursor = ReadCursor::new(frame);
        if decode_cursor::<FastPathHeader>(&mut cursor).is_err() {
            return Ok(());
        }
        while !cursor.is_empty() {
            // What cannot be read is put nowhere.
            let Ok(update) = decode_cursor::<FastPathUpdatePdu<'_>>(&mut cursor) else { break };
            self.bytes = match update.fragmentation {
                Fragmentation::Single | Fragmentation::First => update.data.len(),
                Fragmentation::Next | Fragmentation::Last => self.bytes.saturating_add(update.data.len()),
            };
            if self.bytes > UPDATE {
                return Err(RdpError::Protocol("an update that is too long"));
            }
        }
        Ok(())
    }
}
