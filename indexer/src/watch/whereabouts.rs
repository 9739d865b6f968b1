//! Whose nodes are, and where: what tells them apart.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use everhold_net::is_public;
use futures::{StreamExt, stream};
use tracing::warn;
use url::{Host, Url};

use crate::{
    health::Holder,
    ledger::Node,
    nodes::{self, Configured},
};

/// Names that are resolved at once: others chose them, and each may take its time.
const AT_ONCE: usize = 16;

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

/// The public IP address of a node, or host and port where it has none: so are nodes on one
/// machine or in one private network told apart.
async fn address_of(url: &Url) -> String {
    let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return literal_address(url);
    };
    match resolve(host, port).await {
        Some(ip) if is_public(ip) => ip.to_string(),
        _ => literal_address(url),
    }
}

/// As [`address_of`], without asking anyone for the address of a name.
pub(super) fn literal_address(url: &Url) -> String {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    match ip.filter(|ip| is_public(*ip)) {
        Some(ip) => ip.to_string(),
        None => format!("{}:{port}", url.host_str().unwrap_or_default()),
    }
}

/// The address of a stranger whose bytes came from `ip`. Of IPv6, the network of one customer
/// (RFC 6177 gives each at least so much): whoever has one has all of its addresses.
pub(super) fn address_from(url: &Url, ip: IpAddr) -> String {
    match ip.to_canonical() {
        ip if !is_public(ip) => literal_address(url),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & (u128::MAX << 64);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

async fn resolve(host: &str, port: u16) -> Option<IpAddr> {
    let looked_up = tokio::net::lookup_host((host, port));
    match tokio::time::timeout(Duration::from_secs(5), looked_up).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).min(),
        _ => {
            warn!("{host}: its name can't be resolved now; it counts as its own address");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_where_its_bytes_came_from() {
        let url: Url = "https://a.example/".parse().unwrap();
        for (ip, address) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("2a01:4f8:1:2:3:4:5:6", "2a01:4f8:1:2::/64"),
            ("2a01:4f8:1:2::ffff", "2a01:4f8:1:2::/64"),
            ("127.0.0.1", "a.example:443"),
        ] {
            assert_eq!(address_from(&url, ip.parse().unwrap()), address, "{ip}");
        }
    }
}
