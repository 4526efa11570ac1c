//! IDispatch::Invoke ([MS-OAUT] 2.2.33, 2.2.34, 3.1.4.4).

use alloc::vec::Vec;

use remassist_core::{At, DecodeError, DecodeErrorKind, usize_from};
use uuid::Uuid;

use crate::engine::{Count, Placed, Reader};
use crate::wire;
use crate::{Bstr, Variant};

/// `DISPPARAMS` ([MS-OAUT] 2.2.33), 16 bytes and what its two pointers point to: rgvarg, rgdispidNamedArgs, cArgs u32,
/// cNamedArgs u32.
///
/// Decoding fails when a count is not that of its array; more named arguments than arguments are a deviation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DispParams<'a> {
    /// rgvarg: the arguments, the last one first; `VT_EMPTY` in place of those by reference. First those with names.
    pub args: Option<Vec<Option<Variant<'a>>>>,
    /// rgdispidNamedArgs: the names of the first arguments.
    pub named: Option<Vec<i32>>,
}

fn owned(variants: Vec<Option<Variant<'_>>>) -> Vec<Option<Variant<'static>>> {
    variants.into_iter().map(|variant| variant.map(Variant::into_owned)).collect()
}

impl DispParams<'_> {
    /// The same arguments, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> DispParams<'static> {
        DispParams { args: self.args.map(owned), named: self.named }
    }
}

fn len<T>(items: Option<&Vec<T>>) -> usize {
    items.map_or(0, Vec::len)
}

static ARGS: At = At::new("[MS-OAUT]", "2.2.33", "DISPPARAMS", "cArgs");
static NAMED: At = At::new("[MS-OAUT]", "2.2.33", "DISPPARAMS", "cNamedArgs");
wire! {
    struct 'a DispParams<'a>, "[MS-OAUT]" "2.2.33" "DISPPARAMS", |v, r|
    "rgvarg" args: Option<Vec<Option<Variant<'a>>>> = v.args;
    "rgdispidNamedArgs" named: Option<Vec<i32>> = v.named;
    "cArgs" count: Count = Count::of(len(v.args.as_ref()));
    "cNamedArgs" named_count: Count = Count::of(len(v.named.as_ref()));
    => {
        count.check(len(args.as_ref()), &ARGS)?;
        named_count.check(len(named.as_ref()), &NAMED)?;
        let rule = DecodeErrorKind::Rule("more arguments have names than there are");
        r.must(named_count.get() <= count.get(), named_count.offset(), &NAMED, rule)?;
        Ok(Self { args, named })
    }
}

/// `EXCEPINFO` ([MS-OAUT] 2.2.34), 32 bytes and three BSTRs: wCode u16, wReserved u16, three pointers, dwHelpContext
/// u32, pvReserved u32, pfnDeferredFillIn u32, scode u32.
///
/// Both a code and an scode at once are a deviation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExcepInfo<'a> {
    /// wCode: 0, or an error number above 1000.
    pub code: u16,
    /// wReserved: ignored.
    pub reserved: u16,
    /// bstrSource.
    pub source: Option<Bstr<'a>>,
    /// bstrDescription.
    pub description: Option<Bstr<'a>>,
    /// bstrHelpFile.
    pub help_file: Option<Bstr<'a>>,
    /// dwHelpContext: ignored without a help file.
    pub help_context: u32,
    /// pvReserved: ignored.
    pub pv_reserved: u32,
    /// pfnDeferredFillIn: ignored.
    pub deferred_fill_in: u32,
    /// scode: an HRESULT, or 0.
    pub scode: u32,
}

impl ExcepInfo<'_> {
    /// No exception: numbers 0, null BSTRs ([MS-OAUT] 3.1.4.4, DISPATCH_zeroExcepInfo).
    pub const NONE: ExcepInfo<'static> = ExcepInfo {
        code: 0,
        reserved: 0,
        source: Some(Bstr::NULL),
        description: Some(Bstr::NULL),
        help_file: Some(Bstr::NULL),
        help_context: 0,
        pv_reserved: 0,
        deferred_fill_in: 0,
        scode: 0,
    };

    /// The same exception, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ExcepInfo<'static> {
        ExcepInfo {
            source: self.source.map(Bstr::into_owned),
            description: self.description.map(Bstr::into_owned),
            help_file: self.help_file.map(Bstr::into_owned),
            code: self.code,
            reserved: self.reserved,
            help_context: self.help_context,
            pv_reserved: self.pv_reserved,
            deferred_fill_in: self.deferred_fill_in,
            scode: self.scode,
        }
    }
}

