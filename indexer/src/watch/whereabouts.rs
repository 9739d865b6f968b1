//! Whose nodes are, and where: what tells them apart.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use everhold_net::is_public;
use futures::{StreamExt, stream};
use tracing::warn;
use url::{Host, Url};

use crate::{
    hosts::{OF_A_STRANGER, embedded, host_and_port, range},
    ledger::{MOST_ADDRESSES, Node, NodeKind},
    nodes::{self, Configured},
};

/// Names that are resolved at once: others chose them, and each may take its time.
const AT_ONCE: usize = 16;
/// What one customer of a hoster gets of IPv6, at least: neighbours may be others.
const OF_A_NODE: u32 = 64;
/// Addresses of one probe that are told of: a few more than are kept of a node.
const OF_A_PROBE: usize = 2 * MOST_ADDRESSES;

/// The nodes as the ledger knows them, in their order: whose they are and where.
pub(super) async fn holders(configured: &[Arc<Configured>]) -> Vec<Node> {
    let row = |node: Arc<Configured>| async move {
        let url = node.node.url();
        let address = address_of(url).await;
        let operator = node.operator.clone();
        Node { id: 0, url: nodes::name(url), kind: node.node.kind(), operator, address }
    };
    stream::iter(configured.iter().cloned()).map(row).buffered(AT_ONCE).collect().await
}

/// The address of a node before anything came from it: by its name, as that is resolved now.
async fn address_of(url: &Url) -> String {
    let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return literal_address(url);
    };
    match resolve(host, port).await {
        Some(ip) => address_at(url, ip),
        None => literal_address(url),
    }
}

/// As [`address_of`], without asking anyone for the address of a name.
pub(super) fn literal_address(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv4(ip)) => address_at(url, ip.into()),
        Some(Host::Ipv6(ip)) => address_at(url, ip.into()),
        _ => host_and_port(url),
    }
}

/// From where the bytes of one probe came, as nodes are told apart. A stranger is at all addresses that
/// one customer may have, beside its own: so it is not apart from another stranger there, nor from a
/// node at its own.
pub(super) fn addresses_from(
    url: &Url,
    kind: NodeKind,
    came_from: &BTreeSet<IpAddr>,
) -> BTreeSet<String> {
    let is_stranger = kind == NodeKind::Provider;
    let wide = |ip: &IpAddr| match embedded(*ip) {
        IpAddr::V6(ip) if is_stranger && is_public(ip.into()) => Some(range(ip, OF_A_STRANGER)),
        _ => None,
    };
    let few = came_from.iter().take(OF_A_PROBE);
    few.flat_map(|ip| [Some(address_at(url, *ip)), wide(ip)]).flatten().collect()
}

/// The address of a node at `ip`. Of IPv6, the first bits: whoever has a network has all of its addresses.
/// Host and port where it is not public: so are
/// nodes on one machine or in one private network told apart.
fn address_at(url: &Url, ip: IpAddr) -> String {
    match embedded(ip) {
        ip if !is_public(ip) => host_and_port(url),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => range(ip, OF_A_NODE),
    }
}

async fn resolve(host: &str, port: u16) -> Option<IpAddr> {
    let looked_up = tokio::net::lookup_host((host, port));
    match tokio::time::timeout(Duration::from_secs(5), looked_up).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).min(),
        _ => {
            warn!("{host}: its name can't be resolved now; where it is, its bytes will say");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn from(kind: NodeKind, ips: &[&str]) -> Vec<String> {
        let url: Url = "https://a.example./".parse().unwrap();
        let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        addresses_from(&url, kind, &ips).into_iter().collect()
    }

    #[test]
    fn a_replica_is_where_its_bytes_came_from() {
        for (ip, address) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("64:ff9b::1.2.3.4", "1.2.3.4"),
            ("2002:102:304::1", "1.2.3.4"),
            ("2a01:4f8:1:2:3:4:5:6", "2a01:4f8:1:2::/64"),
            ("2a01:4f8:1:2::ffff", "2a01:4f8:1:2::/64"),
            ("127.0.0.1", "a.example:443"),
            ("::1", "a.example:443"),
            ("64:ff9b::10.0.0.1", "a.example:443"),
            ("2002:a00:1::1", "a.example:443"),
        ] {
            assert_eq!(from(NodeKind::Gateway, &[ip]), [address], "{ip}");
        }
        let literal = |url: &str| literal_address(&url.parse().unwrap());
        assert_eq!(literal("http://[2a01:4f8:1:2::9]:8080/x"), "2a01:4f8:1:2::/64");
        assert_eq!(literal("http://[::ffff:1.2.3.4]/"), "1.2.3.4");
        assert_eq!(literal("http://127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(literal("https://a.example"), "a.example:443");
    }

    #[test]
    fn a_stranger_has_all_that_one_customer_may_have() {
        let at = |ip| from(NodeKind::Provider, &[ip]);
        assert_eq!(at("2a01:4f8:1:2::3"), ["2a01:4f8:1:2::/64", "2a01:4f8:1::/48"]);
        assert_eq!(at("2a01:4f8:1:ff::9"), ["2a01:4f8:1::/48", "2a01:4f8:1:ff::/64"]);
        assert_eq!(at("1.2.3.4"), ["1.2.3.4"]);
        assert_eq!(at("64:ff9b::1.2.3.4"), ["1.2.3.4"]);
        assert_eq!(at("fd00::1"), ["a.example:443"]);
    }

    #[test]
    fn bytes_from_several_addresses_are_from_each_of_them() {
        let from = |ips: &[&str]| from(NodeKind::Gateway, ips);
        assert_eq!(from(&[]), [""; 0]);
        assert_eq!(from(&["1.2.3.4", "2a01::1"]), ["1.2.3.4", "2a01::/64"]);
        assert_eq!(from(&["1.2.3.4", "10.0.0.1"]), ["1.2.3.4", "a.example:443"]);
        // One, in several coats.
        assert_eq!(from(&["1.2.3.4", "::ffff:1.2.3.4"]), ["1.2.3.4"]);
        assert_eq!(from(&["2a01::1", "2a01::2"]), ["2a01::/64"]);
        assert_eq!(from(&["10.0.0.1", "10.0.0.2"]), ["a.example:443"]);
        let many: Vec<_> = (0..=255).map(|last| format!("1.2.3.{last}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!((MOST_ADDRESSES + 1..256).contains(&from(&many).len()));
    }

    proptest! {
        /// Whoever has an IPv4 address, or a network of IPv6, has one address.
        #[test]
        fn no_coat_makes_another_address(bits: u32, network: u64, host: [u64; 2]) {
            let url: Url = "https://a.example/".parse().unwrap();
            let plain = address_at(&url, Ipv4Addr::from(bits).into());
            let bits = u128::from(bits);
            let nat64 = u128::from(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0));
            for coat in [0xffff << 32 | bits, nat64 | bits, 0x2002 << 112 | bits << 80 | 7] {
                prop_assert_eq!(&address_at(&url, Ipv6Addr::from(coat).into()), &plain);
            }
            let of = |host| Ipv6Addr::from(u128::from(network) << 64 | u128::from(host)).into();
            let at = |ip| address_at(&url, ip);
            let special = network == 0 || network >> 48 == 0x64;
            prop_assert!(special || at(of(host[0])) == at(of(host[1])));
        }
    }
}
