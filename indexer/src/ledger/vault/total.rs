//! How much the vault holds: a sum that is kept, and not made anew for each content that comes.

use crate::ledger::{Result, RowId, Tx, execute, fetch, int, uint};

/// All of the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VaultSummary {
    /// Contents that it holds.
    pub objects: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Contents that it should hold, and something is wrong with.
    pub problems: u64,
}

impl Tx {
    /// How much the vault holds. What is wanted no more is no problem.
    pub async fn vault_summary(&mut self) -> Result<VaultSummary> {
        let (objects, bytes) = self.vault_total().await?;
        let (problems,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT COUNT(*) FROM vault_objects v JOIN contents c ON c.id = v.content_id
             WHERE v.problem IS NOT NULL AND c.wanted = 1",
        )?;
        Ok(VaultSummary { objects, bytes, problems: uint(problems) })
    }

    /// How many contents the vault holds, and their bytes: however many these are, of one row.
    pub async fn vault_total(&mut self) -> Result<(u64, u64)> {
        let select = "SELECT objects, bytes FROM vault_total";
        let (objects, bytes) = fetch!(fetch_one, self, (i64, i64), select)?;
        Ok((uint(objects), uint(bytes)))
    }

    /// Keeps others from changing the total, and what it counts, until this transaction ends. Whoever
    /// changes what it counts, or several rows, begins with it, so that no two wait for each other.
    pub(super) async fn lock_vault_total(&mut self) -> Result<()> {
        let sql = self
            .sql("SELECT objects FROM vault_total", "SELECT objects FROM vault_total FOR UPDATE");
        fetch!(fetch_one, self, (i64,), sql)?;
        Ok(())
    }

    /// The bytes by which a content counts in the total now, which is locked then.
    pub(super) async fn counted_in_vault(&mut self, content: RowId) -> Result<Option<u64>> {
        self.lock_vault_total().await?;
        let select = "SELECT bytes FROM vault_objects WHERE content_id = $1 AND form IS NOT NULL";
        let bytes = fetch!(fetch_optional, self, (i64,), select, content)?;
        Ok(bytes.map(|(bytes,)| uint(bytes)))
    }

    /// Counts a content by other bytes than before.
    pub(super) async fn count_in_vault(
        &mut self,
        before: Option<u64>,
        now: Option<u64>,
    ) -> Result<()> {
        let number = |bytes: Option<u64>| i64::from(bytes.is_some());
        let size = |bytes: Option<u64>| int(bytes.unwrap_or(0));
        let (objects, bytes) = (number(now) - number(before), size(now) - size(before));
        let update = "UPDATE vault_total SET objects = objects + $1, bytes = bytes + $2";
        execute!(self, update, objects, bytes)?;
        Ok(())
    }
}
