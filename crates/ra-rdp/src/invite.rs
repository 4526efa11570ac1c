//! Invitations of a novice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use if_addrs::get_if_addrs;
use ra_connstring::{ConnectionString1, ConnectionString2, Endpoint, HashAlgorithm, Host, KeyHash};
use ra_invitation::{InvitationBuilder, encrypt_ticket, generate_pass_stub};
use ra_session::Credentials;
use remassist_core::text::TextFormat as _;
use remassist_core::{EncodeError, Secret};

use crate::{NoviceServer, RdpError};

/// Random bytes behind an authentication id: as many as Windows takes.
const ID_BYTES: usize = 48;

/// The types of invitation files ([MS-RAI] 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FileType {
    /// Connection string 1 in the clear: for Windows XP and Windows Server 2003. It cannot hold IPv6 addresses.
    Type1,
    /// Connection string 2, encrypted with the password: for all later ones.
    #[default]
    Type2,
}

/// An invitation to be made.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Type of the file.
    pub file_type: FileType,
    /// Name of the novice's user.
    pub name: String,
    /// How long the file says that it is valid, in minutes. What is done about it is up to
    /// [`NoviceOptions::valid_for`](crate::NoviceOptions::valid_for).
    pub minutes: u32,
    /// What the expert has to know.
    pub password: Secret<String>,
    /// Where the expert can connect, the best first.
    pub addresses: Vec<Endpoint<'static>>,
}

/// An invitation that was made. `Debug` shows nothing that lets anybody in.
#[derive(Debug, Clone)]
pub struct MadeInvitation {
    /// The file, to be sent to the expert; the password another way.
    pub file: Secret<String>,
    /// Whom the novice lets in: for [`NoviceConfig`](ra_session::NoviceConfig).
    pub credentials: Credentials,
    /// Where the file says that the expert can connect.
    pub addresses: Vec<Endpoint<'static>>,
}

impl NewInvitation {
    /// Of type 2, for six hours.
    #[must_use]
    pub fn new(name: &str, password: Secret<String>) -> Self {
        let file_type = FileType::default();
        Self { file_type, name: name.to_owned(), minutes: 360, password, addresses: Vec::new() }
    }

    /// Makes it, for a server that has a key with these hashes, with a new authentication id and PassStub.
    ///
    /// # Errors
    /// [`RdpError::Configuration`] when the password is empty, when there is no address or the file cannot hold one of them,
    /// when the name or an address has characters that cannot be written, or when the system gives no random bytes.
    pub fn make(self, hashes: &KeyHashes) -> Result<MadeInvitation, RdpError> {
        let Self { file_type, name, minutes, password, addresses } = self;
        if password.expose().is_empty() {
            return Err(RdpError::Configuration("the password is empty"));
        }
        let stub = pass_stub()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_err(|_| RdpError::Configuration("the clock stands before 1970"))?.as_secs();
        let builder = InvitationBuilder::new(&name, now, minutes.into());
        let string = connection_string(file_type, &addresses, hashes)?;
        let invitation = match file_type {
            FileType::Type1 => builder.type1(string.expose(), Some(stub.expose())),
            FileType::Type2 => {
                let ticket = encrypt_ticket(password.expose(), string.expose());
                builder.type2(&ticket, stub.expose(), None)
            }
        };
        let file = Secret::new(invitation.to_text().map_err(unwritable)? + "\n");
        let credentials =
            Credentials::invitation(string.expose(), Some(password.expose()), Some(stub.expose()));
        let credentials =
            credentials.map_err(|_| RdpError::Configuration("the password cannot be used with this file"))?;
        Ok(MadeInvitation { file, credentials, addresses })
    }
}

