//! Asks Samba for what is simple to ask, and for what it refuses: a line of JSON for each call.
//!
//! ```text
//! USER_NAME=root PASSWORD=secret samba host=127.77.0.1 ask=samr,winreg,srvsvc,refusals
//!     [at=127.0.0.1:4444] [mechanism=ntlm|negotiate|kerberos] [kdc=127.77.0.1:88 service=host/judge.remassist.test]
//!     [level=none|connect|integrity|privacy] [fragment=1432]
//! ```
//!
//! The endpoint mapper of the host tells where an interface is, `at` another way to it (a relay). `ask=map-samr` tells only that.

#![expect(clippy::print_stdout, reason = "a program")]

mod mapper;
mod refusals;
mod samr;
mod srvsvc;
mod types;
mod winreg;

use std::collections::HashMap;
use std::env;

use ndr_oaut::{Ndr, Stub};
use remassist_core::{DecodeError, DecodeOptions, Encode as _, EncodeError, Limits};
use rpc_net::{
    AuthLevel, ByteOrder, ConnectOptions, Connection, Credentials, Error, Interface, Mechanism, SyntaxId,
};
use serde_json::{Value, json};
use uuid::uuid;

const SAMR: SyntaxId = SyntaxId::new(uuid!("12345778-1234-abcd-ef00-0123456789ac"), 1, 0);
const LSARPC: SyntaxId = SyntaxId::new(uuid!("12345778-1234-abcd-ef00-0123456789ab"), 0, 0);
const WINREG: SyntaxId = SyntaxId::new(uuid!("338cd001-2244-31f1-aaaa-900038001003"), 1, 0);
const SRVSVC: SyntaxId = SyntaxId::new(uuid!("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0);
/// Nobody has it.
const NONE: SyntaxId = SyntaxId::new(uuid!("11111111-2222-3333-4444-555555555555"), 1, 0);

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    Rpc(Error),
    /// What the operation answers: NTSTATUS, or a Win32 error.
    Code(u32),
    Unwritable(EncodeError),
    Unreadable(DecodeError),
    Wrong(&'static str),
}

type Outcome<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Rpc(error)
    }
}

impl Failure {
    fn told(&self) -> Value {
        match self {
            Self::Rpc(Error::Fault(status)) => {
                json!({ "result": "fault", "status": format!("{:#010x}", status.0) })
            }
            Self::Rpc(Error::Refused(_)) => json!({ "result": "refused", "words": self.words() }),
            Self::Code(code) => json!({ "result": "code", "code": format!("{code:#010x}") }),
            _ => json!({ "result": "failed", "words": self.words() }),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Rpc(error) => error.to_string(),
            Self::Code(code) => format!("{code:#010x}"),
            Self::Unwritable(error) => error.to_string(),
            Self::Unreadable(error) => error.to_string(),
            Self::Wrong(what) => (*what).to_owned(),
        }
    }
}

/// Calls of one connection.
struct Calls {
    interface: Interface,
    name: &'static str,
}

/// What a call answers, before it is read.
struct Answer(rpc_net::Reply);

impl Calls {
    async fn ask<'q, Q: Ndr<'q>>(&self, opnum: u16, parameters: Q) -> Outcome<Answer> {
        let stub = Stub::new(parameters).to_vec().map_err(Failure::Unwritable)?;
        Ok(Answer(self.interface.call(opnum, None, stub).await?))
    }

    /// Tells what a call has given.
    fn tell(&self, operation: &str, found: Value) {
        println!(
            "{}",
            json!({ "interface": self.name, "operation": operation, "result": "ok", "found": found })
        );
    }

    /// Tells how a call has failed.
    fn tell_failure(&self, operation: &str, failure: &Failure) {
        tell_failure(self.name, operation, failure);
    }
}

