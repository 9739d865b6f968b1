//! Whose nodes are, and where: what tells them apart.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use everhold_net::is_public;
use futures::{StreamExt, stream};
use tracing::warn;
use url::{Host, Url};

use crate::{
    health::Holder,
    ledger::{Node, NodeKind},
    nodes::{self, Configured},
};

/// Names that are resolved at once: others chose them, and each may take its time.
const AT_ONCE: usize = 16;
/// What one customer of a hoster gets of IPv6, at least: neighbours may be others.
const OF_A_NODE: u32 = 64;
/// What one customer may get (RFC 6177): strangers have no operator by whom they are told apart, and more
/// addresses cost them nothing.
const OF_A_STRANGER: u32 = 48;
/// The address of bytes that came from more than one.
const SEVERAL: &str = "several addresses";

/// The nodes as the ledger knows them, in their order: whose they are and where.
pub(super) async fn holders(configured: &[Arc<Configured>]) -> Vec<Node> {
    let row = |node: Arc<Configured>| async move {
        let url = node.node.url();
        let address = address_of(url).await;
        let holder = Holder { operator: node.operator.clone(), address };
        Node { id: 0, url: nodes::name(url), kind: node.node.kind(), holder }
    };
    stream::iter(configured.iter().cloned()).map(row).buffered(AT_ONCE).collect().await
}

/// The address of a node before anything came from it: by its name, as that is resolved now.
async fn address_of(url: &Url) -> String {
    let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return literal_address(url);
    };
    match resolve(host, port).await {
        Some(ip) => address_at(url, ip, OF_A_NODE),
        None => literal_address(url),
    }
}

/// As [`address_of`], without asking anyone for the address of a name.
pub(super) fn literal_address(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv4(ip)) => address_at(url, ip.into(), OF_A_NODE),
        Some(Host::Ipv6(ip)) => address_at(url, ip.into(), OF_A_NODE),
        _ => host_and_port(url),
    }
}

/// From where the bytes of one probe came, as replicas are told apart; `None` where nothing came.
/// Those that came from several addresses are one with each other: which of them has the content,
/// or which is the same machine as another's, nobody knows.
pub(super) fn address_from(
    url: &Url,
    kind: NodeKind,
    came_from: &BTreeSet<IpAddr>,
) -> Option<String> {
    let bits = if kind == NodeKind::Provider { OF_A_STRANGER } else { OF_A_NODE };
    let mut all: BTreeSet<String> = came_from.iter().map(|ip| address_at(url, *ip, bits)).collect();
    match all.len() {
        0 | 1 => all.pop_first(),
        _ => Some(SEVERAL.to_owned()),
    }
}

/// The address of a node at `ip`. Of IPv6, the first bits: whoever has a network has all of its addresses.
/// Host and port where it is not public: so are
/// nodes on one machine or in one private network told apart.
fn address_at(url: &Url, ip: IpAddr, bits: u32) -> String {
    match embedded(ip) {
        ip if !is_public(ip) => host_and_port(url),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & (u128::MAX << (128 - bits));
            format!("{}/{bits}", Ipv6Addr::from(network))
        }
    }
}

/// The IPv4 address that an address leads to, where it is one in another coat: mapped (RFC 4291),
/// NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(ip) = ip.to_canonical() else { return ip.to_canonical() };
    let octets = ip.octets();
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]).into()
        }
        [0x2002, ..] => Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]).into(),
        _ => ip.into(),
    }
}

fn host_and_port(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
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

    use super::*;

    fn from(ips: &[&str]) -> Option<String> {
        let url: Url = "https://a.example/".parse().unwrap();
        address_from(&url, NodeKind::Gateway, &ips.iter().map(|ip| ip.parse().unwrap()).collect())
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
            assert_eq!(from(&[ip]).as_deref(), Some(address), "{ip}");
        }
        let literal = |url: &str| literal_address(&url.parse().unwrap());
        assert_eq!(literal("http://[2a01:4f8:1:2::9]:8080/x"), "2a01:4f8:1:2::/64");
        assert_eq!(literal("http://[::ffff:1.2.3.4]/"), "1.2.3.4");
        assert_eq!(literal("http://127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(literal("https://a.example"), "a.example:443");
    }

    #[test]
    fn a_stranger_has_all_that_one_customer_may_have() {
        let url: Url = "https://a.example/".parse().unwrap();
        let from = |ip: &str| {
            address_from(&url, NodeKind::Provider, &BTreeSet::from([ip.parse().unwrap()])).unwrap()
        };
        assert_eq!(from("2a01:4f8:1:2::3"), "2a01:4f8:1::/48");
        assert_eq!(from("2a01:4f8:1:ff::9"), from("2a01:4f8:1:2::3"));
        assert_eq!(from("1.2.3.4"), "1.2.3.4");
    }

    #[test]
    fn bytes_from_several_addresses_are_from_none_of_them() {
        assert_eq!(from(&[]), None);
        for ips in [&["1.2.3.4", "1.2.3.5"][..], &["1.2.3.4", "2a01::1"], &["1.2.3.4", "10.0.0.1"]]
        {
            assert_eq!(from(ips).as_deref(), Some(SEVERAL), "{ips:?}");
        }
        // One, in several coats.
        assert_eq!(from(&["1.2.3.4", "::ffff:1.2.3.4"]).as_deref(), Some("1.2.3.4"));
        assert_eq!(from(&["2a01::1", "2a01::2"]).as_deref(), Some("2a01::/64"));
        assert_eq!(from(&["10.0.0.1", "10.0.0.2"]).as_deref(), Some("a.example:443"));
    }

    proptest! {
        /// Whoever has an IPv4 address, or a network of IPv6, has one address.
        #[test]
        fn no_coat_makes_another_address(bits: u32, network: u64, host: [u64; 2]) {
            let url: Url = "https://a.example/".parse().unwrap();
            let plain = address_at(&url, Ipv4Addr::from(bits).into(), OF_A_NODE);
            let bits = u128::from(bits);
            let nat64 = u128::from(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0));
            for coat in [0xffff << 32 | bits, nat64 | bits, 0x2002 << 112 | bits << 80 | 7] {
                prop_assert_eq!(&address_at(&url, Ipv6Addr::from(coat).into(), OF_A_NODE), &plain);
            }
            let of = |host| Ipv6Addr::from(u128::from(network) << 64 | u128::from(host)).into();
            let at = |ip| address_at(&url, ip, OF_A_NODE);
            let special = network == 0 || network >> 48 == 0x64;
            prop_assert!(special || at(of(host[0])) == at(of(host[1])));
        }
    }
}
