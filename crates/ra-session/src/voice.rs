//! Voice ([MS-RA] 3.17, 3.18), version 1.

use rccommand::{Name, VoipGo};

use crate::VoicePolicy;
use crate::link::Link;

/// Voice.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoiceEvent {
}

/// Voice, of either role: see [`Expert::voice`](crate::Expert::voice).
#[derive(Debug)]
pub struct Voice<'s> {
    pub(crate) link: &'s mut Link,
    pub(crate) machine: &'s mut VoiceMachine,
}

#[derive(Debug)]
pub(crate) struct VoiceMachine {
    policy: VoicePolicy,
}

impl VoiceMachine {
    pub(crate) fn new(policy: VoicePolicy) -> Self { Self { policy } }
    /// A command of voice that the peer may send in version 1.
    pub(crate) fn receive(&mut self, _link: &mut Link, _name: Name) {}
    /// VOIPGO came.
    pub(crate) fn go(&mut self, _link: &mut Link, _go: VoipGo<'_>) {}
    /// The session is over.
    pub(crate) fn end(&mut self, _link: &mut Link) {}
}
