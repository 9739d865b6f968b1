//! What is on the deny list.

use serde::Serialize;

use crate::ledger::{LedgerError, Tx};

/// Of what is denied, this much is told.
const MOST: usize = 100;

/// A content that is on the deny list.
#[derive(Clone, Debug, Serialize)]
pub struct DeniedStatus {
    /// Its name, as aleph nodes take it.
    pub content: String,
    /// Why.
    pub reason: String,
}

impl DeniedStatus {
    /// Those contents of the ledger that are denied; the first hundred.
    pub(super) async fn read(tx: &mut Tx) -> Result<Vec<Self>, LedgerError> {
        let mut denied = Vec::new();
        for content in tx.denied_contents().await?.into_iter().take(MOST) {
            let reason = tx.denial(content.row).await?.unwrap_or_default();
            denied.push(Self { content: content.id.to_string(), reason });
        }
        Ok(denied)
    }
}
