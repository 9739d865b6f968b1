//! Tokens, as following the chain has left them.

use alloy::primitives::{Address, B256, U256};

use super::{LedgerError, Result, RowId, Tx, fetch, states::content_set, uint};

/// A token as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Collection it is in.
    pub collection_id: RowId,
    /// Its id.
    pub token_id: U256,
    /// Who owns it; `None` of an ERC-1155's, which many may.
    pub owner: Option<Address>,
    /// How many there are of it, where it is an ERC-1155's.
    pub supply: Option<U256>,
    /// Its content's row.
    pub content_id: Option<RowId>,
    /// 1 at the mint, one more each update.
    pub revision: u64,
    /// Whether its content can't change any more.
    pub frozen: bool,
    /// Block of its mint.
    pub minted: (u64, B256),
    /// Block in which its present content was set.
    pub content_set: Option<(u64, B256)>,
}

/// The end of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    /// The block it was in.
    pub block: (u64, B256),
    /// The transaction.
    pub transaction: B256,
}

type TokenRow = (
    i64,
    Vec<u8>,
    Vec<u8>,
    Option<i64>,
    i64,
    i64,
    i64,
    Vec<u8>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

impl Token {
    fn from_row(row: TokenRow) -> Result<Self> {
        let (
            collection_id,
            id,
            owner,
            content_id,
            revision,
            frozen,
            block,
            hash,
            set,
            set_hash,
            supply,
        ) = row;
        let corrupt = || LedgerError::Corrupt(format!("token of collection {collection_id}"));
        let hash_of = |bytes: &[u8]| B256::try_from(bytes).map_err(|_| corrupt());
        let number = |bytes: &[u8]| U256::try_from_be_slice(bytes).ok_or_else(corrupt);
        let supply = supply.as_deref().map(number).transpose()?;
        let owner = Address::try_from(owner.as_slice()).map_err(|_| corrupt())?;
        let minted = (uint(block), hash_of(&hash)?);
        let set_hash = set_hash.as_deref().map(hash_of).transpose()?;
        Ok(Self {
            collection_id,
            token_id: number(&id)?,
            owner: supply.is_none().then_some(owner),
            supply,
            content_id,
            revision: uint(revision),
            frozen: frozen != 0,
            minted,
            content_set: content_set(minted, set, set_hash),
        })
    }
}

impl Tx {
    /// One token, if it exists.
    pub async fn token(&mut self, collection: RowId, id: U256) -> Result<Option<Token>> {
        let row = fetch!(
            fetch_optional,
            self,
            TokenRow,
            "SELECT collection_id, token_id, owner, content_id, revision, frozen,
                    minted_block, minted_hash, content_block, content_hash, supply
             FROM tokens WHERE collection_id = $1 AND token_id = $2",
            collection,
            id.to_be_bytes::<32>().as_slice(),
        )?;
        row.map(Token::from_row).transpose()
    }

    /// Every token of a collection, by id.
    pub async fn tokens(&mut self, collection: RowId) -> Result<Vec<Token>> {
        let rows = fetch!(
            fetch_all,
            self,
            TokenRow,
            "SELECT collection_id, token_id, owner, content_id, revision, frozen,
                    minted_block, minted_hash, content_block, content_hash, supply
             FROM tokens WHERE collection_id = $1 ORDER BY token_id",
            collection,
        )?;
        rows.into_iter().map(Token::from_row).collect()
    }

    /// Where a token was burned, if it was, and did not come back.
    pub async fn burn(&mut self, collection: RowId, id: U256) -> Result<Option<Burn>> {
        let row = fetch!(
            fetch_optional,
            self,
            (i64, Vec<u8>, Vec<u8>),
            "SELECT block_number, block_hash, transaction_hash FROM burns b
             WHERE collection_id = $1 AND token_id = $2 AND NOT EXISTS (
                SELECT 1 FROM tokens t WHERE t.collection_id = $1 AND t.token_id = $2)
             ORDER BY block_number DESC LIMIT 1",
            collection,
            id.to_be_bytes::<32>().as_slice(),
        )?;
        let Some((block, hash, transaction)) = row else { return Ok(None) };
        let hash_of = |bytes: &[u8]| {
            B256::try_from(bytes).map_err(|_| LedgerError::Corrupt(format!("burn of token {id}")))
        };
        let (hash, transaction) = (hash_of(&hash)?, hash_of(&transaction)?);
        Ok(Some(Burn { block: (uint(block), hash), transaction }))
    }
}
