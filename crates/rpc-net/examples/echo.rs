//! A server that gives back what it gets, for whoever logs on: `echo ADDRESS ACCOUNTS-FILE`. It says where it listens, and
//! what happens.

use std::sync::Arc;

use rpc_net::{
    Audit, AuditEvent, FileAccounts, IncomingCall, Server, ServerOptions, Service, Status, SyntaxId,
};
use tokio::io::{AsyncWriteExt as _, stdout};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

struct Echo;

impl Service for Echo {
    fn supports(&self, interface: &SyntaxId) -> bool {
        interface.major() == 1
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        match call.opnum {
            0 => Ok(call.stub),
            1 => Ok(format!("{:?} {:?}", call.caller, call.object).into_bytes()),
            2 => Err(Status(0x1234_5678)),
            _ => Err(Status::OP_RNG_ERROR),
        }
    }
}

struct Told(mpsc::UnboundedSender<String>);

impl Audit for Told {
    fn event(&self, event: &AuditEvent) {
        // Who listened is gone when the program ends.
        let _ = self.0.send(format!("{event:?}\n"));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("echo ADDRESS ACCOUNTS-FILE".into());
    };
    let listener = TcpListener::bind(address).await?;
    let (told, mut events) = mpsc::unbounded_channel();
    let accounts = Arc::new(FileAccounts::open(file)?);
    let audit = Arc::new(Told(told));
    let server = Server::serve(vec![listener], Arc::new(Echo), accounts, audit, ServerOptions::default())?;
    stdout().write_all(format!("{:?}\n", server.local_addrs()).as_bytes()).await?;
    while let Some(event) = events.recv().await {
        stdout().write_all(event.as_bytes()).await?;
        stdout().flush().await?;
    }
    Ok(())
}
