//! The largest sets of pairs in which neither side comes twice, and the heaviest of each size.

/// A pair that may be taken: whose it is, where, and whether a copy is held there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) operator: usize,
    pub(super) address: usize,
    pub(super) is_held: bool,
}

/// The most held ones among so many pairs of which no two have an operator or an address in common: of
/// none, of one, and so on, as far as there are.
///
/// Each operator can stand for one address and each address for one operator, so these are
/// matchings between the two. They grow by one at a time, each the one of its size with the most held
/// (successive best augmenting paths; a content has tens of replicas).
pub(super) fn most_held(pairs: impl Iterator<Item = Pair>) -> Vec<i32> {
    let mut matching = Matching::between(pairs);
    let mut held = vec![0];
    while let Some(more) = matching.grow() {
        held.push(held.last().unwrap_or(&0) + more);
    }
    held
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
    fn between(pairs: impl Iterator<Item = Pair>) -> Self {
        let (mut operators, mut addresses) = (Vec::new(), Vec::new());
        let mut edges: Vec<Vec<(usize, i32)>> = Vec::new();
        for Pair { operator, address, is_held } in pairs {
            let from = position(&mut operators, operator);
            let to = position(&mut addresses, address);
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

fn position(known: &mut Vec<usize>, item: usize) -> usize {
    known.iter().position(|other| *other == item).unwrap_or_else(|| {
        known.push(item);
        known.len() - 1
    })
}
