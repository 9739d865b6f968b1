//! A database that is locked, or gone, while `watch` repairs: nothing is lost, done twice, or given up.

use std::{fs, time::Duration};

use everhold_e2e::{
    Context, Result, Setup, Watcher, World, eventually, node,
    report::{self, items, text},
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use crate::{postgres::server, repair::two};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// Each of them loses its picture once.
const TOKENS: u64 = 3;
/// What PostgreSQL calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// `watch`, once it has begun to.
async fn watching(world: &World) -> Result<Watcher> {
    let watcher = world.everhold.watch(&[])?;
    eventually("it runs", PATIENCE, LOOK, async || {
        Ok(watcher.log_tail(9).iter().any(|line| line.contains("watching")).then_some(()))
    })
    .await?;
    Ok(watcher)
}

/// Waits until a content is back on a node.
async fn comes_back(world: &World, node: usize, id: &str) -> Result<()> {
    eventually("it is repaired", PATIENCE, LOOK, async || node::bytes(&world.nodes[node], id).await)
        .await
        .map(drop)
}

/// Waits until the ledger says that all is well, and sees that nothing is left open.
async fn ends_well(world: &World, token: u64, id: &str) -> Result<()> {
    eventually("all is well", PATIENCE, LOOK, async || {
        let status = world.everhold.status().await?;
        let open = items(&status["incidents"]).iter().any(|one| one["closed_at"].is_null());
        Ok((report::health(&status, "healthy") == TOKENS && !open).then_some(()))
    })
    .await?;
    let token = world.token(token).await?;
    let content = items(&token["contents"]).iter().find(|one| text(&one["id"]) == id);
    for repair in items(&content.context("the content")?["repairs"]) {
        assert!(matches!(text(&repair["state"]), "done" | "failed"), "{repair}");
    }
    Ok(())
}

#[tokio::test]
async fn a_locked_database_is_waited_for() -> Result<()> {
    let mut world = World::healthy(Setup { tokens: TOKENS, ..two() }).await?;
    let stores = world.stores().await?;
    // So that a lock is met as an error now, and not after half a minute.
    world.settings.database = "sqlite://everhold.db?busy_timeout=100".to_owned();
    world.configure()?;
    let mut watcher = watching(&world).await?;
    let file = world.everhold.dir().join("everhold.db");
    let url = format!("sqlite://{}?mode=rw", file.display());
    // Another each time: one that is lost again soon is left for longer.
    for token in 1..=TOKENS {
        let id = world.id(token, "image").await?;
        let mut other = SqliteConnection::connect(&url).await.context("everhold.db")?;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.context("lock")?;
        let _ = fs::remove_file(world.nodes[0].path(&id));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(watcher.process().is_running(), "{:?}", watcher.log_tail(5));
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.context("unlock")?;
        other.close().await.context("everhold.db")?;
        comes_back(&world, 0, &id).await?;
        ends_well(&world, token, &id).await?;
    }
    assert!(fs::read_to_string(watcher.log()).unwrap().contains("locked"), "no lock was met");
    watcher.terminate().await?;
    assert_eq!(world.stores().await?, stores);
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_gone_is_waited_for() -> Result<()> {
    let database = server::new_database().await;
    let setup = Setup { database: Some(database.clone()), tokens: TOKENS, ..two() };
    let world = World::healthy(setup).await?;
    let stores = world.stores().await?;
    let (mut way, through) = Way::to(&database)?;
    let mut settings = world.settings.clone();
    settings.database = through;
    world.everhold.configure(&settings)?;
    let mut watcher = watching(&world).await?;
    for (token, pause) in (1..=TOKENS).zip([0, 300, 700]) {
        world.configure()?;
        let id = world.id(token, "image").await?;
        let _ = fs::remove_file(world.nodes[0].path(&id));
        // Somewhere between the loss and its repair.
        tokio::time::sleep(Duration::from_millis(pause)).await;
        way.down().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(watcher.process().is_running(), "{:?}", watcher.log_tail(5));
        way.up()?;
        comes_back(&world, 0, &id).await?;
        ends_well(&world, token, &id).await?;
    }
    watcher.terminate().await?;
    assert_eq!(world.stores().await?, stores);
    Ok(())
}

/// Two processes on one ledger, all the time: each loss is repaired by one upload.
#[tokio::test]
async fn two_workers_never_do_the_same() -> Result<()> {
    let database = server::new_database().await;
    let world = World::healthy(Setup { database: Some(database), ..two() }).await?;
    let id = world.id(1, "image").await?;
    let other = everhold_e2e::Everhold::new()?;
    let mut settings = world.settings.clone();
    settings.recheck = "1s".to_owned();
    settings.repair_key = Some(other.key_file("repairer", &everhold_e2e::accounts::REPAIRER)?);
    other.configure(&settings)?;
    let mut ours = world.settings.clone();
    ours.recheck = "1s".to_owned();
    world.everhold.configure(&ours)?;
    let mut watchers = [world.everhold.watch(&[])?, other.watch(&[])?];
    for _ in 0..4 {
        world.forget_requests().await?;
        let _ = fs::remove_file(world.nodes[0].path(&id));
        // Each watches for longer than the pause after the last repair, which did not last.
        eventually("it is repaired", Duration::from_secs(120), LOOK, async || {
            node::bytes(&world.nodes[0], &id).await
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let requests = world.nodes[0].requests().await?;
        let uploads = &requests["counts"]["POST /api/v0/storage/add_file"];
        assert_eq!(*uploads, json!(1), "{}", requests["counts"]);
        forget_repairs(&settings.database).await?;
    }
    for watcher in &mut watchers {
        watcher.terminate().await?;
    }
    Ok(())
}

/// So that the next loss is the first, and nothing has to be waited for.
async fn forget_repairs(database: &str) -> Result<()> {
    let mut connection = sqlx::PgConnection::connect(database).await.context("database")?;
    let delete = sqlx::raw_sql("DELETE FROM repairs WHERE state IN ('done', 'failed')");
    delete.execute(&mut connection).await.context("repairs")?;
    connection.close().await.context("database")
}

/// A way to PostgreSQL's socket that can be cut.
struct Way {
    dir: tempfile::TempDir,
    to: String,
    task: Option<JoinHandle<()>>,
}

impl Way {
    /// To a database, and its URL by that way.
    fn to(database: &str) -> Result<(Self, String)> {
        let (before, to) = database.split_once("?host=").context("host")?;
        // A socket's path is short.
        let dir = tempfile::tempdir_in("/tmp").context("a folder")?;
        let through = format!("{before}?host={}", dir.path().display());
        let mut way = Self { dir, to: format!("{to}/{SOCKET}"), task: None };
        way.up()?;
        Ok((way, through))
    }

    fn up(&mut self) -> Result<()> {
        let listener = UnixListener::bind(self.dir.path().join(SOCKET)).context("a socket")?;
        let to = self.to.clone();
        self.task = Some(tokio::spawn(async move {
            // Dropped with the task, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let to = to.clone();
                connections.spawn(async move {
                    if let Ok(mut server) = UnixStream::connect(to).await {
                        let _ = copy_bidirectional(&mut from, &mut server).await;
                    }
                });
            }
        }));
        Ok(())
    }

    async fn down(&mut self) {
        let _ = fs::remove_file(self.dir.path().join(SOCKET));
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
}
