//! Addresses of queues.

use std::sync::Arc;

use comqc_msmq::Queue;
#[cfg(feature = "rabbitmq")]
use comqc_msmq::RabbitQueue;
use comqc_msmq::sqlite::{Mode, SqliteAddress, SqliteQueue};
use remassist::core::Secret;

use crate::Failure;

/// A queue that is open.
pub struct Opened {
    pub queue: Arc<dyn Queue>,
    #[cfg(feature = "rabbitmq")]
    broker: Option<Arc<RabbitQueue>>,
}

impl std::ops::Deref for Opened {
    type Target = dyn Queue;

    fn deref(&self) -> &Self::Target {
        &*self.queue
    }
}

impl Opened {
    /// Gives back what a broker has sent ahead, so that it does not look as if a player had died.
    pub async fn close(self) {
        #[cfg(feature = "rabbitmq")]
        if let Some(broker) = &self.broker {
            broker.close().await;
        }
    }
}

/// The queue at an address, which is made when it is not there yet.
pub async fn queue(url: &Secret<String>) -> Result<Opened, Failure> {
    open(url, false).await
}

/// The queue at an address, whose file must be there.
pub async fn existing(url: &Secret<String>) -> Result<Opened, Failure> {
    open(url, true).await
}

async fn open(url: &Secret<String>, existing: bool) -> Result<Opened, Failure> {
    let text = url.expose().as_str();
    match text.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let mut address: SqliteAddress = text.parse()?;
            if existing && address.mode == Mode::Create {
                address.mode = Mode::Existing;
            }
            let queue = SqliteQueue::from(address.open()?);
            Ok(Opened {
                queue: Arc::new(queue),
                #[cfg(feature = "rabbitmq")]
                broker: None,
            })
        }
        #[cfg(feature = "rabbitmq")]
        Some("amqp" | "amqps") => {
            let broker = Arc::new(RabbitQueue::open(text).await?);
            Ok(Opened { queue: Arc::<RabbitQueue>::clone(&broker), broker: Some(broker) })
        }
        #[cfg(not(feature = "rabbitmq"))]
        Some("amqp" | "amqps") => {
            Err(Failure::Usage("this program was built without RabbitMQ (feature rabbitmq)".to_owned()))
        }
        // The text may hold a password wherever it is not understood.
        _ => Err(Failure::Usage(
            "a queue is sqlite:FILE?queue=NAME or amqp://HOST/VHOST?queue=NAME".to_owned(),
        )),
    }
}
