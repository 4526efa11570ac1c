//! Two sides that are connected, and what happens on either of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ra_connstring::{ConnectionString1, ConnectionString2, Endpoint, KeyHash};
use ra_rdp::{
    ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, NoviceConnection, NoviceOptions, NoviceServer,
    Picture, RdpError, Security, test_picture,
};
use ra_session::{
    Attempts, ControlEvent, Credentials, Event, ExpertConfig, FileEvent, KeyPolicy, NoviceConfig, Reason,
    TransferId, Version,
};
use remassist_core::text::TextFormat as _;
use tokio::time::timeout;

use crate::log;
use crate::relay::{Look, relay};

pub const LIMIT: Duration = Duration::from_secs(30);
pub const PASSWORD: &str = "Pass123!";
pub const STUB: &str = "o2*5GdBARK_JBB";

/// Something that happened on either side.
#[derive(Debug)]
pub enum Seen {
    Expert(ExpertEvent),
    Novice(Event),
    ExpertEnd(Result<(), RdpError>),
    NoviceEnd(Result<(), RdpError>),
}

pub struct Pair {
    pub expert: Option<ExpertConnection>,
    pub novice: Option<NoviceConnection>,
    input: Arc<Mutex<Vec<InputEvent>>>,
    /// Bytes of files that came whole.
    pub files: BTreeMap<TransferId, Vec<u8>>,
    pub control: bool,
}

pub fn credentials(version: Version, address: SocketAddr, password: &str) -> Credentials {
    with_key(version, address, password, b"no key")
}

/// Those that tell of a key, if there is one.
fn with_key(version: Version, address: SocketAddr, password: &str, key: &[u8]) -> Credentials {
    let address = address.to_string();
    let endpoint = Endpoint::parse(&address).unwrap();
    let hash = KeyHash::compute_sha1(key);
    let one = || ConnectionString1::new([endpoint.clone()], "8rYm30", &hash).to_text().unwrap();
    let two = || {
        let string = ConnectionString2::new("8rYm30");
        let string = if key.is_empty() { string } else { string.with_key_hash(&hash) };
        string.with_listener(&endpoint).to_text().unwrap()
    };
    match version {
        Version::V1 => Credentials::invitation(&one(), Some(password), Some(STUB)),
        Version::V2 => Credentials::invitation(&two(), Some(password), Some(STUB)),
        Version::V3 => Credentials::easy_connect(&two(), password),
    }
    .unwrap()
}

pub fn picture() -> Picture {
    test_picture(202, 150)
}

pub async fn server(security: Security) -> NoviceServer {
    let mut options = NoviceOptions::default();
    options.security = security;
    listening(options).await
}

pub async fn listening(options: NoviceOptions) -> NoviceServer {
    log();
    NoviceServer::bind(&["127.0.0.1:0".parse().unwrap()], options).await.unwrap()
}

/// What two sides are made of.
pub struct Setup {
    pub version: Version,
    pub novice: NoviceOptions,
    pub expert: ExpertOptions,
    /// Password of the expert.
    pub password: &'static str,
    /// Of which the invitation has the hash.
    pub key: Vec<u8>,
    pub policy: KeyPolicy,
    /// Who stands between the two.
    pub relay: Option<Look>,
}

impl Setup {
    /// Without TLS nothing is encrypted.
    pub fn new(version: Version, security: Security) -> Self {
        let (mut novice, mut expert) = (NoviceOptions::default(), ExpertOptions::default());
        novice.security = security;
        expert.security = if security == Security::Rdp { Security::Any } else { security };
        expert.standard.as_mut().unwrap().allow_unencrypted = true;
        let (password, key) = (PASSWORD, b"no key".to_vec());
        Self { version, novice, expert, password, key, policy: KeyPolicy::Warn, relay: None }
    }

    /// Both sides, if they come together; what the novice takes of the input.
    pub async fn connect(
        self,
    ) -> (Result<NoviceConnection, RdpError>, Result<ExpertConnection, RdpError>, Arc<Mutex<Vec<InputEvent>>>)
    {
        let Self { version, novice, expert, password, key, policy, relay: look } = self;
        let security = novice.security;
        let mut server = listening(novice).await;
        let mut address = server.addresses().unwrap()[0];
        if let Some(look) = look {
            address = relay(address, look).await;
        }
        let input = Arc::new(Mutex::new(Vec::new()));
        let accepting = async {
            loop {
                let sink = Arc::clone(&input);
                let sink = Box::new(move |event| sink.lock().unwrap().push(event));
                let mut config = NoviceConfig::new([with_key(version, address, PASSWORD, &key)]);
                config.options.name = "Nora".to_owned();
                let stream = server.accept().await.unwrap();
                let display = Box::new(picture());
                match server.connect(stream, config, Attempts::new(5), display, sink).await {
                    // The expert comes again without TLS.
                    Err(RdpError::Security) if security == Security::Rdp => {}
                    other => return other,
                }
            }
        };
        let mut config = ExpertConfig::new(with_key(version, address, password, &key));
        config.options.name = "Erik".to_owned();
        config.key_policy = policy;
        let both = async { tokio::join!(accepting, ExpertConnection::dial(config, &expert)) };
        let (novice, expert) = timeout(LIMIT, both).await.unwrap();
        (novice, expert, input)
    }
}

