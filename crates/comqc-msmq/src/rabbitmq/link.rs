//! Connections to the broker, and the queues that have to be there.

use std::future::Future;
use std::time::Duration;

use async_rs::{Runtime, Tokio};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Error, ErrorKind, Queue,
};
use tokio::time::{Instant, sleep, timeout};

use super::address::{Address, Kind};
use super::guard::{Guard, Guarded, Kit};
use super::headers::short;
use crate::{Place, QueueError};

const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Where messages come back to the front, but are not to be lost by coming back: with no limit a quorum queue of RabbitMQ
/// 3.10 and later puts them at its end.
const NEVER: i64 = 1_000_000_000;
/// Reply codes after which asking again is of no use: access-refused, precondition-failed, not-allowed, not-implemented.
const FINAL: [u16; 4] = [403, 406, 530, 540];

/// One connection with one channel.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

impl Link {
    /// Connects, and makes sure that the queues are there; tries again, with growing waits, until `deadline`.
    pub(crate) async fn open(address: &Address, deadline: Instant) -> Result<Self, QueueError> {
        let mut wait = SHORTEST_WAIT;
        loop {
            let error = match timeout(address.limit, Self::attempt(address)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) if is_final(&error) => return Err(told(&error)),
                Ok(Err(error)) => told(&error),
                Err(_) => QueueError::Disconnected("no answer while connecting".into()),
            };
            if Instant::now().checked_add(wait).is_none_or(|next| next > deadline) {
                return Err(error);
            }
            tracing::debug!(%address, %error, "the broker is asked again");
            sleep(wait).await;
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(address: &Address) -> Result<Self, Error> {
        let mut tls = OwnedTLSConfig::default();
        if let Some(path) = &address.authority {
            tls.cert_chain = Some(tokio::fs::read_to_string(path).await?);
        }
        let name = format!("comqc-msmq {}", address.queue);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tokio = Tokio::current();
        let kit = Kit::new(tokio.clone(), Guarded(tokio.clone()));
        let connect = async move |uri: AMQPUri, _| {
            let stream = uri.connect_with_config_async(tls.as_ref(), &Runtime::new(tokio.clone())).await?;
            Ok(AsyncTcpStream::Plain(Guard::new(stream)))
        };
        let connection = Connection::connector(address.uri(), Runtime::new(kit), connect, properties).await?;
        let channel = connection.create_channel().await?;
        if address.declare {
            for (name, arguments) in queues(address) {
                channel.queue_declare(short(&name), QueueDeclareOptions::durable(), arguments).await?;
            }
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { connection, channel })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    pub(crate) async fn close(self, limit: Duration) {
        let close = self.connection.close(200, "OK".into());
        let _may_be_gone = within(limit, "close a connection", close).await;
    }
}

/// What the queues of an application are like.
fn queues(address: &Address) -> Vec<(String, FieldTable)> {
    let main = address.name(Place::Main);
    let dead = address.name(Place::Dead);
    let guard = i64::from(address.delivery_limit);
    let mut queues = Vec::new();
    // Whatever the others refer to comes before them.
    queues.push((dead.clone(), arguments(address, NEVER, None)));
    let mut arguments_of_main = arguments(address, guard, Some(&dead));
    arguments_of_main.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    queues.push((main.clone(), arguments_of_main));
    for number in 0..address.retries {
        queues.push((address.name(Place::Retry(number)), arguments(address, NEVER, Some(&main))));
    }
    queues.push((address.name(Place::Journal), arguments(address, NEVER, None)));
    let mut last_only = arguments(address, NEVER, None);
    last_only.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
    queues.push((address.attempts(), last_only));
    queues
}

fn arguments(address: &Address, limit: i64, next: Option<&str>) -> FieldTable {
    let mut arguments = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    if let Some(next) = next {
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(next));
    }
    match address.kind {
        Kind::Quorum => {
            arguments.insert("x-queue-type".into(), text("quorum"));
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(limit));
            if next.is_some() {
                // Otherwise what the broker moves by itself may be lost on the way; this is how it takes it.
                arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
                arguments.insert("x-overflow".into(), text("reject-publish"));
            }
        }
        Kind::Classic => {
            arguments.insert("x-queue-type".into(), text("classic"));
        }
    }
    arguments
}

/// Publishes a message into a queue, and returns when the broker has confirmed that it is on disk.
pub(crate) async fn publish(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
    limit: Duration,
) -> Result<(), QueueError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirmed =
        async { channel.basic_publish("".into(), short(queue), options, body, properties).await?.await };
    match within(limit, "confirm a message", confirmed).await? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(QueueError::Backend(format!(
            "RabbitMQ has returned the message: {} {}, queue {queue:?}",
            returned.reply_code, returned.reply_text
        ))),
        Confirmation::Nack(_) => Err(QueueError::Full(format!("RabbitMQ refuses it, queue {queue:?}"))),
        Confirmation::NotRequested => Err(QueueError::Damaged("RabbitMQ confirms nothing".into())),
    }
}

/// What the broker knows of a queue; on a channel of its own, which it closes when there is no such queue.
pub(crate) async fn look(channel: &Channel, queue: &str) -> Result<Queue, Error> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    channel.queue_declare(short(queue), options, FieldTable::default()).await
}

/// An answer of the broker, for which is waited so long.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, QueueError> {
    match timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| told(&error)),
        Err(_) => Err(QueueError::Disconnected(format!("RabbitMQ did not {what} in {} s", limit.as_secs()))),
    }
}

fn code(error: &Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

fn is_final(error: &Error) -> bool {
    code(error).is_some_and(|code| FINAL.contains(&code))
}

/// The library's errors hold texts of the broker and the system, never the address.
pub(crate) fn told(error: &Error) -> QueueError {
    match code(error) {
        Some(406) => QueueError::Damaged(format!("RabbitMQ has it with other properties: {error}")),
        Some(404) => QueueError::Backend(format!("RabbitMQ does not have it: {error}")),
        Some(code) if FINAL.contains(&code) => QueueError::Backend(format!("RabbitMQ refuses: {error}")),
        _ => QueueError::Disconnected(error.to_string()),
    }
}
