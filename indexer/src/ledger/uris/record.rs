//! What was read of URIs, written down.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;

use super::{
    super::{
        LedgerError, Millis, Result, RowId, Tx, bulk::fetch_in, execute, fetch, fold::TokenKey,
        int, states::by_collection, text,
    },
    Meaning, Target, UriState,
};
use crate::{chain::BlockRef, content::Digest};

/// A URI that was read.
#[derive(Clone, Debug)]
pub struct UriRecord {
    /// The collection.
    pub collection: RowId,
    /// The token.
    pub token: U256,
    /// What it was found to mean.
    pub meaning: Meaning,
}

/// URIs that were read at a block.
#[derive(Clone, Copy, Debug)]
pub struct UriReading<'a> {
    /// Chain of the block.
    pub chain_id: u64,
    /// The block.
    pub block: BlockRef,
    /// What was read.
    pub records: &'a [UriRecord],
    /// Until when they were taken. What became due meanwhile stays so.
    pub lease: Option<Millis>,
    /// What gave no URI is asked for again after so many milliseconds, twice as many the next time, up
    /// to `recheck`.
    pub retry: Millis,
    /// The longest of these; 0 leaves it to the collection's own turn.
    pub recheck: Millis,
    /// Whether content of earlier revisions stays wanted.
    pub keep_history: bool,
    /// The time now.
    pub now: Millis,
}

/// A row of `token_uris` with its token's content.
type Before =
    (Vec<u8>, String, Option<Vec<u8>>, Option<String>, Option<i64>, Option<i64>, Option<i64>, i64);

/// How a URI stood.
struct Known {
    state: UriState,
    answer: Option<Vec<u8>>,
    problem: Option<String>,
    document: Option<RowId>,
    content: Option<RowId>,
    /// The content of the token itself, which a reorg may have brought back.
    of_token: Option<RowId>,
    failures: i64,
}

impl Known {
    /// Whether it means what it meant.
    fn is(&self, meaning: &Meaning) -> bool {
        let same = match (&self.answer, meaning.answer, &meaning.target) {
            (Some(before), Some(Digest(now)), _) => before.as_slice() == now,
            (None, None, Target::Unverifiable(why)) => self.problem.as_deref() == Some(why),
            _ => false,
        };
        same && self.state != UriState::New && self.of_token == self.content
    }
}

