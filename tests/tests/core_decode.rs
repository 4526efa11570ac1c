//! Cursor, trace, policy, limits, and the words of errors.

use expect_test::expect;
use remassist_core::{
    At, Cursor, Decode, DecodeError, DecodeErrorKind, DecodeOptions, Deviation, Encode, EncodeError, Format,
    Limits, MAX_U16, check_len, decode_using, len_u16, len_u32, usize_from,
};
use testkit::{damage, laws};
use uuid::Uuid;

const RECORD: At = At::new("[TEST]", "2.1", "RECORD", "");
const VERSION: At = At::new("[TEST]", "2.1", "RECORD", "version");
const FLAGS: At = At::new("[TEST]", "2.1", "RECORD", "flags");
const ID: At = At::new("[TEST]", "2.1", "RECORD", "id");
const LEN: At = At::new("[TEST]", "2.1", "RECORD", "length");
const BODY: At = At::new("[TEST]", "2.1", "RECORD", "body");
const ITEM: At = At::new("[TEST]", "2.2", "ITEM", "value");

/// Version (must be 1), flags, id, length of the body, a body of numbers, and a rest for somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    version: u16,
    flags: u8,
    id: Uuid,
    body: Vec<u32>,
}

impl<'a> Decode<'a> for Record {
    const AT: &'static At = &RECORD;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&RECORD, |cursor| {
            let start = cursor.offset();
            let version = cursor.u16(&VERSION)?;
            cursor.context().note((version == 1).then_some("VERSION_1"));
            cursor.must(
                version == 1,
                start,
                &VERSION,
                DecodeErrorKind::InvalidValue { got: version.into() },
            )?;
            let flags = cursor.flags8(&FLAGS)?;
            let id = cursor.guid(&ID)?;
            let len = cursor.u32(&LEN)?;
            let mut items = cursor.sub(usize_from(len), &BODY)?;
            let mut body = Vec::new();
            items.group(&BODY, |items| {
                while !items.is_empty() {
                    body.push(items.u32(&ITEM)?);
                    items.context().secret();
                }
                Ok(())
            })?;
            items.finish(&BODY)?;
            Ok(Self { version, flags, id, body })
        })
    }
}

impl Encode for Record {
    fn encoded_len(&self) -> usize {
        23 + 4 * self.body.len()
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_len(self.body.len(), 3, &BODY)
    }

    fn write(&self, dst: &mut dyn bytes::BufMut) {
        dst.put_u16_le(self.version);
        dst.put_u8(self.flags);
        dst.put_slice(&self.id.to_bytes_le());
        dst.put_u32_le(len_u32(4 * self.body.len()));
        self.body.iter().for_each(|n| dst.put_u32_le(*n));
    }
}

fn record(version: u16) -> Record {
    Record {
        version,
        flags: 3,
        id: Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF),
        body: vec![7, 8],
    }
}

#[test]
fn laws_of_a_record() {
    for version in [1, 2] {
        let value = record(version);
        laws::truncations::<Record>(&value.to_vec().unwrap());
        laws::around(&value, value.to_vec().unwrap().leak());
    }
    let numbers = damage::numbers::<Record>(&record(1).to_vec().unwrap());
    assert!(numbers.len() > 50);
    for input in numbers {
        // More than three numbers are read and not written: the record is that strict about itself only.
        if let Ok(value) = Record::decode(&input) {
            assert_eq!(value.to_vec().unwrap(), input);
        }
    }
}

#[test]
fn guids_are_in_packet_form() {
    let bytes = record(1).to_vec().unwrap();
    assert_eq!(bytes[3..11], [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66]);
}

