//! On whose account repairs go.

use std::collections::HashMap;

use super::{Payer, Result, RowId, Tx, fetch, payer};
use crate::ledger::naming::naming_sql;

type Row = (i64, Vec<u8>, Option<Vec<u8>>);

impl Tx {
    /// Of each content, up to `most` of the tokens that name it, or collections of themselves.
    pub async fn payers(
        &mut self,
        contents: &[RowId],
        most: u32,
    ) -> Result<HashMap<RowId, Vec<Payer>>> {
        let mut all = HashMap::new();
        for content in contents {
            let naming = concat!(
                "SELECT DISTINCT collection_id, token_id, owner FROM (",
                naming_sql!("$1"),
                ") AS naming ORDER BY collection_id, token_id LIMIT $2"
            );
            let rows = fetch!(fetch_all, self, Row, naming, *content, i64::from(most))?;
            let mut payers = Vec::with_capacity(rows.len());
            for (collection, token, owner) in rows {
                let token = (!token.is_empty()).then_some(token);
                payers.extend(payer(Some(collection), token.as_deref(), owner.as_deref())?);
            }
            all.insert(*content, payers);
        }
        Ok(all)
    }
}
