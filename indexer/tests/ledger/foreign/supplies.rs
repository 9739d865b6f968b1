//! Supplies, ranges of ids and logs of collections of others.

use alloy::primitives::{Address, U256};
use everhold::{
    chain::{Oddity, TokenEventKind},
    config::Standard,
    ledger::Ledger,
};

use super::{begin, said};
use crate::{
    story::{Said, burn, give, person},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    counts_a_supply_and_takes_it_back,
    survives_supplies_beyond_all_numbers,
    takes_a_range_in_and_takes_it_back,
    counts_what_it_passes_over,
);

async fn supply(ledger: &Ledger, token: u64) -> Option<U256> {
    let tokens = Snapshot::of(ledger).await.tokens;
    tokens.iter().find(|((_, id), _)| *id == U256::from(token))?.1.supply
}

fn minted(token: u64, amount: U256) -> Vec<Said> {
    said(token, TokenEventKind::Minted { amount })
}

fn burned(token: u64, amount: u64) -> Vec<Said> {
    said(token, TokenEventKind::Burned { amount: U256::from(amount) })
}

async fn counts_a_supply_and_takes_it_back(db: Database) {
    let mut story = begin(&db, Standard::Erc1155).await;
    story.tell(minted(1, U256::from(5))).await;
    story.tell([minted(1, U256::from(2)), burned(1, 3)].concat()).await;
    assert_eq!(supply(&story.ledger, 1).await, Some(U256::from(4)));
    let before = Snapshot::of(&story.ledger).await;
    let block = story.tell(burned(1, 4)).await;
    assert!(Snapshot::of(&story.ledger).await.tokens.is_empty(), "there are none any more");
    let mut tx = story.ledger.read().await.unwrap();
    let end = tx.burn(story.collections[0].id, U256::ONE).await.unwrap();
    assert_eq!(end.unwrap().block.0, block);
    drop(tx);
    story.tell(minted(1, U256::ONE)).await;
    assert_eq!(supply(&story.ledger, 1).await, Some(U256::ONE));
    story.revert(2).await;
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    // A mint of none makes no token, and neither does a burn of what nobody has.
    story.tell([minted(2, U256::ZERO), burned(3, 1)].concat()).await;
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 1);
    // One that only moves was minted without a word.
    story.tell(said(4, TokenEventKind::Moved { amount: U256::from(9) })).await;
    story.tell(said(4, TokenEventKind::Moved { amount: U256::from(2) })).await;
    assert_eq!(supply(&story.ledger, 4).await, Some(U256::from(9)));
}

async fn survives_supplies_beyond_all_numbers(db: Database) {
    let mut story = begin(&db, Standard::Erc1155).await;
    story.tell(minted(1, U256::MAX)).await;
    story.tell(minted(1, U256::MAX)).await;
    assert_eq!(supply(&story.ledger, 1).await, Some(U256::MAX));
    story.tell(burned(1, 1)).await;
    assert_eq!(supply(&story.ledger, 1).await, Some(U256::MAX - U256::ONE));
    story.revert(1).await;
    assert_eq!(supply(&story.ledger, 1).await, Some(U256::MAX));
    let top = Said {
        collection: 0,
        token: U256::MAX,
        kind: TokenEventKind::Minted { amount: U256::ONE },
        same_log: false,
    };
    story.tell(vec![top]).await;
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 2);
}

async fn takes_a_range_in_and_takes_it_back(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 20_000, 7)).await;
    let range = |to| TokenEventKind::TransferRange { last: U256::from(20_000), to };
    story
        .tell([give(0, 3, 9), said(1, range(person(1))), give(0, 5, 2), burn(0, 6)].concat())
        .await;
    let tokens = Snapshot::of(&story.ledger).await.tokens;
    assert_eq!(tokens.len(), 19_999);
    let owner = |id: u64| tokens[&(crate::story::contract(0), U256::from(id))].owner;
    assert_eq!([owner(1), owner(5), owner(20_000)], [person(1), person(2), person(1)]);
    story.tell(said(1, range(Address::ZERO))).await;
    assert!(Snapshot::of(&story.ledger).await.tokens.is_empty());
    story.revert(2).await;
    assert_eq!(Snapshot::of(&story.ledger).await.tokens, tokens);
    story.revert(1).await;
    let left = Snapshot::of(&story.ledger).await.tokens;
    assert_eq!(left.values().map(|token| token.owner).collect::<Vec<_>>(), [person(7)]);
}

async fn counts_what_it_passes_over(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    let odd = |oddity| said(0, TokenEventKind::Odd(oddity));
    story.tell([odd(Oddity::HugeRange), give(0, 1, 1), odd(Oddity::Undecodable)].concat()).await;
    story.tell(odd(Oddity::Undecodable)).await;
    // What is in the ledger already is not counted again.
    story.commit_from(2).await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let found = tx.odd_logs().await.unwrap();
    let found: Vec<_> =
        found.iter().map(|odd| (odd.oddity, odd.count, odd.first_block, odd.last_block)).collect();
    assert_eq!(found, [(Oddity::HugeRange, 1, 1, 1), (Oddity::Undecodable, 2, 1, 2)]);
    drop(tx);
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 1);
}
