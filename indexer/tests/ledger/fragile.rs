//! A database that ends a transaction by itself.

use alloy::primitives::B256;
use sqlx::{Connection, SqliteConnection};

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
