//! What a file becomes on its way to the wire, without a wire: for the benchmarks of the workspace.

use std::io::Read;
use std::sync::Arc;

use bytes::BytesMut;
use ironrdp_core::encode_vec;
use ironrdp_dvc::pdu::{CreateRequestPdu, DrdynvcServerPdu};
use ra_session::{Channel, Event, FileOffer, Files, Misuse, Role, TransferId};
use tokio_rustls::rustls::{ClientConfig, ServerConfig};

use crate::channels::{Channels, Ids};
use crate::uploads::Uploads;
use crate::{RdpError, tls};

/// The MCS channel of the dynamic channels.
const DRDYNVC: u16 = 1006;

/// The files and channels of an expert.
#[derive(Debug)]
pub struct Framing {
    channels: Channels,
    uploads: Uploads,
    next: u32,
}

impl Framing {
    /// With all static channels and no dynamic one.
    #[must_use]
    pub fn new() -> Self {
        let ids = Ids { initiator: 1007, encomsp: Some(1004), remdesk: Some(1005), drdynvc: Some(DRDYNVC) };
        let channels = Channels::new(Role::Expert, ids, 1 << 20);
        Self { channels, uploads: Uploads::default(), next: 1 }
    }

    /// The novice opens a dynamic channel.
    ///
    /// # Errors
    /// [`RdpError::Protocol`].
    pub fn open(&mut self, channel: Channel, out: &mut BytesMut) -> Result<(), RdpError> {
        let create = DrdynvcServerPdu::Create(CreateRequestPdu::new(self.next, channel.to_string()));
        self.next = self.next.saturating_add(1);
        let create = encode_vec(&create).map_err(|_| RdpError::Protocol("a name that cannot be written"))?;
        // One chunk: length, FIRST and LAST.
        let length = u32::try_from(create.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.channels.receive(DRDYNVC, &[&length, &3_u32.to_le_bytes(), create.as_slice()].concat())?;
        self.channels.flush(out)
    }

    /// Offers a file.
    ///
    /// # Errors
    /// As [`Files::send`].
    pub fn offer(
        &mut self,
        files: Files<'_>,
        offer: FileOffer,
        source: impl Read + Send + 'static,
    ) -> Result<TransferId, Misuse> {
        self.uploads.offer(files, offer, Box::new(source))
    }

    /// Looks at an event of the session.
    pub fn follow(&mut self, event: &Event) {
        self.uploads.follow(event);
    }

    /// Appends the next batch of blocks as it goes to TLS. Whether there was one.
    ///
    /// # Errors
    /// [`RdpError`].
    pub fn feed(&mut self, files: Files<'_>, out: &mut BytesMut) -> Result<bool, RdpError> {
        self.uploads.feed(files, &mut self.channels, out)
    }
}

/// Both ends of TLS as a connection has them.
///
/// # Errors
/// [`RdpError::Tls`].
pub fn tls_configs() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), RdpError> {
    Ok((tls::server_config(None)?, tls::client_config(None)?))
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}
