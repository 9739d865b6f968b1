//! What two ledgers must have in common, however they came to it: row keys left out.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};
use everhold::{
    content::ContentId,
    ledger::{Collection, Ledger, RowId, Token, Tx},
};

/// A token as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenShape {
    pub(crate) owner: Address,
    pub(crate) supply: Option<U256>,
    pub(crate) content: Option<ContentId>,
    pub(crate) revision: u64,
    pub(crate) frozen: bool,
    pub(crate) minted: (u64, B256),
    pub(crate) content_set: Option<(u64, B256)>,
}

/// The chain's side of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) tokens: BTreeMap<(Address, U256), TokenShape>,
    pub(crate) wanted: BTreeSet<ContentId>,
}

impl Snapshot {
    pub(crate) async fn of(ledger: &Ledger) -> Self {
        let mut tx = ledger.read().await.unwrap();
        let rows = wanted_rows(&mut tx).await;
        let mut tokens = BTreeMap::new();
        for collection in tx.collections().await.unwrap() {
            for token in tx.tokens(collection.id).await.unwrap() {
                let key = (collection.address, token.token_id);
                tokens.insert(key, shape(token, &rows));
            }
        }
        Self { tokens, wanted: rows.into_values().collect() }
    }
}

/// The collection at an address.
pub(crate) async fn collection(tx: &mut Tx, address: Address) -> Option<Collection> {
    let all = tx.collections().await.unwrap();
    all.into_iter().find(|collection| collection.address == address)
}

/// Wanted contents by row.
pub(crate) async fn wanted_rows(tx: &mut Tx) -> BTreeMap<RowId, ContentId> {
    let wanted = tx.wanted_contents().await.unwrap();
    wanted.into_iter().map(|content| (content.row, content.id)).collect()
}

fn shape(token: Token, rows: &BTreeMap<RowId, ContentId>) -> TokenShape {
    let content = token.content_id.map(|row| {
        let known = rows.get(&row);
        *known.unwrap_or_else(|| panic!("the content of token {} is not wanted", token.token_id))
    });
    TokenShape {
        owner: token.owner.unwrap_or_default(),
        supply: token.supply,
        content,
        revision: token.revision,
        frozen: token.frozen,
        minted: token.minted,
        content_set: token.content_set,
    }
}
