//! The act in which calls are queued: recorded, kept, and played by a player that is killed.

use std::io::Write;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use comqc_msmq::session::{DeadReason, MethodKind, QueueMessage, Recorder, RecorderOptions};
use comqc_msmq::sqlite::SqliteQueue;
use comqc_msmq::sqlite::rusqlite::Connection;
use comqc_msmq::{Place, Queue};
use remassist::comqc::{AuthenticationLevel, Property, SecurityData};
use remassist::ndr::{Bstr, R8, Scalar, Variant};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::orders::{self, SCHEME, UNOBTAINIUM};
use super::stage::{Check, fits};
use crate::Failure;

/// Orders that are recorded; the player is killed with the one in the middle, and one is poison.
const ORDERS: u32 = 24;
const KILLED_AT: u32 = 12;
const POISON: u32 = 18;
/// What a player that does nothing any more is waited for.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub async fn act(out: &mut dyn Write) -> Result<Vec<Check>, Failure> {
    writeln!(out, "\n== calls are queued: recorded, kept, played by a player that is killed ==")?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let queue = fits(SqliteQueue::open(&orders::address(folder)))?;
    writeln!(
        out,
        "recorder: NewOrder, AddLine, AddLine (IOrderEntry, NDR) and Submit (IDispatch) for each of {ORDERS} orders"
    )?;
    for number in 1..=ORDERS {
        fits(queue.send(fits(order(number)?)?).await)?;
    }
    let first = fits(fits(queue.peek(Place::Main, None).await)?.ok_or("the queue is empty"))?;
    tell(&queue, out).await?;

    let mut checks = Vec::new();
    let mut check = |what: &str, held| checks.push((format!("queue: {what}"), held));
    let kept = fits(queue.count().await)?.main;
    check("every message was on disk before a player was started", kept == u64::from(ORDERS));

    writeln!(out, "player 1 starts, in a process of its own")?;
    let mut player = Player::start(folder, 1, Some(KILLED_AT))?;
    let said = player.hear(out, &mut Vec::new(), "stops in the middle").await?;
    check("it was in the middle of a transaction when it was killed", said);
    let status = player.kill().await?;
    writeln!(out, "player 1 was killed with order {KILLED_AT} half taken (SIGKILL): {status}")?;
    let db = orders::database(folder)?;
    let taken = numbers(&db, "SELECT number FROM orders ORDER BY place")?;
    check("what it had played is kept, and nothing of the message in hand", taken == range(1..KILLED_AT));
    tell(&queue, out).await?;

    writeln!(
        out,
        "message 1 is sent once more, with its identifier, as a broker would that has missed an answer"
    )?;
    fits(queue.forward(first).await)?;
    writeln!(out, "player 2 starts; order {POISON} is for {UNOBTAINIUM}")?;
    let mut player = Player::start(folder, 2, None)?;
    let mut heard = Vec::new();
    let last = player.hear(out, &mut heard, "the exception class").await?;
    check("the exception class was called", last);
    empty(&queue).await?;
    player.ask_to_end();
    player.hear(out, &mut heard, "\n").await?;
    check("a player that is asked to end ends well", player.ended().await?);
    tell(&queue, out).await?;

    let count = |part: &str| heard.iter().filter(|line| line.contains(part)).count();
    check(
        "the new player knew that another one had died with the message",
        count("a player has died with it") == 1,
    );
    let wanted: Vec<i64> =
        range(1..ORDERS + 1).into_iter().filter(|number| *number != i64::from(POISON)).collect();
    let taken = numbers(&db, "SELECT number FROM orders WHERE submitted = 1 ORDER BY place")?;
    check("every order was taken once, in the order in which they were recorded", taken == wanted);
    let lines = numbers(&db, "SELECT count(*) FROM lines GROUP BY number ORDER BY number")?;
    check("with all of its lines", lines == vec![2; wanted.len()]);
    let money = numbers(&db, "SELECT sum(quantity * price) FROM lines")?;
    check("and to the last cent", money == [wanted.iter().map(|number| total(*number)).sum::<i64>()]);
    check("the message that came twice was not played twice", count("message 1: was played before") == 1);
    let rounds = SCHEME.1.len() + 1;
    let tries = usize::try_from(SCHEME.0).unwrap_or(usize::MAX).saturating_mul(rounds);
    check(
        &format!("the poison message was tried {tries} times, in {rounds} rounds"),
        count(&format!("message {POISON}: failed")) == tries
            && (0..rounds).all(|round| count(&format!("failed in round {round}:")) == tries / rounds),
    );
    let complaints = numbers(&db, "SELECT number FROM complaints")?;
    check("then it was given to the exception class, once", complaints == [i64::from(POISON)]);
    let dead = fits(queue.list(Place::Dead, None, 10).await)?;
    check(
        "and then it was dead, with the reason",
        matches!(dead.as_slice(), [one] if one.id.uniquifier == POISON
            && one.dead == Some(DeadReason::Exhausted) && one.error.is_some()),
    );
    let left = fits(queue.count().await)?;
    check(
        "nothing else is left",
        left.main == 0 && left.retry.iter().all(|count| *count == 0) && left.dead == 1,
    );
    Ok(checks)
}

