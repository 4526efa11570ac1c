//! Connections over RDP, and recordings of them.

use std::io::Cursor;

use ra_rdp::{RecordingReader, RecordingWriter, fuzzing};

use super::Oracle;

pub(super) const ALL: &[Oracle] = &[
    ("rdp_channels", fuzzing::channels),
    ("rdp_conversation", fuzzing::conversation),
    ("recording", recording),
];

/// What is read of a recording is written and read again as the same.
fn recording(input: &[u8]) {
    let Ok(reader) = RecordingReader::new(Cursor::new(input)) else { return };
    let records: Vec<_> = reader.map_while(Result::ok).collect();
    let mut out = Vec::new();
    let mut writer = RecordingWriter::new(&mut out).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    let again: Vec<_> = RecordingReader::new(out.as_slice()).unwrap().map(Result::unwrap).collect();
    assert!(again == records, "another recording");
}
