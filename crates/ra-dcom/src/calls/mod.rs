//! Every call of [MS-RAI] and of the DCOM interfaces that it needs: requests, responses, and [`Message`], which reads and
//! writes any of them by its [`Method`].
//!
//! Parameters are described in the order of the IDL. A method that takes nothing asks [`NoParameters`]; one that gives
//! nothing but its result answers [`ResultOnly`] or [`StatusOnly`].

mod activation;
mod count;
mod dispatch;
mod exporter;
mod macros;
mod message;
mod method;
mod names;
mod pch;
mod rasrv;
mod rem_unknown;
mod secret;

pub use activation::*;
pub use count::{NoParameters, ResultOnly, StatusOnly};
pub use dispatch::*;
pub use exporter::*;
pub use message::{Body, Direction, Message, OrpcRequest, OrpcResponse, StubFormat};
pub use method::*;
pub use names::*;
pub use pch::*;
pub use rasrv::*;
pub use rem_unknown::*;
pub use secret::{SecretBstr, SecretWideString};