impl Pair {
    pub async fn new(version: Version, security: Security) -> Self {
        Self::of(Setup::new(version, security)).await
    }

    pub async fn of(setup: Setup) -> Self {
        let (novice, expert, input) = setup.connect().await;
        let (novice, expert) = (Some(novice.unwrap()), Some(expert.unwrap()));
        Self { expert, novice, input, files: BTreeMap::new(), control: true }
    }

    pub fn expert(&mut self) -> &mut ExpertConnection {
        self.expert.as_mut().unwrap()
    }

    pub fn novice(&mut self) -> &mut NoviceConnection {
        self.novice.as_mut().unwrap()
    }

    /// The next thing that happens; what a person would answer is answered.
    pub async fn step(&mut self) -> Seen {
        async fn expert(side: &mut Option<ExpertConnection>) -> Seen {
            let Some(connection) = side else { return std::future::pending().await };
            match connection.next().await {
                Ok(Some(event)) => Seen::Expert(event),
                Ok(None) => Seen::ExpertEnd(Ok(())),
                Err(e) => Seen::ExpertEnd(Err(e)),
            }
        }
        async fn novice(side: &mut Option<NoviceConnection>) -> Seen {
            let Some(connection) = side else { return std::future::pending().await };
            match connection.next().await {
                Ok(Some(event)) => Seen::Novice(event),
                Ok(None) => Seen::NoviceEnd(Ok(())),
                Err(e) => Seen::NoviceEnd(Err(e)),
            }
        }
        let seen = timeout(LIMIT, async {
            tokio::select! {
                seen = expert(&mut self.expert) => seen,
                seen = novice(&mut self.novice) => seen,
            }
        });
        let seen = seen.await.expect("nothing happens");
        match &seen {
            Seen::ExpertEnd(_) => self.expert = None,
            Seen::NoviceEnd(_) => self.novice = None,
            Seen::Novice(Event::AskView { .. }) => self.novice().session().allow_view().unwrap(),
            Seen::Novice(Event::ShareScreen) => self.novice().session().view_started().unwrap(),
            Seen::Novice(Event::Control(ControlEvent::Requested)) if self.control => {
                self.novice().session().allow_control().unwrap();
            }
            Seen::Novice(Event::File(FileEvent::Offered { id, .. })) => {
                self.novice().session().files().accept(*id).unwrap();
            }
            Seen::Expert(ExpertEvent::Session(Event::File(FileEvent::Offered { id, .. }))) => {
                self.expert().session().files().accept(*id).unwrap();
            }
            Seen::Novice(Event::File(FileEvent::Data { id, bytes, .. }))
            | Seen::Expert(ExpertEvent::Session(Event::File(FileEvent::Data { id, bytes, .. }))) => {
                self.files.entry(*id).or_default().extend_from_slice(bytes);
            }
            _ => {}
        }
        seen
    }

    pub async fn until(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let seen = self.step().await;
            if wanted(&seen) {
                return seen;
            }
            assert!(!matches!(seen, Seen::ExpertEnd(_) | Seen::NoviceEnd(_)), "{seen:?}");
        }
    }

    pub async fn expert_hears(&mut self, event: &Event) {
        self.until(|seen| matches!(seen, Seen::Expert(ExpertEvent::Session(e)) if e == event)).await;
    }

    pub async fn novice_hears(&mut self, event: &Event) {
        self.until(|seen| matches!(seen, Seen::Novice(e) if e == event)).await;
    }

    pub async fn establish(&mut self, version: Version) {
        let (mut expert, mut novice) = (false, false);
        while !(expert && novice) {
            let wanted = Event::Established(version);
            match self.step().await {
                Seen::Expert(ExpertEvent::Session(event)) => expert |= event == wanted,
                Seen::Novice(event) => novice |= event == wanted,
                Seen::Expert(_) => {}
                end => panic!("{end:?}"),
            }
        }
    }

    /// Everything until both sides are over: what they said last.
    pub async fn ends(&mut self) -> [(Option<Reason>, bool); 2] {
        let mut ends = [(None, false); 2];
        while self.expert.is_some() || self.novice.is_some() {
            match self.step().await {
                Seen::Expert(ExpertEvent::Session(Event::Closed(reason))) => ends[0].0 = Some(reason),
                Seen::Novice(Event::Closed(reason)) => ends[1].0 = Some(reason),
                Seen::ExpertEnd(end) => ends[0].1 = end.is_ok(),
                Seen::NoviceEnd(end) => ends[1].1 = end.is_ok(),
                _ => {}
            }
        }
        ends
    }

    pub fn taken(&self) -> Vec<InputEvent> {
        self.input.lock().unwrap().clone()
    }
}
