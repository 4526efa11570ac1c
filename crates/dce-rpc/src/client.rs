//! The client's side of a connection ([MS-RPCE] 3.3.2).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use remassist_core::{Blob, Decode as _, Encode as _, Time};
use uuid::Uuid;

use crate::bind::{Bind, BindAck, PresentationContext};
use crate::call::Request;
use crate::fragment::MUST_RECV_FRAG_SIZE;
use crate::frame::Framer;
use crate::io::{Input, Misuse, Options, Output, Queue, Reason};
use crate::names::{
    AuthLevel, AuthType, ContextReason, ContextResult, Flags, PacketType, RejectReason, Status,
};
use crate::pdu::{Body, CommonHeader, DataRepresentation, Pdu};
use crate::reassembly::{ContextKey, Fragment, Reassembly};
use crate::security::{Context, Security, Sending, Stage, Step};
use crate::syntax::{Features, SyntaxId};
use crate::trailer::{Command, CommandBody, VerificationTrailer};
use crate::verifier::Verifier;

/// What happens at a client.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The contexts asked for can be used.
    Bound {
        /// Presentation context.
        context_id: u16,
    },
    /// The server does not take them. After a refused bind the connection is closed.
    Refused {
        /// Presentation context.
        context_id: u16,
        /// Why.
        why: Refusal,
    },
    /// Results of a call, verified.
    Response {
        /// Which call.
        call_id: u32,
        /// Whether the numbers in the stub data are big-endian.
        big_endian: bool,
        /// Results.
        stub: Vec<u8>,
    },
    /// A call failed. A fault is never signed.
    Fault {
        /// Which call.
        call_id: u32,
        /// Why.
        status: Status,
        /// Whether the call certainly did nothing.
        did_not_execute: bool,
        /// Extended error information ([MS-EERR]).
        extended_error: Option<Vec<u8>>,
    },
    /// The server asks to end the connection.
    Shutdown,
}

/// Why a server does not take contexts.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// bind_nak.
    Bind(RejectReason),
    /// The presentation context was refused.
    Context(ContextResult, ContextReason),
    /// A fault.
    Fault(Status),
}

/// A call to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSpec<'a> {
    /// Presentation context that was bound.
    pub context_id: u16,
    /// Security context that was bound; `None` calls without protection.
    pub security: Option<u32>,
    /// The operation.
    pub opnum: u16,
    /// The object.
    pub object: Option<Uuid>,
    /// Parameters.
    pub stub: &'a [u8],
}

/// A call that waits for its answer.
struct Active {
    context_id: u16,
    security: Option<ContextKey>,
    reassembly: Reassembly,
    deadline: Option<Time>,
}

/// What is being negotiated.
struct Negotiation {
    call_id: u32,
    context: PresentationContext,
    security: Option<u32>,
    deadline: Option<Time>,
}

/// One connection of a client.
pub struct Client<S> {
    options: Options,
    framer: Framer,
    queue: Queue<ClientEvent>,
    bound: bool,
    multiplex: bool,
    features: Features,
    header_signing: Option<bool>,
    /// Whether the PDU that negotiated it had the flag.
    signing_offered: bool,
    group: u32,
    max_send: u16,
    next_call: u32,
    negotiation: Option<Negotiation>,
    contexts: BTreeMap<u16, SyntaxId>,
    next_context: u16,
    security: BTreeMap<u32, Context<S>>,
    calls: BTreeMap<u32, Active>,
}

