//! aleph.im's Core Channel Nodes by the network's own list, which any of them has.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::future::join_all;
use url::Url;

use super::{Fetcher, join, name};
use crate::{
    config::Config,
    content::{ListedNode, NodeList},
};

/// Whose aggregate the list is (`corechannel`): the network's.
const ACCOUNT: &str = "0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10";
/// Bytes of a list that are read: with all who stake on each node, it has about one million.
const LONGEST: u64 = 16 << 20;
/// Until a list has come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the list can't be read.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Too few of those who are asked had one.
    #[error(
        "{answered} of {asked} [aleph] network hosts gave the list of nodes, and more than half must: {}",
        reasons.join("; ")
    )]
    TooFew {
        /// Who did.
        answered: usize,
        /// Who were asked.
        asked: usize,
        /// Why others did not.
        reasons: Vec<String>,
    },
    /// No node is on most lists.
    #[error("the [aleph] network hosts agree on no node that is in use and can be asked: {0}")]
    None(PassedOver),
}

/// What of the lists is not used, by its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Entries that make no sense, on the list that has most of them.
    pub nonsense: usize,
    /// Nodes that are on half of the lists or fewer.
    pub minority: usize,
    /// Nodes on private addresses that are not configured.
    pub private: usize,
    /// Entries of other owners for the same machine.
    pub doubles: usize,
}

impl std::fmt::Display for PassedOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { nonsense, minority, private, doubles } = self;
        write!(
            f,
            "passed over: {nonsense} that make no sense, {minority} that most lists do not have, \
             {private} on private addresses, {doubles} for a machine that another owner lists, too"
        )
    }
}

/// Those who are asked for the list.
#[derive(Clone, Debug)]
pub struct Network {
    entries: Vec<Url>,
    fetcher: Fetcher,
}

impl Network {
    /// The hosts of a configuration that leaves finding the nodes to us; `None` where it names
    /// nodes.
    pub fn configured(config: &Config, fetcher: &Fetcher) -> Option<Self> {
        let entries = config.aleph.network.clone();
        config.aleph.nodes.is_none().then(|| Self { entries, fetcher: fetcher.clone() })
    }

    /// The nodes that are in use, by most of the lists, and what was passed over. `before`: those that
    /// this ledger uses.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub async fn nodes(
        &self,
        before: &[ListedNode],
    ) -> Result<(Vec<ListedNode>, PassedOver), NetworkError> {
        let answers = join_all(self.entries.iter().map(|entry| self.ask(entry))).await;
        let (mut lists, mut reasons) = (Vec::new(), Vec::new());
        for (entry, answer) in self.entries.iter().zip(answers) {
            match answer {
                Ok(list) => lists.push(list),
                Err(reason) => reasons.push(format!("{}: {reason}", name(entry))),
            }
        }
        let (answered, asked) = (lists.len(), self.entries.len());
        if 2 * answered <= asked {
            return Err(NetworkError::TooFew { answered, asked, reasons });
        }
        let lists = Lists { lists: &lists, asked, before };
        let (nodes, passed) = agreed(&lists, |url| self.fetcher.allows(url));
        match nodes.is_empty() {
            true => Err(NetworkError::None(passed)),
            false => Ok((nodes, passed)),
        }
    }

    async fn ask(&self, entry: &Url) -> Result<NodeList, String> {
        let mut url = join(entry, &format!("api/v0/aggregates/{ACCOUNT}.json"));
        url.query_pairs_mut().append_pair("keys", "corechannel");
        let request = self.fetcher.get(url).limit(LONGEST).total(PATIENCE);
        let mut body = request.open().await.map_err(|error| error.to_string())?;
        let bytes = body.collect().await.map_err(|error| error.to_string())?;
        NodeList::parse(&bytes).map_err(|error| error.to_string())
    }
}

/// What is known of the network's nodes.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// The lists that came.
    pub lists: &'a [NodeList],
    /// How many hosts were asked for one.
    pub asked: usize,
    /// The nodes in use.
    pub before: &'a [ListedNode],
}

impl Lists<'_> {
    /// Whether more than half of all hosts say that a node is one; of one in use, whether no more
    /// than half say that it is none. So one that lies while another is silent takes nothing away.
    fn have(&self, node: &ListedNode, votes: usize) -> bool {
        let against = self.lists.len().saturating_sub(votes);
        2 * votes > self.asked || (2 * against <= self.asked && self.before.contains(node))
    }
}

