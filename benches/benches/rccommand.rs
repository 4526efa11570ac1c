//! RCCOMMAND against quick-xml reading the same into owned attributes.

use std::hint::black_box;

use quick_xml::Reader;
use quick_xml::events::Event;
use rccommand::RcCommand;
use remassist_core::text::{TextDocument, TextFormat as _};
use remassist_core::{Decode as _, utf16};
use testkit::bench::{heading, ratio};

const TEXT: &str =
    "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"20070130182140.xml\" FILESIZE=\"436\" CHANNELID=\"RA_FX\"/>";

fn owned_attributes(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let mut attributes = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
                    attributes.push((attribute.key.0.to_owned(), value.into_owned()));
                }
            }
            Event::Eof => return attributes,
            _ => {}
        }
    }
}

fn main() {
    heading("RCCOMMAND");
    let wire = utf16::encode(&format!("{TEXT}\0"));
    ratio(
        "parse from UTF-16LE",
        0.5,
        || {
            black_box(TextDocument::<RcCommand<'_>>::decode(black_box(&wire)).unwrap());
        },
        || {
            let (text, _) = encoding_rs::UTF_16LE.decode_without_bom_handling(black_box(&wire));
            black_box(owned_attributes(text.trim_end_matches('\0')));
        },
    );
    ratio(
        "parse from a string",
        0.5,
        || {
            black_box(RcCommand::parse(black_box(TEXT)).unwrap());
        },
        || {
            black_box(owned_attributes(black_box(TEXT)));
        },
    );
}
