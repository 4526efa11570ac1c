//! Which kind an input is.

use remassist::core::text::Encoding;
use remassist::core::{Decode as _, DecodeOptions};
use remassist::rpc::CommonHeader;

use crate::kinds::{KINDS, Kind, by_name};
use crate::msmq;
use crate::stub::Told;

/// The kind that the input shows by its beginning, or the first as which it can be decoded, if possible without
/// deviations.
pub fn detect(input: &[u8]) -> Option<&'static Kind> {
    by_signature(input).and_then(by_name).or_else(|| decodable(input))
}

fn by_signature(input: &[u8]) -> Option<&'static str> {
    if input.starts_with(b"CHDR") {
        return Some("comqc");
    }
    // The signature, then one of the four forms.
    if matches!(input, [b'M', b'E', b'O', b'W', 1 | 2 | 4 | 8, 0, 0, 0, ..]) {
        return Some("objref");
    }
    if msmq::recognises(input) {
        return Some("msmq");
    }
    if is_pdu(input) {
        return Some("rpc-pdu");
    }
    let (encoding, _) = Encoding::detect(input);
    let head: String = match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(input.get(..4096).unwrap_or(input)).into_owned(),
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let unit = |pair: [u8; 2]| match encoding {
                Encoding::Utf16Be => u16::from_be_bytes(pair),
                _ => u16::from_le_bytes(pair),
            };
            let units = input.as_chunks::<2>().0.iter().take(2048).map(|pair| unit(*pair));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    };
    let head = head.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    if head.starts_with('<') {
        let tags = head.split('<').skip(1);
        let root = tags.map(|tag| tag.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
        return root.into_iter().find_map(|name| match name {
            "UPLOADINFO" => Some("invitation"),
            "E" => Some("connstring"),
            "RCCOMMAND" => Some("rccommand"),
            "RAINVITATIONCOLL" => Some("contact"),
            _ => None,
        });
    }
    let digits = head.chars().take_while(char::is_ascii_digit).count();
    match head.get(digits..) {
        Some(rest) if digits > 0 && rest.starts_with(',') => Some("connstring"),
        Some(rest) if digits > 0 && rest.starts_with(";UNSOLICITED=") => Some("help-blob"),
        Some(rest) if digits > 0 && rest.starts_with(';') => Some("expert-blob"),
        _ => None,
    }
}

/// Version 5.0 or 5.1, a type of connection-oriented RPC, numbers of a known form, a length that the input has; and what
/// follows begins with such a version, too, since OD_WND_CREATED of encomsp can have all of that.
fn is_pdu(input: &[u8]) -> bool {
    let Ok((header, _)) = CommonHeader::decode_prefix(input) else { return false };
    let known = header.version_minor <= 1
        && header.packet_type.name().is_some()
        && matches!(header.data_representation.0, [0 | 0x10, 0, 0, 0]);
    let next = input.get(header.frag_length.into()..);
    known && next.is_some_and(|next| matches!(next, [] | [5] | [5, 0 | 1, ..]))
}

/// Almost any text with an even number of bytes can be taken for a chat message: that comes last, and only without
/// deviations.
fn decodable(input: &[u8]) -> Option<&'static Kind> {
    let (chat, others) = KINDS.split_last()?;
    let is = |kind: &&Kind, options| {
        !input.is_empty() && (kind.inspect)(input, &options, &Told::default()).is_ok()
    };
    let strict = others.iter().find(|kind| is(kind, DecodeOptions::STRICT));
    let tolerant = || others.iter().find(|kind| is(kind, DecodeOptions::TOLERANT));
    strict.or_else(tolerant).or_else(|| Some(chat).filter(|kind| is(kind, DecodeOptions::STRICT)))
}
