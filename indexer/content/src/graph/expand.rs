//! From a document to what it links to.

use std::collections::HashSet;

use super::{DocumentSummary, Edge, Graph, Limit, NodeId};
use crate::{ID_PLACE, Link, Metadata, MetadataError, Reference, ReferenceClass, id_hex};

/// A token's id, or none: what its `{id}` becomes.
type Id = Option<[u8; 32]>;

/// About as much as a warning keeps in memory.
const SIZE_OF_WARNING: usize = 128;

/// What is kept of a node beside its picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// Whether a root or a link says that it is a document.
    is_document: bool,
    /// What it says as a document, until it is one.
    summary: Option<DocumentSummary>,
    /// Links that were not followed yet; later, those that differ from token to token.
    links: Vec<Link>,
    /// The tokens whose ids are to be put in, and those that were.
    ids: Vec<Id>,
    known_ids: HashSet<Id>,
    /// Links that the depth leaves out, as long as there is no shorter way.
    too_deep: u64,
    /// Where the edges from here are.
    pub(super) edges: Vec<usize>,
}

impl Graph {
    /// Reads a body, be it to be a document or not: who knows who links here yet.
    pub(super) fn read(&mut self, node: NodeId, bytes: u64, body: Option<&[u8]>) {
        let limits = &self.limits.metadata;
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        let parsed = match body {
            Some(body) => Metadata::parse(body, limits),
            None => Err(MetadataError::TooLarge { size, limit: limits.bytes }),
        };
        match parsed {
            Ok(metadata) => self.keep(node, metadata),
            Err(error) => self.unreadable(node, error.to_string()),
        }
    }

    fn keep(&mut self, node: NodeId, metadata: Metadata) {
        let mut summary = DocumentSummary {
            links: metadata.links.len() as u64,
            warnings: metadata.warnings,
            name: metadata.name.map(|name| crate::metadata::beginning(&name)),
            ..DocumentSummary::default()
        };
        let mut links = metadata.links;
        let known = links.len();
        if !self.remember(summary.warnings.len() * SIZE_OF_WARNING) {
            summary.warnings.clear();
        }
        // Not one by one: either all of a document's links fit, or none of them.
        if !self.remember(links.iter().map(size_of_link).sum()) {
            links.clear();
        }
        summary.left_out = (known - links.len()) as u64;
        let work = &mut self.work[node.0];
        (work.summary, work.links) = (Some(summary), links);
        self.settle(node);
    }

    pub(super) fn unreadable(&mut self, node: NodeId, error: String) {
        let summary = DocumentSummary { error: Some(error), ..DocumentSummary::default() };
        self.work[node.0].summary = Some(summary);
        self.settle(node);
    }

    /// Says that a node is a document, and for which token.
    pub(super) fn read_as_document(&mut self, node: NodeId, id: Id) {
        let work = &mut self.work[node.0];
        work.is_document = true;
        if work.known_ids.insert(id) {
            work.ids.push(id);
        }
        self.settle(node);
    }

    /// Shows what a node says where it is a document, and has its links followed.
    fn settle(&mut self, node: NodeId) {
        let work = &mut self.work[node.0];
        if work.is_document {
            if let Some(summary) = work.summary.take() {
                self.picture.nodes[node.0].document = Some(summary);
            }
            self.unread.push(node);
        }
    }

    /// Follows the links of all documents that have any left.
    pub(super) fn follow(&mut self) {
        while let Some(node) = self.unread.pop() {
            self.expand(node);
        }
    }

