//! Contents: which exist, which are wanted, and what their metadata refers to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    LedgerError, Millis, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    fetch, int, text, uint,
};
use crate::{
    content::{Codec, ContentId, Digest, Link, Metadata, Proof},
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

/// A verified document.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// Plain sha-256 of its bytes, where that is known.
    pub sha256: Option<Digest>,
    /// What it refers to, or why it can't be read.
    pub read: &'a Result<Metadata, String>,
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

#[derive(sqlx::FromRow)]
pub(super) struct ContentRow {
    id: i64,
    codec: i64,
    digest: Vec<u8>,
    size: Option<i64>,
    sha256: Option<Vec<u8>>,
    wanted_since: Option<i64>,
    was_healthy: i64,
    asked_since: Option<i64>,
    parse_error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    #[sqlx(flatten)]
    content: ContentRow,
    wanted: i64,
    denied: i64,
}

/// Contents as [`ContentRow`]s, with more columns if need be.
macro_rules! content_columns {
    ($which:literal $(, $more:literal)*) => {
        concat!(
            "SELECT id, codec, digest, size, sha256, wanted_since, was_healthy, asked_since,
                parse_error",
            $(", ", $more,)*
            " FROM contents ",
            $which
        )
    };
}
pub(super) use content_columns;

impl Content {
    pub(super) fn from_row(row: ContentRow) -> Result<Self> {
        let was_healthy = row.was_healthy != 0;
        let (wanted_since, asked_since) = (row.wanted_since, row.asked_since);
        Ok(Self {
            row: row.id,
            id: content_id(row.codec, &row.digest)?,
            known: known(row.size, row.sha256.as_deref())?,
            past: Past { wanted_since, was_healthy, asked_since },
            parse_error: row.parse_error,
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

/// Whether a content (`contents`) is wanted, up to the parameter that says whether history is kept.
macro_rules! wanted_sql {
    () => {
        "EXISTS (SELECT 1 FROM tokens t JOIN collections o ON o.id = t.collection_id
                 WHERE t.content_id = contents.id AND o.active = 1)
         OR EXISTS (SELECT 1 FROM links l JOIN contents p ON p.id = l.parent_id
                    WHERE l.child_id = contents.id AND p.wanted = 1)
         OR EXISTS (SELECT 1 FROM kept_contents k JOIN collections o ON o.id = k.collection_id
                    WHERE k.content_id = contents.id AND o.active = 1)
         OR EXISTS (SELECT 1 FROM links l JOIN token_uris u ON u.document_id = l.parent_id
                    JOIN collections o ON o.id = u.collection_id
                    WHERE l.child_id = contents.id AND o.active = 1)
         OR EXISTS (SELECT 1 FROM token_uris u JOIN collections o ON o.id = u.collection_id
                    WHERE u.content_id = contents.id AND LENGTH(u.token_id) = 0 AND o.active = 1)
         OR EXISTS (SELECT 1 FROM former_contents f
                    JOIN collections o ON o.id = f.collection_id
                    JOIN chains h ON h.chain_id = o.chain_id
                    WHERE f.content_id = contents.id AND o.active = 1 AND (
                        f.superseded_block > CASE WHEN o.halted_at IS NULL
                            THEN h.finalized_block ELSE o.halted_final END
                        OR (LENGTH(f.token_id) = 0 OR EXISTS (SELECT 1 FROM tokens t
                            WHERE t.collection_id = f.collection_id
                              AND t.token_id = f.token_id)) AND 1 = "
    };
}

/// What comes behind that parameter.
macro_rules! wanted_sql_end {
    () => {
        "))"
    };
}

fn firsts(rows: Vec<(i64,)>) -> Vec<RowId> {
    rows.into_iter().map(|(id,)| id).collect()
}

/// A content, and how it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The content.
    pub content: Content,
    /// Whether anything wants it.
    pub wanted: bool,
    /// Whether it is on the deny list.
    pub denied: bool,
}

impl Tx {
    /// The row of a content, made if need be.
    pub async fn content_row(&mut self, id: ContentId) -> Result<RowId> {
        self.alone().await?;
        let (rows, _) = self.content_rows(&BTreeMap::from([(id, None)])).await?;
        rows.get(&id).copied().ok_or_else(|| LedgerError::Corrupt(format!("{id} vanished")))
    }

    /// Every wanted content.
    pub async fn wanted_contents(&mut self) -> Result<Vec<Content>> {
        let rows =
            fetch!(fetch_all, self, ContentRow, content_columns!("WHERE wanted = 1 ORDER BY id"),)?;
        rows.into_iter().map(Content::from_row).collect()
    }

    /// One content.
    pub async fn content(&mut self, row: RowId) -> Result<Option<Content>> {
        let found =
            fetch!(fetch_optional, self, ContentRow, content_columns!("WHERE id = $1"), row,)?;
        found.map(Content::from_row).transpose()
    }

    /// Contents by their rows, and how they stand.
    pub async fn contents_of_rows(&mut self, rows: &[RowId]) -> Result<HashMap<RowId, Standing>> {
        let found = fetch_in!(
            self,
            StandingRow,
            {}
            content_columns!("WHERE id IN", "wanted", "denied"),
            rows,
            ""
        );
        let content = |StandingRow { content, wanted, denied }: StandingRow| {
            let row = content.id;
            let content = Content::from_row(content)?;
            Ok((row, Standing { content, wanted: wanted != 0, denied: denied != 0 }))
        };
        found.into_iter().map(content).collect()
    }

    /// Works out anew which of these contents, and of those they refer to, are still wanted.
    ///
    /// Wanted is what a live token, or a collection itself, has or had, until an update of it is final
    /// (or for ever with `keep_history`), and what wanted metadata, or metadata in a token's URI itself, refers to.
    /// What is denied is not.
    pub(super) async fn refresh_wanted(
        &mut self,
        contents: &BTreeSet<RowId>,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        // A document can't refer to itself, nor two to each other: each would have to hold the
        // other's hash. So this ends.
        let mut front: Vec<RowId> = contents.iter().copied().collect();
        while !front.is_empty() {
            let changed = self.refresh(&front, keep_history, now).await?;
            let children = fetch_in!(self, (i64,), {} "SELECT DISTINCT child_id FROM links WHERE child_id IS NOT NULL AND parent_id IN", changed, "");
            let children: BTreeSet<RowId> = children.into_iter().map(|(id,)| id).collect();
            front = children.into_iter().collect();
        }
        Ok(())
    }

    /// Gives those that changed.
    async fn refresh(&mut self, ids: &[RowId], keep: bool, now: Millis) -> Result<Vec<RowId>> {
        let keep = i64::from(keep);
        let wanted = fetch_in!(self, (i64,), {"UPDATE contents SET wanted = 1, was_healthy = 0, asked_since = NULL, wanted_since = (
                    SELECT CASE WHEN s.since < s.now THEN s.since ELSE s.now END FROM (SELECT
                        (SELECT COALESCE(
                            (SELECT MAX(t.content_time) * 1000 FROM tokens t
                             WHERE t.content_id = contents.id),
                            (SELECT MAX(p.wanted_since) FROM links l
                             JOIN contents p ON p.id = l.parent_id
                             WHERE l.child_id = contents.id AND p.wanted = 1),
                            (SELECT MAX(u.since) FROM links l
                             JOIN token_uris u ON u.document_id = l.parent_id
                             WHERE l.child_id = contents.id),
                            (SELECT MAX(u.since) FROM token_uris u
                             WHERE u.content_id = contents.id AND LENGTH(u.token_id) = 0))) AS since,
                        CAST(" => now, concat!(" AS BIGINT) AS now) s) WHERE wanted = 0 AND denied = 0 AND (", wanted_sql!()) => keep} concat!(wanted_sql_end!(), ") AND id IN"), ids, "RETURNING id");
        let unwanted = fetch_in!(self, (i64,), {concat!(
                    "UPDATE contents SET wanted = 0, wanted_since = NULL
                     WHERE wanted = 1 AND (denied = 1 OR NOT (",
                    wanted_sql!()
                ) => keep} concat!(wanted_sql_end!(), ")) AND id IN"), ids, "RETURNING id");
        let (wanted, unwanted) = (firsts(wanted), firsts(unwanted));
        self.schedule(&wanted).await?;
        self.schedule_stores(&wanted).await?;
        // In a long backfill nothing has replicas yet, and these are many.
        let last = "SELECT COALESCE(MAX(content_id), 0) FROM replicas";
        let (last,) = fetch!(fetch_one, self, (i64,), last)?;
        let ends: Vec<RowId> = unwanted.iter().copied().filter(|id| *id <= last).collect();
        fetch_in!(self, (i64,), {} "UPDATE replicas SET due_at = NULL WHERE content_id IN", ends, "RETURNING content_id");
        let probed: Vec<RowId> = ids.iter().copied().filter(|id| *id <= last).collect();
        self.rejudge(&probed).await?;
        self.unschedule_stores(&unwanted).await?;
        let changed: HashSet<RowId> = wanted.into_iter().chain(unwanted).collect();
        let same = ids.iter().copied().filter(|id| *id <= last && !changed.contains(id));
        self.reread(&same.collect::<Vec<_>>()).await?;
        Ok(changed.into_iter().collect())
    }

    /// Makes content due that was verified before it became a token's metadata: it was not read
    /// then, and has to be.
    pub async fn reread(&mut self, ids: &[RowId]) -> Result<()> {
        fetch_in!(self, (i64,), {} "UPDATE replicas SET due_at = 0, priority = 1
             WHERE due_at IS NOT NULL AND state = 'verified'
               AND EXISTS (SELECT 1 FROM contents c WHERE c.id = content_id AND c.parsed = 0)
               AND (EXISTS (SELECT 1 FROM tokens t WHERE t.content_id = replicas.content_id)
                 OR EXISTS (SELECT 1 FROM token_uris u WHERE u.content_id = replicas.content_id
                              AND LENGTH(u.token_id) = 0))
               AND content_id IN", ids, "RETURNING content_id");
        Ok(())
    }

    /// Writes down what one verified document refers to, or why it can't be read.
    pub async fn record_metadata(
        &mut self,
        row: RowId,
        parsed: &Result<Metadata, String>,
        now: Millis,
    ) -> Result<()> {
        let document = Document { sha256: None, read: parsed };
        self.record_documents(&BTreeMap::from([(row, document)]), now).await
    }

    /// Writes down what verified documents refer to, or why they can't be read. Those whose bytes are denied
    /// are left out: whose they are may not be known yet, and what they name would be wanted until it is.
    pub async fn record_documents(
        &mut self,
        documents: &BTreeMap<RowId, Document<'_>>,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let digests: BTreeSet<_> = documents.values().filter_map(|one| one.sha256).collect();
        let denied = self.denied_among(&digests.into_iter().collect::<Vec<_>>()).await?;
        let is_denied = |one: &Document<'_>| one.sha256.is_some_and(|it| denied.contains_key(&it));
        let documents = documents.iter().filter(|(_, one)| !is_denied(one));
        let documents: BTreeMap<RowId, _> = documents.map(|(row, one)| (*row, one.read)).collect();
        let read: Vec<_> = documents.iter().collect();
        insert_rows!(
            self,
            "WITH read (id, error) AS (",
            read,
            |one| (*one.0, one.1.as_ref().err().map(|error| text(error))),
            ") UPDATE contents SET parsed = 1, parse_error = read.error FROM read
              WHERE contents.id = read.id"
        );
        let links =
            documents.iter().filter_map(|(row, parsed)| Some((*row, parsed.as_ref().ok()?)));
        let links: Vec<(RowId, usize, &Link)> = links
            .flat_map(|(row, metadata)| {
                metadata.links.iter().enumerate().map(move |(position, link)| (row, position, link))
            })
            .collect();
        let named = links.iter().filter_map(|(.., link)| link.reference.content());
        let (rows, _) = self.content_rows(&named.map(|id| (id, None)).collect()).await?;
        insert_rows!(
            self,
            "INSERT INTO links (parent_id, position, role, class, uri, verifiable, child_id,
                path_due) ",
            links,
            |link| (
                link.0,
                int(link.1 as u64),
                text(&link.2.role),
                link.2.reference.class.to_string(),
                text(&link.2.reference.text),
                i64::from(link.2.reference.verifiable()),
                link.2.reference.content().and_then(|id| rows.get(&id).copied()),
                (link.2.reference.proof() == Proof::PathByHash).then_some(0_i64),
            ),
            " ON CONFLICT DO NOTHING"
        );
        // What is wanted already stays so, whatever for: a document only adds.
        let children: Vec<RowId> = rows.into_values().collect();
        self.rejudge(&children).await?;
        let new = fetch_in!(self, (i64,), {} "SELECT id FROM contents WHERE wanted = 0 AND id IN", children, "");
        self.refresh(&firsts(new), false, now).await?;
        Ok(())
    }
}
