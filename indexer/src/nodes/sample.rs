//! Which of the network's nodes are used: a pure function of the list and a seed.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::content::ListedNode;

/// Owners whose nodes are used, though all are wanted: each is a replica of each content.
const MOST: usize = 500;

/// Chooses nodes of `size` owners (0: of every owner), one of each, by rendezvous hashing
/// (Thaler and Ravishankar, 1998): the owners with the lowest hashes of seed and owner, and of each
/// the node with the lowest hash of seed and URL.
///
/// So a change of the list changes the choice only where it must: an owner who comes or goes moves
/// one place at most, and one who is not chosen none. How many nodes an owner has makes no
/// difference: a thousand crowd out nobody. The seed is a ledger's own and is drawn at random, so
/// that different ledgers spread over the network, and nobody can choose an account or address
/// that everybody's sample has. It is the ledger's and not the content's: all contents at the same
/// nodes are `size` connections kept open, not the whole network, and one line in `status` each;
/// what is lost is that contents spread over more nodes than a ledger asks.
pub fn sample(nodes: &[ListedNode], seed: &[u8; 32], size: usize) -> Vec<ListedNode> {
    let mut owners: BTreeMap<&str, (Rank, &ListedNode)> = BTreeMap::new();
    for node in nodes {
        let rank = rank(seed, b"node", node.url.as_str());
        let chosen = owners.entry(&node.owner).or_insert((rank, node));
        if rank < chosen.0 {
            *chosen = (rank, node);
        }
    }
    let mut ranked: Vec<_> =
        owners.into_iter().map(|(owner, (_, node))| (rank(seed, b"owner", owner), node)).collect();
    ranked.sort();
    let size = if size == 0 { MOST } else { size.min(MOST) };
    ranked.into_iter().take(size).map(|(_, node)| node.clone()).collect()
}

type Rank = [u8; 32];

fn rank(seed: &[u8; 32], what: &[u8], text: &str) -> Rank {
    Sha256::new().chain_update(seed).chain_update(what).chain_update(text).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn node(owner: usize, at: usize) -> ListedNode {
        ListedNode {
            url: format!("http://1.{owner}.{}.{}:4024/", at >> 8, at & 255).parse().unwrap(),
            owner: format!("0x{owner:040x}"),
        }
    }

    fn owners(nodes: &[ListedNode]) -> BTreeSet<String> {
        nodes.iter().map(|node| node.owner.clone()).collect()
    }

    #[test]
    fn a_thousand_nodes_of_one_owner_crowd_out_nobody() {
        let honest: Vec<_> = (1..=20).map(|owner| node(owner, 1)).collect();
        let mut crowd = honest.clone();
        crowd.extend((0..1000).map(|at| node(99, at)));
        for seed in 0..50 {
            let seed = [seed; 32];
            let (without, with) = (sample(&honest, &seed, 10), sample(&crowd, &seed, 10));
            assert_eq!(with.len(), 10);
            let kept = owners(&without).intersection(&owners(&with)).count();
            assert!(kept >= 9, "one owner takes one place at most");
        }
        let chosen = (0..200)
            .filter(|seed| owners(&sample(&crowd, &[*seed; 32], 10)).contains(&node(99, 0).owner));
        // Ten of 21 places: 95 of 200 on average, with a standard deviation of 7.
        assert!((60..130).contains(&chosen.count()), "as likely as anybody else");
    }

    #[test]
    fn zero_takes_every_owner_once() {
        let nodes: Vec<_> = (0..90).flat_map(|owner| [node(owner, 1), node(owner, 2)]).collect();
        let all = sample(&nodes, &[1; 32], 0);
        assert_eq!((all.len(), owners(&all).len()), (90, 90));
    }

    proptest! {
        #[test]
        fn changes_as_little_as_it_must(
            seed: [u8; 32],
            count in 1_usize..40,
            size in 1_usize..12,
            gone in any::<prop::sample::Index>(),
        ) {
            let mut nodes: Vec<_> = (0..count).map(|owner| node(owner, 1)).collect();
            let before = owners(&sample(&nodes, &seed, size));
            prop_assert_eq!(before.len(), size.min(count));
            nodes.reverse();
            prop_assert_eq!(&owners(&sample(&nodes, &seed, size)), &before, "in any order");
            let gone = nodes.remove(gone.index(count));
            let after = owners(&sample(&nodes, &seed, size));
            let lost: Vec<_> = before.difference(&after).collect();
            match before.contains(&gone.owner) {
                true => prop_assert_eq!(lost, [&gone.owner]),
                false => prop_assert_eq!(after, before),
            }
        }
    }
}
