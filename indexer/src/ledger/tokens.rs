//! Commit and revert: the two words by which the ledger follows a chain.
//!
//! Events are kept; a token is what folding its events gives. So taking blocks back is deleting
//! their events and folding again, and the result is that of never having seen them.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};

use super::{LedgerError, Millis, Result, RowId, Tx, execute, fetch, int, uint};
use crate::{
    chain::{BlockRef, TokenEvent, TokenEventKind},
    content::ContentId,
};

const TRANSFER: i64 = 1;
const CONTENT: i64 = 2;
const FROZEN: i64 = 3;

/// Block times are seconds that the chain chose freely; beyond this they would not fit as
/// milliseconds.
const MAX_TIME: i64 = i64::MAX / 1000;

/// A stretch of the chain, ready to be written with its checkpoint.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Chain it belongs to.
    pub chain_id: u64,
    /// Collections whose checkpoint moves to `to`, with their codecs.
    pub collections: &'a [super::Collection],
    /// The last block of the stretch.
    pub to: u64,
    /// Headers of its recent blocks, the last one included.
    pub blocks: &'a [BlockRef],
    /// What happened in it.
    pub events: &'a [TokenEvent],
    /// The chain's last final block.
    pub finalized: Option<u64>,
    /// Blocks below this number leave the window.
    pub window_start: u64,
    /// Whether content of earlier revisions stays wanted for as long as the token lives.
    pub keep_history: bool,
    /// The time now.
    pub now: Millis,
}

/// A token as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Collection it is in.
    pub collection_id: RowId,
    /// Its id.
    pub token_id: U256,
    /// Who owns it.
    pub owner: Address,
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

type TokenRow =
    (i64, Vec<u8>, Vec<u8>, Option<i64>, i64, i64, i64, Vec<u8>, Option<i64>, Option<Vec<u8>>);

impl Token {
    fn from_row(row: TokenRow) -> Result<Self> {
        let (collection_id, id, owner, content_id, revision, frozen, block, hash, set, set_hash) =
            row;
        let corrupt = || LedgerError::Corrupt(format!("token of collection {collection_id}"));
        let hash_of = |bytes: &[u8]| B256::try_from(bytes).map_err(|_| corrupt());
        Ok(Self {
            collection_id,
            token_id: U256::try_from_be_slice(&id).ok_or_else(corrupt)?,
            owner: Address::try_from(owner.as_slice()).map_err(|_| corrupt())?,
            content_id,
            revision: uint(revision),
            frozen: frozen != 0,
            minted: (uint(block), hash_of(&hash)?),
            content_set: match (set, set_hash) {
                (Some(number), Some(hash)) => Some((uint(number), hash_of(&hash)?)),
                _ => None,
            },
        })
    }
}

