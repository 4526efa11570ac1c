//! DUALSTRINGARRAY ([MS-DCOM] 2.2.19).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U16, check_len,
    len_u16,
};

use crate::engine::{Count, Ndr, Reader, Writer};

const fn at(field: &'static str) -> At {
    At::new("[MS-DCOM]", "2.2.19", "DUALSTRINGARRAY", field)
}
static ARRAY: At = at("");
static MAX_COUNT: At = at("max_count");
static ENTRIES: At = at("wNumEntries");
static SECURITY: At = at("wSecurityOffset");
static STRINGS: At = at("aStringArray");

/// `DUALSTRINGARRAY` ([MS-DCOM] 2.2.19): where an object or a resolver is reached, and how calls on it are secured.
/// wNumEntries u16, wSecurityOffset u16, as many 16-bit units; as a parameter NDR, with max_count u32 before.
///
/// Decoding fails when wSecurityOffset lies behind the units. Entries that are not well-formed, and an array without
/// the terminators, are deviations: the units are kept as they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DualStringArray {
    /// Index of the first unit of the security bindings.
    pub security_offset: u16,
    /// String bindings, 0, security bindings, 0.
    pub units: Vec<u16>,
}

/// `STRINGBINDING` ([MS-DCOM] 2.2.19.3): a protocol and an address in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringBinding {
    /// wTowerId: 7 for TCP; not 0.
    pub tower_id: u16,
    /// aNetworkAddr: `host` or `host[port]`.
    pub network_address: String,
}

/// `SECURITYBINDING` ([MS-DCOM] 2.2.19.4): a security provider and the name of the service in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityBinding {
    /// wAuthnSvc: 9 Negotiate, 10 NTLM, 16 Kerberos; not 0.
    pub authentication_service: u16,
    /// aPrincName; may be empty.
    pub principal: String,
}

impl DualStringArray {
    /// An array of bindings, the preferred ones first. Text ends at its first NUL.
    #[must_use]
    pub fn new(strings: &[StringBinding], securities: &[SecurityBinding]) -> Self {
        let mut units = Vec::new();
        let text = |units: &mut Vec<u16>, text: &str| {
            units.extend(text.split('\0').next().unwrap_or_default().encode_utf16());
            units.push(0);
        };
        // The smallest array has two terminators on both sides.
        for binding in strings {
            units.push(binding.tower_id);
            text(&mut units, &binding.network_address);
        }
        units.extend(core::iter::repeat_n(0, if strings.is_empty() { 2 } else { 1 }));
        let security_offset = len_u16(units.len());
        for binding in securities {
            units.extend([binding.authentication_service, 0xFFFF]);
            text(&mut units, &binding.principal);
        }
        units.extend(core::iter::repeat_n(0, if securities.is_empty() { 2 } else { 1 }));
        Self { security_offset, units }
    }

    fn halves(&self) -> (&[u16], &[u16]) {
        self.units.split_at_checked(self.security_offset.into()).unwrap_or((&self.units, &[]))
    }

    /// The string bindings, up to the first that is not well-formed.
    #[must_use]
    pub fn string_bindings(&self) -> Vec<StringBinding> {
        let binding = |(tower_id, address): (u16, &[u16])| StringBinding {
            tower_id,
            network_address: String::from_utf16_lossy(address),
        };
        entries(self.halves().0, 0).0.into_iter().map(binding).collect()
    }

    /// The security bindings, up to the first that is not well-formed.
    #[must_use]
    pub fn security_bindings(&self) -> Vec<SecurityBinding> {
        let binding = |(authentication_service, principal): (u16, &[u16])| SecurityBinding {
            authentication_service,
            principal: String::from_utf16_lossy(principal),
        };
        entries(self.halves().1, 1).0.into_iter().map(binding).collect()
    }

    fn is_well_formed(&self) -> bool {
        let (strings, securities) = self.halves();
        entries(strings, 0).1 && entries(securities, 1).1
    }
}

/// Entries of a number that is not 0, `reserved` units, and text with a terminator; and whether all is well-formed
/// up to the terminator.
fn entries(mut units: &[u16], reserved: usize) -> (Vec<(u16, &[u16])>, bool) {
    let mut found = Vec::new();
    loop {
        match units.split_first() {
            None => return (found, false),
            // An empty list ends with a second terminator.
            Some((0, rest)) => return (found, rest.iter().all(|unit| *unit == 0)),
            Some((number, rest)) => {
                let text = rest.get(reserved..).unwrap_or_default();
                let Some(end) = text.iter().position(|unit| *unit == 0) else { return (found, false) };
                found.push((*number, text.get(..end).unwrap_or_default()));
                units = text.get(end.saturating_add(1)..).unwrap_or_default();
            }
        }
    }
}

/// The rules, once offset and units are read.
fn array(
    security: (u16, usize),
    units: Vec<u16>,
    must: impl FnOnce(bool, DecodeErrorKind) -> Result<(), DecodeError>,
) -> Result<DualStringArray, DecodeError> {
    let (security_offset, offset) = security;
    if usize::from(security_offset) > units.len() {
        let kind = DecodeErrorKind::OutOfBounds { got: security_offset.into(), max: units.len() };
        return Err(DecodeError::new(offset, &SECURITY, kind));
    }
    let array = DualStringArray { security_offset, units };
    must(array.is_well_formed(), DecodeErrorKind::Rule("the bindings are not well-formed"))?;
    Ok(array)
}

impl<'a> Decode<'a> for DualStringArray {
    const AT: &'static At = &ARRAY;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&ARRAY, |c| {
            let count = usize::from(c.u16(&ENTRIES)?);
            let offset = c.offset();
            let security = c.u16(&SECURITY)?;
            let start = c.offset();
            let bytes = c.take(count.saturating_mul(2), &STRINGS, Format::Bytes)?;
            let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            array((security, offset), units, |ok, rule| c.must(ok, start, &STRINGS, rule))
        })
    }
}

impl Encode for DualStringArray {
    fn encoded_len(&self) -> usize {
        self.units.len().saturating_mul(2).saturating_add(4)
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_len(self.units.len(), MAX_U16, &ENTRIES)?;
        check_len(self.security_offset.into(), self.units.len(), &SECURITY)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u16_le(len_u16(self.units.len()));
        dst.put_u16_le(self.security_offset);
        self.units.iter().for_each(|unit| dst.put_u16_le(*unit));
    }
}

impl<'a> Ndr<'a> for DualStringArray {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        r.group(&ARRAY, |r| {
            let max_count = Count::read(r, &MAX_COUNT)?;
            let count = r.u16(&ENTRIES)?;
            max_count.check(count.into(), &MAX_COUNT)?;
            let offset = r.offset();
            let security = r.u16(&SECURITY)?;
            let start = r.offset();
            let units = r.elements(count.into(), &STRINGS, |r| r.u16(&STRINGS))?;
            array((security, offset), units, |ok, rule| r.must(ok, start, &STRINGS, rule))
        })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        if let Err(error) = self.check() {
            w.fail(error);
        }
        w.len(self.units.len(), &MAX_COUNT);
        w.u16(len_u16(self.units.len()));
        w.u16(self.security_offset);
        self.units.iter().for_each(|unit| w.u16(*unit));
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
