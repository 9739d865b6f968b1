//! What the vault holds, and what is to come into it.

use std::collections::HashMap;

use super::{
    Content, LedgerError, Millis, Result, RowId, Tx,
    bulk::fetch_in,
    contents::{ContentRow, Known, content_columns, content_id, known},
    execute, fetch, int, text, uint,
};
use crate::content::ContentId;

/// How the vault keeps a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As the bytes of its file, which make its name in a known way.
    File,
    /// As all its blocks (CARv1, in the order of a walk): it was cut in a way that nobody knows.
    Car,
}

impl Form {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::File, Self::Car];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Car => "car",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let form = Self::ALL.iter().find(|form| form.as_str() == text);
        form.copied().ok_or_else(|| LedgerError::Corrupt(format!("form in the vault `{text}`")))
    }
}

/// A content that the vault holds.
#[derive(Clone, Debug)]
pub struct VaultObject {
    /// The content.
    pub content: RowId,
    /// Its name.
    pub id: ContentId,
    /// What is known of it.
    pub known: Known,
    /// How it is kept.
    pub form: Form,
    /// Bytes that it takes.
    pub bytes: u64,
    /// When it was put there.
    pub stored_at: Option<Millis>,
    /// When it was last found to be right.
    pub checked_at: Option<Millis>,
}

#[derive(sqlx::FromRow)]
struct ObjectRow {
    content_id: i64,
    codec: i64,
    digest: Vec<u8>,
    size: Option<i64>,
    sha256: Option<Vec<u8>>,
    form: String,
    bytes: i64,
    stored_at: Option<i64>,
    checked_at: Option<i64>,
}

impl ObjectRow {
    fn into_object(self) -> Result<VaultObject> {
        Ok(VaultObject {
            content: self.content_id,
            id: content_id(self.codec, &self.digest)?,
            known: known(self.size, self.sha256.as_deref())?,
            form: Form::parse(&self.form)?,
            bytes: uint(self.bytes),
            stored_at: self.stored_at,
            checked_at: self.checked_at,
        })
    }
}

/// What the vault (`v`) holds, of contents (`c`) that fulfil a condition.
macro_rules! objects_sql {
    ($rest:literal) => {
        concat!(
            "SELECT v.content_id, c.codec, c.digest, c.size, c.sha256, v.form, v.bytes, v.stored_at,
                v.checked_at
             FROM vault_objects v JOIN contents c ON c.id = v.content_id WHERE v.form IS NOT NULL ",
            $rest
        )
    };
}

/// Fresh verified replicas (`r`) of a content (`c`), with when they are fresh as the first parameter.
macro_rules! fresh_sql {
    ($what:literal) => {
        concat!(
            "(SELECT ",
            $what,
            " FROM replicas r WHERE r.content_id = c.id AND r.state = 'verified'
                AND r.due_at IS NOT NULL AND r.verified_at >= $1)"
        )
    };
}

mod total;
mod wants;

pub use total::VaultSummary;
pub use wants::VaultWants;

fn objects(rows: Vec<ObjectRow>) -> Result<Vec<VaultObject>> {
    rows.into_iter().map(ObjectRow::into_object).collect()
}

impl Tx {
    /// What the vault holds of a content.
    pub async fn vault_object(&mut self, content: RowId) -> Result<Option<VaultObject>> {
        let select = objects_sql!("AND v.content_id = $1");
        let row = fetch!(fetch_optional, self, ObjectRow, select, content)?;
        row.map(ObjectRow::into_object).transpose()
    }

    /// Those of the contents that it holds, with when each was put there.
    pub async fn kept_in_vault(&mut self, contents: &[RowId]) -> Result<HashMap<RowId, Millis>> {
        let select = "SELECT content_id, COALESCE(stored_at, 0) FROM vault_objects
                      WHERE form IS NOT NULL AND content_id IN";
        let rows = fetch_in!(self, (i64, i64), {} select, contents, "");
        Ok(rows.into_iter().collect())
    }

