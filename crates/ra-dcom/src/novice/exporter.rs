//! The object exporter: objects, their interfaces and references ([MS-DCOM] 3.1.1).
//!
//! Every object belongs to the caller for whom it was made. For all others it does not exist, so private references
//! need only one count, and whoever guesses an id learns nothing.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use ndr_oaut::StdObjRef;
use remassist_core::Time;
use uuid::Uuid;

use super::identity::Identity;
use super::limits::NoviceLimits;
use super::object::Object;
use crate::HResult;

/// How often clients ping ([MS-DCOM] 3.1.2.2).
pub(super) const PING_PERIOD: Duration = Duration::from_secs(120);
/// Three missed pings.
pub(super) const EXPIRY: Duration = Duration::from_secs(360);
/// Public references in a new OBJREF ([MS-DCOM] 3.1.1.5.1).
const REFERENCES: u32 = 5;
/// Ids that are tried before the random numbers are held for broken.
const TRIES: usize = 8;

/// Whose an object is: an identity without regard to upper and lower case.
pub(super) type Owner = (String, String);

pub(super) fn owner(identity: &Identity) -> Owner {
    let Identity { domain, user } = identity.folded();
    (domain, user)
}

/// An object that was handed out.
struct Entry {
    owner: Owner,
    object: Object,
    /// By IID.
    interfaces: BTreeMap<Uuid, Uuid>,
    /// Ping sets that it is in.
    sets: usize,
    /// When it was called last.
    called: Time,
    /// When it was made, or left its last ping set.
    idle: Time,
}

impl Entry {
    /// When an object in no ping set dies.
    fn deadline(&self) -> Time {
        self.called.max(self.idle).after(EXPIRY)
    }
}

/// An interface of an object, by IPID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interface {
    pub(super) oid: u64,
    pub(super) iid: Uuid,
    public: u32,
    private: u32,
}

/// A ping set ([MS-DCOM] 3.1.2.1).
struct PingSet {
    owner: Owner,
    sequence: u16,
    objects: BTreeSet<u64>,
    pinged: Time,
}

/// What one caller has.
#[derive(Default)]
struct Usage {
    objects: usize,
    sets: usize,
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Objects.
    pub objects: usize,
    /// IPIDs.
    pub interfaces: usize,
    /// Ping sets.
    pub sets: usize,
    /// Callers who have objects or ping sets.
    pub callers: usize,
}

/// Why a ping was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PingError {
    NoSet,
    NoObject,
    TooMany,
}

pub(super) type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// The tables.
pub(super) struct Exporter {
    limits: NoviceLimits,
    random: Random,
    oxid: u64,
    remote_unknown: Uuid,
    objects: BTreeMap<u64, Entry>,
    interfaces: BTreeMap<Uuid, Interface>,
    /// Elements of collections that are handed out, so that an element is one object however often it is fetched.
    elements: BTreeMap<(u64, usize), u64>,
    sets: BTreeMap<u64, PingSet>,
    /// By user alone: a client may log on to an account with any domain.
    usage: BTreeMap<String, Usage>,
    /// Nothing dies before this.
    due: Time,
}

impl Exporter {
    /// `None` when the random numbers are not random.
    pub(super) fn new(limits: NoviceLimits, mut random: Random) -> Option<Self> {
        let oxid = number(&mut random, |_| false)?;
        let remote_unknown = guid(&mut random, |_| false)?;
        Some(Self {
            limits,
            random,
            oxid,
            remote_unknown,
            objects: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            elements: BTreeMap::new(),
            sets: BTreeMap::new(),
            usage: BTreeMap::new(),
            due: Time(u64::MAX),
        })
    }

    pub(super) fn oxid(&self) -> u64 {
        self.oxid
    }

    pub(super) fn remote_unknown(&self) -> Uuid {
        self.remote_unknown
    }

    /// A number that is not handed out yet, for a group of elements.
    pub(super) fn group(&mut self) -> Result<u64, HResult> {
        let elements = &self.elements;
        number(&mut self.random, |id| elements.range((*id, 0)..=(*id, usize::MAX)).next().is_some())
            .ok_or(HResult::E_OUTOFMEMORY)
    }

