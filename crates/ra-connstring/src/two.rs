//! Connection string 2: XML.

use std::fmt;

use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Attributes, Document, Element, ElementSpec, Schema, broken};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError, Secret, Text};

use crate::endpoint::port;
use crate::{Endpoint, Host, KeyHash, KeyVerdict};

const DOC: &str = "[MS-RAI]";
const SECTION: &str = "2.2.2";
const STRUCTURE: &str = "Connection String 2";

const fn element(name: &'static str, attributes: &'static [AttributeSpec]) -> ElementSpec {
    ElementSpec { name, at: At::new(DOC, SECTION, STRUCTURE, name), attributes }
}
const fn attribute(element: &'static str, name: &'static str) -> AttributeSpec {
    AttributeSpec::new(DOC, SECTION, element, name)
}

static AT: At = At::new(DOC, SECTION, STRUCTURE, "");
static SCHEMA: Schema = Schema { at: At::new(DOC, SECTION, STRUCTURE, ""), elements: ELEMENTS };
static ELEMENTS: &[ElementSpec] =
    &[element("E", &[]), element("A", A), element("C", &[]), element("T", T), element("L", L)];
static A: &[AttributeSpec] =
    &[attribute("A", "KH"), attribute("A", "KH2"), attribute("A", "ID").secret(), attribute("A", "CE")];
static T: &[AttributeSpec] = &[attribute("T", "ID"), attribute("T", "SID")];
static L: &[AttributeSpec] = &[attribute("L", "P"), attribute("L", "N"), attribute("L", "U")];

const fn at(element: &'static str, attribute: &'static str) -> At {
    At::new(DOC, SECTION, element, attribute)
}
static A_AT: At = at("A", "");
static A_KH: At = at("A", "KH");
static A_KH2: At = at("A", "KH2");
static A_ID: At = at("A", "ID");
static C_AT: At = at("C", "");
static T_AT: At = at("T", "");
static T_ID: At = at("T", "ID");
static T_SID: At = at("T", "SID");
static L_N: At = at("L", "N");
static L_P: At = at("L", "P");

/// Remote Assistance Connection String 2 ([MS-RAI] 2.2.2): a Unicode string of XML.
///
/// ```text
/// <E><A KH="base64" KH2="sha256:base64" ID="authentication id"/>
///    <C><T ID="1" SID="0"><L P="3389" N="192.0.2.10"/></T></C></E>
/// ```
///
/// All attributes and elements are kept, unknown ones too. The methods look at the first of what must stand once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ConnectionString2<'a> {
    /// The document; its root is `<E>`. It has no XML declaration, but one that is there is kept.
    pub document: Document<'a>,
}

