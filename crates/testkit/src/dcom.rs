//! Laws for stub data of calls, whichever call it is.

use ndr_oaut::ByteOrder;
use ra_dcom::calls::{Body, Direction, Message, Method, Request, Response, StubFormat};
use remassist_core::{DecodeOptions, Encode};

use crate::laws;

/// What two bytes choose: the method, and direction, byte order and ORPC header as bits.
pub fn choose([method, bits]: [u8; 2]) -> (Method, StubFormat) {
    let method = Method::ALL[usize::from(method) % Method::ALL.len()];
    let direction = if bits & 1 == 0 { Direction::Request } else { Direction::Response };
    let byte_order = if bits & 2 == 0 { ByteOrder::Little } else { ByteOrder::Big };
    (method, StubFormat { direction, byte_order, orpc_header: bits & 4 != 0 })
}

/// The bytes that [`choose`] so.
pub fn choice(method: Method, format: StubFormat) -> [u8; 2] {
    let index = Method::ALL.iter().position(|m| *m == method).expect("every method is among all");
    let bit = |set, bit| if set { bit } else { 0 };
    let bits = bit(format.direction == Direction::Response, 1)
        | bit(format.byte_order == ByteOrder::Big, 2)
        | bit(format.orpc_header, 4);
    [u8::try_from(index).expect("there are few methods"), bits]
}

/// The laws of a codec ([`laws::bytes`]) for the stub data of a method, those of JSON too. Returns what was read.
pub fn message(method: Method, format: StubFormat, input: &[u8]) -> Option<Message<'_>> {
    let read = |options: DecodeOptions| Message::read(method, format, input, &options);
    let strict = read(DecodeOptions::STRICT);
    let decoded = match read(DecodeOptions::TOLERANT.with_trace(true)) {
        Err(e) => {
            assert!(e.offset() <= input.len(), "the offset of {e} is inside the input");
            assert!(strict.is_err(), "strict accepts what tolerant refuses: {e}");
            assert!(!e.to_string().is_empty() && !e.at().section.is_empty());
            return None;
        }
        Ok(decoded) => decoded,
    };
    assert_eq!(decoded.deviations.is_empty(), strict.is_ok(), "{:?} {:?}", decoded.deviations, strict.err());
    let consumed = &input[..input.len() - decoded.rest.len()];
    laws::trace_covers(&decoded.trace, consumed.len());
    let untraced = read(DecodeOptions::TOLERANT).expect("tracing changes nothing");
    assert_eq!((&untraced.value, &untraced.deviations), (&decoded.value, &decoded.deviations));
    let message = decoded.value;
    assert_eq!(message.to_vec().expect("what was decoded can be encoded"), consumed);
    assert_eq!(message.encoded_len(), consumed.len());
    assert_eq!((message.method(), message.format()), (method, format));
    let json = serde_json::to_string(&message).expect("the message becomes JSON");
    let again: Message<'_> = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(again.to_vec().expect("what was read can be encoded"), consumed, "{json}");
    assert_eq!(message.clone().into_owned(), message);
    look(&message);
    Some(message)
}

/// What a program would look at.
fn look(message: &Message<'_>) {
    match &message.body {
        Body::Request { parameters: Request::RemoteConnectionParms(request), .. } => {
            let _any = request.help_blob();
        }
        Body::Response { parameters: Response::GetSessionInfo(response), .. } => {
            for session in response.user_names.sessions().flatten() {
                assert_eq!(session.to_string().parse(), Ok(session));
            }
        }
        _ => {}
    }
}
