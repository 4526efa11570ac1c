//! What ORPC extensions hold ([MS-DCOM] 2.2.21).

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U32, Utf16Le,
    check_len, len_u32, usize_from,
};
use uuid::{Uuid, uuid};

use crate::CustomData;
use crate::engine::{Ndr, Reader, Writer};

macro_rules! fields {
    ($($name:ident = $section:literal, $structure:literal, $field:literal;)*) => {$(
        static $name: At = At::new("[MS-DCOM]", $section, $structure, $field);
    )*};
}
fields! {
    ERROR = "2.2.21.2", "Custom-Marshaled Error Information Format", "";
    VERSION = "2.2.21.2", "Custom-Marshaled Error Information Format", "dwVersion";
    HELP_CONTEXT = "2.2.21.2", "Custom-Marshaled Error Information Format", "dwHelpContext";
    IID = "2.2.21.2", "Custom-Marshaled Error Information Format", "iid";
    SOURCE = "2.2.21.2", "Custom-Marshaled Error Information Format", "dwSourceSignature";
    DESCRIPTION = "2.2.21.2", "Custom-Marshaled Error Information Format", "dwDescriptionSignature";
    HELP_FILE = "2.2.21.2", "Custom-Marshaled Error Information Format", "dwHelpFileSignature";
    STRING = "2.2.21.3", "ErrorInfoString", "";
    MAX = "2.2.21.3", "ErrorInfoString", "dwMax";
    OFFSET = "2.2.21.3", "ErrorInfoString", "dwOffSet";
    ACTUAL = "2.2.21.3", "ErrorInfoString", "dwActual";
    NAME = "2.2.21.3", "ErrorInfoString", "Name";
    CONTEXT = "2.2.21.4", "Context ORPC Extension", "";
    SIGNATURE = "2.2.21.4", "Context ORPC Extension", "Signature";
    CONTEXT_VERSION = "2.2.21.4", "Context ORPC Extension", "Version";
    POLICIES = "2.2.21.4", "Context ORPC Extension", "cPolicies";
    BUFFER = "2.2.21.4", "Context ORPC Extension", "cbBuffer";
    SIZE = "2.2.21.4", "Context ORPC Extension", "cbSize";
    HR = "2.2.21.4", "Context ORPC Extension", "hr";
    HR_SERVER = "2.2.21.4", "Context ORPC Extension", "hrServer";
    RESERVED = "2.2.21.4", "Context ORPC Extension", "reserved";
    POLICY_DATA = "2.2.21.4", "Context ORPC Extension", "PolicyData";
    ENTRY = "2.2.21.5", "EntryHeader", "";
    ENTRY_SIGNATURE = "2.2.21.5", "EntryHeader", "Signature";
    ENTRY_BUFFER = "2.2.21.5", "EntryHeader", "cbEHBuffer";
    ENTRY_OFFSET = "2.2.21.5", "EntryHeader", "cbSize";
    ENTRY_RESERVED = "2.2.21.5", "EntryHeader", "reserved";
    POLICY_ID = "2.2.21.5", "EntryHeader", "policyID";
}

/// What an error says of itself ([MS-DCOM] 2.2.21.2), little-endian, the data of an OBJREF_CUSTOM: dwVersion u32 (0),
/// dwHelpContext u32, iid, and three texts, each after a signature u32 (0xFFFFFFFF, or 0 for none).
///
/// A text ([MS-DCOM] 2.2.21.3) is dwMax u32, dwOffSet u32 (0), dwActual u32 (as dwMax), and as many 16-bit units. Nothing
/// is aligned. Decoding fails at other versions, signatures and offsets, and when the counts differ. A text that does
/// not end with its only NUL is a deviation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ErrorInfo<'a> {
    /// dwHelpContext: ignored.
    pub help_context: u32,
    /// iid: the interface that returned the error.
    pub iid: Uuid,
    /// Source, with its terminator.
    pub source: Option<Utf16Le<'a>>,
    /// Description, with its terminator.
    pub description: Option<Utf16Le<'a>>,
    /// HelpFile, with its terminator.
    pub help_file: Option<Utf16Le<'a>>,
}

impl ErrorInfo<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ErrorInfo<'static> {
        let Self { help_context, iid, source, description, help_file } = self;
        let own = |text: Option<Utf16Le<'_>>| text.map(Utf16Le::into_owned);
        let (source, description, help_file) = (own(source), own(description), own(help_file));
        ErrorInfo { help_context, iid, source, description, help_file }
    }

    fn texts(&self) -> [Option<&Utf16Le<'_>>; 3] {
        [self.source.as_ref(), self.description.as_ref(), self.help_file.as_ref()]
    }
}

