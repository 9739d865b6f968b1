//! What the chain's events mean for URIs: which come to be, end, or must be read again.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Millis, Result, RowId, Tx,
        bulk::{fetch_in, insert_rows},
        execute, fetch,
        fold::{Fold, State, TokenKey},
        follow::ByAddress,
        int,
        states::{by_collection, time},
    },
    UriState,
};
use crate::chain::{TokenEvent, TokenEventKind};

/// Ranges of changed metadata that are marked one by one in a collection and a stretch; where there
/// are more, one range around all of them is.
const RANGES: usize = 64;

/// The first and the last of some tokens, most significant bytes first.
type Range = ([u8; 32], [u8; 32]);

/// In the place of a revision: what was seen to replace this content was taken back.
pub(super) const TAKEN_BACK: i64 = -1;

impl Tx {
    /// Begins and ends URIs with their tokens, in collections that are not ours; gives the contents
    /// that only ended ones may have wanted.
    pub(in super::super) async fn follow_uris(
        &mut self,
        fold: &Fold,
        now: Millis,
    ) -> Result<BTreeSet<RowId>> {
        let is_foreign = |(key, _): &(&TokenKey, &Option<State>)| fold.foreign.contains(&key.0);
        let tokens = fold.tokens.iter().filter(is_foreign);
        let (mut begun, mut gone) = (Vec::new(), BTreeSet::new());
        for (key, state) in tokens {
            match state {
                None => drop(gone.insert(*key)),
                Some(state) if fold.begun.contains(key) => {
                    let minted = state.content_time.map_or(now, |at| time(at).saturating_mul(1000));
                    begun.push((*key, minted.min(now)));
                }
                Some(_) => {}
            }
        }
        self.begin_uris(&begun).await?;
        let ends: BTreeMap<TokenKey, u64> =
            fold.ended.iter().map(|end| (end.token, end.block.0)).collect();
        self.keep_children(&ends, &gone).await?;
        let mut contents = self.end_doubts(&ends, &gone).await?;
        contents.append(&mut self.end_uris(&gone).await?);
        Ok(contents)
    }

    /// What stayed wanted until the URIs of tokens were read again, which have ended since, was theirs
    /// until the block they ended in; gives it.
    async fn end_doubts(
        &mut self,
        ends: &BTreeMap<TokenKey, u64>,
        gone: &BTreeSet<TokenKey>,
    ) -> Result<BTreeSet<RowId>> {
        let mut contents = BTreeSet::new();
        let mut former = Vec::new();
        for (collection, ids) in by_collection(gone) {
            let doubted = fetch_in!(
                self,
                (Vec<u8>, i64),
                {"DELETE FROM former_contents WHERE revision = " => TAKEN_BACK, " AND collection_id = " => collection}
                " AND token_id IN",
                ids,
                "RETURNING token_id, content_id"
            );
            for (id, content) in doubted {
                contents.insert(content);
                let key = <[u8; 32]>::try_from(id.as_slice()).ok().map(|id| (collection, id));
                if let Some(block) = key.and_then(|key| ends.get(&key)) {
                    former.push((collection, id, int(*block), content));
                }
            }
        }
        self.insert_former(&former).await?;
        Ok(contents)
    }

    /// What documents in the URIs of ended tokens refer to was theirs until the block they ended in.
    async fn keep_children(
        &mut self,
        ends: &BTreeMap<TokenKey, u64>,
        gone: &BTreeSet<TokenKey>,
    ) -> Result<()> {
        let mut former = Vec::new();
        for (collection, ids) in by_collection(gone) {
            let children = fetch_in!(
                self,
                (Vec<u8>, i64),
                {"SELECT u.token_id, l.child_id FROM token_uris u JOIN links l ON l.parent_id = u.document_id
                  WHERE l.child_id IS NOT NULL AND u.collection_id = " => collection}
                " AND u.token_id IN",
                ids,
                ""
            );
            for (id, child) in children {
                let key = <[u8; 32]>::try_from(id.as_slice()).ok().map(|id| (collection, id));
                if let Some(block) = key.and_then(|key| ends.get(&key)) {
                    former.push((collection, id, int(*block), child));
                }
            }
        }
        self.insert_former(&former).await
    }

    /// Writes down what tokens had until a block: collection, token, block, content.
    async fn insert_former(&mut self, former: &[(RowId, Vec<u8>, i64, RowId)]) -> Result<()> {
        insert_rows!(
            self,
            "INSERT INTO former_contents
                (collection_id, token_id, superseded_block, revision, content_id) ",
            former,
            |row| (row.0, row.1.as_slice(), row.2, 0_i64, row.3),
            " ON CONFLICT DO NOTHING"
        );
        Ok(())
    }

    /// The same where blocks were taken back: tokens that they touched are read again, and so is what
    /// was read at them.
    pub(in super::super) async fn revert_uris(
        &mut self,
        fold: &Fold,
        chain: i64,
        above: i64,
        now: Millis,
    ) -> Result<BTreeSet<RowId>> {
        let select = "SELECT id FROM collections WHERE chain_id = $1 AND standard <> 'everhold'";
        let rows = fetch!(fetch_all, self, (i64,), select, chain)?;
        let foreign: BTreeSet<RowId> = rows.into_iter().map(|(id,)| id).collect();
        let tokens = fold.tokens.iter().filter(|((collection, _), _)| foreign.contains(collection));
        let (mut back, mut gone) = (Vec::new(), BTreeSet::new());
        for (key, state) in tokens {
            match state {
                None => drop(gone.insert(*key)),
                Some(_) => back.push((*key, now)),
            }
        }
        self.begin_uris(&back).await?;
        let update = "UPDATE token_uris SET due_at = 0, read_block = NULL, read_hash = NULL
                      WHERE read_block > $2 AND collection_id IN (
                        SELECT id FROM collections WHERE chain_id = $1)";
        execute!(self, update, chain, above)?;
        let contents = self.end_uris(&gone).await?;
        let never = "DELETE FROM former_contents
                     WHERE revision = $2 AND collection_id IN (
                            SELECT id FROM collections WHERE chain_id = $1)
                        AND NOT EXISTS (SELECT 1 FROM token_uris u
                            WHERE u.collection_id = former_contents.collection_id
                              AND u.token_id = former_contents.token_id)";
        execute!(self, never, chain, TAKEN_BACK)?;
        Ok(contents)
    }

    /// What URIs of a collection named until blocks above `above`, which are taken back: it stays
    /// wanted until they are read again.
    pub(in super::super) async fn doubt_former(
        &mut self,
        collection: RowId,
        above: i64,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO former_contents
                (collection_id, token_id, superseded_block, revision, content_id)
             SELECT DISTINCT collection_id, token_id, superseded_block, CAST($3 AS BIGINT), content_id
             FROM former_contents f
             WHERE f.collection_id = $1 AND f.superseded_block > $2 AND f.revision >= 0 AND (
                LENGTH(f.token_id) = 0 OR EXISTS (SELECT 1 FROM collections c
                    WHERE c.id = f.collection_id AND c.standard <> 'everhold'))
             ON CONFLICT DO NOTHING",
            collection,
            above,
            TAKEN_BACK,
        )?;
        Ok(())
    }

