//! Callers that do not keep to RDP, at the door of a novice.

use std::time::Duration;

use ra_rdp::{ExpertConnection, RdpError, Security};
use ra_session::{Attempts, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::pair::{LIMIT, Setup};

/// A novice that waits so long for a connection.
fn novice(security: Security, patience: Duration) -> Setup {
    let mut setup = Setup::new(Version::V2, security);
    setup.novice.connect_timeout = patience;
    setup
}

/// X.224 connection request, with or without an offer of TLS ([MS-RDPBCGR] 2.2.1.1).
fn request(protocols: Option<u32>) -> Vec<u8> {
    let mut x224 = vec![0xE0, 0, 0, 0, 0, 0];
    if let Some(protocols) = protocols {
        x224.extend([1, 0, 8, 0]);
        x224.extend(protocols.to_le_bytes());
    }
    let len = x224.len() as u8;
    [&[3, 0, 0, len + 5, len][..], &x224].concat()
}

/// What becomes of a caller who sends this and then nothing more, and what is answered.
async fn call(security: Security, first: &[u8], then: &[u8]) -> (Option<RdpError>, Vec<u8>) {
    let setup = novice(security, Duration::from_secs(2));
    let mut server = setup.listen().await;
    let address = server.addresses().unwrap()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first).await.unwrap();
    let caller = timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    let then = then.to_vec();
    let client = tokio::spawn(async move {
        let _gone = stream.write_all(&then).await;
        let _gone = stream.shutdown().await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        answer
    });
    let config = setup.novice_config(address);
    let connected = server.connect(caller, config, Attempts::new(1), setup.display, setup.input).await;
    let error = connected.err();
    (error, timeout(LIMIT, client).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_caller_without_tls_is_told_that_tls_is_demanded() {
    for protocols in [None, Some(0), Some(2)] {
        let (error, answer) = call(Security::Tls, &request(protocols), b"").await;
        assert!(matches!(error, Some(RdpError::Security)), "{error:?}");
        // RDP_NEG_FAILURE with SSL_REQUIRED_BY_SERVER.
        assert_eq!(answer[11..], [3, 0, 8, 0, 1, 0, 0, 0], "{answer:02x?}");
    }
}

#[tokio::test]
async fn a_caller_with_tls_is_told_that_there_is_none() {
    let (error, answer) = call(Security::Rdp, &request(Some(1)), b"").await;
    assert!(matches!(error, Some(RdpError::Security)), "{error:?}");
    // SSL_NOT_ALLOWED_BY_SERVER.
    assert_eq!(answer[11..], [3, 0, 8, 0, 2, 0, 0, 0], "{answer:02x?}");
}

#[tokio::test]
async fn what_is_no_rdp_ends_the_connection() {
    let data = [3, 0, 0, 12, 2, 0xF0, 0x80, 1, 2, 3, 4, 5];
    let huge = [&[3, 0, 0xFF, 0xFF, 2, 0xF0, 0x80][..], &[0; 70_000]].concat();
    for (first, then) in [
        (&request(None)[..], &b"GET / HTTP/1.0\r\n\r\n"[..]),
        (&request(None), &data),
        (&request(None), &huge),
        (&request(None), &[0x00, 0x01]),
        (&request(None), b""),
        (&data, b""),
        (&[3, 0, 0, 7, 2, 0xF0, 0x80], b""),
    ] {
        let (error, _) = call(Security::Rdp, first, then).await;
        let kept = matches!(
            error,
            Some(RdpError::Protocol(_) | RdpError::Connection(_) | RdpError::Closed | RdpError::Io(_))
        );
        assert!(kept, "{error:?} for {first:02x?}");
    }
    // A TLS handshake that is none.
    let (error, _) = call(Security::Tls, &request(Some(1)), b"no TLS at all, but long enough").await;
    assert!(matches!(error, Some(RdpError::Tls | RdpError::Protocol(_))), "{error:?}");
}

#[tokio::test]
async fn who_says_nothing_holds_up_nobody() {
    let mut server = novice(Security::Tls, LIMIT).listen().await;
    let address = server.addresses().unwrap()[0];
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Others talk nonsense, or go away.
    TcpStream::connect(address).await.unwrap().write_all(b"nonsense").await.unwrap();
    let mut expert = TcpStream::connect(address).await.unwrap();
    expert.write_all(&request(Some(1))).await.unwrap();
    let caller = timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    assert_eq!(caller.address(), expert.local_addr().unwrap());
}

#[tokio::test]
async fn a_caller_that_stops_in_the_middle_times_out() {
    let setup = novice(Security::Rdp, Duration::from_millis(100));
    let mut server = setup.listen().await;
    let address = server.addresses().unwrap()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request(None)).await.unwrap();
    let caller = timeout(LIMIT, server.accept()).await.unwrap().unwrap();
    let config = setup.novice_config(address);
    let connecting = server.connect(caller, config, Attempts::new(1), setup.display, setup.input);
    let error = timeout(LIMIT, connecting).await.unwrap().err();
    assert!(matches!(error, Some(RdpError::TimedOut)), "{error:?}");
}

/// What our expert says to a novice that answers X.224 without TLS.
#[tokio::test]
async fn connect_initial_says_how_long_its_parts_are() {
    let setup = Setup::new(Version::V2, Security::Rdp);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let config = setup.expert_config(listener.local_addr().unwrap());
    let options = setup.expert.clone();
    let expert = tokio::spawn(async move { ExpertConnection::dial(config, &options).await.map(drop) });
    let (mut stream, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let mut message = async |answer: &[u8]| {
        stream.write_all(answer).await.unwrap();
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 4];
        stream.read_exact(&mut rest).await.unwrap();
        rest
    };
    let _request = timeout(LIMIT, message(&[])).await.unwrap();
    let confirm = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0, 0, 0, 2, 0, 8, 0, 0, 0, 0, 0];
    let initial = timeout(LIMIT, message(&confirm)).await.unwrap();
    // ConnectData::Key, the object identifier of T.124; connectPDU, a PER length and all the rest.
    let key = [0x00, 0x05, 0x00, 0x14, 0x7C, 0x00, 0x01];
    let at = initial.windows(7).position(|bytes| bytes == key).unwrap() + 7;
    let length = u16::from_be_bytes([initial[at], initial[at + 1]]);
    assert_eq!(usize::from(length & 0x3FFF), initial.len() - at - 2, "{initial:02x?}");
    assert_eq!(length & 0xC000, 0x8000);
    expert.abort();
}
