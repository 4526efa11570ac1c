//! The verification trailer: what protects a header that the security provider does not.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U16, check_len,
    len_u16,
};

use crate::names::PacketType;
use crate::pdu::DataRepresentation;
use crate::syntax::SyntaxId;
use crate::wire::{ByteOrder, filler, padding, rpce};

const TRAILER: At = rpce("2.2.2.13", "verification trailer", "");
const SIGNATURE_AT: At = rpce("2.2.2.13.1", "rpc_sec_verification_trailer", "signature");
const VT: At = rpce("2.2.2.13", "SEC_VT", "");
const COMMAND: At = rpce("2.2.2.13", "SEC_VT", "command");
const LENGTH: At = rpce("2.2.2.13", "SEC_VT", "length");
const UNKNOWN: At = rpce("2.2.2.13", "SEC_VT", "(body)");
const BITS: At = rpce("2.2.2.13.2", "rpc_sec_vt_bitmask", "bits");
const PTYPE: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "PTYPE");
const RESERVED: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "Reserved");
const DREP: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "drep");
const CALL_ID: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "call_id");
const CONTEXT_ID: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "p_context_id_t");
const OPNUM: At = rpce("2.2.2.13.3", "rpc_sec_vt_header2", "opnum");
const INTERFACE: At = rpce("2.2.2.13.4", "rpc_sec_vt_pcontext", "InterfaceId");
const TRANSFER: At = rpce("2.2.2.13.4", "rpc_sec_vt_pcontext", "TransferSyntax");

const SIGNATURE: [u8; 8] = [0x8A, 0xE3, 0x13, 0x71, 0x02, 0xF4, 0x36, 0x71];
const BITMASK: u16 = 1;
const PCONTEXT: u16 = 2;
const HEADER2: u16 = 3;
const TYPE: u16 = 0x3FFF;
const END: u16 = 0x4000;
const MUST_PROCESS: u16 = 0x8000;
/// Bytes from the end in which a trailer is looked for: the one that all known commands make has 80.
const MAX_LEN: usize = 1024;
const LE: ByteOrder = ByteOrder::Little;

/// A verification trailer ([MS-RPCE] 2.2.2.13), always little-endian: signature of 8 bytes, commands. The last command, and
/// no other, has the end bit, which is no field here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VerificationTrailer<'a> {
    /// At least one; each type at most once.
    pub commands: Vec<Command<'a>>,
}

/// A command of a verification trailer: command u16, length u16 (a multiple of 4), body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Command<'a> {
    /// SEC_VT_MUST_PROCESS_COMMAND: a server that does not know the command must refuse the request.
    pub must_process: bool,
    /// What it says.
    pub body: CommandBody<'a>,
}

/// What a command says.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum CommandBody<'a> {
    /// rpc_sec_vt_bitmask ([MS-RPCE] 2.2.2.13.2), 4 bytes.
    Bitmask {
        /// Bit 0: the client supports header signing.
        bits: u32,
    },
    /// rpc_sec_vt_header2 ([MS-RPCE] 2.2.2.13.3), 16 bytes: fields of the request.
    Header2 {
        /// PTYPE.
        packet_type: PacketType,
        /// Zeros, ignored when read.
        reserved: [u8; 3],
        /// drep.
        data_representation: DataRepresentation,
        /// call_id.
        call_id: u32,
        /// p_cont_id.
        context_id: u16,
        /// opnum.
        opnum: u16,
    },
    /// rpc_sec_vt_pcontext ([MS-RPCE] 2.2.2.13.4), 40 bytes: what the presentation context stands for.
    PContext {
        /// The interface.
        interface: SyntaxId,
        /// The transfer syntax.
        transfer: SyntaxId,
    },
    /// A command that no section defines.
    Unknown {
        /// Its type, 14 bits.
        command: u16,
        /// Its body, a multiple of 4 bytes.
        body: Blob<'a>,
    },
}

