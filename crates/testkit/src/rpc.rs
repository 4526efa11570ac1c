//! Connection-oriented RPC for tests: a toy security provider, a host with two interfaces, a client and a server that talk to
//! each other, and PDUs as a peer would send them.

use std::cell::RefCell;
use std::rc::Rc;

use dce_rpc::{
    AuthLevel, AuthType, Body, Call, CallSpec, Client, ClientEvent, ContextKey, Flags, Framer, Host, Input,
    Message, Options, Output, Pdu, PresentationContext, Reason, Request, Security, SecurityFailure, Server,
    ServerEvent, Status, Step, SyntaxId, Verifier,
};
use remassist_core::{Decode as _, Encode as _, Time};
use uuid::{Uuid, uuid};

pub const ONE: SyntaxId = SyntaxId::new(uuid!("000001a0-0000-0000-c000-000000000046"), 0, 0);
pub const TWO: SyntaxId = SyntaxId::new(uuid!("99fcfec4-5260-101b-bbcb-00aa0021347a"), 0, 0);
pub const NOW: Time = Time(1000);

/// Three tokens, the last with a password; a checksum as signature, an exclusive or as cipher.
pub struct Toy {
    pub client: bool,
    pub password: &'static [u8],
    pub steps: u32,
    pub header_signing: bool,
    /// Covers header and trailer also when header signing was not agreed, as NTLM does.
    pub whole: bool,
    /// Signs as many messages as this, then fails.
    pub signs: u32,
    /// Plain bodies of the messages that were verified.
    pub verified: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Header, body and trailer of the messages that were signed, as they are sent.
    pub signed: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Toy {
    pub fn client(password: &'static [u8], header_signing: bool) -> Self {
        let (verified, signed) = Default::default();
        let (steps, whole, signs) = (0, false, u32::MAX);
        Self { client: true, password, steps, header_signing, whole, signs, verified, signed }
    }

    pub fn server(password: &'static [u8], header_signing: bool) -> Self {
        Self { client: false, ..Self::client(password, header_signing) }
    }

    /// The signature of a client or server for its message of that number, over all that it covers.
    pub fn signature(from_client: bool, sequence: u32, covered: &[&[u8]]) -> Vec<u8> {
        let mut sum = 0xCBF2_9CE4_8422_2325_u64 ^ u64::from(sequence) << 1 ^ u64::from(from_client);
        for byte in covered.iter().copied().flatten() {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        }
        [sum.to_le_bytes(), sequence.to_le_bytes().repeat(2).try_into().unwrap()].concat()
    }

    fn checksum(&self, message: &Message<'_>, from_client: bool) -> Vec<u8> {
        let all = message.header_signing || self.whole;
        let (header, trailer): (&[u8], &[u8]) =
            if all { (message.header, message.trailer) } else { (&[], &[]) };
        Self::signature(from_client, message.sequence, &[header, message.body, trailer])
    }

    fn cipher(message: &mut Message<'_>) {
        if message.level == AuthLevel::PRIVACY {
            message.body.iter_mut().for_each(|byte| *byte ^= 0x5A);
        }
    }
}

impl Security for Toy {
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure> {
        self.steps += 1;
        let step = |token: &[u8], done| Ok(Step { token: token.to_vec(), done });
        match (self.client, self.steps, token) {
            (true, 1, b"") => step(b"hello", false),
            (false, 1, b"hello") => step(b"challenge", false),
            (true, 2, b"challenge") => step(self.password, true),
            (false, 2, given) if given == self.password => step(b"", true),
            _ => Err(SecurityFailure(Status::ACCESS_DENIED)),
        }
    }

    fn signature_len(&self) -> usize {
        16
    }

