//! Tokens as events have left them: read, kept as they were, and written, by the hundreds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::primitives::{Address, B256, U256};

use super::{
    LedgerError, Result, RowId, Tx,
    bulk::{fetch_unique, insert_rows},
    contents::content_id,
    copy::copy_rows,
    execute, fetch,
    fold::{Ended, Fold, Former, State, TokenKey},
    int, uint,
};
use crate::content::ContentId;

/// Block times are seconds that the chain chose freely; beyond this they would not fit as
/// milliseconds.
const MAX_TIME: u64 = i64::MAX as u64 / 1000;

/// The rows of contents.
pub(super) type Rows = HashMap<ContentId, RowId>;

/// A row of a token, but for its collection, with its content's row, codec and digest.
type StateRow = (
    Vec<u8>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
);

/// A token's id and state; without an owner there was no token. The row of its content goes into
/// `rows`.
fn state(row: StateRow, rows: &mut Rows) -> Result<([u8; 32], Option<State>)> {
    let (
        id,
        owner,
        content,
        codec,
        digest,
        revision,
        frozen,
        block,
        hash,
        set,
        set_hash,
        time,
        supply,
    ) = row;
    let corrupt = || LedgerError::Corrupt("a token's state".to_owned());
    let hash_of = |bytes: Vec<u8>| B256::try_from(bytes.as_slice()).map_err(|_| corrupt());
    let id = id.try_into().map_err(|_| corrupt())?;
    let Some(owner) = owner else { return Ok((id, None)) };
    let content = match (content, codec, digest) {
        (Some(row), Some(codec), Some(digest)) => {
            let content = content_id(codec, &digest)?;
            rows.insert(content, row);
            Some(content)
        }
        _ => None,
    };
    let minted = (uint(block.unwrap_or(0)), hash_of(hash.unwrap_or_default())?);
    let state = State {
        owner: Address::try_from(owner.as_slice()).map_err(|_| corrupt())?,
        content,
        supply: supply
            .map(|bytes| U256::try_from_be_slice(&bytes).ok_or_else(corrupt))
            .transpose()?,
        revision: uint(revision.unwrap_or(0)),
        frozen: frozen == Some(1),
        minted,
        content_set: content_set(minted, set, set_hash.map(hash_of).transpose()?),
        content_time: time.map(uint),
    };
    Ok((id, Some(state)))
}

/// The block in which a content was set, from its columns: its hash is not written down again where it
/// is the mint's.
pub(super) fn content_set(
    minted: (u64, B256),
    number: Option<i64>,
    hash: Option<B256>,
) -> Option<(u64, B256)> {
    Some((uint(number?), hash.unwrap_or(minted.1)))
}

/// The hash of that block, as it is written down.
fn content_hash(state: &State) -> Option<Vec<u8>> {
    let (_, hash) = state.content_set?;
    (hash != state.minted.1).then(|| hash.to_vec())
}

impl Tx {
    /// Tokens as they are; `None` for those that are not. The rows of their contents go into `rows`.
    pub(super) async fn states(
        &mut self,
        keys: &BTreeSet<TokenKey>,
        rows: &mut Rows,
    ) -> Result<BTreeMap<TokenKey, Option<State>>> {
        let mut states: BTreeMap<TokenKey, Option<State>> =
            keys.iter().map(|key| (*key, None)).collect();
        for (collection, mut ids) in by_collection(keys) {
            // Most new tokens have the highest ids: they need not be looked for one by one.
            let highest = "SELECT token_id FROM tokens WHERE collection_id = $1
                           ORDER BY token_id DESC LIMIT 1";
            let highest = fetch!(fetch_optional, self, (Vec<u8>,), highest, collection)?;
            ids.retain(|id| highest.as_ref().is_some_and(|(highest,)| *id <= highest.as_slice()));
            let found = fetch_unique!(
                self,
                StateRow,
                "t.token_id, t.owner, c.id, c.codec, c.digest, t.revision, t.frozen, t.minted_block,
                 t.minted_hash, t.content_block, t.content_hash, t.content_time, t.supply",
                "tokens t LEFT JOIN contents c ON c.id = t.content_id",
                "t.collection_id" => collection,
                "t.token_id",
                ids
            );
            for row in found {
                let (id, state) = state(row, rows)?;
                states.insert((collection, id), state);
            }
        }
        Ok(states)
    }

    /// Tokens of a collection as they were before the first block above `above` that touched them.
    /// The rows of their contents go into `rows`.
    pub(super) async fn before(
        &mut self,
        collection: RowId,
        above: i64,
        rows: &mut Rows,
    ) -> Result<BTreeMap<[u8; 32], Option<State>>> {
        let found = fetch!(
            fetch_all,
            self,
            StateRow,
            "SELECT u.token_id, u.owner, c.id, c.codec, c.digest, u.revision, u.frozen, u.minted_block,
                    u.minted_hash, u.content_block, u.content_hash, u.content_time, u.supply
             FROM token_undo u LEFT JOIN contents c ON c.id = u.content_id
             WHERE u.collection_id = $1 AND u.block_number > $2
             ORDER BY u.block_number DESC",
            collection,
            above,
        )?;
        // Of several, the first block's is the last to be put here.
        found.into_iter().map(|row| state(row, rows)).collect()
    }

