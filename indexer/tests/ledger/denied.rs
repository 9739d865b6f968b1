//! The deny list: what is on it is not wanted, whoever names it, and is again once it is off it.

use std::collections::{BTreeMap, BTreeSet};

use everhold::{
    content::{Digest, Link, Metadata, Reference},
    health::{Health, Policy, ReplicaState},
    ledger::{DenialSource, Document, Millis},
    picture::Picture,
    report::Status,
};

use crate::{
    story::{
        HOUR, NOW, RIGHT, Story, burn, digest, mint, mint_batch, raw, record, row_of, seen,
        set_nodes, take_all,
    },
    support::{
        database::{Database, on_both_engines},
        snapshot::wanted_rows,
    },
};

on_both_engines!(
    what_is_denied_leaves_the_schedule_and_comes_back,
    what_is_denied_before_it_is_minted_is_never_due,
    what_a_denied_document_names_is_not_wanted_for_its_sake,
    a_file_is_denied_by_the_sha256_of_its_bytes,
    what_a_document_names_is_never_wanted_that_is_denied_by_its_sha256,
    files_say_what_they_say_at_each_start,
    who_denied_it_decides_who_allows_it,
    tokens_are_counted_once_with_denied_ones,
    a_reorg_does_not_bring_it_back,
);

async fn story(db: &Database, contents: &[u8]) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint_batch(0, 1, 1, contents)).await;
    story
}

