//! URIs of tokens that are not ours, and of collections: which are due to be read, and what they were
//! found to mean.
//!
//! A collection's own URI (ERC-7572) is kept as a token's is, with no id in the place of the token's.

mod follow;
mod record;

use alloy::primitives::{Address, B256, U256};

pub use record::{UriReading, UriRecord};

use super::{LedgerError, Millis, Result, RowId, Tx, execute, fetch, int};
use crate::{
    config::Standard,
    content::{ContentId, Digest, Metadata, ReferenceClass},
};

/// What a URI leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A content, by its hash.
    Content(ContentId),
    /// A document that stands in the URI itself.
    Document {
        /// A name for it, made of its bytes, and of its token's id where that stands in it.
        id: ContentId,
        /// What it refers to.
        metadata: Metadata,
    },
    /// A path below a content address, to be followed before it is known what content it names.
    Path,
    /// Nothing that anybody could prove; why.
    Unverifiable(String),
    /// Nothing at all: the collection has no metadata of its own.
    None,
}

/// What a contract answered, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// sha-256 of what it answered; `None` where it did not answer. The same answer means the same.
    pub answer: Option<Digest>,
    /// The URI, as the contract gives it; of a long one, its beginning.
    pub uri: Option<String>,
    /// Its class.
    pub class: Option<ReferenceClass>,
    /// What it leads to.
    pub target: Target,
}

/// How a URI stands, without what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriState {
    /// It was not read yet.
    New,
    /// It names a content.
    Content,
    /// A document stands in it.
    Document,
    /// A path leads from it to a content, which is known or not yet.
    Path,
    /// It can't be verified.
    Unverifiable,
    /// There is none.
    None,
}

impl UriState {
    const ALL: [Self; 6] =
        [Self::New, Self::Content, Self::Document, Self::Path, Self::Unverifiable, Self::None];

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Content => "content",
            Self::Document => "document",
            Self::Path => "path",
            Self::Unverifiable => "unverifiable",
            Self::None => "none",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == text)
            .ok_or_else(|| LedgerError::Corrupt("the state of a URI".to_owned()))
    }
}

/// A URI that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueUri {
    /// The collection.
    pub collection: RowId,
    /// Its contract.
    pub address: Address,
    /// What the contract is.
    pub standard: Standard,
    /// The token; `None`: the collection itself.
    pub token: Option<U256>,
}

/// A URI as the ledger has it.
#[derive(Clone, Debug)]
pub struct TokenUri {
    /// How it stands.
    pub state: UriState,
    /// The URI as the contract gives it; of a long one, its beginning.
    pub uri: Option<String>,
    /// Its class.
    pub class: Option<String>,
    /// Number and hash of the block it was read at, when it was found to be this one.
    pub read_at: Option<(u64, B256)>,
}

type DueRow = (i64, Vec<u8>, String, Vec<u8>);

fn due(row: DueRow) -> Result<DueUri> {
    let (collection, address, standard, token) = row;
    let corrupt = || LedgerError::Corrupt(format!("a token of collection {collection}"));
    Ok(DueUri {
        collection,
        address: Address::try_from(address.as_slice()).map_err(|_| corrupt())?,
        standard: standard.parse().map_err(|_| corrupt())?,
        token: token_of(&token).ok_or_else(corrupt)?,
    })
}

/// What stands for a token's id in the ledger: nothing for the collection itself.
pub(super) fn key_of(token: Option<U256>) -> Vec<u8> {
    token.map_or_else(Vec::new, |id| id.to_be_bytes::<32>().to_vec())
}

/// The token, or the collection itself, that a key stands for.
pub(super) fn token_of(key: &[u8]) -> Option<Option<U256>> {
    if key.is_empty() { Some(None) } else { U256::try_from_be_slice(key).map(Some) }
}

impl Tx {
    /// Whether any URI is due, by itself or with its collection, of those of a chain that were read up to `block`.
    /// A collection is where all of them were last read before `before`.
    pub async fn has_due_uris(
        &mut self,
        chain_id: u64,
        block: u64,
        before: Millis,
        now: Millis,
    ) -> Result<bool> {
        let select = "SELECT c.id FROM collections c
             WHERE c.standard <> 'factory' AND c.active = 1 AND c.chain_id = $4
                AND c.indexed_block = $1 AND (
                (c.uris_read < $2 AND c.standard <> 'everhold') OR EXISTS (SELECT 1 FROM token_uris u
                    WHERE u.collection_id = c.id AND u.due_at <= $3)) LIMIT 1";
        Ok(fetch!(fetch_optional, self, (i64,), select, int(block), before, now, int(chain_id))?
            .is_some())
    }

    /// Makes due again what was taken of a chain until `lease`, and not brought back.
    pub async fn give_back_uris(&mut self, chain_id: u64, lease: Millis) -> Result<()> {
        self.alone().await?;
        let update = "UPDATE token_uris SET due_at = 0 WHERE due_at = $1
                      AND collection_id IN (SELECT id FROM collections WHERE chain_id = $2)";
        execute!(self, update, lease, int(chain_id))?;
        Ok(())
    }

    /// Says when URIs are due again that were taken until `lease`, or read with their collection, and of
    /// which nobody knows what they are. What became due meanwhile stays so.
    pub async fn postpone_uris(
        &mut self,
        uris: &[(RowId, Option<U256>)],
        lease: Option<Millis>,
        until: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        for (collection, token) in uris {
            execute!(
                self,
                "UPDATE token_uris SET due_at = $3 WHERE collection_id = $1 AND token_id = $2
                    AND COALESCE(due_at, -1) = COALESCE(CAST($4 AS BIGINT), -1)",
                *collection,
                key_of(*token),
                until,
                lease,
            )?;
        }
        Ok(())
    }

