//! Queued component messages of 1,000 methods ([MC-COMQC] 2.2).

use std::hint::black_box;

use comqc_format::{
    AuthenticationLevel, AuthenticationService, ImpersonationLevel, Message, Property, Reader, Recording,
    SecurityData, Writer,
};
use remassist_core::{Decode, Encode};
use testkit::bench::{heading, ratio};
use uuid::uuid;

const METHODS: usize = 1000;

fn recording(data: usize) -> Recording<'static> {
    let mut recording = Recording::new(uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee"));
    let level = AuthenticationLevel::PRIVACY;
    let caller = vec![
        Property::authentication_service(AuthenticationService::NTLM),
        Property::authentication_level(level),
        Property::impersonation_level(ImpersonationLevel::IMPERSONATE),
        Property::sid(&"S-1-5-21-1001-1002-1003-1107".parse().unwrap()),
    ];
    let context = recording.add_context(SecurityData::new(level, caller));
    let interface = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
    for n in 0..METHODS {
        recording.add_call(context, interface, 3 + n as u32 % 5, vec![n as u8; data]);
    }
    recording
}

/// What any reader has to do at least: read the size of each header, check it and go on.
#[inline(never)]
fn follow_sizes(message: &[u8]) -> usize {
    let mut rest = message;
    let mut count = 0;
    while let Some(head) = rest.first_chunk::<8>() {
        let signature = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if size < 8 || size > rest.len() {
            break;
        }
        count += usize::from(signature != 0);
        rest = &rest[size..];
    }
    count
}

/// Every call with all checks; of each the number and the length of the data are used.
#[inline(never)]
fn walk(message: &[u8]) -> usize {
    let mut sum = 0_usize;
    for call in Reader::strict(message).unwrap() {
        let call = call.unwrap();
        sum += call.method_number as usize + call.data.len();
    }
    sum
}

/// What any writer has to do at least: copy a header and the data of each call, which lie in as many places.
fn copy_pieces(recording: &Recording<'_>, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let header = (bytes.len() - 296) / recording.calls.len() - recording.calls[0].data.len();
    out.extend_from_slice(&bytes[..296]);
    for call in &recording.calls {
        out.extend_from_slice(&bytes[296..296 + header]);
        out.extend_from_slice(&call.data);
    }
    out
}

fn main() {
    heading("comqc: decode 1,000 methods");
    let short = Writer { short_methods: true, ..Writer::OPTIMIZED };
    let long = Writer { short_methods: false, ..Writer::OPTIMIZED };
    for (name, writer, data) in [
        ("SMTH, 64 bytes", short, 64),
        ("METH, 64 bytes", long, 64),
        ("SMTH, 8 bytes", short, 8),
        ("SMTH, 1 KiB", short, 1024),
    ] {
        let bytes = writer.to_vec(&recording(data)).unwrap();
        assert_eq!(follow_sizes(&bytes), METHODS + 2);
        assert_eq!(Reader::strict(&bytes).unwrap().count(), METHODS);
        ratio(
            &format!("Reader against following Size, {name}"),
            1.15,
            || _ = black_box(walk(black_box(&bytes))),
            || _ = black_box(follow_sizes(black_box(&bytes))),
        );
    }

    heading("comqc: encode 1,000 methods of 64 bytes");
    let recording = recording(64);
    for (name, writer) in [("SMTH", short), ("METH", long)] {
        let bytes = writer.to_vec(&recording).unwrap();
        let message = writer.message(&recording).unwrap();
        let dynamic: &dyn Encode = &message;
        let concrete = || _ = black_box(black_box(&message).to_vec().unwrap());
        let through_dyn = || {
            let message = black_box(dynamic);
            let mut buffer = Vec::with_capacity(message.encoded_len());
            message.encode(&mut buffer).unwrap();
            black_box(buffer);
        };
        let copy = || _ = black_box(black_box(&bytes[..]).to_vec());
        ratio(&format!("Message against one copy, {name}, concrete"), 1.5, concrete, copy);
        ratio(&format!("Message against one copy, {name}, dyn Encode"), 2.0, through_dyn, copy);
        let pieces = || _ = black_box(copy_pieces(black_box(&recording), &bytes));
        ratio(&format!("Message against copies of its pieces, {name}, concrete"), 1.5, concrete, pieces);
        ratio(&format!("Message against copies of its pieces, {name}, dyn"), 2.0, through_dyn, pieces);
        assert_eq!(message, Message::decode(&bytes).unwrap());
    }
}
