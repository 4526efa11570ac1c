//! What one novice, one caller, one call may take.

/// Limits of a novice; those on connections and failed logons are of the RPC server.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoviceLimits {
    /// Objects of all callers.
    pub objects: usize,
    /// Objects of one caller. An expert that lists sessions through IPCHCollection needs one for each session.
    pub objects_per_caller: usize,
    /// Ping sets of all callers.
    pub sets: usize,
    /// Ping sets of one caller: one for each machine from which it calls is enough.
    pub sets_per_caller: usize,
    /// Objects in one ping set.
    pub objects_per_set: usize,
    /// Interfaces asked for, references changed, names looked up or elements fetched in one call.
    pub items_per_call: usize,
    /// Sessions told; a provider that has more is refused with `E_OUTOFMEMORY`.
    pub sessions: usize,
    /// Characters of a name that an expert gives to an ISAFSession.
    pub name: usize,
}

impl Default for NoviceLimits {
    /// 8,192 and 1,024 objects, 1,024 and 16 sets of 1,024 objects, 256 items in one call, 4,096 sessions, names of 512
    /// characters.
    fn default() -> Self {
        Self {
            objects: 8192,
            objects_per_caller: 1024,
            sets: 1024,
            sets_per_caller: 16,
            objects_per_set: 1024,
            items_per_call: 256,
            sessions: 4096,
            name: 512,
        }
    }
}
