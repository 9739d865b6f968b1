//! What minting costs: why `publish` mints one token by `mint` and more by `mintBatch`.

use alloy::primitives::U256;
use everhold::{content::Digest, publish::BATCH};

use crate::anvil::{Anvil, Collection};

/// EIP-7825: no transaction of Ethereum's may take more.
const MOST_GAS: u64 = 1 << 24;

fn digests(count: usize) -> Vec<Digest> {
    (0..count).map(|number| Digest::of(&number.to_be_bytes())).collect()
}

async fn batch(collection: &Collection<'_>, anvil: &Anvil, count: usize) -> u64 {
    let (signer, first) = (&anvil.signer, collection.next().await);
    let digests = digests(count);
    let minted = collection.contract.mint_batch(signer, signer.address(), first, &digests);
    minted.await.unwrap().gas_used
}

async fn singles(collection: &Collection<'_>, anvil: &Anvil, count: usize) -> u64 {
    let signer = &anvil.signer;
    let mut gas = 0;
    for digest in digests(count) {
        let next: U256 = collection.next().await;
        let minted = collection.contract.mint(signer, signer.address(), next, digest);
        gas += minted.await.unwrap().gas_used;
    }
    gas
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_less_from_two_tokens_on_and_the_largest_fits() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    // The first token and the first batch fill slots that later ones find filled.
    singles(&collection, &anvil, 1).await;
    batch(&collection, &anvil, 1).await;
    let (one, batch_of_one) =
        (singles(&collection, &anvil, 1).await, batch(&collection, &anvil, 1).await);
    let (two, batch_of_two) =
        (singles(&collection, &anvil, 2).await, batch(&collection, &anvil, 2).await);
    let largest = batch(&collection, &anvil, BATCH).await;
    let all = format!("{one} {batch_of_one}; {two} {batch_of_two}; {largest}");
    assert!(one < batch_of_one, "{all}");
    assert!(two > batch_of_two, "{all}");
    assert!(largest < MOST_GAS / 3, "{all}");
}
