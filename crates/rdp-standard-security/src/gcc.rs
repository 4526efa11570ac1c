//! The user data blocks in MCS Connect Initial and Connect Response ([MS-RDPBCGR] 2.2.1.3, 2.2.1.4).

use alloc::vec::Vec;

use remassist_core::{At, DecodeErrorKind};

use crate::cipher::RANDOM_LEN;
use crate::frame::{X224_HEADER_LEN, write_x224};
use crate::wire::{Reader, at, write_ber, write_per_len};
use crate::{Error, Level, Method, Methods, ServerCertificate};

const CS_SECURITY: u16 = 0xC002;
const SC_SECURITY: u16 = 0x0C02;
const SC_NET: u16 = 0x0C03;
const SC_MCS_MSGCHANNEL: u16 = 0x0C04;
const FIPS_LEVEL: u32 = 4;

static INITIAL: At = at("2.2.1.3", "mcsCi", "");
static REQUEST: At = at("2.2.1.3", "gccCCrq", "");
static CS_SEC: At = at("2.2.1.3.3", "TS_UD_CS_SEC", "encryptionMethods");
static RESPONSE: At = at("2.2.1.4", "mcsCrsp", "");
static CREATED: At = at("2.2.1.4", "gccCCrsp", "");
static CREATED_DATA: At = at("2.2.1.4", "gccCCrsp", "userData");
static HEADER: At = at("2.2.1.3.1", "TS_UD_HEADER", "length");
static SEC_METHOD: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "encryptionMethod");
static SEC_LEVEL: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "encryptionLevel");
static SEC_RANDOM_LEN: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "serverRandomLen");
static SEC_RANDOM: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "serverRandom");
static SEC_CERT_LEN: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "serverCertLen");
static SEC_CERT: At = at("2.2.1.4.3", "TS_UD_SC_SEC1", "serverCertificate");
static NET: At = at("2.2.1.4.4", "TS_UD_SC_NET", "MCSChannelId");
static MESSAGE: At = at("2.2.1.4.5", "TS_UD_SC_MCS_MSGCHANNEL", "MCSChannelId");

/// Key of ConnectData: the object identifier of T.124.
const T124: [u8; 7] = [0, 5, 0, 0x14, 0x7C, 0, 1];
/// Conference Create Request with nothing but a name and user data.
const CREATE_REQUEST: [u8; 2] = [0, 8];
/// One set of user data with a value, under an H.221 key.
const CLIENT_DATA: [u8; 7] = *b"\x01\xC0\0Duca";
const SERVER_DATA: [u8; 7] = *b"\x01\xC0\0McDn";

/// The channels that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channels {
    pub(crate) io: u16,
    pub(crate) message: Option<u16>,
}

/// What a server selected.
pub(crate) enum Selected {
    Clear,
    Encrypted {
        method: Method,
        level: Level,
        server_random: [u8; RANDOM_LEN],
        certificate: ServerCertificate,
    },
}

/// The value of the one block of a type, without its header.
fn block<'a>(blocks: &Reader<'a>, wanted: u16, at: &'static At) -> Result<Option<Reader<'a>>, Error> {
    let mut blocks = blocks.clone();
    let mut found = None;
    while !blocks.rest().is_empty() {
        let kind = blocks.u16_le(&HEADER)?;
        let before = blocks.clone();
        let len = blocks.u16_le(&HEADER)?;
        let Some(len) = len.checked_sub(4) else {
            return Err(before.error(&HEADER, DecodeErrorKind::InvalidValue { got: len.into() }).into());
        };
        let value = blocks.sub(len.into(), &HEADER)?;
        if kind == wanted && found.replace(value).is_some() {
            return Err(before.rule(at, "the block stands twice").into());
        }
    }
    Ok(found)
}

fn need<'a>(blocks: &Reader<'a>, wanted: u16, at: &'static At) -> Result<Reader<'a>, Error> {
    block(blocks, wanted, at)?.ok_or_else(|| blocks.rule(at, "the block is missing").into())
}

