//! Whose nodes are, and where: what tells them apart.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tracing::warn;
use url::{Host, Url};

use crate::{
    health::Holder,
    ledger::Node,
    nodes::{self, Configured},
};

/// The nodes as the ledger knows them: whose they are and where.
pub(super) async fn holders(configured: &[Arc<Configured>]) -> Vec<Node> {
    let mut rows = Vec::new();
    for node in configured {
        let url = node.node.url();
        let address = address_of(url).await;
        let holder = Holder { operator: node.operator.clone(), address };
        rows.push(Node { id: 0, url: nodes::name(url), kind: node.node.kind(), holder });
    }
    rows
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

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || shared)
        }
        IpAddr::V6(ip) => {
            let mapped = ip.to_ipv4_mapped().is_some_and(|v4| !is_public(IpAddr::V4(v4)));
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || mapped)
        }
    }
}
