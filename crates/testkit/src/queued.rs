//! Messages for the tests of recorder and player.

use crate::vectors;
use comqc_format::{
    AuthenticationLevel, AuthenticationService, Collection, CollectionType, ImpersonationLevel, Property,
    PropertyType, SecurityData, Sid, Style,
};
use comqc_session::{MessageId, QueueMessage, Received, Sender, Timestamp};
use serde_json::Value;
use uuid::{Uuid, uuid};

pub const SHIP: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
pub const ISHIP: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
pub const IOTHER: Uuid = uuid!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");

/// The messages of a file of vectors.
pub fn messages(file: &str) -> Vec<Value> {
    vectors::json(&format!("comqc/{file}.json"))["messages"].as_array().unwrap().clone()
}

/// A message as a queue gives it.
pub fn received(extension: &[u8], body: &[u8]) -> Received {
    let mut message = QueueMessage { body: body.to_vec().into(), ..Default::default() };
    message.properties.extension = extension.to_vec().into();
    of(message)
}

pub fn of(message: QueueMessage) -> Received {
    Received {
        id: MessageId { lineage: Uuid::from_u128(7), uniquifier: 1 },
        message,
        sender: Sender::default(),
        sent: Timestamp(1),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}

/// A message of a vector. Those that only say what a body is have the right extension.
pub fn vector(case: &Value) -> Received {
    let extension = match &case["extension_hex"] {
        Value::Null => comqc_format::MSMQ_EXTENSION_GUID.to_bytes_le().to_vec(),
        extension => vectors::hex(extension),
    };
    received(&extension, &vectors::hex(&case["hex"]))
}

pub fn sid(user: u32) -> Sid<'static> {
    format!("S-1-5-21-1001-1002-1003-{user}").parse().unwrap()
}

/// What a user of the vectors claims: NTLM, packet privacy, impersonation, an authenticated SID.
pub fn claim(user: u32) -> SecurityData<'static> {
    let caller = vec![
        Property::authentication_service(AuthenticationService(10)),
        Property::authentication_level(AuthenticationLevel(6)),
        Property::impersonation_level(ImpersonationLevel(3)),
        authenticated(user),
    ];
    SecurityData::new(AuthenticationLevel(6), caller)
}

/// A SID that is said to be authenticated.
pub fn authenticated(user: u32) -> Property<'static> {
    Property { property_type: PropertyType::AUTHENTICATED_SID, ..Property::sid(&sid(user)) }
}

/// Two callers, one behind the other.
pub fn chain() -> SecurityData<'static> {
    let caller = |properties| Collection { collection_type: CollectionType::CALLER, properties };
    let rest = |service, level, impersonation| {
        [
            Property::authentication_service(AuthenticationService(service)),
            Property::authentication_level(AuthenticationLevel(level)),
            Property::impersonation_level(ImpersonationLevel(impersonation)),
        ]
    };
    let mut first = vec![authenticated(1107)];
    first.extend(rest(16, 6, 3));
    let mut second = vec![Property::sid(&sid(1108))];
    second.extend(rest(10, 2, 2));
    second.push(Property::account_name("bob"));
    let minimum = Property::minimum_level(AuthenticationLevel(2));
    SecurityData {
        style: Style::APPEND,
        collections: vec![
            Collection { collection_type: CollectionType::CHAIN, properties: vec![minimum] },
            caller(first),
            caller(second),
        ],
    }
}
