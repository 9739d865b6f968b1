//! Chains, collections, and the window of recent blocks.

use alloy::primitives::{Address, B256};

use super::{Halt, LedgerError, Millis, Result, RowId, Tx, execute, fetch, int, text, uint};
use crate::{
    chain::{BlockRef, Watched},
    config::Standard,
    content::Codec,
};

/// A collection to be watched.
#[derive(Clone, Debug)]
pub struct NewCollection {
    /// Chain it is on.
    pub chain_id: u64,
    /// Its contract.
    pub address: Address,
    /// What it is.
    pub standard: Standard,
    /// `name()`, or what stands for it.
    pub name: String,
    /// How its digests name content; `None` where it has none.
    pub codec: Option<Codec>,
    /// Whether owners may change their tokens' content, in one of ours.
    pub editable: bool,
    /// First block to read.
    pub start_block: u64,
}

/// A collection in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its key.
    pub id: RowId,
    /// Chain it is on.
    pub chain_id: u64,
    /// Its contract.
    pub address: Address,
    /// What it is.
    pub standard: Standard,
    /// `name()`, or what stands for it.
    pub name: String,
    /// How its digests name content; `None` where it has none.
    pub codec: Option<Codec>,
    /// Whether owners may change their tokens' content, in one of ours.
    pub editable: bool,
    /// First block to read.
    pub start_block: u64,
    /// Last block read; `None` before the first.
    pub indexed_block: Option<u64>,
    /// Time of the last block read, seconds since 1970, as the chain says, where it is known.
    pub indexed_time: Option<u64>,
    /// Last final block among those read. Of a halted collection: among those that are known to be
    /// on the chain still.
    pub finalized_block: Option<u64>,
    /// Why it is not read any further, if it is not.
    pub halted: Option<Halt>,
    /// Whether it is being read again from its start.
    pub rereading: bool,
    /// The factory that announced it, if one did that is followed.
    pub factory: Option<RowId>,
}

/// What `codec` is of a collection whose tokens have no digests.
const NO_CODEC: i64 = 0;

/// Collections with what their chains say of them, as [`CollectionRow`]s.
macro_rules! select_collections {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.chain_id, c.address, c.standard, c.name, c.codec, c.editable,
                    c.start_block, c.indexed_block, b.block_time, h.finalized_block, c.halted_at,
                    c.halted_reason, c.halted_block, c.rereading,
                    CASE WHEN c.made_block IS NULL THEN NULL ELSE c.factory_id END AS factory_id
             FROM collections c JOIN chains h ON h.chain_id = c.chain_id
             LEFT JOIN blocks b ON b.chain_id = c.chain_id AND b.number = c.indexed_block ",
            $which
        )
    };
}

#[derive(sqlx::FromRow)]
struct CollectionRow {
    id: i64,
    chain_id: i64,
    address: Vec<u8>,
    standard: String,
    name: String,
    codec: i64,
    editable: i64,
    start_block: i64,
    indexed_block: i64,
    block_time: Option<i64>,
    finalized_block: i64,
    halted_at: Option<i64>,
    halted_reason: Option<String>,
    halted_block: Option<i64>,
    rereading: i64,
    factory_id: Option<i64>,
}

impl Collection {
    fn from_row(row: CollectionRow) -> Result<Self> {
        let CollectionRow { id, start_block: start, indexed_block: indexed, .. } = row;
        let corrupt = |what: &str| LedgerError::Corrupt(format!("{what} of collection {id}"));
        let codec = match row.codec {
            NO_CODEC => None,
            codec => Some(
                u8::try_from(codec)
                    .ok()
                    .and_then(Codec::from_multicodec)
                    .ok_or_else(|| corrupt("codec"))?,
            ),
        };
        let block = |number: i64| (number >= start).then(|| uint(number));
        let halted = row.halted_at.map(|since| Halt {
            since,
            reason: row.halted_reason.unwrap_or_default(),
            shared: row.halted_block.map(uint),
        });
        let shared = if halted.is_some() { row.halted_block.unwrap_or(-1) } else { indexed };
        Ok(Self {
            id,
            chain_id: uint(row.chain_id),
            address: Address::try_from(row.address.as_slice()).map_err(|_| corrupt("address"))?,
            standard: row.standard.parse().map_err(|_| corrupt("standard"))?,
            name: row.name,
            codec,
            editable: row.editable != 0,
            start_block: uint(start),
            indexed_block: block(indexed),
            indexed_time: row.block_time.map(uint),
            finalized_block: block(row.finalized_block.min(indexed).min(shared)),
            halted,
            rereading: row.rereading != 0,
            factory: row.factory_id,
        })
    }

