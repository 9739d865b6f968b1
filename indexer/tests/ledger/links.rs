//! Metadata: what it refers to is wanted as long as it is.

use everhold::{
    content::{Link, Metadata, Reference},
    health::ReplicaState,
    ledger::RowId,
};

use crate::{
    story::{
        NOW, Story, burn, mint, mint_batch, raw, record, row_of, seen, set_nodes, take_all, update,
    },
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    wants_children_with_their_parent,
    keeps_a_shared_child_while_one_parent_is_wanted,
    keeps_a_child_that_a_token_names_itself,
    wants_nothing_for_a_parent_that_is_gone,
    wants_nothing_unverifiable,
    reads_a_document_once,
    remembers_what_cannot_be_read,
    drops_a_chain_of_documents_whole,
    wants_a_known_chain_again,
    keeps_history_when_a_late_document_comes,
    reads_what_becomes_metadata_later,
    reads_what_becomes_metadata_again,
);

fn document(children: &[u8]) -> Metadata {
    let link = |(place, child): (usize, &u8)| {
        Link::new(format!("properties.files[{place}]"), Reference::parse(&raw(*child).uri()))
    };
    Metadata { links: children.iter().enumerate().map(link).collect(), ..Metadata::default() }
}

async fn begin(db: &Database) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    Story::simple(ledger).await
}

/// A probe brings the document `parent`.
async fn read(story: &Story, parent: u8, metadata: Metadata) {
    let row = row_of(&story.ledger, raw(parent)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_metadata(row, &Ok(metadata), NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn assert_wanted(story: &Story, contents: &[u8]) {
    let expected = contents.iter().map(|content| raw(*content)).collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
}

async fn finish(story: &mut Story) {
    story.finalized = Some(story.head());
    story.tell(vec![]).await;
}

async fn wants_children_with_their_parent(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 1);
    read(&story, 1, document(&[10, 11])).await;
    assert_wanted(&story, &[1, 10, 11]).await;
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.len(), 2, "they are due at once");
    assert!(due.iter().all(|probe| !probe.parse), "media is not metadata");
    story.tell(update(0, 1, 2, 2)).await;
    assert_wanted(&story, &[1, 2, 10, 11]).await;
    finish(&mut story).await;
    assert_wanted(&story, &[2]).await;
    story.revert(1).await;
    assert_wanted(&story, &[1, 10, 11]).await;
    story.revert(0).await;
    assert_wanted(&story, &[]).await;
}

async fn keeps_a_shared_child_while_one_parent_is_wanted(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2])).await;
    read(&story, 1, document(&[10, 11, 11])).await;
    read(&story, 2, document(&[11, 12])).await;
    assert_wanted(&story, &[1, 2, 10, 11, 12]).await;
    story.tell(burn(0, 1)).await;
    finish(&mut story).await;
    assert_wanted(&story, &[2, 11, 12]).await;
    story.tell(burn(0, 2)).await;
    finish(&mut story).await;
    assert_wanted(&story, &[]).await;
}

async fn keeps_a_child_that_a_token_names_itself(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint_batch(0, 1, 1, &[1, 10])).await;
    read(&story, 1, document(&[10])).await;
    story.tell(burn(0, 1)).await;
    finish(&mut story).await;
    assert_wanted(&story, &[10]).await;
}

async fn wants_nothing_for_a_parent_that_is_gone(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.revert(0).await;
    read(&story, 1, document(&[10])).await;
    assert_wanted(&story, &[]).await;
    story.tell(mint(0, 1, 1, 1)).await;
    assert_wanted(&story, &[1, 10]).await;
}

async fn wants_nothing_unverifiable(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let uris = [
        "https://example.com/1.png".to_owned(),
        format!("{}/1.png", raw(10).uri()),
        "ar://WuEWiUL1V5lB1GfnkcGfdEzk7oOcpmSLXpsVyCWjYYw".to_owned(),
        "data:text/plain,hello".to_owned(),
        "nonsense".to_owned(),
    ];
    let link =
        |(place, uri): (usize, &String)| Link::new(format!("role {place}"), Reference::parse(uri));
    let metadata =
        Metadata { links: uris.iter().enumerate().map(link).collect(), ..Metadata::default() };
    read(&story, 1, metadata).await;
    assert_wanted(&story, &[1]).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let links = tx.links_of(&[row]).await.unwrap();
    let found: Vec<_> = links.iter().map(|link| link.uri.clone()).collect();
    assert_eq!(found, uris);
    let verifiable: Vec<_> = links.iter().map(|link| link.verifiable).collect();
    assert_eq!(verifiable, [false, false, false, true, false]);
}

