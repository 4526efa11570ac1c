//! Callers that do not keep to RDP, at the door of a novice.

use std::time::Duration;

use ra_rdp::{NoInput, NoviceOptions, NoviceServer, RdpError, Security, test_picture};
use ra_session::{Attempts, NoviceConfig};
use testkit::pair;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(30);

async fn server(security: Security, patience: Duration) -> NoviceServer {
    let mut options = NoviceOptions::default();
    options.security = security;
    options.connect_timeout = patience;
    NoviceServer::bind(&[([127, 0, 0, 1], 0).into()], options).await.unwrap()
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
    let mut server = server(security, Duration::from_secs(2)).await;
    let mut stream = TcpStream::connect(server.addresses().unwrap()[0]).await.unwrap();
    stream.write_all(first).await.unwrap();
    let caller = tokio::time::timeout(DEADLINE, server.accept()).await.unwrap().unwrap();
    let then = then.to_vec();
    let client = tokio::spawn(async move {
        let _gone = stream.write_all(&then).await;
        let _gone = stream.shutdown().await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        answer
    });
    let config = NoviceConfig::new([pair::second()]);
    let display = Box::new(test_picture(64, 64));
    let connected = server.connect(caller, config, Attempts::new(1), display, Box::new(NoInput)).await;
    let error = connected.err();
    (error, tokio::time::timeout(DEADLINE, client).await.unwrap().unwrap())
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
    let mut server = server(Security::Tls, DEADLINE).await;
    let address = server.addresses().unwrap()[0];
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Others talk nonsense, or go away.
    TcpStream::connect(address).await.unwrap().write_all(b"nonsense").await.unwrap();
    let mut expert = TcpStream::connect(address).await.unwrap();
    expert.write_all(&request(Some(1))).await.unwrap();
    let caller = tokio::time::timeout(DEADLINE, server.accept()).await.unwrap().unwrap();
    assert_eq!(caller.address(), expert.local_addr().unwrap());
}

#[tokio::test]
async fn a_caller_that_stops_in_the_middle_times_out() {
    let mut server = server(Security::Rdp, Duration::from_millis(100)).await;
    let mut stream = TcpStream::connect(server.addresses().unwrap()[0]).await.unwrap();
    stream.write_all(&request(None)).await.unwrap();
    let caller = tokio::time::timeout(DEADLINE, server.accept()).await.unwrap().unwrap();
    let config = NoviceConfig::new([pair::second()]);
    let display = Box::new(test_picture(64, 64));
    let connecting = server.connect(caller, config, Attempts::new(1), display, Box::new(NoInput));
    let error = tokio::time::timeout(DEADLINE, connecting).await.unwrap().err();
    assert!(matches!(error, Some(RdpError::TimedOut)), "{error:?}");
}
