//! Paths below a content address: in tokens' URIs and in metadata, to be followed to the content
//! that lies there.

use std::collections::BTreeSet;

use alloy::primitives::U256;

use super::{
    LedgerError, Millis, Result, RowId, Tx, execute, fetch, int, text, uint,
    uris::{key_of, token_of},
};
use crate::{config::Standard, content::ContentId, health::FAILURES_THAT_COUNT};

/// What a path stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathOf {
    /// A URI.
    Uri {
        /// Its collection.
        collection: RowId,
        /// The token; `None`: the collection itself.
        token: Option<U256>,
    },
    /// A link of a metadata document.
    Link {
        /// The document.
        parent: RowId,
        /// Which of its links, from 0.
        position: u64,
    },
}

/// A path that is to be followed.
#[derive(Clone, Debug)]
pub struct DuePath {
    /// What it stands in.
    pub of: PathOf,
    /// The reference, as it stands there.
    pub text: String,
    /// Of a token of ERC-1155: its id, which `{id}` in the text stands for.
    pub id: Option<U256>,
    /// How often in a row it could not be followed.
    pub failures: u32,
    /// Until when it was taken.
    pub lease: Millis,
}

impl Tx {
    /// Makes the paths due that a process took and did not bring back, and those that wait to be
    /// tried again.
    pub async fn release_paths(&mut self) -> Result<()> {
        self.alone().await?;
        for update in [
            "UPDATE token_uris SET path_due = 0 WHERE path_due > 0",
            "UPDATE links SET path_due = 0 WHERE path_due > 0",
        ] {
            execute!(self, update)?;
        }
        Ok(())
    }

    /// Takes up to `limit` paths that are due, of each kind; nobody else gets them before `lease`.
    /// With `in_doubt_only`, those are left out that were not tried yet, or often enough.
    pub async fn take_due_paths(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
        in_doubt_only: bool,
    ) -> Result<Vec<DuePath>> {
        self.among_others().await?;
        let mut due = self.take_due_uri_paths(now, lease, limit, in_doubt_only).await?;
        due.append(&mut self.take_due_link_paths(now, lease, limit, in_doubt_only).await?);
        Ok(due)
    }

    async fn take_due_uri_paths(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
        only: bool,
    ) -> Result<Vec<DuePath>> {
        let sql = self.sql(
            "SELECT u.collection_id, u.token_id, u.uri, c.standard, u.failures
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE u.path_due <= $1 AND c.active = 1 AND ($3 = 0 OR u.failures BETWEEN 1 AND $4)
             ORDER BY u.path_due, u.collection_id, u.token_id LIMIT $2",
            "SELECT u.collection_id, u.token_id, u.uri, c.standard, u.failures
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE u.path_due <= $1 AND c.active = 1 AND ($3 = 0 OR u.failures BETWEEN 1 AND $4)
             ORDER BY u.path_due, u.collection_id, u.token_id LIMIT $2
             FOR UPDATE OF u SKIP LOCKED",
        );
        type Row = (i64, Vec<u8>, Option<String>, String, i64);
        let (limit, doubt) = (i64::from(limit), i64::from(FAILURES_THAT_COUNT - 1));
        let rows = fetch!(fetch_all, self, Row, sql, now, limit, i64::from(only), doubt)?;
        let mut due = Vec::with_capacity(rows.len());
        for (collection, id, uri, standard, failures) in rows {
            let update = "UPDATE token_uris SET path_due = $3
                          WHERE collection_id = $1 AND token_id = $2";
            execute!(self, update, collection, id.as_slice(), lease)?;
            let corrupt = || LedgerError::Corrupt(format!("a token of collection {collection}"));
            let token = token_of(&id).ok_or_else(corrupt)?;
            let is_1155 = standard == Standard::Erc1155.as_str();
            due.push(DuePath {
                of: PathOf::Uri { collection, token },
                text: uri.unwrap_or_default(),
                id: token.filter(|_| is_1155),
                failures: u32::try_from(failures).unwrap_or(u32::MAX),
                lease,
            });
        }
        Ok(due)
    }

    async fn take_due_link_paths(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
        only: bool,
    ) -> Result<Vec<DuePath>> {
        let sql = self.sql(
            "SELECT l.parent_id, l.position, l.uri, l.failures FROM links l
             WHERE l.path_due <= $1 AND ($3 = 0 OR l.failures BETWEEN 1 AND $4) AND (
                EXISTS (SELECT 1 FROM contents c WHERE c.id = l.parent_id AND c.wanted = 1)
                OR EXISTS (SELECT 1 FROM token_uris u WHERE u.document_id = l.parent_id))
             ORDER BY l.path_due, l.parent_id, l.position LIMIT $2",
            "SELECT l.parent_id, l.position, l.uri, l.failures FROM links l
             WHERE l.path_due <= $1 AND ($3 = 0 OR l.failures BETWEEN 1 AND $4) AND (
                EXISTS (SELECT 1 FROM contents c WHERE c.id = l.parent_id AND c.wanted = 1)
                OR EXISTS (SELECT 1 FROM token_uris u WHERE u.document_id = l.parent_id))
             ORDER BY l.path_due, l.parent_id, l.position LIMIT $2
             FOR UPDATE OF l SKIP LOCKED",
        );
        type Row = (i64, i64, String, i64);
        let (limit, doubt) = (i64::from(limit), i64::from(FAILURES_THAT_COUNT - 1));
        let rows = fetch!(fetch_all, self, Row, sql, now, limit, i64::from(only), doubt)?;
        let mut due = Vec::with_capacity(rows.len());
        for (parent, position, uri, failures) in rows {
            let update = "UPDATE links SET path_due = $3 WHERE parent_id = $1 AND position = $2";
            execute!(self, update, parent, position, lease)?;
            due.push(DuePath {
                of: PathOf::Link { parent, position: uint(position) },
                text: uri,
                id: None,
                failures: u32::try_from(failures).unwrap_or(u32::MAX),
                lease,
            });
        }
        Ok(due)
    }

