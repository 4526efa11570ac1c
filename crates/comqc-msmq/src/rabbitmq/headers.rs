//! Messages as AMQP carries them: basic properties, headers, body.
//!
//! | AMQP | is |
//! |---|---|
//! | body | the body |
//! | content-type | `application/x-comqc` |
//! | delivery-mode | 2: on disk |
//! | message-id | the identifier, 40 hexadecimal digits of its 20 bytes |
//! | correlation-id | CorrelationIdentifier, in the same way |
//! | priority | Priority |
//! | timestamp | when it was sent, in seconds |
//! | user-id | who has sent it, where that is this connection: the broker refuses another |
//! | `x-comqc-extension` | Extension, as an array of bytes |
//! | `x-comqc-properties` | JSON: all other properties that are not those of a recorded message |
//! | `x-comqc-sent` | when it was sent, in milliseconds since 1970 |
//! | `x-comqc-sender`, `x-comqc-sid` | who has sent it, as the receiver that passed it on has known |
//! | `x-comqc-round` | how often it went through a retry queue |
//! | `x-comqc-due` | when its wait in a retry queue is over, in milliseconds since 1970 |
//! | `x-comqc-dead`, `x-comqc-error` | why it is dead; what the last failure was |

use comqc_session::{DeadReason, MessageId, Properties, QueueMessage, Received, Sender, Timestamp};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use remassist_core::Blob;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::QueueError;

pub(crate) const CONTENT_TYPE: &str = "application/x-comqc";
const EXTENSION: &str = "x-comqc-extension";
const PROPERTIES: &str = "x-comqc-properties";
const SENT: &str = "x-comqc-sent";
const SENDER: &str = "x-comqc-sender";
const SID: &str = "x-comqc-sid";
const ROUND: &str = "x-comqc-round";
const DUE: &str = "x-comqc-due";
const DEAD: &str = "x-comqc-dead";
const ERROR: &str = "x-comqc-error";
/// What the broker tells of dead-lettering.
const DEATHS: &str = "x-death";

/// Bytes of all properties as JSON: the headers of a message have to fit into one frame.
const LONGEST_PROPERTIES: usize = 16 * 1024;
/// Bytes of Extension, for the same reason.
const LONGEST_EXTENSION: usize = 8 * 1024;
/// Bytes of texts for people.
const LONGEST_TEXT: usize = 1024;
/// Bytes of AMQP's short strings.
const SHORT: usize = 255;

/// A message of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The message; of a foreign one without an identifier that is nil.
    pub received: Received,
    /// Why it is dead.
    pub dead: Option<DeadReason>,
    /// What the last failure was.
    pub error: Option<String>,
    /// When its wait in a retry queue is over.
    pub due: Option<Timestamp>,
}

/// What becomes of a message that is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate<'a> {
    /// Why it is dead.
    pub dead: Option<DeadReason>,
    /// Why playing has failed.
    pub error: Option<&'a str>,
    /// When its wait in a retry queue is over.
    pub due: Option<Timestamp>,
    /// Milliseconds until the broker takes it out of its queue.
    pub expiration: Option<u64>,
    /// The user of this connection has sent it.
    pub user: Option<&'a str>,
}