pub(super) fn range(numbers: std::ops::Range<u32>) -> Vec<i64> {
    numbers.map(i64::from).collect()
}

/// Quantity and price, in 1/10,000, of the lines of an order.
fn lines(number: i64) -> [(i64, i64); 2] {
    [(1 + number % 3, 12_495_000 + number), (2, 9_900 * number)]
}

fn total(number: i64) -> i64 {
    lines(number).iter().map(|(quantity, price)| quantity * price).sum()
}

/// The message of one order.
pub(super) fn order(number: u32) -> Result<Result<QueueMessage, &'static str>, Failure> {
    let table = orders::interface()?;
    let mut options = RecorderOptions::default();
    options.properties.label = format!("order {number}");
    let mut recorder = Recorder::new(orders::CLASS, options);
    let caller = vec![Property::account_name("SHOP\\alice")];
    fits(recorder.set_security(SecurityData::new(AuthenticationLevel::NONE, caller)))?;
    let long = |number: i64| Variant::Scalar(Scalar::I4(i32::try_from(number).unwrap_or(i32::MAX)));
    let text = |text: &str| Variant::Bstr(Some(Bstr::new(text)));
    let id = long(number.into());
    fits(recorder.call_method(
        &table,
        "NewOrder",
        &[id.clone(), text(&format!("Customer \u{2116} {number}"))],
    ))?;
    for (index, (quantity, price)) in lines(number.into()).into_iter().enumerate() {
        let article = if number == POISON && index == 1 { UNOBTAINIUM } else { "Difference engine, brass" };
        let line = [id.clone(), text(article), long(quantity), Variant::Scalar(Scalar::Currency(price))];
        fits(recorder.call_method(&table, "AddLine", &line))?;
    }
    let wanted = Variant::Scalar(Scalar::Date(R8::from(46_357.0)));
    fits(recorder.invoke_method(&table, "Submit", MethodKind::Method, vec![id, wanted], Vec::new()))?;
    Ok(fits(recorder.finish())?.ok_or("no calls were recorded"))
}

pub(super) fn numbers(db: &Connection, sql: &str) -> Result<Vec<i64>, Failure> {
    let mut rows = fits(db.prepare(sql))?;
    let rows = fits(rows.query_map([], |row| row.get(0)))?;
    fits(rows.collect())
}

/// How many messages are where.
async fn tell(queue: &SqliteQueue, out: &mut dyn Write) -> Result<(), Failure> {
    let counts = fits(queue.count().await)?;
    let retry: u64 = counts.retry.iter().sum();
    Ok(writeln!(out, "queue: {} in main, {retry} in retry queues, {} dead", counts.main, counts.dead)?)
}

/// Waits until nothing is to be played any more.
pub(super) async fn empty(queue: &SqliteQueue) -> Result<(), Failure> {
    let wait = async {
        loop {
            let counts = fits(queue.count().await)?;
            if counts.main == 0 && counts.retry.iter().all(|count| *count == 0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    fits(timeout(LIMIT, wait).await)?
}

/// A player in a process of its own.
pub(super) struct Player {
    number: u8,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Player {
    pub(super) fn start(folder: &Path, number: u8, stop_at: Option<u32>) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["demo", "--player"]).arg(folder);
        if let Some(message) = stop_at {
            command.args(["--stop-at", &message.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = fits(child.stdout.take().ok_or("the player has no output"))?;
        Ok(Self { number, child, lines: BufReader::new(stdout).lines() })
    }

    /// Tells what it says up to a line with this part; whether that came.
    async fn hear(
        &mut self,
        out: &mut dyn Write,
        heard: &mut Vec<String>,
        part: &str,
    ) -> Result<bool, Failure> {
        while let Some(line) = fits(timeout(LIMIT, self.lines.next_line()).await)?? {
            writeln!(out, "player {}: {line}", self.number)?;
            let is_it = line.contains(part);
            heard.push(line);
            if is_it {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn kill(mut self) -> Result<ExitStatus, Failure> {
        self.child.start_kill()?;
        Ok(self.child.wait().await?)
    }

    fn ask_to_end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Asks it to end, and waits for that.
    pub(super) async fn end(mut self) -> Result<bool, Failure> {
        self.ask_to_end();
        self.ended().await
    }

    /// Whether it ended well.
    async fn ended(mut self) -> Result<bool, Failure> {
        Ok(fits(timeout(LIMIT, self.child.wait()).await)??.success())
    }
}
