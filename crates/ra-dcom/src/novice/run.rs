//! What the methods do.

use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;

use ndr_oaut::Bstr;
use remassist_core::{Time, usize_from};
use uuid::Uuid;

use super::core::{Answer, Novice, Question};
use super::exporter::Owner;
use super::identity::Identity;
use super::object::{Class, Method, Object, Pointer, Property, Put, SessionObject, Sessions, Value};
use super::provider::{Session, SessionChoice, TicketForm, TicketRequest};
use crate::calls::{IID_IDISPATCH, IID_IENUMVARIANT, IID_IPCHCOLLECTION, IID_IUNKNOWN};
use crate::{HResult, SessionStateEnum};

/// How far a method came.
pub(super) enum Run {
    Done(Value),
    /// Somebody must be asked first.
    Ask(Question),
}

/// Who calls, and when.
pub(super) struct Caller<'a> {
    pub(super) identity: &'a Identity,
    pub(super) owner: &'a Owner,
    pub(super) now: Time,
}

impl Novice {
    /// Calls a method of an object of this caller. One that the object does not have is `E_NOTIMPL`; opnums and DISPIDs
    /// were looked up before, so nobody sees that.
    pub(super) fn run(&mut self, caller: &Caller<'_>, oid: u64, method: Method) -> Result<Run, HResult> {
        let limit = self.limits.name;
        let object =
            self.exporter.object(caller.owner, oid, caller.now).ok_or(HResult::RPC_E_DISCONNECTED)?;
        let value = match (object, method) {
            (Object::Of(Class::RaSrv, session), Method::NoviceUserInfo) => {
                let (session, caller) = (*session, caller.identity.clone());
                let form = TicketForm::ConnectionString2;
                let request = TicketRequest { caller, session, user: None, form, help_blob: None };
                return Ok(Run::Ask(Question::Ticket(request)));
            }
            (Object::Of(Class::RaSrv, _), Method::SessionInfo)
            | (Object::Of(Class::PchService, _), Method::UserSessionInfo) => {
                return Ok(Run::Ask(Question::Sessions));
            }
            (
                Object::Of(Class::PchService, _),
                Method::ConnectionParms { user, domain, session, help_blob },
            ) => {
                // Names that are none cannot be mapped to an account, nor can sessions that none can have.
                let (user, domain) = text(&user).zip(text(&domain)).ok_or(HResult::ERROR_NONE_MAPPED)?;
                let session = u32::try_from(session).map_err(|_| HResult::ERROR_NONE_MAPPED)?;
                let request = TicketRequest {
                    caller: caller.identity.clone(),
                    session: SessionChoice::Id(session),
                    user: Some(Identity { domain, user }),
                    form: TicketForm::ConnectionString1,
                    help_blob: text(&help_blob),
                };
                return Ok(Run::Ask(Question::Ticket(request)));
            }
            (Object::Collection(sessions), Method::Count) => {
                Value::Number(i32::try_from(sessions.list.len()).unwrap_or(i32::MAX))
            }
            (Object::Collection(sessions), Method::Item(index)) => {
                let index = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
                let sessions = sessions.clone();
                let index = index.filter(|index| *index < sessions.list.len());
                let index = index.ok_or(HResult::E_INVALIDARG)?;
                Value::Dispatch(self.element(caller, &sessions, index)?)
            }
            (Object::Collection(sessions), Method::NewEnum) => {
                let copy = Object::Enumeration(sessions.clone(), 0);
                Value::Pointer(self.export(caller, copy, IID_IUNKNOWN)?)
            }
            (Object::Enumeration(sessions, next), Method::NewEnum) => {
                let copy = Object::Enumeration(sessions.clone(), *next);
                Value::Pointer(self.export(caller, copy, IID_IENUMVARIANT)?)
            }
            (Object::Enumeration(..), Method::Next(0)) => return Err(HResult::E_INVALIDARG),
            (Object::Enumeration(sessions, next), Method::Next(count)) => {
                let (sessions, from) = (sessions.clone(), *next);
                let elements = self.next(caller, &sessions, from, count)?;
                if let Some(Object::Enumeration(_, next)) =
                    self.exporter.object(caller.owner, oid, caller.now)
                {
                    *next = from.saturating_add(elements.len());
                }
                Value::Elements(elements)
            }
            (Object::Enumeration(sessions, next), Method::Skip(count)) => {
                let wanted = next.saturating_add(usize_from(count));
                *next = wanted.min(sessions.list.len());
                // The number of elements that were not there.
                Value::Number(i32::from(wanted > *next))
            }
            (Object::Enumeration(_, next), Method::Reset) => {
                *next = 0;
                Value::Nothing
            }
            (Object::Session(session), Method::Get(property)) => match property {
                Property::SessionId => Value::Id(session.id),
                Property::SessionState => Value::State(session.state),
                Property::DomainName => Value::Text(session.domain.clone()),
                Property::UserName => Value::Text(session.user.clone()),
            },
            (Object::Session(session), Method::Put(put)) => {
                change(session, put, limit)?;
                Value::Nothing
            }
            (Object::Factory(..), Method::Lock) => Value::Nothing,
            (Object::Factory(class, session), Method::CreateInstance(iid)) => {
                let object = Object::Of(*class, *session);
                Value::Pointer(self.export(caller, object, iid)?)
            }
            _ => return Err(HResult::E_NOTIMPL),
        };
        Ok(Run::Done(value))
    }