    /// How it is followed.
    pub fn watched(&self) -> Watched {
        Watched { address: self.address, standard: self.standard }
    }
}

impl Collection {
    /// The next block to read.
    pub fn next_block(&self) -> u64 {
        self.indexed_block.map_or(self.start_block, |block| block.saturating_add(1))
    }

    /// Notes that it was read up to a block, if it begins there or below.
    pub fn was_read_up_to(&mut self, block: u64) {
        if self.next_block() <= block {
            self.indexed_block = Some(block);
        }
    }

    /// Whether its first block is still to come where the head is `head`.
    pub fn is_ahead_of(&self, head: u64) -> bool {
        self.indexed_block.is_none() && self.start_block > head
    }
}

impl Tx {
    /// Refuses a ledger that holds chains, and none of these: it is another's, or the RPC is. A ledger
    /// that holds one of them may come to hold the others.
    pub async fn check_chains(&mut self, chain_ids: &[u64]) -> Result<()> {
        let select = "SELECT chain_id FROM chains ORDER BY chain_id";
        let known = fetch!(fetch_all, self, (i64,), select)?;
        match (known.first(), chain_ids.first()) {
            (Some((ledger,)), Some(rpc))
                if !known.iter().any(|(id,)| chain_ids.contains(&uint(*id))) =>
            {
                Err(LedgerError::OtherChain { ledger: uint(*ledger), rpc: *rpc })
            }
            _ => Ok(()),
        }
    }

    /// Whether the ledger holds this chain; an error if another with its id.
    pub async fn check_genesis(&mut self, chain_id: u64, genesis: B256) -> Result<bool> {
        let select = "SELECT genesis FROM chains WHERE chain_id = $1";
        match fetch!(fetch_optional, self, (Vec<u8>,), select, int(chain_id))? {
            Some((hash,)) if hash != genesis.as_slice() => Err(LedgerError::OtherGenesis(chain_id)),
            known => Ok(known.is_some()),
        }
    }

    /// Ties the ledger to a chain, besides those it is tied to; or finds that it holds another with
    /// the same id.
    pub async fn bind_chain(&mut self, chain_id: u64, genesis: B256) -> Result<()> {
        if !self.check_genesis(chain_id, genesis).await? {
            // Another process may bind it at this very moment: who comes second reads the first.
            let insert = "INSERT INTO chains (chain_id, genesis) VALUES ($1, $2)
                          ON CONFLICT DO NOTHING";
            execute!(self, insert, int(chain_id), genesis.as_slice())?;
            self.check_genesis(chain_id, genesis).await?;
        }
        Ok(())
    }

