//! Laws that hold for every type that can be decoded and encoded.

use std::fmt::Debug;

use remassist_core::{Decode, DecodeOptions, Encode, Format, Limits, TraceEntry};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::damage;

/// What a law needs of a type.
pub trait Codec<'a>: Decode<'a> + Encode + PartialEq + Debug {}
impl<'a, T: Decode<'a> + Encode + PartialEq + Debug> Codec<'a> for T {}

/// Laws for any bytes: an error points into the input; strict accepts exactly when tolerant sees no deviation; what
/// is accepted is written again as the same bytes, of the length promised; the trace covers them once.
/// Returns whether the bytes were accepted.
pub fn bytes<'a, T: Codec<'a>>(input: &'a [u8]) -> bool {
    let Some((value, consumed)) = common::<T>(input) else { return false };
    let out = value.to_vec().expect("what was decoded can be encoded");
    assert_eq!(out, consumed, "decoding and encoding keeps the bytes");
    true
}

/// [`bytes`] for XML, where quotes and blanks may change: what is accepted is written so that it reads as the same
/// value, and writing that again changes nothing.
pub fn xml<'a, T: Codec<'a>>(input: &'a [u8], same_after: impl FnOnce(&T, &[u8])) -> bool {
    let Some((value, _)) = common::<T>(input) else { return false };
    let out = value.to_vec().expect("what was decoded can be encoded");
    same_after(&value, &out);
    true
}

/// The closure that [`xml`] needs, for a type by its name.
#[macro_export]
macro_rules! xml_law {
    ($type:ty, $input:expr) => {
        $crate::laws::xml::<$type>($input, |value, out| {
            let again =
                <$type as remassist_core::Decode<'_>>::decode(out).expect("what was encoded can be decoded");
            assert_eq!(&again, value, "encoding and decoding keeps the value");
            assert_eq!(remassist_core::Encode::to_vec(&again).unwrap(), out, "encoding is stable");
        })
    };
}

fn common<'a, T: Codec<'a>>(input: &'a [u8]) -> Option<(T, &'a [u8])> {
    let strict = T::decode_with(input, &DecodeOptions::STRICT);
    match T::decode_with(input, &DecodeOptions::TOLERANT.with_trace(true)) {
        Err(e) => {
            assert!(e.offset() <= input.len(), "the offset of {e} is inside the input");
            assert!(strict.is_err(), "strict accepts what tolerant refuses: {e}");
            assert!(!e.to_string().is_empty() && !e.at().section.is_empty());
            None
        }
        Ok(t) => {
            assert_eq!(t.deviations.is_empty(), strict.is_ok(), "{:?} {:?}", t.deviations, strict.err());
            let len = input.len() - t.rest.len();
            for deviation in &t.deviations {
                assert!(deviation.offset <= input.len(), "{deviation}");
            }
            trace_covers(&t.trace, len);
            let untraced = T::decode_with(input, &DecodeOptions::TOLERANT).expect("tracing changes nothing");
            assert_eq!(untraced.value, t.value, "tracing changes nothing");
            assert_eq!(untraced.deviations, t.deviations, "tracing changes nothing");
            let (needed, value) = (t.value.encoded_len(), t.value);
            assert_eq!(
                needed,
                value.to_vec().expect("what was decoded can be encoded").len(),
                "encoded_len is exact"
            );
            Some((value, &input[..len]))
        }
    }
}

/// The leaves of a trace cover each byte of the value exactly once, in order, and groups hold their fields.
pub fn trace_covers(trace: &[TraceEntry], len: usize) {
    let mut position = 0;
    let mut open: Vec<&TraceEntry> = Vec::new();
    for entry in trace {
        while open.last().is_some_and(|g| g.depth >= entry.depth) {
            open.pop();
        }
        assert_eq!(entry.depth, open.len(), "depth of {entry:?}");
        if let Some(group) = open.last() {
            assert!(
                entry.offset >= group.offset && entry.offset + entry.len <= group.offset + group.len,
                "{entry:?} lies outside {group:?}"
            );
        }
        if entry.format == Format::Group {
            open.push(entry);
        } else {
            assert_eq!(entry.offset, position, "a hole or an overlap before {entry:?}");
            position += entry.len;
        }
    }
    assert_eq!(position, len, "the trace covers the value");
}

/// Laws for a value: it survives encoding and decoding, every truncation fails at an offset inside the input, every
/// short buffer is an error, every limit is obeyed, and every damaged form obeys [`bytes`].
pub fn value<T: Codec<'static>>(value: &T) {
    let input: &'static [u8] = value.to_vec().expect("the value can be encoded").leak();
    assert_eq!(&T::decode(input).expect("what was encoded can be decoded"), value);
    assert!(bytes::<T>(input));
    around(value, input);
    for damaged in damage::all::<T>(input) {
        bytes::<T>(damaged.leak());
    }
}

/// As [`value`], for XML.
pub fn xml_value<T: Codec<'static>>(value: &T) {
    let input: &'static [u8] = value.to_vec().expect("the value can be encoded").leak();
    assert_eq!(&T::decode(input).expect("what was encoded can be decoded"), value);
    around(value, input);
    for damaged in damage::all::<T>(input) {
        let damaged: &'static [u8] = damaged.leak();
        xml::<T>(damaged, |value, out| {
            let again = T::decode(out.to_vec().leak()).expect("what was encoded can be decoded");
            assert_eq!(&again, value);
        });
    }
}

/// Every short buffer is an error, and the limit on the whole message is obeyed.
pub fn around<T: Codec<'static>>(value: &T, input: &'static [u8]) {
    assert_eq!(input.len(), value.encoded_len());
    for len in 0..input.len() {
        let mut small = vec![0_u8; len];
        assert!(value.encode(&mut small.as_mut_slice()).is_err(), "a buffer of {len} bytes is too small");
    }
    let limits = Limits::DEFAULT.with_message(input.len().saturating_sub(1));
    assert!(T::decode_with(input, &DecodeOptions::TOLERANT.with_limits(limits)).is_err() || input.is_empty());
}

/// Every proper prefix of the bytes is refused with an offset inside it: for types whose end is not the end of the
/// input.
pub fn truncations<'a, T: Codec<'a>>(input: &'a [u8]) {
    for len in 0..input.len() {
        match T::decode_with(&input[..len], &DecodeOptions::TOLERANT) {
            Ok(t) => panic!("{len} of {} bytes decode as {:?}", input.len(), t.value),
            Err(e) => assert!(e.offset() <= len, "{e}"),
        }
    }
}

/// JSON with secrets shown gives back the same value and bytes.
pub fn json<'a, T: Codec<'a> + Serialize + DeserializeOwned>(value: &T) {
    let text = serde_json::to_string(value).expect("the value becomes JSON");
    let again: T = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(again.to_vec(), value.to_vec(), "{text}");
}
