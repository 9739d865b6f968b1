//! Ledgers of earlier versions, with rows: nothing of them is lost.

use std::borrow::Cow;

use everhold::{
    health::Health,
    ledger::{Incident, MOST_ADDRESSES, Millis, SEVERAL, Subject},
};
use sqlx::{AssertSqlSafe, Connection, migrate::Migrator};

use crate::{
    story::{NOW, contract, raw},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(keeps_incidents_and_alerts, keeps_where_nodes_served_from);

/// The versions that these tests are about.
const HALTS: i64 = 7;
const ADDRESSES: i64 = 20;

fn before(version: i64, all: &Migrator) -> Migrator {
    let migrations = all.migrations.iter().filter(|one| one.version < version).cloned().collect();
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

async fn write_rows(db: &Database, version: i64, rows: String) {
    let sql = AssertSqlSafe(rows);
    match db.engine {
        Engine::Sqlite => {
            let url = format!("{}?mode=rwc", db.url);
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            before(version, &sqlx::migrate!("../migrations/sqlite"))
                .run(&mut connection)
                .await
                .unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Engine::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.url).await.unwrap();
            before(version, &sqlx::migrate!("../migrations/postgres"))
                .run(&mut connection)
                .await
                .unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

async fn keeps_incidents_and_alerts(db: Database) {
    write_rows(&db, HALTS, rows(db.engine)).await;
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
    let due = tx.take_due_alerts("http://sink", 10, Millis::MAX).await.unwrap();
    let ids: Vec<_> = due.iter().map(|alert| (alert.id.as_str(), alert.attempts)).collect();
    assert_eq!(ids, [("second", 3), ("first", 0)], "what is lost goes first");
    let collection = tx.collections().await.unwrap().remove(0);
    assert_eq!((collection.id, collection.indexed_block), (3, Some(9)));
    assert_eq!((collection.halted, collection.indexed_time), (None, None));
    tx.commit().await.unwrap();
}

/// Of each replica the last address was known: they are its node's, as many as are kept.
async fn keeps_where_nodes_served_from(db: Database) {
    let identity = match db.engine {
        Engine::Sqlite => "",
        Engine::Postgres => "OVERRIDING SYSTEM VALUE",
    };
    let digest = |content: u8| match db.engine {
        Engine::Sqlite => format!("X'{}'", alloy::hex::encode(raw(content).digest.0)),
        Engine::Postgres => format!("'\\x{}'", alloy::hex::encode(raw(content).digest.0)),
    };
    let mut sql = format!(
        "INSERT INTO nodes (id, url, kind, address, active) {identity} VALUES
            (1, 'http://a', 'gateway', 'a:80', 1), (2, 'http://b', 'gateway', 'b:80', 1),
            (3, 'http://c', 'gateway', 'c:80', 1);"
    );
    for content in 1..=40_u8 {
        let at = NOW + Millis::from(content);
        let second = if content % 2 == 0 { "several addresses" } else { "1.2.3.4" };
        sql += &format!(
            "INSERT INTO contents (id, codec, digest, wanted) {identity}
                VALUES ({content}, 85, {}, 1);
             INSERT INTO replicas (content_id, node_id, state, verified_at, address, due_at) VALUES
                ({content}, 1, 'verified', {at}, '5.5.5.{content}', 0),
                ({content}, 2, 'verified', {at}, '{second}', 0), ({content}, 3, NULL, NULL, NULL, 0);",
            digest(content)
        );
    }
    write_rows(&db, ADDRESSES, sql).await;
    let ledger = db.open().await;
    let replicas = ledger.read().await.unwrap().replicas_of(7).await.unwrap();
    let at = |index: usize| -> Vec<_> {
        let all = replicas[index].view.holder.addresses.iter();
        all.map(|address| (address.name.clone(), address.seen_at)).collect()
    };
    let last = |address: &str, content: Millis| (address.to_owned(), Some(NOW + content));
    assert_eq!(at(0).len(), MOST_ADDRESSES);
    assert!(at(0).contains(&last("5.5.5.40", 40)) && !at(0).contains(&last("5.5.5.8", 8)));
    assert_eq!(at(1), [last("1.2.3.4", 39), last(SEVERAL, 40)]);
    assert_eq!(at(2), [("c:80".to_owned(), None)]);
}
