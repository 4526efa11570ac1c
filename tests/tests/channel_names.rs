//! Names: channels ([MS-RA] 2.1, 2.2.1.2), message types (2.2.1.3), error codes (2.2.6).

use expect_test::expect;
use ra_channel::{ChannelName, ErrorCode, MsgType, ProtocolVersion, Role};

#[test]
fn channel_names() {
    use ProtocolVersion::{V1, V2, V3};
    let name = |text| ChannelName::parse(text).unwrap_or_else(|| panic!("{text}"));
    let novice = "172.31.251.165".parse().unwrap();
    for text in
        ["RC_CTL", "remdesk", "70", "71", "RA_FX", "1000.612009461", "172.31.251.165.612009461", "::1.5"]
    {
        assert_eq!(name(text).to_string(), text);
        assert_eq!(ChannelName::from_wire(&name(text).to_wire()), Some(name(text)));
    }
    for text in [
        "",
        "rc_ctl",
        "REMDESK",
        "72",
        ".",
        "1000.",
        "1000.+5",
        "1000.x",
        ".5",
        "1.2.3.5",
        "999.5",
        "1000.99999999999999999999",
    ] {
        assert_eq!(ChannelName::parse(text), None, "{text}");
    }
    for (version, initiator, expected) in [
        (V1, Role::Novice, "172.31.251.165.612009461"),
        (V1, Role::Expert, "1000.612009461"),
        (V2, Role::Novice, "RA_FX"),
        (V2, Role::Expert, "RA_FX"),
        (V3, Role::Novice, "RA_FX"),
        (V3, Role::Expert, "RA_FX"),
    ] {
        let channel = ChannelName::for_transfer(version, initiator, novice, 612_009_461).unwrap();
        assert_eq!(channel.to_string(), expected);
        assert!(channel.is_transfer() && !channel.is_control());
        assert!(channel.is_transfer_of(version, initiator));
        assert_eq!(channel.is_transfer_of(version, initiator.peer()), version != V1);
        for other in ProtocolVersion::ALL {
            assert_eq!(channel.is_used_in(other), (other == V1) == (version == V1));
        }
    }
    for text in ["RC_CTL", "remdesk", "70", "71"] {
        assert!(ProtocolVersion::ALL.iter().all(|v| name(text).is_used_in(*v)));
        assert!(!name(text).is_transfer_of(V2, Role::Novice));
    }
    assert!(name("RC_CTL").is_control() && name("remdesk").is_control() && !name("70").is_control());
    let long =
        ChannelName::for_transfer(V1, Role::Novice, "2001:4898:1a:5:79e2:3356:9b22:3470".parse().unwrap(), 1);
    expect!["REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName: 74 is more than the 64 that fit ([MS-RA] 2.2.1.2)"]
        .assert_eq(&long.unwrap_err().to_string());
}

#[test]
fn message_types_have_their_names_and_versions() {
    use ProtocolVersion::{V1, V2, V3};
    let versions =
        |t: MsgType| ProtocolVersion::ALL.into_iter().filter(|v| t.is_used_in(*v)).collect::<Vec<_>>();
    for (number, name, used) in [
        (1, "REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP", vec![V1]),
        (2, "REMOTEDESKTOP_CTL_RESULT", vec![V1, V2, V3]),
        (3, "REMOTEDESKTOP_CTL_AUTHENTICATE", vec![V1]),
        (4, "REMOTEDESKTOP_CTL_SERVER_ANNOUNCE", vec![V1, V2, V3]),
        (5, "REMOTEDESKTOP_CTL_DISCONNECT", vec![V1, V2, V3]),
        (6, "REMOTEDESKTOP_CTL_VERSIONINFO", vec![V1, V2]),
        (7, "REMOTEDESKTOP_CTL_ISCONNECTED", vec![V1]),
        (8, "REMOTEDESKTOP_CTL_VERIFY_PASSWORD", vec![V2]),
        (9, "REMOTEDESKTOP_EXPERT_ON_VISTA", vec![V2]),
        (10, "REMOTEDESKTOP_CTL_RANOVICE_NAME", vec![V2]),
        (11, "REMOTEDESKTOP_CTL_RAEXPERT_NAME", vec![V2]),
        (12, "REMOTEDESKTOP_CTL_TOKEN", vec![V3]),
    ] {
        assert_eq!(MsgType(number).name(), Some(name));
        assert_eq!(versions(MsgType(number)), used, "{name}");
    }
    assert_eq!(MsgType(0).name(), None);
    assert_eq!(MsgType(13).name(), None);
}

#[test]
fn error_codes() {
    assert!(ErrorCode::ALL.is_sorted_by_key(|code| code.0));
    for code in ErrorCode::ALL {
        assert!(code.name().unwrap().starts_with("SAFERROR_") || code.0 == 61);
        assert!(code.text().unwrap().ends_with('.'));
    }
    let numbers: Vec<_> = ErrorCode::ALL.iter().map(|c| c.0).collect();
    assert_eq!(
        numbers,
        [
            0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32,
            33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 44, 45, 47, 48, 50, 51, 52, 53, 61, 300, 301, 302
        ][..]
    );
    assert_eq!(ErrorCode(2).name(), None);
    assert!(!ErrorCode::ALL.contains(&ErrorCode::E_FAIL));
    assert_eq!(ErrorCode(2).to_string(), "unknown error code 2");
    expect!["26 (SAFERROR_INVALIDPASSWORD): The password is wrong (version 1)."]
        .assert_eq(&ErrorCode::INVALID_PASSWORD.to_string());
}
