//! The deny list: digests of what is never fetched, stored, repaired or shown.
//!
//! A denied content is not wanted, whoever names it; so it has no due probes, and what it refers to is
//! not wanted for its sake.

use std::collections::{BTreeSet, HashMap};

use super::{
    Content, LedgerError, Millis, Result, RowId, Tx,
    bulk::fetch_in,
    bulk::insert_rows,
    contents::{ContentRow, content_columns},
    execute, fetch, text,
};
use crate::content::Digest;

/// Who put a digest on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DenialSource {
    /// `everhold deny add`.
    Command,
    /// A file of `[deny] files`.
    File,
}

impl DenialSource {
    fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::File => "file",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        match text {
            "command" => Ok(Self::Command),
            "file" => Ok(Self::File),
            _ => Err(LedgerError::Corrupt(format!("`{text}` denies something"))),
        }
    }
}

/// A digest on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// sha-256: of a file's bytes, or of a CID's block.
    pub digest: Digest,
    /// Who put it there.
    pub source: DenialSource,
    /// Why.
    pub reason: String,
    /// When.
    pub added_at: Millis,
}

/// What the problem of a path begins with whose folder is denied.
pub const DENIED: &str = "denied: ";

fn digest_of(bytes: &[u8]) -> Result<Digest> {
    Digest::from_slice(bytes).ok_or_else(|| LedgerError::Corrupt("a denied digest".to_owned()))
}

impl Tx {
    /// Puts a digest on the list, or gives it another reason. It counts with [`Tx::apply_denials`].
    pub async fn deny(&mut self, digest: &Digest, reason: &str, now: Millis) -> Result<()> {
        execute!(
            self,
            "INSERT INTO denied (digest, source, reason, added_at) VALUES ($1, 'command', $2, $3)
             ON CONFLICT (digest, source) DO UPDATE SET reason = excluded.reason",
            digest.0.as_slice(),
            text(reason),
            now,
        )?;
        Ok(())
    }

    /// Takes a digest off that a command put on the list; gives whether it was there.
    pub async fn allow(&mut self, digest: &Digest) -> Result<bool> {
        let delete = "DELETE FROM denied WHERE digest = $1 AND source = 'command'";
        Ok(execute!(self, delete, digest.0.as_slice())? > 0)
    }

    /// Makes these, and no others, what the files of the configuration deny.
    pub async fn deny_by_files(&mut self, entries: &[(Digest, String)], now: Millis) -> Result<()> {
        let before = "SELECT digest, added_at FROM denied WHERE source = 'file'";
        let before = fetch!(fetch_all, self, (Vec<u8>, i64), before)?;
        let before: HashMap<Vec<u8>, Millis> = before.into_iter().collect();
        execute!(self, "DELETE FROM denied WHERE source = 'file'")?;
        let since = |digest: &Digest| before.get(digest.0.as_slice()).copied().unwrap_or(now);
        insert_rows!(
            self,
            "INSERT INTO denied (digest, source, reason, added_at) ",
            entries,
            |row| (row.0.0.as_slice(), DenialSource::File.as_str(), text(&row.1), since(&row.0)),
            " ON CONFLICT DO NOTHING"
        );
        Ok(())
    }

    /// The whole list, by digest.
    pub async fn denials(&mut self) -> Result<Vec<Denial>> {
        let select = "SELECT digest, source, reason, added_at FROM denied ORDER BY digest, source";
        let rows = fetch!(fetch_all, self, (Vec<u8>, String, String, i64), select)?;
        rows.into_iter()
            .map(|(digest, source, reason, added_at)| {
                let (digest, source) = (digest_of(&digest)?, DenialSource::parse(&source)?);
                Ok(Denial { digest, source, reason, added_at })
            })
            .collect()
    }

