//! What was read of URIs, written down.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;

use super::{
    super::{
        LedgerError, Millis, Result, RowId, Tx, bulk::fetch_in, execute, fetch, int,
        states::by_collection, text,
    },
    Meaning, Target, UriState,
    follow::TAKEN_BACK,
    key_of,
};
use crate::{chain::BlockRef, content::Digest};

/// A URI that was read.
#[derive(Clone, Debug)]
pub struct UriRecord {
    /// The collection.
    pub collection: RowId,
    /// The token; `None`: the collection itself.
    pub token: Option<U256>,
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

/// Whose URI it is: the collection's row, and what stands for the token's id.
type UriKey = (RowId, Vec<u8>);

/// A row of `token_uris` with its token's content.
type Before = (
    Vec<u8>,
    String,
    Option<Vec<u8>>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
);

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
    /// Whether the block that it was read at was taken back, or it was not read yet.
    taken_back: bool,
}

impl Known {
    /// Whether it means what it meant.
    fn is(&self, meaning: &Meaning) -> bool {
        let same = match (&self.answer, meaning.answer, &meaning.target) {
            (Some(before), Some(Digest(now)), _) => before.as_slice() == now,
            (None, None, Target::Unverifiable(why)) => self.problem.as_deref() == Some(why),
            (None, None, Target::None) => self.state == UriState::None,
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
        let keys: BTreeSet<UriKey> =
            reading.records.iter().map(|one| (one.collection, key_of(one.token))).collect();
        let known = self.known_uris(&keys).await?;
        let (mut doubtful, mut same, mut changed) = (BTreeSet::new(), BTreeSet::new(), 0);
        for record in reading.records {
            let key = (record.collection, key_of(record.token));
            // Burned meanwhile.
            let Some(before) = known.get(&key) else { continue };
            // What was read is read again with its collection, whether it proves anything or not.
            let meaning = &record.meaning;
            let unread = meaning.class.is_none() && meaning.target != Target::None;
            let is_same = before.is(meaning);
            let stays = is_same && !before.taken_back;
            if stays && (!unread || reading.lease.is_none()) {
                same.insert(key);
                continue;
            }
            // A collection that says nothing of itself said nothing before.
            let is_none = before.state == UriState::New && meaning.target == Target::None;
            changed += u64::from(!is_same && !is_none);
            if !stays {
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

    async fn known_uris(&mut self, keys: &BTreeSet<UriKey>) -> Result<BTreeMap<UriKey, Known>> {
        let mut known = BTreeMap::new();
        for (collection, ids) in by_collection(keys) {
            let rows = fetch_in!(
                self,
                Before,
                {"SELECT u.token_id, u.state, u.answer, u.problem, u.document_id, u.content_id,
                         CASE WHEN LENGTH(u.token_id) = 0 THEN u.content_id ELSE t.content_id END,
                         u.failures, u.read_block
                  FROM token_uris u LEFT JOIN tokens t
                    ON t.collection_id = u.collection_id AND t.token_id = u.token_id
                  WHERE (t.token_id IS NOT NULL OR LENGTH(u.token_id) = 0)
                    AND u.collection_id = " => collection}
                " AND u.token_id IN",
                ids,
                ""
            );
            for row in rows {
                let (id, state, answer, problem, document, content, of_token, failures, read) = row;
                let state = UriState::parse(&state)?;
                let taken_back = read.is_none();
                let row = Known {
                    state,
                    answer,
                    problem,
                    document,
                    content,
                    of_token,
                    failures,
                    taken_back,
                };
                known.insert((collection, id), row);
            }
        }
        Ok(known)
    }

    /// Writes down that a URI means something else than before.
    async fn change_uri(
        &mut self,
        key: &UriKey,
        before: &Known,
        record: &UriRecord,
        reading: &UriReading<'_>,
        doubtful: &mut BTreeSet<RowId>,
    ) -> Result<()> {
        let meaning = &record.meaning;
        let mut had: BTreeSet<RowId> = before.of_token.into_iter().collect();
        doubtful.extend(before.content);
        if let Some(document) = before.document {
            had.append(&mut self.children_of(document).await?);
        }
        doubtful.extend(&had);
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
            Target::None => UriState::None,
        };
        doubtful.extend(content);
        execute!(
            self,
            "UPDATE token_uris SET state = $3, answer = $4, uri = $5, class = $6, problem = $7,
                document_id = $8, content_id = $9, read_block = $10, read_hash = $11,
                path_due = $12, failures = 0,
                since = CASE WHEN state = 'new' AND LENGTH(token_id) > 0 THEN since ELSE $13 END
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
        let mut has: BTreeSet<RowId> = content.into_iter().collect();
        if let Some(row) = document {
            has.append(&mut self.children_of(row).await?);
        }
        // What was read at a block that was taken back, nobody ever named; but what it replaced.
        let replaced = self.restored(key).await?;
        doubtful.extend(&replaced);
        let former = if before.taken_back { replaced } else { had };
        self.keep_former(key, former.difference(&has), reading.block.number).await
    }

    /// What a URI named until blocks that were taken back.
    async fn restored(&mut self, key: &UriKey) -> Result<BTreeSet<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "DELETE FROM former_contents
             WHERE collection_id = $1 AND token_id = $2 AND revision = $3 RETURNING content_id",
            key.0,
            key.1.as_slice(),
            TAKEN_BACK,
        )?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Remembers what a URI named until a block.
    async fn keep_former(
        &mut self,
        key: &UriKey,
        contents: impl Iterator<Item = &RowId>,
        block: u64,
    ) -> Result<()> {
        for content in contents {
            execute!(
                self,
                "INSERT INTO former_contents
                    (collection_id, token_id, superseded_block, revision, content_id)
                 VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING",
                key.0,
                key.1.as_slice(),
                int(block),
                *content,
            )?;
        }
        Ok(())
    }

    /// Gives a token its content. One that had another gets its grace anew.
    pub(in super::super) async fn set_content(
        &mut self,
        key: &UriKey,
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
        key: &UriKey,
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
        keys: &BTreeSet<UriKey>,
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
