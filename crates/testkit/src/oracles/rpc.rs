use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use dce_rpc::{
    AuthLevel, AuthType, Body, CallSpec, Client, ClientEvent, ContextKey, Flags, Fragment, Framer, Input,
    Options, Output, Pdu, Reassembly, Server, ServerEvent, Status, VerificationTrailer,
};
use remassist_core::{Decode as _, Encode as _, Time};

use super::Oracle;
use crate::laws;
use crate::rpc::{ONE, TWO, Toy, Two};

pub(super) const ALL: &[Oracle] = &[
    ("rpc_pdu", pdu),
    ("rpc_client", |input| World::run(input, false)),
    ("rpc_server", |input| World::run(input, true)),
];

const MAX_STUB: usize = 3000;

/// The laws of PDUs and trailers; a stream gives the same PDUs however it is cut; fragments never make more than allowed.
fn pdu(input: &[u8]) {
    laws::bytes::<Pdu<'_>>(input);
    laws::bytes::<VerificationTrailer<'_>>(input);
    trailer(input);
    let whole = frames(input, input.len().max(1));
    for cut in [1, 7] {
        assert_eq!(frames(input, cut), whole, "cut into {cut}");
    }
    let (mut reassembly, mut calls) = (Reassembly::new(MAX_STUB), 0);
    for bytes in &whole.0 {
        let Ok(pdu) = Pdu::decode(bytes) else { continue };
        let Body::Request(request) = &pdu.body else { continue };
        let fragment = Fragment {
            flags: pdu.flags,
            call_id: pdu.call_id,
            context_id: request.context_id,
            opnum: request.opnum,
            object: request.object,
            alloc_hint: request.alloc_hint,
            security: None,
            big_endian: false,
            stub: &request.stub,
        };
        match reassembly.push(&fragment) {
            Ok(Some(call)) => {
                assert!(pdu.flags.contains(Flags::LAST) && call.call_id == pdu.call_id);
                assert!(call.stub.len() <= MAX_STUB && call.stub.ends_with(&request.stub));
                trailer(&call.stub);
                calls += 1;
            }
            Ok(None) => assert_eq!(reassembly.call_id(), Some(pdu.call_id)),
            Err(_) => assert_eq!(reassembly.call_id(), None, "what does not fit is dropped"),
        }
    }
    assert!(calls <= whole.0.len());
}

fn trailer(stub: &[u8]) {
    if let Some((trailer, at)) = VerificationTrailer::find(stub) {
        assert!(at.is_multiple_of(4));
        assert_eq!(trailer.to_vec().expect("what was read can be written"), &stub[at..]);
    }
}

/// The PDUs of a stream, and whether it ends in an error.
fn frames(stream: &[u8], cut: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut framer, mut found) = (Framer::new(6000), Vec::new());
    for part in stream.chunks(cut) {
        framer.push(part);
        loop {
            match framer.pull() {
                Ok(Some((header, pdu))) => {
                    assert_eq!(pdu.len(), usize::from(header.frag_length));
                    found.push(pdu.to_vec());
                }
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
        assert!(framer.pending() < 6000);
    }
    (found, false)
}

/// Plain bodies of verified messages.
type Bodies = Rc<RefCell<Vec<Vec<u8>>>>;

/// A call that is under way at the client.
struct Asked {
    security: Option<u32>,
    /// Messages of its context that were verified before.
    verified: usize,
}

/// Client and server, the bytes between them, and what must be true of both.
struct World<'a> {
    script: &'a [u8],
    /// Whose input is also written by the script.
    attack_server: bool,
    now: Time,
    client: Client<Toy>,
    server: Server<Two>,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    client_closed: bool,
    server_closed: bool,
    binding: Option<u16>,
    bound: BTreeSet<u16>,
    asked: BTreeMap<u32, Asked>,
    answering: BTreeSet<u32>,
    /// The client's contexts: what was verified, and whether it has to be.
    secured: BTreeMap<u32, (Bodies, bool)>,
    /// Protected calls that the server gave out, of each context.
    given: BTreeMap<u32, usize>,
}

