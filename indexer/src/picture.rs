//! The state of everything at one moment: tokens, contents, replicas, and the health that follows.
//!
//! Read from the ledger in one transaction and judged with the policy of now, so that what
//! `status` shows, what an exit status says and what an alert is sent for never disagree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::primitives::U256;

use crate::{
    health::{Assessment, Health, Policy, assess},
    ledger::{Collection, Content, LedgerError, LinkRow, Millis, Node, Replica, RowId, Tx},
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

/// A token's health and what it hangs on.
#[derive(Clone, Debug)]
pub struct TokenPicture {
    /// Its id.
    pub token_id: U256,
    /// Its metadata and everything that refers to, in order, with the role of each.
    pub contents: Vec<(String, RowId)>,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// The worst of it.
    pub health: Health,
}

/// A collection and its tokens.
#[derive(Clone, Debug)]
pub struct CollectionPicture {
    /// The collection.
    pub collection: Collection,
    /// Its tokens, by id.
    pub tokens: Vec<TokenPicture>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The collections of the configuration.
    pub collections: Vec<CollectionPicture>,
    /// Contents that are wanted.
    pub contents: HashMap<RowId, ContentPicture>,
    /// The nodes in use.
    pub nodes: Vec<Node>,
}

impl Picture {
    /// Reads the ledger and judges it at the time `now`.
    pub async fn take(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let mut replicas: HashMap<RowId, Vec<Replica>> = HashMap::new();
        for replica in tx.replicas().await? {
            replicas.entry(replica.content).or_default().push(replica);
        }
        let mut contents = HashMap::new();
        for content in tx.wanted_contents().await? {
            let replicas = replicas.remove(&content.row).unwrap_or_default();
            let views: Vec<_> = replicas.iter().map(|replica| replica.view.clone()).collect();
            let assessment = assess(&views, policy, content.past, now);
            contents.insert(content.row, ContentPicture { content, replicas, assessment });
        }
        let mut links: HashMap<RowId, Vec<LinkRow>> = HashMap::new();
        for link in tx.links().await? {
            links.entry(link.parent).or_default().push(link);
        }
        let mut tokens: BTreeMap<RowId, Vec<TokenPicture>> = BTreeMap::new();
        for token in tx.token_contents().await? {
            let picture = token_picture(token.token_id, token.content, &contents, &links);
            tokens.entry(token.collection).or_default().push(picture);
        }
        let collections = tx.collections().await?.into_iter().map(|collection| CollectionPicture {
            tokens: tokens.remove(&collection.id).unwrap_or_default(),
            collection,
        });
        let collections = collections.collect();
        Ok(Self { collections, contents, nodes: tx.nodes().await? })
    }

    /// Whether every token of every collection is healthy.
    pub fn all_healthy(&self) -> bool {
        let tokens = self.collections.iter().flat_map(|collection| &collection.tokens);
        tokens.into_iter().all(|token| token.health == Health::Healthy)
    }

    /// Each content that tokens of a collection hang on, with those tokens.
    pub fn used(&self) -> BTreeMap<(RowId, RowId), Vec<U256>> {
        let mut used: BTreeMap<(RowId, RowId), Vec<U256>> = BTreeMap::new();
        for collection in &self.collections {
            for token in &collection.tokens {
                let contents: BTreeSet<_> = token.contents.iter().map(|(_, row)| *row).collect();
                for row in contents {
                    used.entry((collection.collection.id, row)).or_default().push(token.token_id);
                }
            }
        }
        used
    }

    /// A node by its key.
    pub fn node(&self, id: RowId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl CollectionPicture {
    /// How many tokens have this health.
    pub fn count(&self, health: Health) -> usize {
        self.tokens.iter().filter(|token| token.health == health).count()
    }
}

fn token_picture(
    token_id: U256,
    metadata: Option<RowId>,
    contents: &HashMap<RowId, ContentPicture>,
    links: &HashMap<RowId, Vec<LinkRow>>,
) -> TokenPicture {
    let mut hangs_on = Vec::new();
    let mut unverifiable = Vec::new();
    if let Some(row) = metadata {
        hangs_on.push(("metadata".to_owned(), row));
        let error = contents.get(&row).and_then(|known| known.content.parse_error.as_ref());
        unverifiable.extend(error.map(|error| format!("its metadata can't be read: {error}")));
        for link in links.get(&row).into_iter().flatten() {
            match link.child {
                Some(child) => hangs_on.push((link.role.clone(), child)),
                None if link.verifiable => {}
                None => unverifiable.push(format!(
                    "{} is a reference of class {} and has no hash: {}",
                    link.role, link.class, link.uri
                )),
            }
        }
    } else {
        unverifiable.push("it has no digest".to_owned());
    }
    let healths = hangs_on
        .iter()
        .map(|(_, row)| contents.get(row).map_or(Health::Pending, |known| known.assessment.health));
    let none = if unverifiable.is_empty() { Health::Healthy } else { Health::Unverifiable };
    let health = healths.chain([none]).max().unwrap_or(none);
    TokenPicture { token_id, contents: hangs_on, unverifiable, health }
}
