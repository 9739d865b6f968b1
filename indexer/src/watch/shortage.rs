//! Whether there are nodes enough to satisfy the policy at all.

use super::whereabouts::literal_address;
use crate::{
    config::Config,
    health::{Holder, independent},
    ledger::Node,
};

/// Why the configured nodes can't satisfy the policy, if they can't. Nodes that are still to be
/// found through the network's list count as many as are wanted of it.
pub fn shortage(config: &Config) -> Option<String> {
    let all = [config.aleph.named(), &config.ipfs.gateways, &config.ipfs.kubo];
    let holders: Vec<_> = all
        .into_iter()
        .flatten()
        .map(|node| Holder { operator: node.operator.clone(), address: literal_address(&node.url) })
        .collect();
    let (nodes, min) = (independent(holders.iter()), config.replicas.min);
    if config.aleph.nodes.is_some() {
        return (nodes < min).then(|| {
            format!(
                "{} configured ([aleph] nodes, [ipfs] gateways and kubo), but [replicas] min = \
                 {min}: configure more nodes or lower min",
                are(nodes)
            )
        });
    }
    let sample = config.aleph.sample;
    (sample > 0 && nodes.saturating_add(sample) < min).then(|| {
        format!(
            "{} configured ([ipfs] gateways and kubo), and [aleph] sample = {sample} are taken from \
             the network's list, but [replicas] min = {min}: raise sample or lower min",
            are(nodes)
        )
    })
}

/// Why these nodes, configured and found, can't satisfy the policy, if they can't.
pub fn short_of(nodes: &[Node], min: u32) -> Option<String> {
    let holders = nodes.iter().filter(|node| node.kind.gives_bytes()).map(|node| &node.holder);
    let count = independent(holders);
    (count < min).then(|| {
        format!(
            "{} configured or found through the network's list, but [replicas] min = {min}: \
             configure more nodes, raise [aleph] sample or lower min",
            are(count)
        )
    })
}

fn are(nodes: u32) -> String {
    format!("{nodes} independent node{}", if nodes == 1 { " is" } else { "s are" })
}
