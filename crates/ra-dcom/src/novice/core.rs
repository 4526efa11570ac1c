//! The novice without I/O: calls in, answers out.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use dce_rpc::{AuthLevel, Status, SyntaxId};
use ndr_oaut::{ByteOrder, ComVersion, InterfacePointer, Ndr, ObjRef, ObjRefBody, OrpcThat, OrpcThis, Stub};
use remassist_core::{DecodeOptions, Encode as _, Limits, Secret, Time};
use uuid::Uuid;

use super::activation::Activation;
use super::endpoints::Endpoints;
use super::exporter::{Counts, Exporter, Owner, owner};
use super::identity::Identity;
use super::limits::NoviceLimits;
use super::methods::Form;
use super::object::{Class, INTERFACES, Pointer};
use super::provider::{Refusal, Session, SessionChoice, TicketForm, TicketRequest};
use super::run::Caller;
use crate::HResult;
use crate::calls::{
    IID_IACTIVATION, IID_IOBJECTEXPORTER, IID_IREMOTESCMACTIVATOR, IID_IREMUNKNOWN, IID_IREMUNKNOWN2,
};

/// COMVERSION of the novice.
pub(super) const VERSION: ComVersion = ComVersion { major: 5, minor: 7 };

/// The two ports of a novice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Port {
    /// IObjectExporter, IActivation, IRemoteSCMActivator.
    Resolver,
    /// The objects, and IRemUnknown(2).
    Objects,
}

/// A call as it comes from RPC: verified, whole, plain.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who calls, once the first signature was verified; `None` when nobody proved anything.
    pub caller: Option<&'a Identity>,
    /// The interface.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The object UUID: an IPID.
    pub object: Option<Uuid>,
    /// The parameters.
    pub stub: &'a [u8],
    /// Their byte order.
    pub byte_order: ByteOrder,
    /// The address of the novice that the call came to.
    pub local: Option<IpAddr>,
}

/// What becomes of a call.
#[derive(Debug)]
pub enum Step {
    /// It is answered.
    Reply(Reply),
    /// The novice's machine must be asked first; go on with [`Novice::answer`].
    Ask(Pending),
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// Stub data, little-endian, or the status of a fault.
    pub stub: Result<Vec<u8>, Status>,
    /// What an administrator may want to know.
    pub event: Option<NoviceEvent>,
}

/// What happened at a novice. There is no secret in it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoviceEvent {
    /// An object was made.
    Activated {
        /// For whom.
        caller: Identity,
        /// Of which class.
        class: Class,
    },
    /// Sessions were told.
    SessionsTold {
        /// To whom.
        caller: Identity,
        /// How many.
        count: usize,
    },
    /// A ticket was given.
    TicketGiven {
        /// To whom.
        caller: Identity,
        /// For which session.
        session: SessionChoice,
        /// Whose session, where that was told.
        user: Option<Identity>,
        /// Which ticket.
        form: TicketForm,
    },
    /// A call failed.
    Refused {
        /// Who called.
        caller: Option<Identity>,
        /// Which interface.
        interface: Uuid,
        /// Which operation.
        opnum: u16,
        /// The status of the fault, HRESULT or error_status_t.
        code: u32,
    },
}

/// What the novice's machine is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Nothing but whether this caller may ask at all.
    MayAsk,
    /// All sessions.
    Sessions,
    /// A ticket.
    Ticket(TicketRequest),
}

/// What it says. To every question the caller may be refused.
#[derive(Debug)]
pub enum Answer {
    /// The caller may ask.
    Allowed,
    /// The sessions.
    Sessions(Vec<Session>),
    /// The ticket.
    Ticket(Secret<alloc::string::String>),
    /// No.
    Refused(Refusal),
}

/// A call that waits for an answer.
#[derive(Debug)]
pub struct Pending {
    pub(super) caller: Identity,
    pub(super) owner: Owner,
    pub(super) question: Question,
    pub(super) then: Then,
    interface: Uuid,
    opnum: u16,
    local: Option<IpAddr>,
}

impl Pending {
    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Identity {
        &self.caller
    }

    /// What.
    #[must_use]
    pub fn question(&self) -> &Question {
        &self.question
    }
}

/// What comes after the answer.
#[derive(Debug)]
pub(super) enum Then {
    Activate(Activation),
    Return(Form),
}

/// The result of a call: stub data, and the code in them.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) stub: Vec<u8>,
    pub(super) code: u32,
    pub(super) event: Option<NoviceEvent>,
}

