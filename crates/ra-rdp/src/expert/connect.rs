//! The RDP connection sequence of the client, stepped by hand ([MS-RDPBCGR] 1.3.1.1).

use std::net::{Ipv4Addr, SocketAddr};

use ironrdp_connector::{
    BitmapConfig, ClientConnector, ClientConnectorState, Config, ConnectionOutcome, ConnectionResult,
    Credentials, DesktopSize, Sequence as _,
};
use ironrdp_core::{WriteBuf, decode};
use ironrdp_pdu::Action;
use ironrdp_pdu::gcc::{ConnectionType, KeyboardType};
use ironrdp_pdu::nego::{ConnectionConfirm, FailureCode};
use ironrdp_pdu::rdp::capability_sets::{BitmapCodecs, MajorPlatformType, RailSupportLevel};
use ironrdp_pdu::rdp::client_info::{PerformanceFlags, TimezoneInfo};
use ironrdp_pdu::rdp::headers::{ShareControlHeader, ShareControlPdu};
use ironrdp_pdu::x224::X224;
use ra_session::{ClientInfo, Expert, ExpertConfig, Role, ServerKey, Time};
use remassist_core::Secret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tracing::{Dispatch, debug, dispatcher};

use super::{ExpertOptions, dial};
use crate::channels::Ids;
use crate::chunk::user_data;
use crate::statics::{self, Drdynvc, Encomsp, Remdesk};
use crate::wire::{EARLY, Frame, Stream, Wire};
use crate::{Protection, RdpError, Security, tls, wire};

/// A connection that stands.
pub(super) struct Connected {
    pub(super) wire: Wire<Stream>,
    pub(super) protection: Protection,
    pub(super) key: ServerKey,
    pub(super) session: Expert,
    pub(super) started: Instant,
    pub(super) ids: Ids,
    pub(super) result: Box<ConnectionResult>,
    /// What came on the channels before the end of the sequence.
    pub(super) early: Vec<Frame>,
}

/// What the server says to the first request.
enum Answer {
    Ready(Box<ClientConnector>, Wire<Stream>),
    /// Standard RDP security is all that it has.
    WithoutTls,
}

/// The configuration, with nothing secret in it: `Debug` of IronRDP shows all of it.
fn configuration(tls: bool) -> Config {
    Config {
        // The novice's screen decides.
        desktop_size: DesktopSize { width: 1024, height: 768 },
        monitor_layout: None,
        desktop_scale_factor: 0,
        desktop_physical_size: None,
        desktop_orientation: None,
        device_scale_factor: None,
        monitor_extended_layout: None,
        relative_mouse_input: false,
        enable_tls: tls,
        enable_credssp: false,
        enable_standard_rdp_security: !tls,
        credentials: Credentials::UsernamePassword { username: String::new(), password: String::new() },
        domain: None,
        client_build: 0,
        client_name: "expert".to_owned(),
        keyboard_type: KeyboardType::IBM_ENHANCED,
        keyboard_subtype: 0,
        keyboard_functional_keys_count: 12,
        keyboard_layout: 0,
        connection_type: ConnectionType::Lan,
        ime_file_name: String::new(),
        bitmap: Some(BitmapConfig {
            lossy_compression: false,
            color_depth: 32,
            codecs: BitmapCodecs::default(),
        }),
        dig_product_id: String::new(),
        client_dir: String::new(),
        alternate_shell: String::new(),
        work_dir: String::new(),
        remote_application_mode: false,
        rail_support_level: RailSupportLevel::empty(),
        platform: MajorPlatformType::UNIX,
        hardware_id: None,
        request_data: None,
        autologon: false,
        enable_audio_playback: false,
        enable_audio_capture: false,
        performance_flags: PerformanceFlags::empty(),
        license_cache: None,
        timezone_info: TimezoneInfo::default(),
        compression_type: None,
        enable_server_pointer: false,
        pointer_software_rendering: false,
        multitransport_flags: None,
        support_dyn_vc_gfx_protocol: false,
    }
}

pub(super) async fn connect(
    stream: TcpStream,
    config: ExpertConfig,
    options: &ExpertOptions,
) -> Result<Connected, RdpError> {
    let address = stream.peer_addr()?;
    wire::prepare(&stream, options.keep_alive)?;
    let tls = options.security != Security::Rdp;
    let (connector, wire, protection) = match negotiate(stream, tls, options).await? {
        Answer::Ready(connector, wire) => (connector, wire, tls.then_some(Protection::Tls)),
        Answer::WithoutTls if options.security == Security::Any => {
            debug!("the novice has no TLS: once more without");
            let again = timeout(options.address_timeout, dial::connect(address, options.source)).await;
            let again = again.map_err(|_| RdpError::TimedOut)?.ok_or(RdpError::Unreachable(1))?;
            wire::prepare(&again, options.keep_alive)?;
            match negotiate(again, false, options).await? {
                Answer::Ready(connector, wire) => (connector, wire, None),
                Answer::WithoutTls => return Err(RdpError::Security),
            }
        }
        Answer::WithoutTls => return Err(RdpError::Security),
    };
    finish(connector, wire, protection, config, options).await
}

