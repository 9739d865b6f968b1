//! `everhold token`: one token, its contents, their replicas, and the evidence.

use alloy::primitives::{Address, U256};
use serde::Serialize;

use super::{
    ContractUri, RepairStatus, VaultReport,
    store::{StoreReport, authorities, stores},
};
use crate::{
    config::Standard,
    content::Codec,
    health::{Health, Policy, ReplicaState, explain},
    ledger::{Burn, Collection, LedgerError, Millis, RowId, StateChange, Token, TokenUri, Tx},
    picture::{ContentPicture, Pages, Picture, TokenPicture},
    time_text,
};

/// A token and what it hangs on.
#[derive(Clone, Debug, Serialize)]
pub struct TokenReport {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// EIP-55 address.
    pub collection: String,
    /// Decimal.
    pub token_id: String,
    /// What its contract is.
    pub standard: Standard,
    /// EIP-55 address; null for ERC-1155, whose tokens many may own.
    pub owner: Option<String>,
    /// Decimal: how many there are of it, for ERC-1155.
    pub supply: Option<String>,
    /// `0x` and 64 hex digits; null where the contract is not ours.
    pub digest: Option<String>,
    /// How the digest names content; null where there is none.
    pub codec: Option<Codec>,
    /// What `tokenURI` or `uri` gives; the beginning of what is long.
    pub uri: Option<String>,
    /// The class of that reference, where the contract is not ours.
    pub uri_class: Option<String>,
    /// The block at which it was found to be that one, where the contract is not ours.
    pub uri_block: Option<u64>,
    /// 1 as it was minted; null where the contract is not ours.
    pub revision: Option<u64>,
    /// Whether its content can't change any more: its owner froze it, or edits are off. Null where the
    /// contract is not ours: nobody knows.
    pub frozen: Option<bool>,
    /// Whether owners may change content in this collection; null where the contract is not ours.
    pub editable: Option<bool>,
    /// The worst of its contents.
    pub health: Health,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Block of its mint.
    pub minted_block: u64,
    /// Hash of that block.
    pub minted_block_hash: String,
    /// Block in which its content was set.
    pub content_block: Option<u64>,
    /// Hash of that block: what the verdict rests on.
    pub content_block_hash: Option<String>,
    /// Whether that block, or else the one of its mint, is final.
    pub finalized: bool,
    /// Whether its collection is halted: then it may be otherwise on the chain by now.
    pub halted: bool,
    /// Its metadata, and what that refers to.
    pub contents: Vec<ContentReport>,
    /// What its collection says of itself (`contractURI`), which the token's health does not hang on;
    /// null where that is nothing, or was not read yet.
    pub contract_uri: Option<ContractUri>,
}

/// A content and its replicas.
#[derive(Clone, Debug, Serialize)]
pub struct ContentReport {
    /// `metadata`, `image`, …
    pub role: String,
    /// Its name, as aleph nodes take it.
    pub id: String,
    /// The same as CIDv1.
    pub cid: String,
    /// Bytes, once verified.
    pub size: Option<u64>,
    /// Its health.
    pub health: Health,
    /// Why, in sentences.
    pub why: Vec<String>,
    /// Why it is denied, if it is.
    pub denied: Option<String>,
    /// Independent verified replicas it needs.
    pub required: u32,
    /// Verified replicas.
    pub verified: u32,
    /// How many of them are independent.
    pub independent: u32,
    /// How many independent ones are held by their nodes.
    pub held: u32,
    /// Each node.
    pub replicas: Vec<ReplicaReport>,
    /// The local copy, which is no replica; null where there is none.
    pub vault: Option<VaultReport>,
    /// What was done about it.
    pub repairs: Vec<RepairStatus>,
    /// The STORE messages that name it, as aleph nodes list them.
    pub stores: Vec<StoreReport>,
}

