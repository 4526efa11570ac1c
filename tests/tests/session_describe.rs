//! What a transcript says of a PDU.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_channel::encomsp::{
    AppFlags, ControlFlags, DiscCode, DiscType, EncomspPayload, FilterFlags, Message, ParticipantFlags, Pdu,
    PduType, WindowFlags,
};
use ra_channel::{
    Authenticate, ChannelName, ChatMessage, Control, ControlPayload, ErrorCode, ExpertBlob, FileVerb,
    MsgType, NameBstr, Packet,
};
use ra_session::{Channel, Description, Version, describe};
use rccommand::{Command, FileXfer, InternalData, Name, VoipGo};
use remassist_core::text::TextDocument;
use remassist_core::{Encode, Secret, Utf16Le};
use testkit::vectors;

const STRING: &str = "65538,1,192.0.2.10:3389,*,+ULZ6ifjoCa6cGPM,*,*,DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=";
const PASS: &str = "45410293A24FDEE2581A9BAAC824A856";
const KEY: &str = "NzaogjS5hQMun/saZ1YCBMT9GwrdJwOomrldiOmXTrE=";
const CHAT: &str = "my PIN is 4711";

fn lines(channel: Channel, bytes: &[u8]) -> String {
    describe(channel, bytes).iter().map(|d| format!("{d}\n")).collect()
}

fn says(channel: Channel, value: &impl Encode, expected: Expect) {
    expected.assert_eq(&lines(channel, &value.to_vec().unwrap()));
}

fn command(command: &Command<'_>) -> Vec<u8> {
    TextDocument::unicode_z(command.to_message()).to_vec().unwrap()
}

fn text(text: &str) -> Vec<u8> {
    Utf16Le::with_nul(text).as_bytes().to_vec()
}

fn controls() -> Vec<Control<'static>> {
    let blob = || ExpertBlob::new("Eva", Some(PASS));
    vec![
        Control::ServerAnnounce,
        Control::VersionInfo { major: 1, minor: 2 },
        Control::Authenticate(Authenticate::new(STRING, blob())),
        Control::Authenticate(Authenticate::new(STRING, ExpertBlob::new("Eva", None))),
        Control::remote_control_desktop(STRING),
        Control::expert_on_vista(vec![0xA5; 32]),
        Control::VerifyPassword { expert_blob: blob() },
        Control::Result { code: ErrorCode::NO_ERROR },
        Control::Result { code: ErrorCode::HELPEE_SAID_NO },
        Control::Result { code: ErrorCode::E_FAIL },
        Control::NoviceName { name: NameBstr::new("Nils") },
        Control::ExpertName { name: NameBstr::new("Eva") },
        Control::token(&Secret::new([0xA5; 20])),
        Control::IsConnected,
        Control::Disconnect,
        Control::Unknown { msg_type: MsgType(99), body: vec![0xA5; 3].into() },
    ]
}

fn commands() -> Vec<Command<'static>> {
    let file = |internal_data| {
        let (file_name, channel_id) = ("report.txt".into(), "RA_FX".into());
        Command::FileXfer(FileXfer { file_name, file_size: 1024, channel_id, internal_data })
    };
    let mut all = vec![
        file(InternalData::NONE),
        file(InternalData(1)),
        Command::ExpertIp { address: "192.0.2.1".into() },
        Command::SettingAnnounce { property: "CONTACTEXCHANGE".into(), value: "1".into() },
        Command::VoipGo(VoipGo {
            version: None,
            key: Secret::new(KEY.to_owned()),
            ip_list: "172.31.242.5:11334".into(),
        }),
        Command::Unknown { name: "NEWCOMMAND".into() },
    ];
    let plain = |name: &&Name| !all.iter().any(|c| c.name() == Some(**name));
    let rest: Vec<_> = Name::ALL.iter().filter(plain).map(|name| Command::Plain(*name)).collect();
    all.extend(rest);
    all
}