static SCODE: At = At::new("[MS-OAUT]", "2.2.34", "EXCEPINFO", "scode");
wire! {
    struct 'a ExcepInfo<'a>, "[MS-OAUT]" "2.2.34" "EXCEPINFO", |v, r|
    "wCode" code: u16 = v.code;
    "wReserved" reserved: u16 = v.reserved;
    "bstrSource" source: Option<Bstr<'a>> = v.source;
    "bstrDescription" description: Option<Bstr<'a>> = v.description;
    "bstrHelpFile" help_file: Option<Bstr<'a>> = v.help_file;
    "dwHelpContext" help_context: u32 = v.help_context;
    "pvReserved" pv_reserved: u32 = v.pv_reserved;
    "pfnDeferredFillIn" deferred_fill_in: u32 = v.deferred_fill_in;
    "scode" scode: Placed<u32> = Placed::new(v.scode);
    => {
        let rule = DecodeErrorKind::Rule("wCode and scode both tell an error");
        r.must(code == 0 || scode.value == 0, scode.offset, &SCODE, rule)?;
        let scode = scode.value;
        Ok(Self {
            code, reserved, source, description, help_file, help_context, pv_reserved, deferred_fill_in, scode,
        })
    }
}

/// Bits of dwFlags ([MS-OAUT] 3.1.4.4), 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InvokeFlags(pub u32);

impl InvokeFlags {
    /// `DISPATCH_METHOD`.
    pub const METHOD: Self = Self(0x0000_0001);
    /// `DISPATCH_PROPERTYGET`.
    pub const PROPERTYGET: Self = Self(0x0000_0002);
    /// `DISPATCH_PROPERTYPUT`.
    pub const PROPERTYPUT: Self = Self(0x0000_0004);
    /// `DISPATCH_PROPERTYPUTREF`.
    pub const PROPERTYPUTREF: Self = Self(0x0000_0008);
    /// `DISPATCH_zeroVarResult`: the caller does not want the result.
    pub const ZERO_VAR_RESULT: Self = Self(0x0002_0000);
    /// `DISPATCH_zeroExcepInfo`: the caller does not want the exception.
    pub const ZERO_EXCEP_INFO: Self = Self(0x0004_0000);
    /// `DISPATCH_zeroArgErr`: the caller does not want the index of the wrong argument.
    pub const ZERO_ARG_ERR: Self = Self(0x0008_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The \[in\] parameters of `IDispatch::Invoke` ([MS-OAUT] 3.1.4.4), opnum 6, without ORPCTHIS: dispIdMember i32, riid,
/// lcid u32, dwFlags u32, DISPPARAMS, cVarRef u32, rgVarRefIdx, rgVarRef.
///
/// Decoding fails when cVarRef is not the size of both arrays. The rules of 3.1.4.4.1 and those of dwFlags and riid are
/// looked at as deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InvokeRequest<'a> {
    /// dispIdMember: the method or property.
    pub member: i32,
    /// riid: IID_NULL.
    pub iid: Uuid,
    /// lcid: the language of the arguments.
    pub lcid: u32,
    /// dwFlags: exactly one of the four kinds of call, and what the caller does not want.
    pub flags: InvokeFlags,
    /// pDispParams.
    pub params: DispParams<'a>,
    /// rgVarRefIdx: where in `params.args` each argument by reference belongs.
    pub var_ref_index: Vec<u32>,
    /// rgVarRef: the arguments by reference.
    pub var_ref: Vec<Option<Variant<'a>>>,
}

macro_rules! invoke_at {
    ($($name:ident = $field:literal;)*) => {$(
        static $name: At = At::new("[MS-OAUT]", "3.1.4.4", "IDispatch::Invoke", $field);
    )*};
}
invoke_at! {
    RIID = "riid";
    FLAGS = "dwFlags";
    PARAMS = "pDispParams";
    VAR_REFS = "cVarRef";
    INDEX = "rgVarRefIdx";
    VAR_REF = "rgVarRef";
}

wire! {
    params 'a InvokeRequest<'a>, "[MS-OAUT]" "3.1.4.4" "IDispatch::Invoke", |v, r|
    "dispIdMember" member: i32 = v.member;
    "riid" iid: Placed<Uuid> = Placed::new(v.iid);
    "lcid" lcid: u32 = v.lcid;
    "dwFlags" flags: Placed<u32> = Placed::new(v.flags.0);
    "pDispParams" params: DispParams<'a> = v.params;
    "cVarRef" count: Count = Count::same(v.var_ref.len(), v.var_ref_index.len());
    "rgVarRefIdx" var_ref_index: Vec<u32> = v.var_ref_index;
    "rgVarRef" var_ref: Vec<Option<Variant<'a>>> = v.var_ref;
    => {
        count.check(var_ref_index.len(), &INDEX)?;
        count.check(var_ref.len(), &VAR_REF)?;
        let rule = DecodeErrorKind::Rule("riid is not IID_NULL");
        r.must(iid.value.is_nil(), iid.offset, &RIID, rule)?;
        let one = DecodeErrorKind::Rule("not exactly one kind of call");
        r.must((flags.value & 0xF).count_ones() == 1, flags.offset, &FLAGS, one)?;
        let (iid, flags) = (iid.value, InvokeFlags(flags.value));
        let request = Self { member, iid, lcid, flags, params, var_ref_index, var_ref };
        request.consistent(r, count.offset())?;
        Ok(request)
    }
}

impl InvokeRequest<'_> {
    /// The same request, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> InvokeRequest<'static> {
        let Self { member, iid, lcid, flags, params, var_ref_index, var_ref } = self;
        let (params, var_ref) = (params.into_owned(), owned(var_ref));
        InvokeRequest { member, iid, lcid, flags, params, var_ref_index, var_ref }
    }

    /// The consistency checks of [MS-OAUT] 3.1.4.4.1 that need nothing but the request.
    fn consistent(&self, r: &Reader<'_, '_>, offset: usize) -> Result<(), DecodeError> {
        let args = self.params.args.as_deref().unwrap_or_default();
        let by_ref = |variant: &Option<Variant<'_>>| variant.as_ref().is_some_and(|v| v.vt().is_by_ref());
        let rule = DecodeErrorKind::Rule("an argument by reference stands among those by value");
        r.must(!args.iter().any(by_ref), offset, &PARAMS, rule)?;
        let rule = DecodeErrorKind::Rule("an argument by value stands among those by reference");
        r.must(self.var_ref.iter().all(by_ref), offset, &VAR_REFS, rule)?;
        let empty = |index: &u32| matches!(args.get(usize_from(*index)), Some(None | Some(Variant::Empty)));
        let rule = DecodeErrorKind::Rule("an index does not lead to an empty argument");
        r.must(self.var_ref_index.iter().all(empty), offset, &INDEX, rule)
    }
}

