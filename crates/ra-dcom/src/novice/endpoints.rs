//! Where a novice is reached, as clients are told.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use ndr_oaut::{DualStringArray, SecurityBinding, StringBinding};

/// ncacn_ip_tcp.
const TCP: u16 = 7;
/// RPC_C_AUTHN_GSS_NEGOTIATE and RPC_C_AUTHN_WINNT ([MS-RPCE] 2.2.1.1.7).
const PROVIDERS: [u16; 2] = [9, 10];
/// Where clients look for a resolver.
const RESOLVER_PORT: u16 = 135;
/// Addresses told, at most.
const ADDRESSES: usize = 64;

/// Where a novice is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Addresses of the machine that other machines can have. The address that a call came to is always told first,
    /// and need not be here.
    pub addresses: Vec<IpAddr>,
    /// Its name.
    pub hostname: Option<String>,
    /// Port of the resolver, usually 135.
    pub resolver_port: u16,
    /// Port of the objects.
    pub object_port: u16,
}

impl Endpoints {
    /// The object exporter: each address with the port ([MS-DCOM] 2.2.19.3), `::1[port]` for IPv6.
    pub(super) fn exporter(&self, local: Option<IpAddr>) -> DualStringArray {
        self.bindings(local, Some(self.object_port))
    }

    /// The resolver, as ServerAlive2 tells it: without ports ([MS-DCOM] 3.1.2.5.1.6).
    pub(super) fn resolver(&self, local: Option<IpAddr>) -> DualStringArray {
        self.bindings(local, None)
    }

    /// The resolver, as an OBJREF tells it: with its port only where clients would not look for it.
    pub(super) fn resolver_of_objects(&self, local: Option<IpAddr>) -> DualStringArray {
        self.bindings(local, Some(self.resolver_port).filter(|port| *port != RESOLVER_PORT))
    }

    fn bindings(&self, local: Option<IpAddr>, port: Option<u16>) -> DualStringArray {
        let local = local.map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified());
        let mut addresses: Vec<IpAddr> = local.into_iter().collect();
        for ip in self.addresses.iter().map(IpAddr::to_canonical) {
            if addresses.len() < ADDRESSES && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        let addresses = addresses.iter().map(|ip| alloc::format!("{ip}"));
        let names = self.hostname.iter().filter(|name| !name.is_empty()).cloned();
        let binding = |host: String| StringBinding {
            tower_id: TCP,
            network_address: match port {
                Some(port) => alloc::format!("{host}[{port}]"),
                None => host,
            },
        };
        let strings: Vec<StringBinding> = addresses.chain(names).map(binding).collect();
        let securities = PROVIDERS
            .map(|service| SecurityBinding { authentication_service: service, principal: String::new() });
        DualStringArray::new(&strings, &securities)
    }
}