/// X.224, and TLS if it is asked for ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2, 5.4).
async fn negotiate(tcp: TcpStream, tls: bool, options: &ExpertOptions) -> Result<Answer, RdpError> {
    // What Client Info says of the own address is of no use to a novice.
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut connector = ClientConnector::new(configuration(tls), nobody);
    connector.attach_static_channel(Encomsp);
    connector.attach_static_channel(Remdesk);
    connector.attach_static_channel(Drdynvc);
    let mut plain = Wire::new(tcp);
    #[cfg(feature = "standard-security")]
    if let Some(standard) = options.standard.filter(|_| !tls) {
        plain.set_layer(crate::standard::client(standard)?);
    }
    step(&mut connector, &[], &mut plain)?;
    let confirm = plain.frame().await?;
    let answer = decode::<X224<ConnectionConfirm>>(&confirm.bytes);
    let X224(answer) = answer.map_err(|_| RdpError::Protocol("no X.224 connection confirm"))?;
    match answer {
        ConnectionConfirm::Failure { code } if tls && code == FailureCode::SSL_NOT_ALLOWED_BY_SERVER => {
            return Ok(Answer::WithoutTls);
        }
        // An old server takes no notice of the request.
        ConnectionConfirm::Response { protocol, .. } if tls && protocol.is_empty() => {
            return Ok(Answer::WithoutTls);
        }
        ConnectionConfirm::Failure { .. } => return Err(RdpError::Security),
        ConnectionConfirm::Response { .. } => {}
    }
    step(&mut connector, &confirm.bytes, &mut plain)?;
    if !connector.should_perform_security_upgrade() {
        return Err(RdpError::Protocol("no negotiation"));
    }
    let wire = if tls {
        // Nobody looks at the name.
        let name = ServerName::from(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let config = tls::client_config(options.key_log.as_deref())?;
        let connecting = TlsConnector::from(config).connect(name, plain.into_stream()?);
        Wire::new(Box::new(connecting.await.map_err(|_| RdpError::Tls)?) as Stream)
    } else {
        plain.boxed(|tcp| -> Stream { Box::new(tcp) })
    };
    connector.mark_security_upgrade_as_done();
    Ok(Answer::Ready(Box::new(connector), wire))
}

fn step<S: AsyncRead + AsyncWrite + Unpin>(
    connector: &mut ClientConnector,
    input: &[u8],
    wire: &mut Wire<S>,
) -> Result<(), RdpError> {
    let name = connector.state().name();
    let initial = matches!(connector.state, ClientConnectorState::BasicSettingsExchangeSendInitial { .. });
    let mut out = WriteBuf::new();
    connector.step(input, None, &mut out).map_err(|_| RdpError::Connection(name))?;
    if initial {
        let mut frame = out.filled().to_vec();
        mend(&mut frame);
        wire.send(&frame);
    } else {
        wire.send(out.filled());
    }
    Ok(())
}

/// IronRDP says that connectPDU of its Connect Initial is two bytes shorter than it is ([MS-RDPBCGR] 2.2.1.3, T.124 8.7).
fn mend(connect_initial: &mut [u8]) {
    // ConnectData::Key: the object identifier of T.124; the length follows.
    const KEY: [u8; 7] = [0x00, 0x05, 0x00, 0x14, 0x7C, 0x00, 0x01];
    let at = connect_initial.windows(KEY.len()).position(|bytes| bytes == KEY);
    let rest = at.and_then(|at| connect_initial.get_mut(at.saturating_add(KEY.len())..));
    // A PER length of two bytes, as all are from 128 on.
    if let Some((length @ [0x80..=0xBF, _], rest)) = rest.and_then(<[u8]>::split_first_chunk_mut)
        && let Ok(count @ ..0x4000) = u16::try_from(rest.len())
    {
        *length = (0x8000 | count).to_be_bytes();
    }
}

async fn finish(
    mut connector: Box<ClientConnector>,
    mut wire: Wire<Stream>,
    protection: Option<Protection>,
    config: ExpertConfig,
    options: &ExpertOptions,
) -> Result<Connected, RdpError> {
    let started = Instant::now();
    let (mut config, mut begun, mut early) = (Some(config), None, Vec::new());
    loop {
        if let Some(outcome) = connector.state.take_outcome() {
            let ConnectionOutcome::Connected(result) = outcome else {
                return Err(RdpError::Protocol("a redirection"));
            };
            let (protection, key, session) = begun.ok_or(RdpError::Protocol("no Client Info PDU"))?;
            // The novice waits for it, whatever the program does before it asks for events.
            wire.flush().await?;
            let ids = statics::ids(result.user_channel_id, &result.static_channels);
            let result = Box::new(result);
            return Ok(Connected { wire, protection, key, session, started, ids, result, early });
        }
        if matches!(connector.state, ClientConnectorState::SecureSettingsExchange { .. })
            && let Some(config) = config.take()
        {
            let (layered, key) = wire.protection();
            let protection = protection.unwrap_or(layered);
            if !is_enough(protection, options) {
                return Err(RdpError::Security);
            }
            // TS_UD_SC_SEC1 has a certificate under encrypting standard RDP security only.
            let key = match (config.credentials.verify_key(key), protection) {
                // Who speaks in clear shows a certificate, and never that it has the private key.
                (ServerKey::Match, Protection::Rc4 { both_ways: false, .. }) => ServerKey::Unavailable,
                (key, _) => key,
            };
            debug!(?protection, ?key, "the novice has chosen");
            let session = Expert::new(Time(0), config, key)?;
            send_client_info(&mut connector, session.client_info(), &mut wire)?;
            begun = Some((protection, key, session));
            continue;
        }
        if connector.should_perform_multitransport() {
            return Err(RdpError::Protocol("multitransport, which was not offered"));
        }
        if connector.next_pdu_hint().is_none() {
            step(&mut connector, &[], &mut wire)?;
            continue;
        }
        let frame = wire.frame().await?;
        if let ClientConnectorState::CapabilitiesExchange { .. } = connector.state
            && let Some((_, data)) = user_data(Role::Expert, &frame.bytes)
            && let Ok(header) = decode::<ShareControlHeader>(&data)
            && let ShareControlPdu::ServerDemandActive(demand) = header.share_control_pdu
        {
            statics::fast_path(&demand.pdu.capability_sets)?;
        }
        if waits(&connector, &frame) {
            if early.len() >= EARLY {
                return Err(RdpError::Protocol("too much before the connection is finished"));
            }
            early.push(frame);
            continue;
        }
        step(&mut connector, &frame.bytes, &mut wire)?;
    }
}

/// Encryption in one direction only is none for who demands encryption: anybody could speak for the novice.
#[cfg_attr(
    not(feature = "standard-security"),
    expect(unused_variables, reason = "there is nothing to choose from")
)]
fn is_enough(protection: Protection, options: &ExpertOptions) -> bool {
    #[cfg(feature = "standard-security")]
    if let (Protection::Rc4 { both_ways: false, .. }, Some(standard)) = (protection, options.standard) {
        return standard.allow_unencrypted;
    }
    true
}

