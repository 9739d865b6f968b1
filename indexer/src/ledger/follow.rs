//! Commit and revert: the two words by which the ledger follows a chain.
//!
//! Events are folded into tokens. Of each block that a reorg may still take back, the tokens that it
//! touched are kept as they were before: so taking blocks back brings those back, and the result is
//! that of never having seen the blocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::primitives::{Address, B256};

use super::{
    LedgerError, Millis, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    contents::content_id,
    execute, fetch,
    fold::{Ended, Fold, Former, State, TokenKey},
    int, uint,
};
use crate::{
    chain::{BlockRef, TokenEvent, TokenEventKind},
    content::{Codec, ContentId},
};

/// Block times are seconds that the chain chose freely; beyond this they would not fit as
/// milliseconds.
const MAX_TIME: u64 = i64::MAX as u64 / 1000;

/// A stretch of the chain, ready to be written with its checkpoint.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Chain it belongs to.
    pub chain_id: u64,
    /// Collections whose checkpoint moves to `to`, with their codecs.
    pub collections: &'a [super::Collection],
    /// The last block of the stretch.
    pub to: u64,
    /// Headers of its recent blocks, the last one included.
    pub blocks: &'a [BlockRef],
    /// What happened in it.
    pub events: &'a [TokenEvent],
    /// The chain's last final block.
    pub finalized: Option<u64>,
    /// Blocks below this number leave the window.
    pub window_start: u64,
    /// Whether content of earlier revisions stays wanted for as long as the token lives.
    pub keep_history: bool,
    /// The time now.
    pub now: Millis,
}

/// The rows of contents.
type Rows = HashMap<ContentId, RowId>;

/// A row of a token, but for its collection, with its content's codec and digest.
type StateRow = (
    Vec<u8>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
);

/// A token's id and state; without an owner there was no token.
fn state(row: StateRow) -> Result<([u8; 32], Option<State>)> {
    let (id, owner, codec, digest, revision, frozen, block, hash, set, set_hash, time) = row;
    let corrupt = || LedgerError::Corrupt("a token's state".to_owned());
    let hash_of = |bytes: Vec<u8>| B256::try_from(bytes.as_slice()).map_err(|_| corrupt());
    let id = id.try_into().map_err(|_| corrupt())?;
    let Some(owner) = owner else { return Ok((id, None)) };
    let state = State {
        owner: Address::try_from(owner.as_slice()).map_err(|_| corrupt())?,
        content: match (codec, digest) {
            (Some(codec), Some(digest)) => Some(content_id(codec, &digest)?),
            _ => None,
        },
        revision: uint(revision.unwrap_or(0)),
        frozen: frozen == Some(1),
        minted: (uint(block.unwrap_or(0)), hash_of(hash.unwrap_or_default())?),
        content_set: match (set, set_hash) {
            (Some(number), Some(hash)) => Some((uint(number), hash_of(hash)?)),
            _ => None,
        },
        content_time: time.map(uint),
    };
    Ok((id, Some(state)))
}

/// Of an optional state, a column.
fn column<T>(state: Option<&State>, of: impl FnOnce(&State) -> T) -> Option<T> {
    state.map(of)
}

