//! Health as `status` and `token` tell it: one judgement over one state of the ledger.

use alloy::primitives::U256;
use everhold::{
    content::{Link, Metadata, Reference},
    health::{
        Health, Policy,
        ReplicaState::{self, Missing, Verified},
    },
    ledger::{Judged, Millis},
    picture::Picture,
    report::{Status, TokenReport},
};

use crate::{
    story::{
        HOUR, NOW, Story, burn, contract, mint, mint_batch, raw, record, row_of, schedule, seen,
        set_nodes, update,
    },
    support::{
        database::{Database, on_both_engines},
        snapshot::collection,
    },
};

on_both_engines!(
    counts_every_token_once,
    calls_a_token_what_its_worst_content_is,
    cannot_tell_without_a_hash,
    changes_with_the_policy_and_no_probe,
    no_longer_counts_what_was_verified_long_ago,
    ends_grace_once_it_was_healthy,
    waits_for_nodes_that_say_nothing_as_long_as_a_proof_counts,
    judges_shared_content_once,
    tells_a_token_with_its_evidence,
    knows_nothing_of_other_tokens,
);

const POLICY: Policy = Policy { min: 2, min_held: 0, grace: 0, recheck: HOUR };
const URLS: [&str; 3] = ["http://one", "http://two", "http://three"];

async fn begin(db: &Database) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &URLS).await;
    Story::simple(ledger).await
}

/// Probes of a content on the first nodes saw these; others that were never asked lack it.
async fn probed(story: &Story, content: u8, states: &[ReplicaState]) {
    let nodes = set_nodes(&story.ledger, &URLS).await;
    let row = row_of(&story.ledger, raw(content)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let known = tx.replicas_of(row).await.unwrap();
    drop(tx);
    for (place, node) in nodes.iter().enumerate() {
        let asked = known.iter().any(|r| r.node == *node && r.view.state.is_some());
        let other = (!asked).then_some(Missing);
        if let Some(state) = states.get(place).copied().or(other) {
            record(&story.ledger, &seen(row, *node, state, NOW)).await;
        }
    }
}

async fn read(story: &Story, content: u8, uris: &[String]) {
    let row = row_of(&story.ledger, raw(content)).await;
    let link = |(place, uri): (usize, &String)| {
        Link::new(format!("properties.files[{place}]"), Reference::parse(uri))
    };
    let metadata =
        Metadata { links: uris.iter().enumerate().map(link).collect(), ..Metadata::default() };
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_metadata(row, &Ok(metadata), NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn picture(story: &Story, policy: &Policy, now: Millis) -> Picture {
    let mut tx = story.ledger.read().await.unwrap();
    Picture::take(&mut tx, policy, now).await.unwrap()
}

async fn healths(story: &Story, policy: &Policy, now: Millis) -> Vec<Health> {
    let picture = picture(story, policy, now).await;
    let tokens = &picture.collections[0].tokens;
    tokens.iter().map(|token| token.health).collect()
}

async fn counts_every_token_once(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3, 4, 4])).await;
    probed(&story, 1, &[Verified, Verified, Missing]).await;
    probed(&story, 2, &[Verified, Missing, Missing]).await;
    probed(&story, 3, &[Missing, Missing, Missing]).await;
    probed(&story, 4, &[Verified, Verified, Verified]).await;
    read(&story, 4, &["https://example.com/x".to_owned()]).await;
    story.tell([mint(0, 9, 1, 9), burn(0, 9)].concat()).await;
    let mut tx = story.ledger.read().await.unwrap();
    let status = Status::read(&mut tx, &POLICY, NOW).await.unwrap();
    let collection = &status.collections[0];
    assert_eq!(collection.tokens, 5);
    assert_eq!(collection.health.values().sum::<usize>(), 5);
    let count = |health| collection.health[&health];
    assert_eq!(count(Health::Healthy), 1);
    assert_eq!(count(Health::Degraded), 1);
    assert_eq!(count(Health::Lost), 1);
    assert_eq!(count(Health::Unverifiable), 2);
    assert_eq!(count(Health::Pending), 0);
    let verified: usize = status.nodes.iter().map(|n| n.replicas[&Verified]).sum();
    assert_eq!(verified, 6);
    assert_eq!(status.nodes.len(), 3);
}

