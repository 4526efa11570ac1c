//! One call, or several on one connection: `call ADDRESS ntlm|negotiate|kerberos=KDC,SERVICE connect|integrity|privacy
//! INTERFACE VERSION OPNUM STUB [INTERFACE VERSION OPNUM STUB ..]`, with DOMAIN, USER_NAME and PASSWORD in the environment; stub
//! data in hexadecimal, `-` for none, `*N` for N zeros.

use std::env;
use std::fmt::Write as _;

use rpc_net::{AuthLevel, ConnectOptions, Connection, Credentials, Mechanism, SyntaxId};
use tokio::io::{AsyncWriteExt as _, stdout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(([address, mechanism, level], calls)) = arguments.split_first_chunk() else {
        return Err("call ADDRESS MECHANISM LEVEL INTERFACE VERSION OPNUM STUB ..".into());
    };
    let variable = |name| env::var(name).unwrap_or_default();
    let mut options = ConnectOptions::default();
    if let Ok(user) = env::var("USER_NAME") {
        options.credentials = Some(Credentials::new(variable("DOMAIN"), user, variable("PASSWORD")));
    }
    options.mechanism = match mechanism.split_once('=') {
        Some(("kerberos", target)) => {
            let (kdc, service) = target.split_once(',').ok_or("kerberos=KDC,SERVICE")?;
            Mechanism::Kerberos { kdc: kdc.to_owned(), service: service.to_owned() }
        }
        None if mechanism == "negotiate" => Mechanism::Negotiate,
        None if mechanism == "ntlm" => Mechanism::Ntlm,
        _ => return Err("which mechanism?".into()),
    };
    options.level = match level.as_str() {
        "connect" => AuthLevel::CONNECT,
        "integrity" => AuthLevel::INTEGRITY,
        "privacy" => AuthLevel::PRIVACY,
        _ => return Err("which level?".into()),
    };
    let connection = Connection::connect(address.as_str(), &options).await?;
    for [uuid, version, opnum, stub] in calls.as_chunks().0 {
        let interface = connection.interface(SyntaxId::new(uuid.parse()?, version.parse()?, 0)).await?;
        let stub = match stub.strip_prefix('*') {
            Some(zeros) => vec![0; zeros.parse()?],
            None => bytes(stub).ok_or("stub data are hexadecimal")?,
        };
        let mut line = String::new();
        match interface.call(opnum.parse()?, None, stub).await {
            Ok(reply) => {
                write!(line, "{} bytes ", reply.stub.len())?;
                for byte in reply.stub.iter().take(64) {
                    write!(line, "{byte:02x}")?;
                }
            }
            Err(error) => write!(line, "{error}")?,
        }
        line.push('\n');
        stdout().write_all(line.as_bytes()).await?;
    }
    stdout().flush().await?;
    Ok(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex == "-" {
        return Some(Vec::new());
    }
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