type EventRow = (i64, i64, i64, Vec<u8>, i64, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// A token while its events are folded.
#[derive(Default)]
struct Fold {
    token: Option<Folded>,
    /// Content events: position, content, block that superseded it.
    contents: Vec<(i64, i64, i64, i64, Option<i64>)>,
}

struct Folded {
    owner: Vec<u8>,
    content_id: Option<i64>,
    revision: i64,
    frozen: bool,
    minted: (i64, Vec<u8>),
    content_set: Option<(i64, Vec<u8>)>,
}

impl Fold {
    fn apply(&mut self, event: &EventRow) {
        let (block, log, sub, hash, kind, owner, content_id, revision) = event;
        match *kind {
            TRANSFER => {
                let owner = owner.clone().unwrap_or_default();
                if is_nobody(&owner) {
                    self.token = None;
                    self.supersede(*block);
                    return;
                }
                self.token_at(*block, hash).owner = owner;
            }
            CONTENT => {
                self.supersede(*block);
                if let Some(id) = content_id {
                    self.contents.push((*block, *log, *sub, *id, None));
                }
                let token = self.token_at(*block, hash);
                token.content_id = *content_id;
                token.revision = revision.unwrap_or(0);
                token.content_set = Some((*block, hash.clone()));
            }
            _ => self.token_at(*block, hash).frozen = true,
        }
    }

    fn supersede(&mut self, block: i64) {
        if let Some(last) = self.contents.last_mut() {
            last.4.get_or_insert(block);
        }
    }

    fn token_at(&mut self, block: i64, hash: &[u8]) -> &mut Folded {
        self.token.get_or_insert_with(|| Folded {
            owner: vec![0; 20],
            content_id: None,
            revision: 0,
            frozen: false,
            minted: (block, hash.to_vec()),
            content_set: None,
        })
    }
}

/// Whether this owner is the zero address: the token was burned.
fn is_nobody(owner: &[u8]) -> bool {
    owner.iter().all(|byte| *byte == 0)
}

type TokenKey = (RowId, [u8; 32]);

impl Tx {
    /// Writes a stretch of the chain and the checkpoint after it. [`LedgerError::Unlinked`] where
    /// its blocks do not follow those in the window.
    pub async fn commit_blocks(&mut self, commit: &Commit<'_>) -> Result<()> {
        self.alone().await?;
        self.advance_checkpoints(commit).await?;
        self.insert_blocks(commit.chain_id, commit.blocks).await?;
        let by_address: BTreeMap<_, _> =
            commit.collections.iter().map(|c| (c.address, c)).collect();
        let mut touched = BTreeSet::new();
        for event in commit.events {
            let Some(collection) = by_address.get(&event.collection) else {
                continue;
            };
            self.insert_event(collection, event).await?;
            touched.insert((collection.id, event.token_id.to_be_bytes::<32>()));
        }
        let trim = "DELETE FROM blocks WHERE chain_id = $1 AND number < $2";
        execute!(self, trim, int(commit.chain_id), int(commit.window_start))?;
        let mut contents = self.fold_tokens(&touched).await?;
        contents.extend(self.advance_finality(commit.chain_id, commit.finalized).await?);
        self.refresh_wanted(&contents, commit.keep_history, commit.now).await
    }

    /// Takes back every block above `ancestor`.
    pub async fn revert_blocks(
        &mut self,
        chain_id: u64,
        ancestor: u64,
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        let (chain, above) = (int(chain_id), int(ancestor));
        let touched = fetch!(
            fetch_all,
            self,
            (i64, Vec<u8>),
            "SELECT DISTINCT e.collection_id, e.token_id
             FROM token_events e JOIN collections c ON c.id = e.collection_id
             WHERE c.chain_id = $1 AND e.block_number > $2",
            chain,
            above,
        )?;
        let touched: BTreeSet<TokenKey> = touched
            .into_iter()
            .filter_map(|(collection, id)| Some((collection, id.try_into().ok()?)))
            .collect();
        let mut contents = self.contents_of(&touched).await?;
        execute!(
            self,
            "DELETE FROM token_events WHERE block_number > $2
             AND collection_id IN (SELECT id FROM collections WHERE chain_id = $1)",
            chain,
            above,
        )?;
        execute!(self, "DELETE FROM blocks WHERE chain_id = $1 AND number > $2", chain, above)?;
        execute!(
            self,
            "UPDATE collections SET indexed_block = $2 WHERE chain_id = $1 AND indexed_block > $2",
            chain,
            above,
        )?;
        // Blocks that come instead are not final because those they replace were.
        execute!(
            self,
            "UPDATE chains SET finalized_block = $2 WHERE chain_id = $1 AND finalized_block > $2",
            chain,
            above,
        )?;
        contents.extend(self.fold_tokens(&touched).await?);
        self.refresh_wanted(&contents, keep_history, now).await
    }

    /// One token, if it exists.
    pub async fn token(&mut self, collection: RowId, id: U256) -> Result<Option<Token>> {
        let row = fetch!(
            fetch_optional,
            self,
            TokenRow,
            "SELECT collection_id, token_id, owner, content_id, revision, frozen,
                    minted_block, minted_hash, content_block, content_hash
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
                    minted_block, minted_hash, content_block, content_hash
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
            (i64, Vec<u8>, Vec<u8>, Option<Vec<u8>>),
            "SELECT block_number, block_hash, transaction_hash, owner FROM token_events
             WHERE collection_id = $1 AND token_id = $2
             ORDER BY block_number DESC, log_index DESC, sub_index DESC LIMIT 1",
            collection,
            id.to_be_bytes::<32>().as_slice(),
        )?;
        let Some((block, hash, transaction, owner)) = row else { return Ok(None) };
        if owner.is_none_or(|owner| !is_nobody(&owner)) {
            return Ok(None);
        }
        let hash_of = |bytes: &[u8]| {
            B256::try_from(bytes).map_err(|_| LedgerError::Corrupt(format!("burn of token {id}")))
        };
        let (hash, transaction) = (hash_of(&hash)?, hash_of(&transaction)?);
        Ok(Some(Burn { block: (uint(block), hash), transaction }))
    }

    async fn insert_event(
        &mut self,
        collection: &super::Collection,
        event: &TokenEvent,
    ) -> Result<()> {
        let (kind, owner, content, revision) = match event.kind {
            TokenEventKind::Transfer { to } => (TRANSFER, Some(to.to_vec()), None, None),
            TokenEventKind::Content { digest, revision } => {
                let id = self.content_row(ContentId::new(collection.codec, digest)).await?;
                (CONTENT, None, Some(id), Some(int(revision)))
            }
            TokenEventKind::Frozen => (FROZEN, None, None, None),
        };
        execute!(
            self,
            "INSERT INTO token_events (collection_id, token_id, block_number, log_index, sub_index,
                block_hash, block_time, transaction_hash, kind, owner, content_id, revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT DO NOTHING",
            collection.id,
            event.token_id.to_be_bytes::<32>().as_slice(),
            int(event.block_number),
            int(event.log_index),
            int(event.sub_index),
            event.block_hash.as_slice(),
            event.block_time.map(|time| int(time).min(MAX_TIME)),
            event.transaction_hash.as_slice(),
            kind,
            owner,
            content,
            revision,
        )?;
        Ok(())
    }

    /// Moves the checkpoints on, if they are where the reader of this stretch saw them: another
    /// process may have gone on, or back, meanwhile.
    async fn advance_checkpoints(&mut self, commit: &Commit<'_>) -> Result<()> {
        for collection in commit.collections {
            let seen = collection.indexed_block.map(int);
            let moved = execute!(
                self,
                "UPDATE collections SET indexed_block = $2
                 WHERE id = $1 AND (indexed_block = $3 OR ($3 IS NULL AND indexed_block < start_block))",
                collection.id,
                int(commit.to),
                seen,
            )?;
            if moved == 0 {
                return Err(LedgerError::Unlinked(commit.to));
            }
        }
        Ok(())
    }

    /// Puts blocks into the window, unless they are of another chain than those in it: then a
    /// reorg came between the look at the window and now, and must be followed first.
    async fn insert_blocks(&mut self, chain_id: u64, blocks: &[BlockRef]) -> Result<()> {
        let known = self.window(chain_id).await?;
        let mut known: BTreeMap<u64, B256> =
            known.into_iter().map(|block| (block.number, block.hash)).collect();
        for block in blocks {
            let below = block.number.checked_sub(1).and_then(|number| known.get(&number));
            let linked = below.is_none_or(|hash| *hash == block.parent_hash);
            let same = known.get(&block.number).is_none_or(|hash| *hash == block.hash);
            if !linked || !same {
                return Err(LedgerError::Unlinked(block.number));
            }
            known.insert(block.number, block.hash);
            execute!(
                self,
                "INSERT INTO blocks (chain_id, number, hash, parent_hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                int(chain_id),
                int(block.number),
                block.hash.as_slice(),
                block.parent_hash.as_slice(),
            )?;
        }
        Ok(())
    }

    /// Folds each token anew; gives the contents whose place may have changed.
    async fn fold_tokens(&mut self, tokens: &BTreeSet<TokenKey>) -> Result<BTreeSet<RowId>> {
        let mut contents = BTreeSet::new();
        for (collection, id) in tokens {
            let events = fetch!(
                fetch_all,
                self,
                EventRow,
                "SELECT block_number, log_index, sub_index, block_hash, kind, owner, content_id,
                        revision
                 FROM token_events WHERE collection_id = $1 AND token_id = $2
                 ORDER BY block_number, log_index, sub_index",
                *collection,
                id.as_slice(),
            )?;
            let mut fold = Fold::default();
            events.iter().for_each(|event| fold.apply(event));
            self.write_token(*collection, id, fold.token).await?;
            for (block, log, sub, content, superseded) in fold.contents {
                contents.insert(content);
                execute!(
                    self,
                    "UPDATE token_events SET superseded_block = $6
                     WHERE collection_id = $1 AND token_id = $2
                       AND block_number = $3 AND log_index = $4 AND sub_index = $5",
                    *collection,
                    id.as_slice(),
                    block,
                    log,
                    sub,
                    superseded,
                )?;
            }
        }
        Ok(contents)
    }

    async fn write_token(
        &mut self,
        collection: RowId,
        id: &[u8; 32],
        token: Option<Folded>,
    ) -> Result<()> {
        let Some(token) = token else {
            let delete = "DELETE FROM tokens WHERE collection_id = $1 AND token_id = $2";
            execute!(self, delete, collection, id.as_slice())?;
            return Ok(());
        };
        let (set_block, set_hash) = token.content_set.unzip();
        execute!(
            self,
            "INSERT INTO tokens (collection_id, token_id, owner, content_id, revision, frozen,
                minted_block, minted_hash, content_block, content_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (collection_id, token_id) DO UPDATE SET owner = excluded.owner,
                content_id = excluded.content_id, revision = excluded.revision,
                frozen = excluded.frozen, minted_block = excluded.minted_block,
                minted_hash = excluded.minted_hash, content_block = excluded.content_block,
                content_hash = excluded.content_hash",
            collection,
            id.as_slice(),
            token.owner,
            token.content_id,
            token.revision,
            i64::from(token.frozen),
            token.minted.0,
            token.minted.1,
            set_block,
            set_hash,
        )?;
        Ok(())
    }

    async fn contents_of(&mut self, tokens: &BTreeSet<TokenKey>) -> Result<BTreeSet<RowId>> {
        let mut contents = BTreeSet::new();
        for (collection, id) in tokens {
            let ids = fetch!(
                fetch_all,
                self,
                (i64,),
                "SELECT content_id FROM token_events
                 WHERE collection_id = $1 AND token_id = $2 AND content_id IS NOT NULL",
                *collection,
                id.as_slice(),
            )?;
            contents.extend(ids.into_iter().map(|(id,)| id));
        }
        Ok(contents)
    }

    /// Moves finality on; gives the contents that an update replaced for good thereby.
    async fn advance_finality(
        &mut self,
        chain_id: u64,
        finalized: Option<u64>,
    ) -> Result<Vec<RowId>> {
        let Some(new) = finalized.map(int) else {
            return Ok(Vec::new());
        };
        let old = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT finalized_block FROM chains WHERE chain_id = $1",
            int(chain_id),
        )?
        .0;
        if new <= old {
            return Ok(Vec::new());
        }
        let update = "UPDATE chains SET finalized_block = $2 WHERE chain_id = $1";
        execute!(self, update, int(chain_id), new)?;
        let ids = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT DISTINCT content_id FROM token_events
             WHERE superseded_block > $1 AND superseded_block <= $2 AND content_id IS NOT NULL",
            old,
            new,
        )?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}