impl Tx {
    /// Writes a stretch of the chain and the checkpoint after it. [`LedgerError::Unlinked`] where
    /// its blocks do not follow those in the window.
    pub async fn commit_blocks(&mut self, commit: &Commit<'_>) -> Result<()> {
        self.alone().await?;
        self.advance_checkpoints(commit).await?;
        self.insert_blocks(commit.chain_id, commit.blocks).await?;
        let by_address: HashMap<_, _> = commit.collections.iter().map(|c| (c.address, c)).collect();
        // What was committed before is not folded again.
        let new = |event: &&TokenEvent| {
            let collection = by_address.get(&event.collection);
            collection.is_some_and(|c| c.indexed_block.is_none_or(|b| event.block_number > b))
        };
        let events: Vec<_> = commit.events.iter().filter(new).collect();
        let key = |event: &TokenEvent| -> Option<TokenKey> {
            let collection = by_address.get(&event.collection)?;
            Some((collection.id, event.token_id.to_be_bytes::<32>()))
        };
        let keys: BTreeSet<_> = events.iter().filter_map(|event| key(event)).collect();
        let mut fold = Fold { tokens: self.states(&keys).await?, ..Fold::default() };
        for event in events {
            let (Some(key), Some(collection)) = (key(event), by_address.get(&event.collection))
            else {
                continue;
            };
            let content = content_of(event, collection.codec);
            fold.apply(key, event, content, commit.window_start);
        }
        let (rows, new) = self.content_rows(&named(&fold, commit.now)).await?;
        let mut doubtful = self.doubtful(commit, &fold, &rows, &new);
        if commit.keep_history {
            doubtful.extend(self.former_of(&came_or_went(&fold)).await?);
        }
        self.write_fold(&fold, &rows).await?;
        self.trim_window(commit.chain_id, commit.window_start).await?;
        doubtful.extend(self.advance_finality(commit.chain_id, commit.finalized).await?);
        self.refresh_wanted(&doubtful, commit.keep_history, commit.now).await
    }

    /// Contents of which it must be worked out whether they are wanted: those that were there
    /// before, and new ones that no token has any more. What is new and a token's was written as
    /// wanted.
    fn doubtful(
        &self,
        commit: &Commit<'_>,
        fold: &Fold,
        rows: &Rows,
        new: &BTreeSet<RowId>,
    ) -> BTreeSet<RowId> {
        let old = rows.values().filter(|row| !new.contains(row)).copied();
        let may_be_kept = |former: &&Former| {
            commit.keep_history || Some(former.superseded_block) > commit.finalized
        };
        let former = fold.former.iter().filter(may_be_kept);
        old.chain(former.filter_map(|former| rows.get(&former.content).copied())).collect()
    }

    /// Takes back every block above `ancestor`.
    pub async fn revert_blocks(
        &mut self,
        chain_id: u64,
        ancestor: u64,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let (chain, above) = (int(chain_id), int(ancestor));
        let (mut contents, mut ids) = (BTreeSet::new(), BTreeMap::new());
        let mut fold = Fold::default();
        for collection in self.collections_of(chain_id).await? {
            let before = self.before(collection, above).await?;
            let keys: BTreeSet<TokenKey> = before.keys().map(|id| (collection, *id)).collect();
            let now = self.states(&keys).await?;
            let both = now.values().chain(before.values()).flatten();
            ids.extend(both.filter_map(|state| state.content).map(|content| (content, None)));
            let then = before.into_iter().map(|(id, state)| ((collection, id), state));
            fold.tokens.extend(then);
            let former = "SELECT DISTINCT content_id FROM former_contents
                          WHERE collection_id = $1 AND superseded_block > $2";
            let rows = fetch!(fetch_all, self, (i64,), former, collection, above)?;
            contents.extend(rows.into_iter().map(|(id,)| id));
            for delete in [
                "DELETE FROM former_contents WHERE collection_id = $1 AND superseded_block > $2",
                "DELETE FROM burns WHERE collection_id = $1 AND block_number > $2",
                "DELETE FROM token_undo WHERE collection_id = $1 AND block_number > $2",
            ] {
                execute!(self, delete, collection, above)?;
            }
        }
        if keep_history {
            contents.extend(self.former_of(&fold.tokens.keys().copied().collect()).await?);
        }
        let (rows, _) = self.content_rows(&ids).await?;
        contents.extend(rows.values().copied());
        self.write_fold(&fold, &rows).await?;
        execute!(self, "DELETE FROM blocks WHERE chain_id = $1 AND number > $2", chain, above)?;
        execute!(
            self,
            "UPDATE collections SET indexed_block = $2 WHERE chain_id = $1 AND indexed_block > $2",
            chain,
            above,
        )?;
        // Blocks that come instead are not final because those they replace were.
        execute!(
            self,
            "UPDATE chains SET finalized_block = $2 WHERE chain_id = $1 AND finalized_block > $2",
            chain,
            above,
        )?;
        self.refresh_wanted(&contents, keep_history, now).await
    }

