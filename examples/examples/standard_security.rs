//! Standard RDP Security below IronRDP, which knows RDP without encryption only.
//!
//! Without arguments: connector and acceptor over loopback, for each method and level, with 5,000 messages both ways.
//! `connect ADDRESS` joins a server, `listen ADDRESS [40|56|128]` waits for a client, as xfreerdp with /sec:rdp is one.
//!
//! The cryptography is old and weak, and the server is not authenticated. The documentation of the crate says what it is for.

use std::env;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ironrdp_acceptor::Acceptor;
use ironrdp_connector::{ClientConnector, Config, ConnectionOutcome, Credentials, DesktopSize, Sequence};
use ironrdp_core::{WriteBuf, decode, encode_vec, impl_as_any};
use ironrdp_pdu::gcc::{self, ChannelName};
use ironrdp_pdu::mcs::{McsMessage, SendDataIndication, SendDataRequest};
use ironrdp_pdu::nego::SecurityProtocol;
use ironrdp_pdu::rdp::capability_sets::{
    Bitmap, BitmapDrawingFlags, CapabilitySet, General, GeneralExtraFlags, Input, InputFlags,
    MajorPlatformType, Order, OrderFlags, OrderSupportExFlags, Pointer, RailSupportLevel, VirtualChannel,
    VirtualChannelFlags,
};
use ironrdp_pdu::{PduResult, x224::X224};
use ironrdp_svc::{SvcClientProcessor, SvcMessage, SvcProcessor, SvcServerProcessor};
use rdp_standard_security::{
    Client, ClientOptions, Frames, Level, Method, Methods, Protection, Server, ServerKey, ServerOptions,
};
use remassist::core::from_hex;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// More than 4,096, so that the keys are changed.
const MESSAGES: u16 = 5_000;
const DESKTOP: DesktopSize = DesktopSize { width: 640, height: 480 };

/// What both layers have in common.
trait Layer {
    fn outgoing(&mut self, frames: &[u8]) -> std::result::Result<Vec<u8>, rdp_standard_security::Error>;
    fn incoming(
        &mut self,
        frame: &[u8],
    ) -> std::result::Result<Option<Vec<u8>>, rdp_standard_security::Error>;
}

impl Layer for Client {
    fn outgoing(&mut self, frames: &[u8]) -> std::result::Result<Vec<u8>, rdp_standard_security::Error> {
        Self::outgoing(self, frames)
    }

    fn incoming(
        &mut self,
        frame: &[u8],
    ) -> std::result::Result<Option<Vec<u8>>, rdp_standard_security::Error> {
        Self::incoming(self, frame).map(Some)
    }
}

impl Layer for Server {
    fn outgoing(&mut self, frames: &[u8]) -> std::result::Result<Vec<u8>, rdp_standard_security::Error> {
        Self::outgoing(self, frames)
    }

    fn incoming(
        &mut self,
        frame: &[u8],
    ) -> std::result::Result<Option<Vec<u8>>, rdp_standard_security::Error> {
        Self::incoming(self, frame)
    }
}

/// A socket with the layer in front of it: all that a program has to write.
struct Link<L> {
    socket: TcpStream,
    frames: Frames,
    layer: L,
}

impl<L: Layer> Link<L> {
    fn new(socket: TcpStream, layer: L) -> Result<Self> {
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, frames: Frames::new(), layer })
    }

    fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.socket.write_all(&self.layer.outgoing(frames)?)?)
    }

    /// The next frame for us.
    fn receive(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.next()? {
                match self.layer.incoming(frame)? {
                    Some(frame) => return Ok(frame),
                    None => continue,
                }
            }
            let mut buffer = [0; 16_384];
            match self.socket.read(&mut buffer)? {
                0 => return Err("the peer closed the connection".into()),
                len => self.frames.push(buffer.get(..len).unwrap_or_default()),
            }
        }
    }

    /// One step of the connector or of the acceptor.
    fn step(&mut self, sequence: &mut dyn Sequence) -> Result<()> {
        let input = match sequence.next_pdu_hint() {
            Some(_) => self.receive()?,
            None => Vec::new(),
        };
        let mut output = WriteBuf::new();
        sequence.step(&input, None, &mut output)?;
        self.send(output.filled())
    }
}

/// A static channel that is only there to have a number.
#[derive(Debug)]
struct Remdesk;

impl_as_any!(Remdesk);

impl SvcProcessor for Remdesk {
    fn channel_name(&self) -> ChannelName {
        ChannelName::from_static(b"remdesk\0")
    }

    fn process(&mut self, _: &[u8]) -> PduResult<Vec<SvcMessage>> {
        Ok(Vec::new())
    }
}

impl SvcClientProcessor for Remdesk {}
impl SvcServerProcessor for Remdesk {}

fn random() -> Result<[u8; 32]> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(random)
}

