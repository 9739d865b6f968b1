//! Contents: which exist, which are wanted, and what their metadata refers to.

use std::collections::BTreeSet;

use super::{LedgerError, Millis, Result, RowId, Tx, execute, fetch, int, text, uint};
use crate::{
    content::{Codec, ContentId, Digest, Metadata},
    health::Past,
};

/// What probes have proved of a content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Its length.
    pub size: Option<u64>,
    /// Plain sha-256 of its bytes. With it nobody needs to know how a DAG was cut.
    pub sha256: Option<Digest>,
}

/// A content in the ledger.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its key.
    pub row: RowId,
    /// Its name.
    pub id: ContentId,
    /// What a probe has proved of it.
    pub known: Known,
    /// What health needs to know besides the replicas.
    pub past: Past,
    /// Why its metadata can't be read, if it was tried.
    pub parse_error: Option<String>,
}

type ContentRow =
    (i64, i64, Vec<u8>, Option<i64>, Option<Vec<u8>>, Option<i64>, i64, Option<String>);

impl Content {
    fn from_row(row: ContentRow) -> Result<Self> {
        let (id, codec, digest, size, sha256, wanted_since, was_healthy, parse_error) = row;
        Ok(Self {
            row: id,
            id: content_id(codec, &digest)?,
            known: known(size, sha256.as_deref())?,
            past: Past { wanted_since, was_healthy: was_healthy != 0 },
            parse_error,
        })
    }
}

/// What is known of a content, from its columns.
pub(super) fn known(size: Option<i64>, sha256: Option<&[u8]>) -> Result<Known> {
    let digest = |bytes: &[u8]| {
        Digest::from_slice(bytes)
            .ok_or_else(|| LedgerError::Corrupt("the sha-256 of a content".to_owned()))
    };
    Ok(Known { size: size.map(uint), sha256: sha256.map(digest).transpose()? })
}

/// A content's name from its columns.
pub(super) fn content_id(codec: i64, digest: &[u8]) -> Result<ContentId> {
    let codec = u8::try_from(codec).ok().and_then(Codec::from_multicodec);
    match (codec, Digest::from_slice(digest)) {
        (Some(codec), Some(digest)) => Ok(ContentId::new(codec, digest)),
        _ => Err(LedgerError::Corrupt("the name of a content".to_owned())),
    }
}

impl Tx {
    /// The row of a content, made if need be.
    pub async fn content_row(&mut self, id: ContentId) -> Result<RowId> {
        let codec = i64::from(id.codec.multicodec());
        let digest = id.digest.0;
        let find = "SELECT id FROM contents WHERE codec = $1 AND digest = $2";
        if let Some((row,)) = fetch!(fetch_optional, self, (i64,), find, codec, digest.as_slice())?
        {
            return Ok(row);
        }
        let insert = "INSERT INTO contents (codec, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        execute!(self, insert, codec, digest.as_slice())?;
        Ok(fetch!(fetch_one, self, (i64,), find, codec, digest.as_slice())?.0)
    }

    /// Every wanted content.
    pub async fn wanted_contents(&mut self) -> Result<Vec<Content>> {
        let rows = fetch!(
            fetch_all,
            self,
            ContentRow,
            "SELECT id, codec, digest, size, sha256, wanted_since, was_healthy, parse_error
             FROM contents WHERE wanted = 1 ORDER BY id",
        )?;
        rows.into_iter().map(Content::from_row).collect()
    }

    /// Remembers that a content was healthy: its grace is over.
    pub async fn mark_healthy(&mut self, row: RowId) -> Result<()> {
        execute!(self, "UPDATE contents SET was_healthy = 1 WHERE id = $1", row)?;
        Ok(())
    }

    /// Works out anew which of these contents, and of those they refer to, are still wanted.
    ///
    /// Wanted is what a live token's content event names, until an update of it is final (or for
    /// ever with `keep_history`), and what wanted metadata refers to.
    pub(super) async fn refresh_wanted(
        &mut self,
        contents: &BTreeSet<RowId>,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        // A document can't refer to itself, nor two to each other: each would have to hold the
        // other's hash. So this ends.
        let mut front = contents.clone();
        while !front.is_empty() {
            let mut next = BTreeSet::new();
            for row in &front {
                if self.refresh_one(*row, keep_history, now).await? {
                    next.extend(self.children(*row).await?);
                }
            }
            front = next;
        }
        Ok(())
    }