impl CommandBody<'_> {
    /// Bit of [`Bitmask`](Self::Bitmask): the client's first PDU with a token had
    /// [`Flags::SUPPORT_HEADER_SIGN`](crate::Flags::SUPPORT_HEADER_SIGN).
    pub const CLIENT_SUPPORT_HEADER_SIGNING: u32 = 1;

    fn command(&self) -> u16 {
        match self {
            Self::Bitmask { .. } => BITMASK,
            Self::PContext { .. } => PCONTEXT,
            Self::Header2 { .. } => HEADER2,
            Self::Unknown { command, .. } => *command,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bitmask { .. } => 4,
            Self::Header2 { .. } => 16,
            Self::PContext { .. } => 40,
            Self::Unknown { body, .. } => body.len(),
        }
    }

    fn into_owned(self) -> CommandBody<'static> {
        match self {
            Self::Bitmask { bits } => CommandBody::Bitmask { bits },
            Self::PContext { interface, transfer } => CommandBody::PContext { interface, transfer },
            Self::Header2 { packet_type, reserved, data_representation, call_id, context_id, opnum } => {
                CommandBody::Header2 {
                    packet_type,
                    reserved,
                    data_representation,
                    call_id,
                    context_id,
                    opnum,
                }
            }
            Self::Unknown { command, body } => CommandBody::Unknown { command, body: body.into_owned() },
        }
    }
}

impl<'a> VerificationTrailer<'a> {
    /// The trailer at the end of a request's whole stub data, and where the padding before it can begin at the earliest:
    /// the bytes before it are stub data and padding. `None` when there is no trailer that reaches to the end; what only
    /// looks like its signature is stub data.
    ///
    /// The signature is looked for in the last 1,024 bytes, at multiples of 4, since every fragment's stub data begin at one.
    #[must_use]
    pub fn find(stub: &'a [u8]) -> Option<(Self, usize)> {
        let aligned = stub.chunks(4).enumerate().map(|(index, _)| index.saturating_mul(4));
        let mut candidates = aligned.rev().take(MAX_LEN / 4).filter_map(|at| {
            let tail = stub.get(at..)?;
            tail.starts_with(&SIGNATURE).then_some((at, tail))
        });
        // The last one that fits: a command of an unknown type may hold anything, but then it is the client's own.
        candidates.find_map(|(at, tail)| Self::decode(tail).ok().map(|trailer| (trailer, at)))
    }

    /// Zeros between stub data of `len` bytes and the trailer.
    #[must_use]
    pub const fn padding(len: usize) -> usize {
        padding(len, 4)
    }

    /// The same trailer, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> VerificationTrailer<'static> {
        let own = |c: Command<'a>| Command { must_process: c.must_process, body: c.body.into_owned() };
        VerificationTrailer { commands: self.commands.into_iter().map(own).collect() }
    }
}

impl<'a> Decode<'a> for VerificationTrailer<'a> {
    const AT: &'static At = &TRAILER;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.offset();
        if cursor.take(SIGNATURE.len(), &SIGNATURE_AT, Format::Bytes)? != SIGNATURE {
            let kind = DecodeErrorKind::Rule("not the signature of a verification trailer");
            return Err(DecodeError::new(start, &SIGNATURE_AT, kind));
        }
        let max = cursor.context().limits().items;
        let mut commands: Vec<Command<'a>> = Vec::new();
        // Which of the known commands came.
        let mut seen = 0_u8;
        loop {
            if commands.len() >= max {
                return Err(cursor.error(&VT, DecodeErrorKind::LimitExceeded { limit: "list elements", max }));
            }
            let start = cursor.offset();
            let (command, end) = cursor.group(&VT, parse_command)?;
            let bit = match command.body.command() {
                BITMASK => 1,
                PCONTEXT => 2,
                HEADER2 => 4,
                _ => 0_u8,
            };
            let twice = seen & bit != 0;
            seen |= bit;
            cursor.must(!twice, start, &VT, DecodeErrorKind::Rule("a command stands twice"))?;
            commands.push(command);
            if end {
                return Ok(Self { commands });
            }
        }
    }
}