impl Answer {
    /// The last result is 0, or the failure.
    fn done(&self) -> Outcome<()> {
        let Some(code) = self.0.stub.last_chunk() else { return Err(Failure::Wrong("no result at all")) };
        // Samba answers in the order in which it is asked.
        match u32::from_le_bytes(*code) {
            _ if self.0.byte_order != ByteOrder::Little => Err(Failure::Wrong("another byte order")),
            0 => Ok(()),
            code => Err(Failure::Code(code)),
        }
    }

    /// The results before the last one.
    fn read<'a, A: Ndr<'a>>(&'a self) -> Outcome<A> {
        self.done()?;
        let mut limits = Limits::DEFAULT;
        limits.items = 1 << 20;
        let options = DecodeOptions::STRICT.with_limits(limits);
        let order = ndr_oaut::ByteOrder::Little;
        let read = Stub::<(A, u32)>::read(&self.0.stub, order, &options).map_err(Failure::Unreadable)?;
        Ok(read.value.value.0)
    }
}

fn tell_failure(name: &str, operation: &str, failure: &Failure) {
    let mut told = json!({ "interface": name, "operation": operation });
    if let (Value::Object(told), Value::Object(more)) = (&mut told, failure.told()) {
        told.extend(more);
    }
    println!("{told}");
}

/// What the command line says.
struct Arguments(HashMap<String, String>);

impl Arguments {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn options(&self) -> Option<ConnectOptions> {
        let mut options = ConnectOptions::default();
        options.level = match self.get("level") {
            "none" => AuthLevel::NONE,
            "connect" => AuthLevel::CONNECT,
            "integrity" => AuthLevel::INTEGRITY,
            "" | "privacy" => AuthLevel::PRIVACY,
            _ => return None,
        };
        let variable = |name| env::var(name).unwrap_or_default();
        if options.level != AuthLevel::NONE {
            let (domain, user, password) = (variable("DOMAIN"), variable("USER_NAME"), variable("PASSWORD"));
            options.credentials = Some(Credentials::new(domain, user, password));
        }
        options.mechanism = match self.get("mechanism") {
            "" | "ntlm" => Mechanism::Ntlm,
            "negotiate" => Mechanism::Negotiate,
            "kerberos" => Mechanism::Kerberos {
                kdc: self.get("kdc").to_owned(),
                service: self.get("service").to_owned(),
            },
            _ => return None,
        };
        if let Some(size) = self.0.get("fragment") {
            options.rpc.max_fragment = size.parse().ok()?;
        }
        Some(options)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pairs = env::args().skip(1).map(|pair| {
        pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or("NAME=VALUE")
    });
    let arguments = Arguments(pairs.collect::<Result<_, _>>()?);
    let options = arguments.options().ok_or("which mechanism, which level, what size?")?;
    for what in arguments.get("ask").split(',') {
        let map_only = what.starts_with("map-");
        let (name, syntax) = match what.trim_start_matches("map-") {
            "samr" | "refusals" => ("samr", SAMR),
            "winreg" => ("winreg", WINREG),
            "srvsvc" => ("srvsvc", SRVSVC),
            _ => return Err("which interface?".into()),
        };
        let operation = std::cell::Cell::new("ept_map");
        let asked = async {
            let port = mapper::port(arguments.get("host"), syntax).await?;
            if map_only {
                println!(
                    "{}",
                    json!({ "interface": name, "operation": "ept_map", "result": "ok", "port": port })
                );
                return Ok(());
            }
            operation.set("bind");
            let address = match arguments.get("at") {
                "" => format!("{}:{port}", arguments.get("host")),
                at => at.to_owned(),
            };
            let connection = Connection::connect(address, &options).await?;
            let calls = Calls { interface: connection.interface(syntax).await?, name };
            operation.set("call");
            match what {
                "samr" => samr::ask(&calls).await,
                "winreg" => winreg::ask(&calls).await,
                "srvsvc" => srvsvc::ask(&calls).await,
                _ => refusals::ask(&calls, &connection).await,
            }
        };
        let asked: Outcome<()> = asked.await;
        if let Err(failure) = asked {
            tell_failure(name, operation.get(), &failure);
        }
    }
    Ok(())
}
