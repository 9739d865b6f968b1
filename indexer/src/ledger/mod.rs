//! What must be kept, where, and how it is: SQLite or PostgreSQL, and nothing else knows SQL.
//!
//! One set of functions serves both engines. Every statement is a static string that both
//! understand (`$1` parameters, BIGINT for integers and booleans, BYTEA/BLOB for hashes); where
//! they differ, `Tx::sql` picks. All reads and writes go through a transaction, so that a
//! reader sees one state and a writer leaves all of its work or none.

mod addresses;
mod alerts;
mod asked;
mod assessments;
mod bulk;
mod claims;
mod clocks;
mod collections;
mod content_rows;
mod contents;
mod copy;
mod denied;
mod departures;
mod due;
mod factories;
mod fold;
mod follow;
mod halts;
mod heads;
mod incidents;
mod moves;
mod naming;
mod nodes;
mod odd;
mod paths;
mod places;
mod probes;
mod providers;
mod repairs;
mod replicas;
mod retention;
mod schedule;
mod silences;
mod spots;
mod spread;
mod sqlite;
mod states;
mod store_checks;
mod stores;
mod tokens;
mod turn;
mod uris;
mod vault;
mod views;

use std::{path::PathBuf, time::Duration};

use sqlx::{Connection, Postgres, Sqlite, Transaction, postgres::PgPoolOptions};

pub use addresses::{MOST_ADDRESSES, SEVERAL};
pub use alerts::{GoingOn, PendingAlert, SinkState};
pub use assessments::{DueAssessment, Judged, Unwell};
pub use clocks::LongestWaits;
pub use collections::{Collection, NewCollection};
pub use contents::{Content, Document, Known, Standing};
pub use denied::{DENIED, Denial, DenialSource};
pub use due::{DueProbe, Taken, Taking};
pub use factories::NewFactory;
pub use follow::Commit;
pub use halts::{Fork, ForkVerdict, Halt};
pub use heads::{ChainHead, Head};
pub use incidents::{Care, Incident, NewAlert, Subject};
pub use moves::MOVES_COUNT_EVERY;
pub use naming::NamedBy;
pub use nodes::{Node, NodeKind};
pub use odd::OddLogs;
pub use paths::{DuePath, PathOf};
pub use probes::ProbeRecord;
pub use providers::{Announcement, MOST_OF_A_CONTENT, MOST_PROVIDERS, Named};
pub use repairs::{
    FailedRepair, KeptMessage, NewMessage, NewRepair, Repair, RepairState, SentRepair, Undone,
};
pub use replicas::{Replica, StateChange};
pub use silences::{Ack, Scope, Silence, Withheld, silent_until};
pub use spots::{DueSpot, SPOT_ABOVE, SpotRecord, SpotResult};
pub use store_checks::DueStores;
pub use stores::{Grant, Store, StoreAt, StoresAt, StoresSeen};
pub use tokens::{Burn, Token};
pub use turn::Turn;
pub use uris::{DueUri, Meaning, Target, TokenUri, UriReading, UriRecord, UriState};
pub use vault::{Form, VaultObject, VaultSummary, VaultWants};
pub use views::{LinkRow, OwnContents, TokenContents, UriView};

