//! The tables, and how databases of older versions come by them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::Fault;
use crate::QueueError;

/// "COMQ": what tells a database of queues from any other.
const APPLICATION_ID: i32 = 0x434F_4D51;

/// What leads from each version to the next. Never changed, only added to.
const STEPS: &[&str] = &[
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
];

/// The version that [`STEPS`] lead to.
fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Brings the database to the newest version, in one transaction.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(db, path)? == newest() {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Somebody else may have been faster.
    let old = version(&tx, path)?;
    for step in STEPS.iter().skip(usize::try_from(old).unwrap_or(usize::MAX)) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", newest())?;
    Ok(tx.commit()?)
}

/// The version of the tables; 0 where there are none yet.
pub(super) fn version(db: &Connection, path: &Path) -> Result<i64, Fault> {
    // At one state of the database: somebody else may just be making the tables.
    let _reading = if db.is_autocommit() { Some(db.unchecked_transaction()?) } else { None };
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let empty = || -> rusqlite::Result<bool> {
        db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
    };
    let damaged = |what: String| Err(QueueError::Damaged(format!("{}: {what}", path.display())).into());
    match (application, version) {
        (0, 0) if empty()? => Ok(0),
        (APPLICATION_ID, 1..) if version <= newest() => Ok(version),
        (APPLICATION_ID, _) => damaged(format!(
            "its tables are of version {version}; this program knows versions 1 to {}",
            newest()
        )),
        _ => damaged("a database of something else than queues".into()),
    }
}