/// The blocks of a Connect Initial.
fn client_blocks(frame: &[u8]) -> Result<Reader<'_>, Error> {
    let mut reader = Reader::new(frame);
    reader.take(X224_HEADER_LEN, &INITIAL)?;
    let len = reader.ber(&[0x7F, 0x65], &INITIAL)?;
    let mut body = reader.sub(len, &INITIAL)?;
    reader.finish(&INITIAL)?;
    // Two domain selectors, the upward flag, three sets of parameters.
    for tag in [4, 4, 1, 0x30, 0x30, 0x30] {
        let len = body.ber(&[tag], &INITIAL)?;
        body.take(len, &INITIAL)?;
    }
    let len = body.ber(&[4], &INITIAL)?;
    let mut gcc = body.sub(len, &INITIAL)?;
    body.finish(&INITIAL)?;
    gcc.expect(&T124, &REQUEST)?;
    gcc.per_len(&REQUEST)?;
    gcc.expect(&CREATE_REQUEST, &REQUEST)?;
    // The name is a numeric string, two digits in a byte, with at least one digit; then a byte of padding.
    let digits = gcc.per_len(&REQUEST)?.saturating_add(1);
    gcc.take(digits.div_ceil(2), &REQUEST)?;
    gcc.take(1, &REQUEST)?;
    gcc.expect(&CLIENT_DATA, &REQUEST)?;
    let len = gcc.per_len(&REQUEST)?;
    Ok(gcc.sub(len, &REQUEST)?)
}

/// The methods that a client offers.
pub(crate) fn offered(frame: &[u8]) -> Result<Methods, Error> {
    let mut security = need(&client_blocks(frame)?, CS_SECURITY, &CS_SEC)?;
    let methods = Methods(security.u32_le(&CS_SEC)?);
    let french = Methods(security.u32_le(&CS_SEC)?);
    // Clients of the French locale offer theirs in the second field.
    Ok(if methods == Methods::default() { french } else { methods })
}

/// A Connect Initial that offers other methods.
pub(crate) fn with_offer(frame: &[u8], methods: Methods) -> Result<Vec<u8>, Error> {
    let mut security = need(&client_blocks(frame)?, CS_SECURITY, &CS_SEC)?;
    let start = security.offset();
    security.take(8, &CS_SEC)?;
    let mut out = frame.to_vec();
    let range = start..security.offset();
    if let Some(to) = out.get_mut(range) {
        let value = methods.0.to_le_bytes().into_iter().chain([0; 4]);
        to.iter_mut().zip(value).for_each(|(to, from)| *to = from);
    }
    Ok(out)
}

/// A Connect Response in its parts.
pub(crate) struct Response<'a> {
    /// Result, connect id and domain parameters.
    mcs: &'a [u8],
    /// From the choice of the PDU to the length of the blocks.
    gcc: &'a [u8],
    blocks: Reader<'a>,
}

impl<'a> Response<'a> {
    pub(crate) fn read(frame: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(frame);
        reader.take(X224_HEADER_LEN, &RESPONSE)?;
        let len = reader.ber(&[0x7F, 0x66], &RESPONSE)?;
        let mut body = reader.sub(len, &RESPONSE)?;
        reader.finish(&RESPONSE)?;
        let (whole, start) = (body.rest(), body.offset());
        // The result, the id of the connection, the domain parameters.
        for tag in [0x0A, 2, 0x30] {
            let len = body.ber(&[tag], &RESPONSE)?;
            body.take(len, &RESPONSE)?;
        }
        let mcs = whole.get(..body.offset().saturating_sub(start)).unwrap_or_default();
        let len = body.ber(&[4], &RESPONSE)?;
        let mut created = body.sub(len, &RESPONSE)?;
        body.finish(&RESPONSE)?;
        created.expect(&T124, &CREATED)?;
        // To be ignored ([MS-RDPBCGR] 3.2.5.3.4): Windows writes nonsense here.
        created.per_len(&CREATED)?;
        let (whole, start) = (created.rest(), created.offset());
        // The choice, the node.
        created.expect(&[0x14], &CREATED)?;
        created.take(2, &CREATED)?;
        // The tag, a number of any length, and the result.
        let len = created.per_len(&CREATED)?;
        created.take(len, &CREATED)?;
        created.take(1, &CREATED)?;
        created.expect(&SERVER_DATA, &CREATED_DATA)?;
        let gcc = whole.get(..created.offset().saturating_sub(start)).unwrap_or_default();
        let len = created.per_len(&CREATED_DATA)?;
        let blocks = created.sub(len, &CREATED_DATA)?;
        Ok(Self { mcs, gcc, blocks })
    }