    fn expand(&mut self, node: NodeId) {
        let depth = self.picture.nodes[node.0].depth;
        let work = &mut self.work[node.0];
        if !work.is_document || work.links.is_empty() {
            return;
        }
        if depth >= self.limits.depth {
            if work.too_deep == 0 {
                work.too_deep = work.links.len() as u64;
                let count = work.too_deep;
                self.left_out(Limit::Depth, count);
                self.leave_out_of(node, count);
            }
            return;
        }
        self.forget_depth(node);
        let work = &mut self.work[node.0];
        let links = std::mem::take(&mut work.links);
        let ids = std::mem::take(&mut work.ids);
        let base = self.picture.nodes[node.0].reference.clone();
        let (templated, plain): (Vec<_>, Vec<_>) =
            links.into_iter().partition(|link| link.reference.text.contains(ID_PLACE));
        for link in &plain {
            self.link(node, &base, link, false, None);
        }
        for id in ids {
            for link in &templated {
                self.link(node, &base, link, true, id);
            }
        }
        self.memory -= plain.iter().map(size_of_link).sum::<usize>().min(self.memory);
        self.work[node.0].links = templated;
    }

    /// Adds one link of a document, as it is for one token.
    fn link(&mut self, from: NodeId, base: &Reference, link: &Link, templated: bool, id: Id) {
        let reference = match id {
            Some(id) => link.for_token(&id, self.limits.inline).reference,
            None => link.reference.clone(),
        };
        let reference = match reference.class {
            ReferenceClass::Relative => Reference::resolve(base, &reference.text),
            // But where it could not be read as it is written.
            ReferenceClass::Unknown
                if reference.text.starts_with('/') && !reference.text.contains('\u{fffd}') =>
            {
                Reference::resolve(base, &reference.text)
            }
            _ => reference,
        };
        if self.references() == self.limits.references {
            self.left_out(Limit::References, 1);
            return self.leave_out_of(from, 1);
        }
        let (class, written) = (reference.class, link.reference.text.clone());
        let inline = class == ReferenceClass::OnChain;
        let text_size = if inline { 0 } else { written.len() };
        if !self.remember(text_size + link.pointer.len() + link.role.len()) {
            return self.leave_out_of(from, 1);
        }
        let depth = self.picture.nodes[from.0].depth + 1;
        let is_document = says_document(link, &reference);
        let Some(to) = self.node(reference, depth) else {
            return self.leave_out_of(from, 1);
        };
        if is_document {
            self.read_as_document(to, None);
        }
        let same = self.picture.nodes[to.0].reference.text == written;
        let text = (!same && !inline).then_some(written);
        self.work[from.0].edges.push(self.picture.edges.len());
        self.picture.edges.push(Edge {
            from,
            to,
            role: link.role.clone(),
            pointer: link.pointer.clone(),
            media_type: link.media_type.clone(),
            class,
            text,
            templated,
            token: id.filter(|_| templated).map(|id| id_hex(&id)),
        });
    }

    fn leave_out_of(&mut self, node: NodeId, count: u64) {
        if let Some(document) = &mut self.picture.nodes[node.0].document {
            document.left_out += count;
        }
    }

    /// Takes back that a document was too deep: there is a shorter way.
    fn forget_depth(&mut self, node: NodeId) {
        let count = std::mem::take(&mut self.work[node.0].too_deep);
        if count == 0 {
            return;
        }
        if let Some(document) = &mut self.picture.nodes[node.0].document {
            document.left_out = document.left_out.saturating_sub(count);
        }
        if let Some(all) = self.picture.limits.get_mut(&Limit::Depth) {
            *all = all.saturating_sub(count);
            if *all == 0 {
                self.picture.limits.remove(&Limit::Depth);
            }
        }
    }
}

/// Whether a link is to a document of its own, by what is said of it.
fn says_document(link: &Link, reference: &Reference) -> bool {
    let text = reference.text.split(['?', '#']).next().unwrap_or_default();
    let path = reference.path.as_deref().unwrap_or(text);
    let json = |kind: &str| kind == "application/json" || kind.ends_with("+json");
    match &link.media_type {
        Some(kind) => json(kind),
        None => path.ends_with(".json"),
    }
}

/// Bytes that a link keeps in memory.
fn size_of_link(link: &Link) -> usize {
    link.reference.text.len() + link.pointer.len() + link.role.len()
}