/// A row's key.
pub type RowId = i64;
/// Milliseconds since 1970-01-01 UTC.
pub type Millis = i64;

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The `database` setting names no engine we know.
    #[error("database `{0}`: write sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME")]
    UnknownEngine(String),
    /// It can't be opened.
    #[error("can't open the database {url}: {source}")]
    Open {
        /// The setting, without its password.
        url: String,
        /// Why.
        source: sqlx::Error,
    },
    /// There is none.
    #[error("there is no database {0}: `everhold watch` makes it")]
    Absent(String),
    /// Its tables can't be brought up to date.
    #[error("can't bring the database's tables up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The ledger belongs to other chains: none of those that it holds is configured.
    #[error(
        "the ledger holds chain {ledger}, but the RPC serves chain {rpc}; \
         use another `database` for another chain"
    )]
    OtherChain {
        /// The first chain id in the ledger.
        ledger: u64,
        /// The first chain id that is configured.
        rpc: u64,
    },
    /// Same id, another genesis block: a development chain that was started anew.
    #[error(
        "the RPC serves a chain with the ledger's id {0} but another genesis block \
         (a development chain started anew?); use another `database` for it"
    )]
    OtherGenesis(u64),
    /// The blocks to be written do not follow those in the ledger.
    #[error("block {0} does not follow what the ledger holds: the chain changed meanwhile")]
    Unlinked(u64),
    /// The file by which processes take turns.
    #[error("can't lock {}, by which processes take turns at repairs: {source}", path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite's log, which is to be on the disk before something is sent.
    #[error("can't bring the ledger's log to the disk ({}): {source}", path.display())]
    Sync {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value read from the database makes no sense.
    #[error("the ledger holds a value that makes no sense: {0}")]
    Corrupt(String),
}

/// Shorthand.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// The ledger: a handle that can be cloned and shared.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: Pool,
    /// Of SQLite: the database's file; none of a database in memory.
    file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

/// A transaction on either engine. Dropped without [`Tx::commit`], it leaves nothing.
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sql("Tx(sqlite)", "Tx(postgres)"))
    }
}

