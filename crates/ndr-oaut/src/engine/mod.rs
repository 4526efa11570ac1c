//! NDR 2.0 (\[C706\] 14): reader, writer and the description that both follow.

mod array;
mod number;
mod params;
mod pointer;
mod reader;
mod reference;
mod serialized;
mod stub;
mod wire;
mod writer;

pub use array::{Varying, WideString};
pub use number::{Count, R4, R8};
pub use pointer::Full;
pub use reader::Reader;
pub use reference::Ref;
pub(crate) use serialized::HEADERS;
pub use serialized::{Frame, Serialized};
pub use stub::{ByteOrder, Residue, Stub};
pub use wire::Ndr;
pub use writer::Writer;

pub use params::Placed;
pub use wire::align_of;
pub(crate) use writer::len_of;

use remassist_core::At;

/// What stands for a pad, wherever it is.
pub(crate) static PAD: At = At::new("[C706]", "14.2.2", "NDR", "padding");
/// The first referent id that the writer gives, and the step to the next: what other engines do, too.
const FIRST_REFERENT: u32 = 0x0002_0000;
const REFERENT_STEP: u32 = 4;

/// Bytes from a position to the next multiple of `align` (a power of two).
#[inline]
pub(crate) fn pad(position: usize, align: usize) -> usize {
    position.wrapping_neg() & align.saturating_sub(1)
}

/// The referent id that the writer gives to the pointer of this number in the stream.
fn referent(number: u32) -> u32 {
    number.wrapping_mul(REFERENT_STEP).wrapping_add(FIRST_REFERENT).max(1)
}
