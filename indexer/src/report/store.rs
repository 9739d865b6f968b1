//! The STORE messages that keep a content.

use alloy::primitives::Address;
use serde::Serialize;

use crate::{
    ledger::{Collection, LedgerError, RowId, Store, Token, Tx},
    picture::Picture,
    provenance::{Authorities, Relation, StoreStatus},
    time_text,
};

/// A STORE message of a content.
#[derive(Clone, Debug, Serialize)]
pub struct StoreReport {
    /// The message's own name.
    pub item_hash: String,
    /// Who signed it.
    pub sender: String,
    /// Whose it is, and who pays; null where the message does not say so itself.
    pub address: Option<String>,
    /// Who the signer is to the token; null where it is not proved who signed.
    pub relation: Option<Relation>,
    /// Who authorised the signer, and the nodes that say so.
    pub authorised_by: Vec<GrantReport>,
    /// `credit`, `hold`, …; null where it is not known.
    pub payment: Option<String>,
    /// When it was made, as it says.
    pub time: Option<String>,
    /// Whether its hash and its signature were found to hold.
    pub verified: bool,
    /// Where it stands, on each node that knows it.
    pub statuses: Vec<StatusReport>,
}

/// That somebody authorised a signer.
#[derive(Clone, Debug, Serialize)]
pub struct GrantReport {
    /// EIP-55 address.
    pub account: String,
    /// The nodes whose `security` aggregate of the account says so.
    pub nodes: Vec<String>,
}

/// Where a STORE stands on a node.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// The node's URL.
    pub node: String,
    /// Where it stands.
    pub status: StoreStatus,
    /// Since when it was seen to.
    pub at: String,
}

/// Those whose word counts for one token.
pub(super) async fn authorities(
    tx: &mut Tx,
    collection: &Collection,
    token: &Token,
) -> Result<Authorities, LedgerError> {
    let creators = tx.makers(collection.id).await?;
    Ok(Authorities { owners: token.owner.into_iter().collect(), creators, repairers: Vec::new() })
}

/// The STOREs of a content, nearest to the token first.
pub(super) async fn stores(
    tx: &mut Tx,
    picture: &Picture,
    authorities: &Authorities,
    row: RowId,
) -> Result<Vec<StoreReport>, LedgerError> {
    let stores = tx.stores(row).await?;
    let mut all: Vec<_> =
        stores.into_iter().map(|store| StoreReport::new(store, picture, authorities)).collect();
    all.sort_by_key(|store| store.relation.map_or(u8::MAX, |relation| relation as u8));
    Ok(all)
}

impl StoreReport {
    fn new(store: Store, picture: &Picture, authorities: &Authorities) -> Self {
        let mut authorities = authorities.clone();
        if store.ours {
            authorities.repairers.extend(store.sender.parse::<Address>().ok());
        }
        let all = authorities.all();
        let grants: Vec<_> =
            store.grants.into_iter().filter(|grant| all.contains(&grant.authority)).collect();
        let granted: Vec<_> = grants.iter().map(|grant| grant.authority).collect();
        let relation = store.verified.then(|| authorities.relation(&store.sender, &granted));
        let grants = grants.into_iter().map(|grant| GrantReport {
            account: grant.authority.to_checksum(None),
            nodes: grant.said_by,
        });
        let statuses = store.statuses.iter().filter_map(|at| {
            let node = picture.node(at.node)?.url.clone();
            Some(StatusReport { node, status: at.status, at: time_text(at.since) })
        });
        Self {
            item_hash: store.item_hash,
            sender: store.sender,
            address: store.address,
            relation,
            authorised_by: grants.collect(),
            payment: store.payment,
            time: store.time.map(time_text),
            verified: store.verified,
            statuses: statuses.collect(),
        }
    }
}
