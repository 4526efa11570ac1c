//! Files over RDP with TLS: the cost of framing beside that of TLS, and a whole transfer over loopback.

use std::hint::black_box;
use std::io::{self, Read, Write as _};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ra_rdp::{
    ExpertConnection, ExpertEvent, ExpertOptions, Framing, NoInput, NoviceOptions, NoviceServer,
    test_picture, tls_configs,
};
use ra_session::loopback::{Flight, Loopback, Step};
use ra_session::{
    Attempts, Channel, Credentials, Event, Expert, ExpertConfig, FileEvent, FileOffer, Novice, NoviceConfig,
    Role, ServerKey,
};
use remassist_core::Time;
use testkit::bench::{heading, ratio};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, ServerConnection};

/// What a connection reads of a file at a time.
const READ: usize = 64 << 10;
/// What it puts together before it waits for the wire.
const BATCH: usize = 4 * READ;
/// A record of TLS.
const RECORD: usize = 16 << 10;
/// A file that does not end while it is measured.
const HUGE: u64 = 1 << 50;
const FILE: usize = 100_000_000;

fn credentials(string: &str) -> Credentials {
    Credentials::invitation(string, None, None).unwrap()
}

/// Bytes of a file that is in memory, again and again.
struct Again {
    file: Vec<u8>,
    at: usize,
}

impl Again {
    fn new() -> Self {
        Self { file: (0..READ).map(|n| (n % 251) as u8).collect(), at: 0 }
    }
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.file[self.at..]).read(buffer)?;
        self.at = (self.at + read) % self.file.len();
        Ok(read)
    }
}

/// The expert of a session of version 2 that is sending a file, and its channels.
struct Sender {
    both: Loopback,
    framing: Framing,
    out: BytesMut,
}

impl Sender {
    /// With the first of these channels for session initialization, and a channel of its own for the file where it has more.
    fn new(channels: &[Channel]) -> Self {
        let credentials = credentials(r#"<E><A ID="8rYm30"/><C/></E>"#);
        let expert =
            Expert::new(Time(0), ExpertConfig::new(credentials.clone()), ServerKey::Unavailable).unwrap();
        let mut novice = Novice::new(Time(0), NoviceConfig::new([credentials]), Attempts::new(1)).unwrap();
        novice.client_info(expert.client_info());
        let both = Loopback::new(expert, novice, channels).unwrap();
        let mut this = Self { both, framing: Framing::new(), out: BytesMut::new() };
        this.run();
        this.both.expert.screen_started();
        this.run();
        let offer = FileOffer::new("disk.img", HUGE);
        this.framing.offer(this.both.expert.files(), offer, Again::new()).unwrap();
        this.run();
        this
    }

    fn run(&mut self) {
        while let Some(step) = self.both.step() {
            match step {
                Step::Event(Role::Novice, Event::AskView { .. }) => self.both.novice.allow_view().unwrap(),
                Step::Event(Role::Novice, Event::ShareScreen) => self.both.novice.view_started().unwrap(),
                Step::Event(Role::Novice, Event::File(FileEvent::Offered { id, .. })) => {
                    self.both.novice.files().accept(id).unwrap();
                }
                Step::Event(Role::Expert, event) => self.framing.follow(&event),
                Step::Sent(_, Flight::Opened(channel)) => self.framing.open(channel, &mut self.out).unwrap(),
                _ => {}
            }
        }
    }

    /// The next batch as it goes to TLS.
    fn batch(&mut self) -> &[u8] {
        self.out.clear();
        for _ in 0..BATCH / READ {
            assert!(self.framing.feed(self.both.expert.files(), &mut self.out).unwrap());
        }
        &self.out
    }
}

/// Both ends of TLS, with what it takes to get from one to the other in memory.
struct Tls {
    client: ClientConnection,
    server: ServerConnection,
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Tls {
    fn new() -> Self {
        let (server, client) = tls_configs().unwrap();
        let name = ServerName::try_from("remote-assistance").unwrap();
        let mut this = Self {
            client: ClientConnection::new(client, name).unwrap(),
            server: ServerConnection::new(server).unwrap(),
            wire: Vec::new(),
            plain: vec![0; RECORD],
        };
        while this.client.is_handshaking() || this.server.is_handshaking() {
            this.carry();
            this.wire.clear();
            this.server.write_tls(&mut this.wire).unwrap();
            let mut wire = &this.wire[..];
            while !wire.is_empty() {
                this.client.read_tls(&mut wire).unwrap();
                this.client.process_new_packets().unwrap();
            }
        }
        this
    }

    /// From the client to the server.
    fn carry(&mut self) {
        self.wire.clear();
        while self.client.wants_write() {
            self.client.write_tls(&mut self.wire).unwrap();
        }
        let mut wire = &self.wire[..];
        while !wire.is_empty() {
            self.server.read_tls(&mut wire).unwrap();
            let state = self.server.process_new_packets().unwrap();
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let read = self.server.reader().read(&mut self.plain).unwrap();
                black_box(&self.plain[..read]);
                left -= read;
            }
        }
    }

