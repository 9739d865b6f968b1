//! What a stage took from the ledger, and could neither bring back nor give back.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Dice,
    chain::Chain,
    endpoint::{World, serve},
    foreign::{ERC721, ERC1155},
};
use crate::{
    setting::{Setting, seen_in},
    support::database::{Database, Engine},
};

/// URIs can be taken to be read, and not be written down or given back.
const BARRIER: &str = "CREATE TRIGGER barrier BEFORE UPDATE ON token_uris
    WHEN OLD.due_at > 0 AND (NEW.due_at IS NULL OR NEW.due_at = 0)
    BEGIN SELECT RAISE(ABORT, 'full'); END";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_database_kept_is_taken_up_again_at_once() {
    let (mut chain, mut dice) = (Chain::new(), Dice(5));
    (0..60).for_each(|_| chain.grow(&mut dice));
    let world = Arc::new(Mutex::new(World::of(chain, &dice)));
    let server = serve(&world, 0).await;
    let setting = Setting::of(&[ERC721, ERC1155]).await;
    let expected = setting.fresh(&server.url).await;
    assert!(expected.uris.values().any(|uri| uri.text.is_some()));
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = setting.start(&db, &[&server.url]).await.unwrap();
    let mut direct = SqliteConnection::connect(&db.url).await.unwrap();
    sqlx::query(BARRIER).execute(&mut direct).await.unwrap();
    let stop = CancellationToken::new();
    let watching = async { watch.forever(false, &stop).await.unwrap() };
    let repaired = async {
        let taken = "SELECT count(*) FROM token_uris WHERE due_at > 0";
        while sqlx::query_scalar::<_, i64>(taken).fetch_one(&mut direct).await.unwrap() == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(100)).await;
        sqlx::query("DROP TRIGGER barrier").execute(&mut direct).await.unwrap();
        let begun = Instant::now();
        while seen_in(&db).await != expected {
            assert!(begun.elapsed() < Duration::from_secs(60), "its URIs are not read");
            sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
    };
    tokio::join!(watching, repaired);
}
