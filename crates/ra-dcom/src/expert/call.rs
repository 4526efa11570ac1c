//! One call: parameters to stub data, and back.

use ndr_oaut::{ByteOrder, ComVersion, OrpcThat, OrpcThis, Residue, Stub, Writer};
use remassist_core::{At, DecodeError, DecodeOptions};
use rpc_net::{Connection, Interface, Reply, SyntaxId};
use uuid::Uuid;

use super::ExpertError;
use crate::HResult;
use crate::calls::{Call, Method};

static REQUEST: At = At::new("[MS-DCOM]", "3.2.4.2", "ORPC request", "");

/// Binds an interface of DCOM: all have version 0.0.
pub(super) async fn bind(connection: &Connection, iid: Uuid, call: Method) -> Result<Interface, ExpertError> {
    let interface = connection.interface(SyntaxId::new(iid, 0, 0)).await;
    interface.map_err(|error| ExpertError::Rpc { call, error })
}

/// Calls a method and reads its answer. What follows the last parameter is ignored.
pub(super) async fn call<C: Call>(
    interface: &Interface,
    version: ComVersion,
    object: Option<Uuid>,
    parameters: &C::Request<'_>,
) -> Result<C::Response<'static>, ExpertError> {
    let call = C::METHOD;
    let stub = request::<C>(version, parameters)?;
    let reply = interface.call(call.opnum(), object, stub).await;
    let Reply { stub, byte_order, .. } = reply.map_err(|error| ExpertError::Rpc { call, error })?;
    let order = match byte_order {
        rpc_net::ByteOrder::Little => ByteOrder::Little,
        rpc_net::ByteOrder::Big => ByteOrder::Big,
    };
    answer::<C>(&stub, order).map_err(|error| ExpertError::Answer { call, error })
}

fn request<C: Call>(version: ComVersion, parameters: &C::Request<'_>) -> Result<Vec<u8>, ExpertError> {
    let residue = Residue::default();
    let mut writer = Writer::new(ByteOrder::Little, &residue);
    if C::METHOD.has_orpc_header() {
        let this = OrpcThis { version, flags: 0, reserved1: 0, cid: cid()?, extensions: None };
        writer.value(&this, &REQUEST);
    }
    writer.value(parameters, &REQUEST);
    writer.finish().map_err(|_| ExpertError::Unwritable)
}

fn answer<C: Call>(stub: &[u8], order: ByteOrder) -> Result<C::Response<'static>, DecodeError> {
    let options = DecodeOptions::TOLERANT;
    let answer = if C::METHOD.has_orpc_header() {
        Stub::<(OrpcThat<'_>, C::Response<'_>)>::read(stub, order, &options)?.value.value.1
    } else {
        Stub::<C::Response<'_>>::read(stub, order, &options)?.value.value
    };
    Ok(C::owned(answer))
}

/// Random bytes for a CID ([MS-DCOM] 2.2.6).
fn cid() -> Result<Uuid, ExpertError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ExpertError::NoRandom)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// An HRESULT that tells failure as an error.
pub(super) fn succeeded(call: Method, hresult: HResult) -> Result<(), ExpertError> {
    if hresult.is_success() { Ok(()) } else { Err(ExpertError::Call { call, hresult }) }
}
