//! TLS as Remote Assistance uses it: a certificate that nobody signed, on both sides.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use remassist_core::Hex;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, KeyLog, ServerConfig, SignatureScheme,
};

use crate::RdpError;

/// Which security an RDP connection has ([MS-RDPBCGR] 5.3, 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Security {
    /// TLS, and nothing else.
    #[default]
    Tls,
    /// Standard RDP security: old and weak encryption where the options set it, none otherwise or without the feature
    /// `standard-security`. For peers that know nothing else, for tests, and for connections that are protected by other
    /// means.
    Rdp,
    /// TLS if the other side has it. An expert then connects once more without, and whoever is between the two can see
    /// to that: no safer than [`Rdp`](Self::Rdp).
    Any,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: whoever is between the two reads and changes everything.
    None,
    /// RC4 ([MS-RDPBCGR] 5.3): old and weak.
    Rc4 {
        /// Bits of the keys: 40, 56 or 128.
        bits: u8,
        /// What the novice sends is encrypted, too, and not only what the expert sends (encryption level low).
        both_ways: bool,
    },
    /// TLS.
    Tls,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A new certificate and its key.
pub(crate) fn server_config(key_log: Option<&Path>) -> Result<Arc<ServerConfig>, RdpError> {
    let tls = |_| RdpError::Tls;
    let made = rcgen::generate_simple_self_signed(vec!["remote-assistance".to_owned()])
        .map_err(|_| RdpError::Tls)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(tls)?;
    if let Some(path) = key_log {
        config.key_log = Arc::new(KeyFile::open(path)?);
    }
    Ok(Arc::new(config))
}

/// Takes any certificate: an invitation says nothing about it. The signatures of the handshake are verified.
pub(crate) fn client_config(key_log: Option<&Path>) -> Result<Arc<ClientConfig>, RdpError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| RdpError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
        .with_no_client_auth();
    if let Some(path) = key_log {
        config.key_log = Arc::new(KeyFile::open(path)?);
    }
    Ok(Arc::new(config))
}

/// The secrets of TLS, for a program that looks into a capture: a line for each, in the format of `SSLKEYLOGFILE`, which
/// rustls has for a file from the environment only.
struct KeyFile(Mutex<File>);

impl KeyFile {
    fn open(path: &Path) -> Result<Self, RdpError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self(Mutex::new(options.open(path)?)))
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").finish_non_exhaustive()
    }
}

impl KeyLog for KeyFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {:x} {:x}\n", Hex(client_random), Hex(secret));
        if let Ok(mut file) = self.0.lock() {
            let _whoever_looks_misses_it = file.write_all(line.as_bytes());
        }
    }
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