/// A replica with its evidence.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaReport {
    /// The node's URL.
    pub node: String,
    /// The verdict; null before the first.
    pub state: Option<ReplicaState>,
    /// Whether the node is proved to hold its own copy; null where that can't be told.
    pub held: Option<bool>,
    /// When it was last probed.
    pub checked_at: Option<String>,
    /// When the right bytes were last seen.
    pub verified_at: Option<String>,
    /// When a spot check last found the right blocks; that makes nothing verified.
    pub spot_checked_at: Option<String>,
    /// Bytes the last probe saw.
    pub bytes: Option<u64>,
    /// HTTP status of the last probe.
    pub http_status: Option<u16>,
    /// The name that those bytes really have.
    pub computed: Option<String>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// Probes in a row that failed to say anything.
    pub failures: u32,
    /// The last ten changes of state, oldest first.
    pub history: Vec<ChangeReport>,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeReport {
    /// The new state.
    pub state: ReplicaState,
    /// When.
    pub at: String,
    /// In words, what was wrong.
    pub detail: Option<String>,
}

impl From<StateChange> for ChangeReport {
    fn from(change: StateChange) -> Self {
        Self { state: change.state, at: time_text(change.at), detail: change.detail }
    }
}

impl TokenReport {
    /// Reads one token of a collection; `None` where it is not in the ledger. [`Absent`] knows why.
    pub async fn read(
        tx: &mut Tx,
        policy: &Policy,
        collection: &Collection,
        id: U256,
        now: Millis,
    ) -> Result<Option<Self>, LedgerError> {
        let pages = Pages::begin(tx, policy, now).await?;
        let Some(picture) = pages.token(tx, collection.id, id).await? else { return Ok(None) };
        let Some(collection) = picture.collections.first() else { return Ok(None) };
        let Some(seen) = collection.tokens.first() else { return Ok(None) };
        let Some(token) = tx.token(collection.collection.id, id).await? else {
            return Ok(None);
        };
        let authorities = authorities(tx, &collection.collection, &token).await?;
        let mut contents = Vec::new();
        for (role, row) in &seen.contents {
            if let Some(content) = picture.contents.get(row) {
                let report =
                    content_report(tx, &picture, (policy, now), role, *row, content).await?;
                let stores = stores(tx, &picture, &authorities, *row).await?;
                contents.push(ContentReport { stores, ..report });
            }
        }
        let finalized = collection.collection.finalized_block;
        let contract_uri = ContractUri::read(tx, &picture, collection).await?;
        let base = Self {
            contents,
            contract_uri,
            ..Self::new(&collection.collection, &token, seen, finalized)
        };
        if collection.collection.standard.is_foreign() {
            let uri = tx.uri(collection.collection.id, Some(id)).await?;
            return Ok(Some(base.with_uri(uri)));
        }
        let named = token.content_id.and_then(|row| picture.contents.get(&row));
        Ok(Some(Self {
            digest: named.map(|known| known.content.id.digest.to_string()),
            uri: named.map(|known| known.content.id.uri()),
            ..base
        }))
    }

    /// The same of a token that is not ours, whose URI says what it is made of.
    fn with_uri(self, uri: Option<TokenUri>) -> Self {
        let Some(uri) = uri else { return self };
        let read_at = uri.read_at;
        Self {
            uri: uri.uri,
            uri_class: uri.class,
            uri_block: read_at.map(|(number, _)| number),
            content_block: read_at.map(|(number, _)| number),
            content_block_hash: read_at.map(|(_, hash)| hash.to_string()),
            ..self
        }
    }

    fn new(
        collection: &Collection,
        token: &Token,
        seen: &TokenPicture,
        finalized: Option<u64>,
    ) -> Self {
        let set = token.content_set;
        let ours = !collection.standard.is_foreign();
        let last = set.filter(|_| ours).unwrap_or(token.minted);
        Self {
            chain_id: collection.chain_id,
            collection: collection.address.to_checksum(None),
            token_id: token.token_id.to_string(),
            standard: collection.standard,
            owner: token.owner.map(|owner| owner.to_checksum(None)),
            supply: token.supply.map(|supply| supply.to_string()),
            digest: None,
            codec: collection.codec,
            uri: None,
            uri_class: None,
            uri_block: None,
            revision: ours.then_some(token.revision),
            frozen: ours.then_some(token.frozen || !collection.editable),
            editable: ours.then_some(collection.editable),
            health: seen.health,
            unverifiable: seen.unverifiable.clone(),
            unresolved: seen.unresolved.clone(),
            minted_block: token.minted.0,
            minted_block_hash: token.minted.1.to_string(),
            content_block: set.map(|(number, _)| number),
            content_block_hash: set.map(|(_, hash)| hash.to_string()),
            finalized: finalized.is_some_and(|final_until| last.0 <= final_until),
            halted: collection.halted.is_some(),
            contents: Vec::new(),
            contract_uri: None,
        }
    }
}

