//! The state of everything at one moment: tokens, contents, replicas, and the health that follows.
//!
//! Read from the ledger in one transaction and judged with the policy of now, so that what
//! `status` shows, what an exit status says and what an alert is sent for never disagree.

mod pages;
mod view;

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::U256;

pub use pages::Pages;

use crate::{
    health::{Assessment, Health, Policy, ReplicaView, assess},
    ledger::{Collection, Content, LedgerError, Millis, Node, Replica, RowId, Standing, Tx},
};

/// A content with its replicas and its health.
#[derive(Clone, Debug)]
pub struct ContentPicture {
    /// The content.
    pub content: Content,
    /// Its replicas on nodes in use.
    pub replicas: Vec<Replica>,
    /// What follows from them.
    pub assessment: Assessment,
}

impl ContentPicture {
    /// Judges a content with its replicas at the time `now`.
    pub fn of(content: Content, replicas: Vec<Replica>, policy: &Policy, now: Millis) -> Self {
        let views: Vec<_> = replicas.iter().map(|replica| replica.view.clone()).collect();
        let assessment = assess(&views, policy, content.past, now);
        Self { content, replicas, assessment }
    }

    /// Contents by their rows, judged at the time `now`; those that the ledger does not have are left out.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn of_rows(
        tx: &mut Tx,
        rows: &[RowId],
        policy: &Policy,
        now: Millis,
    ) -> Result<Vec<Self>, LedgerError> {
        let mut replicas = tx.replicas_of_rows(rows).await?;
        let contents = tx.contents_of_rows(rows).await?.into_values();
        let picture = |known: Standing| {
            let replicas = replicas.remove(&known.content.row).unwrap_or_default();
            Self::of(known.content, replicas, policy, now)
        };
        Ok(contents.map(picture).collect())
    }

    /// Its replicas as far as health goes.
    pub fn views(&self) -> Vec<ReplicaView> {
        self.replicas.iter().map(|replica| replica.view.clone()).collect()
    }
}

/// A token's health and what it hangs on.
#[derive(Clone, Debug)]
pub struct TokenPicture {
    /// Its id.
    pub token_id: U256,
    /// Its metadata and everything that refers to, in order, with the role of each.
    pub contents: Vec<(String, RowId)>,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Paths that lead nowhere.
    pub lost: Vec<LostPath>,
    /// The worst of it.
    pub health: Health,
}

/// What a collection says of itself (ERC-7572), and the health of that.
#[derive(Clone, Debug)]
pub struct OwnPicture {
    /// Its metadata and everything that refers to, in order, with the role of each.
    pub contents: Vec<(String, RowId)>,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Paths that lead nowhere.
    pub lost: Vec<LostPath>,
    /// The worst of it.
    pub health: Health,
}

/// A path below a content address that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPath {
    /// `ipfs://`, the address and the path, however that is spelled in the URI or the document.
    pub reference: String,
    /// Its health.
    pub health: Health,
    /// Why it leads nowhere.
    pub problem: String,
}

/// A path that leads nowhere, in a collection.
#[derive(Clone, Debug)]
pub struct LostIn {
    /// The worst that is known of it.
    pub path: LostPath,
    /// The tokens that name it; none: the collection itself.
    pub tokens: Vec<U256>,
}

/// A collection and its tokens.
#[derive(Clone, Debug)]
pub struct CollectionPicture {
    /// The collection.
    pub collection: Collection,
    /// What it says of itself, if it does, once that was read.
    pub own: Option<OwnPicture>,
    /// Its tokens, by id.
    pub tokens: Vec<TokenPicture>,
}

/// Everything, or a part of it: whole tokens, with all that they hang on.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The collections of the configuration.
    pub collections: Vec<CollectionPicture>,
    /// What the tokens hang on: contents that are wanted, and those that are denied.
    pub contents: HashMap<RowId, ContentPicture>,
    /// The nodes in use.
    pub nodes: Vec<Node>,
}

impl Picture {
    /// Reads the whole ledger and judges it at the time `now`. Where there may be millions of tokens,
    /// [`Pages`] give it in parts.
    pub async fn take(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let mut pages = Pages::begin(tx, policy, now).await?;
        let mut whole = Self { nodes: pages.nodes.clone(), ..Self::default() };
        while let Some(page) = pages.next(tx).await? {
            whole.contents.extend(page.contents);
            for mut collection in page.collections {
                match whole.collections.last_mut() {
                    Some(last) if last.collection.id == collection.collection.id => {
                        last.tokens.append(&mut collection.tokens);
                    }
                    _ => whole.collections.push(collection),
                }
            }
        }
        Ok(whole)
    }

    /// Adds each path that leads nowhere to `all`, by collection, with the tokens that name it.
    pub fn add_lost_paths(&self, all: &mut BTreeMap<(RowId, String), LostIn>) {
        for collection in &self.collections {
            let own = collection.own.iter().flat_map(|own| &own.lost).map(|path| (None, path));
            let tokens = collection.tokens.iter();
            let tokens =
                tokens.flat_map(|token| token.lost.iter().map(|path| (Some(token.token_id), path)));
            for (token, path) in own.chain(tokens) {
                let key = (collection.collection.id, path.reference.clone());
                let lost = || LostIn { path: path.clone(), tokens: Vec::new() };
                let known = all.entry(key).or_insert_with(lost);
                if path.health > known.path.health {
                    known.path = path.clone();
                }
                if token.is_some() && known.tokens.last() != token.as_ref() {
                    known.tokens.extend(token);
                }
            }
        }
    }

    /// A node by its key.
    pub fn node(&self, id: RowId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}