impl<'a> ConnectionString2<'a> {
    /// A connection string with an authentication id and nothing else; add what follows with the other functions.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let a = Element::new("A").with_attributes(Attributes::new().with_secret("ID", id));
        let root = Element::new("E").with_child(a).with_child(Element::new("C"));
        Self { document: Document { declaration: None, root } }
    }

    /// The same with a key hash: as KH when it is SHA-1, as KH2 otherwise, both before the other attributes.
    #[must_use]
    pub fn with_key_hash(mut self, hash: &KeyHash<'_>) -> Self {
        let name = if hash.algorithm == crate::HashAlgorithm::Sha1 { "KH" } else { "KH2" };
        if let Some(a) = self.document.root.children.iter_mut().find(|c| c.name == "A") {
            let mut sorted = Attributes::new();
            for key in ["KH", "KH2"] {
                if key == name {
                    sorted.set(key, &hash.to_string());
                } else if let Some(value) = a.attributes.get(key) {
                    sorted.set(key, value);
                }
            }
            for (key, value) in a.attributes.iter().filter(|(key, _)| !["KH", "KH2"].contains(key)) {
                if key == "ID" {
                    sorted.set_secret(key, value);
                } else {
                    sorted.set(key, value);
                }
            }
            a.attributes = sorted;
        }
        self
    }

    /// The same with one more transport, which the listeners added next belong to.
    #[must_use]
    pub fn with_transport(mut self, id: &str, session_id: &str) -> Self {
        let attributes = Attributes::new().with("ID", id).with("SID", session_id);
        if let Some(c) = self.document.root.children.iter_mut().find(|c| c.name == "C") {
            c.children.push(Element::new("T").with_attributes(attributes));
        }
        self
    }

    /// The same with one more listener in the last transport; without a transport one is made with ID 1 and SID 0.
    #[must_use]
    pub fn with_listener(self, endpoint: &Endpoint<'_>) -> Self {
        let port = endpoint.port.to_string();
        self.listener(Attributes::new().with("P", &port).with("N", &endpoint.host.to_string()))
    }

    /// The same with one more websocket listener: its URI, and the name of the server.
    #[must_use]
    pub fn with_websocket(self, uri: &str, host: &Host<'_>) -> Self {
        self.listener(Attributes::new().with("U", uri).with("N", &host.to_string()))
    }

    fn listener(mut self, attributes: Attributes<'a>) -> Self {
        if self.transports().next().is_none() {
            self = self.with_transport("1", "0");
        }
        let connectors = self.document.root.children.iter_mut().filter(|c| c.name == "C");
        let transports = connectors.flat_map(|c| c.children.iter_mut()).filter(|t| t.name == "T");
        if let Some(transport) = transports.last() {
            transport.children.push(Element::new("L").with_attributes(attributes));
        }
        self
    }

    fn authentication(&self, name: &str) -> Option<&str> {
        self.document.root.child("A")?.attributes.get(name)
    }

    /// KH: SHA-1 of the server's PublicKeyBlob.
    #[must_use]
    pub fn key_hash(&self) -> Option<KeyHash<'_>> {
        self.authentication("KH").map(KeyHash::parse_kh)
    }

    /// KH2: another hash of the server's PublicKeyBlob, which counts instead of KH when it is there.
    #[must_use]
    pub fn key_hash2(&self) -> Option<KeyHash<'_>> {
        self.authentication("KH2").map(KeyHash::parse_kh2)
    }

    /// Compares the key of a server with KH2 or, only when there is none, with KH.
    pub fn verify_key(&self, public_key_blob: &[u8]) -> KeyVerdict {
        let hash = self.key_hash2().or_else(|| self.key_hash());
        hash.map_or(KeyVerdict::Absent, |hash| hash.verify(public_key_blob))
    }

    /// ID: the authentication id, which whoever knows may connect with; without the blanks of a broken line.
    #[must_use]
    pub fn id(&self) -> Option<Secret<Text<'_>>> {
        self.authentication("ID").map(|id| Secret::new(Text::without_blanks(id)))
    }

    /// CE, which current Windows adds and no specification explains: an X.509 certificate in base64, without the line
    /// breaks that stand in it.
    #[must_use]
    pub fn certificate(&self) -> Option<Text<'_>> {
        self.authentication("CE").map(Text::without_blanks)
    }

    /// The transports, in order.
    pub fn transports(&self) -> impl Iterator<Item = Transport<'_>> {
        let connectors = self.document.root.children_named("C");
        connectors.flat_map(|c| c.children_named("T")).map(Transport)
    }

    /// The addresses to try, in order: listeners with a port and a name or address that can be one.
    pub fn candidates(&self) -> impl Iterator<Item = Endpoint<'_>> {
        self.transports().flat_map(Transport::listeners).filter_map(Listener::endpoint)
    }

    /// The same connection string, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ConnectionString2<'static> {
        ConnectionString2 { document: self.document.into_owned() }
    }

    /// Checks what the specification asks for; `must` is told of each rule: whether it is kept, and in which element of
    /// its name, counted from 0.
    fn rules<E>(
        &self,
        must: impl Fn(bool, usize, &'static At, &'static str) -> Result<(), E>,
    ) -> Result<(), E> {
        const MISSING: &str = "the attribute is missing";
        const ONCE: &str = "the element does not stand exactly once";
        let root = &self.document.root;
        let once = |name| root.children_named(name).take(2).count() == 1;
        must(self.document.declaration.is_none(), 0, &AT, "an XML declaration")?;
        must(once("A"), 0, &A_AT, ONCE)?;
        let a = root.child("A").map(|a| &a.attributes);
        let get = |name| a.and_then(|a| a.get(name));
        match get("KH") {
            Some(value) => must(KeyHash::is_kh(value), 0, &A_KH, "not base64 of 20 bytes")?,
            None => must(false, 0, &A_KH, MISSING)?,
        }
        if let Some(value) = get("KH2") {
            let rule = "not a known algorithm, a colon and base64 of its hash";
            must(KeyHash::is_kh2(value), 0, &A_KH2, rule)?;
        }
        match get("ID") {
            Some(id) => {
                let plain = !id.is_empty() && !Text::has_blanks(id);
                must(plain, 0, &A_ID, "empty, or blanks inside the value")?;
            }
            None => must(false, 0, &A_ID, MISSING)?,
        }
        must(once("C"), 0, &C_AT, ONCE)?;
        let (mut transports, mut listeners) = (0_usize, 0_usize);
        for transport in self.transports() {
            must(transport.id().is_some(), transports, &T_ID, MISSING)?;
            must(transport.session_id().is_some(), transports, &T_SID, MISSING)?;
            let before = listeners;
            for listener in transport.listeners() {
                let name = listener.name().is_some_and(Host::is_one);
                must(name, listeners, &L_N, "no name or address")?;
                match (listener.port_text(), listener.uri()) {
                    (Some(digits), None) => must(port(digits).is_some(), listeners, &L_P, "not a port")?,
                    (None, Some(_)) => {}
                    _ => must(false, listeners, &L_P, "not exactly one of P and U")?,
                }
                listeners = listeners.saturating_add(1);
            }
            must(listeners > before, transports, &T_AT, "a transport without listener")?;
            transports = transports.saturating_add(1);
        }
        must(transports > 0, 0, &C_AT, "no transport")?;
        Ok(())
    }
}