/// An address that collections of several chains have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is on several chains ({})", chains.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
pub struct SeveralChains {
    /// The address.
    pub address: Address,
    /// Their chain ids (EIP-155).
    pub chains: Vec<u64>,
}

/// The collection at an address, on the chain with this id if one is named.
///
/// # Errors
/// Where no chain is named, and there is one on several.
pub fn collection_at(
    collections: &[Collection],
    address: Address,
    chain_id: Option<u64>,
) -> Result<Option<&Collection>, SeveralChains> {
    let is_it = |one: &&Collection| {
        one.address == address && chain_id.is_none_or(|chain| one.chain_id == chain)
    };
    let found: Vec<_> = collections.iter().filter(is_it).collect();
    match found.as_slice() {
        [_, _, ..] => {
            Err(SeveralChains { address, chains: found.iter().map(|one| one.chain_id).collect() })
        }
        one => Ok(one.first().copied()),
    }
}

/// Why the ledger has no such token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The collection is not watched.
    NoCollection,
    /// It was not minted in any block that was read.
    NotMinted,
    /// Its owner destroyed it.
    Burned {
        /// Where.
        burn: Burn,
        /// Whether that block is final.
        finalized: bool,
    },
}

impl Absent {
    /// Looks for the reason why a collection has no such token, in the same transaction.
    pub async fn read(tx: &mut Tx, collection: &Collection, id: U256) -> Result<Self, LedgerError> {
        let Some(burn) = tx.burn(collection.id, id).await? else { return Ok(Self::NotMinted) };
        let finalized = collection.finalized_block.is_some_and(|last| burn.block.0 <= last);
        Ok(Self::Burned { burn, finalized })
    }

    /// In words.
    pub fn text(&self, address: Address, id: U256) -> String {
        match self {
            Self::NoCollection => format!("{address} is not in the ledger"),
            Self::NotMinted => format!("{address} has no token {id} (as far as it is indexed)"),
            Self::Burned { burn, finalized } => format!(
                "token {id} of {address} was burned by its owner in block {} (transaction {}): it \
                 does not exist any more{}",
                burn.block.0,
                burn.transaction,
                if *finalized { "" } else { ", which is not final yet" }
            ),
        }
    }
}

async fn content_report(
    tx: &mut Tx,
    picture: &Picture,
    (policy, now): (&Policy, Millis),
    role: &str,
    row: RowId,
    seen: &ContentPicture,
) -> Result<ContentReport, LedgerError> {
    let mut replicas = Vec::new();
    for replica in &seen.replicas {
        let history = tx.changes(row, replica.node).await?;
        replicas.push(ReplicaReport {
            node: picture.node(replica.node).map(|node| node.url.clone()).unwrap_or_default(),
            state: replica.view.state,
            held: replica.held,
            checked_at: replica.checked_at.map(time_text),
            verified_at: replica.view.verified_at.map(time_text),
            spot_checked_at: replica.spotted_at.map(time_text),
            bytes: replica.bytes,
            http_status: replica.http_status,
            computed: replica.computed.clone(),
            detail: replica.detail.clone(),
            failures: replica.failures,
            history: history.into_iter().map(ChangeReport::from).collect(),
        });
    }
    let repairs = tx.repairs_since(row, 0).await?;
    Ok(ContentReport {
        role: role.to_owned(),
        id: seen.content.id.to_string(),
        cid: seen.content.id.cid(),
        size: seen.content.known.size,
        health: seen.assessment.health,
        why: explain(&seen.views(), policy, seen.content.past, now),
        denied: tx.denial(row).await?,
        required: policy.min,
        verified: seen.assessment.verified,
        independent: seen.assessment.independent,
        held: seen.assessment.held,
        replicas,
        vault: tx.vault_object(row).await?.map(VaultReport::from),
        repairs: repairs.into_iter().map(RepairStatus::from).collect(),
        stores: Vec::new(),
    })
}