fn parse_command<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<(Command<'a>, bool), DecodeError> {
    let word = cursor.flags16(&COMMAND)?;
    let length_at = cursor.offset();
    let len = usize::from(cursor.u16(&LENGTH)?);
    if !len.is_multiple_of(4) {
        return Err(DecodeError::new(length_at, &LENGTH, DecodeErrorKind::Rule("not a multiple of 4")));
    }
    let mut body = cursor.sub(len, &LENGTH)?;
    let c = &mut body;
    let parsed = match word & TYPE {
        BITMASK => CommandBody::Bitmask { bits: c.flags32(&BITS)? },
        HEADER2 => {
            let packet_type = PacketType(c.u8(&PTYPE)?);
            let reserved = filler(c, &RESERVED)?;
            let drep = c.take(4, &DREP, Format::Bytes)?;
            let data_representation = DataRepresentation(drep.first_chunk().copied().unwrap_or_default());
            let call_id = c.u32(&CALL_ID)?;
            let context_id = c.u16(&CONTEXT_ID)?;
            let opnum = c.u16(&OPNUM)?;
            CommandBody::Header2 { packet_type, reserved, data_representation, call_id, context_id, opnum }
        }
        PCONTEXT => {
            let interface = c.group(&INTERFACE, |c| SyntaxId::parse(LE, c))?;
            let transfer = c.group(&TRANSFER, |c| SyntaxId::parse(LE, c))?;
            CommandBody::PContext { interface, transfer }
        }
        command => CommandBody::Unknown { command, body: c.take_rest(&UNKNOWN, Format::Bytes).into() },
    };
    body.finish(&LENGTH)?;
    Ok((Command { must_process: word & MUST_PROCESS != 0, body: parsed }, word & END != 0))
}

impl Encode for VerificationTrailer<'_> {
    fn encoded_len(&self) -> usize {
        self.commands.iter().fold(8, |len, c| len.saturating_add(4).saturating_add(c.body.len()))
    }

    fn check(&self) -> Result<(), EncodeError> {
        let invalid = |at, reason| Err(EncodeError::Invalid { at, reason });
        if self.commands.is_empty() {
            return invalid(&TRAILER, "without a command there is no end");
        }
        for Command { body, .. } in &self.commands {
            check_len(body.len(), MAX_U16, &LENGTH)?;
            if let CommandBody::Unknown { command, body } = body {
                if matches!(*command, BITMASK..=HEADER2) || *command > TYPE {
                    return invalid(&COMMAND, "no type of an unknown command");
                }
                if !body.len().is_multiple_of(4) {
                    return invalid(&LENGTH, "not a multiple of 4");
                }
            }
        }
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice(&SIGNATURE);
        let last = self.commands.len().saturating_sub(1);
        for (index, Command { must_process, body }) in self.commands.iter().enumerate() {
            let must_process = if *must_process { MUST_PROCESS } else { 0 };
            let end = if index == last { END } else { 0 };
            dst.put_u16_le(body.command() | must_process | end);
            dst.put_u16_le(len_u16(body.len()));
            match body {
                CommandBody::Bitmask { bits } => dst.put_u32_le(*bits),
                CommandBody::Header2 {
                    packet_type,
                    reserved,
                    data_representation,
                    call_id,
                    context_id,
                    opnum,
                } => {
                    dst.put_u8(packet_type.0);
                    dst.put_slice(reserved);
                    dst.put_slice(&data_representation.0);
                    dst.put_u32_le(*call_id);
                    dst.put_u16_le(*context_id);
                    dst.put_u16_le(*opnum);
                }
                CommandBody::PContext { interface, transfer } => {
                    interface.write(LE, dst);
                    transfer.write(LE, dst);
                }
                CommandBody::Unknown { body, .. } => dst.put_slice(body),
            }
        }
    }
}
