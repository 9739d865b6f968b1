//! The state of everything, some tokens at a time: so memory does not grow with the ledger.

use std::collections::{BTreeSet, HashMap};

use alloy::primitives::U256;

use super::{
    CollectionPicture, ContentPicture, OwnPicture, Picture, TokenPicture,
    view::{Seen, View},
};
use crate::{
    config::Standard,
    health::{Assessment, Policy},
    ledger::{
        Collection, LedgerError, LinkRow, Millis, Node, OwnContents, RowId, TokenContents, Tx,
    },
};

/// Tokens of one page.
const PAGE: u32 = 1_000;

/// Gives a [`Picture`] of every token in turn, by collection and id. All pages are to be read in one
/// transaction.
#[derive(Debug)]
pub struct Pages {
    policy: Policy,
    now: Millis,
    /// The nodes in use.
    pub nodes: Vec<Node>,
    /// What is still to be looked at, the next last.
    collections: Vec<Collection>,
    own: HashMap<RowId, OwnContents>,
    /// The last token seen of the next collection.
    after: Option<U256>,
}

impl Pages {
    /// Before the first.
    pub async fn begin(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let mut collections = tx.collections().await?;
        collections.reverse();
        let own = tx.own_contents().await?;
        Ok(Self {
            policy: *policy,
            now,
            nodes: tx.nodes().await?,
            collections,
            own: own.into_iter().map(|one| (one.collection, one)).collect(),
            after: None,
        })
    }

    /// Only this collection, instead of all.
    pub fn only(&mut self, collection: RowId) {
        self.collections.retain(|one| one.id == collection);
    }

    /// The next: one collection with some of its tokens. Each collection is on one page at least, and
    /// what it says of itself on the first of its pages.
    pub async fn next(&mut self, tx: &mut Tx) -> Result<Option<Picture>, LedgerError> {
        let Some(collection) = self.collections.last().cloned() else { return Ok(None) };
        let tokens = tx.token_contents(collection.id, self.after, PAGE).await?;
        let own = match self.after {
            None => self.own.remove(&collection.id),
            Some(_) => None,
        };
        let is_full = tokens.len() == PAGE as usize;
        self.after = tokens.last().map(|token| token.token_id).filter(|_| is_full);
        if !is_full {
            self.collections.pop();
        }
        Ok(Some(self.picture(tx, collection, own, tokens).await?))
    }

    /// One token with what its collection says of itself; `None` where it is not in the ledger.
    pub async fn token(
        mut self,
        tx: &mut Tx,
        collection: RowId,
        id: U256,
    ) -> Result<Option<Picture>, LedgerError> {
        let found = self.collections.iter().position(|one| one.id == collection);
        let Some(at) = found else { return Ok(None) };
        let Some(token) = tx.token_content(collection, id).await? else { return Ok(None) };
        let (one, own) = (self.collections.swap_remove(at), self.own.remove(&collection));
        Ok(Some(self.picture(tx, one, own, vec![token]).await?))
    }

    /// Judges tokens, with all that they hang on.
    async fn picture(
        &self,
        tx: &mut Tx,
        collection: Collection,
        own: Option<OwnContents>,
        tokens: Vec<TokenContents>,
    ) -> Result<Picture, LedgerError> {
        let (contents, links) = self.around(tx, own.as_ref(), &tokens).await?;
        let view = |id: Option<U256>| View {
            contents: &contents,
            links: &links,
            policy: &self.policy,
            now: self.now,
            id,
            seen: Seen::default(),
        };
        let standard = collection.standard;
        let of_token = |token: TokenContents| -> TokenPicture {
            let mut view = view((standard == Standard::Erc1155).then_some(token.token_id));
            match standard.is_foreign() {
                true => view.by_uri(token.content, token.uri.as_ref()),
                false => view.by_digest(token.content),
            }
            view.seen.picture(token.token_id, &contents)
        };
        let of_itself = |own: OwnContents| -> OwnPicture {
            let mut view = view(None);
            view.by_uri(own.content, Some(&own.uri));
            view.seen.picture(U256::ZERO, &contents).into()
        };
        let tokens = tokens.into_iter().map(of_token).collect();
        let own = own.map(of_itself);
        let collections = vec![CollectionPicture { collection, own, tokens }];
        Ok(Picture { collections, contents, nodes: self.nodes.clone() })
    }

    /// What tokens, or a collection itself, hang on: contents with their replicas, and the references
    /// of their metadata by document.
    async fn around(
        &self,
        tx: &mut Tx,
        own: Option<&OwnContents>,
        tokens: &[TokenContents],
    ) -> Result<(HashMap<RowId, ContentPicture>, HashMap<RowId, Vec<LinkRow>>), LedgerError> {
        let own_uri = own.map(|own| &own.uri);
        let uris = tokens.iter().filter_map(|token| token.uri.as_ref()).chain(own_uri);
        let mut parents: BTreeSet<RowId> = uris.filter_map(|uri| uri.document).collect();
        let named = tokens.iter().map(|token| token.content).chain([own.and_then(|o| o.content)]);
        let named: BTreeSet<RowId> = named.flatten().collect();
        let mut contents = self.contents(tx, &named).await?;
        // What denied metadata refers to is not shown.
        let is_read = |row: &&RowId| {
            contents.get(*row).is_some_and(|known| known.assessment != Assessment::DENIED)
        };
        parents.extend(named.iter().filter(is_read));
        let parents: Vec<RowId> = parents.into_iter().collect();
        let mut links: HashMap<RowId, Vec<LinkRow>> = HashMap::new();
        let mut children = BTreeSet::new();
        for link in tx.links_of(&parents).await? {
            children.extend(link.child.filter(|child| !contents.contains_key(child)));
            links.entry(link.parent).or_default().push(link);
        }
        contents.extend(self.contents(tx, &children).await?);
        Ok((contents, links))
    }

    /// Those of the contents that are wanted or denied.
    async fn contents(
        &self,
        tx: &mut Tx,
        rows: &BTreeSet<RowId>,
    ) -> Result<HashMap<RowId, ContentPicture>, LedgerError> {
        let rows: Vec<RowId> = rows.iter().copied().collect();
        let mut replicas = tx.replicas_of_rows(&rows).await?;
        let mut all = HashMap::new();
        for (row, known) in tx.contents_of_rows(&rows).await? {
            let content = known.content;
            let picture = if known.denied {
                let (replicas, assessment) = (Vec::new(), Assessment::DENIED);
                ContentPicture { content, replicas, assessment }
            } else if known.wanted {
                let replicas = replicas.remove(&row).unwrap_or_default();
                ContentPicture::of(content, replicas, &self.policy, self.now)
            } else {
                continue;
            };
            all.insert(row, picture);
        }
        Ok(all)
    }
}