    /// Gives whether anything changed.
    async fn refresh_one(&mut self, row: RowId, keep: bool, now: Millis) -> Result<bool> {
        let (was, since) = fetch!(
            fetch_one,
            self,
            (i64, Option<i64>),
            "SELECT c.wanted, COALESCE(
                (SELECT MAX(e.block_time) * 1000 FROM token_events e WHERE e.content_id = c.id),
                (SELECT MAX(p.wanted_since) FROM links l JOIN contents p ON p.id = l.parent_id
                 WHERE l.child_id = c.id AND p.wanted = 1))
             FROM contents c WHERE c.id = $1",
            row,
        )?;
        let wanted = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT CASE WHEN EXISTS (
                SELECT 1 FROM token_events e
                JOIN collections c ON c.id = e.collection_id
                JOIN chains h ON h.chain_id = c.chain_id
                WHERE e.content_id = $1 AND c.active = 1 AND (
                    e.superseded_block IS NULL
                    OR e.superseded_block > h.finalized_block
                    OR ($2 = 1 AND EXISTS (SELECT 1 FROM tokens t
                        WHERE t.collection_id = e.collection_id AND t.token_id = e.token_id)))
             ) OR EXISTS (
                SELECT 1 FROM links l JOIN contents p ON p.id = l.parent_id
                WHERE l.child_id = $1 AND p.wanted = 1
             ) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END",
            row,
            i64::from(keep),
        )?
        .0;
        match (was, wanted) {
            (0, 1) => self.want(row, since.map_or(now, |at| at.min(now))).await?,
            (1, 0) => self.unwant(row).await?,
            (1, 1) => return self.reread(row).await.map(|()| false),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes content due that was verified before it became a token's metadata: it was not read
    /// then, and has to be.
    pub async fn reread(&mut self, row: RowId) -> Result<()> {
        execute!(
            self,
            "UPDATE replicas SET due_at = 0
             WHERE content_id = $1 AND due_at IS NOT NULL AND state = 'verified'
               AND EXISTS (SELECT 1 FROM contents c WHERE c.id = $1 AND c.parsed = 0)
               AND EXISTS (SELECT 1 FROM tokens t WHERE t.content_id = $1)",
            row,
        )?;
        Ok(())
    }

    async fn want(&mut self, row: RowId, since: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE contents SET wanted = 1, wanted_since = $2, was_healthy = 0 WHERE id = $1",
            row,
            since,
        )?;
        execute!(
            self,
            "INSERT INTO replicas (content_id, node_id, due_at)
             SELECT $1, id, 0 FROM nodes WHERE active = 1
             ON CONFLICT (content_id, node_id) DO UPDATE SET due_at = 0",
            row,
        )?;
        Ok(())
    }

    async fn unwant(&mut self, row: RowId) -> Result<()> {
        execute!(self, "UPDATE contents SET wanted = 0, wanted_since = NULL WHERE id = $1", row)?;
        execute!(self, "UPDATE replicas SET due_at = NULL WHERE content_id = $1", row)?;
        Ok(())
    }

    async fn children(&mut self, row: RowId) -> Result<Vec<RowId>> {
        let select =
            "SELECT DISTINCT child_id FROM links WHERE parent_id = $1 AND child_id IS NOT NULL";
        let rows = fetch!(fetch_all, self, (i64,), select, row)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Writes down what verified metadata refers to, or why it can't be read.
    pub async fn record_metadata(
        &mut self,
        row: RowId,
        parsed: &Result<Metadata, String>,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let error = parsed.as_ref().err().map(|error| text(error));
        let update = "UPDATE contents SET parsed = 1, parse_error = $2 WHERE id = $1";
        execute!(self, update, row, error)?;
        let Ok(metadata) = parsed else { return Ok(()) };
        let mut children = BTreeSet::new();
        for (position, link) in metadata.links.iter().enumerate() {
            let reference = &link.reference;
            let child = match reference.content() {
                Some(id) => Some(self.content_row(id).await?),
                None => None,
            };
            children.extend(child);
            execute!(
                self,
                "INSERT INTO links (parent_id, position, role, class, uri, verifiable, child_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                row,
                int(position as u64),
                text(&link.role),
                reference.class.to_string(),
                text(&reference.text),
                i64::from(reference.verifiable()),
                child,
            )?;
        }
        for child in children {
            let select = "SELECT wanted FROM contents WHERE id = $1";
            // What is wanted already stays so, whatever for: a document only adds.
            if fetch!(fetch_one, self, (i64,), select, child)?.0 == 0 {
                self.refresh_one(child, false, now).await?;
            }
        }
        Ok(())
    }
}