/// The connection string that a file of this type holds, with a new authentication id.
fn connection_string(
    file_type: FileType,
    addresses: &[Endpoint<'static>],
    hashes: &KeyHashes,
) -> Result<Secret<String>, RdpError> {
    if addresses.is_empty() {
        return Err(RdpError::Configuration("an invitation needs an address"));
    }
    let id = Secret::new(STANDARD.encode(random::<ID_BYTES>()?));
    let text = match file_type {
        FileType::Type1 => {
            if addresses.iter().any(|endpoint| matches!(endpoint.host, Host::Ipv6 { .. })) {
                return Err(RdpError::Configuration("an invitation of type 1 cannot hold IPv6 addresses"));
            }
            ConnectionString1::new(addresses.iter().cloned(), id.expose(), &hashes.sha1).to_text()
        }
        FileType::Type2 => {
            let mut string = ConnectionString2::new(id.expose()).with_key_hash(&hashes.sha1);
            if let Some(sha256) = &hashes.sha256 {
                string = string.with_key_hash(sha256);
            }
            for endpoint in addresses {
                string = string.with_listener(endpoint);
            }
            // Windows ends the text of a ticket so.
            string.to_text().map(|text| text + "\r\n")
        }
    };
    text.map(Secret::new).map_err(unwritable)
}

fn unwritable(_: EncodeError) -> RdpError {
    RdpError::Configuration("the name or an address cannot be written into an invitation")
}

/// Makes tickets for experts who ask for one instead of having an invitation ([MS-RAI] 3): connection strings that let in
/// without a password. Give one to one authenticated caller only.
#[derive(Debug, Clone)]
pub struct Tickets {
    hashes: KeyHashes,
    addresses: Vec<Endpoint<'static>>,
}

/// A ticket that was made. `Debug` shows nothing that lets anybody in.
#[derive(Debug, Clone)]
pub struct MadeTicket {
    /// For the expert.
    pub connection_string: Secret<String>,
    /// Whom the novice lets in: for [`NoviceConfig`](ra_session::NoviceConfig).
    pub credentials: Credentials,
}

impl Tickets {
    /// Makes a ticket: connection string 1 or 2, as files of this type have it. Connection string 1 leaves out IPv6
    /// addresses, which it cannot hold.
    ///
    /// # Errors
    /// [`RdpError::Configuration`] when no address can be told, or the system gives no random bytes.
    pub fn make(&self, file_type: FileType) -> Result<MadeTicket, RdpError> {
        let type2 = file_type == FileType::Type2;
        let told = |endpoint: &&Endpoint<'_>| type2 || !matches!(endpoint.host, Host::Ipv6 { .. });
        let addresses: Vec<_> = self.addresses.iter().filter(told).cloned().collect();
        let connection_string = connection_string(file_type, &addresses, &self.hashes)?;
        let credentials = Credentials::dcom(connection_string.expose());
        let credentials =
            credentials.map_err(|_| RdpError::Configuration("an address cannot be written into a ticket"))?;
        Ok(MadeTicket { connection_string, credentials })
    }

    /// Where tickets say that the expert can connect.
    #[must_use]
    pub fn addresses(&self) -> &[Endpoint<'static>] {
        &self.addresses
    }
}

/// What a connection string tells of the server's key: KH and KH2 ([MS-RAI] 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHashes {
    sha1: KeyHash<'static>,
    sha256: Option<KeyHash<'static>>,
}

impl KeyHashes {
    /// Of the `PublicKeyBlob` of a server certificate ([MS-RAI] 2.2.2).
    #[must_use]
    pub fn of(public_key_blob: &[u8]) -> Self {
        let sha256 = KeyHash::compute(HashAlgorithm::Sha256, public_key_blob);
        Self { sha1: KeyHash::compute_sha1(public_key_blob), sha256 }
    }

    /// Of no key at all: under TLS there is none that could be compared, but KH must be there.
    ///
    /// # Errors
    /// [`RdpError::Configuration`] when the system gives no random bytes.
    pub fn random() -> Result<Self, RdpError> {
        let digest = STANDARD.encode(random::<20>()?).into();
        Ok(Self { sha1: KeyHash { algorithm: HashAlgorithm::Sha1, digest }, sha256: None })
    }
}