impl<'a> World<'a> {
    /// The first byte says what both sides can do; then come commands, of which each takes the bytes that it needs.
    fn run(input: &'a [u8], attack_server: bool) {
        let Some((choice, script)) = input.split_first() else { return };
        let mut options = Options::default();
        options.max_stub = MAX_STUB;
        options.max_calls = 3;
        options.max_contexts = 4;
        options.max_security = 3;
        options.max_fragment = if choice & 1 == 0 { 1432 } else { 5840 };
        options.timeout = (choice & 2 != 0).then_some(Duration::from_secs(1));
        let mut host = Two::new(choice & 4 == 0);
        host.minimum = if choice & 8 == 0 { AuthLevel::INTEGRITY } else { AuthLevel::NONE };
        let mut world = Self {
            script,
            attack_server,
            now: Time(0),
            client: Client::new(options, 0),
            server: Server::new(host, options, 7, "135"),
            to_client: Vec::new(),
            to_server: Vec::new(),
            client_closed: false,
            server_closed: false,
            binding: None,
            bound: BTreeSet::new(),
            asked: BTreeMap::new(),
            answering: BTreeSet::new(),
            secured: BTreeMap::new(),
            given: BTreeMap::new(),
        };
        for _ in 0..300 {
            let Some(command) = world.byte() else { break };
            world.command(command);
            world.watch();
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.script.split_first()?;
        self.script = rest;
        Some(*first)
    }

    fn any(&mut self) -> u8 {
        self.byte().unwrap_or_default()
    }

    fn bytes(&mut self, len: u8) -> &'a [u8] {
        let (taken, rest) = self.script.split_at(usize::from(len).min(self.script.len()));
        self.script = rest;
        taken
    }

    fn command(&mut self, command: u8) {
        match command % 12 {
            0 => {
                let len = self.any();
                let bytes = self.bytes(len);
                self.attack(bytes);
            }
            1 => {
                // A PDU whose lengths are right.
                let head @ [_, _, token, _] = [self.any(), self.any(), self.any() % 32, self.any()];
                let len = self.any();
                let body = self.bytes(len);
                let [kind, flags, _, call] = head;
                let total = u16::try_from(16 + body.len()).unwrap_or(u16::MAX).to_le_bytes();
                let call = u32::from(call % 8).to_le_bytes();
                let frame =
                    [&[5, 0, kind % 20, flags, 0x10, 0, 0, 0], &total[..], &[token, 0], &call, body].concat();
                self.attack(&frame);
            }
            2 => self.bind(),
            3 => self.call(),
            4 => self.carry(true),
            5 => self.carry(false),
            6 => {
                let len = usize::from(self.any()) * 30;
                if let Some(call) = self.answering.pop_first()
                    && !self.server_closed
                {
                    self.server.respond(call, &vec![call as u8; len]).expect("the call waits for its answer");
                }
            }
            7 => {
                if let Some(call) = self.answering.pop_last()
                    && !self.server_closed
                {
                    self.server
                        .fault(call, Status::FAULT_UNSPEC, true)
                        .expect("the call waits for its answer");
                }
            }
            8 => {
                let call = u32::from(self.any());
                let known = self.asked.contains_key(&call) && !self.client_closed;
                if call & 0x80 == 0 {
                    assert_eq!(self.client.cancel(call).is_ok(), known);
                } else {
                    assert_eq!(self.client.orphan(call & 0x7F).is_ok(), {
                        !self.client_closed && self.asked.remove(&(call & 0x7F)).is_some()
                    });
                }
            }
            9 => {
                self.now = Time(self.now.0 + u64::from(self.any()) * 8);
                self.client.handle(self.now, Input::Tick);
                self.server.handle(self.now, Input::Tick);
            }
            10 => self.server.shutdown(),
            _ => match self.any() % 32 {
                0 => self.client.close(),
                1 => self.server.close(),
                2 => self.client.handle(self.now, Input::ConnectionLost),
                3 => self.server.handle(self.now, Input::ConnectionLost),
                _ => {}
            },
        }
    }

    fn attack(&mut self, bytes: &[u8]) {
        if self.attack_server {
            self.server.handle(self.now, Input::Data(bytes));
        } else {
            self.client.handle(self.now, Input::Data(bytes));
        }
    }

    fn bind(&mut self) {
        let choice = self.any();
        let interface = if choice & 1 == 0 { ONE } else { TWO };
        let auth_type = if choice & 2 == 0 { AuthType::WINNT } else { AuthType::GSS_NEGOTIATE };
        let auth_level = AuthLevel(1 + (choice >> 2) % 6);
        let context_id = u32::from(choice >> 5) % 4;
        let toy = Toy::client(if choice & 0x80 == 0 { b"secret" } else { b"wrong!" }, choice & 0x10 == 0);
        let verified = Rc::clone(&toy.verified);
        let security = (auth_level != AuthLevel::NONE)
            .then_some((ContextKey { auth_type, auth_level, context_id }, toy));
        let protected = auth_level.0 > AuthLevel::CONNECT.0;
        if let Ok(id) = self.client.bind(self.now, interface, security) {
            assert!(self.binding.replace(id).is_none() && !self.client_closed);
            if auth_level != AuthLevel::NONE {
                self.secured.insert(context_id, (verified, protected));
            }
        }
    }