    /// Makes the URIs of these tokens due, each there since a moment.
    async fn begin_uris(&mut self, tokens: &[(TokenKey, Millis)]) -> Result<()> {
        insert_rows!(
            self,
            "INSERT INTO token_uris (collection_id, token_id, state, since, due_at) ",
            tokens,
            |row| (row.0.0, row.0.1.as_slice(), UriState::New.as_str(), row.1, 0_i64),
            " ON CONFLICT (collection_id, token_id) DO UPDATE SET due_at = 0"
        );
        Ok(())
    }

    /// Forgets the URIs of these tokens; gives what their documents refer to.
    async fn end_uris(&mut self, tokens: &BTreeSet<TokenKey>) -> Result<BTreeSet<RowId>> {
        let mut contents = BTreeSet::new();
        for (collection, ids) in by_collection(tokens) {
            let children = fetch_in!(
                self,
                (i64,),
                {"SELECT DISTINCT l.child_id FROM token_uris u JOIN links l ON l.parent_id = u.document_id
                  WHERE l.child_id IS NOT NULL AND u.collection_id = " => collection}
                " AND u.token_id IN",
                ids,
                ""
            );
            contents.extend(children.into_iter().map(|(id,)| id));
            fetch_in!(
                self,
                (i64,),
                {"DELETE FROM token_uris WHERE collection_id = " => collection}
                " AND token_id IN",
                ids,
                "RETURNING collection_id"
            );
        }
        Ok(contents)
    }

    /// Makes URIs due whose metadata the contract says it changed.
    pub(in super::super) async fn mark_changed(
        &mut self,
        collections: &ByAddress<'_>,
        events: &[&TokenEvent],
    ) -> Result<()> {
        let mut changed: BTreeMap<RowId, BTreeSet<Range>> = BTreeMap::new();
        let mut own = BTreeSet::new();
        for event in events {
            let Some(collection) = collections.get(&event.collection) else { continue };
            let last = match &event.kind {
                TokenEventKind::MetadataChanged { last } => last,
                TokenEventKind::OwnMetadataChanged => {
                    own.insert(collection.id);
                    continue;
                }
                _ => continue,
            };
            let range = (event.token_id.to_be_bytes(), last.to_be_bytes());
            changed.entry(collection.id).or_default().insert(range);
        }
        for collection in own {
            self.begin_own_uri(collection).await?;
        }
        for (collection, ranges) in changed {
            let (single, mut long): (Vec<Range>, Vec<Range>) =
                ranges.into_iter().partition(|(first, last)| first == last);
            if long.len() > RANGES {
                let first = long.iter().map(|range| range.0).min();
                let last = long.iter().map(|range| range.1).max();
                long = first.zip(last).into_iter().collect();
            }
            for (first, last) in long {
                let update = "UPDATE token_uris SET due_at = 0
                              WHERE collection_id = $1 AND token_id >= $2 AND token_id <= $3
                                AND (due_at IS NULL OR due_at > 0)";
                execute!(self, update, collection, first.as_slice(), last.as_slice())?;
            }
            let single: Vec<&[u8]> = single.iter().map(|(id, _)| id.as_slice()).collect();
            fetch_in!(
                self,
                (i64,),
                {"UPDATE token_uris SET due_at = 0 WHERE collection_id = " => collection}
                " AND token_id IN",
                single,
                "RETURNING collection_id"
            );
        }
        Ok(())
    }
}
