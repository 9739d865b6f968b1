//! How many replicas are independent: no two of one operator, no two at one public address.

/// Whose node a replica is on, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Who runs the node, where known; nodes without an operator are told apart by address.
    pub operator: Option<String>,
    /// The public IP address, or host and port on private and loopback addresses.
    pub address: String,
}

/// How many replicas are independent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Independent {
    /// The largest number of holders of whom no two share an operator or an address.
    pub all: u32,
    /// The most of them that are held, among such sets of at least the wanted number; among all such
    /// sets, where none is so large.
    pub held: u32,
}

/// The largest number of holders of whom no two share an operator or an address.
pub fn independent<'a>(holders: impl Iterator<Item = &'a Holder>) -> u32 {
    independent_and_held(holders.map(|holder| (holder, false)), 0).all
}

/// The same, and how many of at least `wanted` may be held.
///
/// Each operator can stand for one address and each address for one operator, so these are
/// matchings between the two. They grow by one at a time, each the one of its size with the most held
/// (successive best augmenting paths; a content has tens of replicas).
pub fn independent_and_held<'a>(
    holders: impl Iterator<Item = (&'a Holder, bool)>,
    wanted: u32,
) -> Independent {
    let mut matching = Matching::between(holders);
    // The most that are held in a matching of each size, from none on.
    let mut held = vec![0];
    while let Some(more) = matching.grow() {
        held.push(held.last().unwrap_or(&0) + more);
    }
    let all = held.len() - 1;
    let least = usize::try_from(wanted).ok().filter(|wanted| *wanted <= all).unwrap_or(0);
    let most = held[least..].iter().copied().max().unwrap_or(0);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Independent { all: count(all), held: u32::try_from(most).unwrap_or(0) }
}

/// Operators, addresses, and which of them stand for each other.
struct Matching {
    /// Of each operator, its addresses, and 1 for each at which a copy is held.
    edges: Vec<Vec<(usize, i32)>>,
    /// The operator that stands for each address.
    taken: Vec<Option<usize>>,
    is_matched: Vec<bool>,
}

impl Matching {
    fn between<'a>(holders: impl Iterator<Item = (&'a Holder, bool)>) -> Self {
        let mut operators: Vec<String> = Vec::new();
        let mut addresses: Vec<&str> = Vec::new();
        let mut edges: Vec<Vec<(usize, i32)>> = Vec::new();
        for (holder, is_held) in holders {
            // A node without a known operator is its own; the prefix keeps it from naming another.
            let operator = match &holder.operator {
                // However it is spelled: accounts have two spellings, and people more.
                Some(name) => format!("operator {}", name.trim().to_lowercase()),
                None => format!("address {}", holder.address),
            };
            let from = position(&mut operators, operator);
            let to = position(&mut addresses, holder.address.as_str());
            edges.resize(operators.len(), Vec::new());
            match edges[from].iter_mut().find(|(known, _)| *known == to) {
                Some((_, held)) => *held = (*held).max(i32::from(is_held)),
                None => edges[from].push((to, i32::from(is_held))),
            }
        }
        let (taken, is_matched) = (vec![None; addresses.len()], vec![false; operators.len()]);
        Self { edges, taken, is_matched }
    }

    /// Makes it larger by one, so that as many as can be are held; gives how many more are.
    fn grow(&mut self) -> Option<i32> {
        let (gains, from) = self.best_ways();
        let free = (0..self.taken.len()).filter(|to| self.taken[*to].is_none());
        let (end, gain) =
            free.filter_map(|to| Some((to, gains[to]?))).max_by_key(|(_, gain)| *gain)?;
        let mut to = end;
        loop {
            let operator = from[to];
            let before = self.taken.iter().position(|taken| *taken == Some(operator));
            self.taken[to] = Some(operator);
            match before {
                Some(left) => to = left,
                None => {
                    self.is_matched[operator] = true;
                    return Some(gain);
                }
            }
        }
    }

    /// Of each address, what is gained by the best way to it, and the operator that it comes from: from
    /// one that stands for none, by taking addresses from others.
    fn best_ways(&self) -> (Vec<Option<i32>>, Vec<usize>) {
        let mut at: Vec<Option<i32>> =
            self.is_matched.iter().map(|matched| (!matched).then_some(0)).collect();
        let (mut gains, mut from) = (vec![None; self.taken.len()], vec![0; self.taken.len()]);
        let mut is_better = true;
        while is_better {
            is_better = false;
            for (operator, edges) in self.edges.iter().enumerate() {
                let Some(before) = at[operator] else { continue };
                for &(to, held) in edges {
                    let gain = before + held;
                    if self.taken[to] == Some(operator) || gains[to] >= Some(gain) {
                        continue;
                    }
                    (gains[to], from[to], is_better) = (Some(gain), operator, true);
                    if let Some(other) = self.taken[to] {
                        at[other] = Some(gain - self.held(other, to));
                    }
                }
            }
        }
        (gains, from)
    }

    fn held(&self, operator: usize, address: usize) -> i32 {
        let found = self.edges[operator].iter().find(|(to, _)| *to == address);
        found.map_or(0, |(_, held)| *held)
    }
}

fn position<T: PartialEq>(known: &mut Vec<T>, item: T) -> usize {
    known.iter().position(|other| *other == item).unwrap_or_else(|| {
        known.push(item);
        known.len() - 1
    })
}
