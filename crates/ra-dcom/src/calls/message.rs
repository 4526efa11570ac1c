//! Requests and responses whole, with their ORPC headers.

use alloc::vec::Vec;

use ndr_oaut::{ByteOrder, Ndr, OrpcThat, OrpcThis, Reader, Residue, Writer};
use remassist_core::{At, DecodeError, DecodeOptions, Decoded, EncodeError, decode_using, encode_whole};

use super::macros::Own as _;
use super::{Method, Request, Response};

/// Stub data of a request to an object: ORPCTHIS, then the \[in\] parameters ([MS-DCOM] 3.2.4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrpcRequest<'a, T> {
    /// First of all.
    pub this: OrpcThis<'a>,
    /// The \[in\] parameters.
    pub parameters: T,
}

/// Stub data of the response of an object: ORPCTHAT, then the \[out\] parameters, the HRESULT last ([MS-DCOM] 3.1.1.5.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrpcResponse<'a, T> {
    /// First of all.
    pub that: OrpcThat<'a>,
    /// The \[out\] parameters and the result.
    pub parameters: T,
}

macro_rules! with_header {
    ($($type:ident $header:ident;)*) => {$(
        impl<'a, T: Ndr<'a>> Ndr<'a> for $type<'a, T> {
            type Head = Self;
            const ALIGN: usize = 1;
            fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
                let $header = r.value(at)?;
                Ok(Self { $header, parameters: r.value(at)? })
            }
            fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
                Ok(head)
            }
            fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
                w.value(&self.$header, at);
                w.value(&self.parameters, at);
            }
            fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
        }
    )*};
}
with_header! {
    OrpcRequest this;
    OrpcResponse that;
}

/// Which way a call's stub data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Response,
}

/// How stub data of a [`Method`] is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StubFormat {
    /// Request or response.
    pub direction: Direction,
    /// Byte order, which the PDU tells.
    pub byte_order: ByteOrder,
    /// Whether ORPCTHIS or ORPCTHAT is there. [`Method::has_orpc_header`] tells what stands on the network.
    pub orpc_header: bool,
}

impl StubFormat {
    /// Little-endian stub data as it stands on the network.
    #[must_use]
    pub fn of(method: Method, direction: Direction) -> Self {
        Self { direction, byte_order: ByteOrder::Little, orpc_header: method.has_orpc_header() }
    }
}

/// What the stub data of a call says, whichever call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Body<'a> {
    /// From the client to the server.
    Request {
        /// ORPCTHIS, where there is one.
        this: Option<OrpcThis<'a>>,
        /// The \[in\] parameters.
        parameters: Request<'a>,
    },
    /// From the server to the client.
    Response {
        /// ORPCTHAT, where there is one.
        that: Option<OrpcThat<'a>>,
        /// The \[out\] parameters and the result.
        parameters: Response<'a>,
    },
}

/// Stub data of any call of any [`Method`]; what was read is written as the same bytes.
///
/// ```
/// use ra_dcom::calls::{Direction, IID_ISAFSESSION, Message, Method, StubFormat};
/// use remassist_core::{DecodeOptions, Encode as _};
///
/// let method = Method::find(&IID_ISAFSESSION, 9).ok_or("no such method")?;
/// let format = StubFormat { orpc_header: false, ..StubFormat::of(method, Direction::Response) };
/// let stub = [5, 0, 0, 0, 0, 0, 0, 0];
/// let message = Message::read(method, format, &stub, &DecodeOptions::STRICT)?.value;
/// assert!(format!("{message:?}").contains("SessionStateEnum(5)"));
/// assert_eq!(message.to_vec()?, stub);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Message<'a> {
    /// What it says.
    pub body: Body<'a>,
    /// In which byte order.
    pub byte_order: ByteOrder,
    /// What else stands in it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub residue: Residue<'a>,
}

static THIS: At = At::new("[MS-DCOM]", "2.2.13.3", "ORPCTHIS", "");
static THAT: At = At::new("[MS-DCOM]", "2.2.13.4", "ORPCTHAT", "");

impl<'a> Message<'a> {
    /// A message to write, little-endian.
    #[must_use]
    pub fn new(body: Body<'a>) -> Self {
        Self { body, byte_order: ByteOrder::Little, residue: Residue::default() }
    }

    /// Reads the stub data of a method at the beginning of `input`. Bytes behind the last parameter are left over.
    ///
    /// # Errors
    /// Those of the headers and parameters; also when `input` is longer than the limit on messages.
    pub fn read(
        method: Method,
        format: StubFormat,
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Decoded<'a, Self>, DecodeError> {
        decode_using(input, options, method.at(), |cursor| {
            let mut r = Reader::new(cursor.clone(), format.byte_order);
            let body = match format.direction {
                Direction::Request => Body::Request {
                    this: format.orpc_header.then(|| r.value(&THIS)).transpose()?,
                    parameters: Request::read(method, &mut r)?,
                },
                Direction::Response => Body::Response {
                    that: format.orpc_header.then(|| r.value(&THAT)).transpose()?,
                    parameters: Response::read(method, &mut r)?,
                },
            };
            let (end, residue) = r.finish();
            *cursor = end;
            Ok(Self { body, byte_order: format.byte_order, residue })
        })
    }

    /// The method called.
    #[must_use]
    pub fn method(&self) -> Method {
        match &self.body {
            Body::Request { parameters, .. } => parameters.method(),
            Body::Response { parameters, .. } => parameters.method(),
        }
    }

    /// How it has to be read.
    #[must_use]
    pub fn format(&self) -> StubFormat {
        let (direction, orpc_header) = match &self.body {
            Body::Request { this, .. } => (Direction::Request, this.is_some()),
            Body::Response { that, .. } => (Direction::Response, that.is_some()),
        };
        StubFormat { direction, byte_order: self.byte_order, orpc_header }
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        let body = match self.body {
            Body::Request { this, parameters } => {
                Body::Request { this: this.own(), parameters: parameters.into_owned() }
            }
            Body::Response { that, parameters } => {
                Body::Response { that: that.own(), parameters: parameters.into_owned() }
            }
        };
        Message { body, byte_order: self.byte_order, residue: self.residue.own() }
    }

    fn written(&self) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new(self.byte_order, &self.residue);
        match &self.body {
            Body::Request { this, parameters } => {
                this.iter().for_each(|this| w.value(this, &THIS));
                parameters.put(&mut w);
            }
            Body::Response { that, parameters } => {
                that.iter().for_each(|that| w.value(that, &THAT));
                parameters.put(&mut w);
            }
        }
        w.finish()
    }
}

// Lengths depend on alignment and on what stands before.
encode_whole!(Message<'_>);