/// The key of [MS-RDPBCGR] 4.8: everybody knows it. A program makes one of its own.
fn key() -> Result<ServerKey> {
    let modulus = "b3f9380f60fccad79d5d28d8027466ccb046897c79ad1a4d512dd81af5e1b450\
                   9eb521708852f35d7019ea47a126ea0638ebb97a447998cb54a8b99afe70a837";
    let exponent = "9471f3b37ba4070b6158fddf6de6e503e041ce1545a76a126beb0c5cf082825e\
                    ba9ba872f6322d8544d668c72ea325280865550d968b9ef5368d38d3d4e707c1";
    let number = |digits| from_hex(digits).ok_or("not hexadecimal");
    Ok(ServerKey::new(&number(modulus)?, 65_537, &number(exponent)?)?)
}

/// Connects; the link, the number of the static channel and the one of the user.
fn connect(socket: TcpStream, methods: Methods) -> Result<(Link<Client>, u16, u16)> {
    let address = socket.local_addr()?;
    let options = ClientOptions { methods, ..ClientOptions::default() };
    let mut link = Link::new(socket, Client::new(options, random()?))?;
    let mut connector = ClientConnector::new(config(), address).with_static_channel(Remdesk);
    let mut known = false;
    let outcome = loop {
        link.step(&mut connector)?;
        if let (Some(certificate), false) = (link.layer.certificate(), known) {
            // Nothing secret was sent yet: here a program compares the key with what it knows of the server.
            println!("server's key: {:?}, {:?}", certificate.key(), link.layer.protection());
            known = true;
        }
        if let Some(outcome) = connector.state.take_outcome() {
            break outcome;
        }
    };
    let ConnectionOutcome::Connected(result) = outcome else { return Err("redirected".into()) };
    let channel = result.static_channels.get_channel_id_by_type::<Remdesk>();
    Ok((link, channel.unwrap_or_default(), result.user_channel_id))
}

/// Accepts; the link and the numbers of the static channel and of the user.
fn accept(socket: TcpStream, options: ServerOptions) -> Result<(Link<Server>, u16, u16)> {
    let mut link = Link::new(socket, Server::new(options, key()?, random()?))?;
    let mut acceptor = Acceptor::new(SecurityProtocol::empty(), DESKTOP, capabilities(), None);
    acceptor.attach_static_channel(Remdesk);
    let result = loop {
        link.step(&mut acceptor)?;
        if let Some(result) = acceptor.get_result() {
            break result;
        }
    };
    let channel = result.static_channels.get_channel_id_by_type::<Remdesk>();
    Ok((link, channel.unwrap_or_default(), result.user_channel_id))
}

/// A fast-path frame; what is in it does not matter here.
fn fast_path(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0, 6, high, low, low, high]
}

/// Sends messages and wants them back.
fn client(socket: TcpStream, methods: Methods) -> Result<Protection> {
    let (mut link, channel_id, initiator_id) = connect(socket, methods)?;
    for number in 0..MESSAGES {
        let user_data = format!("message {number}").into_bytes();
        let request = SendDataRequest { initiator_id, channel_id, user_data: (&user_data).into() };
        link.send(&encode_vec(&X224(request))?)?;
        let frame = link.receive()?;
        match decode::<X224<McsMessage<'_>>>(&frame)?.0 {
            McsMessage::SendDataIndication(echo) if *echo.user_data == *user_data => {}
            other => return Err(format!("no echo of message {number}: {other:?}").into()),
        }
        if link.receive()? != fast_path(number) {
            return Err(format!("no fast-path frame {number}").into());
        }
    }
    Ok(link.layer.protection())
}

/// Sends every message back, and a fast-path frame.
fn server(socket: TcpStream, options: ServerOptions) -> Result<()> {
    let (mut link, channel_id, initiator_id) = accept(socket, options)?;
    for number in 0..MESSAGES {
        let frame = link.receive()?;
        let McsMessage::SendDataRequest(request) = decode::<X224<McsMessage<'_>>>(&frame)?.0 else {
            return Err("no message".into());
        };
        let echo = SendDataIndication { initiator_id, channel_id, user_data: request.user_data };
        link.send(&[encode_vec(&X224(echo))?, fast_path(number)].concat())?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => demo(),
        ["connect", address] => watch(TcpStream::connect(address)?),
        ["listen", address] => show(address, Methods::ALL),
        ["listen", address, "40"] => show(address, Methods::BIT_40),
        ["listen", address, "56"] => show(address, Methods::BIT_56),
        ["listen", address, "128"] => show(address, Methods::BIT_128),
        _ => Err("standard_security [connect ADDRESS | listen ADDRESS [40|56|128]]".into()),
    }
}

