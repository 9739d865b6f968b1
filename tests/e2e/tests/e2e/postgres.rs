//! The main job once more, with the ledger in PostgreSQL.

use everhold_e2e::Result;

// A server of the tests' own, as the ledger's tests start it.
#[allow(dead_code)]
#[path = "../../../../indexer/tests/support/postgres.rs"]
pub(crate) mod server;

#[tokio::test]
async fn loss_and_rot_are_found_and_repaired_with_postgres() -> Result<()> {
    let database = server::new_database().await;
    crate::raw_on_isolated_nodes::story(Some(database)).await
}
