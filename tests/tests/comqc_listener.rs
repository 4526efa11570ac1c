//! The listener over a queue of the test's own: what it tells the queue, when it gives up, how it ends.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use comqc_format::{Recording, SecurityData, Writer};
use comqc_msmq::{
    AsyncComponent, Components, Counts, Delivery, Handler, Listed, Listener, ListenerOptions, Outcome, Place,
    Queue, QueueError,
};
use comqc_session::{
    CallError, DeadReason, MessageId, Playback, PlayedCall, Player, PlayerOptions, QueueMessage, Received,
    Sender, Timestamp, Verdict,
};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::{Uuid, uuid};

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

/// Gives what the test has put in, and keeps what it is told.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Received, QueueError>>>,
    settling: Mutex<VecDeque<QueueError>>,
    settled: Mutex<Vec<(MessageId, Verdict)>>,
    receives: AtomicUsize,
}

#[async_trait]
impl Queue for Script {
    fn address(&self) -> String {
        "script".into()
    }
    async fn send(&self, _: QueueMessage) -> Result<MessageId, QueueError> {
        unreachable!()
    }
    async fn forward(&self, _: Received) -> Result<(), QueueError> {
        unreachable!()
    }
    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        // Time is virtual: who asks for ever would never end.
        assert!(self.receives.fetch_add(1, Ordering::Relaxed) < 1_000);
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer.map(|received| Some(Delivery::new(received, 0))),
            None => {
                tokio::time::sleep(wait).await;
                Ok(None)
            }
        }
    }
    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        if let Some(error) = self.settling.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.settled.lock().unwrap().push((delivery.received.id, verdict.clone()));
        Ok(())
    }
    async fn list(&self, _: Place, _: Option<MessageId>, _: usize) -> Result<Vec<Listed>, QueueError> {
        unreachable!()
    }
    async fn peek(&self, _: Place, _: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        unreachable!()
    }
    async fn move_to(&self, _: Place, _: MessageId, _: Place) -> Result<(), QueueError> {
        unreachable!()
    }
    async fn remove(&self, _: Place, _: MessageId) -> Result<(), QueueError> {
        unreachable!()
    }
    async fn purge(&self, _: Place) -> Result<u64, QueueError> {
        unreachable!()
    }
    async fn count(&self) -> Result<Counts, QueueError> {
        unreachable!()
    }
}

/// A message with so many calls of method 3, or one that is none.
fn message(number: u32, calls: usize) -> Received {
    let mut recording = Recording::new(CLASS);
    let nobody = recording.add_context(SecurityData::EMPTY);
    for call in 0..calls {
        recording.add_call(nobody, INTERFACE, 3, vec![u8::try_from(call).unwrap(), 0, 0, 0]);
    }
    let body =
        if calls == 0 { b"no message".to_vec() } else { Writer::default().to_vec(&recording).unwrap() };
    Received {
        id: MessageId { lineage: CLASS, uniquifier: number },
        message: QueueMessage { body: body.into(), ..QueueMessage::default() },
        sender: Sender::default(),
        sent: Timestamp(1),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}

/// What a component does with its calls.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Plays,
    Fails,
    Panics,
    Hangs,
}

struct Component {
    manner: Manner,
    played: Mutex<Vec<u8>>,
    entered: Notify,
}

impl Component {
    fn new(manner: Manner) -> Arc<Self> {
        Arc::new(Self { manner, played: Mutex::default(), entered: Notify::new() })
    }
}

#[derive(Clone)]
struct Target(Arc<Component>);

#[async_trait]
impl AsyncComponent for Target {
    async fn call(&self, call: &PlayedCall<'_>) -> Result<(), CallError> {
        self.0.entered.notify_one();
        match self.0.manner {
            Manner::Plays => self.0.played.lock().unwrap().push(call.data[0]),
            Manner::Fails => return Err(CallError::new("out of stock")),
            Manner::Panics => panic!("a bug"),
            Manner::Hangs => pending().await,
        }
        Ok(())
    }
}

