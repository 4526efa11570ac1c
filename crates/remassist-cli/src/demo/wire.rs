//! The act in which queued calls travel over MSMQ: a sender and a server are killed half way.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use comqc_msmq::Queue as _;
use comqc_msmq::sqlite::{Outbox, SqliteQueue, Store, Transfer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::orders;
use super::queue::{LIMIT, Player, empty, numbers, order, range};
use super::stage::{Check, fits};
use crate::Failure;

/// Numbers of the orders that wait before the first sender is started. It is given one more, and so is the second.
const WAITING: std::ops::Range<u32> = 31..53;
const ORDERS: std::ops::Range<u32> = WAITING.start..WAITING.end + 2;
/// Bytes after which nothing comes through any more, on the first two connections.
const STALLS: u64 = 9_000;
/// How other machines name the queue.
const QUEUE: &str = r"DIRECT=OS:localhost\private$\orders";

pub async fn act(out: &mut dyn Write) -> Result<Vec<Check>, Failure> {
    writeln!(out, "\n== queued calls over MSMQ: a sender and a server that are killed half way ==")?;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let mut checks = Vec::new();
    let mut check = |what: &str, held| checks.push((format!("msmq: {what}"), held));

    let outbox = Outbox::new(Store::open(folder.join("outbox.db"))?);
    let name = fits(QUEUE.trim_start_matches("DIRECT=").parse())?;
    let outgoing = outbox.to(&name)?;
    for number in WAITING {
        outgoing.accept(&[fits(order(number)?)?], Transfer::Single)?;
    }
    for number in WAITING.end..ORDERS.end {
        std::fs::write(folder.join(format!("{number}.comqc")), &fits(order(number)?)?.body)?;
    }
    writeln!(out, "{} orders are in the outbox; nobody listens yet", WAITING.len())?;

    let mut network = Network::start().await?;
    let mut server = Server::start(folder, 1).await?;
    network.to(server.address);
    writeln!(out, "server 1 listens, and a player plays what it takes")?;
    let player = Player::start(folder, 1, None)?;
    let mut sender = sender(folder, network.port, WAITING.end)?;
    writeln!(out, "sender 1 is started with one more order")?;
    network.stalled().await?;
    sender.start_kill()?;
    let status = sender.wait().await?;
    let left = outgoing.count()?.main;
    writeln!(
        out,
        "the network stalls; sender 1 is killed (SIGKILL), {left} orders are in the outbox: {status}"
    )?;
    check("the sender was killed half way", (1..u64::from(WAITING.end - WAITING.start)).contains(&left));

    let mut sender = self::sender(folder, network.port, WAITING.end + 1)?;
    writeln!(out, "sender 2 is started with the last order")?;
    network.stalled().await?;
    server.child.start_kill()?;
    let status = server.child.wait().await?;
    let left = outgoing.count()?.main;
    writeln!(
        out,
        "the network stalls; server 1 is killed (SIGKILL), {left} orders are in the outbox: {status}"
    )?;
    check("the server was killed half way", (1..u64::from(WAITING.end - WAITING.start)).contains(&left));
    server = Server::start(folder, 2).await?;
    network.to(server.address);
    writeln!(out, "server 2 listens")?;

    let status = fits(timeout(LIMIT, sender.wait()).await)??;
    writeln!(out, "sender 2 has ended: {status}")?;
    check("the sender knows that its order was delivered", status.success());
    check("nothing is left in the outbox", outgoing.count()?.main == 0 && outgoing.count()?.dead == 0);
    let queue = fits(SqliteQueue::open(&orders::address(folder)))?;
    empty(&queue).await?;
    player.end().await?;
    server.child.start_kill()?;
    let _killed = server.child.wait().await?;
    check("nothing is left in the queue", fits(queue.count().await)?.main == 0);

    let db = orders::database(folder)?;
    let taken = numbers(&db, "SELECT number FROM orders WHERE submitted = 1 ORDER BY place")?;
    let wanted = range(ORDERS);
    check("every order was taken once, in the order in which they were accepted", taken == wanted);
    let lines = numbers(&db, "SELECT count(*) FROM lines GROUP BY number ORDER BY number")?;
    check("with all of its lines", lines == vec![2; wanted.len()]);
    writeln!(out, "{} orders played over {} connections", taken.len(), network.connections)?;
    Ok(checks)
}

/// A sender in a process of its own.
fn sender(folder: &Path, port: u16, number: u32) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        "queue",
        "send",
        "--queue",
        QUEUE,
        "--wait",
        "60s",
        "--port",
        &port.to_string(),
        "--outbox",
    ]);
    command.arg(folder.join("outbox.db")).arg(folder.join(format!("{number}.comqc")));
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}

/// A server in a process of its own.
struct Server {
    child: Child,
    address: SocketAddr,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    async fn start(folder: &Path, number: u8) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "queue",
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--queue",
            &orders::address(folder),
        ]);
        command.arg("--outbox").arg(folder.join(format!("server-{number}.db")));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = fits(child.stdout.take().ok_or("the server has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = fits(timeout(LIMIT, lines.next_line()).await)??;
        let line: Value = fits(serde_json::from_str(&fits(line.ok_or("the server has ended"))?))?;
        let address =
            fits(line.pointer("/addresses/0").and_then(Value::as_str).ok_or("the server listens nowhere"))?;
        Ok(Self { child, address: fits(address.parse())?, _lines: lines })
    }
}

/// A network between the two, whose first two connections stall.
struct Network {
    port: u16,
    connections: u16,
    goal: Arc<AtomicU16>,
    stalls: mpsc::UnboundedReceiver<()>,
}

impl Network {
    async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (stall, stalls) = mpsc::unbounded_channel();
        let goal = Arc::<AtomicU16>::default();
        let to = Arc::clone(&goal);
        tokio::spawn(async move {
            let mut left = 2_u8;
            while let Ok((from, _)) = listener.accept().await {
                let port = to.load(Ordering::Relaxed);
                let Ok(to) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let most = if left > 0 { STALLS } else { u64::MAX };
                left = left.saturating_sub(1);
                tokio::spawn(carry(from, to, most, stall.clone()));
            }
        });
        Ok(Self { port, connections: 0, goal, stalls })
    }

    fn to(&self, address: SocketAddr) {
        self.goal.store(address.port(), Ordering::Relaxed);
    }

    async fn stalled(&mut self) -> Result<(), Failure> {
        fits(fits(timeout(LIMIT, self.stalls.recv()).await)?.ok_or("the network is gone"))?;
        self.connections = self.connections.saturating_add(1);
        Ok(())
    }
}

/// Carries bytes both ways; after so many from the one who has connected, none any more, until one side is gone.
async fn carry(from: TcpStream, to: TcpStream, most: u64, stall: mpsc::UnboundedSender<()>) {
    let ((from_read, mut from_write), (mut to_read, mut to_write)) = (from.into_split(), to.into_split());
    let forth = async {
        let mut limited = from_read.take(most);
        let _gone = tokio::io::copy(&mut limited, &mut to_write).await;
        if limited.limit() == 0 {
            let _nobody_waits = stall.send(());
            // Until the one who has connected is gone.
            let mut rest = limited.into_inner();
            let _gone = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
        }
    };
    let back = async {
        let _gone = tokio::io::copy(&mut to_read, &mut from_write).await;
        let _gone = from_write.shutdown().await;
    };
    tokio::select! {
        () = forth => {}
        () = back => {}
    }
}