fn orders() -> Vec<Message<'static>> {
    let name = || Utf16Le::new("Eva");
    let may = ParticipantFlags::MAY_VIEW | ParticipantFlags::IS_PARTICIPANT;
    let flags = ControlFlags::REQUEST_VIEW | ControlFlags::REQUEST_INTERACT;
    vec![
        Message::FilterUpdated { flags: FilterFlags(0) },
        Message::AppRemoved { app_id: 7 },
        Message::AppCreated { flags: AppFlags::SHARED, app_id: 7, name: name() },
        Message::WindowRemoved { window_id: 8 },
        Message::WindowCreated { flags: WindowFlags::SHARED, app_id: 7, window_id: 8, name: name() },
        Message::ShowWindow { window_id: 8 },
        Message::ParticipantRemoved {
            participant_id: 1,
            disc_type: DiscType::CLI,
            disc_code: DiscCode(0x8000_4005),
        },
        Message::ParticipantCreated { participant_id: 1, group_id: 0, flags: may, friendly_name: name() },
        Message::ControlChange { flags, participant_id: 1 },
        Message::StreamPaused,
        Message::StreamResumed,
        Message::WindowRegion { left: 1, top: 2, right: 3, bottom: 4 },
        Message::ControlChangeResponse { flags: ControlFlags(0x11), participant_id: 1, reason: 5 },
        Message::Unknown { pdu_type: PduType(14), body: vec![1, 2].into() },
    ]
}

fn transfer() -> Channel {
    Channel::parse("1000.612009461").unwrap()
}

/// One of each kind.
fn samples() -> Vec<(Channel, Vec<u8>)> {
    let mut all = Vec::new();
    for message in controls() {
        let bytes = Packet::control(message).to_vec().unwrap();
        all.push((Channel::Remdesk, bytes.clone()));
        all.push((Channel::Control, bytes));
    }
    for bytes in commands().iter().map(command) {
        let packet = Packet::payload(ChannelName::Commands, bytes.clone()).to_vec().unwrap();
        all.extend([(Channel::Commands, bytes), (Channel::Remdesk, packet)]);
    }
    for message in orders() {
        all.push((Channel::Encomsp, Pdu::new(message).to_vec().unwrap()));
    }
    let chat = ChatMessage::new(Version::V1, CHAT).unwrap().to_vec().unwrap();
    let packet = Packet::payload(ChannelName::Chat, chat.clone()).to_vec().unwrap();
    all.extend([(Channel::Chat, chat), (Channel::Remdesk, packet)]);
    for bytes in [FileVerb::Ack.to_wire().as_bytes().to_vec(), vec![0xA5; 1024], Vec::new()] {
        let packet = Packet::payload(ChannelName::Transfer, bytes.clone()).to_vec().unwrap();
        all.extend([(transfer(), bytes), (Channel::Remdesk, packet)]);
    }
    all
}

/// What every description obeys.
fn obeys(channel: Channel, bytes: &[u8]) -> Vec<Description> {
    let all = describe(channel, bytes);
    assert!(!all.is_empty() && all.len() <= 64);
    for description in &all {
        let line = description.to_string();
        assert!(!line.chars().any(|c| c.is_control() || "\u{2028}\u{2029}\u{202E}".contains(c)), "{line:?}");
        assert!(description.name.chars().count() <= 80, "{line}");
        assert!(description.detail.chars().count() <= 300, "{line}");
        assert!(!description.name.is_empty());
        assert!(
            description.section.starts_with("[MS-RA] ") || description.section.starts_with("[MS-RDPEMC] ")
        );
    }
    all
}