fn listener(queue: &Arc<Script>, component: &Arc<Component>) -> Listener<Target> {
    let mut player = Player::new(PlayerOptions::default());
    player.register(None, CLASS, Target(component.clone()));
    Listener::new(queue.clone(), player)
}

/// Runs until the queue has nothing more, and returns what it was told.
async fn run(
    queue: &Arc<Script>,
    component: &Arc<Component>,
) -> (Result<(), QueueError>, Vec<(MessageId, Verdict)>) {
    let options = ListenerOptions { until_empty: true, ..ListenerOptions::default() };
    let end = listener(queue, component).with_options(options).run(&Components, pending()).await;
    (end, queue.settled.lock().unwrap().clone())
}

fn give(queue: &Script, answer: Result<Received, QueueError>) {
    queue.answers.lock().unwrap().push_back(answer);
}

fn id(number: u32) -> MessageId {
    MessageId { lineage: CLASS, uniquifier: number }
}

#[tokio::test(start_paused = true)]
async fn calls_are_played_in_order_and_messages_are_done() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    give(&queue, Ok(message(1, 3)));
    give(&queue, Ok(message(2, 1)));
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    assert_eq!(settled, [(id(1), Verdict::Done), (id(2), Verdict::Done)]);
    assert_eq!(*component.played.lock().unwrap(), [0, 1, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_goes_to_the_dead_queue_and_stops_nobody() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    let mut foreign = message(2, 1);
    foreign.message.properties.extension = Vec::new().into();
    give(&queue, Ok(message(1, 0)));
    give(&queue, Ok(foreign));
    give(&queue, Ok(message(3, 1)));
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    let dead = |reason, verdict: &Verdict| matches!(verdict, Verdict::Dead(is, _) if *is == reason);
    assert!(dead(DeadReason::Malformed, &settled[0].1), "{settled:?}");
    assert!(dead(DeadReason::NotQueuedComponent, &settled[1].1), "{settled:?}");
    assert_eq!(settled[2], (id(3), Verdict::Done));
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_a_panic_are_told_with_the_components_words() {
    for (manner, words) in [(Manner::Fails, "out of stock"), (Manner::Panics, "a bug")] {
        let (queue, component) = (Arc::new(Script::default()), Component::new(manner));
        give(&queue, Ok(message(1, 1)));
        let mut last = message(2, 1);
        last.failures = 2;
        give(&queue, Ok(last));
        let (end, settled) = run(&queue, &component).await;
        end.unwrap();
        assert!(matches!(&settled[0].1, Verdict::Again(error) if error.contains(words)), "{settled:?}");
        let Verdict::Retry { queue: 0, wait, error } = &settled[1].1 else { panic!("{settled:?}") };
        assert!(*wait == Duration::from_secs(60) && error.contains(words), "{settled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_queue_are_waited_out_with_growing_waits() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    for _ in 0..4 {
        give(&queue, Err(QueueError::Disconnected("gone".into())));
    }
    give(&queue, Ok(message(1, 1)));
    let began = Instant::now();
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    assert_eq!(settled, [(id(1), Verdict::Done)]);
    // 100 + 200 + 400 + 800, and the wait that shows that the queue is empty.
    assert_eq!(began.elapsed().as_millis(), 1_500 + 250);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_away_is_given_up_and_one_that_is_damaged_at_once() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    for _ in 0..100 {
        give(&queue, Err(QueueError::Disconnected("gone".into())));
    }
    let options = ListenerOptions { give_up: Some(Duration::from_secs(60)), ..ListenerOptions::default() };
    let end = listener(&queue, &component).with_options(options).run(&Components, pending()).await;
    assert!(matches!(end, Err(QueueError::Disconnected(_))), "{end:?}");
    assert!(queue.receives.load(Ordering::Relaxed) < 20);

    let queue = Arc::new(Script::default());
    give(&queue, Err(QueueError::Damaged("not a queue".into())));
    let (end, _) = run(&queue, &component).await;
    assert!(matches!(end, Err(QueueError::Damaged(_))), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_told_until_the_queue_takes_it() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    for _ in 0..3 {
        queue.settling.lock().unwrap().push_back(QueueError::Full("disk".into()));
    }
    give(&queue, Ok(message(1, 1)));
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    assert_eq!(settled, [(id(1), Verdict::Done)]);
    assert_eq!(*component.played.lock().unwrap(), [0], "played once");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_is_no_reason_to_stop() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    queue.settling.lock().unwrap().push_back(QueueError::Locked(id(1)));
    give(&queue, Ok(message(1, 1)));
    give(&queue, Ok(message(2, 1)));
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    assert_eq!(settled, [(id(2), Verdict::Done)]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_message_in_hand_and_takes_no_other() {
    struct Slow(Arc<Component>);
    #[async_trait]
    impl Handler<Target> for Slow {
        async fn play(
            &self,
            _: &Delivery,
            playback: &mut Playback<'_, '_, Target>,
        ) -> Result<Outcome, CallError> {
            self.0.entered.notify_one();
            tokio::time::sleep(Duration::from_secs(10)).await;
            while playback.next_call().is_some() {}
            Ok(Outcome::Played)
        }
    }
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    give(&queue, Ok(message(1, 1)));
    give(&queue, Ok(message(2, 1)));
    let listener = listener(&queue, &component);
    listener.run(&Slow(component.clone()), component.entered.notified()).await.unwrap();
    assert_eq!(*queue.settled.lock().unwrap(), [(id(1), Verdict::Done)]);
    assert_eq!(queue.answers.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_given_up_after_the_grace() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Hangs));
    give(&queue, Ok(message(1, 1)));
    let began = Instant::now();
    let listener = listener(&queue, &component);
    listener.run(&Components, component.entered.notified()).await.unwrap();
    assert_eq!(*queue.settled.lock().unwrap(), [(id(1), Verdict::Return)]);
    assert_eq!(began.elapsed(), ListenerOptions::default().grace);
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_counted() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Plays));
    give(&queue, Err(QueueError::Backend("busy".into())));
    give(&queue, Ok(message(1, 3)));
    give(&queue, Ok(message(2, 0)));
    let listener = listener(&queue, &component);
    let options = ListenerOptions { until_empty: true, ..ListenerOptions::default() };
    let listener = listener.with_options(options);
    listener.run(&Components, pending()).await.unwrap();
    let counted = listener.metrics().snapshot();
    assert_eq!((counted.received, counted.played, counted.calls, counted.queue_errors), (2, 1, 3, 1));
    assert_eq!(counted.dead.get("malformed"), Some(&1));
    assert_eq!((counted.ages_count, counted.ages.values().sum::<u64>(), counted.in_hand), (2, 0, 0));
    let text = counted.to_string();
    assert!(text.contains("\ncomqc_played_total 1\n"), "{text}");
    assert!(text.contains("\ncomqc_dead_total{reason=\"malformed\"} 1\n"), "{text}");
    assert!(text.contains("\ncomqc_age_seconds_bucket{le=\"+Inf\"} 2\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn exception_classes_get_what_has_failed_in_every_round() {
    let (queue, component) = (Arc::new(Script::default()), Component::new(Manner::Fails));
    let rescue = Component::new(Manner::Plays);
    let mut last = message(1, 2);
    (last.round, last.failures) = (5, 2);
    give(&queue, Ok(last.clone()));
    let mut player = Player::new(PlayerOptions::default());
    player.register(None, CLASS, Target(component.clone()));
    player.register_exception(None, CLASS, Target(rescue.clone()));
    let options = ListenerOptions { until_empty: true, ..ListenerOptions::default() };
    let listener = Listener::new(queue.clone(), player).with_options(options);
    listener.run(&Components, pending()).await.unwrap();
    assert_eq!(*queue.settled.lock().unwrap(), [(id(1), Verdict::Done)]);
    assert_eq!(*rescue.played.lock().unwrap(), [0, 1]);

    give(&queue, Ok(last));
    let (end, settled) = run(&queue, &component).await;
    end.unwrap();
    assert!(matches!(settled[1].1, Verdict::Dead(DeadReason::Exhausted, _)), "{settled:?}");
}