async fn deny(story: &Story, what: &Digest) -> BTreeSet<i64> {
    let mut tx = story.ledger.write().await.unwrap();
    tx.deny(what, "by order 7/26", NOW).await.unwrap();
    let denied = tx.apply_denials(false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    denied
}

async fn allow(story: &Story, what: &Digest) -> bool {
    let mut tx = story.ledger.write().await.unwrap();
    let was = tx.allow(what).await.unwrap();
    tx.apply_denials(false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    was
}

async fn due(story: &Story, now: Millis) -> BTreeSet<String> {
    take_all(&story.ledger, now).await.iter().map(|probe| probe.id.to_string()).collect()
}

fn named(contents: &[u8]) -> BTreeSet<String> {
    contents.iter().map(|content| raw(*content).to_string()).collect()
}

async fn assert_wanted(story: &Story, contents: &[u8]) {
    let mut tx = story.ledger.read().await.unwrap();
    let wanted: BTreeSet<_> = wanted_rows(&mut tx).await.into_values().collect();
    assert_eq!(wanted, contents.iter().map(|content| raw(*content)).collect());
}

const POLICY: Policy = Policy { min: 1, min_held: 0, grace: 0, recheck: HOUR };

async fn picture(story: &Story) -> Picture {
    let mut tx = story.ledger.read().await.unwrap();
    Picture::take(&mut tx, &POLICY, NOW).await.unwrap()
}

async fn healths(story: &Story) -> Vec<Health> {
    let picture = picture(story).await;
    picture.collections[0].tokens.iter().map(|token| token.health).collect()
}

async fn verify_all(story: &Story, now: Millis) {
    for probe in take_all(&story.ledger, now).await {
        record(&story.ledger, &seen(probe.content, probe.node, ReplicaState::Verified, now)).await;
    }
}

async fn what_is_denied_leaves_the_schedule_and_comes_back(db: Database) {
    let story = story(&db, &[1, 2]).await;
    verify_all(&story, NOW).await;
    let row = row_of(&story.ledger, raw(1)).await;
    assert_eq!(deny(&story, &digest(1)).await, BTreeSet::from([row]));
    assert_eq!(deny(&story, &digest(1)).await, BTreeSet::new(), "it is already");
    assert_wanted(&story, &[2]).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.schedule_new_stores(9).await.unwrap();
    let asked = tx.take_due_stores(NOW, NOW + HOUR, 9).await.unwrap();
    assert_eq!(asked.iter().map(|one| one.id).collect::<Vec<_>>(), [raw(2)]);
    tx.make_due(row, 1).await.unwrap();
    tx.make_urgent(row).await.unwrap();
    tx.commit().await.unwrap();
    // A probe that was under way, a process that starts anew.
    record(&story.ledger, &seen(row, 1, ReplicaState::Missing, NOW)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.release_leases().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(due(&story, NOW + 9 * HOUR).await, named(&[2]));
    assert_eq!(healths(&story).await[0], Health::Denied);
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.denial(row).await.unwrap().as_deref(), Some("by order 7/26"));
    drop(tx);

    assert!(allow(&story, &digest(1)).await);
    assert_eq!(due(&story, NOW).await, named(&[1]), "at once");
    assert_wanted(&story, &[1, 2]).await;
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.denial(row).await.unwrap(), None);
    assert_eq!(tx.take_due_stores(NOW, NOW + HOUR, 9).await.unwrap()[0].id, raw(1));
}

async fn what_is_denied_before_it_is_minted_is_never_due(db: Database) {
    let mut story = story(&db, &[1]).await;
    assert_eq!(deny(&story, &digest(2)).await, BTreeSet::new());
    story.tell(mint(0, 2, 1, 2)).await;
    story.tell(mint(0, 3, 1, 2)).await;
    assert_eq!(due(&story, NOW).await, named(&[1]));
    assert_wanted(&story, &[1]).await;
    assert_eq!(healths(&story).await[1..], [Health::Denied; 2]);
    allow(&story, &digest(2)).await;
    assert_eq!(due(&story, NOW).await, named(&[2]));
}

async fn what_a_denied_document_names_is_not_wanted_for_its_sake(db: Database) {
    let story = story(&db, &[1, 2]).await;
    take_all(&story.ledger, NOW).await;
    let link = |child: u8| Link::new("image".to_owned(), Reference::parse(&raw(child).uri()));
    for (parent, children) in [(1, vec![10, 11]), (2, vec![11])] {
        let links = children.into_iter().map(link).collect();
        let metadata = Ok(Metadata { links, ..Metadata::default() });
        let row = row_of(&story.ledger, raw(parent)).await;
        let mut tx = story.ledger.write().await.unwrap();
        tx.record_metadata(row, &metadata, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }
    deny(&story, &digest(1)).await;
    assert_wanted(&story, &[2, 11]).await;
    let token = &picture(&story).await.collections[0].tokens[0];
    assert_eq!(token.contents.len(), 1, "nothing below it is shown: {token:?}");
    allow(&story, &digest(1)).await;
    assert_wanted(&story, &[1, 2, 10, 11]).await;
    // A picture alone.
    deny(&story, &digest(10)).await;
    assert_wanted(&story, &[1, 2, 11]).await;
    let token = &picture(&story).await.collections[0].tokens[0];
    assert_eq!(token.contents.len(), 3);
}

async fn a_file_is_denied_by_the_sha256_of_its_bytes(db: Database) {
    let story = story(&db, &[1, 2]).await;
    let row = row_of(&story.ledger, raw(1)).await;
    record(&story.ledger, &seen(row, 1, ReplicaState::Verified, NOW)).await;
    // As of a DAG: its bytes have another sha-256 than its root.
    assert_eq!(deny(&story, &RIGHT).await, BTreeSet::from([row]));
    assert_wanted(&story, &[2]).await;
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.denial(row).await.unwrap().as_deref(), Some("by order 7/26"));
    drop(tx);
    allow(&story, &RIGHT).await;
    assert_wanted(&story, &[1, 2]).await;
}

/// Its sha-256 is learned with its bytes, and so is what it names: that must not be wanted for a moment.
async fn what_a_document_names_is_never_wanted_that_is_denied_by_its_sha256(db: Database) {
    let story = story(&db, &[1, 2]).await;
    assert_eq!(deny(&story, &RIGHT).await, BTreeSet::new(), "nobody knows yet whose it is");
    let link = |child: u8| Link::new("image".to_owned(), Reference::parse(&raw(child).uri()));
    let naming = |child| Ok(Metadata { links: vec![link(child)], ..Metadata::default() });
    let (bad, good) = (naming(10), naming(11));
    let rows = [row_of(&story.ledger, raw(1)).await, row_of(&story.ledger, raw(2)).await];
    let documents = BTreeMap::from([
        (rows[0], Document { sha256: Some(RIGHT), read: &bad }),
        (rows[1], Document { sha256: Some(digest(2)), read: &good }),
    ]);
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_documents(&documents, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_wanted(&story, &[1, 2, 11]).await;
    record(&story.ledger, &seen(rows[0], 1, ReplicaState::Verified, NOW)).await;
    assert_eq!(deny(&story, &RIGHT).await, BTreeSet::from([rows[0]]));
    assert_wanted(&story, &[2, 11]).await;
    // Off the list, it is to be read.
    allow(&story, &RIGHT).await;
    let taken = take_all(&story.ledger, NOW + HOUR).await;
    assert!(taken.iter().any(|probe| probe.content == rows[0] && probe.parse), "{taken:?}");
}

async fn files_say_what_they_say_at_each_start(db: Database) {
    let story = story(&db, &[1, 2]).await;
    let start = async |entries: &[(Digest, String)], now: Millis| {
        let mut tx = story.ledger.write().await.unwrap();
        tx.deny_by_files(entries, now).await.unwrap();
        tx.apply_denials(false, now).await.unwrap();
        tx.commit().await.unwrap();
    };
    let entry = |content: u8, reason: &str| (digest(content), reason.to_owned());
    start(&[entry(1, "one"), entry(2, "two")], NOW).await;
    assert_wanted(&story, &[]).await;
    start(&[entry(2, "another")], NOW + 5).await;
    assert_wanted(&story, &[1]).await;
    let denials = story.ledger.read().await.unwrap().denials().await.unwrap();
    assert_eq!(denials.len(), 1);
    assert_eq!((denials[0].reason.as_str(), denials[0].added_at), ("another", NOW), "since then");
    start(&[], NOW).await;
    assert_wanted(&story, &[1, 2]).await;
}

async fn who_denied_it_decides_who_allows_it(db: Database) {
    let story = story(&db, &[1]).await;
    deny(&story, &digest(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.deny_by_files(&[(digest(1), "by a file".to_owned())], NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(allow(&story, &digest(1)).await);
    assert!(!allow(&story, &digest(1)).await, "a command takes back what a command did");
    assert_wanted(&story, &[]).await;
    let mut tx = story.ledger.read().await.unwrap();
    let denials = tx.denials().await.unwrap();
    assert_eq!((denials.len(), denials[0].source), (1, DenialSource::File));
    let among = tx.denied_among(&[digest(1), digest(9)]).await.unwrap();
    assert_eq!(among.get(&digest(1)).map(String::as_str), Some("by a file"));
    assert_eq!(among.len(), 1);
}

async fn tokens_are_counted_once_with_denied_ones(db: Database) {
    let story = story(&db, &[1, 2, 3, 3]).await;
    verify_all(&story, NOW).await;
    deny(&story, &digest(3)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let status = Status::read(&mut tx, &POLICY, NOW).await.unwrap();
    let of = &status.collections[0].health;
    assert_eq!((of.values().sum::<usize>(), status.collections[0].tokens), (4, 4));
    assert_eq!((of[&Health::Denied], of[&Health::Healthy]), (2, 2));
    assert!(status.all_healthy(), "what is denied is as it should be");
}

async fn a_reorg_does_not_bring_it_back(db: Database) {
    let mut story = story(&db, &[1]).await;
    deny(&story, &digest(1)).await;
    let block = story.head();
    story.tell(burn(0, 1)).await;
    story.revert(block).await;
    assert_wanted(&story, &[]).await;
    story.revert(0).await;
    story.tell(mint(0, 1, 1, 1)).await;
    assert_wanted(&story, &[]).await;
    assert_eq!(healths(&story).await, [Health::Denied]);
}
