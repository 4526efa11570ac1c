//! Messages that break every rule, among good ones, in a real queue: the listener plays the good ones in their order and
//! puts the others into the dead queue.

use std::future::pending;
use std::sync::Arc;

use comqc_format::{MSMQ_EXTENSION_GUID, Reader, Recording, SecurityData, Writer};
use comqc_msmq::sqlite::{InTransaction, SqliteQueue, Store, StoredQueue, rusqlite::Transaction};
use comqc_msmq::{Listener, ListenerOptions, Place};
use comqc_session::{CallError, MessageId, Playback, Player, PlayerOptions, Properties, QueueMessage};
use remassist_core::DecodeError;
use testkit::vectors;
use uuid::{Uuid, uuid};

use testkit::measure::Random;

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

struct Hostile {
    queue: StoredQueue,
    /// Those that are to be played, in order.
    good: Vec<MessageId>,
    bad: u64,
}

impl Hostile {
    fn send(&mut self, extension: &[u8], body: &[u8]) -> MessageId {
        let properties = Properties { extension: extension.to_vec().into(), ..Properties::default() };
        self.queue.send(&QueueMessage { properties, body: body.to_vec().into() }).unwrap()
    }

    fn good(&mut self, calls: usize) {
        let id = self.send(&MSMQ_EXTENSION_GUID.to_bytes_le(), &message(calls, 4));
        self.good.push(id);
    }

    fn bad(&mut self, extension: &[u8], body: &[u8]) {
        self.send(extension, body);
        self.bad += 1;
    }

    /// What is no message of the strict format.
    fn body(&mut self, body: &[u8]) {
        let calls = Reader::strict(body).and_then(Iterator::collect::<Result<Vec<_>, DecodeError>>);
        if calls.is_err() {
            self.bad(&MSMQ_EXTENSION_GUID.to_bytes_le(), body);
        }
    }

    /// Plays everything and returns what was played.
    fn play(&self) -> Vec<MessageId> {
        let played = std::sync::Mutex::new(Vec::new());
        let component = |_: &Transaction<'_>, playback: &mut Playback<'_, '_, ()>| -> Result<(), CallError> {
            while playback.next_call().is_some() {}
            played.lock().unwrap().push(playback.received().id);
            Ok(())
        };
        let mut player = Player::new(PlayerOptions::default());
        player.register(None, CLASS, ());
        let options = ListenerOptions { until_empty: true, ..ListenerOptions::default() };
        let queue = Arc::new(SqliteQueue::from(self.queue.clone()));
        let listener = Listener::new(queue, player).with_options(options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let handler = InTransaction::of_queue(self.queue.clone(), component);
        runtime.block_on(listener.run(&handler, pending())).unwrap();
        drop(handler);
        played.into_inner().unwrap()
    }
}

fn message(calls: usize, size: usize) -> Vec<u8> {
    let mut recording = Recording::new(CLASS);
    let nobody = recording.add_context(SecurityData::EMPTY);
    for _ in 0..calls {
        recording.add_call(nobody, INTERFACE, 3, vec![0; size]);
    }
    Writer { max_size: usize::MAX, ..Writer::default() }.to_vec(&recording).unwrap()
}

#[test]
fn hostile_messages_never_stop_a_player() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Store::open(folder.path().join("queue.db")).unwrap().queue("orders").unwrap();
    let mut all = Hostile { queue, good: Vec::new(), bad: 0 };
    let extension = MSMQ_EXTENSION_GUID.to_bytes_le();
    all.good(1);

    for case in vectors::json("comqc/invalid.json")["messages"].as_array().unwrap() {
        assert_eq!(case["strict"], "reject");
        all.bad(&vectors::hex(&case["extension_hex"]), &vectors::hex(&case["hex"]));
    }
    all.good(2);

    // Cut, changed, doubled.
    let mut random = Random::seeded();
    for case in vectors::json("comqc/valid.json")["messages"].as_array().unwrap() {
        let body = vectors::hex(&case["hex"]);
        for _ in 0..20 {
            let mut damaged = body.clone();
            let place = usize::try_from(random.below(body.len() as u64)).unwrap();
            match random.below(3) {
                0 => damaged.truncate(place),
                1 => damaged[place] ^= 1 << random.below(8),
                _ => damaged.extend_from_within(place..),
            }
            all.body(&damaged);
        }
    }
    all.good(3);

    // Too much of everything; a security reference to itself; no message at all; another's extension.
    all.bad(&extension, &message(10_001, 0));
    all.bad(&extension, &message(130_000, 0));
    all.bad(&extension, &message(1, 4_192_000));
    let mut looped = message(1, 8);
    let reference = u32::try_from(looped.len()).unwrap();
    looped.extend([b"SECR".as_slice(), &16_u32.to_le_bytes(), &reference.to_le_bytes(), &[0; 4]].concat());
    looped.extend([b"SMTH".as_slice(), &32_u32.to_le_bytes(), &3_u32.to_le_bytes()].concat());
    looped.extend([0x10_u32, 0x1000, 0, 1, 0].map(u32::to_le_bytes).concat());
    let size = u32::try_from(looped.len()).unwrap().to_le_bytes();
    looped[32..36].copy_from_slice(&size);
    all.bad(&extension, &looped);
    all.bad(&extension, b"");
    all.bad(b"", &message(1, 4));
    all.good(10_000);

    let played = all.play();
    assert_eq!(played, all.good);
    let counts = all.queue.count().unwrap();
    assert_eq!((counts.main, counts.retry.iter().sum::<u64>(), counts.dead), (0, 0, all.bad));
    for dead in all.queue.list(Place::Dead, None, 10_000).unwrap() {
        assert!(dead.dead.is_some() && dead.error.is_some_and(|error| !error.is_empty()), "{:?}", dead.id);
        assert_eq!(dead.failures, 0, "never tried");
    }
}
