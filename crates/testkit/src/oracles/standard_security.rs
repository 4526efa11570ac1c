use rdp_standard_security::{
    ClientOptions, Error, Frames, Level, MAX_OVERHEAD, Method, ServerCertificate, ServerOptions,
};

use super::Oracle;
use crate::rdp::{self, Until};

pub(super) const ALL: &[Oracle] = &[("rdp_security_frames", frames), ("rdp_certificate", certificate)];

/// The first byte chooses phase, method and level; the rest is a stream of frames, given to both roles as frames of the
/// peer and as frames of their own side. Nothing panics, nothing grows beyond the overhead, an error is final.
fn frames(input: &[u8]) {
    let Some((choice, stream)) = input.split_first() else { return };
    let method = [Method::Bits40, Method::Bits56, Method::Bits128][usize::from(choice >> 2) % 3];
    let level = [Level::Low, Level::ClientCompatible, Level::High, Level::None][usize::from(choice >> 4) % 4];
    let clear = level == Level::None;
    let client =
        ClientOptions { methods: method.into(), allow_unencrypted: clear, salted_mac: choice & 0x40 == 0 };
    let server = ServerOptions { methods: method.into(), level, salted_mac: choice & 0x80 == 0 };
    let until = [Until::Start, Until::Offered, Until::Selected, Until::Secure][usize::from(choice & 3)];
    for own in [false, true] {
        let (mut client, mut server) = rdp::layers_until(client, server, until);
        feed(stream, |frame| if own { client.outgoing(frame) } else { client.incoming(frame) });
        feed(stream, |frame| {
            if own { server.outgoing(frame) } else { server.incoming(frame).map(Option::unwrap_or_default) }
        });
    }
}

/// More than the overhead comes only with the Connect Response and the Security Exchange PDU.
const MOST: usize = MAX_OVERHEAD + 300;

fn feed(stream: &[u8], mut layer: impl FnMut(&[u8]) -> Result<Vec<u8>, Error>) {
    let mut frames = Frames::new();
    frames.push(stream);
    let mut failed = false;
    loop {
        let frame = match frames.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(e) => return assert!(e.to_string().contains("[MS-RDPBCGR]"), "{e}"),
        };
        let result = layer(frame);
        if failed {
            assert_eq!(result, Err(Error::Failed), "an error is final");
            break;
        }
        match result {
            Ok(out) => assert!(out.len() <= frame.len() + MOST, "{} bytes made {}", frame.len(), out.len()),
            Err(e) => {
                failed = true;
                if let Error::Malformed(e) = e {
                    assert!(e.offset() <= frame.len(), "{e}");
                }
            }
        }
    }
    assert!(frames.waiting() <= stream.len());
}

/// A certificate that is accepted gives a key that encrypts, and its key is the blob that was signed.
fn certificate(input: &[u8]) {
    match ServerCertificate::parse(input) {
        Ok(certificate) => {
            assert_eq!(certificate.key().blob(), certificate.public_key_blob());
            assert_eq!(certificate.key().encrypt(&[7; 32]).len(), certificate.key().modulus().len() + 8);
            let longer = [input, &[0]].concat();
            assert!(ServerCertificate::parse(&longer).is_err());
        }
        Err(Error::Malformed(e)) => assert!(e.offset() <= input.len(), "{e}"),
        Err(_) => {}
    }
}
