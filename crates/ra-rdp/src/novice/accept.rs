//! The RDP connection sequence of the server, stepped by hand ([MS-RDPBCGR] 1.3.1.1).

use std::sync::Arc;

use ironrdp_acceptor::{Acceptor, AcceptorState};
use ironrdp_connector::{DesktopSize, Sequence as _, state_downcast};
use ironrdp_core::{WriteBuf, decode, encode_vec};
use ironrdp_pdu::Action;
use ironrdp_pdu::mcs::SendDataRequest;
use ironrdp_pdu::nego::{ConnectionConfirm, ConnectionRequest, FailureCode, SecurityProtocol};
use ironrdp_pdu::rdp::ClientInfoPdu;
use ironrdp_pdu::rdp::capability_sets::{
    Bitmap, BitmapDrawingFlags, CapabilitySet, General, GeneralExtraFlags, Input, InputFlags, Order,
    OrderFlags, OrderSupportExFlags, Pointer, VirtualChannel, VirtualChannelFlags,
};
use ironrdp_pdu::x224::X224;
use ra_session::{ClientInfo, Role};
use remassist_core::Secret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tracing::debug;

use super::{Caller, NoviceOptions};
use crate::channels::Ids;
use crate::chunk::user_data;
use crate::display::Format;
use crate::statics::{self, Drdynvc, Encomsp, Remdesk};
use crate::wire::{EARLY, Frame, Stream, Wire};
use crate::{RdpError, Security};

/// The I/O channel of the acceptor.
const IO_CHANNEL: u16 = 1003;

/// A connection that stands.
pub(super) struct Accepted {
    pub(super) wire: Wire<Stream>,
    pub(super) client_info: ClientInfo,
    pub(super) ids: Ids,
    pub(super) io_channel: u16,
    pub(super) format: Format,
    /// What came on the channels before the end of the sequence.
    pub(super) early: Vec<Frame>,
}

fn capabilities(width: u16, height: u16) -> Vec<CapabilitySet> {
    vec![
        // [MS-RA] 3.3: demanded of both.
        CapabilitySet::General(General {
            extra_flags: GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED
                | GeneralExtraFlags::NO_BITMAP_COMPRESSION_HDR,
            refresh_rect_support: true,
            suppress_output_support: true,
            ..General::default()
        }),
        CapabilitySet::Bitmap(Bitmap {
            pref_bits_per_pix: 32,
            desktop_width: width,
            desktop_height: height,
            desktop_resize_flag: true,
            drawing_flags: BitmapDrawingFlags::ALLOW_SKIP_ALPHA,
        }),
        CapabilitySet::Order(Order::new(OrderFlags::empty(), OrderSupportExFlags::empty(), 2048, 224)),
        CapabilitySet::Pointer(Pointer { color_pointer_cache_size: 20, pointer_cache_size: 20 }),
        CapabilitySet::Input(Input {
            input_flags: InputFlags::SCANCODES
                | InputFlags::MOUSEX
                | InputFlags::UNICODE
                | InputFlags::TS_MOUSE_HWHEEL
                | InputFlags::FASTPATH_INPUT_2,
            keyboard_layout: 0,
            keyboard_type: None,
            keyboard_subtype: 0,
            keyboard_function_key: 12,
            keyboard_ime_filename: String::new(),
        }),
        CapabilitySet::VirtualChannel(VirtualChannel {
            flags: VirtualChannelFlags::NO_COMPRESSION,
            chunk_size: None,
        }),
    ]
}

pub(super) async fn accept(
    caller: Caller,
    options: &NoviceOptions,
    tls: Arc<ServerConfig>,
    (width, height): (u16, u16),
) -> Result<Accepted, RdpError> {
    let Caller { wire: mut plain, request, .. } = caller;
    let protocol = choose(options.security, &request, &mut plain).await?;
    #[cfg(feature = "standard-security")]
    let request = match &options.standard {
        Some((key, selected)) if protocol.is_empty() => {
            let mut layer = crate::standard::server(key, *selected)?;
            let bytes = layer.incoming(&request.bytes)?.unwrap_or_default();
            plain.set_layer(layer);
            Frame { action: request.action, bytes: bytes[..].into() }
        }
        _ => request,
    };
    let size = DesktopSize { width, height };
    let mut acceptor = Acceptor::new(protocol, size, capabilities(width, height), None);
    acceptor.attach_static_channel(Remdesk);
    acceptor.attach_static_channel(Encomsp);
    acceptor.attach_static_channel(Drdynvc);
    let mut out = WriteBuf::new();
    step(&mut acceptor, &request.bytes, &mut out, &mut plain)?;
    while acceptor.reached_security_upgrade().is_none() {
        if acceptor.next_pdu_hint().is_some() {
            return Err(RdpError::Protocol("no negotiation"));
        }
        step(&mut acceptor, &[], &mut out, &mut plain)?;
    }
    plain.flush().await?;
    acceptor.mark_security_upgrade_as_done();
    let wire = if protocol.is_empty() {
        plain.boxed(|tcp| -> Stream { Box::new(tcp) })
    } else {
        let tls = TlsAcceptor::from(tls).accept(plain.into_stream()?).await.map_err(|_| RdpError::Tls)?;
        Wire::new(Box::new(tls) as Stream)
    };
    finish(acceptor, wire, out).await
}

