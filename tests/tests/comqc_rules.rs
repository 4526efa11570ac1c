//! Every rule of [MC-COMQC] 2.2 and [MS-COM] 2.2.3.2, broken by hand, with the verdict of both policies.

use comqc_format::{
    AuthenticationLevel, Header, Message, ObjectReference, Property, Reader, Recording, SecurityData, Writer,
    rule_of,
};
use expect_test::{Expect, expect};
use remassist_core::{Decode, DecodeOptions};
use uuid::{Uuid, uuid};

const IID: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

/// What both policies say: `strict / tolerant`, a rule each, where tolerant puts `~` before a deviation.
fn verdict(bytes: &[u8]) -> String {
    testkit::oracles::run("comqc_message", bytes);
    let strict = Message::decode_strict(bytes);
    let strict =
        strict.map_or_else(|e| format!("{}@{}", rule_of(e.kind()).unwrap(), e.offset()), |_| "ok".into());
    let tolerant = match Message::decode_with(bytes, &DecodeOptions::TOLERANT) {
        Err(e) => rule_of(e.kind()).unwrap().to_owned(),
        Ok(t) if t.deviations.is_empty() => "ok".to_owned(),
        Ok(t) => t
            .deviations
            .iter()
            .map(|d| format!("~{}", rule_of(d.kind).unwrap()))
            .collect::<Vec<_>>()
            .join(" "),
    };
    format!("{strict} / {tolerant}")
}

