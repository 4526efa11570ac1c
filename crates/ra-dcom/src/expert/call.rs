//! One call: parameters to stub data, and back.

use std::collections::HashMap;
use std::sync::Arc;

use ndr_oaut::{ByteOrder, ComVersion, OrpcThat, OrpcThis, Residue, Stub, Writer};
use remassist_core::{At, DecodeError, DecodeOptions};
use rpc_net::{Connection, Interface, Reply, SyntaxId};
use tokio::sync::Mutex;
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

/// A connection, and the interfaces that were bound on it: each is bound once, as servers grant only so many.
#[derive(Debug, Clone)]
pub(super) struct Line {
    connection: Connection,
    interfaces: Arc<Mutex<HashMap<Uuid, Interface>>>,
}

impl Line {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, interfaces: Arc::default() }
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// An interface, for a call.
    pub(super) async fn interface(&self, iid: Uuid, call: Method) -> Result<Interface, ExpertError> {
        let mut interfaces = self.interfaces.lock().await;
        if let Some(interface) = interfaces.get(&iid) {
            return Ok(interface.clone());
        }
        let interface = bind(&self.connection, iid, call).await?;
        interfaces.insert(iid, interface.clone());
        Ok(interface)
    }
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

#[cfg(test)]
mod tests {
    use ndr_oaut::{OrpcExtent, OrpcExtentArray};
    use remassist_core::Encode as _;

    use super::*;
    use crate::SessionName;
    use crate::calls::{
        Body, CountResponse, GetSessionInfo, GetSessionInfoRequest, GetSessionInfoResponse, Message, Response,
    };

    fn stub(byte_order: ByteOrder, extensions: bool, parameters: Response<'static>) -> Vec<u8> {
        let extent = OrpcExtent { id: Uuid::max(), data: vec![1, 2, 3].into() };
        let extensions = extensions.then(|| OrpcExtentArray::new(vec![extent]));
        let that = Some(OrpcThat { flags: 0, extensions });
        Message { byte_order, ..Message::new(Body::Response { that, parameters }) }.to_vec().unwrap()
    }

    #[test]
    fn answers_in_both_byte_orders_with_and_without_extensions() {
        let sessions = [SessionName { domain: "D".into(), user: "ü😀".into(), id: 70_000 }];
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for extensions in [false, true] {
                let told = GetSessionInfoResponse::new(&GetSessionInfoRequest::default(), &sessions);
                let stub = stub(order, extensions, Response::GetSessionInfo(told));
                let read = answer::<GetSessionInfo>(&stub, order).unwrap();
                let names: Vec<_> = read.user_names.sessions().map(Result::unwrap).collect();
                assert_eq!((names.as_slice(), read.count), (&sessions[..], 1));
            }
        }
    }

    #[test]
    fn what_follows_the_last_parameter_is_ignored_and_what_is_missing_is_not() {
        let count = CountResponse { count: 3, hresult: HResult::S_OK };
        let mut whole = stub(ByteOrder::Little, false, Response::Count(count));
        whole.extend([0x8A; 40]);
        assert_eq!(answer::<crate::calls::Count>(&whole, ByteOrder::Little).unwrap().count, 3);
        for len in 0..16 {
            assert!(answer::<crate::calls::Count>(&whole[..len], ByteOrder::Little).is_err(), "{len} bytes");
        }
    }
}
