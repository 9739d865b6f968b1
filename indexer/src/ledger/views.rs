//! What hangs together: tokens, their metadata, and what the metadata refers to.

use alloy::primitives::U256;

use super::{LedgerError, Millis, Result, RowId, Tx, UriState, bulk::fetch_in, fetch};

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
    /// The content it names, or leads to by a path, if any.
    pub child: Option<RowId>,
    /// Whether it has a path that is still to be followed.
    pub path_due: bool,
    /// How often in a row that failed.
    pub failures: u32,
    /// Why it leads nowhere, or nowhere yet.
    pub problem: Option<String>,
}

/// What a token's URI was found to mean.
#[derive(Clone, Debug)]
pub struct UriView {
    /// How it stands.
    pub state: UriState,
    /// The document that stands in it.
    pub document: Option<RowId>,
    /// Why nothing of it can be proved, or why it leads nowhere yet.
    pub problem: Option<String>,
    /// Since when it is what it is.
    pub since: Millis,
    /// How often in a row its path could not be followed.
    pub failures: u32,
    /// The URI, where it has a path that is still to be followed.
    pub path: Option<String>,
}

/// What a collection says of itself.
#[derive(Clone, Debug)]
pub struct OwnContents {
    /// The collection.
    pub collection: RowId,
    /// Its metadata.
    pub content: Option<RowId>,
    /// Its URI.
    pub uri: UriView,
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
    /// Its URI, where that is what names its metadata: of tokens that are not ours.
    pub uri: Option<UriView>,
}

type LinkFields = (i64, String, String, String, i64, Option<i64>, Option<i64>, i64, Option<String>);
type TokenFields = (
    i64,
    Vec<u8>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);
type OwnFields = (i64, Option<i64>, String, Option<i64>, Option<String>, i64, i64, Option<String>);

/// Tokens with their metadata, that fulfil a condition.
macro_rules! token_contents_sql {
    ($condition:literal) => {
        concat!(
            "SELECT t.collection_id, t.token_id, t.content_id, u.state, u.document_id, u.problem,
                    u.since, u.failures, CASE WHEN u.path_due IS NOT NULL THEN u.uri END
             FROM tokens t LEFT JOIN token_uris u
                ON u.collection_id = t.collection_id AND u.token_id = t.token_id
             WHERE ",
            $condition
        )
    };
}

impl Tx {
    /// The references in metadata documents, by document and place.
    pub async fn links_of(&mut self, documents: &[RowId]) -> Result<Vec<LinkRow>> {
        let rows = fetch_in!(
            self,
            LinkFields,
            {}
            "SELECT parent_id, role, class, uri, verifiable, child_id, path_due, failures, problem
             FROM links WHERE parent_id IN",
            documents,
            "ORDER BY parent_id, position"
        );
        let link = |row: LinkFields| {
            let (parent, role, class, uri, verifiable, child, path_due, failures, problem) = row;
            LinkRow {
                parent,
                role,
                class,
                uri,
                verifiable: verifiable != 0,
                child,
                path_due: path_due.is_some(),
                failures: times(failures),
                problem,
            }
        };
        Ok(rows.into_iter().map(link).collect())
    }

    /// What the configured collections say of themselves, where that was read and is something.
    pub async fn own_contents(&mut self) -> Result<Vec<OwnContents>> {
        let rows = fetch!(
            fetch_all,
            self,
            OwnFields,
            "SELECT u.collection_id, u.content_id, u.state, u.document_id, u.problem, u.since,
                    u.failures, CASE WHEN u.path_due IS NOT NULL THEN u.uri END
             FROM token_uris u JOIN collections c ON c.id = u.collection_id
             WHERE c.active = 1 AND LENGTH(u.token_id) = 0 AND u.state NOT IN ('new', 'none')
             ORDER BY u.collection_id",
        )?;
        let own = |row: OwnFields| {
            let (collection, content, state, document, problem, since, failures, path) = row;
            let state = UriState::parse(&state)?;
            let failures = times(failures);
            let uri = UriView { state, document, problem, since, failures, path };
            Ok(OwnContents { collection, content, uri })
        };
        rows.into_iter().map(own).collect()
    }

    /// Live tokens of a collection with their metadata, by id: so many after one, or from the first on.
    pub async fn token_contents(
        &mut self,
        collection: RowId,
        after: Option<U256>,
        most: u32,
    ) -> Result<Vec<TokenContents>> {
        let after = after.map(|id| id.to_be_bytes::<32>().to_vec());
        let rows = fetch!(
            fetch_all,
            self,
            TokenFields,
            token_contents_sql!(
                "t.collection_id = $1 AND t.token_id > $2 ORDER BY t.token_id LIMIT $3"
            ),
            collection,
            after.unwrap_or_default(),
            i64::from(most),
        )?;
        rows.into_iter().map(token_contents).collect()
    }

    /// One live token with its metadata.
    pub async fn token_content(
        &mut self,
        collection: RowId,
        id: U256,
    ) -> Result<Option<TokenContents>> {
        let row = fetch!(
            fetch_optional,
            self,
            TokenFields,
            token_contents_sql!("t.collection_id = $1 AND t.token_id = $2"),
            collection,
            id.to_be_bytes::<32>().to_vec(),
        )?;
        row.map(token_contents).transpose()
    }
}

fn token_contents(row: TokenFields) -> Result<TokenContents> {
    let (collection, id, content, state, document, problem, since, failures, path) = row;
    let token_id = U256::try_from_be_slice(&id)
        .ok_or_else(|| LedgerError::Corrupt("a token id".to_owned()))?;
    let view = |state: &str| {
        Ok::<_, LedgerError>(UriView {
            state: UriState::parse(state)?,
            document,
            problem,
            since: since.unwrap_or(0),
            failures: failures.map_or(0, times),
            path,
        })
    };
    let uri = state.as_deref().map(view).transpose()?;
    Ok(TokenContents { collection, token_id, content, uri })
}

fn times(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