/// The \[out\] parameters and the result of `IDispatch::Invoke` ([MS-OAUT] 3.1.4.4), without ORPCTHAT: pVarResult,
/// EXCEPINFO, pArgErr u32, rgVarRef, HRESULT u32.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InvokeResponse<'a> {
    /// pVarResult; `VT_EMPTY` without a result.
    pub result: Option<Variant<'a>>,
    /// pExcepInfo.
    pub exception: ExcepInfo<'a>,
    /// pArgErr: index of the first wrong argument, with `DISP_E_TYPEMISMATCH` and `DISP_E_PARAMNOTFOUND`.
    pub arg_err: u32,
    /// rgVarRef: as many as in the request.
    pub var_ref: Vec<Option<Variant<'a>>>,
    /// The HRESULT.
    pub hresult: u32,
}

wire! {
    params 'a InvokeResponse<'a>, "[MS-OAUT]" "3.1.4.4" "IDispatch::Invoke", |v, r|
    "pVarResult" result: Option<Variant<'a>> = v.result;
    "pExcepInfo" exception: ExcepInfo<'a> = v.exception;
    "pArgErr" arg_err: u32 = v.arg_err;
    "rgVarRef" var_ref: Vec<Option<Variant<'a>>> = v.var_ref;
    "HRESULT" hresult: u32 = v.hresult;
    => {
        let _ = r;
        Ok(Self { result, exception, arg_err, var_ref, hresult })
    }
}

impl InvokeResponse<'_> {
    /// The same response, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> InvokeResponse<'static> {
        InvokeResponse {
            result: self.result.map(Variant::into_owned),
            exception: self.exception.into_owned(),
            arg_err: self.arg_err,
            var_ref: owned(self.var_ref),
            hresult: self.hresult,
        }
    }
}
