//! Who may have calls played ([MC-COMQC] 3.1.5, 5.1).

use alloc::borrow::Cow;
use core::fmt;

use comqc_format::{Collection, PropertyType, PropertyValue, SecurityData, Sid};
use uuid::Uuid;

use crate::Sender;

/// What a policy decides about: what the message says of its callers, beside what the transport knows.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// CLSID of the object that is called.
    pub target_id: Uuid,
    /// COM+ partition of that object, as the message names it.
    pub partition: Option<Uuid>,
    /// Every security context that a call of the message has, each with its whole list of callers. **Claims**: whoever can
    /// put a message into the queue can write anything here, and nothing may depend on the order of the callers.
    pub contexts: &'a [SecurityData<'a>],
    /// Who has sent the message.
    pub sender: &'a Sender,
}

/// Why a message is not played. The text goes into the dead queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Cow<'static, str>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Refused {}

/// Decides about the security properties of a message before any of its calls is played ([MC-COMQC] 3.1.5).
pub trait SecurityPolicy: Send + Sync {
    /// Looks at one message.
    ///
    /// # Errors
    /// When the message is not to be played.
    fn check(&self, claims: &Claims<'_>) -> Result<(), Refused>;
}

/// Plays whatever comes, without impersonation: components must not trust what the message claims. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayUnauthenticated;

impl SecurityPolicy for PlayUnauthenticated {
    fn check(&self, _: &Claims<'_>) -> Result<(), Refused> {
        Ok(())
    }
}

/// Plays only what the transport proves: the sender is authenticated and has a SID, every caller in every context claims
/// SIDs, and all of them are that SID. Account names are not compared; what [MS-COMA] 3.1.1.3.6 (`QCAuthenticateMsgs`) is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuthenticatedSender {
    /// Play contexts that name no caller, too: the caller is then the sender.
    pub allow_no_caller: bool,
}

impl SecurityPolicy for AuthenticatedSender {
    fn check(&self, claims: &Claims<'_>) -> Result<(), Refused> {
        let Some(sid) = claims.sender.sid.as_ref().filter(|_| claims.sender.authenticated) else {
            return Err(Refused("the transport has not authenticated the sender".into()));
        };
        for context in claims.contexts {
            let mut callers = context.callers().peekable();
            if callers.peek().is_none() && !self.allow_no_caller {
                return Err(Refused("a call names no caller".into()));
            }
            if !callers.all(|caller| is_only(caller, sid)) {
                return Err(Refused("a call claims another caller than the authenticated sender".into()));
            }
        }
        Ok(())
    }
}

/// Whether a caller claims a SID, and no other than this.
fn is_only(caller: &Collection<'_>, sid: &Sid<'_>) -> bool {
    let types = [PropertyType::AUTHENTICATED_SID, PropertyType::APPLICATION_SID];
    let mut sids = caller.properties.iter().filter(|p| types.contains(&p.property_type)).peekable();
    sids.peek().is_some() && sids.all(|p| matches!(p.value(), PropertyValue::Sid(claimed) if claimed == *sid))
}