#[test]
fn words_of_errors() {
    const MINOR: At = At::new("[MS-RA]", "2.2.1.8", "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET", "versionMinor");
    let truncated = DecodeError::new(30, &MINOR, DecodeErrorKind::Truncated { needed: 4, available: 0 });
    assert_eq!(
        truncated.to_string(),
        "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET.versionMinor at byte 30: need 4 bytes, 0 left ([MS-RA] 2.2.1.8)"
    );
    let kinds = [
        DecodeErrorKind::TrailingData { extra: 2 },
        DecodeErrorKind::InvalidValue { got: 255 },
        DecodeErrorKind::OutOfBounds { got: 9, max: 8 },
        DecodeErrorKind::LimitExceeded { limit: "depth", max: 16 },
        DecodeErrorKind::Rule("told in words"),
    ];
    let shown: Vec<_> = kinds.map(|k| DecodeError::new(1, &RECORD, k).to_string()).into();
    expect![[r#"
        RECORD at byte 1: 2 bytes left after the value ([TEST] 2.1)
        RECORD at byte 1: value 0xff is not allowed here ([TEST] 2.1)
        RECORD at byte 1: length or offset 9 does not fit its container of 8 ([TEST] 2.1)
        RECORD at byte 1: more than the configured limit of 16 (depth) ([TEST] 2.1)
        RECORD at byte 1: told in words ([TEST] 2.1)"#]]
    .assert_eq(&shown.join("\n"));
    let deviation = Deviation { offset: 30, at: &MINOR, kind: truncated.kind() };
    assert_eq!(deviation.to_string(), truncated.to_string());
    let encode = [
        EncodeError::BufferTooSmall { needed: 9, available: 8 },
        EncodeError::TooLarge { at: &MINOR, got: 9, max: 8 },
        EncodeError::Invalid { at: &RECORD, reason: "told in words" },
    ];
    expect![[r#"
        buffer has room for 8 bytes, 9 needed
        REMOTEDESKTOP_CTL_VERSIONINFO_PACKET.versionMinor: 9 is more than the 8 that fit ([MS-RA] 2.2.1.8)
        RECORD: told in words ([TEST] 2.1)"#]]
    .assert_eq(&encode.map(|e| e.to_string()).join("\n"));
}

#[test]
fn errors_of_a_record() {
    let good = record(1).to_vec().unwrap();
    let refused = |bytes: &[u8], options| Record::decode_with(bytes, &options).unwrap_err().to_string();
    let mut long = good.clone();
    long[19] = 9;
    let mut odd = good.clone();
    odd[19] = 7;
    let limits = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_message(30));
    let shown = [
        refused(&good[..1], DecodeOptions::TOLERANT),
        refused(&good[..18], DecodeOptions::TOLERANT),
        refused(&long, DecodeOptions::TOLERANT),
        refused(&odd, DecodeOptions::TOLERANT),
        refused(&record(2).to_vec().unwrap(), DecodeOptions::STRICT),
        refused(&good, limits),
        Record::decode(&[&good[..], b"xy"].concat()).unwrap_err().to_string(),
    ]
    .join("\n");
    expect![[r#"
        RECORD.version at byte 0: need 2 bytes, 1 left ([TEST] 2.1)
        RECORD.id at byte 3: need 16 bytes, 15 left ([TEST] 2.1)
        RECORD.body at byte 23: need 9 bytes, 8 left ([TEST] 2.1)
        ITEM.value at byte 27: need 4 bytes, 3 left ([TEST] 2.2)
        RECORD.version at byte 0: value 0x2 is not allowed here ([TEST] 2.1)
        RECORD at byte 30: more than the configured limit of 30 (message bytes) ([TEST] 2.1)
        RECORD at byte 31: 2 bytes left after the value ([TEST] 2.1)"#]]
    .assert_eq(&shown);
}

#[test]
fn prefix_leaves_the_rest() {
    let bytes = [record(2).to_vec().unwrap(), vec![1, 2, 3]].concat();
    let (value, rest) = Record::decode_prefix(&bytes).unwrap();
    assert_eq!((value, rest), (record(2), &[1, 2, 3][..]));
    let decoded = Record::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.deviations.len(), 1);
    assert!(decoded.trace.is_empty());
    assert!(Record::decode(&record(2).to_vec().unwrap()).is_ok());
    assert!(Record::decode_strict(&record(2).to_vec().unwrap()).is_err());
}

#[test]
fn encoding_checks_before_it_writes() {
    let mut value = record(1);
    let mut room = [0xEE_u8; 31];
    let mut short = &mut room[..30];
    assert_eq!(value.encode(&mut short), Err(EncodeError::BufferTooSmall { needed: 31, available: 30 }));
    value.body = vec![0; 4];
    let refused = EncodeError::TooLarge { at: &BODY, got: 4, max: 3 };
    assert_eq!(value.to_vec(), Err(refused));
    assert_eq!(value.encode(&mut &mut room[..]), Err(refused));
    assert_eq!(room, [0xEE; 31]);
    assert_eq!((len_u16(MAX_U16), len_u16(MAX_U16 + 1), len_u32(usize::MAX)), (u16::MAX, u16::MAX, u32::MAX));
}

#[test]
fn the_trace_tells_everything() {
    let bytes = record(1).to_vec().unwrap();
    let decoded = Record::decode_with(&bytes, &DecodeOptions::TOLERANT.with_trace(true)).unwrap();
    laws::trace_covers(&decoded.trace, bytes.len());
    let mut shown = String::new();
    for e in &decoded.trace {
        let (note, secret) = (e.note.unwrap_or_default(), if e.secret { "secret" } else { "" });
        let line = format!(
            "{:indent$}{} {}+{} {:?} {note}{secret}",
            "",
            e.at,
            e.offset,
            e.len,
            e.format,
            indent = 2 * e.depth
        );
        shown += line.trim_end();
        shown += "\n";
    }
    expect![[r#"
        RECORD 0+31 Group
          RECORD.version 0+2 Uint VERSION_1
          RECORD.flags 2+1 Flags
          RECORD.id 3+16 Guid
          RECORD.length 19+4 Uint
          RECORD.body 23+8 Group
            ITEM.value 23+4 Uint secret
            ITEM.value 27+4 Uint secret
    "#]]
    .assert_eq(&shown);
}

/// A note or a mark belongs to the field that was just read, not to the one before an empty one.
#[test]
fn an_empty_field_takes_no_note() {
    let decoded = decode_using(&[1, 2], &DecodeOptions::TOLERANT.with_trace(true), &RECORD, |cursor| {
        cursor.u8(&VERSION)?;
        cursor.take(0, &BODY, Format::Bytes)?;
        cursor.context().note(Some("of the body"));
        cursor.context().secret();
        cursor.take_rest(&ID, Format::Bytes);
        cursor.context().secret();
        cursor.take_rest(&BODY, Format::Bytes);
        cursor.context().note(Some("of nothing"));
        Ok(())
    })
    .unwrap();
    let shown: Vec<_> = decoded.trace.iter().map(|e| (e.at.field, e.note, e.secret)).collect();
    assert_eq!(shown, [("version", None, false), ("id", None, true)]);
}

#[test]
fn deviations_are_bounded() {
    let decoded = decode_using(&[0; 5000], &DecodeOptions::TOLERANT, &RECORD, |cursor| {
        while !cursor.is_empty() {
            cursor.must(false, cursor.offset(), &ITEM, DecodeErrorKind::Rule("wrong"))?;
            cursor.u8(&ITEM)?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(decoded.deviations.len(), 1024);
}

#[test]
fn numbers_are_little_endian() {
    let bytes: Vec<u8> = (1..=29).collect();
    decode_using(&bytes, &DecodeOptions::TOLERANT, &RECORD, |c| {
        assert_eq!(c.u8(&ITEM)?, 1);
        assert_eq!(c.u16(&ITEM)?, 0x0302);
        assert_eq!(c.u32(&ITEM)?, 0x0706_0504);
        assert_eq!(c.u64(&ITEM)?, 0x0F0E_0D0C_0B0A_0908);
        assert_eq!(c.i32(&ITEM)?, 0x1312_1110);
        assert_eq!((c.flags8(&ITEM)?, c.flags16(&ITEM)?, c.flags32(&ITEM)?), (0x14, 0x1615, 0x1A19_1817));
        assert_eq!((c.offset(), c.remaining(), c.rest()), (26, 3, &[27, 28, 29][..]));
        let error = c.u32(&ITEM).unwrap_err();
        assert_eq!(
            (error.offset(), error.kind()),
            (26, DecodeErrorKind::Truncated { needed: 4, available: 3 })
        );
        assert!(c.sub(4, &ITEM).is_err() && c.take(4, &ITEM, Format::Bytes).is_err());
        assert!(c.sub(usize::MAX, &ITEM).is_err());
        assert_eq!(c.remaining(), 3, "what fails takes nothing");
        Ok(())
    })
    .unwrap();
}
