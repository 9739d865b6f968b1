//! Whether there are nodes enough to satisfy the policy at all.

use super::whereabouts::literal_address;
use crate::{
    config::Config,
    health::{Holder, independent},
    ledger::{Node, NodeKind},
};

/// Why the configured nodes can't satisfy the policy, if they can't. Nodes that are still to be
/// found through the network's list count as many as are wanted of it.
pub fn shortage(config: &Config) -> Option<String> {
    let all = [config.aleph.named(), &config.ipfs.gateways, &config.ipfs.kubo];
    let holders: Vec<_> = all
        .into_iter()
        .flatten()
        .map(|node| Holder::at(node.operator.clone(), literal_address(&node.url)))
        .collect();
    let (nodes, min) = (independent(holders.iter(), 0), config.replicas.min);
    if config.aleph.nodes.is_some() {
        return (nodes < min).then(|| {
            format!(
                "{} configured ([aleph] nodes, [ipfs] gateways and kubo), but [replicas] min = \
                 {min}: {}configure more nodes or lower min",
                are(nodes),
                hope(config.ipfs.has_routers())
            )
        });
    }
    let sample = config.aleph.sample;
    (sample > 0 && nodes.saturating_add(sample) < min).then(|| {
        format!(
            "{} configured ([ipfs] gateways and kubo), and [aleph] sample = {sample} are taken from \
             the network's list, but [replicas] min = {min}: {}raise sample or lower min",
            are(nodes),
            hope(config.ipfs.has_routers())
        )
    })
}

/// Why these nodes, configured and found, can't satisfy the policy, if they can't. Providers come and
/// go by others' words, each for some contents, and are none of them.
pub fn short_of(nodes: &[Node], min: u32) -> Option<String> {
    let counts = |node: &&Node| node.kind.is_waited_for();
    let holder = |node: &Node| Holder::at(node.operator.clone(), node.address.clone());
    let holders: Vec<_> = nodes.iter().filter(counts).map(holder).collect();
    let count = independent(holders.iter(), 0);
    let has_routers = nodes.iter().any(|node| node.kind == NodeKind::Routing);
    (count < min).then(|| {
        format!(
            "{} configured or found through the network's list, but [replicas] min = {min}: \
             {}configure more nodes, raise [aleph] sample or lower min",
            are(count),
            hope(has_routers)
        )
    })
}

/// Who else there may be.
fn hope(has_routers: bool) -> &'static str {
    match has_routers {
        true => "a content gets there only by providers that routers name for it; ",
        false => "",
    }
}

fn are(nodes: u32) -> String {
    format!("{nodes} independent node{}", if nodes == 1 { " is" } else { "s are" })
}
