//! Chat, file transfer verbs, fast-path wrapper; the fuzz corpora of the crate.

use expect_test::expect;
use proptest::prelude::*;
use ra_channel::{ChatMessage, FileVerb, ProtocolVersion, UpdateHeader, UpdateWrapper};
use remassist_core::{Decode, DecodeOptions, Encode, Limits};
use testkit::laws;

fn utf16(text: &str) -> Vec<u8> {
    remassist_core::utf16::encode(text)
}

#[test]
fn chat_limits_hold_for_sending_only() {
    use ProtocolVersion::{V1, V2, V3};
    let (fits, long) = ("x".repeat(511), "x".repeat(512));
    for version in [V2, V3] {
        assert_eq!(ChatMessage::new(version, &fits).unwrap().encoded_len(), 1024);
        expect!["chat message.text: 1026 is more than the 1024 that fit ([MS-RA] 3.11.5)"]
            .assert_eq(&ChatMessage::new(version, &long).unwrap_err().to_string());
        // 256 characters outside the BMP are 1,024 bytes without the NUL.
        assert!(ChatMessage::new(version, &"😀".repeat(256)).is_err());
        assert!(ChatMessage::new(version, &"😀".repeat(255)).is_ok());
    }
    let message = ChatMessage::new(V1, &long).unwrap();
    let bytes = message.to_vec().unwrap();
    assert_eq!(ChatMessage::decode_strict(&bytes).unwrap(), message);
    assert!(message.check_for(V3).is_err());
}

#[test]
fn chat_text() {
    let message = ChatMessage::new(ProtocolVersion::V2, "hellö 😀").unwrap();
    assert_eq!(message.to_text(), "hellö 😀");
    assert_eq!(message.to_vec().unwrap(), utf16("hellö 😀\0"));
    laws::value(&message);
    laws::json(&message);
    expect!["chat message.text: a NUL is the last character ([MS-RA] 3.11.5)"]
        .assert_eq(&ChatMessage::new(ProtocolVersion::V1, "a\0b").unwrap_err().to_string());
    assert!(ChatMessage { text: remassist_core::Utf16Le::new("a") }.check_for(ProtocolVersion::V1).is_err());
}

#[test]
fn chat_of_odd_peers() {
    let plain = utf16("hi");
    assert!(laws::bytes::<ChatMessage>(&plain) && laws::bytes::<ChatMessage>(&[]));
    expect!["chat message.text at byte 4: the message has no NUL ([MS-RA] 3.11.5)"]
        .assert_eq(&ChatMessage::decode_strict(&plain).unwrap_err().to_string());
    let after = utf16("hi\0there");
    assert!(!laws::bytes::<ChatMessage>(&after));
    expect!["chat message.text at byte 6: 10 bytes left after the value ([MS-RA] 3.11.5)"]
        .assert_eq(&ChatMessage::decode(&after).unwrap_err().to_string());
    expect!["chat message.text at byte 0: UTF-16 text has an even number of bytes ([MS-RA] 3.11.5)"]
        .assert_eq(&ChatMessage::decode(b"hi\0").unwrap_err().to_string());
    let lone = [0x3D, 0xD8, 0, 0];
    assert!(laws::bytes::<ChatMessage>(&lone));
    assert_eq!(ChatMessage::decode_strict(&lone).unwrap().to_text(), "\u{FFFD}");
    let options = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_string(3));
    assert!(ChatMessage::decode_with(&plain, &options).is_err());
}

#[test]
fn file_verbs() {
    for (verb, word) in
        [(FileVerb::Ack, "FILEXFERACK"), (FileVerb::End, "FILEXFEREND"), (FileVerb::Reject, "FILEXFERREJECT")]
    {
        assert_eq!(verb.to_string(), word);
        assert_eq!(verb.to_wire().as_bytes(), utf16(&format!("{word}\0")));
        assert_eq!(FileVerb::recognize(&utf16(word)), Some(verb));
        assert_eq!(FileVerb::recognize(verb.to_wire().as_bytes()), Some(verb));
        assert_eq!(serde_json::to_value(verb).unwrap(), word);
        for other in [
            utf16(&format!("{word}\0\0")),
            utf16(&format!("{word} ")),
            utf16(&word.to_lowercase()),
            utf16(&word[1..]),
            utf16(&word[..word.len() - 1]),
            word.as_bytes().to_vec(),
            [utf16(word), vec![0]].concat(),
        ] {
            assert_eq!(FileVerb::recognize(&other), None, "{other:?}");
        }
    }
    assert_eq!(FileVerb::recognize(&[]), None);
    assert_eq!(ProtocolVersion::ALL.map(ProtocolVersion::file_block), [409_600, 1024, 1024]);
}

