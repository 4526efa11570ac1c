use ra_channel::easy_connect::SecurePayload;
use ra_channel::encomsp::{EncomspPayload, Pdu};
use ra_channel::{
    ChannelName, ChatMessage, ControlPayload, Data, ExpertBlob, FileVerb, HelpBlob, Packet, UpdateWrapper,
};
use remassist_core::{Decode, Utf16Le, utf16};

use super::Oracle;
use crate::laws;

pub(super) const ALL: &[Oracle] = &[
    ("channel_packet", packet),
    ("channel_encomsp", encomsp),
    ("channel_blobs", blobs),
    ("channel_misc", misc),
];

fn packet(input: &[u8]) {
    laws::bytes::<Packet<'_>>(input);
    if !laws::bytes::<ControlPayload<'_>>(input) {
        return;
    }
    let payload = ControlPayload::decode(input).expect("it was just decoded").into_owned();
    laws::json(&payload);
    for packet in &payload.packets {
        let control = packet.channel().is_some_and(ChannelName::is_control);
        assert_eq!(matches!(packet.data, Data::Control(_)), control);
        // A message in a packet of its own is the same message.
        assert_eq!(Packet::decode(&remassist_core::Encode::to_vec(packet).unwrap()).unwrap(), *packet);
    }
}

fn encomsp(input: &[u8]) {
    laws::bytes::<Pdu<'_>>(input);
    if laws::bytes::<EncomspPayload<'_>>(input) {
        laws::json(&EncomspPayload::decode(input).expect("it was just decoded").into_owned());
    }
}

fn blobs(input: &[u8]) {
    let expert = laws::bytes::<ExpertBlob<'_>>(input);
    assert_eq!(expert, laws::bytes::<HelpBlob<'_>>(input), "only the names of the properties differ");
    if expert {
        let blob = ExpertBlob::decode(input).expect("it was just decoded").into_owned();
        laws::json(&blob);
        for property in blob.properties.iter().filter(|p| !p.is_public()) {
            assert!(format!("{property:?}").ends_with("Secret(..) }"));
        }
    }
}

fn misc(input: &[u8]) {
    laws::bytes::<UpdateWrapper<'_>>(input);
    if laws::bytes::<ChatMessage<'_>>(input) {
        laws::json(&ChatMessage::decode(input).expect("it was just decoded").into_owned());
    }
    if let Some(verb) = FileVerb::recognize(input) {
        assert_eq!(verb.to_wire().before_nul(), Utf16Le::from(input).before_nul());
    }
    if let Ok(text) = utf16::decode(input)
        && let Some(name) = ChannelName::parse(&text)
    {
        assert_eq!(ChannelName::parse(&name.to_string()), Some(name));
        assert_eq!(ChannelName::from_wire(&name.to_wire()), Some(name));
    }
    if let Some((len, payload)) = input.split_first() {
        let payload = SecurePayload { payload: payload.to_vec(), friendly_name: len.to_string() };
        if let Ok((_, data)) = payload.parts() {
            assert_eq!(data.len() + usize::from(*len), payload.payload.len());
        }
        let _ = payload.open(|_| Ok::<_, ra_channel::easy_connect::PayloadError>([0; 32].into()));
    }
}