    /// When the next path is due that was tried, and not often enough to be given up for now.
    pub async fn next_doubtful_path(&mut self) -> Result<Option<Millis>> {
        let doubt = i64::from(FAILURES_THAT_COUNT - 1);
        let mut next: Option<Millis> = None;
        for select in [
            "SELECT MIN(path_due) FROM token_uris
             WHERE path_due IS NOT NULL AND failures BETWEEN 1 AND $1",
            "SELECT MIN(path_due) FROM links
             WHERE path_due IS NOT NULL AND failures BETWEEN 1 AND $1",
        ] {
            let (found,) = fetch!(fetch_one, self, (Option<i64>,), select, doubt)?;
            next = [next, found].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Writes down what content lies at the end of a path, unless the path is another by now.
    pub async fn path_found(
        &mut self,
        path: &DuePath,
        id: ContentId,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let content = self.content_row(id).await?;
        let mut doubtful = BTreeSet::from([content]);
        match path.of {
            PathOf::Uri { collection, token } => {
                let key = (collection, key_of(token));
                let found = execute!(
                    self,
                    "UPDATE token_uris SET content_id = $3, path_due = NULL, failures = 0,
                        problem = NULL
                     WHERE collection_id = $1 AND token_id = $2 AND path_due = $4",
                    collection,
                    key.1.as_slice(),
                    content,
                    path.lease,
                )?;
                if found == 0 {
                    return Ok(());
                }
                let select = "SELECT content_id FROM tokens
                              WHERE collection_id = $1 AND token_id = $2";
                let row = fetch!(
                    fetch_optional,
                    self,
                    (Option<i64>,),
                    select,
                    collection,
                    key.1.as_slice()
                )?;
                let before = row.and_then(|(before,)| before);
                doubtful.extend(before);
                self.set_content(&key, before, Some(content), now).await?;
            }
            PathOf::Link { parent, position } => {
                execute!(
                    self,
                    "UPDATE links SET child_id = $3, verifiable = 1, path_due = NULL, failures = 0,
                        problem = NULL
                     WHERE parent_id = $1 AND position = $2 AND path_due = $4",
                    parent,
                    int(position),
                    content,
                    path.lease,
                )?;
            }
        }
        self.refresh_wanted(&doubtful, keep_history, now).await
    }

    /// Writes down why a path could not be followed, for the `failures`th time in a row, and when it
    /// is tried again.
    pub async fn path_failed(
        &mut self,
        path: &DuePath,
        problem: &str,
        failures: u32,
        again: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        let (problem, failures) = (text(problem), i64::from(failures));
        match &path.of {
            PathOf::Uri { collection, token } => execute!(
                self,
                "UPDATE token_uris SET problem = $3, failures = $4, path_due = $5
                 WHERE collection_id = $1 AND token_id = $2 AND path_due = $6",
                *collection,
                key_of(*token),
                problem,
                failures,
                again,
                path.lease,
            )?,
            PathOf::Link { parent, position } => execute!(
                self,
                "UPDATE links SET problem = $3, failures = $4, path_due = $5
                 WHERE parent_id = $1 AND position = $2 AND path_due = $6",
                *parent,
                int(*position),
                problem,
                failures,
                again,
                path.lease,
            )?,
        };
        Ok(())
    }

    /// Writes down why a reference is none whose end could be proved.
    pub async fn path_unverifiable(&mut self, path: &DuePath, problem: &str) -> Result<()> {
        self.among_others().await?;
        let problem = text(problem);
        match &path.of {
            PathOf::Uri { collection, token } => execute!(
                self,
                "UPDATE token_uris SET state = 'unverifiable', problem = $3, failures = 0,
                    path_due = NULL
                 WHERE collection_id = $1 AND token_id = $2 AND path_due = $4",
                *collection,
                key_of(*token),
                problem,
                path.lease,
            )?,
            PathOf::Link { parent, position } => execute!(
                self,
                "UPDATE links SET problem = $3, failures = 0, path_due = NULL
                 WHERE parent_id = $1 AND position = $2 AND path_due = $4",
                *parent,
                int(*position),
                problem,
                path.lease,
            )?,
        };
        Ok(())
    }
}