/// CLSID_ErrorObject; the specification names no IID.
impl CustomData for ErrorInfo<'_> {
    const CLASSES: &'static [(Uuid, Option<Uuid>)] = &[(uuid!("0000031b-0000-0000-c000-000000000046"), None)];
}

fn invalid(offset: usize, at: &'static At, got: u32) -> DecodeError {
    DecodeError::new(offset, at, DecodeErrorKind::InvalidValue { got: got.into() })
}

fn text<'a>(c: &mut Cursor<'_, 'a>, at: &'static At) -> Result<Option<Utf16Le<'a>>, DecodeError> {
    let offset = c.offset();
    match c.u32(at)? {
        0 => return Ok(None),
        u32::MAX => {}
        got => return Err(invalid(offset, at, got)),
    }
    c.group(&STRING, |c| {
        let max = c.u32(&MAX)?;
        let offset = c.offset();
        let first = c.u32(&OFFSET)?;
        if first != 0 {
            return Err(invalid(offset, &OFFSET, first));
        }
        let offset = c.offset();
        let actual = c.u32(&ACTUAL)?;
        if actual != max {
            let kind = DecodeErrorKind::OutOfBounds { got: actual.into(), max: usize_from(max) };
            return Err(DecodeError::new(offset, &ACTUAL, kind));
        }
        let start = c.offset();
        let text: Utf16Le<'a> = c.take(usize_from(actual).saturating_mul(2), &NAME, Format::Utf16Le)?.into();
        let rule = DecodeErrorKind::Rule("a string does not end with its only NUL");
        c.must(text.is_terminated(), start, &NAME, rule)?;
        Ok(Some(text))
    })
}

impl<'a> Decode<'a> for ErrorInfo<'a> {
    const AT: &'static At = &ERROR;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&ERROR, |c| {
            let offset = c.offset();
            let version = c.u32(&VERSION)?;
            if version != 0 {
                return Err(invalid(offset, &VERSION, version));
            }
            Ok(Self {
                help_context: c.u32(&HELP_CONTEXT)?,
                iid: c.guid(&IID)?,
                source: text(c, &SOURCE)?,
                description: text(c, &DESCRIPTION)?,
                help_file: text(c, &HELP_FILE)?,
            })
        })
    }
}

impl Encode for ErrorInfo<'_> {
    fn encoded_len(&self) -> usize {
        self.texts()
            .into_iter()
            .flatten()
            .fold(36, |len, text| len.saturating_add(text.0.len()).saturating_add(12))
    }

    fn check(&self) -> Result<(), EncodeError> {
        for text in self.texts().into_iter().flatten() {
            check_len(text.0.len(), MAX_U32, &MAX)?;
            if !text.0.len().is_multiple_of(2) {
                return Err(EncodeError::Invalid { at: &NAME, reason: "a string has half a character" });
            }
        }
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(0);
        dst.put_u32_le(self.help_context);
        dst.put_slice(&self.iid.to_bytes_le());
        for text in self.texts() {
            let Some(text) = text else {
                dst.put_u32_le(0);
                continue;
            };
            let count = len_u32(text.units().len());
            dst.put_u32_le(u32::MAX);
            dst.put_u32_le(count);
            dst.put_u32_le(0);
            dst.put_u32_le(count);
            dst.put_slice(&text.0);
        }
    }
}

const CONTEXT_SIGNATURE: u32 = 0x414E_554B;
const CONTEXT_VERSION_1: u32 = 0x0001_0000;
const HEADER_SIGNATURE: u32 = 0x494E_414E;
/// Bytes before the entry headers, and of each.
const HEADER: usize = 32;

/// Data of context properties that ride along with a call ([MS-DCOM] 2.2.21.4), in the byte order of the PDU: the data
/// of an extension as a [`Stub`](crate::Stub).
///
/// Signature u32, Version u32, cPolicies u32, cbBuffer u32, cbSize u32 (to the end of the last entry header), hr u32,
/// hrServer u32, reserved u32; an EntryHeader of 32 bytes for each policy ([MS-DCOM] 2.2.21.5: Signature u32, cbEHBuffer
/// u32, cbSize u32, reserved u32, policyID); the data of each policy at the offset that its cbSize tells, each padded
/// to a multiple of 8.
///
/// Decoding fails at other signatures and versions, and when a size or offset is not where the next thing stands. A
/// policy without data is a deviation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ContextExtension<'a> {
    /// cbBuffer: ignored.
    pub buffer: u32,
    /// hr: 0, ignored.
    pub hr: u32,
    /// hrServer: ignored, or in a response what higher layers understand.
    pub hr_server: u32,
    /// reserved: 0, ignored.
    pub reserved: u32,
    /// The policies.
    pub policies: Vec<PolicyData<'a>>,
}

