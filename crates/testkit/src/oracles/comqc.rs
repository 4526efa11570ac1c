use comqc_format::{Message, Reader, RecordedCall, Recording, SecurityData, Writer, rule_of};
use remassist_core::{Decode as _, DecodeError, DecodeOptions, Encode as _};

use super::Oracle;
use crate::laws;

pub(super) const ALL: &[Oracle] = &[("comqc_message", message), ("comqc_security", security)];

/// The laws of a codec; the reader agrees with the message; what is written again reads as the same calls.
fn message(input: &[u8]) {
    laws::bytes::<Message<'_>>(input);
    for options in [DecodeOptions::STRICT, DecodeOptions::TOLERANT] {
        let whole = Message::decode_with(input, &options);
        let calls = Recording::decode(input, &options);
        let (whole, calls) = match (whole, calls) {
            (Ok(whole), Ok(calls)) => (whole, calls),
            (Err(a), Err(b)) => {
                assert_eq!(a, b, "the reader fails as the message does");
                assert!(rule_of(a.kind()).is_some(), "{a}");
                continue;
            }
            (a, b) => panic!("{a:?} but {b:?}"),
        };
        let mut reader = Reader::with_options(input, &options).expect("its container was read before");
        let count = reader.by_ref().filter_map(Result::ok).count();
        assert_eq!(reader.deviations(), whole.deviations.len());
        assert_eq!(count, calls.calls.len());
        assert_eq!(whole.value.recording().expect("what was decoded can be resolved"), calls);
        for writer in [Writer::OPTIMIZED, Writer::PLAIN] {
            let writer = Writer { max_size: usize::MAX, ..writer };
            let written = writer.to_vec(&calls).expect("what was read can be written");
            let again = Recording::decode(&written, &options).expect("what was written can be read");
            same(&calls, &again);
        }
    }
}

/// Both recordings make the same calls, however their security contexts are numbered.
fn same(a: &Recording<'_>, b: &Recording<'_>) {
    assert_eq!((a.target_id, a.partition, a.calls.len()), (b.target_id, b.partition, b.calls.len()));
    for (x, y) in a.calls.iter().zip(&b.calls) {
        assert_eq!(a.security(x), b.security(y));
        assert_eq!(RecordedCall { context: 0, ..x.clone() }, RecordedCall { context: 0, ..y.clone() });
    }
}

fn security(input: &[u8]) {
    laws::bytes::<SecurityData<'_>>(input);
    let decoded: Result<_, DecodeError> = SecurityData::decode(input);
    if let Ok(data) = decoded {
        for property in data.collections.iter().flat_map(|c| &c.properties) {
            if let comqc_format::PropertyValue::Sid(sid) = property.value() {
                let again: comqc_format::Sid<'_> = sid.to_string().parse().expect("a SID's text is a SID");
                assert_eq!(again, sid);
            }
        }
        assert_eq!(data.to_vec().expect("what was decoded can be encoded"), input);
    }
}
