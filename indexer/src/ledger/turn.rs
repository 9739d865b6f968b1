//! One process at a time repairs, whoever else shares the ledger: two must never do the same.
//!
//! A turn ends with its process, however that ends: the operating system lets go of a lock on a file, and
//! PostgreSQL of what a connection held. So whoever finds a repair that was begun, and has the turn, knows
//! that nobody is at it any more.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::PathBuf,
    time::Duration,
};

use sqlx::{Connection, PgConnection};

use super::{Ledger, LedgerError, Pool, Result, sqlite::beside};

/// What the file beside a database is called on which a lock is held.
const LOCK: &str = ".repair-lock";
/// The key of PostgreSQL's lock: `everhrep` in ASCII.
const REPAIRS: i64 = i64::from_be_bytes(*b"everhrep");
/// Between looks at whether another has finished.
const LOOK: Duration = Duration::from_millis(200);

/// The right to repair, for as long as it is held.
#[derive(Debug)]
pub struct Turn {
    held: Held,
}

impl Turn {
    /// Sees that the turn is held still: a connection to PostgreSQL may have been cut, and another process
    /// have it by now.
    ///
    /// # Errors
    /// Where it is lost.
    pub async fn must_be_held(&mut self) -> Result<()> {
        if let Held::Connection(connection) = &mut self.held {
            connection.ping().await?;
        }
        Ok(())
    }
}

/// What is held; it is let go of when it is dropped.
#[derive(Debug)]
enum Held {
    File(#[expect(dead_code, reason = "the lock is held by it")] File),
    Connection(Box<PgConnection>),
    /// Nobody else can open this database.
    Alone,
}

impl Ledger {
    /// Takes the turn, unless another process has it.
    pub async fn try_to_repair(&self) -> Result<Option<Turn>> {
        let held = match &self.pool {
            Pool::Sqlite(_) => match &self.file {
                None => Some(Held::Alone),
                Some(file) => lock_file(beside(file, LOCK))?.map(Held::File),
            },
            Pool::Postgres(pool) => {
                let mut connection = pool.acquire().await?.detach();
                let lock = sqlx::query_as::<_, (bool,)>("SELECT pg_try_advisory_lock($1)");
                let (got,) = lock.bind(REPAIRS).fetch_one(&mut connection).await?;
                got.then(|| Held::Connection(Box::new(connection)))
            }
        };
        Ok(held.map(|held| Turn { held }))
    }

    /// Waits for the turn.
    pub async fn wait_to_repair(&self) -> Result<Turn> {
        loop {
            if let Some(turn) = self.try_to_repair().await? {
                return Ok(turn);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn lock_file(path: PathBuf) -> Result<Option<File>> {
    let failed = |source| LedgerError::Lock { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