/// Data of one context property: an EntryHeader and what it describes ([MS-DCOM] 2.2.21.4, 2.2.21.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PolicyData<'a> {
    /// reserved: 0, ignored.
    pub reserved: u32,
    /// policyID: which property.
    pub policy_id: Uuid,
    /// The data without their padding; not empty.
    pub data: Blob<'a>,
}

impl ContextExtension<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ContextExtension<'static> {
        let Self { buffer, hr, hr_server, reserved, policies } = self;
        let own = |policy: PolicyData<'_>| PolicyData {
            reserved: policy.reserved,
            policy_id: policy.policy_id,
            data: policy.data.into_owned(),
        };
        let policies = policies.into_iter().map(own).collect();
        ContextExtension { buffer, hr, hr_server, reserved, policies }
    }

    /// Where the entry headers end.
    fn headers(count: usize) -> usize {
        count.saturating_mul(HEADER).saturating_add(HEADER)
    }
}

/// Reads a number that has to be the one expected.
fn constant(r: &mut Reader<'_, '_>, at: &'static At, expected: u32) -> Result<(), DecodeError> {
    r.align(4)?;
    let offset = r.offset();
    let got = r.u32(at)?;
    if got == expected { Ok(()) } else { Err(invalid(offset, at, got)) }
}

/// Reads a size or offset that has to be the one expected.
fn place(r: &mut Reader<'_, '_>, at: &'static At, expected: usize) -> Result<(), DecodeError> {
    let offset = r.offset();
    let got = r.u32(at)?;
    if usize_from(got) == expected {
        return Ok(());
    }
    Err(DecodeError::new(offset, at, DecodeErrorKind::OutOfBounds { got: got.into(), max: expected }))
}

impl<'a> Ndr<'a> for ContextExtension<'a> {
    type Head = Self;
    const ALIGN: usize = 8;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(8)?;
        r.group(&CONTEXT, |r| {
            constant(r, &SIGNATURE, CONTEXT_SIGNATURE)?;
            constant(r, &CONTEXT_VERSION, CONTEXT_VERSION_1)?;
            let count = r.u32(&POLICIES)?;
            let buffer = r.u32(&BUFFER)?;
            place(r, &SIZE, Self::headers(usize_from(count)))?;
            let (hr, hr_server, reserved) = (r.u32(&HR)?, r.u32(&HR_SERVER)?, r.u32(&RESERVED)?);
            let mut end = Self::headers(usize_from(count));
            let entries = r.elements(count, &ENTRY, |r| {
                r.group(&ENTRY, |r| {
                    constant(r, &ENTRY_SIGNATURE, HEADER_SIGNATURE)?;
                    let offset = r.offset();
                    let len = usize_from(r.u32(&ENTRY_BUFFER)?);
                    r.must(len != 0, offset, &ENTRY_BUFFER, DecodeErrorKind::InvalidValue { got: 0 })?;
                    place(r, &ENTRY_OFFSET, end)?;
                    end = end.saturating_add(padded(len));
                    Ok((len, r.u32(&ENTRY_RESERVED)?, r.guid(&POLICY_ID)?))
                })
            })?;
            let mut policies = Vec::new();
            for (len, reserved, policy_id) in entries {
                let data = r.bytes(len, &POLICY_DATA, Format::Bytes)?.into();
                r.filler(padded(len).saturating_sub(len), &POLICY_DATA)?;
                policies.push(PolicyData { reserved, policy_id, data });
            }
            Ok(Self { buffer, hr, hr_server, reserved, policies })
        })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.align(8);
        w.u32(CONTEXT_SIGNATURE);
        w.u32(CONTEXT_VERSION_1);
        w.len(self.policies.len(), &POLICIES);
        w.u32(self.buffer);
        let mut end = Self::headers(self.policies.len());
        w.len(end, &SIZE);
        w.u32(self.hr);
        w.u32(self.hr_server);
        w.u32(self.reserved);
        for policy in &self.policies {
            w.u32(HEADER_SIGNATURE);
            w.len(policy.data.len(), &ENTRY_BUFFER);
            w.len(end, &ENTRY_OFFSET);
            w.u32(policy.reserved);
            w.guid(&policy.policy_id);
            end = end.saturating_add(padded(policy.data.len()));
        }
        for policy in &self.policies {
            w.bytes(&policy.data);
            w.filler(padded(policy.data.len()).saturating_sub(policy.data.len()));
        }
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// A length rounded up to a multiple of 8.
fn padded(len: usize) -> usize {
    len.saturating_add(7) & !7
}