    /// Writes what was folded. `known` are the tokens that have a row.
    pub(super) async fn write_fold(
        &mut self,
        fold: &Fold,
        known: &BTreeSet<TokenKey>,
        rows: &Rows,
    ) -> Result<()> {
        let content_of = |state: Option<&State>| {
            state.and_then(|state| state.content).and_then(|content| rows.get(&content).copied())
        };
        self.write_tokens(&fold.tokens, known, rows).await?;
        let former: Vec<&Former> = fold.former.iter().collect();
        insert_rows!(
            self,
            "INSERT INTO former_contents
                (collection_id, token_id, superseded_block, revision, content_id) ",
            former,
            |row| (
                row.token.0,
                row.token.1.as_slice(),
                int(row.superseded_block),
                int(row.revision),
                rows.get(&row.content).copied(),
            ),
            " ON CONFLICT DO NOTHING"
        );
        let ended: Vec<&Ended> = fold.ended.iter().collect();
        insert_rows!(
            self,
            "INSERT INTO burns
                (collection_id, token_id, block_number, block_hash, transaction_hash) ",
            ended,
            |row| (
                row.token.0,
                row.token.1.as_slice(),
                int(row.block.0),
                row.block.1.as_slice(),
                row.transaction.as_slice(),
            ),
            " ON CONFLICT DO NOTHING"
        );
        let before: Vec<_> = fold.before.iter().collect();
        insert_rows!(
            self,
            "INSERT INTO token_undo (collection_id, token_id, block_number, owner, content_id,
                revision, frozen, minted_block, minted_hash, content_block, content_hash,
                content_time, supply) ",
            before,
            |row| (
                row.0.1.0,
                row.0.1.1.as_slice(),
                int(row.0.0),
                row.1.as_ref().map(|it| it.owner.to_vec()),
                content_of(row.1.as_ref()),
                row.1.as_ref().map(|it| int(it.revision)),
                row.1.as_ref().map(|it| i64::from(it.frozen)),
                row.1.as_ref().map(|it| int(it.minted.0)),
                row.1.as_ref().map(|it| it.minted.1.to_vec()),
                row.1.as_ref().and_then(|it| it.content_set).map(|set| int(set.0)),
                row.1.as_ref().and_then(content_hash),
                row.1.as_ref().and_then(|it| it.content_time).map(time),
                row.1.as_ref().and_then(supply),
            ),
            " ON CONFLICT DO NOTHING"
        );
        Ok(())
    }

    async fn write_tokens(
        &mut self,
        tokens: &BTreeMap<TokenKey, Option<State>>,
        known: &BTreeSet<TokenKey>,
        rows: &Rows,
    ) -> Result<()> {
        let gone = tokens.iter().filter(|(key, state)| state.is_none() && known.contains(*key));
        for ((collection, id), _) in gone {
            let delete = "DELETE FROM tokens WHERE collection_id = $1 AND token_id = $2";
            execute!(self, delete, *collection, id.as_slice())?;
        }
        let live = tokens.iter().filter_map(|(key, state)| Some((key, state.as_ref()?)));
        let mut live: Vec<(&TokenKey, &State)> = live.collect();
        if let Self::Postgres(c) = self {
            let new: Vec<_> = live.extract_if(.., |(key, _)| !known.contains(*key)).collect();
            token_rows!(
                copy_rows,
                (
                    c,
                    "COPY tokens (collection_id, token_id, owner, content_id, revision, frozen,
                        minted_block, minted_hash, content_block, content_hash, content_time,
                        supply) FROM STDIN (FORMAT binary)",
                    new
                ),
                rows
            );
        }
        token_rows!(
            insert_rows,
            (
                self,
                "INSERT INTO tokens (collection_id, token_id, owner, content_id, revision, frozen,
                    minted_block, minted_hash, content_block, content_hash, content_time,
                    supply) ",
                live
            ),
            rows,
            " ON CONFLICT (collection_id, token_id) DO UPDATE SET owner = excluded.owner,
                content_id = excluded.content_id, revision = excluded.revision,
                frozen = excluded.frozen, minted_block = excluded.minted_block,
                minted_hash = excluded.minted_hash, content_block = excluded.content_block,
                content_hash = excluded.content_hash, content_time = excluded.content_time,
                supply = excluded.supply"
        );
        Ok(())
    }
}

/// Writes tokens by one of the macros for many rows.
macro_rules! token_rows {
    ($write:ident, ($($what:expr),+), $rows:expr $(, $tail:expr)?) => {
        $write!(
            $($what),+,
            |row| (
                row.0.0,
                row.0.1.as_slice(),
                row.1.owner.as_slice(),
                row.1.content.and_then(|content| $rows.get(&content).copied()),
                int(row.1.revision),
                i64::from(row.1.frozen),
                int(row.1.minted.0),
                row.1.minted.1.as_slice(),
                row.1.content_set.map(|set| int(set.0)),
                content_hash(row.1),
                row.1.content_time.map(time),
                supply(row.1),
            )
            $(, $tail)?
        )
    };
}
use token_rows;

fn supply(state: &State) -> Option<Vec<u8>> {
    state.supply.map(|supply| supply.to_be_bytes::<32>().to_vec())
}

/// The ids of tokens, by collection.
pub(super) fn by_collection<K: AsRef<[u8]>>(
    keys: &BTreeSet<(RowId, K)>,
) -> BTreeMap<RowId, Vec<&[u8]>> {
    let mut all: BTreeMap<RowId, Vec<&[u8]>> = BTreeMap::new();
    for (collection, id) in keys {
        all.entry(*collection).or_default().push(id.as_ref());
    }
    all
}

pub(super) fn time(seconds: u64) -> i64 {
    int(seconds.min(MAX_TIME))
}
