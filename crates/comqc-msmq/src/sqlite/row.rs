//! Messages as rows.

use std::borrow::Cow;

use comqc_session::{MessageId, Properties, QueueMessage, Received, Sender, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::Fault;
use crate::QueueError;

/// The most of an error that is kept, in bytes.
const MOST_ERROR: usize = 4096;

/// An unsigned number as SQLite has it.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of SQLite that is not negative.
pub(super) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// An error as it is kept: not more than a person reads.
pub(super) fn shortened(error: &str) -> Cow<'_, str> {
    let mut end = MOST_ERROR;
    while !error.is_char_boundary(end) && end < error.len() {
        end = end.saturating_sub(1);
    }
    error.get(..end).map_or(error.into(), |start| format!("{start}..").into())
}

/// JSON of what is not the default.
fn differences<T: Serialize + Default + PartialEq>(value: &T) -> Result<String, Fault> {
    if *value == T::default() {
        return Ok("{}".into());
    }
    let object = |value: &T| match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(QueueError::Unsendable("its properties are not an object".into())),
        Err(error) => Err(QueueError::Unsendable(error.to_string())),
    };
    let (mut fields, usual) = (object(value)?, object(&T::default())?);
    fields.retain(|name, value| usual.get(name) != Some(value));
    Ok(Value::Object(fields).to_string())
}

/// The twin of [`differences`].
fn restored<T: Serialize + DeserializeOwned + Default>(text: &str) -> Result<T, serde_json::Error> {
    if text == "{}" {
        return Ok(T::default());
    }
    let changed: Map<String, Value> = serde_json::from_str(text)?;
    let mut value = serde_json::to_value(T::default())?;
    if let Value::Object(fields) = &mut value {
        fields.extend(changed);
    }
    serde_json::from_value(value)
}

/// What gives the seq of the messages with an identifier: number ?1, lineage ?2. Whoever asks for more than that writes
/// `+queue`: SQLite would rather go through the whole queue for these few.
pub(super) const OF_ID: &str = "
    SELECT seq FROM comqc_message
    WHERE seq = (SELECT base + ?1 FROM comqc_lineage WHERE lineage = ?2) AND NOT named
    UNION ALL
    SELECT seq FROM comqc_message WHERE named AND uniquifier = ?1 AND lineage = ?2";

/// Gives the next message its place in the order, and an identifier: seq, identifier.
pub(super) fn number(tx: &Transaction<'_>) -> Result<(i64, MessageId), Fault> {
    let seq: i64 = tx
        .prepare_cached(
            "SELECT 1 + max(coalesce((SELECT max(seq) FROM comqc_message), 0),
                            coalesce((SELECT max(last) FROM comqc_queue), 0))",
        )?
        .query_row([], |row| row.get(0))?;
    let current: Option<(String, i64)> = tx
        .prepare_cached("SELECT lineage, base FROM comqc_lineage WHERE NOT closed ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let id = current.and_then(|(lineage, base)| {
        let uniquifier = u32::try_from(seq.checked_sub(base)?).ok()?;
        Some(MessageId { lineage: Uuid::try_parse(&lineage).ok()?, uniquifier })
    });
    if let Some(id) = id {
        return Ok((seq, id));
    }
    // The first message of all, or all numbers are used up: another GUID, and from 1 again.
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| QueueError::Backend(format!("no random numbers: {error}")))?;
    let lineage = uuid::Builder::from_random_bytes(random).into_uuid();
    tx.execute("UPDATE comqc_lineage SET closed = 1", [])?;
    tx.execute(
        "INSERT INTO comqc_lineage (lineage, base) VALUES (?1, ?2)",
        params![lineage.to_string(), seq.saturating_sub(1)],
    )?;
    Ok((seq, MessageId { lineage, uniquifier: 1 }))
}

/// Puts a message at the end of a queue: one that is new, or one that has an identifier already.
pub(super) fn insert(
    tx: &Transaction<'_>,
    queue: i64,
    message: &QueueMessage,
    id: Option<MessageId>,
    sender: &Sender,
    sent: Timestamp,
) -> Result<MessageId, Fault> {
    let (seq, new) = number(tx)?;
    let named = id.is_some();
    let id = id.unwrap_or(new);
    let properties = &message.properties;
    let expires = properties
        .time_to_be_received
        .map(|seconds| sent.0.saturating_add(u64::from(seconds).saturating_mul(1000)));
    // What has a column of its own is not told twice.
    let rest = Properties {
        label: Properties::default().label,
        priority: Properties::default().priority,
        ..properties.clone()
    };
    tx.prepare_cached(
        "INSERT INTO comqc_message
           (seq, queue, place, lineage, uniquifier, label, priority, sent, expires, size, properties, sender, named,
            body)
         VALUES (?1, ?2, 'main', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        seq,
        queue,
        id.lineage.to_string(),
        id.uniquifier,
        properties.label,
        properties.priority,
        int(sent.0),
        expires.map(int),
        int(u64::try_from(message.body.len()).unwrap_or(u64::MAX)),
        differences(&rest)?,
        differences(sender)?,
        named,
        &message.body[..],
    ])?;
    Ok(id)
}

/// The columns that [`id_of`] reads, first of all.
pub(super) fn id_of(row: &Row<'_>) -> rusqlite::Result<MessageId> {
    let lineage: String = row.get(0)?;
    let lineage = Uuid::try_parse(&lineage).map_err(|error| conversion(0, error))?;
    Ok(MessageId { lineage, uniquifier: row.get(1)? })
}

fn conversion(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// The message of this number, where there is one.
pub(super) fn load(db: &Connection, seq: i64) -> Result<Option<Received>, Fault> {
    let received = db
        .prepare_cached(
            "SELECT lineage, uniquifier, label, priority, sent, round, failures, abandoned, properties, sender, size,
                    body
             FROM comqc_message WHERE seq = ?1",
        )?
        .query_row([seq], |row| {
            let json = |column| row.get_ref(column)?.as_str().map_err(|error| conversion(column, error));
            let mut properties: Properties = restored(json(8)?).map_err(|error| conversion(8, error))?;
            properties.label = row.get(2)?;
            properties.priority = row.get(3)?;
            let (size, body): (i64, Vec<u8>) = (row.get(10)?, row.get(11)?);
            if u64::try_from(body.len()).unwrap_or(u64::MAX) != uint(size) {
                let told = format!("a body of {} bytes, not {size}", body.len());
                return Err(conversion(11, std::io::Error::other(told)));
            }
            Ok(Received {
                id: id_of(row)?,
                message: QueueMessage { properties, body: body.into() },
                sender: restored(json(9)?).map_err(|error| conversion(9, error))?,
                sent: Timestamp(uint(row.get(4)?)),
                round: row.get(5)?,
                failures: row.get(6)?,
                abandoned: row.get(7)?,
            })
        })
        .optional()?;
    Ok(received)
}
