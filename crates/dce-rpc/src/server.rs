//! The server's side of a connection ([MS-RPCE] 3.3.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use remassist_core::{Decode as _, Encode as _, Time};
use uuid::Uuid;

use crate::bind::{Bind, BindAck, BindNak, PresentationContext, PresentationResult};
use crate::call::{Fault, Request, Response};
use crate::fragment::MUST_RECV_FRAG_SIZE;
use crate::frame::Framer;
use crate::io::{Input, Misuse, Options, Output, Queue, Reason};
use crate::names::{
    AuthLevel, AuthType, ContextReason, ContextResult, Flags, PacketType, RejectReason, Status,
};
use crate::pdu::{Body, CommonHeader, Pdu};
use crate::reassembly::{ContextKey, Fragment, Reassembly, ReassemblyError, Whole};
use crate::security::{Context, Security, Sending, Stage};
use crate::syntax::{Features, SyntaxId};
use crate::trailer::{CommandBody, VerificationTrailer};
use crate::verifier::Verifier;

/// What the embedder of a server brings.
pub trait Host {
    /// Its security contexts.
    type Security: Security;

    /// Whether the server has the interface in this version.
    fn supports(&mut self, interface: &SyntaxId) -> bool;

    /// A new security context; `None` when the provider is not there.
    fn accept(&mut self, auth_type: AuthType, auth_level: AuthLevel) -> Option<Self::Security>;

    /// The lowest level at which an operation may be called, [`AuthLevel::NONE`] without security context. Calls below it
    /// are answered with [`Status::ACCESS_DENIED`] at their first fragment and not given out. All may, by default.
    fn minimum_level(&mut self, _interface: &SyntaxId, _opnum: u16) -> AuthLevel {
        AuthLevel::NONE
    }

    /// A call was refused because of its level.
    fn refused(&mut self, _interface: &SyntaxId, _opnum: u16, _level: AuthLevel) {}
}

/// What happens at a server.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// A whole call. Answer with [`Server::respond`] or [`Server::fault`].
    Call(Call),
    /// The client wants a call to end early; it must be answered all the same.
    Cancelled(u32),
    /// The client does not wait for a call any more; it must not be answered.
    Orphaned(u32),
}

/// A whole call, with verified signatures and plain stub data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// How to answer it.
    pub call_id: u32,
    /// The interface.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The object.
    pub object: Option<Uuid>,
    /// The security context, whose identity counts; **`None` means that nobody proved anything**. At connect level nothing
    /// of this call is protected.
    pub security: Option<ContextKey>,
    /// Whether the numbers in the stub data are big-endian.
    pub big_endian: bool,
    /// Parameters, without verification trailer.
    pub stub: Vec<u8>,
}

/// A call that waits for its answer.
struct Active {
    context_id: u16,
    security: Option<u32>,
    cancels: u8,
}

/// One connection of a server.
pub struct Server<H: Host> {
    host: H,
    options: Options,
    group: u32,
    address: Vec<u8>,
    framer: Framer,
    reassembly: Reassembly,
    queue: Queue<ServerEvent>,
    bound: bool,
    multiplex: bool,
    header_signing: Option<bool>,
    /// Whether the client's PDU that negotiated it had the flag.
    signing_offered: bool,
    max_send: u16,
    last_call: u32,
    /// The call refused last: of its later fragments nothing is told again.
    refused: Option<u32>,
    contexts: BTreeMap<u16, (SyntaxId, SyntaxId)>,
    security: BTreeMap<u32, Context<H::Security>>,
    calls: BTreeMap<u32, Active>,
}

