//! Factories, and the collections that they announce.
//!
//! A factory is followed as a collection is, by the same checkpoints and window. Each of its creations
//! adds a collection, which a reorg takes out of use again; its row stays, since incidents name it.

use std::collections::BTreeSet;

use alloy::primitives::Address;

use super::{
    Collection, NewCollection, Result, RowId, Tx, execute, fetch, follow::ByAddress, int, text,
};
use crate::{
    chain::{Creation, TokenEvent, TokenEventKind},
    config::Standard,
};

/// A factory to be followed.
#[derive(Clone, Debug)]
pub struct NewFactory {
    /// Chain it is on.
    pub chain_id: u64,
    /// Its contract.
    pub address: Address,
    /// First block to read.
    pub start_block: u64,
    /// Whose collections are watched; everybody's, where it is empty.
    pub creators: Vec<Address>,
}

/// `made_block` of a collection whose creation is to be seen again, as its factory is read anew.
const TO_BE_SEEN: i64 = -1;

/// What is known of a collection that a factory announces: its key, first block, whether it was read
/// at all, whether the configuration names it, what it was taken for, and its codec.
type KnownRow = (i64, i64, i64, i64, String, i64);

impl Tx {
    /// Adds a factory, if it is not there, and says whose collections of it are watched. What it
    /// made comes into use with [`Tx::set_active`].
    pub async fn add_factory(&mut self, new: &NewFactory) -> Result<Collection> {
        let row = NewCollection {
            chain_id: new.chain_id,
            address: new.address,
            standard: Standard::Factory,
            name: format!("factory {}", new.address),
            codec: None,
            editable: false,
            start_block: new.start_block,
        };
        let factory = self.add_collection(&row).await?;
        execute!(self, "DELETE FROM factory_creators WHERE factory_id = $1", factory.id)?;
        for creator in &new.creators {
            let insert = "INSERT INTO factory_creators (factory_id, creator) VALUES ($1, $2)
                          ON CONFLICT DO NOTHING";
            execute!(self, insert, factory.id, creator.as_slice())?;
        }
        Ok(factory)
    }

    /// Adds the collections that factories announced; gives the contents of which it must be worked
    /// out whether they are wanted.
    pub(super) async fn commit_creations(
        &mut self,
        by_address: &ByAddress<'_>,
        events: &[&TokenEvent],
    ) -> Result<BTreeSet<RowId>> {
        for event in events {
            if let (TokenEventKind::Created(creation), Some(factory)) =
                (&event.kind, by_address.get(&event.collection))
            {
                self.make(factory, creation, int(event.block_number)).await?;
            }
        }
        if events.is_empty() { Ok(BTreeSet::new()) } else { self.settle_active().await }
    }

