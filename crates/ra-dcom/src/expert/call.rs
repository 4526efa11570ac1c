//! One call: parameters to stub data, and back.

use ndr_oaut::{ByteOrder, ComVersion, Ndr, OrpcThis, Residue, Writer};
use remassist_core::{At, DecodeError, DecodeOptions};
use rpc_net::{Interface, Reply, SyntaxId};
use uuid::Uuid;

use super::ExpertError;

static REQUEST: At = At::new("[MS-DCOM]", "3.2.4.2", "ORPC request", "");

/// Reads an answer that is borrowed from nobody.
pub(super) type Read<R> = fn(&[u8], ByteOrder, &DecodeOptions) -> Result<R, DecodeError>;

/// The [`Read`] of parameters behind ORPCTHAT, or (`plain`) without it. What follows the last parameter is ignored.
macro_rules! answer {
    ($type:ty) => {
        |stub: &[u8], order: ndr_oaut::ByteOrder, options: &remassist_core::DecodeOptions| {
            let read = ndr_oaut::Stub::<(ndr_oaut::OrpcThat<'_>, $type)>::read(stub, order, options)?;
            Ok($crate::calls::macros::Own::own(read.value.value.1))
        }
    };
    (plain $type:ty) => {
        |stub: &[u8], order: ndr_oaut::ByteOrder, options: &remassist_core::DecodeOptions| {
            Ok(ndr_oaut::Stub::<$type>::read(stub, order, options)?.value.value)
        }
    };
}
pub(super) use answer;

/// An interface of DCOM: all have version 0.0.
pub(super) fn syntax(iid: Uuid) -> SyntaxId {
    SyntaxId::new(iid, 0, 0)
}

/// Random bytes for a CID ([MS-DCOM] 2.2.6).
fn cid() -> Result<Uuid, ExpertError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ExpertError::NoRandom)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// Stub data of a request: ORPCTHIS with this version, if there is one, and the parameters.
pub(super) fn request<'a, P: Ndr<'a>>(
    version: Option<ComVersion>,
    parameters: &P,
) -> Result<Vec<u8>, ExpertError> {
    let residue = Residue::default();
    let mut writer = Writer::new(ByteOrder::Little, &residue);
    if let Some(version) = version {
        let this = OrpcThis { version, flags: 0, reserved1: 0, cid: cid()?, extensions: None };
        writer.value(&this, &REQUEST);
    }
    writer.value(parameters, &REQUEST);
    writer.finish().map_err(|_| ExpertError::Unwritable)
}

/// Makes a call and reads its answer.
pub(super) async fn call<R>(
    interface: &Interface,
    name: &'static str,
    opnum: u16,
    object: Option<Uuid>,
    stub: Vec<u8>,
    read: Read<R>,
) -> Result<R, ExpertError> {
    let reply = interface.call(opnum, object, stub).await;
    let Reply { stub, byte_order, .. } = reply.map_err(|error| ExpertError::Rpc { call: name, error })?;
    let order = match byte_order {
        rpc_net::ByteOrder::Little => ByteOrder::Little,
        rpc_net::ByteOrder::Big => ByteOrder::Big,
    };
    let options = DecodeOptions::TOLERANT;
    read(&stub, order, &options).map_err(|error| ExpertError::Answer { call: name, error })
}
