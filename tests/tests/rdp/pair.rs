//! Two sides that are connected, and what happens on either of them.

use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ra_connstring::{ConnectionString1, ConnectionString2, Endpoint, KeyHash};
use ra_rdp::rdp_standard_security::{ClientOptions, Methods, ServerKey as RsaKey, ServerOptions};
use ra_rdp::{
    DisplaySource, ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, InputSink, NoInput,
    NoviceConnection, NoviceOptions, NoviceServer, Picture, Protection, RdpError, Rectangle, Security,
    generate_server_key, test_picture,
};
use ra_session::{
    Attempts, ControlEvent, Credentials, Event, ExpertConfig, FileEvent, FileOffer, KeyPolicy, NoviceConfig,
    Reason, Role, ServerKey, Version,
};
use remassist_core::text::TextFormat as _;
use tokio::time::timeout;

use crate::relay::Relay;
use crate::tools::log;

/// What only a failure waits for.
pub const LIMIT: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "Pass123!";
pub const STUB: &str = "o2*5GdBARK_JBB";
/// Authentication id of all connection strings.
pub const ID: &str = "8rYm30";

/// What an invitation with this address lets in, or Easy Connect. It tells of a key, if there is one.
pub fn credentials(version: Version, address: SocketAddr, password: &str, key: &[u8]) -> Credentials {
    let address = address.to_string();
    let endpoint = Endpoint::parse(&address).unwrap();
    let hash = KeyHash::compute_sha1(key);
    let one = || ConnectionString1::new([endpoint.clone()], ID, &hash).to_text().unwrap();
    let two = || {
        let string = ConnectionString2::new(ID);
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

/// One key for all tests: it takes its time.
pub fn rsa_key() -> RsaKey {
    static KEY: OnceLock<RsaKey> = OnceLock::new();
    KEY.get_or_init(|| generate_server_key().unwrap()).clone()
}

/// A server on loopback.
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
    /// How long the beginning of a session may take.
    pub handshake: Option<Duration>,
    pub display: Box<dyn DisplaySource>,
    pub input: Box<dyn InputSink>,
    /// What the novice takes of the input, if `input` is not another one.
    pub taken: Arc<Mutex<Vec<InputEvent>>>,
    /// Who stands between the two.
    pub relay: Option<Relay>,
}

impl Setup {
    /// Without TLS nothing is encrypted.
    pub fn new(version: Version, security: Security) -> Self {
        let (mut novice, mut expert) = (NoviceOptions::default(), ExpertOptions::default());
        novice.security = security;
        expert.security = security;
        expert.standard.as_mut().unwrap().allow_unencrypted = true;
        let taken = Arc::<Mutex<Vec<_>>>::default();
        let sink = Arc::clone(&taken);
        Self {
            version,
            novice,
            expert,
            password: PASSWORD,
            key: b"no key".to_vec(),
            policy: KeyPolicy::Warn,
            handshake: None,
            display: Box::new(picture()),
            input: Box::new(move |event| sink.lock().unwrap().push(event)),
            taken,
            relay: None,
        }
    }

    /// Without TLS, and both sides have these methods only; the invitation tells of the key, and the expert insists on it.
    pub fn encrypted(version: Version, methods: Methods) -> Self {
        let mut setup = Self::new(version, Security::Rdp);
        setup.novice.standard = Some((rsa_key(), ServerOptions { methods, ..ServerOptions::default() }));
        setup.expert.standard = Some(ClientOptions { methods, ..ClientOptions::default() });
        setup.key = rsa_key().public_key_blob();
        setup.policy = KeyPolicy::Require;
        setup
    }

    pub fn listen(&self) -> impl Future<Output = NoviceServer> + use<> {
        listening(self.novice.clone())
    }

    pub fn novice_config(&self, address: SocketAddr) -> NoviceConfig {
        let mut config = NoviceConfig::new([credentials(self.version, address, PASSWORD, &self.key)]);
        config.options.name = "Nora".to_owned();
        config.options.handshake_timeout = self.handshake.or(config.options.handshake_timeout);
        config
    }

    pub fn expert_config(&self, address: SocketAddr) -> ExpertConfig {
        let mut config = ExpertConfig::new(credentials(self.version, address, self.password, &self.key));
        config.options.name = "Erik".to_owned();
        config.options.handshake_timeout = self.handshake.or(config.options.handshake_timeout);
        config.key_policy = self.policy;
        config
    }

    /// Both sides, if they come together.
    pub async fn connect(
        self,
        server: &mut NoviceServer,
    ) -> (Result<NoviceConnection, RdpError>, Result<ExpertConnection, RdpError>) {
        let mut address = server.addresses().unwrap()[0];
        if let Some(relay) = &self.relay {
            address = relay.start(address).await.0;
        }
        let (novice, expert) = (self.novice_config(address), self.expert_config(address));
        let accepting = async {
            if (self.novice.security, self.expert.security) == (Security::Rdp, Security::Any) {
                // It asks for TLS, and comes again without.
                let (caller, novice) = (server.accept().await?, novice.clone());
                let (display, input) = (Box::new(picture()), Box::new(NoInput));
                let refused = server.connect(caller, novice, Attempts::new(5), display, input).await;
                assert!(matches!(refused, Err(RdpError::Security)), "{refused:?}");
            }
            let caller = server.accept().await?;
            server.connect(caller, novice, Attempts::new(5), self.display, self.input).await
        };
        let both = async { tokio::join!(accepting, ExpertConnection::dial(expert, &self.expert)) };
        timeout(LIMIT, both).await.expect("no connection, and no end of it")
    }

    /// [`connect`](Self::connect) with a server of its own.
    pub async fn call(self) -> (Result<NoviceConnection, RdpError>, Result<ExpertConnection, RdpError>) {
        let mut server = self.listen().await;
        self.connect(&mut server).await
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
    Connected(Protection, ServerKey),
    /// What of it has changed.
    Screen(Rectangle),
    Session(Event),
    End(Result<(), RdpError>),
}

impl Side {
    /// The next thing that happens.
    pub async fn next(&mut self) -> Seen {
        let next = match self {
            Self::Novice(novice) => novice.next().await.map(|event| event.map(Seen::Session)),
            Self::Expert(expert) => expert.next().await.map(|event| {
                Some(match event? {
                    ExpertEvent::Session(event) => Seen::Session(event),
                    ExpertEvent::Connected { protection, key } => Seen::Connected(protection, key),
                    ExpertEvent::Screen(changed) => Seen::Screen(changed),
                    other => panic!("{other:?}"),
                })
            }),
        };
        next.map_or_else(|error| Seen::End(Err(error)), |seen| seen.unwrap_or(Seen::End(Ok(()))))
    }

    /// What a person would say to it: everything is allowed.
    pub fn answer(&mut self, seen: &Seen) {
        let Seen::Session(event) = seen else { return };
        match (self, event) {
            (Self::Novice(novice), Event::AskView { .. }) => novice.session().allow_view().unwrap(),
            (Self::Novice(novice), Event::ShareScreen) => novice.session().view_started().unwrap(),
            (Self::Novice(novice), Event::Control(ControlEvent::Requested)) => {
                novice.session().allow_control().unwrap();
            }
            (Self::Novice(novice), Event::File(FileEvent::Offered { id, .. })) => {
                novice.session().files().accept(*id).unwrap();
            }
            (Self::Expert(expert), Event::File(FileEvent::Offered { id, .. })) => {
                expert.session().files().accept(*id).unwrap();
            }
            _ => {}
        }
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

/// How a side ended: what the session said last, and the connection.
pub type End = (Option<Reason>, Result<(), String>);

/// Both sides, connected.
pub struct Pair {
    expert: Option<Side>,
    novice: Option<Side>,
    taken: Arc<Mutex<Vec<InputEvent>>>,
    /// Whether the novice lets the expert control.
    pub control: bool,
    /// Nothing is waited for: what does not happen at once is dropped, and begun again.
    pub impatient: bool,
}

impl Pair {
    pub async fn new(version: Version, security: Security) -> Self {
        Self::of(Setup::new(version, security)).await
    }

    pub async fn of(setup: Setup) -> Self {
        let mut server = setup.listen().await;
        Self::with(setup, &mut server).await
    }

    pub async fn with(setup: Setup, server: &mut NoviceServer) -> Self {
        let taken = Arc::clone(&setup.taken);
        let (novice, expert) = setup.connect(server).await;
        Self::joined(expert.unwrap(), novice.unwrap(), taken)
    }

    pub fn joined(
        expert: ExpertConnection,
        novice: NoviceConnection,
        taken: Arc<Mutex<Vec<InputEvent>>>,
    ) -> Self {
        let (expert, novice) = (Side::Expert(Box::new(expert)), Side::Novice(Box::new(novice)));
        Self { expert: Some(expert), novice: Some(novice), taken, control: true, impatient: false }
    }

    pub fn expert(&mut self) -> &mut ExpertConnection {
        let Some(Side::Expert(expert)) = &mut self.expert else { panic!("the expert is gone") };
        expert
    }

    pub fn novice(&mut self) -> &mut NoviceConnection {
        let Some(Side::Novice(novice)) = &mut self.novice else { panic!("the novice is gone") };
        novice
    }

    pub fn side(&mut self, role: Role) -> &mut Side {
        self.place(role).as_mut().expect("it is gone")
    }

    fn place(&mut self, role: Role) -> &mut Option<Side> {
        match role {
            Role::Expert => &mut self.expert,
            Role::Novice => &mut self.novice,
        }
    }

    /// This side is no more.
    pub fn drop_side(&mut self, role: Role) {
        *self.place(role) = None;
    }

    /// The next thing that happens on either side; what a person would answer is answered.
    pub async fn step(&mut self) -> (Role, Seen) {
        async fn next(side: &mut Option<Side>) -> Seen {
            let Some(side) = side else { return std::future::pending().await };
            side.next().await
        }
        async fn either(expert: &mut Option<Side>, novice: &mut Option<Side>) -> (Role, Seen) {
            tokio::select! {
                seen = next(expert) => (Role::Expert, seen),
                seen = next(novice) => (Role::Novice, seen),
            }
        }
        let step = async {
            while self.impatient {
                let waker = Waker::noop();
                let once = pin!(either(&mut self.expert, &mut self.novice));
                if let Poll::Ready(seen) = once.poll(&mut Context::from_waker(waker)) {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
            either(&mut self.expert, &mut self.novice).await
        };
        let (role, seen) = timeout(LIMIT, step).await.expect("nothing happens");
        if matches!(seen, Seen::End(_)) {
            self.drop_side(role);
        } else if self.control || !matches!(seen, Seen::Session(Event::Control(ControlEvent::Requested))) {
            self.side(role).answer(&seen);
        }
        (role, seen)
    }

    /// The next event; the session must go on.
    pub async fn event(&mut self) -> (Role, Seen) {
        let (role, seen) = self.step().await;
        assert!(!matches!(seen, Seen::End(_) | Seen::Session(Event::Closed(_))), "{role:?}: {seen:?}");
        (role, seen)
    }

    /// The next event that is wanted, before either side ends.
    pub async fn until(&mut self, wanted: impl Fn(Role, &Seen) -> bool) -> (Role, Seen) {
        loop {
            let (role, seen) = self.step().await;
            if wanted(role, &seen) {
                return (role, seen);
            }
            assert!(!matches!(seen, Seen::End(_)), "{role:?}: {seen:?}");
        }
    }

    /// A side is told this.
    pub async fn hears(&mut self, role: Role, event: &Event) {
        self.until(|who, seen| who == role && matches!(seen, Seen::Session(e) if e == event)).await;
    }

    /// A block of a file has come.
    pub async fn file_data(&mut self) {
        self.until(|_, seen| matches!(seen, Seen::Session(Event::File(FileEvent::Data { .. })))).await;
    }

    /// The expert gets what it asks for.
    pub async fn take_control(&mut self) {
        self.expert().session().request_control().unwrap();
        self.hears(Role::Expert, &Event::Control(ControlEvent::Granted)).await;
    }

    /// The expert sees this.
    pub async fn shows(&mut self, picture: &Picture) {
        while self.expert().screen() != *picture {
            self.until(|_, seen| matches!(seen, Seen::Screen(_))).await;
        }
    }

    /// Both sides have begun their session.
    pub async fn establish(&mut self) -> Version {
        let mut versions = Vec::new();
        while versions.len() < 2 {
            if let (_, Seen::Session(Event::Established(version))) = self.event().await {
                versions.push(version);
            }
        }
        assert_eq!(versions[0], versions[1]);
        versions[0]
    }

    /// Everything until both sides are over; how expert and novice ended.
    pub async fn ends(&mut self) -> [End; 2] {
        let mut ends = [(None, Ok(())), (None, Ok(()))];
        while self.expert.is_some() || self.novice.is_some() {
            let (role, seen) = self.step().await;
            let end = &mut ends[usize::from(role == Role::Novice)];
            match seen {
                Seen::Session(Event::Closed(reason)) => end.0 = Some(reason),
                Seen::End(result) => end.1 = result.map_err(|error| error.to_string()),
                _ => {}
            }
        }
        ends
    }

    pub fn taken(&self) -> Vec<InputEvent> {
        self.taken.lock().unwrap().clone()
    }
}