impl<S: Security> Client<S> {
    /// A connection that was made. `assoc_group_id` of another connection joins its association; 0 asks for a new one.
    #[must_use]
    pub fn new(options: Options, assoc_group_id: u32) -> Self {
        Self {
            options,
            framer: Framer::new(u16::MAX),
            queue: Queue::new(),
            bound: false,
            multiplex: false,
            features: Features::NONE,
            header_signing: None,
            signing_offered: false,
            group: assoc_group_id,
            max_send: MUST_RECV_FRAG_SIZE,
            next_call: 1,
            negotiation: None,
            contexts: BTreeMap::new(),
            next_context: 0,
            security: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    /// The association; 0 before the first bind was answered and none was joined.
    #[must_use]
    pub const fn assoc_group_id(&self) -> u32 {
        self.group
    }

    /// Features that both sides have.
    #[must_use]
    pub const fn features(&self) -> Features {
        self.features
    }

    /// Asks for an interface, and with `security` for a new security context with an id that was not used before. Answered
    /// by [`ClientEvent::Bound`] or [`ClientEvent::Refused`] with the presentation context returned.
    ///
    /// Packet level and call level become integrity ([MS-RPCE] 2.2.1.1.8).
    ///
    /// # Errors
    /// When something is being negotiated, limits are reached, the server did not grant several security contexts, or the
    /// provider fails.
    pub fn bind(
        &mut self,
        now: Time,
        interface: SyntaxId,
        security: Option<(ContextKey, S)>,
    ) -> Result<u16, Misuse> {
        self.open()?;
        if self.negotiation.is_some() {
            return Err(Misuse::Negotiating);
        }
        let several = self.features.contains(Features::SECURITY_CONTEXT_MULTIPLEXING);
        let room = if several { self.options.max_security } else { 1 };
        let full = security.is_some() && self.security.len() >= room;
        if full || self.contexts.len() >= self.options.max_contexts || self.next_context >= u16::MAX - 1 {
            return Err(Misuse::TooMany);
        }
        let mut first = None;
        if let Some((key, provider)) = security {
            if self.security.contains_key(&key.context_id) {
                return Err(Misuse::UnknownSecurity);
            }
            let mut context = Context::new(upgraded(key), provider);
            let Step { token, .. } = context.step(&[]).map_err(|_| Misuse::Security)?;
            if token.is_empty() {
                return Err(Misuse::Security);
            }
            first = Some((key.context_id, token));
            self.security.insert(key.context_id, context);
        }
        let id = self.next_context;
        // The first bind has a second context, for features.
        self.next_context = id.saturating_add(if self.bound { 1 } else { 2 });
        let call_id = self.call_id();
        let context = PresentationContext::new(id, interface, SyntaxId::NDR);
        let security = first.as_ref().map(|(id, _)| *id);
        self.negotiation = Some(Negotiation { call_id, context, security, deadline: self.deadline(now) });
        self.send_bind(first.map(|(_, token)| token).unwrap_or_default());
        Ok(id)
    }

    /// Makes a call; gives its id. Answered by [`ClientEvent::Response`] or [`ClientEvent::Fault`].
    ///
    /// # Errors
    /// When a context cannot be used, too many calls wait (one, when the server did not grant more), or it cannot be
    /// written. When the provider fails, the connection is closed.
    pub fn call(&mut self, now: Time, spec: &CallSpec<'_>) -> Result<u32, Misuse> {
        self.open()?;
        let interface = *self.contexts.get(&spec.context_id).ok_or(Misuse::UnknownContext)?;
        let max = if self.multiplex { self.options.max_calls } else { 1 };
        if self.calls.len() >= max {
            return Err(Misuse::TooMany);
        }
        let several = self.security.len() > 1;
        let mut context = match spec.security {
            Some(id) => {
                let context = self.security.get_mut(&id).filter(|context| context.stage == Stage::Ready);
                Some(context.ok_or(Misuse::UnknownSecurity)?)
            }
            None => None,
        };
        let key = context.as_ref().map(|context| context.key);
        let header_signing = self.header_signing == Some(true);
        let (mut stub, mut keep) = (Blob::from(spec.stub), 0);
        let call_id = self.next_call;
        if key.is_some_and(|key| key.auth_level.is_protected()) && !header_signing {
            let trailer = trailer(spec, call_id, interface, self.signing_offered)?;
            keep = trailer.len();
            stub = with_trailer(spec.stub, &trailer);
        }
        // At connect level a signature says nothing, and only several contexts need one ([MS-RPCE] 3.3.1.5.4).
        context = context.filter(|context| context.key.auth_level.is_protected() || several);
        let sending = Sending {
            call_id,
            flags: spec.object.map_or(Flags::default(), |_| Flags::OBJECT_UUID),
            object: spec.object.is_some(),
            max_fragment: self.max_send,
            header_signing,
            keep,
        };
        let CallSpec { context_id, opnum, object, .. } = *spec;
        let written = sending.write(&stub, context, |alloc_hint, stub| {
            Body::Request(Request { alloc_hint, context_id, opnum, object, stub })
        });
        let bytes = written.map_err(|error| self.queue.unsent(error))?;
        self.call_id();
        let reassembly = Reassembly::new(self.options.max_stub);
        let active = Active { context_id, security: key, reassembly, deadline: self.deadline(now) };
        self.calls.insert(call_id, active);
        self.queue.push(Output::Send(bytes));
        Ok(call_id)
    }

    /// Asks the server to end a call early; its answer still comes.
    ///
    /// # Errors
    /// When there is no such call.
    pub fn cancel(&mut self, call_id: u32) -> Result<(), Misuse> {
        self.open()?;
        self.calls.get(&call_id).ok_or(Misuse::UnknownCall)?;
        self.send(&Pdu::new(Flags::WHOLE, call_id, Body::CoCancel));
        Ok(())
    }

    /// Gives a call up: nothing more is told of it. Without the feature
    /// [`KEEP_CONNECTION_ON_ORPHAN`](Features::KEEP_CONNECTION_ON_ORPHAN) the connection is closed
    /// ([MS-RPCE] 3.3.1.5.10).
    ///
    /// # Errors
    /// When there is no such call.
    pub fn orphan(&mut self, call_id: u32) -> Result<(), Misuse> {
        self.open()?;
        self.calls.remove(&call_id).ok_or(Misuse::UnknownCall)?;
        self.send(&Pdu::new(Flags::WHOLE, call_id, Body::Orphaned));
        if !self.features.contains(Features::KEEP_CONNECTION_ON_ORPHAN) {
            self.queue.close(Reason::Local);
        }
        Ok(())
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.queue.close(Reason::Local);
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Data(bytes) if !self.queue.closed => self.framer.push(bytes),
            Input::ConnectionLost => self.queue.close(Reason::ConnectionLost),
            Input::Data(_) | Input::Tick => {}
        }
        // Taken out, so that PDUs are read where they are.
        let mut framer = mem::take(&mut self.framer);
        while !self.queue.closed {
            match framer.pull() {
                Ok(Some((header, pdu))) => self.pdu(now, &header, pdu),
                Ok(None) => break,
                Err(error) => self.queue.close(Reason::Undecodable(error)),
            }
        }
        if !self.queue.closed {
            self.framer = framer;
        }
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.queue.close(Reason::TimedOut);
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Output<ClientEvent> {
        self.queue.poll().unwrap_or_else(|| {
            let deadline = if self.queue.closed { None } else { self.next_deadline() };
            Output::Wait(deadline)
        })
    }

    fn next_deadline(&self) -> Option<Time> {
        let calls = self.calls.values().filter_map(|call| call.deadline);
        calls.chain(self.negotiation.as_ref().and_then(|n| n.deadline)).min()
    }

    fn deadline(&self, now: Time) -> Option<Time> {
        self.options.timeout.map(|timeout| now.after(timeout))
    }

    fn open(&self) -> Result<(), Misuse> {
        if self.queue.closed { Err(Misuse::Closed) } else { Ok(()) }
    }

    fn call_id(&mut self) -> u32 {
        let call_id = self.next_call;
        // 0 is left out, since some servers answer with it what belongs to no call.
        self.next_call = call_id.checked_add(1).unwrap_or(1);
        call_id
    }

    fn send(&mut self, pdu: &Pdu<'_>) {
        match pdu.to_vec() {
            Ok(bytes) => self.queue.push(Output::Send(bytes)),
            Err(_) => self.queue.close(Reason::Unwritable),
        }
    }

    /// bind or alter_context for what is being negotiated.
    fn send_bind(&mut self, token: Vec<u8>) {
        let Some(negotiation) = &self.negotiation else { return };
        let fragment = self.options.max_fragment.max(MUST_RECV_FRAG_SIZE);
        let context = negotiation.context.clone();
        let mut contexts = Vec::from([context.clone()]);
        let mut flags = Flags::WHOLE;
        if !self.bound {
            let offer = SyntaxId::feature_negotiation(self.options.features);
            let id = context.id.wrapping_add(1);
            contexts.push(PresentationContext::new(id, context.abstract_syntax, offer));
            flags = flags.with(Flags::CONC_MPX);
        }
        let body = Bind {
            max_xmit_frag: fragment,
            max_recv_frag: fragment,
            assoc_group_id: self.group,
            reserved: [0; 3],
            contexts,
        };
        let security = negotiation.security.and_then(|id| self.security.get(&id));
        let signs = |c: &Context<S>| c.key.auth_level.is_protected() && c.provider.supports_header_signing();
        if security.is_some_and(signs) && self.header_signing != Some(false) {
            flags = flags.with(Flags::SUPPORT_HEADER_SIGN);
            self.signing_offered = true;
        }
        let verifier = security.and_then(|context| context.carry(token, body.encoded_len()));
        let body = if self.bound { Body::AlterContext(body) } else { Body::Bind(body) };
        let pdu = Pdu { verifier, ..Pdu::new(flags, negotiation.call_id, body) };
        self.send(&pdu);
    }

    fn pdu(&mut self, now: Time, header: &CommonHeader, bytes: &mut [u8]) {
        if header.packet_type == PacketType::RESPONSE {
            return self.response(now, header, bytes);
        }
        let pdu = match Pdu::decode(bytes) {
            Ok(pdu) => pdu,
            Err(error) => return self.queue.close(Reason::Undecodable(error)),
        };
        let waiting = self.negotiation.as_ref().is_some_and(|n| n.call_id == header.call_id);
        match &pdu.body {
            Body::BindAck(ack) if waiting && !self.bound => {
                self.answer(now, header, ack, pdu.verifier.as_ref())
            }
            Body::AlterContextResp(ack) if waiting && self.bound => {
                self.answer(now, header, ack, pdu.verifier.as_ref());
            }
            Body::BindNak(nak) if waiting => {
                self.refused(Refusal::Bind(nak.reason));
                if !self.bound {
                    self.queue.close(Reason::Security(Status::FAULT_UNSPEC));
                }
            }
            Body::Fault(fault) if waiting => self.refused(Refusal::Fault(fault.status)),
            Body::Fault(fault) => {
                // An answer to nothing: of a call that was given up.
                if self.calls.remove(&header.call_id).is_some() {
                    let status = if fault.status.is_forbidden() { Status::PROTO_ERROR } else { fault.status };
                    self.queue.event(ClientEvent::Fault {
                        call_id: header.call_id,
                        status,
                        did_not_execute: header.flags.contains(Flags::DID_NOT_EXECUTE),
                        extended_error: fault.extended_error().map(Vec::from),
                    });
                }
            }
            Body::Shutdown => self.queue.event(ClientEvent::Shutdown),
            _ => self.queue.close(Reason::OutOfSequence),
        }
    }

    fn refused(&mut self, why: Refusal) {
        if let Some(negotiation) = self.negotiation.take() {
            if let Some(id) = negotiation.security {
                self.security.remove(&id);
            }
            self.queue.event(ClientEvent::Refused { context_id: negotiation.context.id, why });
        }
    }

    /// bind_ack and alter_context_resp.
    fn answer(
        &mut self,
        now: Time,
        header: &CommonHeader,
        ack: &BindAck<'_>,
        verifier: Option<&Verifier<'_>>,
    ) {
        let Some(negotiation) = self.negotiation.take() else { return };
        let offered = if self.bound { 1 } else { 2 };
        let Some(result) = ack.results.first().filter(|_| ack.results.len() == offered).copied() else {
            return self.queue.close(Reason::OutOfSequence);
        };
        if !self.bound {
            self.bound = true;
            self.group = ack.assoc_group_id;
            self.multiplex = header.flags.contains(Flags::CONC_MPX);
            let own = self.options.max_fragment.max(MUST_RECV_FRAG_SIZE);
            self.max_send = ack.max_recv_frag.clamp(MUST_RECV_FRAG_SIZE, own);
            if let Some(features) = ack.results.get(1).filter(|r| r.result == ContextResult::NEGOTIATE_ACK) {
                self.features = Features(features.reason.0).both(self.options.features).both(Features::ALL);
            }
        }
        if result.result != ContextResult::ACCEPTANCE || result.transfer_syntax != SyntaxId::NDR {
            self.negotiation = Some(negotiation);
            return self.refused(Refusal::Context(result.result, result.reason));
        }
        let call_id = negotiation.call_id;
        let (id, context) = (negotiation.context.id, negotiation.context.clone());
        let security = negotiation.security.and_then(|id| self.security.get_mut(&id));
        if let Some(security) = security {
            let given = match verifier {
                Some(v)
                    if v.context_id != security.key.context_id || v.auth_type != security.key.auth_type =>
                {
                    return self.queue.close(Reason::OutOfSequence);
                }
                Some(v) => &v.token[..],
                None => &[],
            };
            if security.key.auth_level.is_protected() {
                let both = header.flags.contains(Flags::SUPPORT_HEADER_SIGN)
                    && security.provider.supports_header_signing();
                self.header_signing.get_or_insert(both);
            }
            // Without a token the server says that it is done, and so this side must be: none but the first step has none.
            if given.is_empty() {
                if security.stage != Stage::Ready {
                    return self.queue.close(Reason::Security(Status::SEC_PKG_ERROR));
                }
            } else {
                let step = match security.step(given) {
                    Ok(step) => step,
                    Err(failure) => return self.queue.close(Reason::Security(failure.0)),
                };
                let odd = security.key.auth_type.has_odd_legs();
                if !step.token.is_empty() {
                    if !(step.done && odd) {
                        let deadline = self.deadline(now);
                        self.negotiation = Some(Negotiation { deadline, ..negotiation });
                        return self.send_bind(step.token);
                    }
                    let pad = Blob::from(Vec::from([0; 4]));
                    let verifier = security.carry(step.token, 4);
                    let pdu = Pdu { verifier, ..Pdu::new(Flags::WHOLE, call_id, Body::Auth3 { pad }) };
                    self.send(&pdu);
                } else if !step.done {
                    return self.queue.close(Reason::Security(Status::SEC_PKG_ERROR));
                }
            }
        }
        self.contexts.insert(id, context.abstract_syntax);
        self.queue.event(ClientEvent::Bound { context_id: id });
    }

    fn response(&mut self, now: Time, header: &CommonHeader, bytes: &mut [u8]) {
        let found = match Pdu::decode(bytes) {
            Ok(pdu) => pdu.verifier.map(|v| (v.auth_type, v.auth_level.effective(), v.context_id)),
            Err(error) => return self.queue.close(Reason::Undecodable(error)),
        };
        let security =
            found.map(|(auth_type, auth_level, context_id)| ContextKey { auth_type, auth_level, context_id });
        let signing = self.header_signing == Some(true);
        // Verified even when nobody waits any more: the next one counts on it.
        if let Some(key) = security {
            let context = self.security.get_mut(&key.context_id);
            let Some(context) = context.filter(|c| c.key == key && c.stage == Stage::Ready) else {
                return self.queue.close(Reason::Unprotected);
            };
            if let Err(failure) = context.open(header, 24, bytes, signing) {
                return self.queue.close(Reason::Security(failure.0));
            }
        }
        let deadline = self.deadline(now);
        let Some(call) = self.calls.get_mut(&header.call_id) else { return };
        let protected = call.security.is_some_and(|key| key.auth_level.is_protected());
        if (protected || security.is_some()) && security != call.security {
            return self.queue.close(Reason::Unprotected);
        }
        let Ok(Pdu { body: Body::Response(response), data_representation, .. }) = Pdu::decode(bytes) else {
            return self.queue.close(Reason::OutOfSequence);
        };
        if response.context_id != call.context_id {
            return self.queue.close(Reason::OutOfSequence);
        }
        call.deadline = deadline;
        let fragment = Fragment {
            flags: header.flags,
            call_id: header.call_id,
            context_id: response.context_id,
            opnum: 0,
            object: None,
            alloc_hint: response.alloc_hint,
            security,
            big_endian: data_representation.byte_order() == Some(crate::ByteOrder::Big),
            stub: &response.stub,
        };
        match call.reassembly.push(&fragment) {
            Ok(None) => {}
            Ok(Some(whole)) => {
                self.calls.remove(&header.call_id);
                let (call_id, big_endian, stub) = (whole.call_id, whole.big_endian, whole.stub);
                self.queue.event(ClientEvent::Response { call_id, big_endian, stub });
            }
            Err(error) => self.queue.close(Reason::Fragments(error)),
        }
    }
}

/// Levels that are no more than their names become the next better one ([MS-RPCE] 2.2.1.1.8).
fn upgraded(key: ContextKey) -> ContextKey {
    let auth_level = match key.auth_level.effective() {
        AuthLevel::PACKET => AuthLevel::INTEGRITY,
        level => level,
    };
    let auth_type = if key.auth_type == AuthType::DEFAULT { AuthType::WINNT } else { key.auth_type };
    ContextKey { auth_type, auth_level, ..key }
}

/// A verification trailer, for a provider that does not sign headers ([MS-RPCE] 2.2.2.13). It also tells whether header
/// signing was offered, in case somebody took the flag away.
fn trailer(
    spec: &CallSpec<'_>,
    call_id: u32,
    interface: SyntaxId,
    signing_offered: bool,
) -> Result<Vec<u8>, Misuse> {
    let command = |body| Command { must_process: false, body };
    let mut commands = Vec::from([
        command(CommandBody::PContext { interface, transfer: SyntaxId::NDR }),
        command(CommandBody::Header2 {
            packet_type: PacketType::REQUEST,
            reserved: [0; 3],
            data_representation: DataRepresentation::LITTLE,
            call_id,
            context_id: spec.context_id,
            opnum: spec.opnum,
        }),
    ]);
    if signing_offered {
        commands
            .insert(0, command(CommandBody::Bitmask { bits: CommandBody::CLIENT_SUPPORT_HEADER_SIGNING }));
    }
    VerificationTrailer { commands }.to_vec().map_err(|_| Misuse::Unwritable)
}

fn with_trailer(stub: &[u8], trailer: &[u8]) -> Blob<'static> {
    let mut whole = Vec::from(stub);
    whole.resize(stub.len().saturating_add(VerificationTrailer::padding(stub.len())), 0);
    whole.extend_from_slice(trailer);
    whole.into()
}