impl Tx {
    /// Writes down what was read; gives how many URIs mean something else than before.
    ///
    /// # Errors
    /// [`LedgerError::Unlinked`], where the block is no longer in the window: a reorg took it back.
    pub async fn record_uris(&mut self, reading: &UriReading<'_>) -> Result<u64> {
        self.alone().await?;
        let select = "SELECT number FROM blocks WHERE chain_id = $1 AND number = $2 AND hash = $3";
        let (chain, number) = (int(reading.chain_id), int(reading.block.number));
        let hash = reading.block.hash.as_slice();
        if fetch!(fetch_optional, self, (i64,), select, chain, number, hash)?.is_none() {
            return Err(LedgerError::Unlinked(reading.block.number));
        }
        let keys: BTreeSet<TokenKey> =
            reading.records.iter().map(|one| (one.collection, one.token.to_be_bytes())).collect();
        let known = self.known_uris(&keys).await?;
        let (mut doubtful, mut same, mut changed) = (BTreeSet::new(), BTreeSet::new(), 0);
        for record in reading.records {
            let key = (record.collection, record.token.to_be_bytes());
            // Burned meanwhile.
            let Some(before) = known.get(&key) else { continue };
            // What was read is read again with its collection, whether it proves anything or not.
            let unread = record.meaning.class.is_none();
            let is_same = before.is(&record.meaning);
            if is_same && (!unread || reading.lease.is_none()) {
                same.insert(key);
                continue;
            }
            if !is_same {
                changed += 1;
                self.change_uri(&key, before, record, reading, &mut doubtful).await?;
            }
            let failures = match (unread, is_same) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => before.failures + 1,
            };
            self.settle_uri(&key, failures, reading).await?;
        }
        self.settle_same(&same, reading).await?;
        self.refresh_wanted(&doubtful, reading.keep_history, reading.now).await?;
        Ok(changed)
    }

    async fn known_uris(&mut self, keys: &BTreeSet<TokenKey>) -> Result<BTreeMap<TokenKey, Known>> {
        let mut known = BTreeMap::new();
        for (collection, ids) in by_collection(keys) {
            let rows = fetch_in!(
                self,
                Before,
                {"SELECT u.token_id, u.state, u.answer, u.problem, u.document_id, u.content_id,
                         t.content_id, u.failures
                  FROM token_uris u JOIN tokens t
                    ON t.collection_id = u.collection_id AND t.token_id = u.token_id
                  WHERE u.collection_id = " => collection}
                " AND u.token_id IN",
                ids,
                ""
            );
            for (id, state, answer, problem, document, content, of_token, failures) in rows {
                let Ok(id) = <[u8; 32]>::try_from(id) else { continue };
                let state = UriState::parse(&state)?;
                let row = Known { state, answer, problem, document, content, of_token, failures };
                known.insert((collection, id), row);
            }
        }
        Ok(known)
    }

    /// Writes down that a URI means something else than before.
    async fn change_uri(
        &mut self,
        key: &TokenKey,
        before: &Known,
        record: &UriRecord,
        reading: &UriReading<'_>,
        doubtful: &mut BTreeSet<RowId>,
    ) -> Result<()> {
        let meaning = &record.meaning;
        doubtful.extend(before.of_token.iter().chain(&before.content));
        if let Some(document) = before.document {
            doubtful.append(&mut self.children_of(document).await?);
        }
        let (mut content, mut document, mut problem, mut path) = (None, None, None, None);
        let state = match &meaning.target {
            Target::Content(id) => {
                content = Some(self.content_row(*id).await?);
                UriState::Content
            }
            Target::Document { id, .. } => {
                document = Some(self.content_row(*id).await?);
                UriState::Document
            }
            Target::Path => {
                // The same path leads to the same content, though a reorg made us look again.
                let answer = meaning.answer.map(|answer| answer.0.to_vec());
                content = before.content.filter(|_| answer.is_some() && before.answer == answer);
                path = content.is_none().then_some(0_i64);
                UriState::Path
            }
            Target::Unverifiable(why) => {
                problem = Some(text(why));
                UriState::Unverifiable
            }
        };
        doubtful.extend(content);
        execute!(
            self,
            "UPDATE token_uris SET state = $3, answer = $4, uri = $5, class = $6, problem = $7,
                document_id = $8, content_id = $9, read_block = $10, read_hash = $11,
                path_due = $12, failures = 0,
                since = CASE WHEN state = 'new' THEN since ELSE $13 END
             WHERE collection_id = $1 AND token_id = $2",
            key.0,
            key.1.as_slice(),
            state.as_str(),
            meaning.answer.map(|answer| answer.0.to_vec()),
            meaning.uri.as_deref().map(text),
            meaning.class.map(|class| class.as_str()),
            problem,
            document,
            content,
            int(reading.block.number),
            reading.block.hash.as_slice(),
            path,
            reading.now,
        )?;
        self.set_content(key, before.of_token, content, reading.now).await?;
        if let (Some(row), Target::Document { metadata, .. }) = (document, &meaning.target) {
            self.record_document(row, metadata, reading.now).await?;
            doubtful.append(&mut self.children_of(row).await?);
        }
        Ok(())
    }

    /// Gives a token its content. One that had another gets its grace anew.
    pub(in super::super) async fn set_content(
        &mut self,
        key: &TokenKey,
        before: Option<RowId>,
        content: Option<RowId>,
        now: Millis,
    ) -> Result<()> {
        if before == content {
            return Ok(());
        }
        execute!(
            self,
            "UPDATE tokens SET content_id = $3,
                content_time = CASE WHEN content_id IS NULL THEN content_time ELSE $4 END
             WHERE collection_id = $1 AND token_id = $2",
            key.0,
            key.1.as_slice(),
            content,
            now / 1000,
        )?;
        Ok(())
    }

    /// Says when a token that gave no URI so often in a row is asked again; 0 for one that gave one.
    async fn settle_uri(
        &mut self,
        key: &TokenKey,
        failures: i64,
        reading: &UriReading<'_>,
    ) -> Result<()> {
        let doublings = u32::try_from((failures - 1).clamp(0, 30)).unwrap_or(30);
        let wait = reading.retry.saturating_mul(1 << doublings);
        let again = failures > 0 && wait < reading.recheck;
        let due = again.then(|| reading.now.saturating_add(wait));
        execute!(
            self,
            "UPDATE token_uris SET failures = CASE WHEN $3 > 0 THEN $3 ELSE failures END,
                due_at = CASE WHEN due_at = $5 THEN $4 ELSE due_at END,
                read_block = $6, read_hash = $7
             WHERE collection_id = $1 AND token_id = $2",
            key.0,
            key.1.as_slice(),
            failures,
            due,
            reading.lease,
            int(reading.block.number),
            reading.block.hash.as_slice(),
        )?;
        Ok(())
    }

    /// What means the same as before is read again with its collection. It was due for a reason: it
    /// may have meant something else in between, and must be read again if a reorg takes back the
    /// block at which it means the same again.
    async fn settle_same(
        &mut self,
        keys: &BTreeSet<TokenKey>,
        reading: &UriReading<'_>,
    ) -> Result<()> {
        let Some(lease) = reading.lease else { return Ok(()) };
        for (collection, ids) in by_collection(keys) {
            fetch_in!(
                self,
                (i64,),
                {"UPDATE token_uris SET due_at = CASE WHEN due_at = " => lease,
                 " THEN NULL ELSE due_at END, read_block = " => int(reading.block.number),
                 ", read_hash = " => reading.block.hash.as_slice(),
                 " WHERE collection_id = " => collection}
                " AND token_id IN",
                ids,
                "RETURNING collection_id"
            );
        }
        Ok(())
    }

    async fn children_of(&mut self, document: RowId) -> Result<BTreeSet<RowId>> {
        let select = "SELECT DISTINCT child_id FROM links
                      WHERE parent_id = $1 AND child_id IS NOT NULL";
        let rows = fetch!(fetch_all, self, (i64,), select, document)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Writes down what a document refers to that stands in a URI, if nobody did so before.
    async fn record_document(
        &mut self,
        row: RowId,
        metadata: &crate::content::Metadata,
        now: Millis,
    ) -> Result<()> {
        let select = "SELECT parsed FROM contents WHERE id = $1";
        let (parsed,) = fetch!(fetch_one, self, (i64,), select, row)?;
        if parsed == 0 {
            self.record_metadata(row, &Ok(metadata.clone()), now).await?;
        }
        Ok(())
    }
}
