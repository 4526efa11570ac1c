//! Looking at the messages of a queue, and moving and removing them by hand.

use comqc_session::{DeadReason, MessageId, Received, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::error::Fault;
use super::receive::{live_lock, locked_now, put};
use super::row::{self, OF_ID, id_of, int, uint};
use super::store::{Durability, Inner};
use crate::{Counts, Listed, Place, QueueError};

/// The seq of the message with this identifier at a place.
pub(super) fn find(db: &Connection, queue: i64, place: Place, id: MessageId) -> Result<i64, Fault> {
    let seq = db
        .prepare_cached(&format!(
            "SELECT seq FROM comqc_message
             WHERE seq IN ({OF_ID}) AND +queue = ?3 AND +place = ?4 ORDER BY seq LIMIT 1"
        ))?
        .query_row(params![id.uniquifier, id.lineage.to_string(), queue, place.to_string()], |row| row.get(0))
        .optional()?;
    Ok(seq.ok_or(QueueError::NotFound(id))?)
}

/// As [`find`], for one that nobody has locked.
fn find_free(
    tx: &Transaction<'_>,
    inner: &Inner,
    queue: i64,
    place: Place,
    id: MessageId,
) -> Result<i64, Fault> {
    let seq = find(tx, queue, place, id)?;
    match live_lock(tx, inner, queue)? {
        Some(locked) if locked == seq => Err(QueueError::Locked(id).into()),
        _ => Ok(seq),
    }
}

const COLUMNS: &str =
    "lineage, uniquifier, seq, label, size, priority, sent, due, failures, abandoned, dead, error";

fn listed(row: &Row<'_>, locked: Option<i64>, now: Timestamp) -> rusqlite::Result<Listed> {
    let time = |column| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(|time| Timestamp(uint(time))))
    };
    Ok(Listed {
        id: id_of(row)?,
        label: row.get(3)?,
        size: uint(row.get(4)?),
        priority: row.get(5)?,
        sent: time(6)?.unwrap_or_default(),
        due: time(7)?.filter(|due| *due > now),
        locked: locked == Some(row.get(2)?),
        failures: row.get(8)?,
        abandoned: row.get(9)?,
        dead: (row.get::<_, Option<String>>(10)?).and_then(|name| DeadReason::from_name(&name)),
        error: row.get(11)?,
    })
}

