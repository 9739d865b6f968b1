//! Asks one node for the STOREs of contents, many at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alloy::primitives::Address;
use tokio::time::timeout;

use crate::{
    content::ContentId,
    ledger::RowId,
    nodes::{
        FetchError,
        aleph::{Client, Listed, Narrowed, StoreMessage},
    },
    provenance::StoreStatus,
};

/// Contents in one request: their names make up a URL of about 3 kB.
const AT_ONCE: usize = 32;
/// Pages that are read of a content whose STOREs fill more than one, before only those of people who
/// count are asked for.
const MOST_PAGES: usize = 2;
/// Accounts in one request.
const MOST_ACCOUNTS: usize = 40;
/// Messages that a node is asked for one by one, of the contents of one request: it could list any
/// number under two statuses.
const MOST_UNCLEAR: usize = 512;
/// How long a node may take for all that it is asked at once.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// A content, and what is known of its STOREs before a node is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) content: RowId,
    pub(super) id: ContentId,
    /// The messages that are known, and where each stands on which node.
    pub(super) known: BTreeMap<String, BTreeMap<RowId, StoreStatus>>,
    /// Whose messages matter most.
    pub(super) accounts: Vec<Address>,
}

/// What a node said of one content.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// The messages it lists.
    pub(super) listed: Vec<StoreMessage>,
    /// Where messages stand, those that it lists and those that were known.
    pub(super) statuses: BTreeMap<String, StoreStatus>,
}

/// What a node said of each content; or why it could not say.
pub(super) type Answer = Result<BTreeMap<RowId, Said>, String>;

/// Asks a node. Nothing that it lacks, or answers, is an error of ours.
pub(super) async fn ask(client: &Client, node: RowId, asked: &[Asked]) -> Answer {
    let slow = || format!("it did not say within {PATIENCE:?}");
    timeout(PATIENCE, ask_patiently(client, node, asked)).await.unwrap_or_else(|_| Err(slow()))
}

async fn ask_patiently(client: &Client, node: RowId, asked: &[Asked]) -> Answer {
    let mut all = BTreeMap::new();
    for chunk in asked.chunks(AT_ONCE) {
        let answer = ask_for(client, node, chunk).await.map_err(|error| error.to_string())?;
        all.extend(answer.ok_or_else(|| "it has no lists of messages".to_owned())?);
    }
    Ok(all)
}

async fn ask_for(
    client: &Client,
    node: RowId,
    asked: &[Asked],
) -> Result<Option<BTreeMap<RowId, Said>>, FetchError> {
    let mut all: BTreeMap<RowId, Said> =
        asked.iter().map(|one| (one.content, Said::default())).collect();
    // A node that does not know the filter lists the same under each.
    let mut unclear = BTreeSet::new();
    for status in [StoreStatus::Processed, StoreStatus::Removing] {
        let Some(listed) = list(client, asked, status).await? else { return Ok(None) };
        for message in listed {
            let Some(one) = asked.iter().find(|one| one.id == message.id) else { continue };
            let said = all.entry(one.content).or_default();
            match said.statuses.insert(message.item_hash.clone(), status) {
                None => said.listed.push(message),
                Some(before) if before != status => {
                    unclear.insert((one.content, message.item_hash));
                }
                Some(_) => {}
            }
        }
    }
    for one in asked {
        let said = all.entry(one.content).or_default();
        for (hash, statuses) in &one.known {
            let before = statuses.get(&node).copied();
            if said.statuses.contains_key(hash) {
                continue;
            }
            match before.filter(|status| status.is_final()) {
                Some(before) => {
                    said.statuses.insert(hash.clone(), before);
                }
                None => {
                    unclear.insert((one.content, hash.clone()));
                }
            }
        }
    }
    for (content, hash) in unclear.into_iter().take(MOST_UNCLEAR) {
        let status = client.store_status(&hash).await?;
        let said = all.entry(content).or_default();
        match status {
            Some(status) => said.statuses.insert(hash, status),
            None => said.statuses.remove(&hash),
        };
    }
    Ok(Some(all))
}

/// All STOREs of a status, as far as there are not too many.
async fn list(
    client: &Client,
    asked: &[Asked],
    status: StoreStatus,
) -> Result<Option<Vec<StoreMessage>>, FetchError> {
    let ids: Vec<_> = asked.iter().map(|one| one.id).collect();
    match client.list_stores(&ids, status, Narrowed::No, 1).await {
        Ok(Some(Listed { messages, is_full: false })) => return Ok(Some(messages)),
        Ok(None) => return Ok(None),
        // Too many, or too large: one content after the other.
        Ok(Some(_)) | Err(FetchError::TooLarge { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut all = Vec::new();
    for one in asked {
        all.append(&mut list_one(client, one, status).await?);
    }
    Ok(Some(all))
}

/// The STOREs of one content: some of everybody's, and where these are too many, those of people who
/// count. Anyone may send a million.
async fn list_one(
    client: &Client,
    one: &Asked,
    status: StoreStatus,
) -> Result<Vec<StoreMessage>, FetchError> {
    let mut all = Vec::new();
    let mut crowded = true;
    for page in 1..=MOST_PAGES {
        match client.list_stores(&[one.id], status, Narrowed::No, page).await {
            Ok(Some(mut listed)) => {
                all.append(&mut listed.messages);
                crowded = listed.is_full;
            }
            Ok(None) => crowded = false,
            Err(FetchError::TooLarge { .. }) => break,
            Err(error) => return Err(error),
        }
        if !crowded {
            return Ok(all);
        }
    }
    let accounts = &one.accounts[..one.accounts.len().min(MOST_ACCOUNTS)];
    if crowded && !accounts.is_empty() {
        for narrowed in [Narrowed::Senders(accounts), Narrowed::Owners(accounts)] {
            if let Some(mut listed) = client.list_stores(&[one.id], status, narrowed, 1).await? {
                all.append(&mut listed.messages);
            }
        }
    }
    Ok(all)
}