    pub(crate) fn channels(&self) -> Result<Channels, Error> {
        let io = need(&self.blocks, SC_NET, &NET)?.u16_le(&NET)?;
        let message = block(&self.blocks, SC_MCS_MSGCHANNEL, &MESSAGE)?;
        let message = message.map(|mut block| block.u16_le(&MESSAGE)).transpose()?;
        Ok(Channels { io, message })
    }

    /// What the server selected; the certificate is checked.
    pub(crate) fn selected(&self) -> Result<Selected, Error> {
        let mut security = need(&self.blocks, SC_SECURITY, &SEC_METHOD)?;
        let bits = security.u32_le(&SEC_METHOD)?;
        let number = security.u32_le(&SEC_LEVEL)?;
        if bits == 0 && number == 0 {
            return Ok(Selected::Clear);
        }
        if bits == Methods::FIPS.0 || number == FIPS_LEVEL {
            return Err(Error::Fips);
        }
        let method = Method::from_bits(bits);
        let level = Level::from_number(number).filter(|level| *level != Level::None);
        let (Some(method), Some(level)) = (method, level) else {
            return Err(Error::Contradiction { method: bits, level: number });
        };
        security.expect_u32(32, &SEC_RANDOM_LEN)?;
        let len = security.u32_le(&SEC_CERT_LEN)?;
        let server_random = security.array(&SEC_RANDOM)?;
        let certificate = security.sub(remassist_core::usize_from(len), &SEC_CERT)?;
        let certificate = ServerCertificate::read(certificate)?;
        Ok(Selected::Encrypted { method, level, server_random, certificate })
    }

    /// The frame with another security block.
    fn with_security(&self, security: &[u8]) -> Result<Vec<u8>, Error> {
        let too_long = |len| Error::TooLong { len };
        let mut blocks = Vec::new();
        let mut rest = self.blocks.clone();
        while !rest.rest().is_empty() {
            let start = rest.clone();
            let kind = rest.u16_le(&HEADER)?;
            let len = usize::from(rest.u16_le(&HEADER)?);
            rest.take(len.saturating_sub(4), &HEADER)?;
            if kind == SC_SECURITY {
                let len = security.len().saturating_add(4);
                blocks.extend(SC_SECURITY.to_le_bytes());
                blocks.extend(u16::try_from(len).map_err(|_| too_long(len))?.to_le_bytes());
                blocks.extend(security);
            } else {
                blocks.extend(start.rest().get(..len.max(4)).unwrap_or_default());
            }
        }
        let mut created = self.gcc.to_vec();
        write_per_len(&mut created, blocks.len()).ok_or(too_long(blocks.len()))?;
        created.extend(blocks);
        let mut data = T124.to_vec();
        write_per_len(&mut data, created.len()).ok_or(too_long(created.len()))?;
        data.extend(created);
        let mut body = self.mcs.to_vec();
        write_ber(&mut body, &[4], data.len()).ok_or(too_long(data.len()))?;
        body.extend(data);
        let mut pdu = Vec::new();
        write_ber(&mut pdu, &[0x7F, 0x66], body.len()).ok_or(too_long(body.len()))?;
        pdu.extend(body);
        write_x224(&pdu)
    }

    /// The frame as a server without encryption would have sent it.
    pub(crate) fn without_security(&self) -> Result<Vec<u8>, Error> {
        self.with_security(&[0; 8])
    }

    /// The frame with what the server selected.
    pub(crate) fn with_selected(
        &self,
        method: Method,
        level: Level,
        server_random: &[u8; RANDOM_LEN],
        certificate: &[u8],
    ) -> Result<Vec<u8>, Error> {
        need(&self.blocks, SC_SECURITY, &SEC_METHOD)?;
        let certificate_len = u32::try_from(certificate.len()).unwrap_or(u32::MAX);
        let numbers = [method.bits(), level.number(), 32, certificate_len];
        let mut security: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        security.extend(server_random);
        security.extend(certificate);
        self.with_security(&security)
    }
}
