//! Our expert and our novice over loopback, for the tests of ra-rdp.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use ra_connstring::{ConnectionString1, ConnectionString2, Endpoint, KeyHash};
use ra_rdp::{
    DisplaySource, ExpertConnection, ExpertEvent, ExpertOptions, NoInput, NoviceConnection, NoviceOptions,
    NoviceServer, Picture, RdpError, Security,
};
use ra_session::{
    Attempts, ControlEvent, Credentials, Event, ExpertConfig, FileEvent, FileOffer, NoviceConfig, Role,
    Version,
};
use remassist_core::text::TextFormat as _;
use tokio::time::timeout;

pub mod relay;

/// What only a failure waits for.
pub const LIMIT: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "Pass123!";
pub const STUB: &str = "o2*5GdBARK_JBB";
/// Authentication id of all connection strings here.
pub const ID: &str = "8rYm30";

/// What an invitation with this address lets in, or Easy Connect.
pub fn credentials(version: Version, address: SocketAddr, password: &str) -> Credentials {
    let address = address.to_string();
    let endpoint = Endpoint::parse(&address).unwrap();
    let hash = KeyHash::compute_sha1(b"no key");
    let one = || ConnectionString1::new([endpoint.clone()], ID, &hash).to_text().unwrap();
    let two = || ConnectionString2::new(ID).with_key_hash(&hash).with_listener(&endpoint).to_text().unwrap();
    match version {
        Version::V1 => Credentials::invitation(&one(), Some(password), Some(STUB)),
        Version::V2 => Credentials::invitation(&two(), Some(password), Some(STUB)),
        Version::V3 => Credentials::easy_connect(&two(), password),
    }
    .unwrap()
}

/// Whether `cargo xtask soak` runs the tests: then they do all that they can, otherwise a tenth or less.
pub fn soak() -> bool {
    std::env::var_os("REMASSIST_SOAK").is_some()
}

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// From REMASSIST_SEED, or from the clock; printed, so that a failure can be had again.
    pub fn seeded() -> Self {
        let given = std::env::var("REMASSIST_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
        let seed = given.unwrap_or_else(clock);
        println!("REMASSIST_SEED={seed}");
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}

/// Bytes without end that depend on the seed and nothing else.
impl Read for Random {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len() - buffer.len() % 8;
        let len = if len == 0 { buffer.len() } else { len };
        for piece in buffer[..len].chunks_mut(8) {
            piece.copy_from_slice(&self.number().to_le_bytes()[..piece.len()]);
        }
        Ok(len)
    }
}

/// One side of a connection.
#[derive(Debug)]
pub enum Side {
    Expert(Box<ExpertConnection>),
    Novice(Box<NoviceConnection>),
}

/// Something that happened to a side.
#[derive(Debug)]
pub enum Seen {
    Session(Event),
    Screen,
}

impl Side {
    /// The next thing that happens; what a person would answer is answered: everything is allowed.
    pub async fn next(&mut self) -> Result<Option<Seen>, RdpError> {
        let event = match self {
            Self::Expert(expert) => match expert.next().await? {
                Some(ExpertEvent::Session(event)) => event,
                Some(_) => return Ok(Some(Seen::Screen)),
                None => return Ok(None),
            },
            Self::Novice(novice) => match novice.next().await? {
                Some(event) => event,
                None => return Ok(None),
            },
        };
        if let Event::File(FileEvent::Offered { id, .. }) = &event {
            match self {
                Self::Expert(expert) => expert.session().files().accept(*id).unwrap(),
                Self::Novice(novice) => novice.session().files().accept(*id).unwrap(),
            }
        }
        if let Self::Novice(novice) = self {
            let session = novice.session();
            match &event {
                Event::AskView { .. } => session.allow_view().unwrap(),
                Event::ShareScreen => session.view_started().unwrap(),
                Event::Control(ControlEvent::Requested) => session.allow_control().unwrap(),
                _ => {}
            }
        }
        Ok(Some(Seen::Session(event)))
    }

    pub fn send_file(&mut self, offer: FileOffer, source: impl Read + Send + 'static) {
        match self {
            Self::Expert(expert) => expert.send_file(offer, source).unwrap(),
            Self::Novice(novice) => novice.send_file(offer, source).unwrap(),
        };
    }

    pub fn say(&mut self, text: &str) {
        match self {
            Self::Expert(expert) => expert.session().chat().send(text).unwrap(),
            Self::Novice(novice) => novice.session().chat().send(text).unwrap(),
        }
    }

    pub fn close(&mut self) {
        match self {
            Self::Expert(expert) => expert.session().close(),
            Self::Novice(novice) => novice.session().close(),
        }
    }
}

/// A server on loopback; options are those of the test.
pub async fn server(change: impl FnOnce(&mut NoviceOptions)) -> NoviceServer {
    let mut options = NoviceOptions::default();
    change(&mut options);
    NoviceServer::bind(&["127.0.0.1:0".parse().unwrap()], options).await.unwrap()
}

/// Both sides, connected.
pub struct Both {
    pub expert: Side,
    pub novice: Side,
}

impl Both {
    /// `address`: where the expert goes: the server's, or that of a relay.
    pub async fn new(
        version: Version,
        security: Security,
        server: &mut NoviceServer,
        address: SocketAddr,
        display: Box<dyn DisplaySource>,
    ) -> Self {
        let accepting = async {
            let config = NoviceConfig::new([credentials(version, address, PASSWORD)]);
            let caller = server.accept().await.unwrap();
            server.connect(caller, config, Attempts::new(5), display, Box::new(NoInput)).await.unwrap()
        };
        let config = ExpertConfig::new(credentials(version, address, PASSWORD));
        let mut options = ExpertOptions::default();
        options.security = security;
        options.standard.as_mut().unwrap().allow_unencrypted = true;
        let dialling = ExpertConnection::dial(config, &options);
        let (novice, expert) =
            timeout(LIMIT, async { tokio::join!(accepting, dialling) }).await.expect("no connection");
        Self { expert: Side::Expert(Box::new(expert.unwrap())), novice: Side::Novice(Box::new(novice)) }
    }

    pub fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Expert => &mut self.expert,
            Role::Novice => &mut self.novice,
        }
    }

    /// The next thing that happens to either side.
    pub async fn step(&mut self) -> (Role, Option<Seen>) {
        let step = async {
            tokio::select! {
                seen = self.expert.next() => (Role::Expert, seen.unwrap()),
                seen = self.novice.next() => (Role::Novice, seen.unwrap()),
            }
        };
        timeout(LIMIT, step).await.expect("nothing happens")
    }

    /// The next event of either side; the session must go on.
    pub async fn event(&mut self) -> (Role, Seen) {
        let (role, seen) = self.step().await;
        let seen = seen.expect("the end");
        assert!(!matches!(seen, Seen::Session(Event::Closed(_))), "{role:?}: {seen:?}");
        (role, seen)
    }

    pub async fn establish(&mut self) {
        let mut established = 0;
        while established < 2 {
            if let (_, Seen::Session(Event::Established(_))) = self.event().await {
                established += 1;
            }
        }
    }
}

/// A screen on which everything changes whenever it is looked at.
pub struct Restless(pub Picture);

impl DisplaySource for Restless {
    fn size(&self) -> (u16, u16) {
        (self.0.width(), self.0.height())
    }

    fn capture(&mut self, picture: &mut Picture) -> io::Result<()> {
        self.0.pixels_mut().iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        picture.clone_from(&self.0);
        Ok(())
    }
}