    /// Adds a collection, if it is not there. One whose `start_block` is lower than before, or that
    /// is something else than it was taken for, is read again from there; but there is nothing to
    /// read of one before the block that its factory made it in.
    pub async fn add_collection(&mut self, new: &NewCollection) -> Result<Collection> {
        let known = self.known_collection(new.chain_id, new.address).await?;
        let earlier = |c: &Collection| c.factory.is_none() && new.start_block < c.start_block;
        let anew =
            |c: &&Collection| earlier(c) || new.standard != c.standard || new.codec != c.codec;
        if let Some(known) = known.as_ref().filter(anew) {
            let update = "UPDATE collections SET start_block = $2 WHERE id = $1";
            execute!(self, update, known.id, int(new.start_block.min(known.start_block)))?;
            self.begin_anew(known.id).await?;
        }
        execute!(
            self,
            "INSERT INTO collections (chain_id, address, name, codec, start_block, indexed_block,
                editable, standard)
             VALUES ($1, $2, $3, $4, $5, $5 - 1, $6, $7)
             ON CONFLICT (chain_id, address) DO UPDATE SET name = excluded.name,
                codec = excluded.codec, editable = excluded.editable,
                standard = excluded.standard",
            int(new.chain_id),
            new.address.as_slice(),
            text(&new.name),
            new.codec.map_or(NO_CODEC, |codec| i64::from(codec.multicodec())),
            int(new.start_block),
            i64::from(new.editable),
            new.standard.as_str(),
        )?;
        let added = self.known_collection(new.chain_id, new.address).await?;
        let vanished = || LedgerError::Corrupt(format!("collection {} vanished", new.address));
        let added = added.ok_or_else(vanished)?;
        if known.is_none() {
            self.begin_own_uri(added.id).await?;
        }
        Ok(added)
    }

    /// Makes these, and no others, the collections and factories of the configuration. What only
    /// those left out name is no longer wanted; what a factory made that is named stays in use.
    pub async fn set_active(
        &mut self,
        collections: &[RowId],
        keep_history: bool,
        now: Millis,
    ) -> Result<()> {
        self.alone().await?;
        execute!(self, "UPDATE collections SET configured = 0 WHERE configured = 1")?;
        for id in collections {
            execute!(self, "UPDATE collections SET configured = 1 WHERE id = $1", *id)?;
        }
        let contents = self.settle_active().await?;
        self.refresh_wanted(&contents, keep_history, now).await
    }

    /// The collections and factories that the configuration names.
    pub async fn configured(&mut self) -> Result<Vec<RowId>> {
        let select = "SELECT id FROM collections WHERE configured = 1 ORDER BY id";
        let rows = fetch!(fetch_all, self, (i64,), select)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// A collection or factory that is in the ledger, be it in use or not.
    pub async fn known_collection(
        &mut self,
        chain_id: u64,
        address: Address,
    ) -> Result<Option<Collection>> {
        let row = fetch!(
            fetch_optional,
            self,
            CollectionRow,
            select_collections!("WHERE c.chain_id = $1 AND c.address = $2"),
            int(chain_id),
            address.as_slice(),
        )?;
        row.map(Collection::from_row).transpose()
    }

    /// The collections of the configuration and of its factories, in the order they came.
    pub async fn collections(&mut self) -> Result<Vec<Collection>> {
        let rows = fetch!(
            fetch_all,
            self,
            CollectionRow,
            select_collections!("WHERE c.active = 1 AND c.standard <> 'factory' ORDER BY c.id"),
        )?;
        rows.into_iter().map(Collection::from_row).collect()
    }

    /// What is followed, of one chain or of all: collections and factories, in the order they came.
    pub async fn followed(&mut self, chain_id: Option<u64>) -> Result<Vec<Collection>> {
        let rows = fetch!(
            fetch_all,
            self,
            CollectionRow,
            select_collections!(
                "WHERE c.active = 1 AND c.chain_id = COALESCE($1, c.chain_id) ORDER BY c.id"
            ),
            chain_id.map(int),
        )?;
        rows.into_iter().map(Collection::from_row).collect()
    }

    /// Whether there is nothing to do on a chain whose head this is: all that is followed was read up to
    /// there, none waits for its first block, and none is being read again.
    pub async fn is_at(&mut self, chain_id: u64, head: u64) -> Result<bool> {
        let select = "SELECT id FROM collections WHERE chain_id = $1 AND active = 1
                      AND ((halted_at IS NULL AND (indexed_block < $2 OR rereading = 1))
                           OR (start_block > $2 AND indexed_block < start_block)) LIMIT 1";
        let behind = fetch!(fetch_optional, self, (i64,), select, int(chain_id), int(head))?;
        Ok(behind.is_none())
    }

    /// Every collection and factory of the ledger, also those that are not in use.
    pub async fn all_collections(&mut self) -> Result<Vec<Collection>> {
        let rows = fetch!(fetch_all, self, CollectionRow, select_collections!("ORDER BY c.id"))?;
        rows.into_iter().map(Collection::from_row).collect()
    }

    /// The window of recent blocks, newest first. Below it are those that collections were last
    /// read up to.
    pub async fn window(&mut self, chain_id: u64) -> Result<Vec<BlockRef>> {
        let rows = fetch!(fetch_all, self, BlockRow, select_blocks!(""), int(chain_id))?;
        rows.into_iter().map(block_of).collect()
    }

    /// The newest block of the window.
    pub async fn top_block(&mut self, chain_id: u64) -> Result<Option<BlockRef>> {
        let top = select_blocks!("LIMIT 1");
        let row = fetch!(fetch_optional, self, BlockRow, top, int(chain_id))?;
        row.map(block_of).transpose()
    }
}

type BlockRow = (i64, Vec<u8>, Vec<u8>, Option<i64>);

fn block_of((number, hash, parent, time): BlockRow) -> Result<BlockRef> {
    let corrupt = |_| LedgerError::Corrupt(format!("hash of block {number}"));
    Ok(BlockRef {
        number: uint(number),
        hash: B256::try_from(hash.as_slice()).map_err(corrupt)?,
        parent_hash: B256::try_from(parent.as_slice()).map_err(corrupt)?,
        time: time.map(uint),
    })
}

/// Blocks of a chain (`$1`), newest first.
macro_rules! select_blocks {
    ($limit:literal) => {
        concat!(
            "SELECT number, hash, parent_hash, block_time FROM blocks
             WHERE chain_id = $1 ORDER BY number DESC ",
            $limit
        )
    };
}
use select_blocks;