/// What the expert asks for, and what it gets ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2).
async fn choose(
    security: Security,
    request: &Frame,
    wire: &mut Wire<TcpStream>,
) -> Result<SecurityProtocol, RdpError> {
    let request = decode::<X224<ConnectionRequest>>(&request.bytes);
    let X224(request) = request.map_err(|_| RdpError::Protocol("no X.224 connection request"))?;
    let offers_tls = request.protocol.contains(SecurityProtocol::SSL);
    let refusal = match (security, offers_tls) {
        (Security::Tls | Security::Any, true) => return Ok(SecurityProtocol::SSL),
        (Security::Rdp | Security::Any, false) if request.protocol.is_empty() => {
            return Ok(SecurityProtocol::empty());
        }
        (Security::Rdp, _) => FailureCode::SSL_NOT_ALLOWED_BY_SERVER,
        (Security::Tls | Security::Any, false) => FailureCode::SSL_REQUIRED_BY_SERVER,
    };
    debug!(?security, "the expert is told which security to use");
    if let Ok(bytes) = encode_vec(&X224(ConnectionConfirm::Failure { code: refusal })) {
        wire.send(&bytes);
    }
    wire.flush().await?;
    Err(RdpError::Security)
}

fn step<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &mut Acceptor,
    input: &[u8],
    out: &mut WriteBuf,
    wire: &mut Wire<S>,
) -> Result<(), RdpError> {
    let name = acceptor.state().name();
    out.clear();
    acceptor.step(input, None, out).map_err(|_| RdpError::Connection(name))?;
    wire.send(out.filled());
    Ok(())
}

async fn finish(
    mut acceptor: Acceptor,
    mut wire: Wire<Stream>,
    mut out: WriteBuf,
) -> Result<Accepted, RdpError> {
    let (mut client_info, mut early) = (None, Vec::new());
    loop {
        if let Some(result) = acceptor.get_result() {
            let client_info = client_info.ok_or(RdpError::Protocol("no Client Info PDU"))?;
            statics::fast_path(&result.capabilities)?;
            let format = Format::of(&result.capabilities)?;
            // The expert waits for it, whatever the program does before it asks for events.
            wire.flush().await?;
            let ids = statics::ids(result.user_channel_id, &result.static_channels);
            return Ok(Accepted { wire, client_info, ids, io_channel: result.io_channel_id, format, early });
        }
        if acceptor.next_pdu_hint().is_none() {
            step(&mut acceptor, &[], &mut out, &mut wire)?;
            continue;
        }
        let frame = wire.frame().await?;
        let state = state_downcast::<AcceptorState>(acceptor.state());
        match state {
            Some(AcceptorState::SecureSettingsExchange { .. }) => client_info = Some(client_info_of(&frame)?),
            // The acceptor would take what comes on other channels for its own.
            Some(
                AcceptorState::CapabilitiesWaitConfirm { .. } | AcceptorState::ConnectionFinalization { .. },
            ) if frame.action == Action::FastPath
                || user_data(Role::Novice, &frame.bytes).is_some_and(|(id, _)| id != IO_CHANNEL) =>
            {
                if early.len() >= EARLY {
                    return Err(RdpError::Protocol("too much before the connection is finished"));
                }
                early.push(frame);
                continue;
            }
            _ => {}
        }
        step(&mut acceptor, &frame.bytes, &mut out, &mut wire)?;
    }
}

/// [MS-RA] 2.2.7.2. `ClientInfo` of IronRDP shows the password in its `Debug`: it is never formatted here.
fn client_info_of(frame: &Frame) -> Result<ClientInfo, RdpError> {
    let broken = RdpError::Protocol("a Client Info PDU that cannot be read");
    let Ok(X224(data)) = decode::<X224<SendDataRequest<'_>>>(&frame.bytes) else { return Err(broken) };
    let Ok(pdu) = decode::<ClientInfoPdu>(&data.user_data) else { return Err(broken) };
    let info = pdu.client_info;
    Ok(ClientInfo {
        working_dir: Secret::new(info.work_dir),
        alternate_shell: Secret::new(info.alternate_shell),
        user_name: info.credentials.username,
    })
}
