//! The state of everything in parts, and of one token, beside the whole.

use std::collections::BTreeMap;

use alloy::primitives::U256;
use everhold::{
    content::{Codec, Link, Metadata, Reference},
    health::{Health, Policy, ReplicaState},
    ledger::Ledger,
    picture::{Pages, Picture},
    report::Status,
};

use crate::{
    story::{
        HOUR, NOW, Story, burn, mint, mint_batch, raw, record, row_of, seen, set_nodes, take_all,
    },
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    pages_make_up_the_whole,
    one_token_is_as_it_is_among_all,
    status_counts_what_is_on_all_pages,
);

const POLICY: Policy = Policy { min: 1, min_held: 0, grace: 0, recheck: HOUR };

/// Tokens of the larger collection: more than two pages.
const MANY: usize = 2_100;

/// Two collections, of many tokens and of one that shares its metadata, whose image one node lacks.
async fn begin(db: &Database) -> Story {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one"]).await;
    let mut story = Story::begin(ledger, &[Codec::Raw; 2]).await;
    let contents: Vec<u8> = (0..MANY).map(|index| u8::try_from(index % 50).unwrap()).collect();
    for (some, first) in contents.chunks(500).zip((1..).step_by(500)) {
        story.tell(mint_batch(0, first, 1, some)).await;
    }
    story.tell(mint(1, 7, 1, 3)).await;
    story.tell(burn(0, 1_000)).await;
    let link = Link::new("image".to_owned(), Reference::parse(&raw(200).uri()));
    let metadata = Ok(Metadata { links: vec![link], ..Metadata::default() });
    let row = row_of(&story.ledger, raw(3)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_metadata(row, &metadata, NOW).await.unwrap();
    tx.commit().await.unwrap();
    for probe in take_all(&story.ledger, NOW).await {
        let state = match probe.id == raw(200) {
            true => ReplicaState::Missing,
            false => ReplicaState::Verified,
        };
        record(&story.ledger, &seen(probe.content, nodes[0], state, NOW)).await;
    }
    story
}

async fn whole(ledger: &Ledger) -> Picture {
    Picture::take(&mut ledger.read().await.unwrap(), &POLICY, NOW).await.unwrap()
}

/// Of each content that three in fifty tokens have, one is lost with its image.
fn is_lost(id: U256) -> bool {
    (id - U256::ONE) % U256::from(50) == U256::from(3)
}

async fn pages_make_up_the_whole(db: Database) {
    let story = begin(&db).await;
    let whole = whole(&story.ledger).await;
    let tokens = &whole.collections[0].tokens;
    assert_eq!(tokens.len(), MANY - 1);
    assert!(tokens.is_sorted_by_key(|token| token.token_id));
    for token in tokens {
        let expected = if is_lost(token.token_id) { Health::Lost } else { Health::Healthy };
        assert_eq!(token.health, expected, "{}", token.token_id);
    }
    assert_eq!(whole.collections[1].tokens[0].health, Health::Lost);
    assert_eq!(whole.contents.len(), 51);
    let mut tx = story.ledger.read().await.unwrap();
    let mut pages = Pages::begin(&mut tx, &POLICY, NOW).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next(&mut tx).await.unwrap() {
        assert_eq!(page.collections.len(), 1);
        let tokens = &page.collections[0].tokens;
        let known = |row| page.contents.contains_key(row);
        assert!(tokens.iter().flat_map(|token| &token.contents).all(|(_, row)| known(row)));
        sizes.push(tokens.len());
    }
    assert_eq!(sizes, [1_000, 1_000, MANY - 2_001, 1]);
}

async fn one_token_is_as_it_is_among_all(db: Database) {
    let story = begin(&db).await;
    let whole = whole(&story.ledger).await;
    let mut tx = story.ledger.read().await.unwrap();
    for collection in &whole.collections {
        let id = collection.collection.id;
        for token in collection.tokens.iter().step_by(33) {
            let pages = Pages::begin(&mut tx, &POLICY, NOW).await.unwrap();
            let alone = pages.token(&mut tx, id, token.token_id).await.unwrap().unwrap();
            let found = &alone.collections[0].tokens;
            assert_eq!((found.len(), found[0].token_id), (1, token.token_id));
            assert_eq!(found[0].health, token.health);
            assert_eq!(found[0].contents, token.contents);
            assert_eq!(alone.contents.len(), token.contents.len(), "and nothing else");
        }
        let pages = Pages::begin(&mut tx, &POLICY, NOW).await.unwrap();
        let burned = pages.token(&mut tx, id, U256::from(1_000)).await.unwrap();
        assert!(burned.is_none());
    }
    let pages = Pages::begin(&mut tx, &POLICY, NOW).await.unwrap();
    assert!(pages.token(&mut tx, 999, U256::ONE).await.unwrap().is_none());
}

async fn status_counts_what_is_on_all_pages(db: Database) {
    let story = begin(&db).await;
    let mut tx = story.ledger.read().await.unwrap();
    let status = Status::read(&mut tx, &POLICY, NOW).await.unwrap();
    let lost = (1..=MANY as u64).filter(|id| *id != 1_000 && is_lost(U256::from(*id))).count();
    let expected = |tokens: usize, lost: usize| {
        let counts = Health::ALL.iter().map(|health| {
            let count = match health {
                Health::Healthy => tokens - lost,
                Health::Lost => lost,
                _ => 0,
            };
            (*health, count)
        });
        (tokens, counts.collect::<BTreeMap<_, _>>())
    };
    let of = |index: usize| {
        let one = &status.collections[index];
        (one.tokens, one.health.clone())
    };
    assert_eq!(of(0), expected(MANY - 1, lost));
    assert_eq!(of(1), expected(1, 1));
    assert!(!status.all_healthy());
    let replicas = &status.nodes[0].replicas;
    assert_eq!(replicas[&ReplicaState::Verified], 50);
    assert_eq!(replicas[&ReplicaState::Missing], 1);
}