impl Tx {
    /// Makes everything done in this transaction last.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Waits until no other transaction writes, and keeps others from writing until this one
    /// ends. Following the chain touches rows in an order of its own; with the workers' it could
    /// deadlock. Not to be called once `among_others` was. SQLite has one writer at a time anyway.
    pub async fn alone(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITERS);
            lock.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Waits until no transaction is [`Tx::alone`], and keeps others from being so.
    async fn among_others(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            let lock = sqlx::query("SELECT pg_advisory_xact_lock_shared($1)").bind(WRITERS);
            lock.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Lets the end of this transaction not wait for PostgreSQL's disk, as SQLite's does not with
    /// `synchronous = NORMAL`: a crash of the server may undo it with all that came after it, and
    /// leaves nothing of it by halves (PostgreSQL documentation, "Asynchronous Commit"). For what
    /// is read again from the checkpoint, which goes with it.
    async fn need_not_last(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            let set = sqlx::query("SET LOCAL synchronous_commit = off");
            set.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Has statements planned for the tables as they are, for the rest of this transaction. PostgreSQL
    /// keeps a plan; one that was made for an empty table would go through all of it each time, while
    /// a transaction puts a million rows there.
    async fn plan_anew(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            let set = sqlx::query("SET LOCAL plan_cache_mode = 'force_custom_plan'");
            set.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Has statements go by indexes, for the rest of this transaction ([`for_few`]).
    async fn plan_for_few(&mut self) -> Result<()> {
        if let Self::Postgres(tx) = self {
            let set = sqlx::query(concat!("SELECT ", for_few!()));
            set.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// The statement for this transaction's engine.
    fn sql(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

/// Settings of PostgreSQL for the rest of a transaction in which statements are about few rows of large
/// tables: they go by indexes. It does not know how few, nor of a new table how large. Where it has no
/// index all the same, it would take the plan for one that costs ten thousand million, and compile it.
macro_rules! for_few {
    () => {
        "set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
    };
}

/// Runs a statement; gives the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let sql: &'static str = $sql;
        match $tx {
            $crate::ledger::Tx::Sqlite(c) =>
                sqlx::query(sql)$(.bind($bind))*.execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::ledger::Tx::Postgres(c) =>
                sqlx::query(sql)$(.bind($bind))*.execute(&mut **c).await.map(|done| done.rows_affected()),
        }
    }};
}

/// Runs a query by one of sqlx's `fetch_…` functions; `$row` is a tuple or a `FromRow`.
macro_rules! fetch {
    ($how:ident, $tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let sql: &'static str = $sql;
        match $tx {
            $crate::ledger::Tx::Sqlite(c) =>
                sqlx::query_as::<_, $row>(sql)$(.bind($bind))*.$how(&mut **c).await,
            $crate::ledger::Tx::Postgres(c) =>
                sqlx::query_as::<_, $row>(sql)$(.bind($bind))*.$how(&mut **c).await,
        }
    }};
}
use {execute, fetch, for_few};

impl Ledger {
    /// Opens the database and brings its tables up to date. An SQLite file is made if absent.
    pub async fn open(url: &str) -> Result<Self> {
        let failed = |source| LedgerError::Open { url: without_password(url), source };
        let mut file = None;
        let pool = if url.starts_with("sqlite:") {
            let pool = sqlite::open(url).await?;
            file = sqlite::file(url);
            Pool::Sqlite(pool)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            // One connection by itself first: a pool says only that time ran out, not why.
            let first = tokio::time::timeout(CONNECT, sqlx::PgConnection::connect(url)).await;
            let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?;
            first.close().await.map_err(failed)?;
            let options = PgPoolOptions::new().max_connections(8);
            let pool = options.acquire_timeout(CONNECT).connect(url).await.map_err(failed)?;
            sqlx::migrate!("../migrations/postgres").run(&pool).await?;
            Pool::Postgres(pool)
        } else {
            return Err(LedgerError::UnknownEngine(without_password(url)));
        };
        Ok(Self { pool, file })
    }

    /// As [`Ledger::open`], but makes no SQLite file.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] where there is none.
    pub async fn open_existing(url: &str) -> Result<Self> {
        if let Ok((options, _)) = sqlite::options(url)
            && url.starts_with("sqlite:")
            && !options.get_filename().exists()
        {
            return Err(LedgerError::Absent(url.to_owned()));
        }
        Self::open(url).await
    }

    /// A transaction that only reads: one state of the ledger.
    pub async fn read(&self) -> Result<Tx> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Tx::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => Tx::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
            ),
        })
    }

    /// A transaction that writes. SQLite takes its one write lock at once, so that a reader
    /// never turns writer in the middle and fails.
    pub async fn write(&self) -> Result<Tx> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Brings what was written into SQLite's file from its log, beside whoever writes on: who commits
    /// when the log is long, or closes the file, would else have all of that to do. PostgreSQL has a
    /// process for it.
    pub async fn checkpoint(&self) -> Result<()> {
        if let Pool::Sqlite(pool) = &self.pool {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(pool).await?;
        }
        Ok(())
    }

    /// Has what was committed outlast a power cut. SQLite brings its log to the disk before it brings it into
    /// its file, and not with each transaction (`synchronous = NORMAL`); PostgreSQL does so by itself.
    pub async fn sync(&self) -> Result<()> {
        match &self.file {
            Some(file) => sqlite::sync_log(file).await,
            None => Ok(()),
        }
    }

    /// Closes the connections: what was written is on disk afterwards.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// The key of the advisory lock that writers share: `everhold` in ASCII.
const WRITERS: i64 = i64::from_be_bytes(*b"everhold");

/// How long the database may take to answer at the start.
const CONNECT: Duration = Duration::from_secs(10);

/// A database URL as it may be shown.
fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return "(not shown: it is no URL, and may hold a password)".to_owned();
    };
    if parsed.password().is_some() {
        let _ = parsed.set_password(Some("***"));
    }
    if parsed.query().is_some_and(|query| query.contains("password")) {
        parsed.set_query(Some("***"));
    }
    parsed.to_string()
}

/// The current time.
pub fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Block numbers and counts fit an `i64` on every chain; a hostile larger one is capped.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Back from [`int`].
fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The longest text from outside that is kept, in characters.
const MAX_TEXT: usize = 16 * 1024;

/// Text from outside as both engines keep it: PostgreSQL refuses NUL, and nobody needs megabytes.
fn text(outside: &str) -> String {
    let kept = outside.chars().take(MAX_TEXT);
    kept.map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