    fn call(&mut self) {
        let choice = self.any();
        let security = (choice & 8 == 0).then_some(u32::from(choice >> 4) % 4);
        let stub = vec![choice; usize::from(self.any()) * 20];
        let context_id = u16::from(choice % 8);
        let spec = CallSpec { context_id, security, opnum: 1, object: None, stub: &stub };
        if let Ok(call) = self.client.call(self.now, &spec) {
            assert!(self.bound.contains(&context_id) && !self.client_closed);
            let verified = security.map_or(0, |id| self.secured[&id].0.borrow().len());
            assert!(self.asked.insert(call, Asked { security, verified }).is_none());
            assert!(self.asked.len() <= 3);
        }
    }

    /// Bytes on their way, as many as the script says, one of them changed when it says so.
    fn carry(&mut self, to_server: bool) {
        let (len, at, mask) = (usize::from(self.any()) * 16, self.any(), self.any());
        let pipe = if to_server { &mut self.to_server } else { &mut self.to_client };
        let len = if len == 0 { pipe.len() } else { len.min(pipe.len()) };
        let mut bytes: Vec<u8> = pipe.drain(..len).collect();
        if at & 0x80 != 0
            && let Some(byte) = bytes.get_mut(usize::from(at & 0x7F))
        {
            *byte ^= mask;
        }
        if to_server {
            self.server.handle(self.now, Input::Data(&bytes));
        } else {
            self.client.handle(self.now, Input::Data(&bytes));
        }
    }

    fn watch(&mut self) {
        loop {
            let output = self.client.poll();
            assert!(!self.client_closed || matches!(output, Output::Wait(None)), "{output:?} after the end");
            match output {
                Output::Send(bytes) => self.to_server.extend(bytes),
                Output::Event(event) => self.client_event(event),
                Output::Close(_) => self.client_closed = true,
                Output::Wait(None) => break,
                Output::Wait(Some(at)) => {
                    assert!(at > self.now && (self.binding.is_some() || !self.asked.is_empty()));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        loop {
            let output = self.server.poll();
            assert!(!self.server_closed || output == Output::Wait(None), "{output:?} after the end");
            match output {
                Output::Send(bytes) => self.to_client.extend(bytes),
                Output::Event(event) => self.server_event(event),
                Output::Close(_) => self.server_closed = true,
                Output::Wait(None) => break,
                other => panic!("{other:?}"),
            }
        }
    }

    fn client_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Bound { context_id } => {
                assert_eq!(self.binding.take(), Some(context_id));
                assert!(self.bound.insert(context_id) && self.bound.len() <= 4);
            }
            ClientEvent::Refused { context_id, .. } => assert_eq!(self.binding.take(), Some(context_id)),
            ClientEvent::Response { call_id, stub, .. } => {
                let asked = self.asked.remove(&call_id).expect("an answer to a call");
                assert!(stub.len() <= MAX_STUB);
                if let Some((verified, true)) = asked.security.map(|id| &self.secured[&id]) {
                    assert_signed(&verified.borrow()[asked.verified..], &stub);
                }
            }
            ClientEvent::Fault { call_id, status, .. } => {
                assert!(self.asked.remove(&call_id).is_some() && !status.is_forbidden());
            }
            ClientEvent::Shutdown => {}
            other => panic!("{other:?}"),
        }
    }

    fn server_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Call(call) => {
                assert!(self.answering.insert(call.call_id) && self.answering.len() <= 3);
                assert!(call.stub.len() <= MAX_STUB);
                let level = call.security.map_or(AuthLevel::NONE, |key| key.auth_level);
                assert!(call.interface == ONE || level >= self.server.host().minimum);
                if let Some(key) = call.security {
                    let provider = self.server.security(&key).expect("the context of a call is built");
                    if key.auth_level.is_protected() {
                        let given = self.given.entry(key.context_id).or_default();
                        let bodies = provider.verified.borrow();
                        assert_signed(&bodies[*given..], &call.stub);
                        *given += 1;
                    }
                }
            }
            ServerEvent::Cancelled(call) => assert!(self.answering.contains(&call)),
            ServerEvent::Orphaned(call) => assert!(self.answering.remove(&call)),
            other => panic!("{other:?}"),
        }
    }
}

/// All of the data stands in messages that were verified.
fn assert_signed(verified: &[Vec<u8>], stub: &[u8]) {
    assert!(!verified.is_empty(), "data without signature");
    let total: usize = verified.iter().map(Vec::len).sum();
    assert!(total >= stub.len());
    let begins = |body: &Vec<u8>| {
        let len = body.len().min(stub.len());
        // What follows the first fragment's stub data is padding, at most 255 bytes.
        let same = body.iter().zip(stub).take_while(|(a, b)| a == b).count();
        same + 255 >= len
    };
    assert!(verified.iter().any(begins), "data of nobody");
}
