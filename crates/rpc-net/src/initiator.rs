//! The client's security contexts, through sspi.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dce_rpc::{AuthLevel, Message, Security, SecurityFailure, Status, Step};
use sspi::generator::GeneratorState;
use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, CredentialsBuffers,
    DataRepresentation, EncryptionFlags, ErrorKind, Kerberos, KerberosConfig, Negotiate, NegotiateConfig,
    Ntlm, SecurityBuffer, SecurityBufferFlags, SecurityBufferRef, SecurityStatus, Sspi, SspiImpl, Username,
};

use crate::credentials::{Credentials, Mechanism};
use crate::error::{Error, SecurityCode};
use crate::kdc;
use crate::provider::{now, quietly};

/// Where a provider leaves the code of its last failure, 0 for none: dce-rpc knows only statuses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failure(Arc<AtomicU32>);

impl Failure {
    fn set(&self, error: sspi::Error) -> SecurityFailure {
        self.0.store(SecurityCode::from(error).0, Ordering::Relaxed);
        SecurityFailure(Status::SEC_PKG_ERROR)
    }

    pub(crate) fn code(&self) -> Option<SecurityCode> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            code => Some(SecurityCode(code)),
        }
    }
}

enum Engine {
    Ntlm(Box<Ntlm>, Option<AuthIdentityBuffers>),
    Negotiate(Box<Negotiate>, Option<CredentialsBuffers>),
    Kerberos(Box<Kerberos>, Option<CredentialsBuffers>),
}

/// One security context of a client.
pub(crate) struct Initiator {
    engine: Engine,
    target: String,
    /// The first token, made before the context is bound: for it a KDC may have to be asked.
    first: Option<Vec<u8>>,
    signature_len: usize,
    whole_pdu: bool,
    failure: Failure,
}

impl Initiator {
    pub(crate) async fn new(
        credentials: &Credentials,
        mechanism: &Mechanism,
        level: AuthLevel,
        failure: Failure,
    ) -> Result<Self, Error> {
        let whole_pdu = !matches!(mechanism, Mechanism::Kerberos { .. });
        // sspi's Kerberos can wrap, but not sign alone.
        if !whole_pdu && level.is_protected() && level != AuthLevel::PRIVACY {
            return Err(Error::UnsupportedLevel);
        }
        let target = match mechanism {
            Mechanism::Kerberos { service, .. } => service.clone(),
            _ => String::new(),
        };
        let engine = quietly(|| engine(credentials, mechanism)).map_err(|e| Error::Security(e.into()))?;
        let mut initiator = Self { engine, target, first: None, signature_len: 16, whole_pdu, failure };
        let (token, _) = initiator.advance(&[]).await.map_err(|error| Error::Security(error.into()))?;
        initiator.first = Some(token);
        Ok(initiator)
    }

    async fn advance(&mut self, token: &[u8]) -> sspi::Result<(Vec<u8>, bool)> {
        match &mut self.engine {
            Engine::Ntlm(context, handle) => advance(&mut **context, handle, &self.target, token).await,
            Engine::Negotiate(context, handle) => advance(&mut **context, handle, &self.target, token).await,
            Engine::Kerberos(context, handle) => advance(&mut **context, handle, &self.target, token).await,
        }
    }

    fn context(&mut self) -> &mut dyn Seal {
        match &mut self.engine {
            Engine::Ntlm(context, _) => &mut **context,
            Engine::Negotiate(context, _) => &mut **context,
            Engine::Kerberos(context, _) => &mut **context,
        }
    }
}

impl Security for Initiator {
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure> {
        if let Some(token) = self.first.take() {
            return Ok(Step { token, done: false });
        }
        let unfinished = || sspi::Error::new(ErrorKind::InternalError, "the provider waits".to_owned());
        let step = now(self.advance(token)).unwrap_or_else(|| Err(unfinished()));
        let (token, done) = step.map_err(|error| self.failure.set(error))?;
        if done {
            let sizes = quietly(|| self.context().signature_len());
            self.signature_len = sizes.map_err(|error| self.failure.set(error))?;
        }
        Ok(Step { token, done })
    }

    fn signature_len(&self) -> usize {
        self.signature_len
    }

    fn protect(&mut self, message: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure> {
        if !message.level.is_protected() {
            return Ok(vec![0; self.signature_len]);
        }
        let mut token = vec![0; self.signature_len];
        let whole = self.whole_pdu || message.header_signing;
        let done = quietly(|| {
            let mut copies = Copies::new(message, whole);
            let mut buffers = copies.buffers(message, &mut token);
            self.context().seal(&mut buffers)
        });
        done.map_err(|error| self.failure.set(error))?;
        Ok(token)
    }

    fn verify(&mut self, message: &mut Message<'_>, signature: &[u8]) -> Result<(), SecurityFailure> {
        if !message.level.is_protected() {
            return Ok(());
        }
        // What follows the signature in its room is filler.
        let mut token = Vec::from(signature.get(..self.signature_len).unwrap_or(signature));
        let whole = self.whole_pdu || message.header_signing;
        let done = quietly(|| {
            let mut copies = Copies::new(message, whole);
            let mut buffers = copies.buffers(message, &mut token);
            self.context().open(&mut buffers)
        });
        done.map_err(|error| self.failure.set(error))
    }
}

/// sspi wants to be able to write also to what it only reads.
struct Copies {
    header: Vec<u8>,
    trailer: Vec<u8>,
}

impl Copies {
    fn new(message: &Message<'_>, whole: bool) -> Self {
        let copy = |bytes: &[u8]| if whole { Vec::from(bytes) } else { Vec::new() };
        Self { header: copy(message.header), trailer: copy(message.trailer) }
    }