async fn reads_a_document_once(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    read(&story, 1, document(&[10, 11])).await;
    read(&story, 1, document(&[10, 11])).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.links_of(&[row]).await.unwrap().len(), 2);
}

async fn remembers_what_cannot_be_read(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let why = Err("not JSON".to_owned());
    tx.record_metadata(row, &why, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let content = tx.wanted_contents().await.unwrap().remove(0);
    assert_eq!(content.parse_error.as_deref(), Some("not JSON"));
    drop(tx);
    assert!(take_all(&story.ledger, NOW).await.iter().all(|probe| !probe.parse));
}

/// Each token's media is the next token's metadata: nothing forbids that.
async fn chain_of_documents(story: &mut Story) {
    // The last has the lowest key, as if it had been published first.
    for content in (1..=7).rev() {
        row_of(&story.ledger, raw(content)).await;
    }
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3, 4, 5, 6])).await;
    for parent in 1..=6 {
        read(story, parent, document(&[parent + 1])).await;
    }
    assert_wanted(story, &[1, 2, 3, 4, 5, 6, 7]).await;
}

async fn drops_a_chain_of_documents_whole(db: Database) {
    let mut story = begin(&db).await;
    chain_of_documents(&mut story).await;
    story.revert(0).await;
    assert_wanted(&story, &[]).await;
}

/// The same ledger after the same chain, whether it saw the documents before or after.
async fn wants_a_known_chain_again(db: Database) {
    let mut story = begin(&db).await;
    chain_of_documents(&mut story).await;
    let before = Snapshot::of(&story.ledger).await;
    story.revert(0).await;
    story.fork = 0;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3, 4, 5, 6])).await;
    assert_eq!(Snapshot::of(&story.ledger).await, before);
}

async fn keeps_history_when_a_late_document_comes(db: Database) {
    let mut story = begin(&db).await;
    story.keep_history = true;
    story.tell(mint_batch(0, 1, 1, &[1, 2])).await;
    story.tell([update(0, 1, 3, 2), burn(0, 2)].concat()).await;
    finish(&mut story).await;
    assert_wanted(&story, &[1, 3]).await;
    // The document of the burnt token, whose probe was under way, refers to the old content.
    read(&story, 2, document(&[1])).await;
    assert_wanted(&story, &[1, 3]).await;
}

async fn verify(story: &Story, row: RowId) -> bool {
    let due = take_all(&story.ledger, NOW).await;
    let probe = due.iter().find(|probe| probe.content == row);
    let parse = probe.is_some_and(|probe| probe.parse);
    if let Some(probe) = probe {
        record(&story.ledger, &seen(row, probe.node, ReplicaState::Verified, NOW)).await;
    }
    parse
}

/// A picture that a later token has as its metadata must be read, now and not in a day.
async fn reads_what_becomes_metadata_later(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    read(&story, 1, document(&[10])).await;
    let row = row_of(&story.ledger, raw(10)).await;
    assert!(!verify(&story, row).await);
    story.tell(mint(0, 2, 1, 10)).await;
    assert!(verify(&story, row).await, "it has to be fetched and read");
}

/// An update is seen, its content verified, and a reorg takes it back and brings it again.
async fn reads_what_becomes_metadata_again(db: Database) {
    let mut story = begin(&db).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.tell(update(0, 1, 2, 2)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    if verify(&story, row).await {
        read(&story, 1, document(&[10])).await;
    }
    story.revert(1).await;
    let mut tx = story.ledger.read().await.unwrap();
    let is_read = !tx.links_of(&[row]).await.unwrap().is_empty();
    drop(tx);
    assert!(is_read || verify(&story, row).await, "it has to be fetched and read");
}
