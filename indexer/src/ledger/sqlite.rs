//! Opening an SQLite file.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{LedgerError, Result, bulk::KEYS};

/// Times that opening is tried: SQLite has no lock for changing its journal's mode or its tables,
/// and another process that opens the same new file may be a little faster.
const OPENINGS: u32 = 10;

/// How long a statement waits for another process that writes, where the URL does not say.
const BUSY: Duration = Duration::from_secs(30);
/// The parameter of an SQLite URL that says so, in milliseconds. PostgreSQL's has its own.
const BUSY_PARAMETER: &str = "busy_timeout=";

/// Takes an SQLite URL apart: the options, and how long a lock is waited for.
pub(super) fn options(url: &str) -> Result<(SqliteConnectOptions, Duration), sqlx::Error> {
    let (file, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (ours, others): (Vec<_>, Vec<_>) = parameters
        .split('&')
        .filter(|one| !one.is_empty())
        .partition(|one| one.starts_with(BUSY_PARAMETER));
    let mut patience = BUSY;
    for millis in ours.iter().filter_map(|one| one.strip_prefix(BUSY_PARAMETER)) {
        let millis = millis.parse::<u32>().map_err(|error| {
            sqlx::Error::Configuration(
                format!("busy_timeout is a number of milliseconds, not `{millis}`: {error}").into(),
            )
        })?;
        patience = Duration::from_millis(millis.into());
    }
    let url =
        if others.is_empty() { file.to_owned() } else { format!("{file}?{}", others.join("&")) };
    Ok((SqliteConnectOptions::from_str(&url)?, patience))
}

/// The file of a database, by the name that all who open it have for it, whatever links lead there; `None`
/// of one in memory.
pub(super) fn file(url: &str) -> Option<PathBuf> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    let (options, _) = options(url).ok()?;
    let file = options.get_filename();
    Some(file.canonicalize().unwrap_or_else(|_| file.to_owned()))
}

/// A file beside a database, of its name and this.
pub(super) fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(more);
    file.with_file_name(name)
}

/// Has what a database's log holds outlast a power cut.
pub(super) async fn sync_log(file: &Path) -> Result<()> {
    let path = beside(file, "-wal");
    match tokio::fs::File::open(&path).await {
        Ok(log) => log.sync_all().await.map_err(|source| LedgerError::Sync { path, source }),
        // All of it is in the database by now.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(LedgerError::Sync { path, source }),
    }
}

pub(super) async fn open(url: &str) -> Result<sqlx::SqlitePool> {
    let mut tries = 1;
    loop {
        match try_open(url).await {
            Err(_) if tries < OPENINGS => tries += 1,
            done => return done,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn try_open(url: &str) -> Result<sqlx::SqlitePool> {
    let failed = |source| LedgerError::Open { url: url.to_owned(), source };
    let (connect, patience) = options(url).map_err(failed)?;
    let options = connect
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        // Rows are some 200 bytes: half as many pages to split and to log.
        .page_size(8192)
        // Of hashes, which come in no order, most of an index is touched by a long backfill.
        .pragma("cache_size", "-40000")
        // What takes back a statement of many rows that fails in the middle would else be files, with
        // more bytes in them than are written at all.
        .pragma("temp_store", "memory")
        // Pages that one batch after another changes go into the file once; 64 MB of log, about.
        .pragma("wal_autocheckpoint", "8000")
        .busy_timeout(patience)
        .row_buffer_size(KEYS)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(60))
        // SQLite ends a transaction by itself where the disk is full or fails. sqlx then takes it for
        // open, and the connection would never write again, and read what was so by then.
        .before_acquire(|connection, _| {
            let ended = !connection.is_in_transaction();
            Box::pin(async move { Ok(ended) })
        });
    let pool = pool.connect_with(options).await.map_err(failed)?;
    sqlx::migrate!("../migrations/sqlite").run(&pool).await?;
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_say_how_long_a_lock_is_waited_for() {
        let patience = |url: &str| options(url).map(|(_, patience)| patience.as_millis());
        assert_eq!(patience("sqlite://a.db").unwrap(), 30_000);
        assert_eq!(patience("sqlite://a.db?busy_timeout=250").unwrap(), 250);
        let (both, patience_of_both) = options("sqlite://a.db?mode=ro&busy_timeout=0").unwrap();
        assert_eq!((both.get_filename().to_str(), patience_of_both.as_millis()), (Some("a.db"), 0));
        let refused = patience("sqlite://a.db?busy_timeout=long").unwrap_err().to_string();
        assert!(refused.contains("milliseconds, not `long`"), "{refused}");
        assert_eq!(file("sqlite:///x/a.db").as_deref(), Some(Path::new("/x/a.db")));
        assert_eq!(beside(Path::new("/x/a.db"), "-wal"), Path::new("/x/a.db-wal"));
        assert_eq!(file("sqlite::memory:"), None);
        assert!(patience("sqlite://a.db?busy=1").is_err(), "others are still refused");
    }
}
