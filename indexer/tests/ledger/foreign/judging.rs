//! Health of tokens of collections of others, and incidents over their paths.

use alloy::primitives::U256;
use everhold::{
    config::Standard,
    health::{Health, Policy},
    ledger::{Incident, Millis, Subject, UriState},
    picture::Picture,
};

use super::{MINUTE, begin, document, look, names, path, unverifiable};
use crate::{
    story::{CHAIN, NOW, give},
    support::database::{Database, on_both_engines},
};

on_both_engines!(judges_tokens_by_their_uris, opens_one_incident_for_a_path,);

async fn judges_tokens_by_their_uris(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell((1..=6).flat_map(|id| give(0, id, 1)).collect()).await;
    look(&story, NOW, |_, id| match id.to::<u8>() {
        1 => names(1),
        2 => document(&[]),
        3 => unverifiable("it reverts"),
        4 => path("4.json"),
        5 => path("5.json"),
        _ => document(&[7]),
    })
    .await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_paths(NOW, NOW + MINUTE, 10, false).await.unwrap();
    tx.path_failed(&due[0], "nobody gave it", 3, NOW + MINUTE).await.unwrap();
    tx.path_failed(&due[1], "nobody is configured", 0, NOW + MINUTE).await.unwrap();
    tx.commit().await.unwrap();
    story.tell(give(0, 7, 1)).await;
    let policy = Policy { min: 1, min_held: 0, grace: 0, recheck: 0 };
    let mut tx = story.ledger.read().await.unwrap();
    let picture = Picture::take(&mut tx, &policy, NOW + 1).await.unwrap();
    let healths: Vec<_> = picture.collections[0].tokens.iter().map(|t| t.health).collect();
    use Health::{Healthy, Lost, Pending, Unverifiable};
    let expected = [Pending, Healthy, Unverifiable, Lost, Unverifiable, Pending, Pending];
    assert_eq!(healths, expected);
    let tokens = &picture.collections[0].tokens;
    assert_eq!(tokens[2].unverifiable, ["it reverts"]);
    assert_eq!(tokens[3].unresolved, ["its URI: nobody gave it"]);
    let uri = tx.uri(story.collections[0].id, Some(U256::from(2))).await.unwrap().unwrap();
    assert_eq!((uri.state, uri.class.as_deref()), (UriState::Document, Some("on-chain")));
    assert_eq!(uri.read_at, Some((1, story.block_hash(1))));
}

async fn opens_one_incident_for_a_path(db: Database) {
    let story = begin(&db, Standard::Erc721).await;
    let mut tx = story.ledger.write().await.unwrap();
    let incident = |id: &str, reference: &str| Incident {
        id: id.to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: story.collections[0].address,
        subject: Subject::Path { reference: reference.to_owned() },
        health: Health::Lost,
        summary: "nothing is there".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    };
    // However long the path is.
    let long = format!("ipfs://x/{}", "y".repeat(8000));
    assert!(tx.open_incident(&incident("a", "ipfs://x/1")).await.unwrap());
    assert!(!tx.open_incident(&incident("b", "ipfs://x/1")).await.unwrap());
    assert!(tx.open_incident(&incident("c", &long)).await.unwrap());
    assert!(!tx.open_incident(&incident("d", &long)).await.unwrap());
    tx.close_incident("a", "found", NOW).await.unwrap();
    assert!(tx.open_incident(&incident("e", "ipfs://x/1")).await.unwrap());
    let open = tx.incidents(Millis::MAX).await.unwrap();
    let paths: Vec<_> = open.iter().map(|one| (one.id.as_str(), one.subject.path())).collect();
    assert_eq!(paths, [("c", Some(long.as_str())), ("e", Some("ipfs://x/1"))]);
}
