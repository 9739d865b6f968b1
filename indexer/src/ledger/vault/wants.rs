//! What is to come into the vault: chosen many at a time by whoever only reads, and taken a few at a time.

use crate::ledger::{Millis, Result, RowId, Tx, bulk::fetch_in, execute, fetch, int};

/// Which contents are to be copied into the vault.
#[derive(Clone, Copy, Debug)]
pub struct VaultWants {
    /// Whether all are, or only those that it held before.
    pub all: bool,
    /// Their bytes, at most.
    pub max_object: u64,
    /// A `verified` before this no longer counts.
    pub fresh_since: Millis,
}

impl Tx {
    /// What is to be copied into the vault and some node has, those first that fewest have.
    pub async fn vault_wants(
        &mut self,
        wants: &VaultWants,
        now: Millis,
        limit: u32,
    ) -> Result<Vec<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            concat!(
                "SELECT c.id FROM contents c LEFT JOIN vault_objects v ON v.content_id = c.id
                 WHERE c.wanted = 1 AND (c.size IS NULL OR c.size <= $2)
                    AND ((v.content_id IS NULL AND $3 = 1)
                        OR (v.form IS NULL AND v.due_at <= $4
                            AND (v.problem IS NOT NULL OR $3 = 1)))
                    AND EXISTS ",
                fresh_sql!("1"),
                " ORDER BY ",
                fresh_sql!("COUNT(*)"),
                ", c.id LIMIT $5"
            ),
            wants.fresh_since,
            int(wants.max_object),
            i64::from(wants.all),
            now,
            i64::from(limit),
        )?;
        Ok(rows.into_iter().map(|(row,)| row).collect())
    }

    /// Takes some of what is to be copied, as far as it still is; nobody else gets those before `lease`.
    pub async fn take_vault_wants(
        &mut self,
        contents: &[RowId],
        now: Millis,
        lease: Millis,
    ) -> Result<Vec<RowId>> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        let mut taken = Vec::with_capacity(contents.len());
        for row in contents {
            let new = execute!(
                self,
                "INSERT INTO vault_objects (content_id, bytes, due_at, taken)
                 SELECT id, 0, $2, 1 FROM contents WHERE id = $1 AND wanted = 1
                 ON CONFLICT (content_id) DO UPDATE SET due_at = excluded.due_at, taken = 1
                 WHERE vault_objects.form IS NULL AND vault_objects.due_at <= $3",
                row,
                lease,
                now,
            )?;
            taken.extend((new > 0).then_some(*row));
        }
        Ok(taken)
    }

    /// Puts off what was taken, which is not there yet, without a word of why.
    pub async fn put_off_vault_wants(&mut self, contents: &[RowId], due: Millis) -> Result<()> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        fetch_in!(self, (i64,), {"UPDATE vault_objects SET taken = 0, due_at = " => due}
            " WHERE form IS NULL AND content_id IN", contents, "RETURNING content_id");
        Ok(())
    }

    /// Gives back some of what was taken; what is there by now stays.
    pub async fn give_vault_wants_back(&mut self, contents: &[RowId]) -> Result<()> {
        self.put_off_vault_wants(contents, 0).await
    }

    /// Gives back what was taken by a process that ended, on SQLite, where no other one copies. On PostgreSQL
    /// another may be busy with it: what was taken by one that ended is due when its lease is. What was put
    /// off without a word is due now.
    pub async fn release_vault(&mut self) -> Result<()> {
        self.among_others().await?;
        self.lock_vault_total().await?;
        let forget = self.sql(
            "DELETE FROM vault_objects WHERE form IS NULL AND problem IS NULL",
            "DELETE FROM vault_objects WHERE form IS NULL AND problem IS NULL AND taken = 0",
        );
        execute!(self, forget)?;
        if matches!(self, Self::Sqlite(_)) {
            let release = "UPDATE vault_objects SET due_at = 0, taken = 0 WHERE taken = 1";
            execute!(self, release)?;
        }
        Ok(())
    }
}