    async fn make(&mut self, factory: &Collection, made: &Creation, block: i64) -> Result<()> {
        let chain = int(factory.chain_id);
        let codec = i64::from(made.codec.multicodec());
        let known = fetch!(
            fetch_optional,
            self,
            KnownRow,
            "SELECT id, start_block, indexed_block, configured, standard, codec FROM collections
             WHERE chain_id = $1 AND address = $2",
            chain,
            made.collection.as_slice(),
        )?;
        let Some((id, start, indexed, configured, standard, known_codec)) = known else {
            let (id,) = fetch!(
                fetch_one,
                self,
                (i64,),
                "INSERT INTO collections (chain_id, address, name, codec, start_block,
                    indexed_block, editable, standard, active, configured, factory_id, made_block,
                    creator)
                 VALUES ($1, $2, $3, $4, $5, $5 - 1, $6, 'everhold', 0, 0, $7, $5, $8)
                 RETURNING id",
                chain,
                made.collection.as_slice(),
                text(&made.name),
                codec,
                block,
                i64::from(made.editable),
                factory.id,
                made.creator.as_slice(),
            )?;
            return self.begin_own_uri(id).await;
        };
        // What the configuration names is what it says; a factory of a stranger's could announce any
        // contract.
        let follows_it = configured == 0 && standard != Standard::Factory.as_str();
        execute!(
            self,
            "UPDATE collections SET factory_id = $2, made_block = $3, creator = $4 WHERE id = $1",
            id,
            factory.id,
            block,
            made.creator.as_slice(),
        )?;
        let ours = Standard::Everhold.as_str();
        if !follows_it || (start, standard.as_str(), known_codec) == (block, ours, codec) {
            return Ok(());
        }
        execute!(
            self,
            "UPDATE collections SET start_block = $2, name = $3, codec = $4, editable = $5,
                standard = 'everhold' WHERE id = $1",
            id,
            block,
            text(&made.name),
            codec,
            i64::from(made.editable),
        )?;
        if indexed >= start {
            return self.begin_anew(id).await;
        }
        let update = "UPDATE collections SET indexed_block = start_block - 1 WHERE id = $1";
        execute!(self, update, id)?;
        Ok(())
    }

    /// Takes back what factories announced above a block; gives the contents of which it must be
    /// worked out whether they are wanted. What a halted factory announced stays.
    pub(super) async fn revert_creations(
        &mut self,
        chain: i64,
        above: i64,
    ) -> Result<BTreeSet<RowId>> {
        let back = execute!(
            self,
            "UPDATE collections SET made_block = NULL
             WHERE chain_id = $1 AND made_block > $2
               AND factory_id IN (SELECT id FROM collections WHERE halted_at IS NULL)",
            chain,
            above,
        )?;
        if back == 0 { Ok(BTreeSet::new()) } else { self.settle_active().await }
    }

    /// A factory is read anew: its collections stay in use until it is known which it announces.
    pub(super) async fn doubt_creations(&mut self, factory: RowId) -> Result<()> {
        let update = "UPDATE collections SET made_block = $2
                      WHERE factory_id = $1 AND made_block IS NOT NULL";
        execute!(self, update, factory, TO_BE_SEEN)?;
        Ok(())
    }

    /// A factory has been read anew: what it did not announce again is not of it; gives the contents
    /// of which it must be worked out whether they are wanted.
    pub(super) async fn settle_creations(&mut self, factory: RowId) -> Result<BTreeSet<RowId>> {
        let update = "UPDATE collections SET made_block = NULL
                      WHERE factory_id = $1 AND made_block = $2";
        let gone = execute!(self, update, factory, TO_BE_SEEN)?;
        if gone == 0 { Ok(BTreeSet::new()) } else { self.settle_active().await }
    }

    /// Works out which collections are in use: those that the configuration names, and those that a
    /// factory made which it names, for somebody whose collections are watched. Gives the contents of
    /// those of which that changed.
    pub(super) async fn settle_active(&mut self) -> Result<BTreeSet<RowId>> {
        let changed = fetch!(
            fetch_all,
            self,
            (i64, i64, i64),
            "SELECT id, wanted, known FROM (
                SELECT c.id, c.active, CAST(CASE
                    WHEN c.indexed_block < c.start_block AND c.rereading = 0 THEN 0
                    ELSE 1 END AS BIGINT) AS known, CAST(CASE
                    WHEN c.configured = 1 THEN 1
                    WHEN c.made_block IS NOT NULL AND f.configured = 1 AND (
                        NOT EXISTS (SELECT 1 FROM factory_creators a WHERE a.factory_id = f.id)
                        OR EXISTS (SELECT 1 FROM factory_creators a
                                   WHERE a.factory_id = f.id AND a.creator = c.creator)) THEN 1
                    ELSE 0 END AS BIGINT) AS wanted
                FROM collections c LEFT JOIN collections f ON f.id = c.factory_id) AS found
             WHERE active <> wanted ORDER BY id",
        )?;
        let mut contents = BTreeSet::new();
        for (id, active, known) in changed {
            execute!(self, "UPDATE collections SET active = $2 WHERE id = $1", id, active)?;
            // One that was never read names nothing.
            if known == 1 {
                contents.append(&mut self.contents_of(id).await?);
            }
        }
        Ok(contents)
    }
}
