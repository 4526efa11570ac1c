//! IRASrv ([MS-RAI] 3.3.4.1).

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use ndr_oaut::{Bstr, Elements, Ndr, Reader, SafeArray, VarType, Writer};
use remassist_core::{At, DecodeError, len_u32};

use super::SecretWideString;
use super::macros::{own_borrowed, params};
use crate::{HResult, SessionName, SessionNameError};

params! {
    /// The \[in\] parameter of `IRASrv::GetNoviceUserInfo` (opnum 7).
    params GetNoviceUserInfoRequest<'a>, "[MS-RAI]" "3.3.4.1.1" "IRASrv::GetNoviceUserInfo" {
        /// szName: says nothing on the way in.
        "szName" name: Option<SecretWideString<'a>>;
    }
}

params! {
    /// The \[out\] parameter of `IRASrv::GetNoviceUserInfo` (opnum 7).
    params GetNoviceUserInfoResponse<'a>, "[MS-RAI]" "3.3.4.1.1" "IRASrv::GetNoviceUserInfo" {
        /// szName: the connection string 2.
        "szName" name: Option<SecretWideString<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

/// How many pointers lead to the SAFEARRAY of `GetSessionInfo`: the specification's macro makes a SAFEARRAY* of
/// SAFEARRAY(BSTR)*, MIDL an LPSAFEARRAY*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PointerLevels {
    /// A pointer to the array.
    One,
    /// A pointer ("User" when MIDL made it) to a pointer to the array.
    #[default]
    Two,
}

/// UserNames of `IRASrv::GetSessionInfo` ([MS-RAI] 3.3.4.1.2): a SAFEARRAY of BSTRs, in the form in which it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserNames<'a> {
    /// How many pointers lead to it. A null pointer in place of the first is [`PointerLevels::One`].
    pub levels: PointerLevels,
    /// The array, or a null pointer.
    pub array: Option<Box<SafeArray<'a>>>,
}

impl UserNames<'_> {
    /// The sessions, or a null pointer when there are none.
    #[must_use]
    pub fn new(levels: PointerLevels, sessions: &[SessionName]) -> UserNames<'static> {
        let names = sessions.iter().map(|session| Some(Bstr::new(&session.to_string()))).collect();
        UserNames { levels, array: array_of(names) }
    }

    /// The sessions; null elements are skipped. Nothing when the elements are no BSTRs.
    pub fn sessions(&self) -> impl Iterator<Item = Result<SessionName, SessionNameError>> {
        let names = self.array.as_deref().and_then(|array| match &array.elements {
            Elements::Bstr(names) => Some(names),
            _ => None,
        });
        names.into_iter().flatten().flatten().filter_map(SessionName::from_bstr)
    }

    /// The same array, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> UserNames<'static> {
        UserNames { levels: self.levels, array: self.array.map(|array| Box::new(array.into_owned())) }
    }
}
own_borrowed!(UserNames);

/// A SAFEARRAY(BSTR), or a null pointer without elements: a dimension of a SAFEARRAY cannot be empty.
pub(crate) fn array_of(names: Vec<Option<Bstr<'static>>>) -> Option<Box<SafeArray<'static>>> {
    let some = !names.is_empty();
    some.then(|| Box::new(SafeArray::new(VarType::BSTR, Elements::Bstr(names))))
}

/// Whether what follows a pointer is a pointer to an array, and not the array, which begins with its number of
/// dimensions, as u32 and as u16. An array without features whose elements have as many bytes as it has dimensions
/// could be both; no array of BSTRs is.
fn is_pointer(first: [u8; 4], rest: Option<&[u8; 12]>) -> bool {
    let Some([_, _, _, _, a, b, c, d, e, f, _, _]) = rest else { return first == [0; 4] };
    let max_count = u32::from_le_bytes([*a, *b, *c, *d]);
    let dims = u16::from_le_bytes([*e, *f]);
    first == [0; 4] || (max_count != 0 && max_count == u32::from(dims))
}

impl<'a> Ndr<'a> for UserNames<'a> {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        if !r.referent(at)? {
            return Ok(Self { levels: PointerLevels::One, array: None });
        }
        if r.peek().is_some_and(|first| is_pointer(*first, r.peek())) {
            return Ok(Self { levels: PointerLevels::Two, array: r.value(at)? });
        }
        Ok(Self { levels: PointerLevels::One, array: Some(r.value(at)?) })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        match (self.levels, &self.array) {
            (PointerLevels::Two, _) => w.referent(true),
            (PointerLevels::One, Some(array)) => {
                let both =
                    array.features.0 == 0 && array.element_size & 0xFFFF == len_u32(array.bounds.len());
                w.need(!both, at, "an array behind one pointer would be read as one behind two");
            }
            (PointerLevels::One, None) => {}
        }
        w.value(&self.array, at);
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

params! {
    /// The \[in\] parameters of `IRASrv::GetSessionInfo` (opnum 8).
    params GetSessionInfoRequest<'a>, "[MS-RAI]" "3.3.4.1.2" "IRASrv::GetSessionInfo" {
        /// UserNames: says nothing on the way in but how it is to be answered.
        "UserNames" user_names: UserNames<'a>;
        /// Count: says nothing on the way in.
        "Count" count: i32;
    }
}

params! {
    /// The \[out\] parameters of `IRASrv::GetSessionInfo` (opnum 8).
    params GetSessionInfoResponse<'a>, "[MS-RAI]" "3.3.4.1.2" "IRASrv::GetSessionInfo" {
        /// UserNames: the sessions.
        "UserNames" user_names: UserNames<'a>;
        /// Count: number of sessions.
        "Count" count: i32;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

impl GetSessionInfoResponse<'_> {
    /// The answer to a request, in its form.
    #[must_use]
    pub fn new(
        request: &GetSessionInfoRequest<'_>,
        sessions: &[SessionName],
    ) -> GetSessionInfoResponse<'static> {
        GetSessionInfoResponse {
            user_names: UserNames::new(request.user_names.levels, sessions),
            count: i32::try_from(sessions.len()).unwrap_or(i32::MAX),
            hresult: HResult::S_OK,
        }
    }
}