/// The properties and headers of a message.
///
/// # Errors
/// [`QueueError::Unsendable`] when the headers would not fit into one frame.
pub fn encode(received: &Received, fate: Fate<'_>) -> Result<BasicProperties, QueueError> {
    let properties = &received.message.properties;
    let json = to_json(properties)?;
    let too_long = |what: &str, most: usize| Err(QueueError::Unsendable(format!("{what} over {most} bytes")));
    if json.len() > LONGEST_PROPERTIES {
        return too_long("properties", LONGEST_PROPERTIES);
    }
    if properties.extension.len() > LONGEST_EXTENSION {
        return too_long("an extension", LONGEST_EXTENSION);
    }
    let mut headers = FieldTable::default();
    let mut header = |name: &'static str, value| {
        headers.insert(name.into(), value);
    };
    let text = |text: &str| AMQPValue::LongString(shortened(text, LONGEST_TEXT).into());
    header(EXTENSION, AMQPValue::ByteArray((*properties.extension).into()));
    if json != "{}" {
        header(PROPERTIES, AMQPValue::LongString(json.into()));
    }
    // A time that no clock has shown is passed on as it came, too.
    let sent =
        i64::try_from(received.sent.0).map_or(AMQPValue::Timestamp(received.sent.0), AMQPValue::LongLongInt);
    header(SENT, sent);
    if !received.sender.description.is_empty() {
        header(SENDER, text(&received.sender.description));
    }
    if let Some(sid) = &received.sender.sid {
        header(SID, AMQPValue::LongString(sid.to_string().into()));
    }
    if received.round > 0 {
        header(ROUND, AMQPValue::LongInt(received.round.into()));
    }
    if let Some(due) = fate.due.and_then(|due| i64::try_from(due.0).ok()) {
        header(DUE, AMQPValue::LongLongInt(due));
    }
    if let Some(dead) = fate.dead {
        header(DEAD, text(dead.name()));
    }
    if let Some(error) = fate.error {
        header(ERROR, text(error));
    }
    let mut basic = BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(2)
        .with_priority(properties.priority)
        .with_message_id(hexadecimal(received.id).into())
        .with_timestamp(received.sent.0.checked_div(1000).unwrap_or_default())
        .with_headers(headers);
    if properties.correlation != MessageId::NIL {
        basic = basic.with_correlation_id(hexadecimal(properties.correlation).into());
    }
    if let Some(expiration) = fate.expiration {
        basic = basic.with_expiration(expiration.to_string().into());
    }
    if let Some(user) = fate.user.and_then(|user| ShortString::try_new(user).ok()) {
        basic = basic.with_user_id(user);
    }
    Ok(basic)
}

/// The message that has come; never fails, since foreign publishers may send what they like: what cannot be understood
/// is as if it were not there.
#[must_use]
pub fn decode(basic: &BasicProperties, body: Vec<u8>) -> Carried {
    let headers = basic.headers().as_ref();
    let text = |name: &str| headers.and_then(|headers| text(headers, name));
    let number = |name: &str| headers.and_then(|headers| number(headers, name));
    let mut properties = text(PROPERTIES).and_then(from_json).unwrap_or_else(|| foreign(basic));
    properties.extension = headers.and_then(|headers| bytes(headers, EXTENSION)).unwrap_or_default();
    properties.priority = basic.priority().unwrap_or(properties.priority).min(7);
    if let Some(correlation) = basic.correlation_id().as_ref().and_then(|id| identifier(id.as_str())) {
        properties.correlation = correlation;
    }
    let seconds = || basic.timestamp().and_then(|seconds| seconds.checked_mul(1000));
    let user = || basic.user_id().as_ref().map(|user| format!("RabbitMQ user {user}"));
    let description = text(SENDER).map(|text| shortened(text, LONGEST_TEXT).to_owned());
    let sid = text(SID).filter(|text| text.len() <= LONGEST_TEXT).and_then(|text| text.parse().ok());
    let death = headers.and_then(death);
    Carried {
        received: Received {
            id: basic.message_id().as_ref().map_or(MessageId::NIL, |id| any_identifier(id.as_str())),
            message: QueueMessage { properties, body: body.into() },
            sender: Sender {
                sid,
                authenticated: false,
                // The broker vouches for the user; the header is a claim.
                description: user().or(description).unwrap_or_default(),
            },
            sent: Timestamp(number(SENT).or_else(seconds).unwrap_or_default()),
            round: number(ROUND).map_or(0, |round| u8::try_from(round).unwrap_or(u8::MAX)),
            failures: 0,
            abandoned: 0,
        },
        dead: text(DEAD).and_then(DeadReason::from_name).or(death),
        error: text(ERROR).map(|text| shortened(text, LONGEST_TEXT).to_owned()),
        due: number(DUE).map(Timestamp),
    }
}

