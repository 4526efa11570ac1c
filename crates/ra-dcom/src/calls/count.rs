//! Counts of 16 bits, methods without parameters, results alone.

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind, EncodeError, MAX_U16, len_u16};

use super::macros::{own_itself, params};
use crate::{ErrorStatus, HResult};

/// An `unsigned short` that says how many elements another parameter has; not kept in the value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count16 {
    len: usize,
    offset: usize,
}

impl Count16 {
    pub(crate) fn of(len: usize) -> Self {
        Self { len, offset: 0 }
    }

    /// Checks a count that was read against the elements that were there.
    pub(crate) fn check(self, len: usize, at: &'static At) -> Result<(), DecodeError> {
        if self.len == len {
            return Ok(());
        }
        let got = len_u16(self.len).into();
        Err(DecodeError::new(self.offset, at, DecodeErrorKind::OutOfBounds { got, max: len }))
    }

    /// MAX_REQUESTED_PROTSEQS ([MS-DCOM] 2.2.28.1).
    pub(crate) fn in_range(self, max: u16, r: &Reader<'_, '_>, at: &'static At) -> Result<(), DecodeError> {
        let got = DecodeErrorKind::InvalidValue { got: len_u16(self.len).into() };
        r.must(self.len <= usize::from(max), self.offset, at, got)
    }
}

impl<'a> Ndr<'a> for Count16 {
    type Head = Self;
    const ALIGN: usize = 2;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        r.align(2)?;
        let offset = r.offset();
        Ok(Self { len: r.u16(at)?.into(), offset })
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        if self.len > MAX_U16 {
            w.fail(EncodeError::TooLarge { at, got: self.len, max: MAX_U16 });
        }
        w.u16(len_u16(self.len));
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// The \[in\] parameters of a method without any: no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NoParameters {}

impl<'a> Ndr<'a> for NoParameters {
    type Head = Self;
    const ALIGN: usize = 1;
    fn head(_: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(Self {})
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, _: &mut Writer<'_>, _: &'static At) {}
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
own_itself!(NoParameters);

params! {
    /// What a method of an object without \[out\] parameters answers: 4 bytes.
    params ResultOnly, "[MS-DCOM]" "3.1.1.5.4" "response" {
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// What a method of the resolver without \[out\] parameters answers: 4 bytes.
    params StatusOnly, "[MS-DCOM]" "3.1.2.5.1" "response" {
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}