#[test]
fn session_initialization() {
    let packets = controls().into_iter().map(Packet::control).collect();
    says(
        Channel::Remdesk,
        &ControlPayload { packets },
        expect![[r#"
        RC_CTL REMOTEDESKTOP_CTL_SERVER_ANNOUNCE ([MS-RA] 2.2.1.7)
        RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        RC_CTL REMOTEDESKTOP_CTL_AUTHENTICATE: "Eva", with PASS ([MS-RA] 2.2.1.4)
        RC_CTL REMOTEDESKTOP_CTL_AUTHENTICATE: "Eva", without PASS ([MS-RA] 2.2.1.4)
        RC_CTL REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP ([MS-RA] 2.2.1.9)
        RC_CTL REMOTEDESKTOP_EXPERT_ON_VISTA ([MS-RA] 2.2.1.12)
        RC_CTL REMOTEDESKTOP_CTL_VERIFY_PASSWORD: "Eva", with PASS ([MS-RA] 2.2.1.11)
        RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_NOERROR (0) ([MS-RA] 2.2.1.10)
        RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_HELPEESAIDNO (41) ([MS-RA] 2.2.1.10)
        RC_CTL REMOTEDESKTOP_CTL_RESULT: unknown error code 0x80004005 ([MS-RA] 2.2.1.10)
        RC_CTL REMOTEDESKTOP_CTL_RANOVICE_NAME: "Nils" ([MS-RA] 2.2.1.13)
        RC_CTL REMOTEDESKTOP_CTL_RAEXPERT_NAME: "Eva" ([MS-RA] 2.2.1.14)
        RC_CTL REMOTEDESKTOP_CTL_TOKEN ([MS-RA] 2.2.1.15)
        RC_CTL REMOTEDESKTOP_CTL_ISCONNECTED ([MS-RA] 2.2.1.6)
        RC_CTL REMOTEDESKTOP_CTL_DISCONNECT ([MS-RA] 2.2.1.5)
        RC_CTL control message 99: 3 bytes ([MS-RA] 2.2.1.3)
    "#]],
    );
}

#[test]
fn every_command() {
    let all: String = commands().iter().map(|c| lines(Channel::Commands, &command(c))).collect();
    expect![[r#"
        71 RCCOMMAND FILEXFER: "report.txt", 1024 bytes, on "RA_FX" ([MS-RA] 2.2.2)
        71 RCCOMMAND FILEXFER: "report.txt", 1024 bytes, on "RA_FX", INTERNALDATA 0x1 ([MS-RA] 2.2.2)
        71 RCCOMMAND EXPERTIP: "192.0.2.1" ([MS-RA] 2.2.2)
        71 RCCOMMAND SETTINGANNOUNCE: CONTACTEXCHANGE="1" ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPGO: "172.31.242.5:11334" ([MS-RA] 2.2.2)
        71 RCCOMMAND NEWCOMMAND ([MS-RA] 2.2.2)
        71 RCCOMMAND ABORTRC ([MS-RA] 2.2.2)
        71 RCCOMMAND ACCEPTRC ([MS-RA] 2.2.2)
        71 RCCOMMAND DENIEDRC ([MS-RA] 2.2.2)
        71 RCCOMMAND ESCRC ([MS-RA] 2.2.2)
        71 RCCOMMAND REJECTRC ([MS-RA] 2.2.2)
        71 RCCOMMAND REMOTECTRLSTART ([MS-RA] 2.2.2)
        71 RCCOMMAND REMOTECTRLEND ([MS-RA] 2.2.2)
        71 RCCOMMAND TAKECONTROL ([MS-RA] 2.2.2)
        71 RCCOMMAND TYPINGSTART ([MS-RA] 2.2.2)
        71 RCCOMMAND BANDWTOLOW ([MS-RA] 2.2.2)
        71 RCCOMMAND BANDWTOHIGH ([MS-RA] 2.2.2)
        71 RCCOMMAND DISABLEVOICE ([MS-RA] 2.2.2)
        71 RCCOMMAND PRESTART ([MS-RA] 2.2.2)
        71 RCCOMMAND PRESTARTNO ([MS-RA] 2.2.2)
        71 RCCOMMAND PRESTARTYES ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPPREGO ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPPREGO2 ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPGONO ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPQNO ([MS-RA] 2.2.2)
        71 RCCOMMAND WIZARDBAD ([MS-RA] 2.2.2)
        71 RCCOMMAND WIZARDGOOD ([MS-RA] 2.2.2)
    "#]]
    .assert_eq(&all);
}

#[test]
fn every_pdu_of_encomsp() {
    let pdus = orders().into_iter().map(Pdu::new).collect();
    says(
        Channel::Encomsp,
        &EncomspPayload { pdus },
        expect![[r#"
        encomsp ODTYPE_FILTER_STATE_UPDATED: 0x0 ([MS-RDPEMC] 2.2.3.1)
        encomsp ODTYPE_APP_REMOVED: application 7 ([MS-RDPEMC] 2.2.3.3)
        encomsp ODTYPE_APP_CREATED: application 7, "Eva", APPLICATION_SHARED ([MS-RDPEMC] 2.2.3.2)
        encomsp ODTYPE_WND_REMOVED: window 8 ([MS-RDPEMC] 2.2.3.5)
        encomsp ODTYPE_WND_CREATED: window 8 of application 7, "Eva", WINDOW_SHARED ([MS-RDPEMC] 2.2.3.4)
        encomsp ODTYPE_WND_SHOW: window 8 ([MS-RDPEMC] 2.2.3.6)
        encomsp ODTYPE_PARTICIPANT_REMOVED: participant 1, PARTICIPANT_DISCONNECT_REASON_CLI (0x2), 0x80004005 ([MS-RDPEMC] 2.2.4.2)
        encomsp ODTYPE_PARTICIPANT_CREATED: participant 1 of group 0, "Eva", MAY_VIEW|IS_PARTICIPANT ([MS-RDPEMC] 2.2.4.1)
        encomsp ODTYPE_PARTICIPANT_CTRL_CHANGED: participant 1, REQUEST_VIEW|REQUEST_INTERACT ([MS-RDPEMC] 2.2.4.3)
        encomsp ODTYPE_GRAPHICS_STREAM_PAUSED ([MS-RDPEMC] 2.2.5.1)
        encomsp ODTYPE_GRAPHICS_STREAM_RESUMED ([MS-RDPEMC] 2.2.5.2)
        encomsp ODTYPE_WND_RGN_UPDATE: (1, 2) to (3, 4) ([MS-RDPEMC] 2.2.3.7)
        encomsp ODTYPE_PARTICIPANT_CTRL_CHANGE_RESPONSE: participant 1, REQUEST_VIEW (0x11), reason 0x5 ([MS-RDPEMC] 2.2.4.4)
        encomsp PDU of type 14: 2 bytes ([MS-RDPEMC] 2.2.1)
    "#]],
    );
}

#[test]
fn chat_and_files() {
    says(
        Channel::Chat,
        &ChatMessage::new(Version::V3, CHAT).unwrap(),
        expect![[r#"
        70 chat message: 30 bytes ([MS-RA] 3.11.5)
    "#]],
    );
    let mut all = lines(transfer(), FileVerb::Ack.to_wire().as_bytes());
    all += &lines(transfer(), FileVerb::End.to_wire().as_bytes());
    all += &lines(Channel::Transfer(ChannelName::Transfer), FileVerb::Reject.to_wire().as_bytes());
    all += &lines(Channel::Transfer(ChannelName::Transfer), &[0; 1024]);
    all += &lines(transfer(), &[]);
    expect![[r#"
        1000.612009461 FILEXFERACK ([MS-RA] 2.2.3)
        1000.612009461 FILEXFEREND ([MS-RA] 2.2.3)
        RA_FX FILEXFERREJECT ([MS-RA] 2.2.3)
        RA_FX file data: 1024 bytes ([MS-RA] 3.9.5)
        1000.612009461 file data: 0 bytes ([MS-RA] 3.9.5)
    "#]]
    .assert_eq(&all);
}

#[test]
fn packets_on_the_static_channel_are_for_others() {
    let packets = vec![
        Packet::control(Control::ServerAnnounce),
        Packet::payload(ChannelName::Commands, command(&Command::Plain(Name::PreStart))),
        Packet::payload(ChannelName::Chat, text("hi")),
        Packet::payload(ChannelName::Transfer, vec![0; 5]),
        Packet { channel_name: Utf16Le::with_nul("99"), data: ra_channel::Data::Payload(vec![1].into()) },
    ];
    let payload = ControlPayload { packets };
    says(
        Channel::Remdesk,
        &payload,
        expect![[r#"
        RC_CTL REMOTEDESKTOP_CTL_SERVER_ANNOUNCE ([MS-RA] 2.2.1.7)
        71 RCCOMMAND PRESTART ([MS-RA] 2.2.2)
        70 chat message: 6 bytes ([MS-RA] 3.11.5)
        RA_FX file data: 5 bytes ([MS-RA] 3.9.5)
        remdesk packet: for the unknown channel "99" ([MS-RA] 2.2.1.2)
    "#]],
    );
    let channels: Vec<_> =
        describe(Channel::Remdesk, &payload.to_vec().unwrap()).into_iter().map(|d| d.channel).collect();
    let transfer = Channel::Transfer(ChannelName::Transfer);
    let expected = [Channel::Control, Channel::Commands, Channel::Chat, transfer, Channel::Remdesk];
    assert_eq!(channels, expected);
}

#[test]
fn captured_pdus() {
    let runs = vectors::json("channel/remdesk-wire.json");
    let mut all = String::new();
    for (name, run) in runs["runs"].as_object().unwrap() {
        writeln!(all, "== {name}").unwrap();
        for pdu in run["pdus"].as_array().unwrap() {
            let channel = Channel::parse(pdu["channel"].as_str().unwrap()).unwrap();
            let bytes = vectors::hex(&pdu["hex"]);
            let from = if pdu["dir"] == "c2s" { "expert" } else { "novice" };
            for description in obeys(channel, &bytes) {
                writeln!(all, "{from} {description}").unwrap();
            }
        }
        for key in
            ["password", "pass_stub", "encrypted_pass_stub", "connection_string_1", "connection_string_2"]
        {
            let Some(secret) = run[key].as_str() else { continue };
            assert!(!all.to_lowercase().contains(&secret.to_lowercase()), "{key}");
        }
    }
    expect![[r#"
        == tls1
        novice RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_EXPERT_ON_VISTA ([MS-RA] 2.2.1.12)
        expert RC_CTL REMOTEDESKTOP_CTL_VERIFY_PASSWORD: "novice", with PASS ([MS-RA] 2.2.1.11)
        novice RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_NOERROR (0) ([MS-RA] 2.2.1.10)
        == v1
        novice RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.1 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_CTL_AUTHENTICATE: "novice", with PASS ([MS-RA] 2.2.1.4)
        expert RC_CTL REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP ([MS-RA] 2.2.1.9)
        novice RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_NOERROR (0) ([MS-RA] 2.2.1.10)
        == type1quirk
        novice RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.1 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_CTL_AUTHENTICATE: "novice", with PASS ([MS-RA] 2.2.1.4)
        expert RC_CTL REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP ([MS-RA] 2.2.1.9)
        novice RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_NOERROR (0) ([MS-RA] 2.2.1.10)
        == bare
        novice RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        == enc1
        novice RC_CTL REMOTEDESKTOP_CTL_VERSIONINFO: 1.2 ([MS-RA] 2.2.1.8)
        expert RC_CTL REMOTEDESKTOP_EXPERT_ON_VISTA ([MS-RA] 2.2.1.12)
        expert RC_CTL REMOTEDESKTOP_CTL_VERIFY_PASSWORD: "novice", with PASS ([MS-RA] 2.2.1.11)
        novice RC_CTL REMOTEDESKTOP_CTL_RESULT: SAFERROR_NOERROR (0) ([MS-RA] 2.2.1.10)
        novice encomsp ODTYPE_PARTICIPANT_CREATED: participant 1 of group 0, "expert", MAY_VIEW|IS_PARTICIPANT ([MS-RDPEMC] 2.2.4.1)
        expert encomsp ODTYPE_PARTICIPANT_CTRL_CHANGED: participant 0, REQUEST_VIEW|REQUEST_INTERACT ([MS-RDPEMC] 2.2.4.3)
        novice encomsp ODTYPE_PARTICIPANT_CTRL_CHANGED: participant 1, REQUEST_VIEW|REQUEST_INTERACT (0x7) ([MS-RDPEMC] 2.2.4.3)
        expert encomsp ODTYPE_PARTICIPANT_CTRL_CHANGED: participant 1, REQUEST_VIEW|REQUEST_INTERACT (0x7) ([MS-RDPEMC] 2.2.4.3)
        novice encomsp ODTYPE_PARTICIPANT_CREATED: participant 2 of group 0, "novice", MAY_VIEW|MAY_INTERACT|IS_PARTICIPANT ([MS-RDPEMC] 2.2.4.1)
        novice encomsp ODTYPE_FILTER_STATE_UPDATED: FILTER_ENABLED ([MS-RDPEMC] 2.2.3.1)
        novice encomsp ODTYPE_GRAPHICS_STREAM_PAUSED ([MS-RDPEMC] 2.2.5.1)
        novice encomsp ODTYPE_GRAPHICS_STREAM_RESUMED ([MS-RDPEMC] 2.2.5.2)
        novice encomsp ODTYPE_PARTICIPANT_REMOVED: participant 1, PARTICIPANT_DISCONNECT_REASON_APP (0x0), S_OK (0x0) ([MS-RDPEMC] 2.2.4.2)
    "#]].assert_eq(&all);
}

#[test]
fn what_cannot_be_decoded() {
    let mut all = String::new();
    for channel in [Channel::Control, Channel::Remdesk, Channel::Chat, Channel::Commands, Channel::Encomsp] {
        for bytes in [&[][..], &[1], b"<RCCOMMAND/>"] {
            all += &lines(channel, bytes);
        }
    }
    all += &lines(Channel::Commands, &text("<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"a\" FILESIZE=\"-1\"/>"));
    all += &lines(Channel::Commands, &text("<RCCOMMAND NAME=\"VOIPGO\" VOIPGOKEY=\"hunter2\"/>"));
    expect![[r#"
        RC_CTL undecodable: REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: need 4 bytes, 0 left ([MS-RA] 2.2.1.2)
        RC_CTL undecodable: REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: need 4 bytes, 1 left ([MS-RA] 2.2.1.2)
        RC_CTL undecodable: REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName at byte 8: need 1128485436 bytes, 4 left ([MS-RA] 2.2.1.2)
        remdesk undecodable: REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: need 4 bytes, 0 left ([MS-RA] 2.2.1.2)
        remdesk undecodable: REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: need 4 bytes, 1 left ([MS-RA] 2.2.1.2)
        remdesk undecodable: REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName at byte 8: need 1128485436 bytes, 4 left ([MS-RA] 2.2.1.2)
        70 chat message: 0 bytes ([MS-RA] 3.11.5)
        70 undecodable: chat message.text at byte 0: UTF-16 text has an even number of bytes ([MS-RA] 3.11.5)
        70 chat message: 12 bytes ([MS-RA] 3.11.5)
        71 undecodable: RCCOMMAND at byte 0: the text ends before the XML element does ([MS-RA] 2.2.2)
        71 undecodable: RCCOMMAND at byte 0: text where only XML elements may stand ([MS-RA] 2.2.2)
        71 undecodable: RCCOMMAND.NAME at byte 0: the attribute is missing ([MS-RA] 2.2.2)
        encomsp undecodable: ORDER_HDR.Type at byte 0: need 2 bytes, 0 left ([MS-RDPEMC] 2.2.1)
        encomsp undecodable: ORDER_HDR.Type at byte 0: need 2 bytes, 1 left ([MS-RDPEMC] 2.2.1)
        encomsp undecodable: ORDER_HDR.Length at byte 4: need 17215 bytes, 8 left ([MS-RDPEMC] 2.2.1)
        71 RCCOMMAND FILEXFER: FILESIZE is malformed ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPGO: VOIPIPLIST is missing ([MS-RA] 2.2.2)
    "#]].assert_eq(&all);
    assert!(!all.contains("hunter2"));
}

#[test]
fn texts_of_the_peer_are_short_and_tame() {
    let long = "x".repeat(10_000);
    let wild = "a\"\u{202E}b\u{85}c\u{2028}d\u{1F600}";
    let mut all = String::new();
    for name in [long.as_str(), wild] {
        let encoded = |command: Command<'_>| TextDocument::unicode_z(command.to_message()).to_vec().unwrap();
        let commands = [
            encoded(Command::FileXfer(FileXfer {
                file_name: name.into(),
                file_size: u64::MAX,
                channel_id: name.into(),
                internal_data: InternalData(u32::MAX),
            })),
            encoded(Command::ExpertIp { address: name.into() }),
            encoded(Command::SettingAnnounce { property: name.into(), value: name.into() }),
            encoded(Command::VoipGo(VoipGo {
                version: Some(name.into()),
                key: Secret::new(KEY.to_owned()),
                ip_list: name.into(),
            })),
            encoded(Command::Unknown { name: name.into() }),
        ];
        for bytes in commands {
            obeys(Channel::Commands, &bytes);
            all += &lines(Channel::Commands, &bytes);
        }
        let name: String = name.chars().take(1000).collect();
        let control = Packet::control(Control::NoviceName { name: NameBstr::new(&name) }).to_vec().unwrap();
        obeys(Channel::Control, &control);
        all += &lines(Channel::Control, &control);
        let created = Message::ParticipantCreated {
            participant_id: u32::MAX,
            group_id: u32::MAX,
            flags: ParticipantFlags(u16::MAX),
            friendly_name: Utf16Le::new(&name),
        };
        let created = Pdu::new(created).to_vec().unwrap();
        obeys(Channel::Encomsp, &created);
        all += &lines(Channel::Encomsp, &created);
    }
    expect![[r#"
        71 RCCOMMAND FILEXFER: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", 18446744073709551615 bytes, on "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", INTERNALDATA 0xffffffff ([MS-RA] 2.2.2)
        71 RCCOMMAND EXPERTIP: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" ([MS-RA] 2.2.2)
        71 RCCOMMAND SETTINGANNOUNCE: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPGO: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" ([MS-RA] 2.2.2)
        71 RCCOMMAND xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… ([MS-RA] 2.2.2)
        RC_CTL REMOTEDESKTOP_CTL_RANOVICE_NAME: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" ([MS-RA] 2.2.1.13)
        encomsp ODTYPE_PARTICIPANT_CREATED: participant 4294967295 of group 4294967295, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", MAY_VIEW|MAY_INTERACT|IS_PARTICIPANT (0xffff) ([MS-RDPEMC] 2.2.4.1)
        71 RCCOMMAND FILEXFER: "a'�b�c�d😀", 18446744073709551615 bytes, on "a'�b�c�d😀", INTERNALDATA 0xffffffff ([MS-RA] 2.2.2)
        71 RCCOMMAND EXPERTIP: "a'�b�c�d😀" ([MS-RA] 2.2.2)
        71 RCCOMMAND SETTINGANNOUNCE: a'�b�c�d😀="a'�b�c�d😀" ([MS-RA] 2.2.2)
        71 RCCOMMAND VOIPGO: "a'�b�c�d😀" ([MS-RA] 2.2.2)
        71 RCCOMMAND a'�b�c�d😀 ([MS-RA] 2.2.2)
        RC_CTL REMOTEDESKTOP_CTL_RANOVICE_NAME: "a'�b�c�d😀" ([MS-RA] 2.2.1.13)
        encomsp ODTYPE_PARTICIPANT_CREATED: participant 4294967295 of group 4294967295, "a'�b�c�d😀", MAY_VIEW|MAY_INTERACT|IS_PARTICIPANT (0xffff) ([MS-RDPEMC] 2.2.4.1)
    "#]].assert_eq(&all);
}

#[test]
fn at_most_64_messages() {
    let packets = |n| {
        let packets = vec![Packet::control(Control::IsConnected); n];
        ControlPayload { packets }.to_vec().unwrap()
    };
    assert_eq!(obeys(Channel::Remdesk, &packets(64)).len(), 64);
    let [one] = &obeys(Channel::Remdesk, &packets(65))[..] else { panic!() };
    assert_eq!(one.name, "undecodable");
}

#[test]
fn no_secret_is_told() {
    let secrets = [
        STRING, PASS, KEY, CHAT, "DCEjZ", "+ULZ6", "45410293", "NzaogjS", "4711", "a5a5", "A5A5", "165, 165",
    ];
    let clean = |text: &str| secrets.iter().all(|secret| !text.contains(secret));
    // Each of them would be found.
    let shown = format!("{STRING} {PASS} {KEY} {CHAT} a5a5 A5A5 165, 165");
    assert!(secrets.iter().all(|secret| shown.contains(secret)));
    for (channel, bytes) in samples() {
        for cut in 0..=bytes.len().min(400) {
            for description in obeys(channel, &bytes[..bytes.len() - cut]) {
                assert!(clean(&format!("{description} {description:?}")), "{description}");
            }
        }
    }
}

#[test]
fn a_wrong_length_in_the_blob_does_not_show_pass() {
    let blob = |length: usize| text(&format!("{length};NAME=Eva;12;PASS=45410293"));
    for length in 5..40 {
        let mut bytes = MsgType::VERIFY_PASSWORD.0.to_le_bytes().to_vec();
        bytes.extend(blob(length));
        let mut packet = Packet::control(Control::ServerAnnounce).to_vec().unwrap();
        packet.truncate(packet.len() - 4);
        packet[4..8].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
        packet.extend(bytes);
        for description in obeys(Channel::Control, &packet) {
            assert!(!description.to_string().contains("4541"), "{length}: {description}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_described(
        sample in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let samples = samples();
        let (own, mut bytes) = samples[sample.index(samples.len())].clone();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        obeys(own, &bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        obeys(own, &bytes);
        obeys(samples[other.index(samples.len())].0, &bytes);
    }

    #[test]
    fn noise_is_described(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for channel in [Channel::Control, Channel::Remdesk, Channel::Chat, Channel::Commands, Channel::Encomsp, transfer()] {
            obeys(channel, &bytes);
        }
    }
}