impl Inner {
    pub(super) fn list(
        &self,
        queue: i64,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        let now = self.now();
        self.read(|tx| {
            let locked = locked_now(tx, self, queue)?;
            let after = after.map(|id| find(tx, queue, place, id)).transpose()?;
            let place_name = place.to_string();
            // One query for each key that comes before the seq: indexes know no order of (-priority, seq).
            let (mut list, mut left) = (Vec::new(), int(u64::try_from(most).unwrap_or(u64::MAX)));
            let mut add = |sql: &str, key: i64, seq: i64| -> Result<bool, Fault> {
                let mut rows = tx.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM comqc_message
                     WHERE queue = ?1 AND place = ?2 AND {sql} LIMIT ?5"
                ))?;
                for row in rows
                    .query_map(params![queue, place_name, key, seq, left], |row| listed(row, locked, now))?
                {
                    list.push(row?);
                    left = left.saturating_sub(1);
                }
                Ok(left > 0)
            };
            if matches!(place, Place::Retry(_)) {
                let due = match after {
                    Some(seq) => {
                        tx.query_row("SELECT due FROM comqc_message WHERE seq = ?1", [seq], |row| row.get(0))?
                    }
                    None => i64::MIN,
                };
                add("(due, seq) > (?3, ?4) ORDER BY due, seq", due, after.unwrap_or(i64::MIN))?;
                return Ok(list);
            }
            let (highest, mut seq): (i64, i64) = match after {
                Some(seq) => (
                    tx.query_row("SELECT priority FROM comqc_message WHERE seq = ?1", [seq], |row| {
                        row.get(0)
                    })?,
                    seq,
                ),
                None => (7, i64::MIN),
            };
            for priority in (0..=highest.min(7)).rev() {
                if !add("priority = ?3 AND seq > ?4 ORDER BY seq", priority, seq)? {
                    break;
                }
                seq = i64::MIN;
            }
            Ok(list)
        })
    }

    pub(super) fn peek(
        &self,
        queue: i64,
        place: Place,
        id: Option<MessageId>,
    ) -> Result<Option<Received>, QueueError> {
        self.read(|tx| {
            let seq = match id {
                Some(id) => Some(find(tx, queue, place, id)?),
                None => {
                    let order = if matches!(place, Place::Retry(_)) { "due" } else { "priority DESC" };
                    tx.prepare_cached(&format!(
                        "SELECT seq FROM comqc_message WHERE queue = ?1 AND place = ?2 ORDER BY {order}, seq LIMIT 1"
                    ))?
                    .query_row(params![queue, place.to_string()], |row| row.get(0))
                    .optional()?
                }
            };
            seq.map_or(Ok(None), |seq| row::load(tx, seq))
        })
    }

    pub(super) fn move_to(
        &self,
        queue: i64,
        from: Place,
        id: MessageId,
        to: Place,
    ) -> Result<(), QueueError> {
        self.write(Durability::Disk, |tx| {
            let seq = find_free(tx, self, queue, from, id)?;
            let dead = (to == Place::Dead).then_some((DeadReason::Moved, "moved by hand"));
            put(tx, seq, to, dead, self.now())?;
            // As if it were new; a person wants it, however late it is.
            let round = if let Place::Retry(number) = to { u16::from(number).saturating_add(1).min(255) } else { 0 };
            tx.execute(
                "UPDATE comqc_message SET round = ?2, failures = 0, abandoned = 0, expires = NULL WHERE seq = ?1",
                params![seq, round],
            )?;
            Ok(())
        })?;
        self.signal.tell();
        Ok(())
    }

    pub(super) fn remove(&self, queue: i64, place: Place, id: MessageId) -> Result<(), QueueError> {
        self.write(Durability::Disk, |tx| {
            let seq = find_free(tx, self, queue, place, id)?;
            tx.execute("DELETE FROM comqc_message WHERE seq = ?1", [seq])?;
            Ok(())
        })
    }

    pub(super) fn purge(&self, queue: i64, place: Place) -> Result<u64, QueueError> {
        self.write(Durability::Disk, |tx| {
            let locked = live_lock(tx, self, queue)?;
            let removed = tx.execute(
                "DELETE FROM comqc_message WHERE queue = ?1 AND place = ?2 AND seq IS NOT ?3",
                params![queue, place.to_string(), locked],
            )?;
            Ok(u64::try_from(removed).unwrap_or(u64::MAX))
        })
    }

    pub(super) fn count(&self, queue: i64) -> Result<Counts, QueueError> {
        self.read(|tx| {
            let mut counts =
                Counts { locked: u64::from(locked_now(tx, self, queue)?.is_some()), ..Counts::default() };
            let mut places = tx.prepare_cached(
                "SELECT place, count(*), min(seq) FROM comqc_message WHERE queue = ?1 GROUP BY place",
            )?;
            let places = places.query_map([queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for place in places.collect::<rusqlite::Result<Vec<(String, i64)>>>()? {
                let (place, number) = (place.0.parse()?, uint(place.1));
                match place {
                    Place::Main => counts.main = number,
                    Place::Dead => counts.dead = number,
                    Place::Journal => counts.journal = number,
                    Place::Retry(retry) => {
                        let retry = usize::from(retry);
                        if counts.retry.len() <= retry {
                            counts.retry.resize(retry.saturating_add(1), 0);
                        }
                        if let Some(count) = counts.retry.get_mut(retry) {
                            *count = number;
                        }
                    }
                }
            }
            let oldest: Option<i64> = tx
                .prepare_cached(
                    "SELECT min(sent) FROM comqc_message
                     WHERE queue = ?1 AND (place = 'main' OR due IS NOT NULL)",
                )?
                .query_row([queue], |row| row.get(0))?;
            counts.oldest = oldest.map(|time| Timestamp(uint(time)));
            Ok(counts)
        })
    }
}