    /// Hands an object out to a caller: as one interface, with references that the caller has to give back.
    pub(super) fn export(
        &mut self,
        owner: &Owner,
        object: Object,
        iid: Uuid,
        now: Time,
    ) -> Result<StdObjRef, HResult> {
        let oid = self.add(owner, object, now)?;
        let marshaled = self.marshal(oid, iid, REFERENCES, now);
        if marshaled.is_err() {
            self.remove_if_unused(oid);
        }
        marshaled
    }

    /// Takes an object in, that still has no interface. Whoever adds it marshals it, or removes it again.
    pub(super) fn add(&mut self, owner: &Owner, object: Object, now: Time) -> Result<u64, HResult> {
        let element = object.element();
        if let Some(oid) = element.and_then(|element| self.elements.get(&element)) {
            return Ok(*oid);
        }
        let mine = self.usage.get(&owner.1).map_or(0, |usage| usage.objects);
        if self.objects.len() >= self.limits.objects || mine >= self.limits.objects_per_caller {
            return Err(HResult::E_OUTOFMEMORY);
        }
        let objects = &self.objects;
        let oid = number(&mut self.random, |id| objects.contains_key(id)).ok_or(HResult::E_OUTOFMEMORY)?;
        let usage = self.usage.entry(owner.1.clone()).or_default();
        usage.objects = usage.objects.saturating_add(1);
        if let Some(element) = element {
            self.elements.insert(element, oid);
        }
        let owner = owner.clone();
        let interfaces = BTreeMap::new();
        self.objects.insert(oid, Entry { owner, object, interfaces, sets: 0, called: now, idle: now });
        self.due = self.due.min(now.after(EXPIRY));
        Ok(oid)
    }

    /// References to one interface of an object ([MS-DCOM] 3.1.1.5.1).
    pub(super) fn marshal(
        &mut self,
        oid: u64,
        iid: Uuid,
        references: u32,
        now: Time,
    ) -> Result<StdObjRef, HResult> {
        let entry = self.objects.get_mut(&oid).ok_or(HResult::E_NOINTERFACE)?;
        if !entry.object.interfaces().contains(&iid) {
            return Err(HResult::E_NOINTERFACE);
        }
        let ipid = match entry.interfaces.get(&iid) {
            Some(ipid) => *ipid,
            None => {
                let (known, own) = (&self.interfaces, self.remote_unknown);
                let taken = |ipid: &Uuid| *ipid == own || known.contains_key(ipid);
                let ipid = guid(&mut self.random, taken).ok_or(HResult::E_OUTOFMEMORY)?;
                entry.interfaces.insert(iid, ipid);
                self.interfaces.insert(ipid, Interface { oid, iid, public: 0, private: 0 });
                ipid
            }
        };
        entry.called = now;
        if let Some(interface) = self.interfaces.get_mut(&ipid) {
            interface.public = interface.public.saturating_add(references);
        }
        Ok(StdObjRef { flags: 0, public_refs: references, oxid: self.oxid, oid, ipid })
    }

    /// References to one interface, as many as a new OBJREF has.
    pub(super) fn marshal_new(&mut self, oid: u64, iid: Uuid, now: Time) -> Result<StdObjRef, HResult> {
        self.marshal(oid, iid, REFERENCES, now)
    }

    /// An interface of an object of this caller.
    pub(super) fn interface(&self, owner: &Owner, ipid: &Uuid) -> Option<Interface> {
        let interface = self.interfaces.get(ipid)?;
        let entry = self.objects.get(&interface.oid)?;
        (entry.owner == *owner).then_some(*interface)
    }

    /// An object of this caller, which is called now.
    pub(super) fn object(&mut self, owner: &Owner, oid: u64, now: Time) -> Option<&mut Object> {
        let entry = self.objects.get_mut(&oid).filter(|entry| entry.owner == *owner)?;
        entry.called = now;
        Some(&mut entry.object)
    }

