//! The STOREs in force that a node lists, as they can be sent again.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Client, Message, stores::spellings};
use crate::{content::ContentId, nodes::FetchError, provenance::StoreStatus};

/// Contents that are asked for in one list.
const ASKED_AT_ONCE: usize = 50;
/// Messages on a page of such a list, and pages that are read.
const PAGE: usize = 200;
const MOST_PAGES: usize = 5;
/// Messages on the page of one content; and where strangers have made the lists too large: a message takes
/// up to 200,000 bytes.
const PAGE_OF_ONE: usize = 100;
const SMALL_PAGE: usize = 10;

/// The live STOREs of contents on a node.
#[derive(Debug, Default)]
pub struct LiveStores {
    /// Those that it lists.
    pub stores: HashMap<ContentId, Vec<Message>>,
    /// The contents of which it could not list them.
    pub unlisted: HashSet<ContentId>,
    /// Why, where it could not for a reason of its own.
    pub failure: Option<FetchError>,
}

/// Whether enough of the nodes that are up said which STOREs live: all but fewer than a third. One that fails
/// for ever must not keep everybody's content from being stored.
pub fn lists_suffice(failing: usize, up: usize) -> bool {
    failing * 3 < up
}

#[derive(Deserialize)]
struct Listed {
    messages: Vec<Value>,
}

impl Client {
    /// The live STOREs of a content that the node lists, of one sender or of any. Only those
    /// count whose hash and signature hold. A node without such lists lists none.
    pub async fn stores_of(
        &self,
        id: &ContentId,
        sender: Option<&str>,
    ) -> Result<Vec<Message>, FetchError> {
        let mut url = self.live_url(std::slice::from_ref(id), (PAGE_OF_ONE, 1));
        if let Some(sender) = sender {
            url.query_pairs_mut().append_pair("addresses", sender);
        }
        let listed = self.page(url, PAGE_OF_ONE).await?;
        Ok(read(listed).filter(|message| message.stores(id, sender)).collect())
    }

    /// The live STOREs of many contents that the node lists, as [`Client::stores_of`] gives those of
    /// one. What it can't list of some does not hide the others.
    pub async fn live_stores(&self, ids: &[ContentId]) -> LiveStores {
        let mut live = LiveStores::default();
        for some in ids.chunks(ASKED_AT_ONCE) {
            if live.failure.is_some() {
                // It is not asked any further.
                live.unlisted.extend(some);
                continue;
            }
            match self.list_live(some, &mut live.stores).await {
                Ok(true) => {}
                // More than a list of many is read for, which somebody may have made it: each gets its own.
                Ok(false) | Err(FetchError::TooLarge { .. }) => {
                    self.list_each(some, &mut live).await;
                }
                Err(error) => live.fail(some, error),
            }
        }
        live
    }

    async fn list_each(&self, ids: &[ContentId], live: &mut LiveStores) {
        for (at, id) in ids.iter().enumerate() {
            match self.list_one(id, &mut live.stores).await {
                Ok(true) => {}
                Ok(false) | Err(FetchError::TooLarge { .. }) => {
                    live.unlisted.insert(*id);
                }
                Err(error) => return live.fail(&ids[at..], error),
            }
        }
    }

    /// Some of those of one content; gives `false` where there are more, and none of those that were read is
    /// one.
    async fn list_one(
        &self,
        id: &ContentId,
        all: &mut HashMap<ContentId, Vec<Message>>,
    ) -> Result<bool, FetchError> {
        for page in 1..=MOST_PAGES {
            let url = self.live_url(std::slice::from_ref(id), (SMALL_PAGE, page));
            let listed = self.page(url, SMALL_PAGE).await?;
            let is_full = listed.len() >= SMALL_PAGE;
            add(listed, &[*id], all);
            if !is_full || all.contains_key(id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives whether everything was read.
    async fn list_live(
        &self,
        ids: &[ContentId],
        all: &mut HashMap<ContentId, Vec<Message>>,
    ) -> Result<bool, FetchError> {
        for page in 1..=MOST_PAGES {
            let listed = self.page(self.live_url(ids, (PAGE, page)), PAGE).await?;
            let is_full = listed.len() >= PAGE;
            add(listed, ids, all);
            if !is_full {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn live_url(&self, ids: &[ContentId], page: (usize, usize)) -> Url {
        self.list_url(ids.iter().flat_map(spellings), StoreStatus::Processed, page)
    }

    /// A page, as it is listed.
    async fn page(&self, url: Url, size: usize) -> Result<Vec<Value>, FetchError> {
        let listed: Listed = match self.fetcher.get_json(url).await {
            Err(FetchError::Status { status: 400 | 404 | 501, .. }) => return Ok(Vec::new()),
            listed => listed?,
        };
        Ok(listed.messages.into_iter().take(size).collect())
    }
}

impl LiveStores {
    fn fail(&mut self, ids: &[ContentId], error: FetchError) {
        self.unlisted.extend(ids);
        self.failure.get_or_insert(error);
    }
}

/// Those of a list that can be read: one that can't must not hide the others.
fn read(listed: Vec<Value>) -> impl Iterator<Item = Message> {
    listed.into_iter().filter_map(|value| serde_json::from_value(value).ok())
}

/// Adds those that are STOREs of these contents.
fn add(listed: Vec<Value>, ids: &[ContentId], all: &mut HashMap<ContentId, Vec<Message>>) {
    for message in read(listed) {
        let Some(id) = ids.iter().find(|id| message.stores(id, None)) else { continue };
        let known = all.entry(*id).or_default();
        if known.iter().all(|one: &Message| one.item_hash != message.item_hash) {
            known.push(message);
        }
    }
}
