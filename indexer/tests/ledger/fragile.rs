//! A database that ends a transaction by itself.

use alloy::primitives::B256;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::database::{Database, Engine};

/// As SQLite does where the disk is full or fails: nothing is left to be rolled back.
const BARRIER: &str = "CREATE TRIGGER barrier BEFORE INSERT ON chains
    BEGIN SELECT RAISE(ROLLBACK, 'full'); END";

#[tokio::test]
async fn connections_are_as_good_as_new_after_sqlite_ended_their_transactions() {
    let db = Database::fresh(Engine::Sqlite).await;
    let ledger = db.open().await;
    let mut direct = SqliteConnection::connect(&db.url).await.unwrap();
    sqlx::query(BARRIER).execute(&mut direct).await.unwrap();
    // More often than there are connections, and several at once.
    for _ in 0..12 {
        let reading = ledger.read().await.unwrap();
        let mut tx = ledger.write().await.unwrap();
        tx.bind_chain(1, B256::ZERO).await.unwrap_err();
        drop((tx, reading));
    }
    sqlx::query("DROP TRIGGER barrier").execute(&mut direct).await.unwrap();
    for chain in 1..12 {
        let mut tx = ledger.write().await.unwrap();
        tx.bind_chain(chain, B256::ZERO).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = ledger.read().await.unwrap();
        tx.check_genesis(chain, B256::ZERO).await.unwrap();
        tx.check_genesis(chain, B256::repeat_byte(1)).await.unwrap_err();
    }
    ledger.close().await;
}

/// PostgreSQL lets go of what a connection held when it is cut; another process may have the turn then.
#[tokio::test]
async fn a_turn_whose_connection_was_cut_is_lost_and_that_is_seen() {
    let db = Database::fresh(Engine::Postgres).await;
    let (one, other) = (db.open().await, db.open().await);
    let mut turn = one.try_to_repair().await.unwrap().unwrap();
    turn.must_be_held().await.unwrap();
    let mut direct = PgConnection::connect(&db.url).await.unwrap();
    let cut = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l
               JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
               WHERE l.locktype = 'advisory' AND l.pid <> pg_backend_pid()";
    let cut: Vec<(bool,)> = sqlx::query_as(cut).fetch_all(&mut direct).await.unwrap();
    assert_eq!(cut, [(true,)], "one lock, and who held it");
    let theirs = tokio::time::timeout(std::time::Duration::from_secs(10), other.wait_to_repair());
    let theirs = theirs.await.unwrap().unwrap();
    turn.must_be_held().await.unwrap_err();
    drop(turn);
    assert!(one.try_to_repair().await.unwrap().is_none(), "it is theirs");
    drop(theirs);
    one.try_to_repair().await.unwrap().unwrap();
}
