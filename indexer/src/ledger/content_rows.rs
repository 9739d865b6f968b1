//! The rows of contents: found, or made if need be, by the thousands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::Acquire;

use super::{
    Millis, Result, RowId, Tx,
    bulk::{fetch_unique, insert_tuples},
    contents::content_id,
    copy::copy_rows,
    fetch,
};
use crate::content::{Codec, ContentId};

/// Contents with their rows.
type Rows = HashMap<ContentId, RowId>;

/// A content, and since when it is wanted if it is new.
type Named<'a> = (&'a ContentId, &'a Option<Millis>);

/// So many contents or more are taken for new until one of a sample, or of them all, is found to be
/// known.
const MANY: usize = 1024;
/// How many the sample has, about.
const SAMPLE: usize = 64;

impl Tx {
    /// The rows of contents, made if need be. One that is new is wanted if `since` says since when;
    /// gives which are new, too.
    pub(super) async fn content_rows(
        &mut self,
        ids: &BTreeMap<ContentId, Option<Millis>>,
    ) -> Result<(Rows, BTreeSet<RowId>)> {
        let all: Vec<Named<'_>> = ids.iter().collect();
        // Whoever writes contents does so alone, and gives them the next keys: rows that are read
        // back cost as much as those that are written.
        let last = "SELECT COALESCE(MAX(id), 0) FROM contents";
        let (last,) = fetch!(fetch_one, self, (i64,), last)?;
        let mut rows = match self {
            Self::Sqlite(_) => self.insert_contents(&all, last).await?,
            Self::Postgres(_) => self.copy_if_all_new(&all, last).await?,
        };
        if rows.len() < all.len() {
            self.known_rows(&all, &mut rows).await?;
        }
        if rows.len() < all.len() {
            let new = all.iter().filter(|(id, _)| !rows.contains_key(*id));
            let new: Vec<_> = new.copied().collect();
            rows.extend(self.copy_contents(&new, last).await?);
        }
        let new = rows.values().copied().filter(|row| *row > last).collect::<BTreeSet<_>>();
        if !new.is_empty() {
            self.deny_new(last).await?;
        }
        Ok((rows, new))
    }

    /// Makes those contents that are not there yet; gives them with their rows.
    async fn insert_contents(&mut self, all: &[Named<'_>], last: RowId) -> Result<Rows> {
        let rows = numbered(all, last);
        let Self::Sqlite(c) = self else { return Ok(Rows::new()) };
        content_rows!(
            insert_tuples,
            (c, "INSERT INTO contents (id, codec, digest, wanted, wanted_since) ", rows),
            " ON CONFLICT (codec, digest) DO NOTHING"
        );
        let count = "SELECT COUNT(*) FROM contents WHERE id > $1";
        let (made,) = fetch!(fetch_one, self, (i64,), count, last)?;
        if usize::try_from(made) == Ok(all.len()) {
            return Ok(by_name(&rows));
        }
        let made = "SELECT id, codec, digest FROM contents WHERE id > $1";
        let made = fetch!(fetch_all, self, (i64, i64, Vec<u8>), made, last)?;
        made.into_iter()
            .map(|(row, codec, digest)| Ok((content_id(codec, &digest)?, row)))
            .collect()
    }

    /// Makes many contents, if none of them is there; else gives a few of those that are, or none.
    /// Most collections name each content once: to look for it first is in vain.
    async fn copy_if_all_new(&mut self, all: &[Named<'_>], last: RowId) -> Result<Rows> {
        let mut rows = Rows::new();
        if all.len() < MANY {
            return Ok(rows);
        }
        // Hashes are in no order, so each part of them is as good as another.
        let sample: Vec<_> = all.iter().step_by(all.len() / SAMPLE).copied().collect();
        self.known_rows(&sample, &mut rows).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        let Self::Postgres(tx) = self else { return Ok(rows) };
        // A row that is there after all takes only this back.
        let mut attempt = tx.begin().await?;
        match copy(&mut attempt, all, last).await {
            Ok(rows) => {
                attempt.commit().await?;
                Ok(rows)
            }
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                attempt.rollback().await?;
                Ok(Rows::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes contents that are not there; gives them with their rows.
    async fn copy_contents(&mut self, new: &[Named<'_>], last: RowId) -> Result<Rows> {
        match self {
            Self::Sqlite(_) => Ok(Rows::new()),
            Self::Postgres(tx) => Ok(copy(tx, new, last).await?),
        }
    }

    /// Adds the rows of contents that were there before.
    async fn known_rows(&mut self, all: &[Named<'_>], rows: &mut Rows) -> Result<()> {
        for codec in [Codec::DagPb, Codec::Raw] {
            let missing = |id: &&ContentId| id.codec == codec && !rows.contains_key(*id);
            let ids = all.iter().map(|(id, _)| *id).filter(missing);
            let digests: Vec<&[u8]> = ids.map(|id| id.digest.0.as_slice()).collect();
            let known = fetch_unique!(
                self,
                (i64, i64, Vec<u8>),
                "id, codec, digest",
                "contents",
                "codec" => i64::from(codec.multicodec()),
                "digest",
                digests
            );
            for (row, codec, digest) in known {
                rows.insert(content_id(codec, &digest)?, row);
            }
        }
        Ok(())
    }
}

async fn copy(
    connection: &mut sqlx::PgConnection,
    new: &[Named<'_>],
    last: RowId,
) -> Result<Rows, sqlx::Error> {
    let rows = numbered(new, last);
    content_rows!(
        copy_rows,
        (
            connection,
            "COPY contents (id, codec, digest, wanted, wanted_since) FROM STDIN (FORMAT binary)",
            rows
        )
    );
    Ok(by_name(&rows))
}

/// Contents with the keys after the last.
fn numbered<'a>(new: &[Named<'a>], last: RowId) -> Vec<(Named<'a>, RowId)> {
    new.iter().copied().zip(last + 1..).collect()
}

fn by_name(rows: &[(Named<'_>, RowId)]) -> Rows {
    rows.iter().map(|((id, _), row)| (**id, *row)).collect()
}

/// Writes contents by one of the macros for many rows.
macro_rules! content_rows {
    ($write:ident, ($($what:expr),+) $(, $tail:expr)?) => {
        $write!(
            $($what),+,
            |row| (
                row.1,
                i64::from(row.0.0.codec.multicodec()),
                row.0.0.digest.0.as_slice(),
                i64::from(row.0.1.is_some()),
                *row.0.1,
            )
            $(, $tail)?
        )
    };
}
use content_rows;
