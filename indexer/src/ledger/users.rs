//! What hangs on a content: tokens, by their metadata and by what that refers to, and collections by
//! what they say of themselves.

use std::collections::BTreeMap;

use alloy::primitives::U256;

use super::{LedgerError, Result, RowId, Tx, fetch};

/// What hangs on a content in one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// How many tokens do; 0 where only the collection itself does.
    pub count: u64,
    /// The first of them.
    pub tokens: Vec<U256>,
    /// What it is to the first: `metadata`, `image`, …
    pub role: Option<String>,
}

/// The tokens of collections in use that hang on a content (`$1`), with its role. Of the collection
/// itself the id is empty.
macro_rules! users_sql {
    () => {
        "SELECT t.collection_id, t.token_id, 'metadata' AS role FROM tokens t
         WHERE t.content_id = $1
         UNION ALL
         SELECT t.collection_id, t.token_id, l.role FROM links l
         JOIN tokens t ON t.content_id = l.parent_id WHERE l.child_id = $1
         UNION ALL
         SELECT u.collection_id, u.token_id, l.role FROM links l
         JOIN token_uris u ON u.document_id = l.parent_id WHERE l.child_id = $1
         UNION ALL
         SELECT u.collection_id, u.token_id, 'metadata' FROM token_uris u
         WHERE u.content_id = $1 AND LENGTH(u.token_id) = 0
         UNION ALL
         SELECT u.collection_id, u.token_id, l.role FROM links l
         JOIN token_uris u ON u.content_id = l.parent_id AND LENGTH(u.token_id) = 0
         WHERE l.child_id = $1"
    };
}

impl Tx {
    /// What hangs on a content, by collection; of each `most` tokens at most, the first ones.
    pub async fn users_of(&mut self, content: RowId, most: u32) -> Result<BTreeMap<RowId, Users>> {
        type Row = (i64, Vec<u8>, String, i64);
        let rows = fetch!(
            fetch_all,
            self,
            Row,
            concat!(
                "SELECT collection_id, token_id, role, total FROM (
                    SELECT collection_id, token_id, MIN(role) AS role,
                        ROW_NUMBER() OVER
                            (PARTITION BY collection_id ORDER BY token_id) AS place,
                        SUM(CASE WHEN LENGTH(token_id) > 0 THEN 1 ELSE 0 END) OVER
                            (PARTITION BY collection_id) AS total
                    FROM (",
                users_sql!(),
                ") AS users WHERE collection_id IN (SELECT id FROM collections WHERE active = 1)
                    GROUP BY collection_id, token_id) AS placed
                 WHERE place <= $2 ORDER BY collection_id, token_id"
            ),
            content,
            i64::from(most),
        )?;
        let mut all: BTreeMap<RowId, Users> = BTreeMap::new();
        for (collection, token, role, total) in rows {
            let users = all.entry(collection).or_default();
            users.count = u64::try_from(total).unwrap_or(0);
            users.role.get_or_insert(role);
            if !token.is_empty() {
                let corrupt = || LedgerError::Corrupt("a token id".to_owned());
                users.tokens.push(U256::try_from_be_slice(&token).ok_or_else(corrupt)?);
            }
        }
        Ok(all)
    }
}