    fn buffers<'b>(
        &'b mut self,
        message: &'b mut Message<'_>,
        token: &'b mut [u8],
    ) -> Vec<SecurityBufferRef<'b>> {
        let read_only = SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM;
        let body = SecurityBufferRef::data_buf(message.body);
        let body = if message.level == AuthLevel::PRIVACY { body } else { body.with_flags(read_only) };
        let header = SecurityBufferRef::data_buf(&mut self.header).with_flags(read_only);
        let trailer = SecurityBufferRef::data_buf(&mut self.trailer).with_flags(read_only);
        vec![header, body, trailer, SecurityBufferRef::token_buf(token)]
    }
}

/// What a finished context does, whatever its mechanism.
trait Seal {
    fn signature_len(&mut self) -> sspi::Result<usize>;
    fn seal(&mut self, buffers: &mut [SecurityBufferRef<'_>]) -> sspi::Result<()>;
    fn open(&mut self, buffers: &mut [SecurityBufferRef<'_>]) -> sspi::Result<()>;
}

impl<T: Sspi> Seal for T {
    fn signature_len(&mut self) -> sspi::Result<usize> {
        let sizes = self.query_context_sizes()?;
        Ok(usize::try_from(sizes.security_trailer).unwrap_or_default())
    }

    fn seal(&mut self, buffers: &mut [SecurityBufferRef<'_>]) -> sspi::Result<()> {
        self.encrypt_message(EncryptionFlags::empty(), buffers).map(|_| ())
    }

    fn open(&mut self, buffers: &mut [SecurityBufferRef<'_>]) -> sspi::Result<()> {
        self.decrypt_message(buffers).map(|_| ())
    }
}

fn engine(credentials: &Credentials, mechanism: &Mechanism) -> sspi::Result<Engine> {
    let Credentials { domain, user, password } = credentials;
    let username = Username::new(user, Some(domain))
        .map_err(|_| sspi::Error::new(ErrorKind::InvalidParameter, "not a user name".to_owned()))?;
    let identity = AuthIdentity { username, password: password.expose().clone().into() };
    Ok(match mechanism {
        Mechanism::Ntlm => {
            let mut context = Ntlm::with_config(NtlmConfig::default());
            let builder = context.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
            let handle = builder.with_auth_data(&identity).execute(&mut context)?.credentials_handle;
            Engine::Ntlm(Box::new(context), handle)
        }
        Mechanism::Negotiate => {
            let config = NegotiateConfig::new(
                Box::new(NtlmConfig::default()),
                Some(String::from("ntlm")),
                String::from("client"),
            );
            let mut context = Negotiate::new_client(config)?;
            let data = identity.into();
            let builder = context.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
            let handle = builder.with_auth_data(&data).execute(&mut context)?.credentials_handle;
            Engine::Negotiate(Box::new(context), handle)
        }
        Mechanism::Kerberos { kdc, .. } => {
            let config = KerberosConfig::new(kdc, String::from("client"));
            if config.kdc_url.is_none() {
                return Err(sspi::Error::new(ErrorKind::InvalidParameter, "no KDC".to_owned()));
            }
            let mut context = Kerberos::new_client_from_config(config)?;
            let data = identity.into();
            let builder = context.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
            let handle = builder.with_auth_data(&data).execute(&mut context)?.credentials_handle;
            Engine::Kerberos(Box::new(context), handle)
        }
    })
}

/// One step of the exchange: a token in, a token out, and whether the context is finished.
async fn advance<T: Sspi + SspiImpl>(
    context: &mut T,
    handle: &mut T::CredentialsHandle,
    target: &str,
    token: &[u8],
) -> sspi::Result<(Vec<u8>, bool)> {
    let flags = ClientRequestFlags::MUTUAL_AUTH
        | ClientRequestFlags::INTEGRITY
        | ClientRequestFlags::CONFIDENTIALITY
        | ClientRequestFlags::REPLAY_DETECT
        | ClientRequestFlags::SEQUENCE_DETECT
        | ClientRequestFlags::USE_DCE_STYLE;
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let builder = context
        .initialize_security_context()
        .with_credentials_handle(handle)
        .with_context_requirements(flags)
        .with_target_data_representation(DataRepresentation::Native)
        .with_input(&mut input)
        .with_output(&mut output);
    let mut builder = if target.is_empty() { builder } else { builder.with_target_name(target) };
    let mut generator = quietly(|| context.initialize_security_context_impl(&mut builder))?;
    let mut state = quietly(|| generator.start());
    let result = loop {
        match state {
            GeneratorState::Suspended(request) => {
                let reply = kdc::ask(&request).await;
                state = quietly(|| generator.resume(reply));
            }
            GeneratorState::Completed(result) => break result?,
        }
    };
    drop(generator);
    let [output] = output;
    Ok((output.buffer, result.status == SecurityStatus::Ok))
}