/// All properties but Extension, which has a header of its own, and those that are as in a recorded message.
fn to_json(properties: &Properties) -> Result<String, QueueError> {
    let object = |properties: &Properties| match serde_json::to_value(properties) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(QueueError::Unsendable("properties that are no JSON".into())),
    };
    let usual = object(&Properties::default())?;
    let unusual = object(properties)?.into_iter();
    let unusual = unusual.filter(|(name, value)| name != "extension" && usual.get(name) != Some(value));
    Ok(Value::Object(unusual.collect::<Map<_, _>>()).to_string())
}

fn from_json(json: &str) -> Option<Properties> {
    (json.len() <= LONGEST_PROPERTIES).then(|| serde_json::from_str(json).ok()).flatten()
}

/// What a foreign publisher tells in its own way.
fn foreign(basic: &BasicProperties) -> Properties {
    let short = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    let seconds =
        short(basic.expiration()).and_then(|text| text.parse::<u64>().ok()?.div_ceil(1000).try_into().ok());
    Properties {
        label: short(basic.kind()).unwrap_or_default(),
        response_queue: short(basic.reply_to()).unwrap_or_default(),
        time_to_be_received: seconds,
        ..Properties::default()
    }
}

fn text<'a>(headers: &'a FieldTable, name: &str) -> Option<&'a str> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Some clients have no arrays of bytes and send strings.
fn bytes(headers: &FieldTable, name: &str) -> Option<Blob<'static>> {
    let bytes = match headers.inner().get(name)? {
        AMQPValue::ByteArray(bytes) => bytes.as_slice(),
        AMQPValue::LongString(text) => text.as_bytes(),
        _ => return None,
    };
    (bytes.len() <= LONGEST_EXTENSION).then(|| bytes.to_vec().into())
}

/// Any whole number that is not negative, however wide the client has made it.
fn number(headers: &FieldTable, name: &str) -> Option<u64> {
    match headers.inner().get(name)? {
        AMQPValue::ShortShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => u64::try_from(*number).ok(),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => u64::try_from(*number).ok(),
        AMQPValue::Timestamp(number) => Some(*number),
        _ => None,
    }
}

/// Why the broker has put it into the dead queue by itself: its last death stands first.
fn death(headers: &FieldTable) -> Option<DeadReason> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get(DEATHS)? else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    match text(last, "reason")? {
        "expired" => Some(DeadReason::Expired),
        "delivery_limit" => Some(DeadReason::Abandoned),
        _ => Some(DeadReason::Moved),
    }
}

fn hexadecimal(id: MessageId) -> String {
    id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn identifier(text: &str) -> Option<MessageId> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 20];
    if digits.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()?;
    }
    Some(MessageId::from_bytes(bytes))
}

/// What stands for the identifier of a foreign message: a GUID, or a number made of any other text.
fn any_identifier(text: &str) -> MessageId {
    let guid = || Uuid::try_parse(text).ok().map(|lineage| MessageId { lineage, uniquifier: 0 });
    let made = || MessageId { lineage: Uuid::from_u128(fingerprint(&[text.as_bytes()])), uniquifier: 0 };
    identifier(text).or_else(|| text.parse().ok()).or_else(guid).unwrap_or_else(made)
}

/// FNV-1a of 128 bits: for what is to be known again, not for what is to be proven.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    parts.iter().copied().flatten().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// The text, cut at a character where it is longer.
pub(crate) fn shortened(text: &str, most: usize) -> &str {
    (0..=most).rev().find_map(|end| text.get(..end)).filter(|_| text.len() > most).unwrap_or(text)
}

/// A name as AMQP has it.
pub(crate) fn short(text: &str) -> ShortString {
    ShortString::try_new(shortened(text, SHORT)).unwrap_or_default()
}
