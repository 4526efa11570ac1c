use ra_connstring::ConnectionString;
use remassist_core::Decode;
use remassist_core::text::TextDocument;

use super::Oracle;
use crate::{laws, xml_law};

pub(super) const ALL: &[Oracle] = &[("connstring", string)];

type Document<'a> = TextDocument<'a, ConnectionString<'a>>;

fn string(input: &[u8]) {
    if !xml_law!(Document<'_>, input) {
        return;
    }
    let Ok(document) = Document::decode(input) else { return };
    laws::json(&document);
    if matches!(document.content, ConnectionString::V1(_)) {
        assert!(laws::bytes::<Document<'_>>(input), "a connection string 1 keeps its bytes");
    }
    // What is shown as an address can be read as the same address.
    for endpoint in document.content.candidates() {
        let text = endpoint.to_string();
        assert_eq!(ra_connstring::Endpoint::parse(&text).as_ref(), Some(&endpoint), "{text}");
    }
    let _any = document.content.verify_key(input);
    let owned = document.clone().map_owned(ConnectionString::into_owned);
    assert_eq!(owned, document);
}
