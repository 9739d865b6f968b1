//! What a node says of whom an account lets act for it.

use alloy::primitives::Address;
use serde_json::Value;

use super::Client;
use crate::{
    nodes::FetchError,
    provenance::{Authorization, authorizations},
};

impl Client {
    /// The entries of an account's aggregate `security`; none where it has no such aggregate. `None`
    /// where the node has no aggregates. It is what this node claims.
    ///
    /// # Errors
    /// Where the node could not be asked, or answers with something else.
    pub async fn security(
        &self,
        account: Address,
    ) -> Result<Option<Vec<Authorization>>, FetchError> {
        let security = self.security_aggregate(account).await?;
        Ok(security.map(|security| authorizations(&security)))
    }

    /// The same as they stand there, whatever they are; null where there are none.
    ///
    /// # Errors
    /// As [`Client::security`].
    pub async fn security_entries(&self, account: Address) -> Result<Option<Value>, FetchError> {
        let security = self.security_aggregate(account).await?;
        let entries = |security: Value| security.get("authorizations").cloned().unwrap_or_default();
        Ok(security.map(entries))
    }

    async fn security_aggregate(&self, account: Address) -> Result<Option<Value>, FetchError> {
        let mut url = self.endpoint(&format!("aggregates/{}.json", account.to_checksum(None)));
        url.query_pairs_mut().append_pair("keys", "security");
        match self.fetcher.get_json::<Value>(url).await {
            Ok(answer) => Ok(Some(answer.pointer("/data/security").cloned().unwrap_or_default())),
            Err(FetchError::Status { status: 404, .. }) => Ok(Some(Value::Null)),
            Err(FetchError::Status { status: 400 | 501, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
