//! Who stands between an expert and a novice: counts what passes, changes it, holds it back, or breaks the connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ra_session::Role;
use rdp_standard_security::Frames;
use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a connection ends that nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Both ends are reset.
    Reset,
    /// Both ends see the end of the stream.
    Finish,
    /// Nothing comes any more, and nobody says so.
    Silence,
}

/// When it does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub kill: Kill,
    /// Whose bytes are counted.
    pub from: Role,
    /// How many of them get through.
    pub after: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What this side sends is not read.
    Held(Role),
    Killed(Kill),
    /// Even what is silent ends now.
    Released,
}

/// Is shown every frame before it goes on, and may change it.
type Look = Box<dyn FnMut(Role, &mut Vec<u8>) + Send>;

/// A relay for one connection at a time.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    state: watch::Sender<State>,
    plan: Option<Plan>,
    look: Option<Mutex<Look>>,
    /// Bytes that have come from expert and novice.
    passed: [AtomicU64; 2],
}

impl Relay {
    fn with(plan: Option<Plan>, look: Option<Look>) -> Self {
        let (state, _) = watch::channel(State::Open);
        Self(Arc::new(Inner { state, plan, look: look.map(Mutex::new), passed: Default::default() }))
    }

    /// Passes everything on.
    pub fn new() -> Self {
        Self::with(None, None)
    }

    /// Sees whole frames, as long as there is no TLS around them.
    pub fn looking(look: impl FnMut(Role, &mut Vec<u8>) + Send + 'static) -> Self {
        Self::with(None, Some(Box::new(look)))
    }

    /// Kills the connection.
    pub fn killing(plan: Plan) -> Self {
        Self::with(Some(plan), None)
    }

    /// Waits for an expert on its way to this novice. Where it has to connect instead.
    pub async fn start(&self, to: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = self.clone();
        let task = tokio::spawn(async move {
            loop {
                let (mut expert, _) = listener.accept().await.unwrap();
                let mut novice = TcpStream::connect(to).await.unwrap();
                match this.carry(&mut expert, &mut novice).await {
                    Some(kill) => return this.end(kill, expert, novice).await,
                    // An expert may come again without TLS, but not after it was to be killed.
                    None if this.0.plan.is_some() => return,
                    None => {}
                }
            }
        });
        (address, task)
    }

    /// Kills the connection now, whatever the plan says.
    pub fn kill(&self, kill: Kill) {
        self.0.state.send_replace(State::Killed(kill));
    }

    /// Until the connection is killed.
    pub async fn killed(&self) {
        self.until(|state| matches!(state, State::Killed(_))).await;
    }

    /// Reads nothing of this side any more; `None`: goes on.
    pub fn hold(&self, side: Option<Role>) {
        self.0.state.send_replace(side.map_or(State::Open, State::Held));
    }

    /// Lets a silent connection go.
    pub fn release(&self) {
        self.0.state.send_replace(State::Released);
    }

    async fn until(&self, wanted: impl FnMut(&State) -> bool) -> State {
        // The sender is this.
        *self.0.state.subscribe().wait_for(wanted).await.unwrap()
    }

    /// Carries bytes both ways until both sides are gone, or the connection is killed.
    async fn carry(&self, expert: &mut TcpStream, novice: &mut TcpStream) -> Option<Kill> {
        let (mut of_expert, mut to_expert) = expert.split();
        let (mut of_novice, mut to_novice) = novice.split();
        let both = async {
            tokio::join!(
                self.pass(Role::Expert, &mut of_expert, &mut to_novice),
                self.pass(Role::Novice, &mut of_novice, &mut to_expert)
            )
        };
        tokio::select! {
            _ = both => None,
            state = self.until(|state| matches!(state, State::Killed(_))) => match state {
                State::Killed(kill) => Some(kill),
                _ => None,
            },
        }
    }

    async fn pass(&self, from: Role, input: &mut ReadHalf<'_>, output: &mut WriteHalf<'_>) {
        let (mut frames, mut piece) = (Frames::new(), vec![0; 16 << 10]);
        let passed = &self.0.passed[usize::from(from == Role::Novice)];
        loop {
            self.until(|state| *state != State::Held(from)).await;
            let Ok(read @ 1..) = input.read(&mut piece).await else { break };
            let plan = self.0.plan.filter(|plan| plan.from == from);
            let left = plan.map_or(u64::MAX, |plan| plan.after - passed.load(Ordering::Relaxed));
            let data = &piece[..read.min(usize::try_from(left).unwrap())];
            passed.fetch_add(data.len() as u64, Ordering::Relaxed);
            let written = match &self.0.look {
                None => output.write_all(data).await,
                Some(look) => {
                    let mut changed = Vec::new();
                    frames.push(data);
                    while let Some(frame) = frames.next().unwrap() {
                        let mut frame = frame.to_vec();
                        look.lock().unwrap()(from, &mut frame);
                        changed.extend(frame);
                    }
                    output.write_all(&changed).await
                }
            };
            if let Some(plan) = plan.filter(|_| data.len() as u64 == left) {
                return self.kill(plan.kill);
            }
            if written.is_err() {
                break;
            }
        }
        let _gone = output.shutdown().await;
    }

    async fn end(&self, kill: Kill, mut expert: TcpStream, mut novice: TcpStream) {
        match kill {
            Kill::Reset => {
                expert.set_zero_linger().unwrap();
                novice.set_zero_linger().unwrap();
            }
            Kill::Finish => {
                let _gone = (expert.shutdown().await, novice.shutdown().await);
                // What still comes is taken, so that it is not answered with a reset.
                let mut nothing = (io::sink(), io::sink());
                let _gone = tokio::join!(
                    io::copy(&mut expert, &mut nothing.0),
                    io::copy(&mut novice, &mut nothing.1)
                );
            }
            Kill::Silence => {
                self.until(|state| *state == State::Released).await;
            }
        }
    }
}