    /// Which of these are denied, and why.
    pub async fn denied_among(&mut self, digests: &[Digest]) -> Result<HashMap<Digest, String>> {
        if !self.denies_anything().await? {
            return Ok(HashMap::new());
        }
        let keys: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
        let rows = fetch_in!(self, (Vec<u8>, String), {} "SELECT digest, reason FROM denied WHERE digest IN", keys, "");
        rows.into_iter().map(|(digest, reason)| Ok((digest_of(&digest)?, reason))).collect()
    }

    async fn denies_anything(&mut self) -> Result<bool> {
        let any = "SELECT 1 FROM denied LIMIT 1";
        Ok(fetch!(fetch_optional, self, (i32,), any)?.is_some())
    }

    /// Has the list count, as it is now: what it denies is wanted no more, what it denies no more is
    /// due at once where something names it. Gives the contents that were denied by this.
    pub async fn apply_denials(
        &mut self,
        keep_history: bool,
        now: Millis,
    ) -> Result<BTreeSet<RowId>> {
        self.alone().await?;
        let none = "SELECT 1 FROM contents WHERE denied = 1 LIMIT 1";
        if !self.denies_anything().await? && fetch!(fetch_optional, self, (i32,), none)?.is_none() {
            return Ok(BTreeSet::new());
        }
        let mut changed = Vec::new();
        for update in [
            "UPDATE contents SET denied = 1 WHERE denied = 0 AND (
                digest IN (SELECT digest FROM denied)
                OR (sha256 IS NOT NULL AND sha256 IN (SELECT digest FROM denied))) RETURNING id",
            "UPDATE contents SET denied = 0 WHERE denied = 1
                AND digest NOT IN (SELECT digest FROM denied)
                AND (sha256 IS NULL OR sha256 NOT IN (SELECT digest FROM denied)) RETURNING id",
        ] {
            let rows = fetch!(fetch_all, self, (i64,), update)?;
            changed.push(rows.into_iter().map(|(id,)| id).collect::<BTreeSet<RowId>>());
        }
        let all: BTreeSet<RowId> = changed.iter().flatten().copied().collect();
        self.refresh_wanted(&all, keep_history, now).await?;
        Ok(changed.swap_remove(0))
    }

    /// Marks those among new contents that are denied, before anything is due of them.
    pub(super) async fn deny_new(&mut self, last: RowId) -> Result<()> {
        if !self.denies_anything().await? {
            return Ok(());
        }
        let update = "UPDATE contents SET denied = 1, wanted = 0, wanted_since = NULL
                      WHERE id > $1 AND digest IN (SELECT digest FROM denied)";
        execute!(self, update, last)?;
        Ok(())
    }

    /// The denied contents of the ledger.
    pub async fn denied_contents(&mut self) -> Result<Vec<Content>> {
        let select = content_columns!("WHERE denied = 1 ORDER BY id");
        let rows = fetch!(fetch_all, self, ContentRow, select)?;
        rows.into_iter().map(Content::from_row).collect()
    }

    /// Why contents are denied, of those that are.
    pub async fn denials_of(&mut self, contents: &[RowId]) -> Result<HashMap<RowId, String>> {
        let rows = fetch_in!(
            self,
            (i64, String),
            {}
            "SELECT c.id, d.reason FROM contents c
             JOIN denied d ON d.digest = c.digest OR d.digest = c.sha256
             WHERE c.denied = 1 AND c.id IN",
            contents,
            "ORDER BY c.id, d.source, d.digest"
        );
        let mut reasons = HashMap::new();
        for (content, reason) in rows {
            reasons.entry(content).or_insert(reason);
        }
        Ok(reasons)
    }

    /// Why a content is denied, if it is.
    pub async fn denial(&mut self, content: RowId) -> Result<Option<String>> {
        let select = "SELECT d.reason FROM contents c
                      JOIN denied d ON d.digest = c.digest OR d.digest = c.sha256
                      WHERE c.id = $1 AND c.denied = 1 ORDER BY d.source, d.digest LIMIT 1";
        let row = fetch!(fetch_optional, self, (String,), select, content)?;
        Ok(row.map(|(reason,)| reason))
    }
}
