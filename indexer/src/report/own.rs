//! What a collection says of itself (ERC-7572).

use serde::Serialize;

use crate::{
    health::Health,
    ledger::{LedgerError, Tx},
    picture::{CollectionPicture, Picture},
};

/// What `contractURI` gives, and how what it names is.
#[derive(Clone, Debug, Serialize)]
pub struct ContractUri {
    /// The URI; the beginning of a long one.
    pub uri: Option<String>,
    /// The class of that reference.
    pub uri_class: Option<String>,
    /// The block at which it was found to be that one; null while that is read again.
    pub uri_block: Option<u64>,
    /// The worst of its contents.
    pub health: Health,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Its metadata, and what that refers to.
    pub contents: Vec<OwnContent>,
}

/// A content of the collection itself.
#[derive(Clone, Debug, Serialize)]
pub struct OwnContent {
    /// `metadata`, `image`, …
    pub role: String,
    /// Its name, as aleph nodes take it.
    pub id: String,
    /// The same as CIDv1.
    pub cid: String,
    /// Bytes, once verified.
    pub size: Option<u64>,
    /// Its health.
    pub health: Health,
    /// Verified replicas.
    pub verified: u32,
    /// How many of them are independent.
    pub independent: u32,
    /// How many of these may be held by their nodes.
    pub held: u32,
}

impl ContractUri {
    /// What a collection says; `None` where it says nothing, or that was not read yet.
    pub(super) async fn read(
        tx: &mut Tx,
        picture: &Picture,
        collection: &CollectionPicture,
    ) -> Result<Option<Self>, LedgerError> {
        let Some(own) = &collection.own else { return Ok(None) };
        let Some(uri) = tx.uri(collection.collection.id, None).await? else { return Ok(None) };
        let contents = own.contents.iter().filter_map(|(role, row)| {
            let known = picture.contents.get(row)?;
            Some(OwnContent {
                role: role.clone(),
                id: known.content.id.to_string(),
                cid: known.content.id.cid(),
                size: known.content.known.size,
                health: known.assessment.health,
                verified: known.assessment.verified,
                independent: known.assessment.independent,
                held: known.assessment.held,
            })
        });
        Ok(Some(Self {
            uri: uri.uri,
            uri_class: uri.class,
            uri_block: uri.read_at.map(|(number, _)| number),
            health: own.health,
            unverifiable: own.unverifiable.clone(),
            unresolved: own.unresolved.clone(),
            contents: contents.collect(),
        }))
    }
}
