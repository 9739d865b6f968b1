//! The collections of the configuration, as they are found on the chain.

use alloy::primitives::Address;
use tracing::{info, warn};

use super::WatchError;
use crate::{
    chain::{self, CollectionError, DeployError, Detected, Rpc, RpcError},
    config::{CollectionConfig, FactoryConfig},
    ledger::{Collection, Ledger, LedgerError, NewCollection, NewFactory, RowId, Tx},
};

/// What of the configuration is on one chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    collections: Vec<NewCollection>,
    /// Whose each collection is, where its contract says so.
    owners: Vec<Option<Address>>,
    factories: Vec<NewFactory>,
}

impl Found {
    /// Enters the chain and what is on it; gives the keys of that.
    pub(super) async fn enter(&self, tx: &mut Tx, rpc: &Rpc) -> Result<Vec<RowId>, LedgerError> {
        tx.bind_chain(rpc.chain_id(), rpc.genesis()).await?;
        let mut rows = Vec::new();
        for (new, owner) in self.collections.iter().zip(&self.owners) {
            let row = tx.add_collection(new).await?.id;
            tx.set_owner(row, *owner).await?;
            rows.push(row);
        }
        for new in &self.factories {
            rows.push(tx.add_factory(new).await?.id);
        }
        Ok(rows)
    }
}

/// Looks at everything of the configuration that is on one chain.
pub(super) async fn look(
    rpc: &Rpc,
    ledger: &Ledger,
    collections: &[CollectionConfig],
    factories: &[FactoryConfig],
) -> Result<Found, WatchError> {
    let (found, owners) =
        tokio::join!(look_at_collections(rpc, ledger, collections), owners_of(rpc, collections));
    let factories = look_at_factories(rpc, ledger, factories).await?;
    Ok(Found { collections: found?, owners, factories })
}

async fn owners_of(rpc: &Rpc, collections: &[CollectionConfig]) -> Vec<Option<Address>> {
    let mut owners = Vec::with_capacity(collections.len());
    for collection in collections {
        owners.push(chain::owner(rpc, collection.address).await);
    }
    owners
}

/// Where a factory is.
pub(super) fn address_of(factory: &FactoryConfig) -> Result<Address, DeployError> {
    factory.address.map_or_else(chain::factory_address, Ok)
}

/// Looks at each factory. Ours need not be there yet: nothing else can ever be in its place.
async fn look_at_factories(
    rpc: &Rpc,
    ledger: &Ledger,
    configured: &[FactoryConfig],
) -> Result<Vec<NewFactory>, WatchError> {
    let mut found = Vec::new();
    for factory in configured {
        let (address, chain_id) = (address_of(factory)?, rpc.chain_id());
        let known = ledger.read().await?.known_collection(chain_id, address).await?;
        if known.is_none() && address != chain::factory_address()? {
            chain::detect_factory(rpc, address).await?;
        }
        let FactoryConfig { start_block, creators, .. } = factory.clone();
        found.push(NewFactory { chain_id, address, start_block, creators });
    }
    Ok(found)
}

/// Looks at each collection of the configuration. One that is in the ledger, and of which the chain
/// has nothing good to say any more (it destroyed itself, or answers otherwise), is what it was: it
/// must not keep the others from being watched.
async fn look_at_collections(
    rpc: &Rpc,
    ledger: &Ledger,
    configured: &[CollectionConfig],
) -> Result<Vec<NewCollection>, WatchError> {
    let chain_id = rpc.chain_id();
    let mut collections = Vec::new();
    for CollectionConfig { address, start_block, standard, .. } in configured {
        let known = ledger.read().await?.known_collection(chain_id, *address).await?;
        // What it was found to be once, it stays: a contract could answer otherwise every day.
        let said = standard.or(known.as_ref().map(|known| known.standard));
        let found = match (chain::detect(rpc, *address, said).await, known) {
            (Err(error), Some(known)) if is_its_doing(&error) && Some(known.standard) == said => {
                warn!("{error}; what is known of it is watched on");
                as_known(known)
            }
            (found, _) => found?,
        };
        if found.standard.is_foreign() {
            info!("{address} is watched as {}: {}", found.standard, found.name);
        }
        collections.push(NewCollection {
            chain_id,
            address: *address,
            standard: found.standard,
            name: found.name,
            codec: found.codec,
            editable: found.editable,
            start_block: *start_block,
        });
    }
    Ok(collections)
}

/// Whether it may be the contract's doing: it can answer otherwise in every block, too.
fn is_its_doing(error: &CollectionError) -> bool {
    error.is_about_contract() || matches!(error, CollectionError::Rpc(RpcError::Differ { .. }))
}

fn as_known(known: Collection) -> Detected {
    let Collection { standard, name, codec, editable, .. } = known;
    Detected { standard, name, codec, editable }
}
