//! Damage to valid messages. Random bytes never get past the first length; damaged messages do.

use remassist_core::{Decode, DecodeOptions, Format};

/// All single damages of a message: every truncation, one byte more, every number field set to values around its
/// own and to the extremes, every byte with one bit flipped, every byte doubled or left out (the last two at most
/// 512 times, evenly spread).
pub fn all<'a, T: Decode<'a>>(input: &'a [u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    out.extend((0..input.len()).map(|n| input[..n].to_vec()));
    out.push([input, &[0]].concat());
    out.push([input, &[0xAA; 8]].concat());
    out.extend(numbers::<T>(input));
    let step = input.len().div_ceil(512).max(1);
    for at in (0..input.len()).step_by(step) {
        let mut flipped = input.to_vec();
        flipped[at] ^= 1 << (at % 8);
        out.push(flipped);
        let mut doubled = input.to_vec();
        doubled.insert(at, input[at]);
        out.push(doubled);
        let mut shorter = input.to_vec();
        shorter.remove(at);
        out.push(shorter);
    }
    out
}

/// Every number field of a message grown, shrunk and set to the extremes; the trace tells where they are.
pub fn numbers<'a, T: Decode<'a>>(input: &'a [u8]) -> Vec<Vec<u8>> {
    let options = DecodeOptions::TOLERANT.with_trace(true);
    let Ok(decoded) = T::decode_with(input, &options) else { return Vec::new() };
    let mut out = Vec::new();
    for entry in &decoded.trace {
        let big_endian = match entry.format {
            Format::Uint | Format::Int | Format::Flags => false,
            Format::UintBe => true,
            _ => continue,
        };
        let range = entry.offset..entry.offset + entry.len;
        // In the order of the field from little-endian, and back.
        let ordered = |bytes: &mut [u8]| {
            if big_endian {
                bytes.reverse()
            }
        };
        let mut wide = [0; 8];
        wide[..entry.len].copy_from_slice(&input[range.clone()]);
        ordered(&mut wide[..entry.len]);
        let value = u64::from_le_bytes(wide);
        let around = [-9, -8, -4, -2, -1, 1, 2, 4, 8, 9].map(|d| value.wrapping_add_signed(d));
        let half = 1_u64 << (8 * entry.len - 1);
        for new in around.into_iter().chain([0, 1, 0x0400_0000, half - 1, half, u64::MAX]) {
            if new != value {
                let mut damaged = input.to_vec();
                damaged[range.clone()].copy_from_slice(&new.to_le_bytes()[..entry.len]);
                ordered(&mut damaged[range.clone()]);
                out.push(damaged);
            }
        }
    }
    out
}