async fn calls_a_token_what_its_worst_content_is(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2])).await;
    read(&story, 1, &[raw(10).uri(), raw(11).uri()]).await;
    read(&story, 2, &[raw(10).uri()]).await;
    for content in [1, 2, 10, 11] {
        probed(&story, content, &[Verified, Verified]).await;
    }
    let of = async |story: &Story| healths(story, &POLICY, NOW).await;
    assert_eq!(of(&story).await, [Health::Healthy, Health::Healthy]);
    probed(&story, 11, &[Missing]).await;
    assert_eq!(of(&story).await, [Health::Degraded, Health::Healthy]);
    probed(&story, 10, &[Missing, Missing]).await;
    assert_eq!(of(&story).await, [Health::Lost, Health::Lost]);
    let mut tx = story.ledger.read().await.unwrap();
    assert!(!Status::read(&mut tx, &POLICY, NOW).await.unwrap().all_healthy());
    drop(tx);
    story.finalized = Some(5);
    story.tell([update(0, 1, 2, 2), burn(0, 2)].concat()).await;
    probed(&story, 10, &[Verified, Verified]).await;
    assert_eq!(of(&story).await, [Health::Healthy]);
}

async fn cannot_tell_without_a_hash(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    for content in 1..=3 {
        probed(&story, content, &[Verified, Verified]).await;
    }
    read(&story, 1, &["http://example.com/a.png".to_owned()]).await;
    read(&story, 2, &["data:,x".to_owned()]).await;
    let row = row_of(&story.ledger, raw(3)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let why = Err("metadata is not JSON".to_owned());
    tx.record_metadata(row, &why, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let expected = [Health::Unverifiable, Health::Healthy, Health::Unverifiable];
    assert_eq!(healths(&story, &POLICY, NOW).await, expected);
    let picture = picture(&story, &POLICY, NOW).await;
    let why = &picture.collections[0].tokens[0].unverifiable;
    assert_eq!(why.len(), 1);
    assert!(why[0].contains("http://example.com/a.png"));
    probed(&story, 1, &[Missing, Missing]).await;
    assert_eq!(healths(&story, &POLICY, NOW).await[0], Health::Lost, "worse than unverifiable");
}

async fn changes_with_the_policy_and_no_probe(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    probed(&story, 1, &[Verified, Verified, Missing]).await;
    let with = |min, min_held| Policy { min, min_held, ..POLICY };
    assert_eq!(healths(&story, &with(2, 2), NOW).await, [Health::Healthy]);
    assert_eq!(healths(&story, &with(3, 0), NOW).await, [Health::Degraded]);
    assert_eq!(healths(&story, &with(2, 3), NOW).await, [Health::Degraded]);
    assert_eq!(healths(&story, &with(1, 1), NOW).await, [Health::Healthy]);
}

async fn no_longer_counts_what_was_verified_long_ago(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    probed(&story, 1, &[Verified, Verified]).await;
    let at = |hours| NOW + hours * HOUR;
    assert_eq!(healths(&story, &POLICY, at(2)).await, [Health::Healthy]);
    assert_eq!(healths(&story, &POLICY, at(2) + 1).await, [Health::Lost]);
}

async fn ends_grace_once_it_was_healthy(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    probed(&story, 1, &[Missing]).await;
    let minted = 1_700_000_012_000;
    let policy = Policy { grace: HOUR, ..POLICY };
    assert_eq!(healths(&story, &policy, minted + HOUR - 1).await, [Health::Pending]);
    assert_eq!(healths(&story, &policy, minted + HOUR).await, [Health::Lost]);
    let row = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let judged = Judged { content: row, health: Some(Health::Healthy), next: None };
    tx.write_assessments(&[judged]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(healths(&story, &policy, minted).await, [Health::Lost]);
    story.revert(0).await;
    story.tell(mint(0, 1, 1, 1)).await;
    assert_eq!(healths(&story, &policy, minted).await, [Health::Pending], "a new mint");
}

/// One node that wants to be left alone would else keep all that others lost from being told.
async fn waits_for_nodes_that_say_nothing_as_long_as_a_proof_counts(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    schedule(&story.ledger).await;
    let nodes = set_nodes(&story.ledger, &URLS).await;
    let asked = row_of(&story.ledger, raw(1)).await;
    let refused = row_of(&story.ledger, raw(2)).await;
    record(&story.ledger, &seen(asked, nodes[0], Verified, NOW)).await;
    record(&story.ledger, &seen(asked, nodes[1], Missing, NOW + 9)).await;
    let mut tx = story.ledger.write().await.unwrap();
    for at in [NOW, NOW + HOUR] {
        tx.note_refusals(&[refused, asked, refused], at).await.unwrap();
    }
    let replicas = tx.replicas_of(asked).await.unwrap();
    assert!(replicas.iter().all(|one| one.view.in_use_since.is_some()), "{replicas:?}");
    tx.commit().await.unwrap();
    // That others answer again gives nobody more time.
    record(&story.ledger, &seen(asked, nodes[0], Verified, NOW + HOUR)).await;
    let at = async |story: &Story, now| healths(story, &POLICY, now).await;
    let end = NOW + 2 * HOUR;
    assert_eq!(at(&story, end - 1).await, [Health::Pending; 3]);
    assert_eq!(at(&story, end).await, [Health::Degraded, Health::Lost, Health::Pending]);
    assert_eq!(at(&story, NOW + 900 * HOUR).await[2], Health::Pending, "it waits in our own queue");

    story.revert(0).await;
    story.tell(mint(0, 1, 1, 1)).await;
    assert_eq!(at(&story, end).await, [Health::Pending], "named anew, and nobody was asked since");
    let mut tx = story.ledger.write().await.unwrap();
    let judged = Judged { content: asked, health: Some(Health::Pending), next: None };
    tx.write_assessments(&[judged]).await.unwrap();
    tx.commit().await.unwrap();
    record(&story.ledger, &seen(asked, nodes[1], Missing, end)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.due_assessments(end, 10).await.unwrap();
    assert!(due.iter().any(|one| one.content.row == asked), "an answer begins the time anew");
}

async fn judges_shared_content_once(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 1, 1, 2])).await;
    read(&story, 1, &[raw(2).uri(), raw(2).uri()]).await;
    let picture = picture(&story, &POLICY, NOW).await;
    assert_eq!(picture.contents.len(), 2);
    let collection = story.collections[0].id;
    let ids = |all: &[u64]| all.iter().map(|id| U256::from(*id)).collect::<Vec<_>>();
    for (content, tokens) in [(1, ids(&[1, 2, 3])), (2, ids(&[1, 2, 3, 4]))] {
        let row = row_of(&story.ledger, raw(content)).await;
        let mut tx = story.ledger.read().await.unwrap();
        let named = tx.named_by(row, 20).await.unwrap();
        let by: Vec<_> = named.iter().map(|one| (one.collection, one.token_count)).collect();
        assert_eq!(by, [(collection, tokens.len() as u64)]);
        assert_eq!(named[0].tokens, tokens);
    }
}

async fn tells_a_token_with_its_evidence(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 3, 1)).await;
    story.finalized = Some(2);
    story.tell(update(0, 1, 2, 2)).await;
    read(&story, 2, &[raw(10).uri()]).await;
    probed(&story, 2, &[Missing, Verified]).await;
    probed(&story, 2, &[Verified]).await;
    let mut tx = story.ledger.read().await.unwrap();
    let of = collection(&mut tx, contract(0)).await.unwrap();
    let report = TokenReport::read(&mut tx, &POLICY, &of, U256::from(1), NOW);
    let report = report.await.unwrap().unwrap();
    assert_eq!(report.token_id, "1");
    assert_eq!(report.digest, Some(raw(2).digest.to_string()));
    assert_eq!((report.revision, report.frozen), (Some(2), Some(false)));
    assert!(report.finalized);
    assert_eq!((report.minted_block, report.content_block), (1, Some(2)));
    assert_eq!(report.content_block_hash, Some(story.block_hash(2).to_string()));
    let roles: Vec<_> = report.contents.iter().map(|c| c.role.as_str()).collect();
    assert_eq!(roles, ["metadata", "properties.files[0]"]);
    let metadata = &report.contents[0];
    assert_eq!((metadata.health, metadata.required), (Health::Healthy, 2));
    assert_eq!(metadata.replicas.len(), 3);
    let history: Vec<_> = metadata.replicas[0].history.iter().map(|c| c.state).collect();
    assert_eq!(history, [Missing, Verified]);
    assert_eq!(report.health, Health::Pending, "nobody has looked for its image");
}

async fn knows_nothing_of_other_tokens(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let of = collection(&mut tx, contract(0)).await.unwrap();
    let report = TokenReport::read(&mut tx, &POLICY, &of, U256::from(2), NOW);
    assert!(report.await.unwrap().is_none());
    assert!(collection(&mut tx, contract(1)).await.is_none());
}