fn pad(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn header(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&signature[..], &(8 + body.len() as u32).to_le_bytes(), body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn secd(data: &[u8]) -> Vec<u8> {
    header(b"SECD", &pad([words(&[data.len() as u32, 0]), data.to_vec()].concat()))
}

fn meth(data: &[u8]) -> Vec<u8> {
    let fixed = words(&[3, 0x10, 0x1000, data.len() as u32, 1, 0]);
    header(b"METH", &pad([fixed, IID.to_bytes_le().to_vec(), data.to_vec()].concat()))
}

fn smth(data: &[u8]) -> Vec<u8> {
    header(b"SMTH", &pad([words(&[3, 0x10, 0x1000, data.len() as u32, 1, 0]), data.to_vec()].concat()))
}

fn secr(offset: u32) -> Vec<u8> {
    header(b"SECR", &words(&[offset, 0]))
}

fn part(id: Uuid) -> Vec<u8> {
    header(b"PART", &id.to_bytes_le())
}

const MINIMAL: [u8; 8] = [1, 0, 1, 0, 2, 0, 0, 0];

/// A container of 120 bytes (empty target text), then the headers.
fn message(headers: &[Vec<u8>]) -> Vec<u8> {
    let target = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee").to_bytes_le();
    let body = headers.concat();
    let mut out = b"CHDR".to_vec();
    out.extend(120_u32.to_le_bytes());
    out.extend(comqc_format::CONTAINER_GUID.to_bytes_le());
    out.extend(words(&[1, 1, 120 + body.len() as u32]));
    out.extend([0; 32]);
    out.extend(40_u32.to_le_bytes());
    out.extend([0; 8]);
    out.extend(comqc_format::TARGET_STRUCTURE_GUID.to_bytes_le());
    out.extend(target);
    out.extend(2_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(body);
    out
}

fn simple() -> Vec<u8> {
    message(&[secd(&MINIMAL), meth(&[7, 0, 0, 0])])
}

/// The simple message with a number set.
fn set(offset: usize, value: u32) -> Vec<u8> {
    let mut bytes = simple();
    bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// A message with other bytes as container target: string size, string and what follows, sizes to match.
fn target(string: &[u8], padding: usize) -> Vec<u8> {
    let bytes = simple();
    let cti = 36 + string.len() + padding;
    let mut out = bytes[..112].to_vec();
    out.extend((string.len() as u32).to_le_bytes());
    out.extend(string);
    out.extend(vec![0; padding]);
    let size = out.len() as u32;
    out.extend(&bytes[120..]);
    let total = out.len() as u32;
    out[4..8].copy_from_slice(&size.to_le_bytes());
    out[32..36].copy_from_slice(&total.to_le_bytes());
    out[68..72].copy_from_slice(&(cti as u32).to_le_bytes());
    out
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn check(cases: &[(&str, Vec<u8>)], expected: &Expect) {
    let lines: String = cases.iter().map(|(name, bytes)| format!("{name}: {}\n", verdict(bytes))).collect();
    expected.assert_eq(&lines);
}

#[test]
fn container_rules() {
    let mut short = simple();
    short.truncate(7);
    let mut longer = simple();
    longer.extend([0xEE; 3]);
    let mut shifted = simple();
    let tail = shifted.split_off(80);
    shifted.truncate(76);
    shifted.extend(tail);
    shifted.extend([0; 4]);
    check(
        &[
            ("as it should be", simple()),
            ("nothing", Vec::new()),
            ("seven bytes", short),
            ("other signature", set(0, 0x4854_454D)),
            ("size 124", set(4, 124)),
            ("size 72", set(4, 72)),
            ("size 128, target 40", set(4, 128)),
            ("size of everything", set(4, 200)),
            ("swapped GUIDs", set(8, 0x1664_BCFB)),
            ("maximum 0", set(24, 0)),
            ("maximum 2", set(24, 2)),
            ("minimum 0", set(28, 0)),
            ("minimum 2", set(28, 2)),
            ("message size less", set(32, 192)),
            ("message size more", set(32, 208)),
            ("message size within the container", set(32, 112)),
            ("message size 0", set(32, 0)),
            ("body longer", longer),
            ("reserved 3", set(60, 9)),
            ("reserved 4", set(72, 9)),
            ("target size 38", set(68, 38)),
            ("target size 39", set(68, 39)),
            ("target size 32", set(68, 32)),
            ("target size 48", set(68, 48)),
            ("target size 0", set(68, 0)),
            ("reserved 4 of 4 bytes", shifted),
            ("structure id", set(80, 0)),
            ("target id", set(96, 0)),
            ("string size 6", set(112, 6)),
            ("string size 5", set(112, 5)),
            ("string size huge", set(112, u32::MAX)),
        ],
        &expect![[r#"
            as it should be: ok / ok
            nothing: COMMON-TRUNC@0 / COMMON-TRUNC
            seven bytes: COMMON-TRUNC@7 / COMMON-TRUNC
            other signature: CONTAINER-FIRST@0 / CONTAINER-FIRST
            size 124: COMMON-SIZE8@4 / COMMON-SIZE8
            size 72: COMMON-SIZE@4 / COMMON-SIZE
            size 128, target 40: CHDR-CTISIZE@68 / COMMON-SIZE
            size of everything: CHDR-CTISIZE@68 / NO-METHOD
            swapped GUIDs: CHDR-MSGSIG@8 / CHDR-MSGSIG
            maximum 0: CHDR-MAXVER@24 / CHDR-MAXVER
            maximum 2: CHDR-MAXVER@24 / ~CHDR-MAXVER
            minimum 0: CHDR-MINVER@28 / ~CHDR-MINVER
            minimum 2: CHDR-MINVER@28 / CHDR-MINVER
            message size less: CHDR-MSGSIZE@32 / COMMON-SIZE
            message size more: CHDR-MSGSIZE@32 / CHDR-MSGSIZE
            message size within the container: CHDR-MSGSIZE@32 / CHDR-MSGSIZE
            message size 0: CHDR-MSGSIZE@32 / CHDR-MSGSIZE
            body longer: CHDR-MSGSIZE@32 / ~CHDR-MSGSIZE
            reserved 3: ok / ok
            reserved 4: ok / ok
            target size 38: CHDR-CTISIZE8@68 / ~CHDR-CTISIZE8
            target size 39: CHDR-CTISIZE8@68 / ~CHDR-CTISIZE8
            target size 32: CHDR-CTISIZE@68 / CHDR-CTISIZE
            target size 48: CHDR-CTISIZE@68 / CHDR-CTISIZE
            target size 0: CHDR-CTISIZE@68 / CHDR-CTISIZE
            reserved 4 of 4 bytes: CTI-STRUCTID@80 / CTI-STRUCTID
            structure id: CTI-STRUCTID@80 / CTI-STRUCTID
            target id: ok / ok
            string size 6: CTI-STRSIZE@112 / CTI-STRSIZE
            string size 5: CTI-STRSIZE@112 / CTI-STRSIZE
            string size huge: CTI-STRSIZE@112 / CTI-STRSIZE
        "#]],
    );
}

#[test]
fn target_text_rules() {
    let braces = "{812DF40E-BD88-11D0-8A6D-00C04FC340EE}\0";
    let cases = [
        ("braces", utf16(braces), 6),
        ("bare", utf16("812df40e-bd88-11d0-8a6d-00c04fc340ee\0"), 2),
        ("of another class", utf16("{00000000-bd88-11d0-8a6d-00c04fc340ee}\0"), 6),
        ("no terminator", utf16(&braces[..38]), 0),
        ("two terminators", utf16("\0\0"), 0),
        ("nothing at all", Vec::new(), 4),
        ("one brace", utf16("{812DF40E-BD88-11D0-8A6D-00C04FC340EE\0"), 0),
        ("no hex", utf16("{812DF40G-BD88-11D0-8A6D-00C04FC340EE}\0"), 6),
        ("no hyphens", utf16("{812DF40E0BD88011D008A6D000C04FC340EE}\0"), 6),
        ("program id", utf16("Ship.Order.1\0"), 2),
        ("half a surrogate pair", vec![0, 0xD8, 0, 0], 0),
        ("odd", vec![b'a', 0, 0], 1),
        ("8 bytes of padding", utf16("\0\0\0\0")[..2].to_vec(), 10),
    ];
    let cases = cases.map(|(name, text, padding)| (name, target(&text, padding)));
    check(
        &cases,
        &expect![[r#"
        braces: ok / ok
        bare: ok / ok
        of another class: ok / ok
        no terminator: CTI-NUL@192 / ~CTI-NUL
        two terminators: CTI-NUL@116 / ~CTI-NUL
        nothing at all: CTI-NUL@116 / ~CTI-NUL
        one brace: CTI-ABNF@116 / ~CTI-ABNF
        no hex: CTI-ABNF@116 / ~CTI-ABNF
        no hyphens: CTI-ABNF@116 / ~CTI-ABNF
        program id: CTI-ABNF@116 / ~CTI-ABNF
        half a surrogate pair: CTI-UTF16@116 / ~CTI-UTF16
        odd: CTI-UTF16@116 / ~CTI-UTF16
        8 bytes of padding: CTI-PADDING@118 / ~CTI-PADDING
    "#]],
    );
}

#[test]
fn header_rules() {
    let [secd, meth, smth] = [secd(&MINIMAL), meth(&[7, 0, 0, 0]), smth(&[])];
    let m = |headers: &[&Vec<u8>]| message(&headers.iter().map(|h| (*h).clone()).collect::<Vec<_>>());
    let (one, two) = (part(comqc_format::GLOBAL_PARTITION), part(Uuid::nil()));
    let [other, again] = [header(b"XXXX", &[1; 8]), secr(120)];
    let mut long = secd.clone();
    long[4] = 32;
    long.extend([0; 8]);
    let mut cut = m(&[&secd, &meth]);
    cut.truncate(180);
    cut[32] = 180;
    let size = |h: &Vec<u8>, size: u8| {
        let mut h = h.clone();
        h[4] = size;
        h
    };
    check(
        &[
            ("partition", m(&[&one, &secd, &meth])),
            ("no partition", m(&[&two, &secd, &meth])),
            ("partition later", m(&[&secd, &meth, &one])),
            ("partition in a group", m(&[&secd, &one, &meth])),
            ("same partition twice", m(&[&one, &one, &secd, &meth])),
            ("other partition", m(&[&one, &two, &secd, &meth])),
            ("partition of 16", m(&[&size(&one, 16), &secd, &meth])),
            ("partition of 32", m(&[&size(&one, 32), &secd, &meth])),
            ("container again", m(&[&secd, &meth, &simple()])),
            ("nothing", m(&[])),
            ("no method", m(&[&secd])),
            ("no security", m(&[&meth])),
            ("reference first", m(&[&again, &meth])),
            ("short method first", m(&[&secd, &smth])),
            ("reference to itself", m(&[&secd, &meth, &secr(200), &smth])),
            ("reference to the header", m(&[&secd, &meth, &again, &smth])),
            ("reference into the header", m(&[&secd, &meth, &secr(128), &smth])),
            ("reference to the method", m(&[&secd, &meth, &secr(144), &smth])),
            ("reference to the end", m(&[&secd, &meth, &secr(u32::MAX), &smth])),
            ("reference of 24", m(&[&secd, &meth, &size(&secr(120), 24), &smth])),
            ("security twice", m(&[&secd, &secd, &meth])),
            ("security and reference", m(&[&secd, &meth, &secd, &again, &smth])),
            ("reference twice", m(&[&secd, &meth, &again, &again, &smth])),
            ("trailing security", m(&[&secd, &meth, &secd])),
            ("trailing reference", m(&[&secd, &meth, &again])),
            ("unknown first", m(&[&other, &secd, &meth])),
            ("unknown between", m(&[&secd, &meth, &other, &smth])),
            ("unknown in a group", m(&[&secd, &other, &meth])),
            ("unknown last", m(&[&secd, &meth, &other])),
            ("two unknown last", m(&[&secd, &meth, &other, &other])),
            ("unknown after trailing security", m(&[&secd, &meth, &secd, &other])),
            ("partition after unknown", m(&[&secd, &meth, &other, &one])),
            ("security padding of 8", m(&[&long, &meth])),
            ("size 0", m(&[&secd, &size(&meth, 0)])),
            ("size 52", m(&[&secd, &size(&meth, 52)])),
            ("size 40", m(&[&secd, &size(&meth, 40)])),
            ("size 64", m(&[&secd, &size(&meth, 64)])),
            ("cut in the fixed fields", cut),
            ("four bytes left", m(&[&secd, &meth, &vec![0; 4]])),
            ("data size of security", set(128, 9)),
            ("data size of security, huge", set(128, u32::MAX)),
            ("header padding", set(132, 1)),
            ("data representation", set(156, 0x11)),
            ("flags", set(160, 0)),
            ("marshaled size 8", set(164, 8)),
            ("marshaled size 9", set(164, 9)),
            ("marshaled size huge", set(164, u32::MAX)),
            ("reserved", set(168, 0)),
            ("padding 1", set(172, 5)),
            ("padding 2", set(196, 5)),
            ("method number 0", set(152, 0)),
        ],
        &expect![[r#"
            partition: ok / ok
            no partition: ok / ok
            partition later: ORDER-PART@200 / ~ORDER-PART
            partition in a group: ORDER-PART@144 / ~ORDER-PART
            same partition twice: ORDER-PART@144 / ~ORDER-PART
            other partition: ORDER-PART@144 / ORDER-PART
            partition of 16: PART-SIZE@124 / PART-SIZE
            partition of 32: PART-SIZE@124 / PART-SIZE
            container again: CONTAINER-ONCE@200 / CONTAINER-ONCE
            nothing: NO-METHOD@120 / NO-METHOD
            no method: NO-METHOD@144 / NO-METHOD
            no security: SECD-FIRST@120 / SECD-FIRST
            reference first: SECD-FIRST@120 / SECD-FIRST
            short method first: METH-FIRST-IID@144 / METH-FIRST-IID
            reference to itself: SECR-OFFSET@208 / SECR-OFFSET
            reference to the header: ok / ok
            reference into the header: SECR-OFFSET@208 / SECR-OFFSET
            reference to the method: SECR-OFFSET@208 / SECR-OFFSET
            reference to the end: SECR-OFFSET@208 / SECR-OFFSET
            reference of 24: SECR-SIZE@204 / SECR-SIZE
            security twice: ORDER-GROUP@144 / ORDER-GROUP
            security and reference: ORDER-GROUP@224 / ORDER-GROUP
            reference twice: ORDER-GROUP@216 / ORDER-GROUP
            trailing security: ORDER-GROUP@224 / ~ORDER-GROUP
            trailing reference: ORDER-GROUP@216 / ~ORDER-GROUP
            unknown first: UNKNOWN-HEADER@120 / UNKNOWN-HEADER
            unknown between: UNKNOWN-HEADER@200 / UNKNOWN-HEADER
            unknown in a group: UNKNOWN-HEADER@144 / UNKNOWN-HEADER
            unknown last: UNKNOWN-HEADER@200 / ~UNKNOWN-HEADER
            two unknown last: UNKNOWN-HEADER@200 / ~UNKNOWN-HEADER ~UNKNOWN-HEADER
            unknown after trailing security: UNKNOWN-HEADER@224 / UNKNOWN-HEADER
            partition after unknown: UNKNOWN-HEADER@200 / UNKNOWN-HEADER
            security padding of 8: SECD-PADDING@144 / ~SECD-PADDING
            size 0: COMMON-SIZE@148 / COMMON-SIZE
            size 52: COMMON-SIZE8@148 / COMMON-SIZE8
            size 40: COMMON-SIZE@148 / COMMON-SIZE
            size 64: COMMON-SIZE@148 / COMMON-SIZE
            cut in the fixed fields: COMMON-TRUNC@148 / COMMON-TRUNC
            four bytes left: COMMON-TRUNC@200 / COMMON-TRUNC
            data size of security: SECD-DATASIZE@128 / SECD-DATASIZE
            data size of security, huge: SECD-DATASIZE@128 / SECD-DATASIZE
            header padding: ok / ok
            data representation: METH-DREP@156 / METH-DREP
            flags: METH-FLAGS@160 / ~METH-FLAGS
            marshaled size 8: ok / ok
            marshaled size 9: METH-DATASIZE@164 / METH-DATASIZE
            marshaled size huge: METH-DATASIZE@164 / METH-DATASIZE
            reserved: METH-RESERVED@168 / ~METH-RESERVED
            padding 1: ok / ok
            padding 2: ok / ok
            method number 0: ok / ok
        "#]],
    );
}

#[test]
fn security_rules() {
    let chain = [0x0A01, 1, 0x0B10, 4, 6, 0];
    let name = |size: u16, text: &[u16]| [&chain[..], &[0x0A02, 1, 0x0B02, size], text].concat();
    let sid = |size: u16, sid: &[u16]| [&chain[..], &[0x0A02, 1, 0x0B06, size], sid].concat();
    let caller = |property: &[u16]| [&chain[..], &[0x0A02, 1], property].concat();
    let cases: &[(&str, [u16; 4], Vec<u16>)] = &[
        ("minimal", [1, 1, 2, 0], vec![]),
        ("maximum version", [2, 1, 0, 0], vec![]),
        ("minimum version", [1, 0, 0, 0], vec![]),
        ("style 1", [1, 1, 1, 0], vec![]),
        ("one collection", [1, 1, 0, 1], chain.to_vec()),
        ("collection missing", [1, 1, 0, 1], vec![]),
        ("collection more", [1, 1, 0, 0], chain.to_vec()),
        ("caller first", [1, 1, 0, 1], vec![0x0A02, 1, 0x0B04, 4, 6, 0]),
        ("chain twice", [1, 1, 0, 2], [chain, chain].concat()),
        ("unknown collection", [1, 1, 0, 2], [&chain[..], &[0x0A03, 1, 0x0B04, 4, 6, 0]].concat()),
        ("empty collection", [1, 1, 0, 2], [&chain[..], &[0x0A02, 0]].concat()),
        ("property missing", [1, 1, 0, 1], vec![0x0A01, 2, 0x0B10, 4, 6, 0]),
        ("unknown property", [1, 1, 0, 2], caller(&[0x0B08, 4, 6, 0])),
        ("minimum level of a caller", [1, 1, 0, 2], caller(&[0x0B10, 4, 6, 0])),
        ("level of the chain", [1, 1, 0, 1], vec![0x0A01, 1, 0x0B04, 4, 6, 0]),
        ("number of 8", [1, 1, 0, 2], caller(&[0x0B04, 8, 6, 0, 0, 0])),
        ("number of 3", [1, 1, 0, 2], caller(&[0x0B04, 3, 6, 0])),
        ("number of 0", [1, 1, 0, 2], caller(&[0x0B05, 0])),
        ("size past the end", [1, 1, 0, 2], caller(&[0x0B04, 4, 6])),
        ("size huge", [1, 1, 0, 2], caller(&[0x0B02, 0xFFFF, 6, 0])),
        ("SID", [1, 1, 0, 2], sid(12, &[0x0101, 0, 0, 0x0500, 18, 0])),
        ("SID of revision 2", [1, 1, 0, 2], sid(12, &[0x0102, 0, 0, 0x0500, 18, 0])),
        ("SID with 2 parts", [1, 1, 0, 2], sid(12, &[0x0201, 0, 0, 0x0500, 18, 0])),
        ("SID with 16 parts", [1, 1, 0, 2], sid(72, &[&[0x1001, 0, 0, 0x0500][..], &[0; 32]].concat())),
        ("SID with padding", [1, 1, 0, 2], sid(16, &[0x0101, 0, 0, 0x0500, 18, 0, 0, 0])),
        ("SID unrounded", [1, 1, 0, 2], sid(11, &[0x0101, 0, 0, 0x0500, 18, 0])),
        ("SID of 0 bytes", [1, 1, 0, 2], sid(0, &[])),
        ("name", [1, 1, 0, 2], name(4, &[0x62, 0])),
        ("name with padding", [1, 1, 0, 2], name(8, &[0x62, 0x6F, 0, 0])),
        ("name with other padding", [1, 1, 0, 2], name(8, &[0x62, 0x6F, 0, 7])),
        ("name unrounded", [1, 1, 0, 2], name(6, &[0x62, 0x6F, 0, 0])),
        ("name without terminator", [1, 1, 0, 2], name(4, &[0x62, 0x6F])),
        ("name with two terminators", [1, 1, 0, 2], name(8, &[0x62, 0, 0x6F, 0])),
        ("name of 0 bytes", [1, 1, 0, 2], name(0, &[])),
        ("empty name", [1, 1, 0, 2], name(4, &[0, 0])),
        ("odd size", [1, 1, 0, 2], name(7, &[0x62, 0x6F, 0, 0])),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(what, head, rest)| {
            let data = halves(&[&head[..], rest].concat());
            testkit::oracles::run("comqc_security", &data);
            (*what, message(&[secd(&data), meth(&[])]))
        })
        .chain([("four bytes", message(&[secd(&[1, 0, 1, 0]), meth(&[])]))])
        .collect();
    check(
        &cases,
        &expect![[r#"
        minimal: ok / ok
        maximum version: SEC-VERSION@136 / SEC-VERSION
        minimum version: SEC-VERSION@138 / SEC-VERSION
        style 1: SEC-STYLE@140 / SEC-STYLE
        one collection: ok / ok
        collection missing: SEC-TRUNC@144 / SEC-TRUNC
        collection more: SEC-TRAILING@144 / SEC-TRAILING
        caller first: SEC-COLLTYPE@144 / SEC-COLLTYPE
        chain twice: SEC-COLLTYPE@156 / SEC-COLLTYPE
        unknown collection: SEC-COLLTYPE@156 / SEC-COLLTYPE
        empty collection: SEC-EMPTYCOLL@158 / SEC-EMPTYCOLL
        property missing: SEC-TRUNC@156 / SEC-TRUNC
        unknown property: SEC-PROPTYPE@160 / SEC-PROPTYPE
        minimum level of a caller: SEC-PROPCOLL@160 / SEC-PROPCOLL
        level of the chain: SEC-PROPCOLL@148 / SEC-PROPCOLL
        number of 8: SEC-DWORD@160 / SEC-DWORD
        number of 3: SEC-DWORD@160 / SEC-DWORD
        number of 0: SEC-DWORD@160 / SEC-DWORD
        size past the end: SEC-TRUNC@164 / SEC-TRUNC
        size huge: SEC-TRUNC@164 / SEC-TRUNC
        SID: ok / ok
        SID of revision 2: SEC-SID@160 / SEC-SID
        SID with 2 parts: SEC-SID@160 / SEC-SID
        SID with 16 parts: SEC-SID@160 / SEC-SID
        SID with padding: SEC-SID@160 / SEC-SID
        SID unrounded: SEC-PROPPAD@160 / ~SEC-PROPPAD
        SID of 0 bytes: SEC-SID@160 / SEC-SID
        name: ok / ok
        name with padding: ok / ok
        name with other padding: SEC-PROPPAD@160 / ~SEC-PROPPAD
        name unrounded: SEC-PROPPAD@160 / ~SEC-PROPPAD
        name without terminator: SEC-NAME@160 / SEC-NAME
        name with two terminators: SEC-NAME@160 / SEC-NAME
        name of 0 bytes: SEC-NAME@160 / SEC-NAME
        empty name: ok / ok
        odd size: SEC-PROPPAD@160 / ~SEC-PROPPAD
        four bytes: SEC-TRUNC@136 / SEC-TRUNC
    "#]],
    );
}

#[test]
fn errors_say_where_and_what() {
    let error = |bytes: &[u8]| Message::decode_strict(bytes).unwrap_err().to_string();
    expect!["SECR.SecurityHeaderOffset at byte 208: SECR-OFFSET: not the offset of a security header before this one ([MC-COMQC] 2.2.5)"]
        .assert_eq(&error(&message(&[secd(&MINIMAL), meth(&[7, 0, 0, 0]), secr(128), smth(&[])])));
    expect!["METH.Flags at byte 160: METH-FLAGS: not 0x1000 ([MC-COMQC] 2.2.6)"]
        .assert_eq(&error(&set(160, 0)));
    let extension = comqc_format::check_extension(&[0xFB, 0xBC]).unwrap_err();
    expect!["MSMQ message.Extension at byte 2: EXTENSION: the MSMQ property is not the GUID of queued components ([MC-COMQC] 2.1)"]
        .assert_eq(&extension.to_string());
}

#[test]
fn object_references() {
    let bytes = [words(&[0, 32, 3]), IID.to_bytes_le().to_vec(), words(&[0]), b"state".to_vec()].concat();
    let object = ObjectReference::decode_strict(&bytes).unwrap();
    assert_eq!((object.object_id, &*object.object, object.reserved2), (IID, &b"state"[..], 3));
    assert!(testkit::laws::bytes::<ObjectReference<'_>>(&bytes));
    testkit::laws::json(&object);
    testkit::laws::value(&ObjectReference::new(IID, b"x".to_vec().into()));
    let rule = |bytes: &[u8]| rule_of(ObjectReference::decode(bytes).unwrap_err().kind());
    assert_eq!(rule(&bytes[..31]), Some("OBJREF-TRUNC"));
    let mut longer = bytes.clone();
    longer[4] = 40;
    assert_eq!(rule(&longer), Some("OBJREF-SIZE"));
    let mut ignored = bytes;
    (ignored[0], ignored[8], ignored[28]) = (9, 9, 9);
    ObjectReference::decode_strict(&ignored).unwrap();
}

/// Thousands of security contexts and references to them: the index of the reader finds each one and nothing else.
#[test]
fn references_in_a_large_message() {
    let mut recording = Recording::new(IID);
    for n in 0..3000 {
        let name = Property::account_name(&format!("user{n}"));
        let context = recording.add_context(SecurityData::new(AuthenticationLevel::NONE, vec![name]));
        recording.add_call(context, IID, 3, vec![b'S'; n % 70]);
    }
    for n in (0..3000).rev() {
        recording.add_call(n * 7 % 3000, IID, 4, b"SECD\x18\0\0\0".to_vec());
    }
    let bytes = Writer::default().to_vec(&recording).unwrap();
    assert_eq!(Reader::strict(&bytes).unwrap().count(), 6000);
    let message = Message::decode_strict(&bytes).unwrap();
    assert_eq!(message.headers.iter().filter(|h| matches!(h, Header::Reference { .. })).count(), 3000);
    assert_eq!(message.recording().unwrap(), Recording::decode(&bytes, &DecodeOptions::STRICT).unwrap());
    let last = message.headers.iter().rposition(|h| matches!(h, Header::Reference { .. })).unwrap();
    for offset in [0, 8, 120, 204, 216, bytes.len() as u32 - 48, bytes.len() as u32] {
        let mut changed = message.clone();
        changed.headers[last] = Header::Reference { offset, padding: [0; 4] };
        assert!(changed.recording().is_err(), "{offset}");
        let mut bytes = bytes.clone();
        let at = bytes.len() - 40 - 16 + 8;
        assert_eq!(bytes[at - 8..at - 4], *b"SECR");
        bytes[at..at + 4].copy_from_slice(&offset.to_le_bytes());
        let error = Reader::strict(&bytes).unwrap().find_map(Result::err).unwrap();
        assert_eq!(rule_of(error.kind()), Some("SECR-OFFSET"), "{offset}");
    }
}

/// Takes minutes when a reference costs time in proportion to the headers before it.
#[test]
fn a_message_full_of_references_takes_no_quadratic_time() {
    const SECURITY: usize = 100_000;
    const REFERENCES: usize = 180_000;
    let first = [secd(&MINIMAL), meth(&[])].concat();
    let mut headers = first.repeat(SECURITY);
    let call = smth(&[]);
    for n in 0..REFERENCES {
        let offset = 120 + n * 7919 % SECURITY * first.len();
        headers.extend(secr(offset as u32));
        headers.extend(&call);
    }
    let bytes = message(&[headers]);
    assert!(bytes.len() > 15 << 20);
    assert_eq!(Reader::strict(&bytes).unwrap().map(Result::unwrap).count(), SECURITY + REFERENCES);
}
