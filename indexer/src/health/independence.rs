//! How many replicas are independent: no two of one operator, no two at one public address.

/// Whose node a replica is on, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Who runs the node, where known; nodes without an operator are told apart by address.
    pub operator: Option<String>,
    /// The public IP address, or host and port on private and loopback addresses.
    pub address: String,
}

/// The largest number of holders of whom no two share an operator or an address.
///
/// Each operator can stand for one address and each address for one operator, so this is a
/// maximum matching between the two (Kuhn's augmenting paths; a content has tens of replicas).
pub fn independent<'a>(holders: impl Iterator<Item = &'a Holder>) -> u32 {
    let mut operators: Vec<String> = Vec::new();
    let mut addresses: Vec<&str> = Vec::new();
    let mut edges: Vec<Vec<usize>> = Vec::new();
    for holder in holders {
        // A node without a known operator is its own; the prefix keeps it from naming another.
        let operator = match &holder.operator {
            // However it is spelled: accounts have two spellings, and people more.
            Some(name) => format!("operator {}", name.trim().to_lowercase()),
            None => format!("address {}", holder.address),
        };
        let from = position(&mut operators, operator);
        let to = position(&mut addresses, holder.address.as_str());
        edges.resize(operators.len(), Vec::new());
        if !edges[from].contains(&to) {
            edges[from].push(to);
        }
    }
    let mut taken = vec![None; addresses.len()];
    let matched =
        (0..operators.len()).filter(|from| augment(*from, &edges, &mut taken, &mut Vec::new()));
    u32::try_from(matched.count()).unwrap_or(u32::MAX)
}

fn position<T: PartialEq>(known: &mut Vec<T>, item: T) -> usize {
    known.iter().position(|other| *other == item).unwrap_or_else(|| {
        known.push(item);
        known.len() - 1
    })
}

/// Finds an address for the operator `from`, moving others along if need be.
fn augment(
    from: usize,
    edges: &[Vec<usize>],
    taken: &mut [Option<usize>],
    seen: &mut Vec<usize>,
) -> bool {
    for &to in &edges[from] {
        if seen.contains(&to) {
            continue;
        }
        seen.push(to);
        let free = match taken[to] {
            None => true,
            Some(other) => augment(other, edges, taken, seen),
        };
        if free {
            taken[to] = Some(from);
            return true;
        }
    }
    false
}
