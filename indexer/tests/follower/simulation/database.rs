//! A database that fails while it is worked with: locks, errors in the middle of transactions and at
//! their end, connections that break.

use std::{str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tokio::time::sleep;

use super::{
    Dice,
    wire::{Ill, Wire},
};
use crate::support::database::{Database, Engine};

/// Tables that the follower writes, and its stages after it.
const TABLES: [&str; 14] = [
    "blocks",
    "burns",
    "chains",
    "collections",
    "contents",
    "former_contents",
    "links",
    "odd_logs",
    "replica_changes",
    "replicas",
    "scheduled",
    "token_undo",
    "token_uris",
    "tokens",
];
/// As SQLite tells errors: what becomes of the statement and of the transaction.
const ENDS: [&str; 3] = ["ABORT", "FAIL", "ROLLBACK"];
/// Errors of PostgreSQL: serialization failure, deadlock, disk full, out of memory, cancelled, any.
const CODES: [&str; 6] = ["40001", "40P01", "53100", "53200", "57014", "P0001"];

/// How long SQLite waits for a lock.
const BUSY: Duration = Duration::from_millis(200);

/// A database, and the way that the indexer goes to it.
pub(super) struct Fragile {
    engine: Engine,
    direct: String,
    wire: Option<Wire>,
}

impl Fragile {
    pub(super) async fn new(db: &Database) -> Self {
        // The tables are there.
        db.open().await.close().await;
        let wire = match db.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Wire::to(&db.url).await),
        };
        Self { engine: db.engine, direct: db.url.clone(), wire }
    }

    /// Where the indexer finds it. SQLite's is told to wait for locks no longer than a storm lasts.
    pub(super) fn url(&self) -> String {
        match &self.wire {
            Some(wire) => wire.url.clone(),
            None => format!("{}?busy_timeout={}", self.direct, BUSY.as_millis()),
        }
    }

    /// It fails in some way for a while, and is then as it was.
    pub(super) async fn fails(&self, mut dice: Dice) {
        let while_it_lasts = Duration::from_millis(20 + dice.below(300));
        sleep(Duration::from_millis(dice.below(150))).await;
        match (self.engine, dice.below(3)) {
            (Engine::Sqlite, 0) => self.is_locked(while_it_lasts).await,
            (Engine::Sqlite, _) => self.refuses_rows(while_it_lasts, &mut dice).await,
            (Engine::Postgres, 0) => self.ends_connections(while_it_lasts).await,
            (Engine::Postgres, 1) => self.refuses_rows_there(while_it_lasts, &mut dice).await,
            (Engine::Postgres, _) => self.is_cut_off(while_it_lasts, &mut dice).await,
        }
    }

    async fn sqlite(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::from_str(&self.direct).unwrap();
        options.busy_timeout(Duration::from_secs(60)).connect().await.unwrap()
    }

    async fn is_locked(&self, span: Duration) {
        let mut connection = self.sqlite().await;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
        // Longer than anybody waits for it.
        sleep(BUSY + span).await;
        sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn refuses_rows(&self, span: Duration, dice: &mut Dice) {
        let (table, one_in) = (dice.one_of(&TABLES), 1 + dice.below(4));
        let (event, end) = (dice.one_of(&["INSERT", "UPDATE", "DELETE"]), dice.one_of(&ENDS));
        let create = format!(
            "CREATE TRIGGER storm BEFORE {event} ON {table} WHEN abs(random() % {one_in}) = 0
             BEGIN SELECT RAISE({end}, 'a storm'); END"
        );
        let mut connection = self.sqlite().await;
        sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        sleep(span).await;
        sqlx::query("DROP TRIGGER storm").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn postgres(&self) -> PgConnection {
        // A server ends a connection that stood still for a minute before it was there.
        for _ in 0..3 {
            if let Ok(connection) = PgConnection::connect(&self.direct).await {
                return connection;
            }
        }
        PgConnection::connect(&self.direct).await.unwrap()
    }

    async fn ends_connections(&self, span: Duration) {
        let mut connection = self.postgres().await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        for _ in 0..3 {
            sqlx::query(end).execute(&mut connection).await.unwrap();
            sleep(span / 3).await;
        }
        connection.close().await.unwrap();
    }

    /// In the middle of a transaction, or only when it commits.
    async fn refuses_rows_there(&self, span: Duration, dice: &mut Dice) {
        let (table, code, one_in) = (dice.one_of(&TABLES), dice.one_of(&CODES), 1 + dice.below(4));
        let function = format!(
            "CREATE OR REPLACE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF random() * {one_in} < 1 THEN
                    RAISE EXCEPTION 'a storm' USING ERRCODE = '{code}';
                END IF;
                IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                RETURN NEW;
             END $$"
        );
        let of = format!("INSERT OR UPDATE OR DELETE ON {table}");
        let trigger = match dice.below(2) {
            0 => format!("CREATE TRIGGER storm BEFORE {of} FOR EACH ROW EXECUTE FUNCTION storm()"),
            _ => format!(
                "CREATE CONSTRAINT TRIGGER storm AFTER {of} DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION storm()"
            ),
        };
        let mut connection = self.postgres().await;
        sqlx::query(AssertSqlSafe(function)).execute(&mut connection).await.unwrap();
        insist(&mut connection, trigger).await;
        sleep(span).await;
        insist(&mut connection, format!("DROP TRIGGER storm ON {table}")).await;
        connection.close().await.unwrap();
    }

    async fn is_cut_off(&self, span: Duration, dice: &mut Dice) {
        let Some(wire) = &self.wire else { return };
        wire.is(match dice.below(3) {
            0 => Ill::Cut,
            1 => Ill::LosesCommits,
            _ => Ill::LosesAnswers(1 + dice.below(4_000)),
        });
        sleep(span).await;
        wire.is(Ill::Well);
    }
}

/// Changes a table, however long others hold it: they may even be in each other's way.
async fn insist(connection: &mut PgConnection, statement: String) {
    for _ in 0..100 {
        let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *connection).await;
        match done {
            Ok(_) => return,
            Err(error) => println!("{statement}: {error}; again"),
        }
    }
    panic!("it can't be done: {statement}");
}
