//! What names a content: tokens, by themselves or through their metadata, and collections by what they
//! say of themselves; and so whose word on it counts.

use std::collections::HashMap;

use alloy::primitives::{Address, U256};

use super::{LedgerError, Result, RowId, Tx, bulk::fetch_in, execute, fetch, uint, uris::token_of};
use crate::provenance::Authorities;

/// Tokens whose owners are looked at: a content may be shared by a million.
const MOST_OWNERS: i64 = 64;

/// What names a content in collections in use, as collection, token (empty: the collection itself)
/// and owner. The content is given by a parameter or a column.
macro_rules! naming_sql {
    ($content:literal) => {
        concat!(
        "SELECT t.collection_id, t.token_id, CASE WHEN t.supply IS NULL THEN t.owner END AS owner
         FROM tokens t JOIN collections o ON o.id = t.collection_id
         WHERE o.active = 1 AND t.content_id IN (SELECT CAST(", $content, " AS BIGINT)
            UNION ALL SELECT l.parent_id FROM links l WHERE l.child_id = ", $content, ")
         UNION ALL
         SELECT u.collection_id, u.token_id, CASE WHEN t.supply IS NULL THEN t.owner END
         FROM links l JOIN token_uris u ON u.document_id = l.parent_id
         JOIN collections o ON o.id = u.collection_id
         LEFT JOIN tokens t ON t.collection_id = u.collection_id AND t.token_id = u.token_id
         WHERE l.child_id = ", $content, " AND o.active = 1
            AND (t.token_id IS NOT NULL OR LENGTH(u.token_id) = 0)
         UNION ALL
         SELECT u.collection_id, u.token_id, NULL
         FROM token_uris u JOIN collections o ON o.id = u.collection_id
         WHERE LENGTH(u.token_id) = 0 AND o.active = 1
            AND u.content_id IN (SELECT CAST(", $content, " AS BIGINT)
                UNION ALL SELECT l.parent_id FROM links l WHERE l.child_id = ", $content, ")"
        )
    };
}

fn address(bytes: &[u8]) -> Result<Address> {
    Address::try_from(bytes).map_err(|_| LedgerError::Corrupt("the address of an account".into()))
}

/// As [`naming_sql`], of all of `these` at once, as content, collection and owner.
///
/// `CROSS JOIN` has SQLite begin with these; PostgreSQL takes it for any other join.
macro_rules! naming_these_sql {
    () => {
        "), naming (content, collection_id, owner) AS (
            SELECT c.id, t.collection_id, CASE WHEN t.supply IS NULL THEN t.owner END
            FROM these c CROSS JOIN tokens t CROSS JOIN collections o
            WHERE t.content_id = c.id AND o.id = t.collection_id AND o.active = 1
            UNION ALL
            SELECT c.id, t.collection_id, CASE WHEN t.supply IS NULL THEN t.owner END
            FROM these c CROSS JOIN links l CROSS JOIN tokens t CROSS JOIN collections o
            WHERE l.child_id = c.id AND t.content_id = l.parent_id AND o.id = t.collection_id
                AND o.active = 1
            UNION ALL
            SELECT c.id, u.collection_id, CASE WHEN t.supply IS NULL THEN t.owner END
            FROM these c CROSS JOIN links l CROSS JOIN token_uris u CROSS JOIN collections o
            LEFT JOIN tokens t ON t.collection_id = u.collection_id AND t.token_id = u.token_id
            WHERE l.child_id = c.id AND u.document_id = l.parent_id AND o.id = u.collection_id
                AND o.active = 1 AND (t.token_id IS NOT NULL OR LENGTH(u.token_id) = 0)
            UNION ALL
            SELECT c.id, u.collection_id, NULL
            FROM these c CROSS JOIN token_uris u CROSS JOIN collections o
            WHERE u.content_id = c.id AND LENGTH(u.token_id) = 0 AND o.id = u.collection_id
                AND o.active = 1
            UNION ALL
            SELECT c.id, u.collection_id, NULL
            FROM these c CROSS JOIN links l CROSS JOIN token_uris u CROSS JOIN collections o
            WHERE l.child_id = c.id AND u.content_id = l.parent_id AND LENGTH(u.token_id) = 0
                AND o.id = u.collection_id AND o.active = 1
        ) "
    };
}

/// The tokens of one collection that name a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBy {
    /// The collection.
    pub collection: RowId,
    /// The first of the tokens, by id; none where only the collection itself names it.
    pub tokens: Vec<U256>,
    /// How many there are.
    pub token_count: u64,
    /// What it is: `metadata`, `image`, …; of several, the first of these by name but for `metadata`.
    pub role: Option<String>,
}