impl NoviceServer {
    /// Makes an invitation to this server, with the hashes of its key. Where no addresses are given, they are those that it
    /// listens on; for all addresses of the machine, those that other machines can have.
    ///
    /// # Errors
    /// As [`NewInvitation::make`]; [`RdpError::Io`] when the addresses cannot be found out.
    pub fn invite(&self, mut invitation: NewInvitation) -> Result<MadeInvitation, RdpError> {
        let type1 = invitation.file_type == FileType::Type1;
        if invitation.addresses.is_empty() {
            let found = self.endpoints()?;
            let holds = |endpoint: &Endpoint<'_>| !(type1 && matches!(endpoint.host, Host::Ipv6 { .. }));
            invitation.addresses = found.into_iter().filter(holds).collect();
        }
        let mut told = invitation.addresses.clone();
        if type1 {
            // FreeRDP skips the first address of such a file.
            invitation.addresses.extend_from_within(..invitation.addresses.len().min(1));
        }
        let mut made = invitation.make(&self.key_hashes()?)?;
        std::mem::swap(&mut made.addresses, &mut told);
        Ok(made)
    }

    /// Makes tickets that lead to this server, with the hashes of its key. Addresses as for [`invite`](Self::invite).
    ///
    /// # Errors
    /// [`RdpError::Configuration`] when the system gives no random bytes; [`RdpError::Io`] when the addresses cannot be
    /// found out.
    pub fn tickets(&self, addresses: Vec<Endpoint<'static>>) -> Result<Tickets, RdpError> {
        let addresses = if addresses.is_empty() { self.endpoints()? } else { addresses };
        Ok(Tickets { hashes: self.key_hashes()?, addresses })
    }

    /// Where experts find this server.
    fn endpoints(&self) -> Result<Vec<Endpoint<'static>>, RdpError> {
        let local: Vec<IpAddr> = get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in self.addresses()?.into_iter().flat_map(|address| reachable(address, &local)) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
        let endpoint = |address: &SocketAddr| Endpoint::parse(&address.to_string()).map(Endpoint::into_owned);
        Ok(found.iter().filter_map(endpoint).collect())
    }
}

/// Where an expert finds an address that is listened on.
fn reachable(address: SocketAddr, local: &[IpAddr]) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let found: Vec<_> = local
        .iter()
        .filter(|ip| match ip {
            IpAddr::V4(ip) => address.is_ipv4() && !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => address.is_ipv6() && !ip.is_loopback() && !ip.is_unicast_link_local(),
        })
        .map(|ip| SocketAddr::new(*ip, address.port()))
        .collect();
    let own = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    if found.is_empty() { vec![SocketAddr::new(own, address.port())] } else { found }
}

fn pass_stub() -> Result<Secret<String>, RdpError> {
    let mut broken = false;
    let stub = generate_pass_stub(|bytes| broken |= getrandom::fill(bytes).is_err());
    stub.filter(|_| !broken).ok_or(NO_RANDOM)
}

/// The system gives no random bytes.
const NO_RANDOM: RdpError = RdpError::Configuration("the system gives no random bytes");

pub(crate) fn random<const N: usize>() -> Result<[u8; N], RdpError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NO_RANDOM)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::reachable;

    #[test]
    fn all_addresses_are_those_that_others_can_have() {
        let local = ["127.0.0.1", "192.0.2.7", "169.254.3.4", "::1", "fe80::1", "2001:db8::7"];
        let local: Vec<IpAddr> = local.iter().map(|ip| ip.parse().unwrap()).collect();
        let of = |address: &str, local: &[IpAddr]| -> Vec<String> {
            let address: SocketAddr = address.parse().unwrap();
            reachable(address, local).iter().map(ToString::to_string).collect()
        };
        assert_eq!(of("127.0.0.1:9", &local), ["127.0.0.1:9"]);
        assert_eq!(of("0.0.0.0:9", &local), ["192.0.2.7:9"]);
        assert_eq!(of("[::]:9", &local), ["[2001:db8::7]:9"]);
        assert_eq!(of("[::]:9", &local[..1]), ["[::1]:9"]);
        assert_eq!(of("0.0.0.0:9", &local[..1]), ["127.0.0.1:9"]);
    }
}