    /// Goes on when the question is answered; whether sessions are told as names, or as a collection.
    pub(super) fn resume(
        &mut self,
        caller: &Caller<'_>,
        question: &Question,
        answer: Answer,
        names: bool,
    ) -> Result<Value, HResult> {
        match (question, answer) {
            (_, Answer::Refused(refusal)) => Err(refusal.hresult()),
            (Question::Ticket(_), Answer::Ticket(ticket)) => Ok(Value::Ticket(ticket)),
            (Question::Sessions, Answer::Sessions(sessions)) => {
                if sessions.len() > self.limits.sessions {
                    return Err(HResult::E_OUTOFMEMORY);
                }
                if names {
                    return Ok(Value::Names(told(&sessions)));
                }
                let list = if *self.latest == *sessions { Arc::clone(&self.latest) } else { sessions.into() };
                self.latest = Arc::clone(&list);
                let sessions = Sessions { group: self.exporter.group()?, list };
                Ok(Value::Pointer(self.export(caller, Object::Collection(sessions), IID_IPCHCOLLECTION)?))
            }
            _ => Err(HResult::E_FAIL),
        }
    }

    /// A new object as one interface.
    pub(super) fn export(
        &mut self,
        caller: &Caller<'_>,
        object: Object,
        iid: Uuid,
    ) -> Result<Pointer, HResult> {
        let std = self.exporter.export(caller.owner, object, iid, caller.now)?;
        Ok(Pointer { iid, std })
    }

    /// An element of a collection: the object that was handed out before, if it is still there.
    fn element(
        &mut self,
        caller: &Caller<'_>,
        sessions: &Sessions,
        index: usize,
    ) -> Result<Pointer, HResult> {
        let session = sessions.list.get(index).ok_or(HResult::E_INVALIDARG)?;
        let session = SessionObject::new((sessions.group, index), session);
        self.export(caller, Object::Session(session), IID_IDISPATCH)
    }

    /// The next elements, at most `count`. When one cannot be had, none is: their references are taken back.
    fn next(
        &mut self,
        caller: &Caller<'_>,
        sessions: &Sessions,
        from: usize,
        count: u32,
    ) -> Result<Vec<Pointer>, HResult> {
        let left = sessions.list.len().saturating_sub(from);
        let count = usize_from(count).min(left);
        if count > self.limits.items_per_call {
            return Err(HResult::E_OUTOFMEMORY);
        }
        let mut elements: Vec<Pointer> = Vec::new();
        for index in from..from.saturating_add(count) {
            match self.element(caller, sessions, index) {
                Ok(element) => elements.push(element),
                Err(error) => {
                    for Pointer { std, .. } in elements {
                        self.exporter.release(caller.owner, &std.ipid, std.public_refs, 0);
                    }
                    return Err(error);
                }
            }
        }
        Ok(elements)
    }
}

/// A property of an ISAFSession gets a value: this object's only, not the session's.
fn change(session: &mut SessionObject, put: Put, limit: usize) -> Result<(), HResult> {
    let short = |name: &Bstr<'_>| name.text.as_ref().is_none_or(|text| text.units().len() <= limit);
    match put {
        Put::SessionId(id) => session.id = id,
        Put::SessionState(state) => {
            let state =
                u16::try_from(state).map(SessionStateEnum).ok().filter(|state| state.name().is_some());
            let state = state.ok_or(HResult::E_INVALIDARG)?;
            session.state = state;
        }
        Put::DomainName(name) | Put::UserName(name) if !short(&name) => return Err(HResult::E_OUTOFMEMORY),
        Put::DomainName(name) => session.domain = name,
        Put::UserName(name) => session.user = name,
    }
    Ok(())
}

/// What IRASrv tells: neither idle nor disconnected sessions; null for those without domain or user, of which an expert can
/// make nothing.
fn told(sessions: &[Session]) -> Vec<Option<Bstr<'static>>> {
    sessions
        .iter()
        .filter(|s| s.is_offered())
        .map(|s| s.told().map(|name| Bstr::new(&name.to_string())))
        .collect()
}

/// The text of a BSTR, `None` for NULL and for what is no text.
fn text(bstr: &Bstr<'_>) -> Option<String> {
    bstr.text.as_ref()?.to_text().ok()
}
