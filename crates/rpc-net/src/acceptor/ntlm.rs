//! NTLM's three messages, through sspi ([MS-NLMP] 2.2.1, 3.2.5).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use remassist_core::constant_time_eq;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, DataRepresentation, Ntlm, SecurityBuffer,
    ServerRequestFlags, Sspi, SspiEx, SspiImpl, Username,
};
use zeroize::Zeroizing;

use super::session::Session;
use crate::accounts::NtHash;
use crate::provider::quietly;

/// NEGOTIATE_MESSAGE and AUTHENTICATE_MESSAGE must have them: UNICODE, EXTENDED_SESSIONSECURITY, 128, KEY_EXCH.
const NEEDED: u32 = 0x0000_0001 | 0x0008_0000 | 0x2000_0000 | 0x4000_0000;
const SIGNATURE: &[u8] = b"NTLMSSP\0";
const AV_FLAGS: u16 = 6;
const AV_FLAG_MIC: u32 = 2;
/// Where AUTHENTICATE_MESSAGE has its MIC, and how long that is.
const MIC_AT: usize = 72;
const MIC_LEN: usize = 16;

/// Who the client says it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) domain: String,
    pub(crate) user: String,
}

/// What of AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3) is looked at here.
pub(crate) struct Authenticate {
    pub(crate) names: Names,
    /// NTProofStr and what it proves ([MS-NLMP] 2.2.2.8).
    proof: [u8; 16],
    proved: Vec<u8>,
    /// Whether the message says that it has a MIC.
    pub(crate) has_mic: bool,
}

impl Authenticate {
    pub(crate) fn parse(token: &[u8]) -> Option<Self> {
        let flags = flags(token, 3, 60)?;
        if flags & NEEDED != NEEDED {
            return None;
        }
        let response = field(token, 20)?;
        let names = Names { domain: text(field(token, 28)?)?, user: text(field(token, 36)?)? };
        let Some((proof, proved)) = response.split_first_chunk() else {
            // Nobody: the response is empty.
            return names.user.is_empty().then(|| Self {
                names,
                proof: [0; 16],
                proved: Vec::new(),
                has_mic: false,
            });
        };
        let has_mic = has_mic(proved.get(28..)?)?;
        Some(Self { names, proof: *proof, proved: Vec::from(proved), has_mic })
    }

    /// Whether the client knows the hash ([MS-NLMP] 3.3.2).
    fn proves(&self, hash: &NtHash, challenge: &[u8]) -> bool {
        let mut name = self.names.user.to_uppercase();
        name.push_str(&self.names.domain);
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let key = Zeroizing::new(hmac_md5(hash.bytes(), &[&name]));
        constant_time_eq(&hmac_md5(&*key, &[challenge, &self.proved]), &self.proof)
    }
}

pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// One exchange.
pub(super) struct Handshake {
    ntlm: Box<Ntlm>,
    handle: Option<AuthIdentityBuffers>,
    challenge: [u8; 8],
    /// NEGOTIATE_MESSAGE and CHALLENGE_MESSAGE, which the MIC covers too.
    before: [Vec<u8>; 2],
}

impl Handshake {
    pub(super) fn new() -> Self {
        Self { ntlm: Box::default(), handle: None, challenge: [0; 8], before: Default::default() }
    }

    /// CHALLENGE_MESSAGE for NEGOTIATE_MESSAGE; it has the flags of that one.
    pub(super) fn challenge(&mut self, negotiate: &[u8]) -> Option<Vec<u8>> {
        if flags(negotiate, 1, 12)? & NEEDED != NEEDED {
            return None;
        }
        let token = self.accept(negotiate)?;
        self.challenge = *token.get(24..)?.first_chunk()?;
        self.before = [Vec::from(negotiate), token.clone()];
        Some(token)
    }

    /// Takes AUTHENTICATE_MESSAGE; `None` when the client does not know the hash.
    ///
    /// sspi looks only at the MIC, and at that only where flags that nobody signs tell of it: NTProofStr is verified here,
    /// and so is the MIC that the flags under NTProofStr tell of.
    pub(super) fn authenticate(
        mut self,
        token: &[u8],
        message: &Authenticate,
        hash: &NtHash,
    ) -> Option<Session> {
        let proved = message.proves(hash, &self.challenge);
        self.accept(token)?;
        let password = format!("{}{}", sspi::NTLM_HASH_PREFIX, hash.to_hex().expose());
        // sspi takes the names of the message.
        let identity = AuthIdentity { username: Username::parse("user").ok()?, password: password.into() };
        let ntlm = &mut self.ntlm;
        let key = quietly(|| {
            ntlm.custom_set_auth_identity(identity).ok()?;
            ntlm.complete_auth_token(&mut []).ok()?;
            ntlm.query_context_session_key().ok()
        })?;
        let key = key.session_key.as_ref();
        (proved && (!message.has_mic || self.is_mic_right(token, key))).then(|| Session::new(key))
    }

    /// Whether the MIC of AUTHENTICATE_MESSAGE is the one of all three messages ([MS-NLMP] 3.2.5.1.2).
    fn is_mic_right(&self, token: &[u8], key: &[u8]) -> bool {
        let Some((head, rest)) = token.split_at_checked(MIC_AT) else { return false };
        let Some((mic, tail)) = rest.split_at_checked(MIC_LEN) else { return false };
        let [negotiate, challenge] = &self.before;
        constant_time_eq(&hmac_md5(key, &[negotiate, challenge, head, &[0; MIC_LEN], tail]), mic)
    }

    fn accept(&mut self, token: &[u8]) -> Option<Vec<u8>> {
        let mut input = [SecurityBuffer::new(Vec::from(token), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        quietly(|| {
            let builder = self
                .ntlm
                .accept_security_context()
                .with_credentials_handle(&mut self.handle)
                .with_context_requirements(ServerRequestFlags::USE_DCE_STYLE)
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            self.ntlm.accept_security_context_impl(builder).ok()?.resolve_to_result().ok()
        })?;
        let [output] = output;
        Some(output.buffer)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// NegotiateFlags of a message of a type.
fn flags(token: &[u8], message_type: u32, at: usize) -> Option<u32> {
    (token.starts_with(SIGNATURE) && u32_at(token, 8)? == message_type).then_some(())?;
    u32_at(token, at)
}

/// Len, MaxLen, BufferOffset, and what they point at.
fn field(token: &[u8], at: usize) -> Option<&[u8]> {
    let len = usize::from(u16_at(token, at)?);
    let offset = usize::try_from(u32_at(token, at.checked_add(4)?)?).ok()?;
    token.get(offset..offset.checked_add(len)?)
}

fn text(bytes: &[u8]) -> Option<String> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))).collect::<Result<_, _>>().ok()
}

/// Whether MsvAvFlags ([MS-NLMP] 2.2.2.1) tells of a MIC.
fn has_mic(mut pairs: &[u8]) -> Option<bool> {
    loop {
        let (id, len) = (u16_at(pairs, 0)?, usize::from(u16_at(pairs, 2)?));
        let end = len.checked_add(4)?;
        match id {
            0 => return Some(false),
            AV_FLAGS if len == 4 => return Some(u32_at(pairs, 4)? & AV_FLAG_MIC != 0),
            _ => pairs = pairs.get(end..)?,
        }
    }
}
