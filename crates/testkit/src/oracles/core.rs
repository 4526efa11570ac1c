use remassist_core::{Decode as _, DecodeOptions, Limits, Utf16Le, text::TextFormat as _, utf16};

use super::Oracle;
use crate::sample::{Sample, SampleFile};
use crate::{laws, xml_law};

pub(super) const ALL: &[Oracle] = &[("core_text", text)];

/// An XML document in any encoding, and the same bytes as UTF-16 text.
fn text(input: &[u8]) {
    if xml_law!(SampleFile<'_>, input) {
        let decoded = SampleFile::decode_prefix(input).unwrap().0;
        laws::json(&decoded.map_owned(|s| Sample(s.0.into_owned())));
    }
    // Reading with a trace takes another way through the XML.
    let traced = SampleFile::decode_with(input, &DecodeOptions::TOLERANT.with_trace(true));
    let plain = SampleFile::decode_with(input, &DecodeOptions::TOLERANT);
    assert_eq!(plain.map(|d| (d.value, d.deviations)).ok(), traced.map(|d| (d.value, d.deviations)).ok());
    if let Ok(text) = str::from_utf8(input) {
        let limits = Limits::DEFAULT.with_depth(3).with_items(4).with_string(16);
        if let Ok(small) = Sample::parse_with(text, &DecodeOptions::TOLERANT.with_limits(limits)) {
            assert!(Sample::parse(text).is_ok_and(|all| all == small.value), "limits only refuse");
        }
    }
    utf16_text(input);
}

fn utf16_text(input: &[u8]) {
    let units: Vec<u16> = input.chunks_exact(2).map(|u| u16::from_le_bytes([u[0], u[1]])).collect();
    let expected = String::from_utf16(&units).ok().filter(|_| input.len().is_multiple_of(2));
    match utf16::decode(input) {
        Ok(text) => {
            assert_eq!(Some(&text), expected.as_ref());
            assert_eq!(utf16::encode(&text), input);
        }
        Err(e) => {
            assert!(expected.is_none() && e.offset < input.len());
            assert!(utf16::decode(&input[..e.offset]).is_ok(), "what stands before the error is well-formed");
        }
    }
    let json = serde_json::to_string(&Utf16Le::from(input)).unwrap();
    assert_eq!(serde_json::from_str::<Utf16Le<'_>>(&json).unwrap(), Utf16Le::from(input));
}
