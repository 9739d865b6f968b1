//! Commit and revert: the two words by which the ledger follows a chain.
//!
//! Events are folded into tokens. Of each block that a reorg may still take back, the tokens that it
//! touched are kept as they were before: so taking blocks back brings those back, and the result is
//! that of never having seen the blocks.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use alloy::primitives::{B256, map::AddressMap};

use super::{
    LedgerError, Millis, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    execute, fetch,
    fold::{Fold, Former, State, TokenKey},
    int,
    spread::spread,
    states::{Rows, by_collection, time},
};
use crate::{
    chain::{BlockRef, TokenEvent, TokenEventKind},
    content::{Codec, ContentId},
};

/// A stretch of the chain, ready to be written with its checkpoint.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Chain it belongs to.
    pub chain_id: u64,
    /// Collections whose checkpoint moves to `to`, with their codecs; of those that begin above it,
    /// it stays.
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

/// The collections of a stretch, by their contracts.
pub(super) type ByAddress<'a> = AddressMap<&'a super::Collection>;

/// Every content that a token of a collection (`$1`) has, or had, or refers to in its URI itself, or
/// that is kept until it is read again.
macro_rules! contents_of_sql {
    () => {
        "SELECT content_id FROM tokens WHERE collection_id = $1 AND content_id IS NOT NULL
         UNION SELECT content_id FROM former_contents WHERE collection_id = $1
         UNION SELECT content_id FROM kept_contents WHERE collection_id = $1
         UNION SELECT content_id FROM token_uris
            WHERE collection_id = $1 AND LENGTH(token_id) = 0 AND content_id IS NOT NULL
         UNION SELECT l.child_id FROM token_uris u JOIN links l ON l.parent_id = u.document_id
            WHERE u.collection_id = $1 AND l.child_id IS NOT NULL"
    };
}
pub(super) use contents_of_sql;

impl Tx {
    /// Writes a stretch of the chain and the checkpoint after it. [`LedgerError::Unlinked`] where
    /// its blocks do not follow those in the window.
    pub async fn commit_blocks(&mut self, commit: &Commit<'_>) -> Result<()> {
        self.alone().await?;
        if commit.to < commit.window_start {
            // Many of these follow each other, and nobody is told of them one by one.
            self.need_not_last().await?;
        }
        self.advance_checkpoints(commit).await?;
        self.insert_blocks(commit.chain_id, commit.blocks).await?;
        let by_address: ByAddress<'_> = commit.collections.iter().map(|c| (c.address, c)).collect();
        // What was committed before is not folded again, nor is what came before its first block.
        let new = |event: &&TokenEvent| {
            let collection = by_address.get(&event.collection);
            collection.is_some_and(|c| event.block_number >= c.next_block())
        };
        let (made, events): (Vec<_>, Vec<_>) = commit
            .events
            .iter()
            .filter(new)
            .partition(|event| matches!(event.kind, TokenEventKind::Created(_)));
        if events.iter().any(|event| matches!(event.kind, TokenEventKind::TransferRange { .. })) {
            self.plan_anew().await?;
        }
        let mut doubtful = BTreeSet::new();
        for piece in spread(&events) {
            doubtful.append(&mut self.commit_piece(commit, &by_address, &piece).await?);
        }
        self.mark_changed(&by_address, &events).await?;
        self.count_odd_logs(&by_address, &events).await?;
        doubtful.append(&mut self.commit_creations(&by_address, &made).await?);
        self.trim_window(commit.chain_id, commit.window_start).await?;
        doubtful.extend(self.advance_finality(commit.chain_id, commit.finalized).await?);
        self.refresh_wanted(&doubtful, commit.keep_history, commit.now).await
    }