    /// Adds references; whether the interface is there ([MS-DCOM] 3.1.1.5.6.1.2).
    pub(super) fn add_references(&mut self, owner: &Owner, ipid: &Uuid, public: u32, private: u32) -> bool {
        let there = self.interface(owner, ipid).is_some();
        if let Some(interface) = self.interfaces.get_mut(ipid).filter(|_| there) {
            interface.public = interface.public.saturating_add(public);
            interface.private = interface.private.saturating_add(private);
        }
        there
    }

    /// Gives references back; the last one takes the interface with it, the last interface the object ([MS-DCOM]
    /// 3.1.1.5.6.1.3).
    pub(super) fn release(&mut self, owner: &Owner, ipid: &Uuid, public: u32, private: u32) {
        let Some(Interface { oid, iid, .. }) = self.interface(owner, ipid) else { return };
        let Some(interface) = self.interfaces.get_mut(ipid) else { return };
        interface.public = interface.public.saturating_sub(public);
        interface.private = interface.private.saturating_sub(private);
        if interface.public == 0 && interface.private == 0 {
            self.interfaces.remove(ipid);
            if let Some(entry) = self.objects.get_mut(&oid) {
                entry.interfaces.remove(&iid);
            }
            self.remove_if_unused(oid);
        }
    }

    /// Takes an object out that nobody refers to.
    pub(super) fn remove_if_unused(&mut self, oid: u64) {
        if self.objects.get(&oid).is_some_and(|entry| entry.interfaces.is_empty()) {
            self.remove(oid);
        }
    }

    fn remove(&mut self, oid: u64) {
        let Some(entry) = self.objects.remove(&oid) else { return };
        for ipid in entry.interfaces.values() {
            self.interfaces.remove(ipid);
        }
        if let Some(element) = entry.object.element() {
            self.elements.remove(&element);
        }
        if entry.sets > 0 {
            for set in self.sets.values_mut().filter(|set| set.owner == entry.owner) {
                set.objects.remove(&oid);
            }
        }
        self.give_back(&entry.owner, |usage| usage.objects = usage.objects.saturating_sub(1));
    }

    fn give_back(&mut self, owner: &Owner, change: impl FnOnce(&mut Usage)) {
        if let Some(usage) = self.usage.get_mut(&owner.1) {
            change(usage);
            if usage.objects == 0 && usage.sets == 0 {
                self.usage.remove(&owner.1);
            }
        }
    }

    /// SimplePing ([MS-DCOM] 3.1.2.5.1.2).
    pub(super) fn ping(&mut self, owner: &Owner, set: u64, now: Time) -> Result<(), PingError> {
        let set = self.sets.get_mut(&set).filter(|set| set.owner == *owner).ok_or(PingError::NoSet)?;
        set.pinged = now;
        Ok(())
    }

    /// ComplexPing ([MS-DCOM] 3.1.2.5.1.3): the id of the set, the new one for 0. An OID that is not there is passed over
    /// in a new set, and ends the call in one that is there, as the specification has it.
    pub(super) fn change_set(
        &mut self,
        owner: &Owner,
        set: u64,
        sequence: u16,
        add: &[u64],
        delete: &[u64],
        now: Time,
    ) -> Result<u64, PingError> {
        let new = set == 0;
        if new && add.len() > self.limits.objects_per_set {
            return Err(PingError::TooMany);
        }
        let id = if new { self.new_set(owner, sequence, now)? } else { set };
        let set = self.sets.get_mut(&id).filter(|set| set.owner == *owner).ok_or(PingError::NoSet)?;
        if set.sequence > sequence {
            return Ok(id);
        }
        for oid in add {
            if set.objects.contains(oid) {
                continue;
            }
            let Some(entry) = self.objects.get_mut(oid).filter(|entry| entry.owner == *owner) else {
                if new {
                    continue;
                }
                return Err(PingError::NoObject);
            };
            if set.objects.len() >= self.limits.objects_per_set {
                return Err(PingError::TooMany);
            }
            entry.sets = entry.sets.saturating_add(1);
            set.objects.insert(*oid);
        }
        for oid in delete {
            if set.objects.remove(oid)
                && let Some(entry) = self.objects.get_mut(oid)
            {
                entry.sets = entry.sets.saturating_sub(1);
                entry.idle = now;
                self.due = self.due.min(now.after(EXPIRY));
            }
        }
        set.pinged = now;
        set.sequence = sequence;
        Ok(id)
    }

