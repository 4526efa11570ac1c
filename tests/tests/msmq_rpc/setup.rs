//! A queue manager with two queues in a store, and accounts.

use std::sync::Arc;
use std::time::Duration;

use comqc_msmq::rpc::{AccessList, EndpointMapper, ManagerOptions, QueueManager, Rights, ServedQueue};
use comqc_msmq::session::{LocalName, MessageId, Name, Properties, QueueMessage};
use comqc_msmq::sqlite::{SqliteQueue, Store, StoredQueue};
use rpc_net::{ConnectOptions, Credentials, MemoryAccounts, NoAudit, Server, ServerOptions};
use tokio::net::TcpListener;
use uuid::{Uuid, uuid};

pub(crate) const MACHINE: Uuid = uuid!("8b0c1f5e-8a4e-4e65-9a83-8f6d4c0e7a11");
/// Long for a test, short for a person.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct House {
    pub(crate) manager: Arc<QueueManager>,
    pub(crate) store: Store,
    pub(crate) server: Server,
    _folder: tempfile::TempDir,
}

pub(crate) fn private(name: &str) -> LocalName {
    format!("PRIVATE$\\{name}").parse().unwrap()
}

pub(crate) fn options() -> ManagerOptions {
    let mut options = ManagerOptions::new(Name::computer("box.example.com").unwrap(), MACHINE);
    options.client_protocol = true;
    options
}

/// Ann may read and manage everything, Bob may read `orders`, Sue may send to it, Eve may do nothing.
pub(crate) fn access() -> AccessList {
    AccessList::new()
        .with("DOM\\ann", None, Rights::ALL)
        .with("bob", Some(private("orders")), Rights::READ)
        .with("sue", Some(private("orders")), Rights::SEND)
}

pub(crate) fn accounts() -> MemoryAccounts {
    ["ann", "bob", "sue", "eve"]
        .into_iter()
        .fold(MemoryAccounts::new(), |accounts, user| accounts.with(Some("DOM"), user, &password(user)))
}

pub(crate) fn password(user: &str) -> String {
    format!("{user}'s password")
}

pub(crate) fn credentials(user: &str) -> ConnectOptions {
    ConnectOptions::new(Credentials::new("DOM", user, password(user)))
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(options(), |manager| manager).await
    }

    pub(crate) async fn with(
        options: ManagerOptions,
        change: impl FnOnce(QueueManager) -> QueueManager,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("queues.db")).unwrap();
        let manager = Arc::new(change(QueueManager::new(options, Arc::new(access()))));
        for name in ["orders", "other"] {
            manager.serve(ServedQueue {
                name: private(name),
                queue: Arc::new(SqliteQueue::from(store.queue(name).unwrap())),
                label: format!("the queue {name}"),
                transactional: name == "orders",
            });
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (accounts, audit) = (Arc::new(accounts()), Arc::new(NoAudit));
        let limits = manager.server_options();
        let server = Server::serve(vec![listener], Arc::clone(&manager), accounts, audit, limits).unwrap();
        Self { manager, store, server, _folder: folder }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.local_addrs()[0].port()
    }

    pub(crate) fn orders(&self) -> StoredQueue {
        self.store.queue("orders").unwrap()
    }

    pub(crate) fn fill(&self, bodies: &[&str]) -> Vec<MessageId> {
        bodies.iter().map(|body| self.orders().send(&message(body)).unwrap()).collect()
    }

    /// An endpoint mapper that knows where RemoteRead is.
    pub(crate) async fn mapper(&self) -> Server {
        let mapper = EndpointMapper::new().with(comqc_msmq::mqrr::REMOTE_READ, self.port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let accounts = Arc::new(MemoryAccounts::new());
        Server::serve(vec![listener], Arc::new(mapper), accounts, Arc::new(NoAudit), ServerOptions::default())
            .unwrap()
    }
}

pub(crate) fn message(body: &str) -> QueueMessage {
    let properties = Properties { label: format!("about {body}"), ..Properties::default() };
    QueueMessage { properties, body: body.as_bytes().to_vec().into() }
}