#[test]
fn fast_path_wrapper() {
    // A pointer position update of 4 bytes with 3 bytes of padding.
    let position = [0x10, 0, 0x20, 0];
    let wrapper = UpdateWrapper::new(UpdateHeader(0x08), None, &position, 3);
    let bytes = wrapper.to_vec().unwrap();
    assert_eq!(bytes, [0x08, 7, 0, 0x10, 0, 0x20, 0, 0, 0, 0]);
    assert_eq!(UpdateWrapper::decode_strict(&bytes).unwrap(), wrapper);
    assert_eq!(wrapper.split(4).unwrap(), (&position[..], &[0; 3][..]));
    assert!(wrapper.split(7).unwrap().1.is_empty());
    expect!["MSRA_FP_UPDATE_WRAPPER.pad at byte 0: length or offset 8 does not fit its container of 7 ([MS-RA] 2.2.7.1)"]
        .assert_eq(&wrapper.split(8).unwrap_err().to_string());
    let wrapper = UpdateWrapper::new(UpdateHeader(0x90 | 0x01), Some(0x21), &[1, 2], 0);
    assert_eq!(wrapper.to_vec().unwrap(), [0x91, 0x21, 2, 0, 1, 2]);
    assert_eq!(
        (wrapper.header.code(), wrapper.header.fragmentation(), wrapper.header.is_compressed()),
        (1, 1, true)
    );
    laws::truncations::<UpdateWrapper>(&wrapper.to_vec().unwrap());
    // Updates stand one after the other.
    let two = [&bytes[..], &bytes].concat();
    assert_eq!(UpdateWrapper::decode_prefix(&two).unwrap().1, bytes);
    expect!["TS_FP_UPDATE.updateData at byte 3: need 7 bytes, 6 left ([MS-RDPBCGR] 2.2.9.1.2.1)"]
        .assert_eq(&UpdateWrapper::decode(&bytes[..9]).unwrap_err().to_string());
    expect!["TS_FP_UPDATE.updateHeader at byte 0: value 0x40 is not allowed here ([MS-RDPBCGR] 2.2.9.1.2.1)"]
        .assert_eq(&UpdateWrapper::decode_strict(&[0x40, 0, 0]).unwrap_err().to_string());
    let big = vec![0; 65_530];
    assert!(UpdateWrapper::new(UpdateHeader(0), None, &big, 5).to_vec().is_ok());
    expect!["TS_FP_UPDATE.size: 65536 is more than the 65535 that fit ([MS-RDPBCGR] 2.2.9.1.2.1)"]
        .assert_eq(&UpdateWrapper::new(UpdateHeader(0), None, &big, 6).to_vec().unwrap_err().to_string());
    for (header, flags) in [(0x80, None), (0, Some(0)), (0x40, Some(1))] {
        assert!(UpdateWrapper::new(UpdateHeader(header), flags, &[], 0).to_vec().is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn laws_of_wrappers(header in any::<u8>(), flags in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..40), pad in 0_u16..20) {
        let header = UpdateHeader(header);
        let wrapper = UpdateWrapper::new(header, header.is_compressed().then_some(flags), &data, pad).into_owned();
        laws::value(&wrapper);
        laws::json(&wrapper);
        laws::truncations::<UpdateWrapper>(&wrapper.to_vec().unwrap());
        let (inner, padding) = wrapper.split(data.len()).unwrap();
        prop_assert!(inner == data && padding.iter().all(|b| *b == 0) && padding.len() == usize::from(pad));
    }

    #[test]
    fn laws_of_chat(units in prop::collection::vec(any::<u16>(), 0..20)) {
        let bytes: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
        laws::bytes::<ChatMessage>(&bytes);
    }
}

#[test]
fn corpora_obey_the_oracles() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"));
    for target in ["channel_packet", "channel_encomsp", "channel_blobs", "channel_misc"] {
        let seeds: Vec<_> =
            std::fs::read_dir(root.join(target)).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(seeds.len() > 10, "{target}");
        for seed in seeds {
            testkit::oracles::run(target, &std::fs::read(seed).unwrap());
        }
    }
}