    fn protect(&mut self, message: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure> {
        self.signs = self.signs.checked_sub(1).ok_or(SecurityFailure(Status::SEC_PKG_ERROR))?;
        let signature = self.checksum(message, self.client);
        Self::cipher(message);
        self.signed.borrow_mut().push([message.header, message.body, message.trailer].concat());
        Ok(signature)
    }

    fn verify(&mut self, message: &mut Message<'_>, signature: &[u8]) -> Result<(), SecurityFailure> {
        Self::cipher(message);
        if self.checksum(message, !self.client) != signature {
            return Err(SecurityFailure(Status::SEC_PKG_ERROR));
        }
        self.verified.borrow_mut().push(message.body.to_vec());
        Ok(())
    }

    fn supports_header_signing(&self) -> bool {
        self.header_signing
    }
}

/// Has [`ONE`] and [`TWO`], NTLM and SPNEGO.
pub struct Two {
    pub header_signing: bool,
    /// Below this level [`TWO`] may not be called.
    pub minimum: AuthLevel,
}

impl Two {
    pub fn new(header_signing: bool) -> Self {
        Self { header_signing, minimum: AuthLevel::NONE }
    }
}

impl Host for Two {
    type Security = Toy;

    fn supports(&mut self, interface: &SyntaxId) -> bool {
        [ONE, TWO].contains(interface)
    }

    fn accept(&mut self, auth_type: AuthType, _: AuthLevel) -> Option<Toy> {
        let known = auth_type == AuthType::WINNT || auth_type == AuthType::GSS_NEGOTIATE;
        known.then(|| Toy::server(b"secret", self.header_signing))
    }

    fn minimum_level(&mut self, interface: &SyntaxId, _: u16) -> AuthLevel {
        if *interface == TWO { self.minimum } else { AuthLevel::NONE }
    }
}

pub struct Pair {
    pub client: Client<Toy>,
    pub server: Server<Two>,
    /// Changes one byte of what the side sends next: to the server or not, offset, mask.
    pub tamper: Option<(bool, usize, u8)>,
    pub chunk: usize,
    pub client_closed: Option<Reason>,
    pub server_closed: Option<Reason>,
    pub wire: Vec<u8>,
}

impl Pair {
    pub fn new(header_signing: bool) -> Self {
        Self {
            client: Client::new(Options::default(), 0),
            server: Server::new(Two::new(header_signing), Options::default(), 0x77, "135"),
            tamper: None,
            chunk: usize::MAX,
            client_closed: None,
            server_closed: None,
            wire: Vec::new(),
        }
    }

    /// Runs until nobody has anything to say.
    pub fn run(&mut self) -> (Vec<ClientEvent>, Vec<ServerEvent>) {
        let (mut client, mut server) = (Vec::new(), Vec::new());
        loop {
            let mut idle = true;
            loop {
                match self.client.poll() {
                    Output::Send(bytes) => {
                        let bytes = self.carry(true, bytes);
                        for part in bytes.chunks(self.chunk) {
                            self.server.handle(NOW, Input::Data(part));
                        }
                    }
                    Output::Event(event) => client.push(event),
                    Output::Close(reason) => self.client_closed = Some(reason),
                    _ => break,
                }
                idle = false;
            }
            loop {
                match self.server.poll() {
                    Output::Send(bytes) => {
                        let bytes = self.carry(false, bytes);
                        for part in bytes.chunks(self.chunk) {
                            self.client.handle(NOW, Input::Data(part));
                        }
                    }
                    Output::Event(event) => server.push(event),
                    Output::Close(reason) => self.server_closed = Some(reason),
                    _ => break,
                }
                idle = false;
            }
            if idle {
                return (client, server);
            }
        }
    }

    pub fn carry(&mut self, to_server: bool, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some((_, at, mask)) = self.tamper.take_if(|(side, ..)| *side == to_server) {
            let at = at % bytes.len();
            bytes[at] ^= mask;
        }
        self.wire.extend_from_slice(&bytes);
        bytes
    }

