//! What hangs together: tokens, their metadata, and what the metadata refers to.

use alloy::primitives::U256;

use super::{LedgerError, Result, RowId, Tx, fetch};

/// A reference in a metadata document.
#[derive(Clone, Debug)]
pub struct LinkRow {
    /// The document.
    pub parent: RowId,
    /// `image`, `animation_url`, …
    pub role: String,
    /// The class of the reference.
    pub class: String,
    /// The reference, as it stands there.
    pub uri: String,
    /// Whether it has a hash to check against.
    pub verifiable: bool,
    /// The content it names, if any.
    pub child: Option<RowId>,
}

/// A token and its metadata's row.
#[derive(Clone, Debug)]
pub struct TokenContents {
    /// The collection.
    pub collection: RowId,
    /// The token.
    pub token_id: U256,
    /// Its metadata.
    pub content: Option<RowId>,
}

impl Tx {
    /// Every reference in the metadata of live tokens.
    pub async fn links(&mut self) -> Result<Vec<LinkRow>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, String, String, String, i64, Option<i64>),
            "SELECT l.parent_id, l.role, l.class, l.uri, l.verifiable, l.child_id
             FROM links l JOIN contents c ON c.id = l.parent_id
             WHERE c.wanted = 1 ORDER BY l.parent_id, l.position",
        )?;
        let link = |(parent, role, class, uri, verifiable, child)| LinkRow {
            parent,
            role,
            class,
            uri,
            verifiable: verifiable != 0,
            child,
        };
        Ok(rows.into_iter().map(link).collect())
    }

    /// Every live token of the configured collections with its metadata, by collection and id.
    pub async fn token_contents(&mut self) -> Result<Vec<TokenContents>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, Vec<u8>, Option<i64>),
            "SELECT t.collection_id, t.token_id, t.content_id
             FROM tokens t JOIN collections c ON c.id = t.collection_id
             WHERE c.active = 1 ORDER BY t.collection_id, t.token_id",
        )?;
        rows.into_iter()
            .map(|(collection, id, content)| {
                let token_id = U256::try_from_be_slice(&id)
                    .ok_or_else(|| LedgerError::Corrupt("a token id".to_owned()))?;
                Ok(TokenContents { collection, token_id, content })
            })
            .collect()
    }
}