impl Tx {
    /// The collections in use that name a content, with up to `most` of their tokens that do.
    pub async fn named_by(&mut self, content: RowId, most: u32) -> Result<Vec<NamedBy>> {
        let counts = concat!(
            "SELECT collection_id, COUNT(DISTINCT CASE WHEN LENGTH(token_id) > 0 THEN token_id END)
             FROM (",
            naming_sql!("$1"),
            ") AS naming GROUP BY collection_id ORDER BY collection_id"
        );
        let role = "SELECT CASE WHEN EXISTS (SELECT 1 FROM tokens WHERE content_id = $1)
                OR EXISTS (SELECT 1 FROM token_uris WHERE content_id = $1 AND LENGTH(token_id) = 0)
            THEN 'metadata' ELSE (SELECT MIN(role) FROM links WHERE child_id = $1) END";
        let (role,) = fetch!(fetch_one, self, (Option<String>,), role, content)?;
        let mut all = Vec::new();
        for (collection, count) in fetch!(fetch_all, self, (i64, i64), counts, content)? {
            let tokens = concat!(
                "SELECT DISTINCT token_id FROM (",
                naming_sql!("$1"),
                ") AS naming WHERE collection_id = $2 AND LENGTH(token_id) > 0
                 ORDER BY token_id LIMIT $3"
            );
            let most = i64::from(most);
            let ids = fetch!(fetch_all, self, (Vec<u8>,), tokens, content, collection, most)?;
            let corrupt = || LedgerError::Corrupt(format!("a token of collection {collection}"));
            let tokens = ids
                .into_iter()
                .map(|(id,)| token_of(&id).flatten().ok_or_else(corrupt))
                .collect::<Result<_>>()?;
            let (token_count, role) = (uint(count), role.clone());
            all.push(NamedBy { collection, tokens, token_count, role });
        }
        Ok(all)
    }

    /// Those whose word on each content counts: owners of tokens that name it (of some, where they are
    /// many), those who made or own their collections, and who signed STOREs of it here.
    pub async fn authorities(&mut self, contents: &[RowId]) -> Result<HashMap<RowId, Authorities>> {
        self.plan_for_few().await?;
        let mut all: HashMap<RowId, Authorities> = HashMap::new();
        let owners = fetch_in!(
            self,
            (i64, Vec<u8>),
            {"WITH most (owners) AS (SELECT " => MOST_OWNERS}
            "), these (id) AS (SELECT id FROM contents WHERE id IN",
            contents,
            concat!(
                naming_these_sql!(),
                "SELECT content, owner FROM (
                    SELECT content, owner,
                        ROW_NUMBER() OVER (PARTITION BY content ORDER BY owner) AS place
                    FROM (SELECT DISTINCT content, owner FROM naming WHERE owner IS NOT NULL) AS one
                 ) AS placed, most WHERE place <= most.owners ORDER BY content, owner"
            )
        );
        for (content, owner) in owners {
            all.entry(content).or_default().owners.push(address(&owner)?);
        }
        type Makers = (i64, Option<Vec<u8>>, Option<Vec<u8>>);
        let makers = fetch_in!(
            self,
            Makers,
            {"WITH most (makers) AS (SELECT " => MOST_OWNERS}
            "), these (id) AS (SELECT id FROM contents WHERE id IN",
            contents,
            concat!(
                naming_these_sql!(),
                "SELECT content, creator, owner FROM (
                    SELECT content, creator, owner,
                        ROW_NUMBER() OVER (PARTITION BY content ORDER BY creator, owner) AS place
                    FROM (SELECT DISTINCT one.content, c.creator, c.owner
                        FROM (SELECT DISTINCT content, collection_id FROM naming) AS one
                        JOIN collections c ON c.id = one.collection_id) AS made
                 ) AS placed, most WHERE place <= most.makers ORDER BY content, creator, owner"
            )
        );
        for (content, creator, owner) in makers {
            let creators = &mut all.entry(content).or_default().creators;
            for maker in [creator, owner].into_iter().flatten() {
                creators.push(address(&maker)?);
            }
        }
        let select = "SELECT DISTINCT content_id, sender FROM messages WHERE content_id IN";
        for (content, sender) in fetch_in!(self, (i64, String), {} select, contents, "") {
            all.entry(content).or_default().repairers.extend(sender.parse::<Address>().ok());
        }
        Ok(all)
    }

    /// Those who made or own one collection.
    pub async fn makers(&mut self, collection: RowId) -> Result<Vec<Address>> {
        let select = "SELECT creator, owner FROM collections WHERE id = $1";
        type Makers = (Option<Vec<u8>>, Option<Vec<u8>>);
        let found = fetch!(fetch_optional, self, Makers, select, collection)?;
        let (creator, owner) = found.unwrap_or_default();
        [creator, owner].into_iter().flatten().map(|maker| address(&maker)).collect()
    }

    /// Writes down what `owner()` of a collection's contract gives, where it gives something.
    pub async fn set_owner(&mut self, collection: RowId, owner: Option<Address>) -> Result<()> {
        let Some(owner) = owner else { return Ok(()) };
        let update = "UPDATE collections SET owner = $2 WHERE id = $1";
        execute!(self, update, collection, owner.as_slice())?;
        Ok(())
    }
}

pub(super) use naming_sql;