    pub fn bind(
        &mut self,
        interface: SyntaxId,
        security: Option<(ContextKey, &'static [u8])>,
    ) -> Vec<ClientEvent> {
        let toy = |(key, password)| (key, Toy::client(password, true));
        self.client.bind(NOW, interface, security.map(toy)).unwrap();
        self.run().0
    }

    pub fn call(&mut self, context_id: u16, security: Option<u32>, stub: &[u8]) -> (u32, Vec<ServerEvent>) {
        let spec = CallSpec { context_id, security, opnum: 3, object: Some(Uuid::max()), stub };
        let call_id = self.client.call(NOW, &spec).unwrap();
        (call_id, self.run().1)
    }
}

pub fn key(auth_type: AuthType, auth_level: AuthLevel, context_id: u32) -> ContextKey {
    ContextKey { auth_type, auth_level, context_id }
}

pub fn only(events: Vec<ServerEvent>) -> Call {
    match <[ServerEvent; 1]>::try_from(events).unwrap() {
        [ServerEvent::Call(call)] => call,
        other => panic!("{other:?}"),
    }
}

/// What a server answers to PDUs, and how it ends.
pub fn answers(pdus: &[Pdu<'_>]) -> (Vec<Pdu<'static>>, Vec<ServerEvent>, Option<Reason>) {
    let mut server = Server::new(Two::new(true), Options::default(), 0x77, "135");
    for pdu in pdus {
        server.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    }
    drain(&mut server)
}

/// What a server has to say: PDUs, events, and how it ended.
pub fn drain<H: Host>(server: &mut Server<H>) -> (Vec<Pdu<'static>>, Vec<ServerEvent>, Option<Reason>) {
    let (mut framer, mut sent, mut events, mut closed) = (Framer::default(), Vec::new(), Vec::new(), None);
    loop {
        match server.poll() {
            Output::Send(bytes) => framer.push(&bytes),
            Output::Event(event) => events.push(event),
            Output::Close(reason) => closed = Some(reason),
            _ => return (sent, events, closed),
        }
        while let Some((_, pdu)) = framer.pull().unwrap() {
            sent.push(Pdu::decode_strict(pdu).unwrap().into_owned());
        }
    }
}

pub fn bind(contexts: Vec<PresentationContext>) -> dce_rpc::Bind {
    dce_rpc::Bind { max_xmit_frag: 4280, max_recv_frag: 4280, assoc_group_id: 0, reserved: [0; 3], contexts }
}

pub fn bound() -> Pdu<'static> {
    Pdu::new(Flags::WHOLE, 1, Body::Bind(bind(vec![PresentationContext::new(0, ONE, SyntaxId::NDR)])))
}

pub fn request(flags: Flags, call_id: u32, context_id: u16) -> Pdu<'static> {
    let stub = b"stub".to_vec().into();
    Pdu::new(
        flags,
        call_id,
        Body::Request(Request { alloc_hint: 0, context_id, opnum: 1, object: None, stub }),
    )
}

pub fn fault_of(pdu: &Pdu<'_>) -> Status {
    let Body::Fault(fault) = &pdu.body else { panic!("{pdu:?}") };
    fault.status
}

pub fn signature(context_id: u32, auth_level: AuthLevel) -> Option<Verifier<'static>> {
    Some(Verifier {
        padding: vec![0; 10].into(),
        auth_type: AuthType::WINNT,
        auth_level,
        reserved: 0,
        context_id,
        token: vec![0; 16].into(),
    })
}

pub fn token(context_id: u32, token: &[u8]) -> Option<Verifier<'static>> {
    let token = token.to_vec().into();
    Some(Verifier { padding: vec![].into(), token, ..signature(context_id, AuthLevel::INTEGRITY).unwrap() })
}

pub fn secured(mut pdu: Pdu<'static>, verifier: Option<Verifier<'static>>) -> Pdu<'static> {
    pdu.verifier = verifier;
    pdu
}

pub fn auth3(verifier: Option<Verifier<'static>>) -> Pdu<'static> {
    secured(Pdu::new(Flags::WHOLE, 1, Body::Auth3 { pad: vec![0; 4].into() }), verifier)
}
