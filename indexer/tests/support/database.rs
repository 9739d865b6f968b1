//! A fresh database of either engine for a test.

use everhold::ledger::Ledger;
use tempfile::TempDir;

use super::postgres;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// An empty database; an SQLite file goes with it.
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    _dir: Option<TempDir>,
}

impl Database {
    pub(crate) async fn fresh(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", dir.path().join("ledger.db").display());
                Self { engine, url, _dir: Some(dir) }
            }
            Engine::Postgres => Self { engine, url: postgres::new_database().await, _dir: None },
        }
    }

    /// Removes it early: for tests that need many.
    pub(crate) async fn discard(self) {
        if self.engine == Engine::Postgres {
            postgres::drop_database(&self.url).await;
        }
    }

    pub(crate) async fn open(&self) -> Ledger {
        Ledger::open(&self.url).await.unwrap()
    }
}

/// Makes each `async fn name(Database)` a test on SQLite and one on PostgreSQL.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            use crate::support::database::{Database, Engine};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(Database::fresh(Engine::Sqlite).await).await;
                }
            )+
        }
        mod on_postgres {
            use crate::support::database::{Database, Engine};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(Database::fresh(Engine::Postgres).await).await;
                }
            )+
        }
    };
}
pub(crate) use on_both_engines;
