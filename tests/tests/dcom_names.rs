//! HRESULTs, sessions as text, states.

use std::collections::BTreeSet;

use expect_test::expect;
use ndr_oaut::Bstr;
use ra_dcom::{ErrorStatus, HResult, SessionName, SessionNameError, SessionStateEnum};
use remassist_core::Utf16Le;

#[test]
fn results_have_names_meanings_and_sections() {
    let numbers: BTreeSet<_> = HResult::ALL.iter().collect();
    assert_eq!(numbers.len(), HResult::ALL.len());
    for result in HResult::ALL {
        assert!(result.name().is_some() && result.section().unwrap().starts_with("[MS-"), "{result}");
        assert!(!result.meaning().unwrap().ends_with('.'));
        assert_eq!(result.ok().is_ok(), matches!(*result, HResult::S_OK | HResult::S_FALSE), "{result}");
    }
    for status in ErrorStatus::ALL {
        assert!(status.name().is_some() && status.meaning().is_some() && status.section().is_some());
        assert_eq!(status.ok().is_ok(), *status == ErrorStatus::SUCCESS);
    }
    assert_eq!((HResult(0x8123_4567).name(), ErrorStatus(1).name()), (None, None));
}

#[test]
fn results_are_errors() {
    let error: Box<dyn std::error::Error> = HResult::ERROR_CANNOT_MAKE.ok().unwrap_err().into();
    expect!["ERROR_CANNOT_MAKE (0x80070052): Remote Assistance is already running on the novice's computer"]
        .assert_eq(&error.to_string());
    expect!["0x81234567"].assert_eq(&HResult(0x8123_4567).to_string());
    expect!["HResult(0x80070005 E_ACCESSDENIED)"].assert_eq(&format!("{:?}", HResult::E_ACCESSDENIED));
    expect!["OR_INVALID_SET (0x00000778): no such ping set"].assert_eq(&ErrorStatus::INVALID_SET.to_string());
}

#[test]
fn an_invalid_argument_has_two_numbers() {
    for number in [0x8000_0003, 0x8007_0057] {
        assert!(HResult(number).is_invalid_arg());
        assert_eq!(HResult(number).name(), Some("E_INVALIDARG"));
    }
    assert!(!HResult::E_POINTER.is_invalid_arg());
}

#[test]
fn codes_of_win32_are_results() {
    assert_eq!(HResult::from_win32(1332), HResult::ERROR_NONE_MAPPED);
    assert_eq!(HResult::from_win32(5), HResult::E_ACCESSDENIED);
    assert_eq!(HResult::from_win32(0), HResult::S_OK);
    assert_eq!(HResult::ERROR_CANNOT_MAKE.win32(), Some(82));
    assert_eq!((HResult::E_NOINTERFACE.win32(), HResult::S_OK.win32()), (None, None));
}

#[test]
fn results_as_the_specifications_number_them() {
    for (result, number) in [
        (HResult::E_POINTER, 0x8000_4003),
        (HResult::E_OUTOFMEMORY, 0x8007_000E),
        (HResult::ERROR_ACCESS_DISABLED_BY_POLICY, 0x8007_04EC),
        (HResult::RPC_E_INVALID_IPID, 0x8001_0113),
        (HResult::RPC_E_INVALID_OBJECT, 0x8001_0114),
        (HResult::RPC_E_VERSION_MISMATCH, 0x8001_0110),
        (HResult::CO_E_OBJNOTREG, 0x8004_01FB),
        (HResult::CO_E_RUNAS_LOGON_FAILURE, 0x8000_401A),
        (HResult::REGDB_E_CLASSNOTREG, 0x8004_0154),
        (HResult::E_NOTIMPL, 0x8000_4001),
    ] {
        assert_eq!(result.0, number, "{result}");
    }
}

#[test]
fn a_session_is_split_at_the_last_colon_and_the_first_backslash() {
    let parse = |text: &str| text.parse::<SessionName>().map(|s| (s.domain, s.user, s.id));
    let session = |domain: &str, user: &str, id| Ok((domain.to_owned(), user.to_owned(), id));
    assert_eq!(parse("EXDOMAIN\\alice:1"), session("EXDOMAIN", "alice", 1));
    assert_eq!(parse("D:M\\a:b\\c:65537"), session("D:M", "a:b\\c", 65_537));
    assert_eq!(parse("DÖM\\日本😀:4294967295"), session("DÖM", "日本😀", u32::MAX));
    assert_eq!(parse("alice:0"), session("", "alice", 0));
    assert_eq!(parse("\\:7"), session("", "", 7));
    assert_eq!(parse("DOM\\alice"), Err(SessionNameError::NoId));
    for wrong in ["D\\a:", "D\\a:+1", "D\\a:-1", "D\\a: 1", "D\\a:1 ", "D\\a:4294967296", "D\\a:１"] {
        assert_eq!(parse(wrong), Err(SessionNameError::BadId), "{wrong}");
    }
}

#[test]
fn a_session_without_domain_or_user_is_of_no_use() {
    for (text, useful) in
        [("D\\a:1", true), ("\\a:1", false), ("D\\:1", false), ("a:1", false), (":1", false)]
    {
        let session: SessionName = text.parse().unwrap();
        assert_eq!(session.has_user(), useful, "{text}");
        assert_eq!(session.to_string().parse(), Ok(session));
    }
}

#[test]
fn a_session_in_a_bstr() {
    let read = |bytes: &[u8]| SessionName::from_bstr(&Bstr { text: Some(Utf16Le::from(bytes)) });
    let session = SessionName { domain: "D".into(), user: "a".into(), id: 1 };
    assert_eq!(SessionName::from_bstr(&Bstr::new("D\\a:1")), Some(Ok(session.clone())));
    assert_eq!(SessionName::from_bstr(&Bstr::new("D\\a:1\0")), Some(Ok(session)));
    assert_eq!(SessionName::from_bstr(&Bstr::NULL), None);
    assert_eq!(read(&[0x3D, 0xD8]), Some(Err(SessionNameError::NotText)));
    assert_eq!(read(b"D\0\\"), Some(Err(SessionNameError::NotText)));
    expect!["a session's name is not well-formed text"].assert_eq(&SessionNameError::NotText.to_string());
}

#[test]
fn states_have_the_numbers_of_the_specification() {
    let names = SessionStateEnum::ALL.iter().map(|state| (state.0, state.name().unwrap()));
    let names: Vec<_> = names.collect();
    assert_eq!(names.len(), 11);
    assert!(names.iter().enumerate().all(|(at, (number, _))| at == usize::from(*number)));
    assert_eq!((names[4].1, names[5].1), ("pchDisconnected", "pchIdle"));
    assert_eq!(SessionStateEnum(11).name(), None);
}