impl<H: Host> Server<H> {
    /// A connection that was accepted. `assoc_group_id` is told to clients that ask for a new association; `port` as text
    /// without its NUL becomes the secondary address.
    #[must_use]
    pub fn new(host: H, options: Options, assoc_group_id: u32, port: &str) -> Self {
        let mut address = Vec::from(port);
        address.push(0);
        Self {
            host,
            options,
            group: assoc_group_id,
            address,
            framer: Framer::new(u16::MAX),
            reassembly: Reassembly::new(options.max_stub),
            queue: Queue::new(),
            bound: false,
            multiplex: false,
            header_signing: None,
            signing_offered: false,
            max_send: MUST_RECV_FRAG_SIZE,
            last_call: 0,
            refused: None,
            contexts: BTreeMap::new(),
            security: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    /// What the embedder brought.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// The security context of a call, to ask it who calls.
    #[must_use]
    pub fn security(&self, key: &ContextKey) -> Option<&H::Security> {
        let context = self.security.get(&key.context_id)?;
        (context.stage == Stage::Ready && context.key == *key).then_some(&context.provider)
    }

    /// Takes an input.
    pub fn handle(&mut self, _now: Time, input: Input<'_>) {
        match input {
            Input::Data(bytes) if !self.queue.closed => self.framer.push(bytes),
            Input::ConnectionLost => self.queue.close(Reason::ConnectionLost),
            Input::Data(_) | Input::Tick => {}
        }
        // Taken out, so that PDUs are read where they are.
        let mut framer = mem::take(&mut self.framer);
        while !self.queue.closed {
            match framer.pull() {
                Ok(Some((header, pdu))) => self.pdu(&header, pdu),
                Ok(None) => break,
                Err(error) => {
                    // [MS-RPCE] 2.2.2.5: told only to a client that has not bound yet.
                    if !self.bound {
                        self.nak(0, RejectReason::PROTOCOL_VERSION_NOT_SPECIFIED);
                    }
                    self.queue.close(Reason::Undecodable(error));
                }
            }
        }
        if !self.queue.closed {
            self.framer = framer;
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Output<ServerEvent> {
        self.queue.poll().unwrap_or(Output::Wait(None))
    }

    /// Answers a call with results.
    ///
    /// # Errors
    /// When there is no such call, or the answer cannot be written: it is still to be answered then. When the provider
    /// fails, the connection is closed.
    pub fn respond(&mut self, call_id: u32, stub: &[u8]) -> Result<(), Misuse> {
        let call = self.active(call_id)?;
        let (context_id, cancel_count, security) = (call.context_id, call.cancels, call.security);
        let context =
            security.map(|id| self.security.get_mut(&id).ok_or(Misuse::UnknownSecurity)).transpose()?;
        let sending = Sending {
            call_id,
            flags: Flags::default(),
            object: false,
            max_fragment: self.max_send,
            header_signing: self.header_signing == Some(true),
            keep: 0,
        };
        let context = context.filter(|c| c.key.auth_level.is_protected());
        let written = sending.write(stub, context, |alloc_hint, stub| {
            Body::Response(Response { alloc_hint, context_id, cancel_count, reserved: 0, stub })
        });
        let bytes = written.map_err(|error| self.queue.unsent(error))?;
        self.calls.remove(&call_id);
        self.queue.push(Output::Send(bytes));
        Ok(())
    }

    /// Answers a call with a fault. `executed` is false when the call certainly did nothing.
    ///
    /// # Errors
    /// When there is no such call, or no server may send the status.
    pub fn fault(&mut self, call_id: u32, status: Status, executed: bool) -> Result<(), Misuse> {
        let context_id = self.active(call_id)?.context_id;
        if status.is_forbidden() {
            return Err(Misuse::ForbiddenStatus);
        }
        self.calls.remove(&call_id);
        self.send_fault(call_id, context_id, status, executed);
        Ok(())
    }

    /// Asks the client to end the connection ([MS-RPCE] 3.3.3.4.2).
    pub fn shutdown(&mut self) {
        self.send(&Pdu::new(Flags::WHOLE, 0, Body::Shutdown));
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.queue.close(Reason::Local);
    }

    fn active(&self, call_id: u32) -> Result<&Active, Misuse> {
        if self.queue.closed {
            return Err(Misuse::Closed);
        }
        self.calls.get(&call_id).ok_or(Misuse::UnknownCall)
    }

    fn send(&mut self, pdu: &Pdu<'_>) {
        match pdu.to_vec() {
            Ok(bytes) => self.queue.push(Output::Send(bytes)),
            Err(_) => self.queue.close(Reason::Unwritable),
        }
    }

    fn send_fault(&mut self, call_id: u32, context_id: u16, status: Status, executed: bool) {
        // What a provider or host says may be a status that no server may send.
        let status = if status.is_forbidden() { Status::FAULT_UNSPEC } else { status };
        let flags = if executed { Flags::WHOLE } else { Flags::WHOLE.with(Flags::DID_NOT_EXECUTE) };
        self.send(&Pdu::new(flags, call_id, Body::Fault(Fault::new(context_id, status))));
    }

    fn nak(&mut self, call_id: u32, reason: RejectReason) {
        self.send(&Pdu::new(Flags::WHOLE, call_id, Body::BindNak(BindNak::new(reason))));
    }

    /// The client has broken the protocol ([MS-RPCE] 3.3.3.5.7).
    fn violation(&mut self, call_id: u32, reason: Reason) {
        self.send_fault(call_id, 0, Status::PROTO_ERROR, false);
        self.queue.close(reason);
    }

    fn pdu(&mut self, header: &CommonHeader, bytes: &mut [u8]) {
        let call_id = header.call_id;
        if header.packet_type == PacketType::REQUEST && self.bound {
            return self.request(header, bytes);
        }
        let pdu = match Pdu::decode(bytes) {
            Ok(pdu) => pdu,
            Err(error) if self.bound => return self.violation(call_id, Reason::Undecodable(error)),
            Err(error) => {
                self.nak(call_id, RejectReason::PROTOCOL_VERSION_NOT_SPECIFIED);
                return self.queue.close(Reason::Undecodable(error));
            }
        };
        match (&pdu.body, self.bound) {
            (Body::Bind(bind), false) => self.negotiate(header, bind, pdu.verifier.as_ref()),
            (Body::Bind(_), true) => {
                self.nak(call_id, RejectReason::PROTOCOL_VERSION_NOT_SPECIFIED);
                self.queue.close(Reason::OutOfSequence);
            }
            (Body::AlterContext(bind), true) => self.negotiate(header, bind, pdu.verifier.as_ref()),
            (Body::Auth3 { .. }, true) => self.auth3(pdu.verifier.as_ref()),
            (Body::CoCancel, true) => {
                if let Some(call) = self.calls.get_mut(&call_id) {
                    call.cancels = call.cancels.saturating_add(1);
                    if call.cancels == 1 {
                        self.queue.event(ServerEvent::Cancelled(call_id));
                    }
                }
            }
            (Body::Orphaned, true) => {
                if self.reassembly.call_id() == Some(call_id) {
                    self.reassembly.clear();
                    self.refused = Some(call_id);
                }
                if self.calls.remove(&call_id).is_some() {
                    self.queue.event(ServerEvent::Orphaned(call_id));
                }
            }
            _ => self.violation(call_id, Reason::OutOfSequence),
        }
    }

    /// bind and alter_context ([MS-RPCE] 3.3.1.5.2.1, 3.3.1.5.3, 3.3.1.5.6).
    fn negotiate(&mut self, header: &CommonHeader, bind: &Bind, verifier: Option<&Verifier<'_>>) {
        let first = !self.bound;
        let call_id = header.call_id;
        let refuse = |server: &mut Self, reason: RejectReason, status: Status| {
            if first {
                server.nak(call_id, reason);
                server.queue.close(Reason::Security(status));
            } else {
                server.send_fault(call_id, 0, status, false);
            }
        };
        // Further tokens of an exchange repeat the contexts, and features are none.
        let new = bind.contexts.iter().filter(|c| !self.contexts.contains_key(&c.id) && offered(c).is_none());
        if self.contexts.len().saturating_add(new.count()) > self.options.max_contexts {
            return self.nak(call_id, RejectReason::LOCAL_LIMIT_EXCEEDED);
        }
        let token = match verifier.map(|verifier| self.exchange(verifier)).transpose() {
            Ok(token) => token,
            Err((reason, status)) => return refuse(self, reason, status),
        };
        if first {
            self.bound = true;
            self.multiplex = header.flags.contains(Flags::CONC_MPX);
            let own = self.options.max_fragment.max(MUST_RECV_FRAG_SIZE);
            self.max_send = bind.max_recv_frag.clamp(MUST_RECV_FRAG_SIZE, own);
            if bind.assoc_group_id != 0 {
                self.group = bind.assoc_group_id;
            }
        }
        let mut flags = Flags::WHOLE;
        if first && self.multiplex {
            flags = flags.with(Flags::CONC_MPX);
        }
        let context = token.as_ref().and_then(|(id, _)| self.security.get(id));
        if let Some(context) = context.filter(|c| c.key.auth_level.is_protected()) {
            let provider = context.provider.supports_header_signing();
            let asked = header.flags.contains(Flags::SUPPORT_HEADER_SIGN);
            // The first PDU with a token decides for the connection ([MS-RPCE] 3.3.1.5.2.2).
            if self.header_signing.is_none() {
                self.signing_offered = asked;
            }
            let agreed = *self.header_signing.get_or_insert(asked && provider);
            if asked && agreed {
                flags = flags.with(Flags::SUPPORT_HEADER_SIGN);
            }
        }
        let results = self.results(bind, first);
        let address = if first { self.address.clone() } else { Vec::new() };
        let receive = self.options.max_fragment.max(MUST_RECV_FRAG_SIZE);
        let ack = BindAck::new((self.max_send, receive), self.group, address, results);
        let len = ack.encoded_len();
        let body = if first { Body::BindAck(ack) } else { Body::AlterContextResp(ack) };
        let mut pdu = Pdu::new(flags, call_id, body);
        pdu.verifier = token.and_then(|(id, token)| self.security.get(&id)?.carry(token, len));
        self.send(&pdu);
    }

    fn results(&mut self, bind: &Bind, first: bool) -> Vec<PresentationResult> {
        let mut featured = !first;
        let mut results = Vec::new();
        for context in &bind.contexts {
            let (result, reason, transfer_syntax) = match offered(context) {
                Some(offered) if !featured => {
                    featured = true;
                    let Features(bits) = offered.both(self.options.features).both(Features::ALL);
                    (ContextResult::NEGOTIATE_ACK, ContextReason(bits), SyntaxId::NIL)
                }
                _ => match self.present(context.id, context.abstract_syntax, &context.transfer_syntaxes) {
                    Ok(syntax) => (ContextResult::ACCEPTANCE, ContextReason::NOT_SPECIFIED, syntax),
                    Err(reason) => (ContextResult::PROVIDER_REJECTION, reason, SyntaxId::NIL),
                },
            };
            results.push(PresentationResult { result, reason, transfer_syntax });
        }
        results
    }

    fn present(
        &mut self,
        id: u16,
        interface: SyntaxId,
        offered: &[SyntaxId],
    ) -> Result<SyntaxId, ContextReason> {
        if !self.host.supports(&interface) {
            return Err(ContextReason::ABSTRACT_SYNTAX_NOT_SUPPORTED);
        }
        if !offered.contains(&SyntaxId::NDR) {
            return Err(ContextReason::TRANSFER_SYNTAXES_NOT_SUPPORTED);
        }
        let wanted = (interface, SyntaxId::NDR);
        // Further tokens of an exchange repeat the contexts; another meaning would change calls that are on their way.
        if *self.contexts.entry(id).or_insert(wanted) == wanted {
            Ok(SyntaxId::NDR)
        } else {
            Err(ContextReason::NOT_SPECIFIED)
        }
    }

    /// One token in, one out, for a new context or one that is being built.
    fn exchange(&mut self, verifier: &Verifier<'_>) -> Result<(u32, Vec<u8>), (RejectReason, Status)> {
        let id = verifier.context_id;
        let level = verifier.auth_level.effective();
        let key = ContextKey { auth_type: verifier.auth_type, auth_level: level, context_id: id };
        if !self.security.contains_key(&id) {
            if self.security.len() >= self.options.max_security {
                return Err((RejectReason::LOCAL_LIMIT_EXCEEDED, Status::PROTO_ERROR));
            }
            if level != AuthLevel::CONNECT && !level.is_protected() {
                return Err((RejectReason::NOT_SPECIFIED, Status::UNSUPPORTED_AUTHN_LEVEL));
            }
            let provider = self.host.accept(key.auth_type, level).ok_or((
                RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED,
                // [MS-RPCE] 3.3.3.5.3 wants the reason of a bind_nak as status of the fault.
                Status(RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED.0.into()),
            ))?;
            self.security.insert(id, Context::new(key, provider));
        }
        let failed = (RejectReason::INVALID_CHECKSUM, Status::ACCESS_DENIED);
        let Some(context) = self.security.get_mut(&id) else { return Err(failed) };
        if context.key != key || context.stage != Stage::Building {
            return Err((RejectReason::NOT_SPECIFIED, Status::PROTO_ERROR));
        }
        match context.step(&verifier.token) {
            Ok(step) => Ok((id, step.token)),
            Err(failure) => {
                self.security.remove(&id);
                Err((RejectReason::INVALID_CHECKSUM, failure.0))
            }
        }
    }

    /// The last token, which is never answered; what is wrong with it is told to the first request
    /// ([MS-RPCE] 3.3.1.5.2.1).
    fn auth3(&mut self, verifier: Option<&Verifier<'_>>) {
        let context = verifier.and_then(|v| Some((v, self.security.get_mut(&v.context_id)?)));
        match context {
            Some((verifier, context))
                if context.stage == Stage::Building
                    && context.key.auth_type == verifier.auth_type
                    && context.key.auth_level == verifier.auth_level.effective() =>
            {
                if context.step(&verifier.token).is_ok_and(|step| !step.done) {
                    context.stage = Stage::Failed(Status::ACCESS_DENIED);
                }
            }
            _ => self.queue.close(Reason::OutOfSequence),
        }
    }

    fn request(&mut self, header: &CommonHeader, bytes: &mut [u8]) {
        let call_id = header.call_id;
        // Stub data are encrypted: only the frame of the PDU is looked at before they are verified.
        let security = match Pdu::decode(bytes) {
            Ok(pdu) => pdu.verifier.map(|v| ContextKey {
                auth_type: v.auth_type,
                auth_level: v.auth_level.effective(),
                context_id: v.context_id,
            }),
            Err(error) => return self.violation(call_id, Reason::Undecodable(error)),
        };
        if header.flags.contains(Flags::FIRST) {
            self.refused = None;
            self.last_call = self.last_call.max(call_id);
        }
        let signing = self.header_signing == Some(true);
        if let Some(key) = security {
            let Some(context) = self.security.get_mut(&key.context_id).filter(|c| c.key == key) else {
                return self.drop_call(call_id, Status::ACCESS_DENIED);
            };
            match context.stage {
                Stage::Ready => {}
                Stage::Failed(status) => return self.drop_call(call_id, status),
                Stage::Building => return self.violation(call_id, Reason::OutOfSequence),
            }
            let stub = if header.flags.contains(Flags::OBJECT_UUID) { 40 } else { 24 };
            if let Err(failure) = context.open(header, stub, bytes, signing) {
                self.send_fault(call_id, 0, failure.0, false);
                return self.queue.close(Reason::Security(failure.0));
            }
        }
        let Ok(Pdu { body: Body::Request(request), data_representation, .. }) = Pdu::decode(bytes) else {
            return self.violation(call_id, Reason::OutOfSequence);
        };
        let big_endian = data_representation.byte_order() == Some(crate::ByteOrder::Big);
        self.fragment(header, &request, security.or_else(|| self.implied()), big_endian);
    }

    /// The only context of the connection, when it is one of connect level ([MS-RPCE] 3.3.1.5.4).
    fn implied(&self) -> Option<ContextKey> {
        let mut contexts = self.security.values();
        let (only, None) = (contexts.next()?, contexts.next()) else { return None };
        (only.stage == Stage::Ready && only.key.auth_level == AuthLevel::CONNECT).then_some(only.key)
    }

    /// Refuses a call whose connection goes on.
    fn drop_call(&mut self, call_id: u32, status: Status) {
        if self.reassembly.call_id() == Some(call_id) {
            self.reassembly.clear();
        }
        if self.refused != Some(call_id) {
            self.refused = Some(call_id);
            self.send_fault(call_id, 0, status, false);
        }
    }

    fn fragment(
        &mut self,
        header: &CommonHeader,
        request: &Request<'_>,
        security: Option<ContextKey>,
        big_endian: bool,
    ) {
        let call_id = header.call_id;
        let busy = self.calls.contains_key(&call_id) || (!self.multiplex && !self.calls.is_empty());
        if header.flags.contains(Flags::FIRST) && self.reassembly.call_id().is_none() {
            if busy {
                return self.violation(call_id, Reason::OutOfSequence);
            }
            if let Err(status) = self.admit(request, security) {
                return self.drop_call(call_id, status);
            }
        }
        let fragment = Fragment {
            flags: header.flags,
            call_id,
            context_id: request.context_id,
            opnum: request.opnum,
            object: request.object,
            alloc_hint: request.alloc_hint,
            security,
            big_endian,
            stub: &request.stub,
        };
        match self.reassembly.push(&fragment) {
            Ok(None) => {}
            Ok(Some(whole)) => self.dispatch(header, whole),
            Err(ReassemblyError::TooLarge { .. }) => self.drop_call(call_id, Status::ACCESS_DENIED),
            // [MS-RPCE] 3.3.3.5.6: what is left of a call that was refused.
            Err(ReassemblyError::NotBegun)
                if self.refused == Some(call_id) || self.last_call.wrapping_sub(call_id) < 150 => {}
            Err(error) => self.violation(call_id, Reason::Fragments(error)),
        }
    }

    /// What is wrong with a call is told at its first fragment ([MS-RPCE] 3.3.3.5.8), before anything of it is kept.
    fn admit(&mut self, request: &Request<'_>, security: Option<ContextKey>) -> Result<(), Status> {
        let known = self.contexts.get(&request.context_id);
        let (interface, _) = known.ok_or(Status::INVALID_PRES_CONTEXT_ID)?;
        let level = security.map_or(AuthLevel::NONE, |key| key.auth_level);
        if level < self.host.minimum_level(interface, request.opnum) {
            self.host.refused(interface, request.opnum, level);
            return Err(Status::ACCESS_DENIED);
        }
        // Until it is whole, no other call comes.
        if self.calls.len() >= self.options.max_calls { Err(Status::SERVER_TOO_BUSY) } else { Ok(()) }
    }

    fn dispatch(&mut self, header: &CommonHeader, mut whole: Whole) {
        let (call_id, context_id) = (whole.call_id, whole.context_id);
        let Some((interface, transfer)) = self.contexts.get(&context_id).copied() else {
            return self.drop_call(call_id, Status::INVALID_PRES_CONTEXT_ID);
        };
        if let Some((trailer, at)) = VerificationTrailer::find(&whole.stub) {
            let asked = |body: &CommandBody<'_>| match body {
                // Somebody has taken the flag away.
                CommandBody::Bitmask { bits } => {
                    bits & CommandBody::CLIENT_SUPPORT_HEADER_SIGNING == 0 || self.signing_offered
                }
                CommandBody::PContext { interface: i, transfer: t } => (*i, *t) == (interface, transfer),
                CommandBody::Header2 {
                    packet_type, data_representation, call_id, context_id, opnum, ..
                } => {
                    *packet_type == PacketType::REQUEST
                        && *data_representation == header.data_representation
                        && (*call_id, *context_id, *opnum) == (whole.call_id, whole.context_id, whole.opnum)
                }
                CommandBody::Unknown { .. } => false,
            };
            let known = |body: &CommandBody<'_>| !matches!(body, CommandBody::Unknown { .. });
            let ok = trailer.commands.iter().all(|c| asked(&c.body) || !(c.must_process || known(&c.body)));
            if !ok {
                return self.drop_call(call_id, Status::ACCESS_DENIED);
            }
            whole.stub.truncate(at);
        }
        let security = whole.security;
        // Also with PFC_MAYBE, which may be ignored ([MS-RPCE] 2.2.2.2): calls that are not answered would not be counted.
        let active = Active { context_id, security: security.map(|key| key.context_id), cancels: 0 };
        self.calls.insert(call_id, active);
        self.queue.event(ServerEvent::Call(Call {
            call_id,
            interface,
            opnum: whole.opnum,
            object: whole.object,
            security,
            big_endian: whole.big_endian,
            stub: whole.stub,
        }));
    }
}

/// The features that an element of a bind offers ([MS-RPCE] 3.3.1.5.3).
fn offered(context: &PresentationContext) -> Option<Features> {
    let [only] = &context.transfer_syntaxes[..] else { return None };
    only.features()
}