/// Whether a frame is none of the connector's, which would take it for its own or fail.
fn waits(connector: &ClientConnector, frame: &Frame) -> bool {
    use ClientConnectorState as State;
    if frame.action == Action::FastPath {
        return true;
    }
    let Some((channel, _)) = user_data(Role::Expert, &frame.bytes) else { return false };
    let message = connector.message_channel_id == Some(channel);
    match &connector.state {
        State::ConnectTimeAutoDetection { io_channel_id, .. } => channel != *io_channel_id && !message,
        State::LicensingExchange { io_channel_id, .. }
        | State::MultitransportBootstrapping { io_channel_id, .. } => channel != *io_channel_id,
        State::CapabilitiesExchange { connection_activation }
        | State::ConnectionFinalization { connection_activation } => {
            channel != connection_activation.io_channel_id()
        }
        _ => false,
    }
}

/// [MS-RA] 2.2.7.2. IronRDP has it only for this one step, in which nobody may log: its Client Info PDU shows itself in `Debug`.
fn send_client_info(
    connector: &mut ClientConnector,
    info: ClientInfo,
    wire: &mut Wire<Stream>,
) -> Result<(), RdpError> {
    info.working_dir.expose().clone_into(&mut connector.config.work_dir);
    info.alternate_shell.expose().clone_into(&mut connector.config.alternate_shell);
    let password = ClientInfo::PASSWORD.to_owned();
    connector.config.credentials = Credentials::UsernamePassword { username: info.user_name, password };
    let sent = dispatcher::with_default(&Dispatch::none(), || step(connector, &[], wire));
    let config = &mut connector.config;
    for secret in [&mut config.work_dir, &mut config.alternate_shell] {
        drop(Secret::new(std::mem::take(secret)));
    }
    config.credentials = Credentials::UsernamePassword { username: String::new(), password: String::new() };
    sent
}
