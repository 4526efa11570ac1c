//! The XML messages against quick-xml reading the same into owned attributes.

use std::hint::black_box;

use quick_xml::Reader;
use quick_xml::events::Event;
use ra_connstring::ConnectionString;
use rccommand::RcCommand;
use remassist_core::text::{TextDocument, TextFormat};
use remassist_core::{Decode as _, utf16};
use testkit::bench::{heading, ratio};

const COMMAND: &str =
    "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"20070130182140.xml\" FILESIZE=\"436\" CHANNELID=\"RA_FX\"/>";

/// The sample of [MS-RAI] 2.2.2 as Windows writes it, in one line.
const CONNECTION: &str = "<E><A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" \
    KH2=\"sha256:wKSAkAV3sBfa9WpuRFJcP9q1twJc6wOBuoJ9tsyXwpk=\" \
    ID=\"8rYm30RBW8/4dAWoUsWbFCF5jno/7jr5tNpHQc2goLbw4uuBBJvLsU02YYLlBMg5\"/><C><T ID=\"1\" SID=\"1440550163\">\
    <L P=\"49749\" N=\"2001:4898:1a:5:79e2:3356:9b22:3470\"/><L P=\"49751\" N=\"172.31.250.64\"/></T></C></E>";

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

/// Both from UTF-16LE as it arrives, and from a string.
fn compare<'a, T: TextFormat<'a>>(text: &'a str, wire: &'a [u8]) {
    ratio(
        "parse from UTF-16LE",
        0.5,
        || {
            black_box(TextDocument::<T>::decode(black_box(wire)).unwrap());
        },
        || {
            let (text, _) = encoding_rs::UTF_16LE.decode_without_bom_handling(black_box(wire));
            black_box(owned_attributes(text.trim_end_matches('\0')));
        },
    );
    ratio(
        "parse from a string",
        0.5,
        || {
            black_box(T::parse(black_box(text)).unwrap());
        },
        || {
            black_box(owned_attributes(black_box(text)));
        },
    );
}

fn main() {
    heading("RCCOMMAND");
    compare::<RcCommand<'_>>(COMMAND, &utf16::encode(&format!("{COMMAND}\0")));
    heading("Connection string 2");
    compare::<ConnectionString<'_>>(CONNECTION, &utf16::encode(&format!("{CONNECTION}\r\n\0")));
}
