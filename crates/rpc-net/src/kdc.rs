//! What sspi wants to ask a KDC, asked with tokio (RFC 4120 7.2).

use std::time::Duration;

use sspi::{ErrorKind, NetworkProtocol, NetworkRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

/// What a KDC may answer at most.
const MAX_REPLY: usize = 1 << 16;
const PORT: u16 = 88;
/// For one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a request and gives the answer, with the length before it as sspi wants it also for UDP.
pub(crate) async fn ask(request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
    let failed = |what: &str| sspi::Error::new(ErrorKind::NoAuthenticatingAuthority, what.to_owned());
    let host = request.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = request.url.port().unwrap_or(PORT);
    let exchange = async {
        match request.protocol {
            NetworkProtocol::Tcp => tcp(host, port, &request.data).await,
            NetworkProtocol::Udp => {
                let reply = udp(host, port, &request.data).await?;
                if !is_too_big(&reply) {
                    return Ok(reply);
                }
                let len = u32::try_from(request.data.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
                tcp(host, port, &with_length(len, &request.data)).await
            }
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(failed("the KDC cannot be reached")),
        Err(_) => Err(failed("the KDC does not answer")),
    }
}

/// RFC 4120 7.2.2: each message follows its length, four bytes, big-endian.
async fn tcp(host: &str, port: u16, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(data).await?;
    let len = stream.read_u32().await?;
    let size = usize::try_from(len).ok().filter(|size| *size <= MAX_REPLY);
    let size = size.ok_or(std::io::ErrorKind::InvalidData)?;
    let mut reply = vec![0; size];
    stream.read_exact(&mut reply).await?;
    Ok(with_length(len, &reply))
}

/// RFC 4120 7.2.1: one datagram each way, asked again when it is lost.
async fn udp(host: &str, port: u16, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let address = lookup_host((host, port)).await?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let mut reply = vec![0; MAX_REPLY];
    loop {
        socket.send(data).await?;
        if let Ok(received) = timeout(PATIENCE / 4, socket.recv(&mut reply)).await {
            reply.truncate(received?);
            let len = u32::try_from(reply.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
            return Ok(with_length(len, &reply));
        }
    }
}

/// Whether the answer is KRB-ERROR with KRB_ERR_RESPONSE_TOO_BIG, 52: TCP is to be used then (RFC 4120 7.2.1).
fn is_too_big(reply: &[u8]) -> bool {
    const ERROR: u8 = 0x7E;
    const CODE: &[u8] = &[0xA6, 0x03, 0x02, 0x01, 52];
    reply.get(4) == Some(&ERROR) && reply.windows(CODE.len()).any(|window| window == CODE)
}

fn with_length(len: u32, message: &[u8]) -> Vec<u8> {
    let mut whole = Vec::from(len.to_be_bytes());
    whole.extend_from_slice(message);
    whole
}
