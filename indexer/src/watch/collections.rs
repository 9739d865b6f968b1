//! The collections of the configuration, as they are found on the chain.

use tracing::{info, warn};

use super::WatchError;
use crate::{
    chain::{self, Detected, Rpc},
    config::CollectionConfig,
    ledger::{Collection, Ledger, NewCollection},
};

/// Looks at each collection of the configuration. One that is in the ledger, and of which the chain
/// has nothing good to say any more (it destroyed itself, or answers otherwise), is what it was: it
/// must not keep the others from being watched.
pub(super) async fn look(
    rpc: &Rpc,
    ledger: &Ledger,
    configured: &[CollectionConfig],
) -> Result<Vec<NewCollection>, WatchError> {
    let provider = rpc.provider().await?;
    let chain_id = rpc.chain_id();
    let mut collections = Vec::new();
    for CollectionConfig { address, start_block, standard, .. } in configured {
        let known = ledger.read().await?.known_collection(chain_id, *address).await?;
        // What it was found to be once, it stays: a contract could answer otherwise every day.
        let said = standard.or(known.as_ref().map(|known| known.standard));
        let found = match (chain::detect(&provider, chain_id, *address, said).await, known) {
            (Err(error), Some(known))
                if error.is_about_contract() && Some(known.standard) == said =>
            {
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

fn as_known(known: Collection) -> Detected {
    let Collection { standard, name, codec, editable, .. } = known;
    Detected { standard, name, codec, editable }
}