    /// Forgets everything that was read of a collection, so that it is read again from its start.
    pub(super) async fn forget_collection(&mut self, collection: RowId) -> Result<BTreeSet<RowId>> {
        let contents = self.contents_of(collection).await?;
        for delete in [
            "DELETE FROM tokens WHERE collection_id = $1",
            "DELETE FROM former_contents WHERE collection_id = $1",
            "DELETE FROM burns WHERE collection_id = $1",
            "DELETE FROM token_undo WHERE collection_id = $1",
        ] {
            execute!(self, delete, collection)?;
        }
        Ok(contents)
    }

    /// Every content that a token of a collection has, or had.
    pub(super) async fn contents_of(&mut self, collection: RowId) -> Result<BTreeSet<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT content_id FROM tokens WHERE collection_id = $1 AND content_id IS NOT NULL
             UNION SELECT content_id FROM former_contents WHERE collection_id = $1",
            collection,
        )?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Every content that these tokens had.
    async fn former_of(&mut self, keys: &BTreeSet<TokenKey>) -> Result<BTreeSet<RowId>> {
        let mut contents = BTreeSet::new();
        for (collection, ids) in by_collection(keys) {
            let rows = fetch_in!(
                self,
                (i64,),
                {"SELECT DISTINCT content_id FROM former_contents WHERE collection_id = " => collection}
                " AND token_id IN",
                ids,
                ""
            );
            contents.extend(rows.into_iter().map(|(id,)| id));
        }
        Ok(contents)
    }

    async fn collections_of(&mut self, chain_id: u64) -> Result<Vec<RowId>> {
        let select = "SELECT id FROM collections WHERE chain_id = $1 ORDER BY id";
        let rows = fetch!(fetch_all, self, (i64,), select, int(chain_id))?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Tokens as they are; `None` for those that are not.
    async fn states(
        &mut self,
        keys: &BTreeSet<TokenKey>,
    ) -> Result<BTreeMap<TokenKey, Option<State>>> {
        let mut states: BTreeMap<TokenKey, Option<State>> =
            keys.iter().map(|key| (*key, None)).collect();
        for (collection, ids) in by_collection(keys) {
            let rows = fetch_in!(self, StateRow, {"SELECT t.token_id, t.owner, c.codec, c.digest, t.revision, t.frozen,
                        t.minted_block, t.minted_hash, t.content_block, t.content_hash,
                        t.content_time
                     FROM tokens t LEFT JOIN contents c ON c.id = t.content_id
                     WHERE t.collection_id = " => collection} " AND token_id IN", ids, "");
            for row in rows {
                let (id, state) = state(row)?;
                states.insert((collection, id), state);
            }
        }
        Ok(states)
    }

    /// Tokens of a collection as they were before the first block above `above` that touched them.
    async fn before(
        &mut self,
        collection: RowId,
        above: i64,
    ) -> Result<BTreeMap<[u8; 32], Option<State>>> {
        let rows = fetch!(
            fetch_all,
            self,
            StateRow,
            "SELECT u.token_id, u.owner, c.codec, c.digest, u.revision, u.frozen, u.minted_block,
                    u.minted_hash, u.content_block, u.content_hash, u.content_time
             FROM token_undo u LEFT JOIN contents c ON c.id = u.content_id
             WHERE u.collection_id = $1 AND u.block_number > $2
             ORDER BY u.block_number DESC",
            collection,
            above,
        )?;
        // Of several, the first block's is the last to be put here.
        rows.into_iter().map(state).collect()
    }

    async fn write_fold(&mut self, fold: &Fold, rows: &Rows) -> Result<()> {
        let content_of = |state: Option<&State>| {
            state.and_then(|state| state.content).and_then(|content| rows.get(&content).copied())
        };
        self.write_tokens(&fold.tokens, rows).await?;
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
                content_time) ",
            before,
            |row| (
                row.0.1.0,
                row.0.1.1.as_slice(),
                int(row.0.0),
                column(row.1.as_ref(), |it| it.owner.to_vec()),
                content_of(row.1.as_ref()),
                column(row.1.as_ref(), |it| int(it.revision)),
                column(row.1.as_ref(), |it| i64::from(it.frozen)),
                column(row.1.as_ref(), |it| int(it.minted.0)),
                column(row.1.as_ref(), |it| it.minted.1.to_vec()),
                row.1.as_ref().and_then(|it| it.content_set).map(|set| int(set.0)),
                row.1.as_ref().and_then(|it| it.content_set).map(|set| set.1.to_vec()),
                row.1.as_ref().and_then(|it| it.content_time).map(time),
            ),
            " ON CONFLICT DO NOTHING"
        );
        Ok(())
    }

    async fn write_tokens(
        &mut self,
        tokens: &BTreeMap<TokenKey, Option<State>>,
        rows: &Rows,
    ) -> Result<()> {
        let gone = tokens.iter().filter(|(_, state)| state.is_none());
        for ((collection, id), _) in gone {
            let delete = "DELETE FROM tokens WHERE collection_id = $1 AND token_id = $2";
            execute!(self, delete, *collection, id.as_slice())?;
        }
        let live: Vec<(&TokenKey, &State)> =
            tokens.iter().filter_map(|(key, state)| Some((key, state.as_ref()?))).collect();
        insert_rows!(
            self,
            "INSERT INTO tokens (collection_id, token_id, owner, content_id, revision, frozen,
                minted_block, minted_hash, content_block, content_hash, content_time) ",
            live,
            |row| (
                row.0.0,
                row.0.1.as_slice(),
                row.1.owner.as_slice(),
                row.1.content.and_then(|content| rows.get(&content).copied()),
                int(row.1.revision),
                i64::from(row.1.frozen),
                int(row.1.minted.0),
                row.1.minted.1.as_slice(),
                row.1.content_set.map(|set| int(set.0)),
                row.1.content_set.map(|set| set.1.to_vec()),
                row.1.content_time.map(time),
            ),
            " ON CONFLICT (collection_id, token_id) DO UPDATE SET owner = excluded.owner,
                content_id = excluded.content_id, revision = excluded.revision,
                frozen = excluded.frozen, minted_block = excluded.minted_block,
                minted_hash = excluded.minted_hash, content_block = excluded.content_block,
                content_hash = excluded.content_hash, content_time = excluded.content_time"
        );
        Ok(())
    }

    /// What is too deep for a reorg is forgotten.
    async fn trim_window(&mut self, chain_id: u64, start: u64) -> Result<()> {
        let blocks = "DELETE FROM blocks WHERE chain_id = $1 AND number < $2";
        execute!(self, blocks, int(chain_id), int(start))?;
        let undo = "DELETE FROM token_undo WHERE block_number < $2
                    AND collection_id IN (SELECT id FROM collections WHERE chain_id = $1)";
        execute!(self, undo, int(chain_id), int(start))?;
        Ok(())
    }

    /// Moves the checkpoints on, if they are where the reader of this stretch saw them: another
    /// process may have gone on, or back, meanwhile.
    async fn advance_checkpoints(&mut self, commit: &Commit<'_>) -> Result<()> {
        for collection in commit.collections {
            let seen = collection.indexed_block.map(int);
            let moved = execute!(
                self,
                "UPDATE collections SET indexed_block = $2
                 WHERE id = $1 AND (indexed_block = $3 OR ($3 IS NULL AND indexed_block < start_block))",
                collection.id,
                int(commit.to),
                seen,
            )?;
            if moved == 0 {
                return Err(LedgerError::Unlinked(commit.to));
            }
        }
        Ok(())
    }

    /// Puts blocks into the window, unless they are of another chain than those in it: then a
    /// reorg came between the look at the window and now, and must be followed first.
    async fn insert_blocks(&mut self, chain_id: u64, blocks: &[BlockRef]) -> Result<()> {
        let known = self.window(chain_id).await?;
        let mut known: BTreeMap<u64, B256> =
            known.into_iter().map(|block| (block.number, block.hash)).collect();
        for block in blocks {
            let below = block.number.checked_sub(1).and_then(|number| known.get(&number));
            let linked = below.is_none_or(|hash| *hash == block.parent_hash);
            let same = known.get(&block.number).is_none_or(|hash| *hash == block.hash);
            if !linked || !same {
                return Err(LedgerError::Unlinked(block.number));
            }
            known.insert(block.number, block.hash);
            execute!(
                self,
                "INSERT INTO blocks (chain_id, number, hash, parent_hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                int(chain_id),
                int(block.number),
                block.hash.as_slice(),
                block.parent_hash.as_slice(),
            )?;
        }
        Ok(())
    }

    /// Moves finality on; gives the contents that an update replaced for good thereby.
    async fn advance_finality(
        &mut self,
        chain_id: u64,
        finalized: Option<u64>,
    ) -> Result<Vec<RowId>> {
        let Some(new) = finalized.map(int) else {
            return Ok(Vec::new());
        };
        let old = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT finalized_block FROM chains WHERE chain_id = $1",
            int(chain_id),
        )?
        .0;
        if new <= old {
            return Ok(Vec::new());
        }
        let update = "UPDATE chains SET finalized_block = $2 WHERE chain_id = $1";
        execute!(self, update, int(chain_id), new)?;
        let ids = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT DISTINCT content_id FROM former_contents
             WHERE superseded_block > $1 AND superseded_block <= $2",
            old,
            new,
        )?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}