    /// All that it holds.
    pub async fn vault_objects(&mut self) -> Result<Vec<VaultObject>> {
        let select = objects_sql!("ORDER BY v.content_id");
        objects(fetch!(fetch_all, self, ObjectRow, select)?)
    }

    /// What it holds and may not: it is denied.
    pub async fn denied_in_vault(&mut self) -> Result<Vec<VaultObject>> {
        let select = objects_sql!("AND c.denied = 1 ORDER BY v.content_id");
        objects(fetch!(fetch_all, self, ObjectRow, select)?)
    }

    /// What it holds and nothing names since before a time, the longest first. What is denied comes at once.
    pub async fn unnamed_in_vault(
        &mut self,
        before: Millis,
        limit: u32,
    ) -> Result<Vec<VaultObject>> {
        let select = objects_sql!(
            "AND c.wanted = 0 AND (v.unnamed_since <= $1 OR c.denied = 1)
             ORDER BY v.unnamed_since, v.content_id LIMIT $2"
        );
        objects(fetch!(fetch_all, self, ObjectRow, select, before, i64::from(limit))?)
    }

    /// Takes note of what nothing names any more, and of what is named again.
    pub async fn note_unnamed_in_vault(&mut self, now: Millis) -> Result<()> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        execute!(
            self,
            "UPDATE vault_objects SET unnamed_since = $1 WHERE unnamed_since IS NULL
                AND EXISTS (SELECT 1 FROM contents c WHERE c.id = content_id AND c.wanted = 0)",
            now,
        )?;
        execute!(
            self,
            "UPDATE vault_objects SET unnamed_since = NULL WHERE unnamed_since IS NOT NULL
                AND EXISTS (SELECT 1 FROM contents c WHERE c.id = content_id AND c.wanted = 1)",
        )?;
        Ok(())
    }

    /// Some of what it holds that were found right before, the smallest first.
    pub async fn smallest_in_vault(&mut self, limit: u32) -> Result<Vec<VaultObject>> {
        let select =
            objects_sql!("AND v.checked_at IS NOT NULL ORDER BY v.bytes, v.content_id LIMIT $1");
        objects(fetch!(fetch_all, self, ObjectRow, select, i64::from(limit))?)
    }

    /// What it holds, and most nodes have as well, in that order.
    pub async fn safest_in_vault(
        &mut self,
        fresh_since: Millis,
        limit: u32,
    ) -> Result<Vec<VaultObject>> {
        let rows = fetch!(
            fetch_all,
            self,
            ObjectRow,
            concat!(
                objects_sql!("AND c.wanted = 1 AND EXISTS "),
                fresh_sql!("1"),
                " ORDER BY ",
                fresh_sql!("COUNT(*)"),
                " DESC, v.content_id LIMIT $2"
            ),
            fresh_since,
            i64::from(limit),
        )?;
        objects(rows)
    }

    /// Writes down that a content, found right just now, is in the vault.
    pub async fn record_in_vault(
        &mut self,
        content: RowId,
        (form, bytes): (Form, u64),
        now: Millis,
        due: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        let before = self.counted_in_vault(content).await?;
        execute!(
            self,
            "INSERT INTO vault_objects (content_id, form, bytes, stored_at, checked_at, due_at)
             VALUES ($1, $2, $3, $4, $4, $5)
             ON CONFLICT (content_id) DO UPDATE SET form = excluded.form, bytes = excluded.bytes,
                stored_at = excluded.stored_at, checked_at = excluded.checked_at,
                due_at = excluded.due_at, taken = 0, problem = NULL",
            content,
            form.as_str(),
            int(bytes),
            now,
            due,
        )?;
        self.count_in_vault(before, Some(bytes)).await
    }

    /// Takes note of what lies in the vault and was not known to: it is hashed at once. What no content of
    /// the ledger is called is left out; gives how many are new.
    pub async fn adopt_into_vault(
        &mut self,
        found: &[(ContentId, Form, u64)],
        now: Millis,
    ) -> Result<u64> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        let mut adopted = 0;
        for (id, form, bytes) in found {
            let new = execute!(
                self,
                "INSERT INTO vault_objects (content_id, form, bytes, stored_at, due_at)
                 SELECT id, $3, $4, $5, 0 FROM contents
                 WHERE codec = $1 AND digest = $2 AND denied = 0
                 ON CONFLICT (content_id) DO UPDATE SET form = excluded.form,
                    bytes = excluded.bytes, stored_at = excluded.stored_at, due_at = 0, taken = 0
                 WHERE vault_objects.form IS NULL",
                i64::from(id.codec.multicodec()),
                &id.digest.0[..],
                form.as_str(),
                int(*bytes),
                now,
            )?;
            if new > 0 {
                self.count_in_vault(None, Some(*bytes)).await?;
            }
            adopted += new;
        }
        Ok(adopted)
    }

    /// Writes down that a content is not in the vault.
    pub async fn forget_in_vault(&mut self, content: RowId) -> Result<()> {
        self.among_others().await?;
        let before = self.counted_in_vault(content).await?;
        execute!(self, "DELETE FROM vault_objects WHERE content_id = $1", content)?;
        self.count_in_vault(before, None).await
    }

    /// Writes down that the vault has nothing right of a content, and when it is tried again to copy it.
    pub async fn want_in_vault(
        &mut self,
        content: RowId,
        problem: Option<&str>,
        due: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        let before = self.counted_in_vault(content).await?;
        execute!(
            self,
            "INSERT INTO vault_objects (content_id, bytes, due_at, problem) VALUES ($1, 0, $2, $3)
             ON CONFLICT (content_id) DO UPDATE SET form = NULL, bytes = 0, stored_at = NULL,
                checked_at = NULL, due_at = excluded.due_at, taken = 0, problem = excluded.problem",
            content,
            due,
            problem.map(text),
        )?;
        self.count_in_vault(before, None).await
    }

    /// The same at once of what was read before, unless it was put there anew since then: gives whether it
    /// was not.
    pub async fn lose_in_vault(&mut self, object: &VaultObject, problem: &str) -> Result<bool> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        let now = self.vault_object(object.content).await?;
        let of = |object: &VaultObject| (object.form, object.stored_at);
        if now.as_ref().map(of) != Some(of(object)) {
            return Ok(false);
        }
        self.want_in_vault(object.content, Some(problem), 0).await?;
        Ok(true)
    }

    /// Takes some of what is to be hashed again; nobody else gets them before `lease`.
    pub async fn take_vault_checks(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
    ) -> Result<Vec<VaultObject>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT content_id FROM vault_objects WHERE form IS NOT NULL AND due_at <= $1
             ORDER BY due_at, content_id LIMIT $2",
            "SELECT content_id FROM vault_objects WHERE form IS NOT NULL AND due_at <= $1
             ORDER BY due_at, content_id LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        let rows = fetch!(fetch_all, self, (i64,), sql, now, i64::from(limit))?;
        let rows: Vec<RowId> = rows.into_iter().map(|(row,)| row).collect();
        fetch_in!(self, (i64,), {"UPDATE vault_objects SET due_at = " => lease}
            " WHERE content_id IN", rows, "RETURNING content_id");
        let found = fetch_in!(self, ObjectRow, {} objects_sql!("AND v.content_id IN"), rows, "");
        objects(found)
    }

    /// Writes down that a content in the vault was found to be right.
    pub async fn record_vault_check(
        &mut self,
        content: RowId,
        now: Millis,
        due: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        execute!(
            self,
            "UPDATE vault_objects SET checked_at = $2, due_at = $3, problem = NULL
             WHERE content_id = $1 AND form IS NOT NULL",
            content,
            now,
            due,
        )?;
        Ok(())
    }

    /// Wanted contents by their rows, after one.
    pub async fn wanted_after(&mut self, after: RowId, limit: u32) -> Result<Vec<Content>> {
        let select = content_columns!("WHERE wanted = 1 AND id > $1 ORDER BY id LIMIT $2");
        let rows = fetch!(fetch_all, self, ContentRow, select, after, i64::from(limit))?;
        rows.into_iter().map(Content::from_row).collect()
    }
}
