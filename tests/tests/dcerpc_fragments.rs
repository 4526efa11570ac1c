//! Streams cut into PDUs, stub data cut into fragments, fragments put together.

use dce_rpc::{
    AuthLevel, AuthType, Body, ContextKey, Flags, Fragment, Framer, MUST_RECV_FRAG_SIZE, Pdu, Pieces,
    Reassembly, ReassemblyError,
};
use proptest::prelude::*;
use remassist_core::{Decode, Encode};
use uuid::Uuid;

fn pdu(call_id: u32) -> Vec<u8> {
    Pdu::new(Flags::WHOLE, call_id, Body::Orphaned).to_vec().unwrap()
}

#[test]
fn a_stream_is_cut_at_every_place() {
    let stream: Vec<u8> = (0..3).flat_map(pdu).collect();
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let mut framer = Framer::new(100);
            let mut calls = Vec::new();
            for part in [&stream[..first], &stream[first..second], &stream[second..]] {
                framer.push(part);
                while let Some((header, bytes)) = framer.pull().unwrap() {
                    assert_eq!(Pdu::decode(bytes).unwrap().call_id, header.call_id);
                    calls.push(header.call_id);
                }
            }
            assert_eq!(calls, [0, 1, 2]);
            assert_eq!(framer.pending(), 0);
        }
    }
}

#[test]
fn a_stream_that_is_none_fails_for_good() {
    let mut framer = Framer::new(100);
    framer.push(b"GET / HTTP/1.1\r\n");
    let error = framer.pull().unwrap_err();
    assert_eq!(error.at().field, "rpc_vers");
    framer.push(&pdu(1));
    assert_eq!(framer.pull().unwrap_err(), error);
    assert_eq!(framer.pending(), 0);
}

#[test]
fn a_fragment_above_the_limit_fails_with_its_header() {
    let mut long = pdu(1);
    long[8] = 101;
    let mut framer = Framer::new(100);
    framer.push(&long[..15]);
    assert!(framer.pull().unwrap().is_none());
    framer.push(&long[15..]);
    assert_eq!(framer.pull().unwrap_err().at().field, "frag_length");
    long[8] = 100;
    let mut framer = Framer::new(100);
    framer.push(&long);
    assert!(framer.pull().unwrap().is_none());
}

fn fragment(flags: Flags, stub: &[u8]) -> Fragment<'_> {
    let alloc_hint = 0;
    let security =
        Some(ContextKey { auth_type: AuthType::WINNT, auth_level: AuthLevel::PRIVACY, context_id: 1 });
    Fragment {
        flags,
        call_id: 7,
        context_id: 1,
        opnum: 2,
        object: None,
        alloc_hint,
        security,
        big_endian: false,
        stub,
    }
}

const NONE: Flags = Flags(0);

#[test]
fn fragments_of_one_call_are_put_together() {
    let mut reassembly = Reassembly::new(6);
    assert_eq!(reassembly.push(&fragment(Flags::FIRST, b"ab")), Ok(None));
    assert_eq!(reassembly.call_id(), Some(7));
    assert_eq!(reassembly.push(&fragment(NONE, b"cd")), Ok(None));
    let whole = reassembly.push(&fragment(Flags::LAST, b"ef")).unwrap().unwrap();
    assert_eq!((whole.call_id, whole.opnum, &whole.stub[..]), (7, 2, &b"abcdef"[..]));
    assert_eq!(reassembly.call_id(), None);
    assert!(reassembly.push(&fragment(Flags::WHOLE, b"")).unwrap().is_some());
}

#[test]
fn fragments_that_do_not_fit_are_refused_and_the_call_is_dropped() {
    type Change = fn(&mut Fragment<'_>);
    let cases: &[(Change, ReassemblyError)] = &[
        (|f| f.call_id = 8, ReassemblyError::OtherCall),
        (|f| f.flags = Flags::WHOLE, ReassemblyError::BegunAlready),
        (|f| f.context_id = 2, ReassemblyError::Differs("p_cont_id")),
        (|f| f.opnum = 3, ReassemblyError::Differs("opnum")),
        (|f| f.object = Some(Uuid::nil()), ReassemblyError::Differs("object")),
        (|f| f.security = None, ReassemblyError::Differs("sec_trailer")),
        (|f| f.big_endian = true, ReassemblyError::Differs("packed_drep")),
        (|f| f.stub = b"12345", ReassemblyError::TooLarge { max: 6 }),
    ];
    for (change, error) in cases {
        let mut reassembly = Reassembly::new(6);
        reassembly.push(&fragment(Flags::FIRST, b"ab")).unwrap();
        let mut wrong = fragment(Flags::LAST, b"cd");
        change(&mut wrong);
        assert_eq!(reassembly.push(&wrong).unwrap_err(), *error);
        assert_eq!(reassembly.push(&fragment(Flags::LAST, b"cd")), Err(ReassemblyError::NotBegun));
    }
}

#[test]
fn alloc_hint_may_be_too_small_or_missing_but_not_too_large() {
    for (hint, ok) in [(0, true), (1, true), (4, true), (5, false), (u32::MAX, false)] {
        let mut reassembly = Reassembly::new(6);
        let first = Fragment { alloc_hint: hint, ..fragment(Flags::FIRST, b"ab") };
        reassembly.push(&first).unwrap();
        assert_eq!(reassembly.push(&fragment(Flags::LAST, b"cd")).is_ok(), ok, "{hint}");
    }
}

proptest! {
    #[test]
    fn pieces_fit_and_make_the_whole(
        len in 0..20_000_usize, max in 0..9000_u16, object: bool, token in 0..64_usize,
    ) {
        let stub: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let pieces: Vec<_> = Pieces::new(&stub, max, object, token).unwrap().collect();
        let fixed = 24 + if object { 16 } else { 0 } + if token > 0 { 8 + token } else { 0 };
        let mut reassembly = Reassembly::new(len);
        let mut whole = None;
        let mut left = len;
        for (index, piece) in pieces.iter().enumerate() {
            prop_assert_eq!(piece.flags.contains(Flags::FIRST), index == 0);
            prop_assert_eq!(piece.flags.contains(Flags::LAST), index + 1 == pieces.len());
            prop_assert_eq!(piece.alloc_hint as usize, left);
            let padding = if token > 0 { Pieces::padding(piece.stub.len()) } else { 0 };
            prop_assert!(fixed + piece.stub.len() + padding <= max.max(MUST_RECV_FRAG_SIZE).into());
            left -= piece.stub.len();
            let alloc_hint = piece.alloc_hint;
            whole = reassembly.push(&Fragment { alloc_hint, ..fragment(piece.flags, piece.stub) }).unwrap();
        }
        prop_assert_eq!(whole.unwrap().stub, stub);
    }
}

#[test]
fn a_token_that_leaves_no_room_is_refused() {
    assert!(Pieces::new(b"x", 0, true, 1432 - 48 - 16).is_some());
    assert!(Pieces::new(b"x", 0, true, 1432 - 48 - 15).is_none());
    assert!(Pieces::new(b"x", 0, true, usize::MAX).is_none());
}