/// The nodes that are used, each with its owner, and that may be asked. Of several owners who list one
/// machine, the one has it who had it before, or else the one with the fewest nodes: who writes others'
/// addresses into many entries of his own must not take their nodes from them.
pub fn agreed(known: &Lists<'_>, allowed: impl Fn(&Url) -> bool) -> (Vec<ListedNode>, PassedOver) {
    let Lists { lists, before, .. } = known;
    let mut passed = PassedOver {
        nonsense: lists.iter().map(|list| list.nonsense).max().unwrap_or(0),
        ..PassedOver::default()
    };
    let mut votes: HashMap<&ListedNode, usize> = before.iter().map(|node| (node, 0)).collect();
    lists.iter().flat_map(|list| &list.nodes).for_each(|node| *votes.entry(node).or_default() += 1);
    let (mut by_owner, mut usable) = (HashMap::<&str, usize>::new(), Vec::new());
    for (node, votes) in votes {
        match (known.have(node, votes), allowed(&node.url)) {
            (false, _) => passed.minority += 1,
            (true, false) => passed.private += 1,
            (true, true) => {
                *by_owner.entry(&node.owner).or_default() += 1;
                usable.push(node);
            }
        }
    }
    // The last of one machine has it.
    usable.sort_by_key(|node| {
        Reverse((!before.contains(node), by_owner[node.owner.as_str()], &node.owner))
    });
    let all = usable.len();
    let machines: BTreeMap<&Url, &ListedNode> =
        usable.into_iter().map(|node| (&node.url, node)).collect();
    passed.doubles = all - machines.len();
    (machines.into_values().cloned().collect(), passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(at: u8, owner: &str) -> ListedNode {
        ListedNode {
            url: format!("http://1.2.3.{at}:4024/").parse().unwrap(),
            owner: owner.to_owned(),
        }
    }

    fn list(nodes: impl IntoIterator<Item = ListedNode>) -> NodeList {
        NodeList { nodes: nodes.into_iter().collect(), nonsense: 1, inactive: 0 }
    }

    fn agreed(lists: &[NodeList], allowed: impl Fn(&Url) -> bool) -> (Vec<ListedNode>, PassedOver) {
        super::agreed(&Lists { lists, asked: lists.len(), before: &[] }, allowed)
    }

    #[test]
    fn one_liar_takes_nothing_while_another_is_silent() {
        let before = [node(1, "a"), node(2, "b")];
        let honest = list([node(1, "a"), node(2, "b"), node(3, "c")]);
        for lie in [list([]), list([node(3, "c")]), list((1..9).map(|at| node(at, "0liar")))] {
            let lists = [lie.clone(), honest.clone()];
            let known = Lists { lists: &lists, asked: 3, before: &before };
            let (nodes, _) = super::agreed(&known, |_| true);
            let kept: Vec<_> = nodes.iter().filter(|node| before.contains(node)).collect();
            assert_eq!(kept.len(), 2, "{lie:?}");
            assert!(nodes.iter().all(|node| node.owner != "0liar"));
        }
        let gone = [list([node(1, "a")]), list([node(1, "a")])];
        let known = Lists { lists: &gone, asked: 3, before: &before };
        assert_eq!(super::agreed(&known, |_| true).0, [node(1, "a")], "two of three say so");
    }

    #[test]
    fn a_machine_stays_whose_it_was() {
        let before = [node(1, "b"), node(2, "b")];
        let lists = [list([node(1, "b"), node(2, "b"), node(1, "0squatter")])];
        let known = Lists { lists: &lists, asked: 1, before: &before };
        assert_eq!(super::agreed(&known, |_| true).0, before);
    }

    #[test]
    fn one_liar_adds_and_takes_nothing() {
        let honest = || list([node(1, "a"), node(2, "b")]);
        let (expected, _) = agreed(&[honest(), honest(), honest()], |_| true);
        assert_eq!(expected, [node(1, "a"), node(2, "b")]);
        for lie in [
            list([]),
            list([node(1, "a"), node(2, "b"), node(3, "liar")]),
            list([node(1, "liar"), node(2, "liar")]),
            list((0..=255).map(|at| node(at, "liar"))),
        ] {
            let (nodes, passed) = agreed(&[lie.clone(), honest(), honest()], |_| true);
            assert_eq!(nodes, expected, "{lie:?}");
            let lies = lie.nodes.iter().filter(|node| !expected.contains(node)).count();
            assert_eq!((passed.minority, passed.nonsense), (lies, 1));
        }
        let (nodes, _) = agreed(&[honest(), list([node(1, "a")])], |_| true);
        assert_eq!(nodes, [node(1, "a")], "half is not most");
    }

    #[test]
    fn who_lists_everybodys_machine_gets_none_of_them() {
        let squatter = (0..100).map(|at| node(at, "0squatter"));
        let all = list((1..=3).map(|at| node(at, &format!("owner {at}"))).chain(squatter));
        let (nodes, passed) = agreed(&[all], |_| true);
        assert_eq!((nodes.len(), passed.doubles), (100, 3));
        for at in 1..=3 {
            assert!(nodes.contains(&node(at, &format!("owner {at}"))));
        }
    }

    #[test]
    fn what_may_not_be_asked_is_left_out() {
        let (nodes, passed) =
            agreed(&[list([node(1, "a"), node(2, "b")])], |url| url.as_str().contains(".2:"));
        assert_eq!((nodes, passed.private), (vec![node(2, "b")], 1));
    }
}
