//! Nodes: found, kept once, counted.

use super::{Graph, Key, Limit, Node, NodeId, NodeState, Outcome, RootId, expand::Work};
use crate::{Digest, Reference, ReferenceClass, metadata::beginning};

impl Graph {
    /// The node of a reference; `None` where a limit leaves no room for another.
    pub(super) fn node(&mut self, reference: Reference, depth: usize) -> Option<NodeId> {
        let key = Key::of(&reference);
        if let Some(node) = self.known.get(&key).copied() {
            self.come_closer(node, depth);
            return Some(node);
        }
        if self.picture.nodes.len() == self.limits.nodes {
            self.left_out(Limit::Nodes, 1);
            return None;
        }
        let inline = reference.class == ReferenceClass::OnChain;
        let kept = if inline { beginning(&reference.text) } else { reference.text.clone() };
        if !self.remember(kept.len() + key.size()) {
            return None;
        }
        let node = NodeId(self.picture.nodes.len());
        let proof = reference.proof();
        let state = match proof.fetchable() {
            true => NodeState::Waiting,
            false => NodeState::Unfetchable,
        };
        self.known.insert(key, node);
        self.work.push(Work::default());
        self.picture.nodes.push(Node {
            reference: Reference { text: kept, ..reference.clone() },
            proof,
            depth,
            state,
            sha256: None,
            document: None,
        });
        if proof.fetchable() {
            self.waiting.push_back(node);
        } else if inline {
            self.decode(node, &reference);
        }
        Some(node)
    }

    /// Decodes inline data: nothing has to be fetched for it.
    fn decode(&mut self, node: NodeId, reference: &Reference) {
        let left = self.limits.bytes.saturating_sub(self.used).saturating_sub(self.reserved);
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(self.limits.inline);
        let data = match reference.data(limit) {
            Some(data) => data,
            None => return,
        };
        let found = &mut self.picture.nodes[node.0];
        match data {
            Ok(data) => {
                let bytes = data.bytes.len() as u64;
                found.sha256 = Some(Digest::of(&data.bytes));
                found.state = NodeState::Done { outcome: Outcome::Decoded, bytes };
                self.used = self.used.saturating_add(bytes);
                self.read(node, bytes, Some(&data.bytes));
            }
            Err(error) if error.is_limit() => {
                let whole = limit == self.limits.inline;
                let limit = if whole { Limit::Inline } else { Limit::Bytes };
                found.state = NodeState::LeftOut { limit };
                self.left_out(limit, 1);
            }
            Err(error) => {
                found.state = NodeState::Done { outcome: Outcome::Undecodable, bytes: 0 };
                self.unreadable(node, error.to_string());
            }
        }
    }

    /// Takes a shorter way to a node, and from there to all behind it.
    fn come_closer(&mut self, node: NodeId, depth: usize) {
        let mut closer = vec![(node, depth)];
        while let Some((node, depth)) = closer.pop() {
            let Some(found) = self.picture.nodes.get_mut(node.0) else { continue };
            if depth >= found.depth {
                continue;
            }
            found.depth = depth;
            // It may have been too far off to be followed.
            self.unread.push(node);
            let edges = self.work[node.0].edges.iter().map(|at| &self.picture.edges[*at]);
            closer.extend(edges.map(|edge| (edge.to, depth + 1)));
        }
    }

    /// No budget is left: what waits is not fetched.
    pub(super) fn give_up_waiting(&mut self) {
        self.left_out(Limit::Bytes, self.waiting.len() as u64);
        for node in self.waiting.drain(..) {
            self.picture.nodes[node.0].state = NodeState::LeftOut { limit: Limit::Bytes };
        }
    }

    /// Counts bytes that stay in memory; `false`, and written down, where there is no room.
    pub(super) fn remember(&mut self, bytes: usize) -> bool {
        let room = bytes <= self.limits.memory - self.memory;
        match room {
            true => self.memory += bytes,
            false => self.left_out(Limit::Memory, 1),
        }
        room
    }

    /// Writes down that a limit left something out.
    pub(super) fn left_out(&mut self, limit: Limit, count: u64) {
        *self.picture.limits.entry(limit).or_default() += count;
    }

    /// Links and roots so far.
    pub(super) fn references(&self) -> usize {
        self.picture.edges.len() + self.picture.roots.len()
    }

    /// Every node that a root leads to, its own document first, each once.
    pub fn reached_by(&self, root: RootId) -> Vec<NodeId> {
        let Some(root) = self.picture.roots.get(root.0) else { return Vec::new() };
        let mut seen = vec![false; self.picture.nodes.len()];
        // The token's id is put into its own metadata, and nowhere else: not even there, where
        // a link leads back to it, so that it may come twice.
        let mut reached: Vec<(NodeId, Option<&String>)> =
            root.node.into_iter().map(|node| (node, root.token.as_ref())).collect();
        let mut next = 0;
        while let Some((node, token)) = reached.get(next).copied() {
            next += 1;
            if token.is_none() {
                seen[node.0] = true;
            }
            for at in &self.work[node.0].edges {
                let edge = &self.picture.edges[*at];
                let its = !edge.templated || edge.token.as_ref() == token;
                if its && !std::mem::replace(&mut seen[edge.to.0], true) {
                    reached.push((edge.to, None));
                }
            }
        }
        let mut nodes = reached.into_iter().map(|(node, _)| node);
        let own: Vec<NodeId> = nodes.by_ref().take(1).collect();
        let others = nodes.filter(|node| Some(*node) != root.node);
        own.iter().copied().chain(others).collect()
    }
}
