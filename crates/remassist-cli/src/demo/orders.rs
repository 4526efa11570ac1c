//! The component of the demonstration: takes orders into a database of its own, in one transaction for each message.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use comqc_msmq::session::{
    CallError, Interface, MessageId, Playback, PlaybackKind, PlayedCall, Player, PlayerOptions, RetryScheme,
};
use comqc_msmq::sqlite::rusqlite::{Connection, Transaction, params};
use comqc_msmq::sqlite::{Inbox, Once, SqliteQueue};
use comqc_msmq::{Delivery, Handler, Listener, ListenerOptions, Outcome, Queue as _};
use remassist::ndr::{Bstr, Scalar, Variant};
use serde_json::Value;
use uuid::{Uuid, uuid};

use super::stage::fits;
use crate::Failure;

/// OrderEntry, the class of the component.
pub const CLASS: Uuid = uuid!("3b0f7e52-6a11-4c8e-9d1b-5b6e2f0c9a41");
/// What nobody can buy.
pub const UNOBTAINIUM: &str = "Unobtainium, 1 kg";
/// Tries in a round, and how long a failed message waits before each further round.
pub const SCHEME: (u32, [Duration; 2]) = (3, [Duration::from_millis(100), Duration::from_millis(200)]);

/// The table that `remassist queue record --example` prints, too.
const LIST: &str = include_str!("../queue/example.json");

/// IOrderEntry.
pub fn interface() -> Result<Interface, Failure> {
    let list: Value = fits(serde_json::from_str(LIST))?;
    let table = fits(list.pointer("/interfaces/0").ok_or("the example has no interface"))?;
    fits(serde_json::from_value(table.clone()))
}

pub fn address(folder: &Path) -> String {
    // Temporary folders have plain names.
    format!("sqlite:{}?queue=orders", folder.join("queue.db").display())
}

pub fn database(folder: &Path) -> Result<Connection, Failure> {
    let db = fits(Connection::open(folder.join("orders.db")))?;
    fits(db.busy_timeout(Duration::from_secs(10)))?;
    fits(db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS orders (place INTEGER PRIMARY KEY, number INTEGER NOT NULL, customer TEXT NOT NULL,
                                            submitted INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS lines (number INTEGER NOT NULL, article TEXT NOT NULL, quantity INTEGER NOT NULL,
                                           price INTEGER NOT NULL);
         CREATE TABLE IF NOT EXISTS complaints (number INTEGER NOT NULL, round INTEGER NOT NULL);",
    ))?;
    Ok(db)
}

/// A player, as the demonstration starts it: a process of its own.
///
/// It tells what it does, one line for each. At the message of `stop_at` it stops in the middle of the transaction, so that
/// it can be killed there. It ends when its standard input does.
pub async fn play(folder: &Path, stop_at: Option<u64>) -> Result<(), Failure> {
    let queue = Arc::new(fits(SqliteQueue::open(&address(folder)))?);
    let db = database(folder)?;
    let inbox = fits(Inbox::create(&db))?;
    let scheme = RetryScheme { tries: SCHEME.0, waits: SCHEME.1.to_vec(), ..RetryScheme::default() };
    let mut player = Player::new(PlayerOptions { scheme, ..PlayerOptions::default() });
    player.register(None, CLASS, ());
    player.register_exception(None, CLASS, ());
    fits(db.pragma_update(None, "synchronous", "FULL"))?;
    let name = queue.address();
    let component = OrderEntry { interface: interface()?, db: Mutex::new(db), inbox, queue: name, stop_at };
    let listener = Listener::new(queue, player)
        .with_options(ListenerOptions { wait: Duration::from_millis(50), ..ListenerOptions::default() });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _until_its_end = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _it_may_have_ended = stop.send(());
    });
    let shutdown = async {
        let _asked = stopped.await;
    };
    Ok(listener.run(&component, shutdown).await?)
}

struct OrderEntry {
    interface: Interface,
    db: Mutex<Connection>,
    inbox: Inbox,
    queue: String,
    stop_at: Option<u64>,
}

fn say(line: &str) -> Result<(), CallError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(CallError::new)
}

#[async_trait]
impl Handler<()> for OrderEntry {
    async fn play(
        &self,
        delivery: &Delivery,
        playback: &mut Playback<'_, '_, ()>,
    ) -> Result<Outcome, CallError> {
        let received = &delivery.received;
        let MessageId { uniquifier: number, .. } = received.id;
        if received.abandoned > 0 {
            say(&format!("message {number}: a player has died with it"))?;
        }
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        if playback.kind() != PlaybackKind::Normal {
            say(&format!("message {number}: the exception class writes it down"))?;
            let sql = "INSERT INTO complaints (number, round) VALUES (?1, ?2)";
            db.execute(sql, params![number, received.round]).map_err(CallError::new)?;
            return Err("a person has to look at it".into());
        }
        let once = self.inbox.play(&mut db, &self.queue, received.id, |tx| {
            while let Some(call) = playback.next_call() {
                self.call(tx, &call)?;
                if self.stop_at == Some(number.into()) && call.number == 2 {
                    say(&format!("message {number}: stops in the middle of its transaction"))?;
                    std::thread::sleep(Duration::from_secs(3600));
                }
            }
            Ok::<_, CallError>(())
        });
        match once {
            Ok(Once::Now(())) => say(&format!("message {number}: played")).map(|()| Outcome::Played),
            Ok(Once::Before) => {
                say(&format!("message {number}: was played before"))?;
                Ok(Outcome::Duplicate)
            }
            Err(error) => {
                say(&format!("message {number}: failed in round {}: {error}", received.round))?;
                Err(CallError::new(error))
            }
        }
    }
}

impl OrderEntry {
    fn call(&self, tx: &Transaction<'_>, call: &PlayedCall<'_>) -> Result<(), CallError> {
        let call = call.named(&self.interface).map_err(CallError::new)?;
        let wrong = |name: &str| CallError::new(format!("{} has no {name}", call.method.name));
        let number = |name: &str| match call.argument(name) {
            Some(Variant::Scalar(Scalar::I4(number))) => Ok(i64::from(*number)),
            Some(Variant::Scalar(Scalar::Currency(units))) => Ok(*units),
            _ => Err(wrong(name)),
        };
        let text = |name: &str| match call.argument(name) {
            Some(Variant::Bstr(Some(Bstr { text: Some(text) }))) => Ok(text.to_text_lossy()),
            _ => Err(wrong(name)),
        };
        let order = number("order")?;
        let changed = match call.method.name.as_str() {
            "NewOrder" => tx.execute(
                "INSERT INTO orders (number, customer) VALUES (?1, ?2)",
                params![order, text("customer")?],
            ),
            "AddLine" => {
                let article = text("article")?;
                if article == UNOBTAINIUM {
                    return Err(CallError::new(format!("nobody sells {article}")));
                }
                tx.execute(
                    "INSERT INTO lines (number, article, quantity, price) VALUES (?1, ?2, ?3, ?4)",
                    params![order, article, number("quantity")?, number("price")?],
                )
            }
            _ => tx.execute("UPDATE orders SET submitted = submitted + 1 WHERE number = ?1", [order]),
        };
        match changed.map_err(CallError::new)? {
            1 => Ok(()),
            _ => Err(CallError::new(format!("there is no order {order}"))),
        }
    }
}