    /// Writes some of the events of a stretch; gives the contents of which it must be worked out
    /// whether they are wanted.
    async fn commit_piece(
        &mut self,
        commit: &Commit<'_>,
        by_address: &ByAddress<'_>,
        events: &[Cow<'_, TokenEvent>],
    ) -> Result<BTreeSet<RowId>> {
        let key = |event: &TokenEvent| -> Option<TokenKey> {
            let collection = by_address.get(&event.collection)?;
            Some((collection.id, event.token_id.to_be_bytes::<32>()))
        };
        let keys: BTreeSet<_> = events.iter().filter_map(|event| key(event)).collect();
        let mut rows = Rows::new();
        let tokens = self.states(&keys, &mut rows).await?;
        let known = known_of(&tokens);
        let foreign = commit.collections.iter().filter(|c| c.standard.is_foreign()).map(|c| c.id);
        let mut fold = Fold { tokens, foreign: foreign.collect(), ..Fold::default() };
        for event in events {
            let (Some(key), Some(collection)) = (key(event), by_address.get(&event.collection))
            else {
                continue;
            };
            let content = content_of(event, collection.codec);
            fold.apply(key, event, content, commit.window_start);
        }
        let mut named = named(&fold, commit.now);
        named.retain(|content, _| !rows.contains_key(content));
        let (others, new) = self.content_rows(&named).await?;
        rows.extend(others);
        let mut doubtful = doubtful(commit, &fold, &rows, &new);
        if commit.keep_history {
            doubtful.extend(self.former_of(&keys).await?);
        }
        self.write_fold(&fold, &known, &rows).await?;
        doubtful.append(&mut self.follow_uris(&fold, commit.now).await?);
        Ok(doubtful)
    }

    /// Takes back every block above `ancestor`. Halted collections stay as they are.
    pub async fn revert_blocks(
        &mut self,
        chain_id: u64,
        ancestor: u64,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let (chain, above) = (int(chain_id), int(ancestor));
        let (mut contents, mut rows) = (BTreeSet::new(), Rows::new());
        let (mut fold, mut known) = (Fold::default(), BTreeSet::new());
        for collection in self.touched_above(chain, above).await? {
            let before = self.before(collection, above, &mut rows).await?;
            let keys: BTreeSet<TokenKey> = before.keys().map(|id| (collection, *id)).collect();
            // What they have now may be wanted no longer.
            known.append(&mut known_of(&self.states(&keys, &mut rows).await?));
            let then = before.into_iter().map(|(id, state)| ((collection, id), state));
            fold.tokens.extend(then);
            let former = "SELECT DISTINCT content_id FROM former_contents
                          WHERE collection_id = $1 AND superseded_block > $2";
            let former = fetch!(fetch_all, self, (i64,), former, collection, above)?;
            contents.extend(former.into_iter().map(|(id,)| id));
            self.doubt_former(collection, above).await?;
            for delete in [
                "DELETE FROM former_contents
                 WHERE collection_id = $1 AND superseded_block > $2 AND revision >= 0",
                "DELETE FROM burns WHERE collection_id = $1 AND block_number > $2",
                "DELETE FROM token_undo WHERE collection_id = $1 AND block_number > $2",
            ] {
                execute!(self, delete, collection, above)?;
            }
        }
        if keep_history {
            contents.extend(self.former_of(&fold.tokens.keys().copied().collect()).await?);
        }
        contents.extend(rows.values().copied());
        self.write_fold(&fold, &known, &rows).await?;
        contents.append(&mut self.revert_uris(&fold, chain, above, now).await?);
        execute!(self, "DELETE FROM blocks WHERE chain_id = $1 AND number > $2", chain, above)?;
        execute!(
            self,
            "UPDATE collections SET indexed_block = $2
             WHERE chain_id = $1 AND indexed_block > $2 AND halted_at IS NULL",
            chain,
            above,
        )?;
        contents.append(&mut self.revert_creations(chain, above).await?);
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
    pub(super) async fn forget_collection(&mut self, collection: RowId) -> Result<()> {
        for delete in [
            "DELETE FROM tokens WHERE collection_id = $1",
            "DELETE FROM former_contents WHERE collection_id = $1",
            "DELETE FROM burns WHERE collection_id = $1",
            "DELETE FROM token_undo WHERE collection_id = $1",
            "DELETE FROM token_uris WHERE collection_id = $1 AND LENGTH(token_id) > 0",
            // The collection's own is read again; what it names stays until then.
            "UPDATE token_uris SET due_at = 0, read_block = NULL, read_hash = NULL
             WHERE collection_id = $1",
            "DELETE FROM odd_logs WHERE collection_id = $1",
        ] {
            execute!(self, delete, collection)?;
        }
        Ok(())
    }

    /// Every content that a token of a collection has, or had, or refers to in its URI itself, or
    /// that is kept until it is read again.
    pub(super) async fn contents_of(&mut self, collection: RowId) -> Result<BTreeSet<RowId>> {
        let rows = fetch!(fetch_all, self, (i64,), contents_of_sql!(), collection,)?;
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

    /// The collections of which something was written above a block, but for halted ones.
    async fn touched_above(&mut self, chain: i64, above: i64) -> Result<Vec<RowId>> {
        let select = "SELECT id FROM collections
            WHERE chain_id = $1 AND halted_at IS NULL AND id IN (
                SELECT collection_id FROM token_undo WHERE block_number > $2
                UNION SELECT collection_id FROM former_contents WHERE superseded_block > $2
                UNION SELECT collection_id FROM burns WHERE block_number > $2)
            ORDER BY id";
        let rows = fetch!(fetch_all, self, (i64,), select, chain, above)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// What is too deep for a reorg is forgotten, but for the blocks that collections were read up
    /// to: by them a reorg is seen that came while a backfill was interrupted.
    async fn trim_window(&mut self, chain_id: u64, start: u64) -> Result<()> {
        let blocks = "DELETE FROM blocks WHERE chain_id = $1 AND number < $2
                      AND number NOT IN (SELECT indexed_block FROM collections
                                         WHERE chain_id = $1 AND halted_at IS NULL)";
        execute!(self, blocks, int(chain_id), int(start))?;
        let undo = "DELETE FROM token_undo WHERE block_number < $2
                    AND collection_id IN (SELECT id FROM collections WHERE chain_id = $1)";
        execute!(self, undo, int(chain_id), int(start))?;
        Ok(())
    }

    /// Moves the checkpoints on, if they are where the reader of this stretch saw them: another
    /// process may have gone on, or back, meanwhile.
    async fn advance_checkpoints(&mut self, commit: &Commit<'_>) -> Result<()> {
        let mut seen: BTreeMap<Option<u64>, Vec<RowId>> = BTreeMap::new();
        let begun = commit.collections.iter().filter(|c| c.next_block() <= commit.to);
        begun.for_each(|c| seen.entry(c.indexed_block).or_default().push(c.id));
        for (at, ids) in seen {
            let moved = self.move_checkpoints(&ids, at.map(int), int(commit.to)).await?;
            if moved != ids.len() as u64 {
                return Err(LedgerError::Unlinked(commit.to));
            }
        }
        Ok(())
    }

    /// Moves those of these collections on that stand at a block, or have not begun; gives how many.
    async fn move_checkpoints(&mut self, ids: &[RowId], from: Option<i64>, to: i64) -> Result<u64> {
        macro_rules! update {
            ($among:literal) => {
                concat!(
                    "UPDATE collections SET indexed_block = $2 WHERE halted_at IS NULL
                     AND (indexed_block = $3 OR ($3 IS NULL AND indexed_block < start_block))
                     AND id IN ",
                    $among
                )
            };
        }
        Ok(match self {
            Self::Sqlite(c) => {
                let ids = serde_json::json!(ids).to_string();
                let moved = sqlx::query(update!("(SELECT value FROM json_each($1))"));
                moved.bind(ids).bind(to).bind(from).execute(&mut **c).await?.rows_affected()
            }
            Self::Postgres(c) => {
                let moved = sqlx::query(update!("(SELECT UNNEST($1))"));
                moved.bind(ids).bind(to).bind(from).execute(&mut **c).await?.rows_affected()
            }
        })
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
        }
        insert_rows!(
            self,
            "INSERT INTO blocks (chain_id, number, hash, parent_hash, block_time) ",
            blocks,
            |block| (
                int(chain_id),
                int(block.number),
                block.hash.as_slice(),
                block.parent_hash.as_slice(),
                block.time.map(time),
            ),
            " ON CONFLICT DO NOTHING"
        );
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
             WHERE superseded_block > $1 AND superseded_block <= $2
               AND collection_id IN (SELECT id FROM collections WHERE chain_id = $3)",
            old,
            new,
            int(chain_id),
        )?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}

/// Those of the tokens that are.
fn known_of(tokens: &BTreeMap<TokenKey, Option<State>>) -> BTreeSet<TokenKey> {
    tokens.iter().filter(|(_, state)| state.is_some()).map(|(key, _)| *key).collect()
}

/// Contents of which it must be worked out whether they are wanted: those that were there
/// before, and new ones that no token has any more. What is new and a token's was written as
/// wanted.
fn doubtful(
    commit: &Commit<'_>,
    fold: &Fold,
    rows: &Rows,
    new: &BTreeSet<RowId>,
) -> BTreeSet<RowId> {
    let old = rows.values().filter(|row| !new.contains(row)).copied();
    let may_be_kept =
        |former: &&Former| commit.keep_history || Some(former.superseded_block) > commit.finalized;
    let former = fold.former.iter().filter(may_be_kept);
    old.chain(former.filter_map(|former| rows.get(&former.content).copied())).collect()
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

fn content_of(event: &TokenEvent, codec: Option<Codec>) -> Option<ContentId> {
    match event.kind {
        TokenEventKind::Content { digest, .. } => Some(ContentId::new(codec?, digest)),
        _ => None,
    }
}