    /// Seals bytes in records as long as they can be, and opens them.
    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.client.writer().write(bytes).unwrap();
            bytes = &bytes[taken..];
            self.carry();
        }
    }

    fn suite(&self) -> String {
        format!("{:?}", self.client.negotiated_cipher_suite().unwrap().suite())
    }
}

fn rate(what: &str, bytes: usize, time: Duration) -> f64 {
    let rate = bytes as f64 / 1e6 / time.as_secs_f64();
    println!("{what:<52} {rate:>9.0} MB/s");
    rate
}

/// A file from our expert to our novice, from its acceptance to its last byte.
async fn transfer() -> Duration {
    let mut server =
        NoviceServer::bind(&["127.0.0.1:0".parse().unwrap()], NoviceOptions::default()).await.unwrap();
    let address = server.addresses().unwrap()[0];
    let string = format!(
        r#"<E><A ID="8rYm30"/><C><T ID="1" SID="0"><L P="{}" N="{}"/></T></C></E>"#,
        address.port(),
        address.ip()
    );
    let config = NoviceConfig::new([credentials(&string)]);
    let novice = tokio::spawn(async move {
        let caller = server.accept().await.unwrap();
        let display = Box::new(test_picture(64, 64));
        let novice = server.connect(caller, config, Attempts::new(1), display, Box::new(NoInput)).await;
        let (mut novice, mut came, mut begun) = (novice.unwrap(), 0, None);
        loop {
            match novice.next().await.unwrap().unwrap() {
                Event::AskView { .. } => novice.session().allow_view().unwrap(),
                Event::ShareScreen => novice.session().view_started().unwrap(),
                Event::File(FileEvent::Offered { id, .. }) => {
                    begun = Some(Instant::now());
                    novice.session().files().accept(id).unwrap();
                }
                Event::File(FileEvent::Data { bytes, .. }) => came += black_box(bytes).len(),
                Event::File(FileEvent::Complete { .. }) => {
                    assert_eq!(came, FILE);
                    return begun.unwrap().elapsed();
                }
                _ => {}
            }
        }
    });
    let expert = tokio::spawn(async move {
        let config = ExpertConfig::new(credentials(&string));
        let mut expert = ExpertConnection::dial(config, &ExpertOptions::default()).await.unwrap();
        while let Ok(Some(event)) = expert.next().await {
            if let ExpertEvent::Session(Event::Established(_)) = event {
                expert.send_file(FileOffer::new("disk.img", FILE as u64), Again::new()).unwrap();
            }
        }
    });
    let time = novice.await.unwrap();
    expert.await.unwrap();
    time
}

fn main() {
    let mut tls = (Tls::new(), Tls::new());
    heading(&format!("file over RDP, {}", tls.0.suite()));
    let file = vec![7; BATCH];
    for (name, channels) in [
        ("packets on remdesk", &[Channel::Remdesk][..]),
        ("channel of its own", &[Channel::Control, Channel::Chat, Channel::Commands]),
    ] {
        let mut sender = Sender::new(channels);
        let framed = sender.batch().len();
        assert!(framed > BATCH, "nothing is framed: {framed}");
        ratio(
            &format!("256 KiB framed, sealed, opened: {name}"),
            1.25,
            || tls.0.pass(sender.batch()),
            || black_box(&file).chunks(RECORD).for_each(|record| tls.1.pass(record)),
        );
    }
    println!();
    let mut sender = Sender::new(&[Channel::Control, Channel::Chat, Channel::Commands]);
    let begun = Instant::now();
    for _ in 0..FILE / BATCH {
        black_box(sender.batch());
    }
    rate("framing, channel of its own", FILE / BATCH * BATCH, begun.elapsed());
    let begun = Instant::now();
    for _ in 0..FILE / BATCH {
        black_box(&file).chunks(RECORD).for_each(|record| tls.1.pass(record));
    }
    let reference = rate("TLS in memory, 16 KiB records, one thread", FILE / BATCH * BATCH, begun.elapsed());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut times: Vec<_> = (0..5).map(|_| runtime.block_on(transfer())).collect();
    times.sort();
    let whole = rate("100 MB from our expert to our novice, loopback", FILE, times[2]);
    println!("{:<52} {:>9.2}", "of what TLS does in memory", whole / reference);
}
