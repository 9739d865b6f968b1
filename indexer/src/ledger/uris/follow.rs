//! What the chain's events mean for URIs: which come to be, end, or must be read again.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Millis, Result, RowId, Tx,
        bulk::{fetch_in, insert_rows},
        execute, fetch,
        fold::{Fold, State, TokenKey},
        follow::ByAddress,
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
        self.end_uris(&gone).await
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
        let update = "UPDATE token_uris SET due_at = 0 WHERE read_block > $2 AND collection_id IN (
                        SELECT id FROM collections WHERE chain_id = $1)";
        execute!(self, update, chain, above)?;
        self.end_uris(&gone).await
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
        for event in events {
            let (TokenEventKind::MetadataChanged { last }, Some(collection)) =
                (&event.kind, collections.get(&event.collection))
            else {
                continue;
            };
            let range = (event.token_id.to_be_bytes(), last.to_be_bytes());
            changed.entry(collection.id).or_default().insert(range);
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
