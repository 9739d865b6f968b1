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

/// Of so many contents, those that are known are looked for one by one only if a few of them are.
const MANY: usize = 1024;
/// So many are looked for first.
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
            let new: Vec<_> = all.iter().filter(|(id, _)| !rows.contains_key(*id)).collect();
            rows.extend(self.copy_contents(&new, last).await?);
        }
        let new = rows.values().copied().filter(|row| *row > last).collect();
        Ok((rows, new))
    }

    /// Makes those contents that are not there yet; gives them with their rows.
    async fn insert_contents(&mut self, all: &[Named<'_>], last: RowId) -> Result<Rows> {
        let rows: Vec<_> = all.iter().zip(last + 1..).collect();
        let Self::Sqlite(c) = self else { return Ok(Rows::new()) };
        insert_tuples!(
            c,
            "INSERT INTO contents (id, codec, digest, wanted, wanted_since) ",
            rows,
            |row| (
                row.1,
                i64::from(row.0.0.codec.multicodec()),
                row.0.0.digest.0.as_slice(),
                i64::from(row.0.1.is_some()),
                *row.0.1,
            ),
            " ON CONFLICT (codec, digest) DO NOTHING"
        );
        let count = "SELECT COUNT(*) FROM contents WHERE id > $1";
        let (made,) = fetch!(fetch_one, self, (i64,), count, last)?;
        if usize::try_from(made) == Ok(all.len()) {
            return Ok(rows.into_iter().map(|((id, _), row)| (**id, row)).collect());
        }
        let made = "SELECT id, codec, digest FROM contents WHERE id > $1";
        let made = fetch!(fetch_all, self, (i64, i64, Vec<u8>), made, last)?;
        made.into_iter()
            .map(|(row, codec, digest)| Ok((content_id(codec, &digest)?, row)))
            .collect()
    }

    /// Makes many contents, if none of them is there; else gives a few of those that are, or none.
    /// Most collections name each content once: to look for it first is a third of the work.
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
        let all: Vec<_> = all.iter().collect();
        match copy(&mut attempt, &all, last).await {
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
    async fn copy_contents(&mut self, new: &[&Named<'_>], last: RowId) -> Result<Rows> {
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
    new: &[&Named<'_>],
    last: RowId,
) -> Result<Rows, sqlx::Error> {
    let rows: Vec<_> = new.iter().zip(last + 1..).collect();
    copy_rows!(
        connection,
        "COPY contents (id, codec, digest, wanted, wanted_since) FROM STDIN (FORMAT binary)",
        rows,
        |row| (
            row.1,
            i64::from(row.0.0.codec.multicodec()),
            row.0.0.digest.0.as_slice(),
            i64::from(row.0.1.is_some()),
            *row.0.1,
        )
    );
    Ok(rows.into_iter().map(|((id, _), row)| (**id, row)).collect())
}
