//! A ledger of before incidents without a content, with rows: nothing of it is lost.

use std::borrow::Cow;

use everhold::{
    health::Health,
    ledger::{Incident, Millis, Subject},
};
use sqlx::{AssertSqlSafe, Connection, migrate::Migrator};

use crate::{
    story::{NOW, contract, raw},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(keeps_incidents_and_alerts);

/// The version that this test is about.
const HALTS: i64 = 7;

fn before(all: &Migrator) -> Migrator {
    let migrations = all.migrations.iter().filter(|one| one.version < HALTS).cloned().collect();
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

/// Rows as an earlier version wrote them; `{}` is a blob's text.
fn rows(engine: Engine) -> String {
    let hex = |bytes: &[u8]| match engine {
        Engine::Sqlite => format!("X'{}'", alloy::hex::encode(bytes)),
        Engine::Postgres => format!("'\\x{}'", alloy::hex::encode(bytes)),
    };
    let identity = match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "OVERRIDING SYSTEM VALUE",
    };
    let (genesis, address) = (hex(&[1; 32]), hex(contract(0).as_slice()));
    let digest = hex(&raw(1).digest.0);
    format!(
        "INSERT INTO chains (chain_id, genesis, finalized_block) VALUES (31337, {genesis}, 5);
         INSERT INTO collections (id, chain_id, address, name, codec, start_block, indexed_block)
            {identity} VALUES (3, 31337, {address}, 'Art', 85, 0, 9);
         INSERT INTO contents (id, codec, digest, wanted) {identity} VALUES (7, 85, {digest}, 1);
         INSERT INTO incidents (id, collection_id, content_id, health, summary, opened_at, closed_at,
            close_reason) VALUES ('open', 3, 7, 'lost', 'two missing', {NOW}, NULL, NULL),
            ('over', 3, 7, 'degraded', 'one missing', 5, 6, 'recovered');
         INSERT INTO alerts (seq, id, incident_id, sink, event, payload, created_at, attempts, due_at)
            {identity} VALUES (41, 'second', 'open', 'http://sink', 'incident.changed', '{{}}', 2, 3, 10),
            (40, 'first', 'over', 'http://sink', 'incident.opened', '{{}}', 1, 0, 10);"
    )
}

async fn write_rows(db: &Database) {
    let sql = AssertSqlSafe(rows(db.engine));
    match db.engine {
        Engine::Sqlite => {
            let url = format!("{}?mode=rwc", db.url);
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            before(&sqlx::migrate!("../migrations/sqlite")).run(&mut connection).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Engine::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.url).await.unwrap();
            before(&sqlx::migrate!("../migrations/postgres")).run(&mut connection).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

async fn keeps_incidents_and_alerts(db: Database) {
    write_rows(&db).await;
    let ledger = db.open().await;
    let mut tx = ledger.write().await.unwrap();
    let incidents = tx.incidents(0).await.unwrap();
    let about = Subject::Content { row: 7, id: raw(1) };
    let [over, open] = &incidents[..] else { panic!("{incidents:?}") };
    assert_eq!(
        (over.id.as_str(), over.health, over.subject.clone()),
        ("over", Health::Degraded, about.clone())
    );
    assert_eq!((over.closed_at, over.close_reason.as_deref()), (Some(6), Some("recovered")));
    assert_eq!((open.id.as_str(), open.summary.as_str()), ("open", "two missing"));
    assert_eq!((open.opened_at, open.closed_at, open.subject.clone()), (NOW, None, about));
    let again = Incident { id: "again".to_owned(), ..open.clone() };
    assert!(!tx.open_incident(&again).await.unwrap(), "one is open");
    let halted = Incident { subject: Subject::Halted, ..again };
    assert!(tx.open_incident(&halted).await.unwrap());
    let due = tx.take_due_alerts(10, Millis::MAX).await.unwrap();
    let ids: Vec<_> = due.iter().map(|alert| (alert.id.as_str(), alert.attempts)).collect();
    assert_eq!(ids, [("first", 0), ("second", 3)], "in their order");
    let collection = tx.collections().await.unwrap().remove(0);
    assert_eq!((collection.id, collection.indexed_block), (3, Some(9)));
    assert_eq!((collection.halted, collection.indexed_time), (None, None));
    tx.commit().await.unwrap();
}