    /// Takes URIs that are due by themselves, of a chain's collections that were read up to `block`; nobody
    /// else gets them before `lease`.
    pub async fn take_due_uris(
        &mut self,
        chain_id: u64,
        block: u64,
        now: Millis,
        lease: Millis,
        limit: u32,
    ) -> Result<Vec<DueUri>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT u.collection_id, c.address, c.standard, u.token_id
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE u.due_at <= $1 AND c.active = 1 AND c.chain_id = $4 AND c.indexed_block = $2
             ORDER BY u.due_at, u.collection_id, u.token_id LIMIT $3",
            "SELECT u.collection_id, c.address, c.standard, u.token_id
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE u.due_at <= $1 AND c.active = 1 AND c.chain_id = $4 AND c.indexed_block = $2
             ORDER BY u.due_at, u.collection_id, u.token_id LIMIT $3
             FOR UPDATE OF u SKIP LOCKED",
        );
        let (block, limit) = (int(block), i64::from(limit));
        let rows = fetch!(fetch_all, self, DueRow, sql, now, block, limit, int(chain_id))?;
        for (collection, _, _, token) in &rows {
            let update = "UPDATE token_uris SET due_at = $3
                          WHERE collection_id = $1 AND token_id = $2";
            execute!(self, update, *collection, token.as_slice(), lease)?;
        }
        rows.into_iter().map(due).collect()
    }

    /// Takes a collection of a chain whose URIs were all last read before `before`, which is not after `now`, and
    /// that was read up to `block`.
    pub async fn take_due_collection(
        &mut self,
        chain_id: u64,
        block: u64,
        before: Millis,
        now: Millis,
    ) -> Result<Option<RowId>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT id FROM collections WHERE standard NOT IN ('everhold', 'factory') AND active = 1
                AND chain_id = $3 AND indexed_block = $1 AND uris_read < $2 ORDER BY uris_read, id LIMIT 1",
            "SELECT id FROM collections WHERE standard NOT IN ('everhold', 'factory') AND active = 1
                AND chain_id = $3 AND indexed_block = $1 AND uris_read < $2 ORDER BY uris_read, id LIMIT 1
             FOR UPDATE SKIP LOCKED",
        );
        let found = fetch!(fetch_optional, self, (i64,), sql, int(block), before, int(chain_id))?;
        if let Some((id,)) = found {
            execute!(self, "UPDATE collections SET uris_read = $2 WHERE id = $1", id, now)?;
        }
        Ok(found.map(|(id,)| id))
    }

    /// URIs of a collection that are not due by themselves, its own first, then by id, from behind
    /// `after` on; and not those that were found at `block`.
    pub async fn uris_after(
        &mut self,
        collection: RowId,
        after: Option<Option<U256>>,
        block: u64,
        limit: u32,
    ) -> Result<Vec<DueUri>> {
        // Nothing sorts before the empty string, and nothing between a key and the same with a zero.
        let from = after.map_or_else(Vec::new, |token| [key_of(token), vec![0]].concat());
        let rows = fetch!(
            fetch_all,
            self,
            DueRow,
            "SELECT u.collection_id, c.address, c.standard, u.token_id
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE u.collection_id = $1 AND u.token_id >= $2 AND u.due_at IS NULL
               AND (u.read_block IS NULL OR u.read_block <> $3)
             ORDER BY u.token_id LIMIT $4",
            collection,
            from,
            int(block),
            i64::from(limit),
        )?;
        rows.into_iter().map(due).collect()
    }

    /// A token's URI, or a collection's own.
    pub async fn uri(
        &mut self,
        collection: RowId,
        token: Option<U256>,
    ) -> Result<Option<TokenUri>> {
        type Row = (String, Option<String>, Option<String>, Option<i64>, Option<Vec<u8>>);
        let row = fetch!(
            fetch_optional,
            self,
            Row,
            "SELECT state, uri, class, read_block, read_hash FROM token_uris
             WHERE collection_id = $1 AND token_id = $2",
            collection,
            key_of(token),
        )?;
        let Some((state, uri, class, block, hash)) = row else { return Ok(None) };
        let corrupt = || LedgerError::Corrupt(format!("a URI of collection {collection}"));
        let read_at = match (block, hash) {
            (Some(block), Some(hash)) => {
                let hash = B256::try_from(hash.as_slice()).map_err(|_| corrupt())?;
                Some((super::uint(block), hash))
            }
            _ => None,
        };
        Ok(Some(TokenUri { state: UriState::parse(&state)?, uri, class, read_at }))
    }

    /// Makes a collection's own URI due, in a row that is made if need be.
    pub(super) async fn begin_own_uri(&mut self, collection: RowId) -> Result<()> {
        execute!(
            self,
            "INSERT INTO token_uris (collection_id, token_id, state, since, due_at)
             VALUES ($1, $2, 'new', 0, 0)
             ON CONFLICT (collection_id, token_id) DO UPDATE SET due_at = 0",
            collection,
            key_of(None),
        )?;
        Ok(())
    }

    /// Makes the URIs due that a process took and did not bring back, and those that wait to be
    /// tried again.
    pub async fn release_uris(&mut self) -> Result<()> {
        self.alone().await?;
        execute!(self, "UPDATE token_uris SET due_at = 0 WHERE due_at > 0")?;
        Ok(())
    }
}
