//! IDispatch ([MS-OAUT] 3.1.4): what every interface of [MS-RAI] begins with.

use alloc::vec::Vec;

use ndr_oaut::{Count, InterfacePointer, Placed, WideString, wire};
use remassist_core::{At, DecodeErrorKind};
use uuid::Uuid;

use super::macros::{Own as _, own_borrowed, params};
use crate::HResult;

pub use ndr_oaut::{DispParams, ExcepInfo, InvokeFlags, InvokeRequest, InvokeResponse};

/// DISPID_UNKNOWN ([MS-OAUT] 2.2.32.1): the id of a name that nobody knows.
pub const DISPID_UNKNOWN: i32 = -1;
/// DISPID_VALUE ([MS-OAUT] 2.2.32.1): the member that stands for the object; IPCHCollection::Item.
pub const DISPID_VALUE: i32 = 0;
/// DISPID_NEWENUM ([MS-OAUT] 2.2.32.1): IPCHCollection::_NewEnum.
pub const DISPID_NEWENUM: i32 = -4;
/// The largest cNames of `GetIDsOfNames` ([MS-OAUT] 3.1.4.3).
pub const MAX_NAMES: u32 = 16_384;

params! {
    /// The \[out\] parameter of `GetTypeInfoCount` (opnum 3), 8 bytes.
    params GetTypeInfoCountResponse, "[MS-OAUT]" "3.1.4.1" "IDispatch::GetTypeInfoCount" {
        /// pctinfo: 1 with a type description, 0 without.
        "pctinfo" count: u32;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[in\] parameters of `GetTypeInfo` (opnum 4), 8 bytes.
    params GetTypeInfoRequest, "[MS-OAUT]" "3.1.4.2" "IDispatch::GetTypeInfo" {
        /// iTInfo: 0; others are answered with [`HResult::DISP_E_BADINDEX`].
        "iTInfo" index: u32;
        /// lcid: the language.
        "lcid" lcid: u32;
    }
}

params! {
    /// The \[out\] parameter of `GetTypeInfo` (opnum 4).
    params GetTypeInfoResponse<'a>, "[MS-OAUT]" "3.1.4.2" "IDispatch::GetTypeInfo" {
        /// ppTInfo: an ITypeInfo, or null.
        "ppTInfo" type_info: Option<InterfacePointer<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

/// The \[in\] parameters of `GetIDsOfNames` (opnum 5, [MS-OAUT] 3.1.4.3): riid, rgszNames, cNames u32, lcid u32.
///
/// Decoding fails when cNames is not the size of the array. Another riid than IID_NULL and more than 16,384 names are
/// deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GetIdsOfNamesRequest<'a> {
    /// riid: IID_NULL; others are answered with [`HResult::DISP_E_UNKNOWNINTERFACE`].
    pub iid: Uuid,
    /// rgszNames: the name of a member, then those of its arguments. In any case.
    pub names: Vec<Option<WideString<'a>>>,
    /// lcid: the language of the names.
    pub lcid: u32,
}

const fn at(field: &'static str) -> At {
    At::new("[MS-OAUT]", "3.1.4.3", "IDispatch::GetIDsOfNames", field)
}
static RIID: At = at("riid");
static NAMES: At = at("rgszNames");
static COUNT: At = at("cNames");
wire! {
    params 'a GetIdsOfNamesRequest<'a>, "[MS-OAUT]" "3.1.4.3" "IDispatch::GetIDsOfNames", |v, r|
    "riid" iid: Placed<Uuid> = Placed::new(v.iid);
    "rgszNames" names: Vec<Option<WideString<'a>>> = v.names;
    "cNames" count: Count = Count::of(v.names.len());
    "lcid" lcid: u32 = v.lcid;
    => {
        count.check(names.len(), &NAMES)?;
        r.must(iid.value.is_nil(), iid.offset, &RIID, DecodeErrorKind::Rule("riid is not IID_NULL"))?;
        let got = DecodeErrorKind::InvalidValue { got: count.get().into() };
        r.must(count.get() <= MAX_NAMES, count.offset(), &COUNT, got)?;
        Ok(Self { iid: iid.value, names, lcid })
    }
}

impl GetIdsOfNamesRequest<'_> {
    /// The same parameters, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> GetIdsOfNamesRequest<'static> {
        GetIdsOfNamesRequest { iid: self.iid, names: self.names.own(), lcid: self.lcid }
    }
}
own_borrowed!(GetIdsOfNamesRequest);

params! {
    /// The \[out\] parameter of `GetIDsOfNames` (opnum 5).
    params GetIdsOfNamesResponse, "[MS-OAUT]" "3.1.4.3" "IDispatch::GetIDsOfNames" {
        /// rgDispId: one for each name; [`DISPID_UNKNOWN`] for those not known.
        "rgDispId" ids: Vec<i32>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}