/// The ids of tokens, by collection.
fn by_collection(keys: &BTreeSet<TokenKey>) -> BTreeMap<RowId, Vec<&[u8]>> {
    let mut all: BTreeMap<RowId, Vec<&[u8]>> = BTreeMap::new();
    for (collection, id) in keys {
        all.entry(*collection).or_default().push(id);
    }
    all
}

/// Tokens that a stretch ended or, perhaps again, began: what they had is kept for as long as they
/// live.
fn came_or_went(fold: &Fold) -> BTreeSet<TokenKey> {
    fold.ended.iter().map(|ended| ended.token).chain(fold.began.iter().copied()).collect()
}

/// Every content that a fold names; those that tokens have now are wanted, since they were set.
fn named(fold: &Fold, now: Millis) -> BTreeMap<ContentId, Option<Millis>> {
    let former = fold.former.iter().map(|former| former.content);
    let before = fold.before.values().flatten().filter_map(|state| state.content);
    let mut named: BTreeMap<_, _> = former.chain(before).map(|content| (content, None)).collect();
    for state in fold.tokens.values().flatten() {
        let Some(content) = state.content else { continue };
        let set = state.content_time.map_or(now, |seconds| time(seconds).saturating_mul(1000));
        let since = named.entry(content).or_insert(None);
        *since = (*since).max(Some(set.min(now)));
    }
    named
}

fn content_of(event: &TokenEvent, codec: Codec) -> Option<ContentId> {
    match event.kind {
        TokenEventKind::Content { digest, .. } => Some(ContentId::new(codec, digest)),
        _ => None,
    }
}

fn time(seconds: u64) -> i64 {
    int(seconds.min(MAX_TIME))
}
