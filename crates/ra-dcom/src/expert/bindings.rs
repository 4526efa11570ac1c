//! Where an object exporter may be reached: string bindings as what they are worth.

use std::net::{IpAddr, SocketAddr};

use ndr_oaut::StringBinding;

/// ncacn_ip_tcp ([MS-DCOM] 2.2.19.3, \[C706\] appendix I).
const TCP: u16 = 7;
/// String bindings that are tried; the rest of a list without end is not looked at.
const MOST: usize = 32;

/// A place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An address.
    Address(SocketAddr),
    /// A name, and a port.
    Name(String, u16),
}

/// The places that string bindings name, the most promising first.
///
/// The address under which the resolver was reached comes first, with every port that is named: it is known to work, and
/// the bindings of a machine behind NAT, or in several networks, name addresses that mean nothing here, or somebody else.
/// Bindings without a port mean `default_port`.
pub(super) fn places(bindings: &[StringBinding], peer: SocketAddr, default_port: u16) -> Vec<Place> {
    let named: Vec<(&str, u16)> = bindings
        .iter()
        .take(MOST)
        .filter(|binding| binding.tower_id == TCP)
        .filter_map(|binding| split(&binding.network_address, default_port))
        .collect();
    let at_peer = named.iter().map(|(_, port)| {
        let mut address = peer;
        address.set_port(*port);
        Place::Address(address)
    });
    let as_told = named.iter().map(|(host, port)| match host.parse::<IpAddr>() {
        Ok(ip) => Place::Address(SocketAddr::new(ip, *port)),
        Err(_) => Place::Name((*host).to_owned(), *port),
    });
    let mut places: Vec<Place> = Vec::new();
    for place in at_peer.chain(as_told) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// `host`, `host[port]`, also `[::1][port]` and what has NULs behind it. `None` for what is neither.
fn split(address: &str, default_port: u16) -> Option<(&str, u16)> {
    let address = address.trim_matches([' ', '\0']);
    let literal = |host: &str| host.parse::<IpAddr>().is_ok();
    let (host, port) = match address.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        // An IPv6 address in brackets, and nothing else.
        Some(("", host)) if literal(host) => (host, default_port),
        Some((host, port)) => (host, port.parse().ok()?),
        None => (address, default_port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty() && port != 0).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bindings: &[(u16, &str)], peer: &str) -> Vec<String> {
        let binding = |(tower_id, address): &(u16, &str)| StringBinding {
            tower_id: *tower_id,
            network_address: (*address).to_owned(),
        };
        let bindings: Vec<_> = bindings.iter().map(binding).collect();
        let text = |place: Place| match place {
            Place::Address(address) => address.to_string(),
            Place::Name(name, port) => format!("{name} {port}"),
        };
        places(&bindings, peer.parse().unwrap(), 135).into_iter().map(text).collect()
    }

    #[test]
    fn the_address_that_is_known_to_work_comes_first() {
        let bindings = [(7, "10.0.0.5[49152]"), (7, "192.0.2.7[49152]"), (7, "novice[49152]")];
        let known = of(&bindings, "192.0.2.7:135");
        assert_eq!(known, ["192.0.2.7:49152", "10.0.0.5:49152", "novice 49152"]);
        // Behind NAT: an address that no binding names.
        let nat = of(&bindings, "198.51.100.9:1135");
        assert_eq!(nat, ["198.51.100.9:49152", "10.0.0.5:49152", "192.0.2.7:49152", "novice 49152"]);
    }

    #[test]
    fn addresses_in_every_form() {
        let bindings = [
            (7, "::1[5000]"),
            (7, "[2001:db8::7][5000]"),
            (7, "[2001:db8::8]"),
            (7, "192.0.2.7"),
            (7, "novice[5001]\0\0"),
        ];
        let places = of(&bindings, "[::1]:135");
        let wanted = [
            "[::1]:5000",
            "[::1]:135",
            "[::1]:5001",
            "[2001:db8::7]:5000",
            "[2001:db8::8]:135",
            "192.0.2.7:135",
            "novice 5001",
        ];
        assert_eq!(places, wanted);
    }

    #[test]
    fn what_cannot_be_used() {
        let none =
            [(9, "192.0.2.7[5000]"), (7, ""), (7, "[5000]"), (7, "a[0]"), (7, "a[65536]"), (7, "a[b]")];
        assert_eq!(of(&none, "127.0.0.1:135"), [""; 0]);
        let many = vec![(7, "192.0.2.7[5000]"); 1000];
        assert_eq!(of(&many, "192.0.2.7:135"), ["192.0.2.7:5000"]);
    }
}