fn demo() -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    for method in [Method::Bits40, Method::Bits56, Method::Bits128] {
        for level in [Level::Low, Level::ClientCompatible, Level::High] {
            let socket = TcpStream::connect(listener.local_addr()?)?;
            let (accepted, _) = listener.accept()?;
            let options = ServerOptions { methods: method.into(), level, ..ServerOptions::default() };
            let serving = thread::spawn(move || server(accepted, options));
            let protection = client(socket, method.into())?;
            serving.join().map_err(|_| "the server panicked")??;
            println!("{MESSAGES} messages both ways, {protection:?}");
        }
    }
    Ok(())
}

/// Joins a server, moves the mouse often enough for new keys, and counts what comes.
fn watch(socket: TcpStream) -> Result<()> {
    let (mut link, _, _) = connect(socket, Methods::ALL)?;
    println!("connected: {:?}", link.layer.protection());
    for number in 0..MESSAGES {
        // One event: the mouse moves ([MS-RDPBCGR] 2.2.8.1.2.2.3).
        let [low, high] = (number % 600).to_le_bytes();
        link.send(&[0x04, 9, 0x20, 0, 8, low, high, 50, 0])?;
    }
    link.socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut slow, mut fast) = (0_u32, 0_u32);
    loop {
        match link.receive() {
            Ok(frame) if frame.first() == Some(&3) => slow = slow.saturating_add(1),
            Ok(_) => fast = fast.saturating_add(1),
            Err(end) => {
                println!("{slow} slow-path and {fast} fast-path frames, then: {end}");
                return Ok(());
            }
        }
        if fast.saturating_add(slow) == u32::from(MESSAGES) {
            println!("{slow} slow-path and {fast} fast-path frames");
            return Ok(());
        }
    }
}

/// Waits for a client, sends it frames that show nothing, often enough for new keys, and counts what comes.
fn show(address: &str, methods: Methods) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let (socket, _) = listener.accept()?;
    let options = ServerOptions { methods, ..ServerOptions::default() };
    let (mut link, _, _) = accept(socket, options)?;
    println!("accepted: {:?}", link.layer.protection());
    for _ in 0..MESSAGES {
        // One update: the pointer is the default one ([MS-RDPBCGR] 2.2.9.1.2.1.6).
        link.send(&[0, 5, 6, 0, 0])?;
    }
    link.socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut frames = 0_u32;
    let end = loop {
        match link.receive() {
            Ok(_) => frames = frames.saturating_add(1),
            Err(end) => break end,
        }
    };
    println!("{frames} frames, then: {end}");
    Ok(())
}

fn capabilities() -> Vec<CapabilitySet> {
    vec![
        CapabilitySet::General(General {
            extra_flags: GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED,
            ..General::default()
        }),
        CapabilitySet::Bitmap(Bitmap {
            pref_bits_per_pix: 32,
            desktop_width: DESKTOP.width,
            desktop_height: DESKTOP.height,
            desktop_resize_flag: true,
            drawing_flags: BitmapDrawingFlags::empty(),
        }),
        CapabilitySet::Order(Order::new(OrderFlags::empty(), OrderSupportExFlags::empty(), 2048, 224)),
        CapabilitySet::Pointer(Pointer { color_pointer_cache_size: 20, pointer_cache_size: 20 }),
        CapabilitySet::Input(Input {
            input_flags: InputFlags::SCANCODES | InputFlags::FASTPATH_INPUT_2,
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

fn config() -> Config {
    Config {
        desktop_size: DESKTOP,
        monitor_layout: None,
        desktop_scale_factor: 0,
        desktop_physical_size: None,
        desktop_orientation: None,
        device_scale_factor: None,
        monitor_extended_layout: None,
        relative_mouse_input: false,
        enable_tls: false,
        enable_credssp: false,
        enable_standard_rdp_security: true,
        credentials: Credentials::UsernamePassword { username: "guest".into(), password: "*".into() },
        domain: None,
        client_build: 0,
        client_name: "example".into(),
        keyboard_type: gcc::KeyboardType::IBM_ENHANCED,
        keyboard_subtype: 0,
        keyboard_layout: 0,
        keyboard_functional_keys_count: 12,
        connection_type: gcc::ConnectionType::Lan,
        ime_file_name: String::new(),
        bitmap: None,
        dig_product_id: String::new(),
        client_dir: String::new(),
        platform: MajorPlatformType::UNIX,
        hardware_id: None,
        request_data: None,
        autologon: false,
        enable_audio_playback: false,
        enable_audio_capture: false,
        license_cache: None,
        compression_type: None,
        enable_server_pointer: false,
        pointer_software_rendering: false,
        multitransport_flags: None,
        support_dyn_vc_gfx_protocol: false,
        performance_flags: Default::default(),
        timezone_info: Default::default(),
        alternate_shell: String::new(),
        work_dir: String::new(),
        remote_application_mode: false,
        rail_support_level: RailSupportLevel::SUPPORTED,
    }
}