impl<'a> TextFormat<'a> for ConnectionString2<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.position();
        let this = Self { document: Document::parse(cursor, &SCHEMA)? };
        if this.document.root.name != "E" {
            return Err(cursor.error(start, &AT, Kind::Rule("the outermost element is not E")));
        }
        this.rules(
            |ok, nth, at, rule| {
                if ok { Ok(()) } else { broken(cursor, start, at.structure, nth, at, rule) }
            },
        )?;
        Ok(this)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        if self.document.root.name != "E" {
            return Err(EncodeError::Invalid { at: &AT, reason: "the outermost element is not E" });
        }
        self.document.check(&AT)
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.document.write(out)
    }
}

/// A transport `<T>` of a [`ConnectionString2`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport<'s>(&'s Element<'s>);

impl<'s> Transport<'s> {
    /// The element, for what the other methods do not tell.
    #[must_use]
    pub const fn element(self) -> &'s Element<'s> {
        self.0
    }

    /// ID: the transport identifier.
    #[must_use]
    pub fn id(self) -> Option<&'s str> {
        self.0.attributes.get("ID")
    }

    /// SID: the session identifier.
    #[must_use]
    pub fn session_id(self) -> Option<&'s str> {
        self.0.attributes.get("SID")
    }

    /// The listeners, in order.
    pub fn listeners(self) -> impl Iterator<Item = Listener<'s>> {
        self.0.children_named("L").map(Listener)
    }
}

/// A listener `<L>` of a [`Transport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener<'s>(&'s Element<'s>);

impl<'s> Listener<'s> {
    /// The element, for what the other methods do not tell.
    #[must_use]
    pub const fn element(self) -> &'s Element<'s> {
        self.0
    }

    fn port_text(self) -> Option<&'s str> {
        self.0.attributes.get("P")
    }

    /// P: the port; `None` when it is missing or no port.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        self.port_text().and_then(|text| port(text.trim()))
    }

    /// N: name or address of the server.
    #[must_use]
    pub fn name(self) -> Option<&'s str> {
        self.0.attributes.get("N")
    }

    /// U: the whole URI of a websocket listener, which has no port.
    #[must_use]
    pub fn uri(self) -> Option<&'s str> {
        self.0.attributes.get("U")
    }

    /// Where to connect; `None` for a websocket listener and for what is no address.
    #[must_use]
    pub fn endpoint(self) -> Option<Endpoint<'s>> {
        let host = Host::parse(self.name()?.trim())?;
        self.port().map(|port| Endpoint { host, port })
    }
}