impl Done {
    /// The parameters of plain RPC.
    pub(super) fn plain<T: for<'a> Ndr<'a>>(response: T, code: u32) -> Result<Self, Status> {
        let stub = Stub::new(response).to_vec().map_err(|_| Status::REMOTE_NO_MEMORY)?;
        Ok(Self { stub, code, event: None })
    }

    /// The parameters of an object, behind ORPCTHAT.
    pub(super) fn orpc<'a, T: Ndr<'a>>(response: T, code: HResult) -> Result<Self, Status> {
        let stub = Stub::new((OrpcThat::default(), response));
        let stub = stub.to_vec().map_err(|_| Status::REMOTE_NO_MEMORY)?;
        Ok(Self { stub, code: code.0, event: None })
    }
}

/// How far a call came.
#[derive(Debug)]
pub(super) enum Progress {
    Done(Done),
    Ask(Question, Then),
}

impl From<Done> for Progress {
    fn from(done: Done) -> Self {
        Self::Done(done)
    }
}

/// The DCOM server of a novice: resolver, activation, objects. Does no I/O; times never go back.
pub struct Novice {
    pub(super) endpoints: Endpoints,
    pub(super) limits: NoviceLimits,
    pub(super) exporter: Exporter,
    /// The sessions told last. Collections of the same sessions share them.
    pub(super) latest: Arc<[Session]>,
}

/// The random numbers are not random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandom;

impl fmt::Display for NoRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random numbers are not random")
    }
}

impl core::error::Error for NoRandom {}

impl fmt::Debug for Novice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Novice").field("endpoints", &self.endpoints).field("counts", &self.counts()).finish()
    }
}

impl Novice {
    /// A novice without objects. `random` fills a buffer with numbers that nobody can guess: who knows an IPID still has to
    /// be the caller it was made for, but ids must differ.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn new(
        endpoints: Endpoints,
        limits: NoviceLimits,
        random: impl FnMut(&mut [u8]) + Send + 'static,
    ) -> Result<Self, NoRandom> {
        let exporter = Exporter::new(limits, Box::new(random)).ok_or(NoRandom)?;
        Ok(Self { endpoints, limits, exporter, latest: Arc::from(Vec::new()) })
    }

    /// Whether a port has an interface.
    #[must_use]
    pub fn supports(port: Port, interface: &SyntaxId) -> bool {
        let interfaces: &[Uuid] = match port {
            Port::Resolver => &[IID_IOBJECTEXPORTER, IID_IACTIVATION, IID_IREMOTESCMACTIVATOR],
            Port::Objects if interface.uuid == IID_IREMUNKNOWN => return interface.version == 0,
            Port::Objects if interface.uuid == IID_IREMUNKNOWN2 => return interface.version == 0,
            Port::Objects => &INTERFACES,
        };
        interface.version == 0 && interfaces.contains(&interface.uuid)
    }

    /// How well a call must be protected: ServerAlive and ServerAlive2 not at all, all others from changes.
    #[must_use]
    pub fn minimum_level(interface: &SyntaxId, opnum: u16) -> AuthLevel {
        if interface.uuid == IID_IOBJECTEXPORTER && matches!(opnum, 3 | 5) {
            AuthLevel::NONE
        } else {
            AuthLevel::INTEGRITY
        }
    }

    /// Answers a call, or asks a question.
    pub fn call(&mut self, now: Time, port: Port, call: &Call<'_>) -> Step {
        self.exporter.sweep(now);
        let refused = |status| Reply { stub: Err(status), event: None };
        if !Self::supports(port, &call.interface) {
            return Step::Reply(refused(Status::UNK_IF));
        }
        let nobody = Identity::default();
        if call.caller.is_none() && Self::minimum_level(&call.interface, call.opnum) != AuthLevel::NONE {
            return Step::Reply(refused(Status::ACCESS_DENIED));
        }
        let identity = call.caller.unwrap_or(&nobody);
        let owner = owner(identity);
        let caller = Caller { identity, owner: &owner, now };
        let progress = match call.interface.uuid {
            IID_IOBJECTEXPORTER => self.object_exporter(&caller, call).map(Progress::Done),
            IID_IACTIVATION => self.remote_activation(call),
            IID_IREMOTESCMACTIVATOR => self.remote_scm_activator(call),
            IID_IREMUNKNOWN | IID_IREMUNKNOWN2 => self.rem_unknown(&caller, call).map(Progress::Done),
            _ => self.object(&caller, call),
        };
        let who = call.caller.cloned();
        match progress {
            Ok(Progress::Ask(question, then)) => Step::Ask(Pending {
                caller: identity.clone(),
                owner,
                question,
                then,
                interface: call.interface.uuid,
                opnum: call.opnum,
                local: call.local,
            }),
            Ok(Progress::Done(done)) => Step::Reply(reply(Ok(done), who, call.interface.uuid, call.opnum)),
            Err(status) => Step::Reply(reply(Err(status), who, call.interface.uuid, call.opnum)),
        }
    }

    /// Answers a call for which a question was asked.
    pub fn answer(&mut self, now: Time, pending: Pending, answer: Answer) -> Reply {
        self.exporter.sweep(now);
        let Pending { caller: identity, owner, question, then, interface, opnum, local } = pending;
        let caller = Caller { identity: &identity, owner: &owner, now };
        let done = match then {
            Then::Activate(activation) => self.activate(&caller, activation, answer, local),
            Then::Return(form) => {
                let event = event_of(&identity, &question, &answer);
                let value = self.resume(&caller, &question, answer, form.tells_names());
                let event = event.filter(|_| value.is_ok());
                self.write(form, value, local).map(|done| Done { event, ..done })
            }
        };
        reply(done, Some(identity), interface, opnum)
    }

    /// Lets go of what nobody pings any more. Each call does so, too.
    pub fn tick(&mut self, now: Time) {
        self.exporter.sweep(now);
    }

    /// When [`tick`](Self::tick) may have something to do.
    #[must_use]
    pub fn next_tick(&self) -> Option<Time> {
        self.exporter.due()
    }

    /// How much there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.exporter.counts()
    }

    /// An OBJREF of a reference ([MS-DCOM] 3.1.1.5.1).
    pub(super) fn objref(&self, pointer: &Pointer, local: Option<IpAddr>) -> InterfacePointer<'static> {
        let resolver = self.endpoints.resolver_of_objects(local);
        let body = ObjRefBody::Standard { std: pointer.std, resolver };
        let objref = ObjRef { iid: pointer.iid, body }.to_vec().unwrap_or_default();
        InterfacePointer { objref: objref.into() }
    }
}