    fn new_set(&mut self, owner: &Owner, sequence: u16, now: Time) -> Result<u64, PingError> {
        let mine = self.usage.get(&owner.1).map_or(0, |usage| usage.sets);
        if self.sets.len() >= self.limits.sets || mine >= self.limits.sets_per_caller {
            return Err(PingError::TooMany);
        }
        let sets = &self.sets;
        let id = number(&mut self.random, |id| sets.contains_key(id)).ok_or(PingError::TooMany)?;
        let set = PingSet { owner: owner.clone(), sequence, objects: BTreeSet::new(), pinged: now };
        self.sets.insert(id, set);
        let usage = self.usage.entry(owner.1.clone()).or_default();
        usage.sets = usage.sets.saturating_add(1);
        self.due = self.due.min(now.after(EXPIRY));
        Ok(id)
    }

    /// Ends what was not pinged three times ([MS-DCOM] 3.1.2.6, 3.1.1.6.2), and objects that were in no ping set for as
    /// long and were not called either.
    pub(super) fn sweep(&mut self, now: Time) {
        if now < self.due {
            return;
        }
        let late = |set: &PingSet| set.pinged.after(EXPIRY) <= now;
        let sets: Vec<u64> = self.sets.iter().filter(|(_, set)| late(set)).map(|(id, _)| *id).collect();
        for id in sets {
            let Some(set) = self.sets.remove(&id) else { continue };
            for oid in set.objects {
                let Some(entry) = self.objects.get_mut(&oid) else { continue };
                entry.sets = entry.sets.saturating_sub(1);
                // Whoever called in the last period is not dead, whatever became of its pings.
                if entry.sets == 0 && entry.called.after(PING_PERIOD) <= now {
                    self.remove(oid);
                }
            }
            self.give_back(&set.owner, |usage| usage.sets = usage.sets.saturating_sub(1));
        }
        let dead = |entry: &Entry| entry.sets == 0 && entry.deadline() <= now;
        let objects: Vec<u64> =
            self.objects.iter().filter(|(_, entry)| dead(entry)).map(|(oid, _)| *oid).collect();
        for oid in objects {
            self.remove(oid);
        }
        let sets = self.sets.values().map(|set| set.pinged.after(EXPIRY));
        let objects = self.objects.values().filter(|entry| entry.sets == 0).map(Entry::deadline);
        self.due = sets.chain(objects).min().unwrap_or(Time(u64::MAX));
    }

    /// When [`sweep`](Self::sweep) may have something to do.
    pub(super) fn due(&self) -> Option<Time> {
        (self.due != Time(u64::MAX)).then_some(self.due)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            objects: self.objects.len(),
            interfaces: self.interfaces.len(),
            sets: self.sets.len(),
            callers: self.usage.len(),
        }
    }
}

/// A number that is not 0 and not taken.
fn number(random: &mut Random, taken: impl Fn(&u64) -> bool) -> Option<u64> {
    (0..TRIES).find_map(|_| {
        let mut bytes = [0; 8];
        random(&mut bytes);
        Some(u64::from_le_bytes(bytes)).filter(|id| *id != 0 && !taken(id))
    })
}

/// A random GUID that is not nil and not taken.
fn guid(random: &mut Random, taken: impl Fn(&Uuid) -> bool) -> Option<Uuid> {
    (0..TRIES).find_map(|_| {
        let mut bytes = [0; 16];
        random(&mut bytes);
        let some = bytes.iter().any(|byte| *byte != 0);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Some(id).filter(|id| some && !taken(id))
    })
}
