//! A relay that keeps what goes through it as a capture, and tshark's opinion of that.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Port of the server in captures.
const SERVER: u16 = 2103;

/// One direction of a connection, as packets need it.
#[derive(Default)]
struct Capture {
    bytes: Vec<u8>,
    /// Bytes so far each way of each connection.
    sent: Vec<[u32; 2]>,
}

impl Capture {
    /// A packet of IPv4 and TCP without checksums.
    fn packet(&mut self, connection: usize, to_server: bool, data: &[u8]) {
        let [there, back] = self.sent[connection];
        let (sequence, other) = if to_server { (there, back) } else { (back, there) };
        let client = 40_000 + u16::try_from(connection).unwrap();
        let (from, to) = if to_server { (client, SERVER) } else { (SERVER, client) };
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(40 + data.len()).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
        packet.extend([(sequence + 1).to_be_bytes(), (other + 1).to_be_bytes()].concat());
        packet.extend([0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
        packet.extend(data);
        let len = u32::try_from(packet.len()).unwrap();
        self.bytes.extend([[0; 4], [0; 4], len.to_le_bytes(), len.to_le_bytes()].concat());
        self.bytes.extend(packet);
        self.sent[connection][usize::from(!to_server)] += u32::try_from(data.len()).unwrap();
    }
}

pub(crate) struct Relay {
    port: u16,
    capture: Arc<Mutex<Capture>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let capture = Arc::<Mutex<Capture>>::default();
        let accepting = tokio::spawn({
            let capture = Arc::clone(&capture);
            async move {
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let connection = {
                        let mut capture = capture.lock().unwrap();
                        capture.sent.push([0; 2]);
                        capture.sent.len() - 1
                    };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(copy(from_client, to_server, Arc::clone(&capture), connection, true));
                    tokio::spawn(copy(from_server, to_client, Arc::clone(&capture), connection, false));
                }
            }
        });
        Self { port: own, capture, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    capture: Arc<Mutex<Capture>>,
    connection: usize,
    to_server: bool,
) {
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        capture.lock().unwrap().packet(connection, to_server, &buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

/// tshark finds so many calls of DCE/RPC in the capture, both ways, and nothing malformed.
pub(crate) async fn judge(relay: Relay, calls: usize) {
    relay.accepting.abort();
    let there = Command::new("tshark").arg("--version").output().await;
    if !there.is_ok_and(|output| output.status.success()) {
        println!("!!!! SKIPPED: tshark is not installed !!!!");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("msmq.pcap");
    // Microseconds, version 2.4, LINKTYPE_RAW.
    let header = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 0x0004_0000, 101];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(&relay.capture.lock().unwrap().bytes);
    std::fs::write(&file, bytes).unwrap();
    let text = tshark(&file).await;
    let (mut requests, mut answers) = (0, 0);
    for line in text.lines() {
        let mut fields = line.split('\t');
        let types = fields.next().unwrap_or_default();
        requests += types.split(',').filter(|kind| *kind == "0").count();
        answers += types.split(',').filter(|kind| ["2", "3"].contains(kind)).count();
        assert_eq!(fields.next().unwrap_or_default(), "", "malformed: {line}");
    }
    assert!(requests >= calls && answers >= calls, "{requests} requests, {answers} answers:\n{text}");
}

async fn tshark(file: &Path) -> String {
    let mut command = Command::new("tshark");
    command.args(["-d", &format!("tcp.port=={SERVER},dcerpc")]).arg("-r").arg(file);
    command.args(["-T", "fields", "-e", "dcerpc.pkt_type", "-e", "_ws.malformed"]);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
