//! Addresses of queues.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use comqc_msmq::msmq::DirectQueue;
use comqc_msmq::session::DirectName;
use comqc_msmq::sqlite::{Outbox, Store, Transfer};
use comqc_msmq::{OpenOptions, Queue};
use remassist::core::Secret;

use crate::Failure;
use crate::args::OutboxArg;

/// The queue at an address, which is made when it is not there yet.
pub async fn queue(url: &Secret<String>, outbox: &OutboxArg) -> Result<Arc<dyn Queue>, Failure> {
    open(url, outbox, false).await
}

/// The queue at an address, whose file must be there.
pub async fn existing(url: &Secret<String>, outbox: &OutboxArg) -> Result<Arc<dyn Queue>, Failure> {
    open(url, outbox, true).await
}

async fn open(url: &Secret<String>, outbox: &OutboxArg, existing: bool) -> Result<Arc<dyn Queue>, Failure> {
    let url = url.expose().as_str();
    let mut options = OpenOptions { existing, ..OpenOptions::default() };
    if is_direct(url) {
        options.outbox = Some(path(outbox.outbox.as_deref(), existing)?);
        options.transfer = outbox.transfer();
    }
    Ok(comqc_msmq::open(url, &options).await?)
}

/// Whether it is a queue of another machine.
fn is_direct(url: &str) -> bool {
    url.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("DIRECT="))
}

/// The queue at an address where it is one of another machine.
pub fn direct(url: &Secret<String>, outbox: &OutboxArg) -> Result<Option<DirectQueue>, Failure> {
    let Some(name) = url.expose().get(7..).filter(|_| is_direct(url.expose())) else { return Ok(None) };
    let wrong = |error| Failure::Usage(format!("DIRECT={name} is no direct format name: {error}"));
    let name: DirectName = name.parse().map_err(wrong)?;
    let store = Outbox::new(Store::open(path(outbox.outbox.as_deref(), false)?)?);
    Ok(Some(DirectQueue::new(&store, &name, outbox.transfer())?))
}

/// The file of the outbox; its directory is made where it is the usual one.
pub fn path(outbox: Option<&Path>, existing: bool) -> Result<PathBuf, Failure> {
    if let Some(path) = outbox {
        return Ok(path.to_owned());
    }
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = if cfg!(windows) {
        named("LOCALAPPDATA")
    } else {
        named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")))
    };
    let directory = state.map(|state| state.join("remassist"));
    let directory = directory.ok_or_else(|| Failure::Usage("there is no home: --outbox FILE".to_owned()))?;
    if !existing {
        std::fs::create_dir_all(&directory)
            .map_err(|error| Failure::Input(format!("{}: {error}", directory.display())))?;
    }
    Ok(directory.join("outbox.db"))
}

impl OutboxArg {
    /// How messages are numbered.
    pub fn transfer(&self) -> Transfer {
        match (self.not_transactional, self.pipelined) {
            (true, _) => Transfer::Plain,
            (false, true) => Transfer::Sequence,
            (false, false) => Transfer::Single,
        }
    }
}
