//! The frames that [MS-MQQB] 4.1 prints, played to both roles.

use msmq_packet::{EstablishConnection, Packet};
use msmq_session::{Event, Input, Options, Output, Reason, Session, Settlement, Ticket};
use remassist_core::{Decode, Time};
use testkit::vectors;

/// Bytes of frame 3 to 8, the whole of frame 7.
fn frame(number: usize) -> Vec<u8> {
    let document = vectors::json("msmq/mqqb.json");
    let frame = &document["frames"][number - 1];
    vectors::hex(if number == 7 { &frame["reconstructed_hex"] } else { &frame["hex"] })
}

/// What comes out: bytes in one piece, events, and the reason of an end.
fn poll(session: &mut Session) -> (Vec<u8>, Vec<Event>, Option<Reason>) {
    let (mut bytes, mut events, mut end) = (Vec::new(), Vec::new(), None);
    loop {
        match session.poll() {
            Output::Send(more) => bytes.extend(more),
            Output::Event(event) => events.push(event),
            Output::Close(reason) => end = Some(reason),
            Output::Wait(_) => return (bytes, events, end),
            other => panic!("{other:?}"),
        }
    }
}

fn establishment(bytes: &[u8]) -> EstablishConnection<'_> {
    let Packet::EstablishConnection(packet) = Packet::decode(bytes).unwrap() else { panic!() };
    packet
}

/// Byte 1 of a BaseHeader is reserved and may be anything: the frames have something there.
fn without_reserved(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[1] = 0;
    bytes
}

#[test]
fn the_acceptor_answers_the_frames_of_the_initiator() {
    let request = frame(3);
    let mut session = Session::accept(Options::new(establishment(&request).server_guid), Time(0));
    session.handle(Time(0), Input::Data(&request));
    let (response, events, _) = poll(&mut session);
    assert!(events.is_empty());
    let (printed, written) = (frame(4), establishment(&response).into_owned());
    let example = establishment(&printed);
    // GUIDs of the printed frames were changed by an editor.
    assert_eq!(written.client_guid, establishment(&request).client_guid);
    assert_eq!(written.server_guid, establishment(&request).server_guid);
    assert_eq!(written.time_stamp, example.time_stamp);
    assert_eq!(written.operating_system, example.operating_system);
    assert_eq!(written.padding, example.padding);
    assert_eq!(written.internal, example.internal);

    session.handle(Time(10), Input::Data(&frame(5)));
    let (response, events, _) = poll(&mut session);
    assert_eq!(without_reserved(response), without_reserved(frame(6)));
    assert_eq!(events, [Event::Open { peer: establishment(&request).client_guid }]);

    let message = frame(7);
    let (first, second) = message.split_at(1_000);
    session.handle(Time(20), Input::Data(first));
    session.handle(Time(20), Input::Data(second));
    let (bytes, events, _) = poll(&mut session);
    assert!(bytes.is_empty());
    let [Event::Arrived(arrived)] = &events[..] else { panic!() };
    session.settle(Time(20), arrived.handle, Settlement::default()).unwrap();
    // AckTimeout of frame 5 is two minutes.
    session.handle(Time(20 + 60_000), Input::Tick);
    let (ack, ..) = poll(&mut session);
    assert_eq!(without_reserved(ack), without_reserved(frame(8)));
}

#[test]
fn the_initiator_plays_its_part_with_the_frames_of_the_acceptor() {
    let answer = frame(4);
    let printed = frame(3);
    let mut options = Options::new(establishment(&answer).client_guid);
    options.server = establishment(&answer).server_guid;
    options.ack_timeout = 120_000;
    let stamp = establishment(&printed).time_stamp;
    let mut session = Session::initiate(options, Time(stamp.into()));
    let (request, ..) = poll(&mut session);
    let (written, example) = (establishment(&request), establishment(&printed));
    assert_eq!((written.time_stamp, written.internal), (example.time_stamp, example.internal));
    assert_eq!((written.padding.len(), request.len()), (example.padding.len(), printed.len()));

    // The round trip of the example is 187 milliseconds.
    let now = Time(u64::from(stamp) + 187);
    session.handle(now, Input::Data(&answer));
    let (parameters, ..) = poll(&mut session);
    assert_eq!(without_reserved(parameters), without_reserved(frame(5)));
    session.handle(now, Input::Data(&frame(6)));
    let (_, events, _) = poll(&mut session);
    assert_eq!(events, [Event::Open { peer: establishment(&answer).server_guid }]);

    let bytes = frame(7);
    let Packet::UserMessage(message) = Packet::decode(&bytes).unwrap() else { panic!() };
    session.send(now, Ticket(1), message).unwrap();
    let (sent, ..) = poll(&mut session);
    assert_eq!(sent, bytes);
    session.handle(now, Input::Data(&frame(8)));
    let (_, events, end) = poll(&mut session);
    assert_eq!((events, end), (vec![Event::Acknowledged(Ticket(1))], None));
}