/// An answer, and what is to be told about it.
fn reply(done: Result<Done, Status>, caller: Option<Identity>, interface: Uuid, opnum: u16) -> Reply {
    let refused = |code| Some(NoviceEvent::Refused { caller, interface, opnum, code });
    match done {
        Ok(Done { stub, code: 0 | 1, event }) => Reply { stub: Ok(stub), event },
        Ok(Done { stub, code, .. }) => Reply { stub: Ok(stub), event: refused(code) },
        Err(status) => Reply { stub: Err(status), event: refused(status.0) },
    }
}

fn event_of(caller: &Identity, question: &Question, answer: &Answer) -> Option<NoviceEvent> {
    let caller = caller.clone();
    match (question, answer) {
        (Question::Ticket(request), Answer::Ticket(_)) => Some(NoviceEvent::TicketGiven {
            caller,
            session: request.session,
            user: request.user.clone(),
            form: request.form,
        }),
        (_, Answer::Sessions(sessions)) => Some(NoviceEvent::SessionsTold { caller, count: sessions.len() }),
        _ => None,
    }
}

/// Reads the parameters of plain RPC. What stands behind them is passed over.
pub(super) fn plain<'a, T: Ndr<'a>>(call: &Call<'a>) -> Result<T, Status> {
    let options = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_message(usize::MAX));
    let decoded = Stub::<T>::read(call.stub, call.byte_order, &options);
    decoded.map(|decoded| decoded.value.value).map_err(|_| Status::BAD_STUB_DATA)
}

/// Reads the parameters of a call on an object ([MS-DCOM] 3.1.1.5.4).
pub(super) fn orpc<'a, T: Ndr<'a>>(call: &Call<'a>) -> Result<T, Status> {
    let (this, request) = plain::<(OrpcThis<'a>, T)>(call)?;
    if !is_spoken(this.version) {
        return Err(Status(HResult::RPC_E_VERSION_MISMATCH.0));
    }
    if this.flags != 0 {
        return Err(Status(HResult::RPC_E_INVALID_HEADER.0));
    }
    Ok(request)
}

/// Whether the novice speaks the version of a client ([MS-DCOM] 1.7).
pub(super) fn is_spoken(version: ComVersion) -> bool {
    version.major == VERSION.major && version.minor <= VERSION.minor
}
