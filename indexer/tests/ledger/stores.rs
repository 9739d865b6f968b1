//! STORE messages: when nodes are asked for them, what is kept of what they say, and what follows.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;
use everhold::{
    content::{Link, Metadata, Reference},
    health::{Health, ReplicaState},
    incident::Kind,
    ledger::{
        DueStores, Grant, Incident, Ledger, Millis, RowId, Store, StoreAt, StoresAt, StoresSeen,
        Subject,
    },
    provenance::{Authorities, StoreStatus},
};

use crate::{
    story::{
        CHAIN, HOUR, NOW, Story, burn, contract, message, mint, mint_batch, person, raw, record,
        row_of, seen, set_nodes, take_all, update,
    },
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    asks_for_each_content_once,
    asks_again_when_a_lease_ends_or_is_given_back,
    asks_only_for_what_is_wanted,
    shares_the_work_between_workers,
    keeps_what_nodes_say,
    a_node_that_could_not_say_changes_nothing,
    forgets_what_is_not_told_again,
    writes_those_of_many_contents_at_once,
    keeps_a_name_that_two_texts_become_once,
    knows_whose_word_counts,
    knows_whose_word_counts_through_documents,
    knows_which_tokens_name_a_content,
    makes_replicas_due_at_once,
    has_one_incident_a_collection_and_content,
    finds_incidents_over_what_is_named_no_more,
);

async fn story(db: &Database, contents: &[u8]) -> Story {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint_batch(0, 1, 1, contents)).await;
    story
}

async fn take(ledger: &Ledger, now: Millis, limit: u32) -> Vec<DueStores> {
    let mut tx = ledger.write().await.unwrap();
    tx.schedule_new_stores(limit).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_due_stores(now, now + HOUR, limit).await.unwrap();
    tx.commit().await.unwrap();
    due
}

fn ids(due: &[DueStores]) -> BTreeSet<String> {
    due.iter().map(|one| one.id.to_string()).collect()
}

fn named(contents: &[u8]) -> BTreeSet<String> {
    contents.iter().map(|content| raw(*content).to_string()).collect()
}

fn store(name: &str, statuses: &[(RowId, StoreStatus)]) -> Store {
    let at =
        |(node, status): &(RowId, StoreStatus)| StoreAt { node: *node, status: *status, since: 0 };
    Store {
        item_hash: name.to_owned(),
        sender: person(1).to_string(),
        chain: "ETH".to_owned(),
        address: Some(person(2).to_string()),
        channel: Some("ART\0".to_owned()),
        payment: Some("credit".to_owned()),
        time: Some(NOW),
        verified: true,
        ours: false,
        statuses: statuses.iter().map(at).collect(),
        grants: vec![Grant {
            authority: person(3),
            said_by: vec!["http://one".to_owned(), "http://two".to_owned()],
        }],
    }
}

fn said(node: RowId, live: u64) -> StoresAt {
    StoresAt { node, live: Ok(live) }
}

async fn write(story: &Story, content: RowId, stores: &[Store], nodes: &[StoresAt], now: Millis) {
    let mut tx = story.ledger.write().await.unwrap();
    let (stores, nodes) = (stores.to_vec(), nodes.to_vec());
    let seen = StoresSeen { content, stores, nodes, due: now + HOUR };
    tx.record_stores(&[seen], now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn known(story: &Story, content: RowId) -> Vec<Store> {
    story.ledger.read().await.unwrap().stores(content).await.unwrap()
}

async fn asks_for_each_content_once(db: Database) {
    let mut story = story(&db, &[1, 2, 3]).await;
    assert_eq!(take(&story.ledger, NOW, 2).await.len(), 2);
    assert_eq!(take(&story.ledger, NOW, 9).await.len(), 1);
    assert!(take(&story.ledger, NOW, 9).await.is_empty());
    story.tell(mint(0, 4, 1, 4)).await;
    let new = take(&story.ledger, NOW, 9).await;
    assert_eq!(ids(&new), named(&[4]));
    write(&story, new[0].content, &[], &[], NOW).await;
    assert!(take(&story.ledger, NOW + HOUR - 1, 9).await.iter().all(|one| one != &new[0]));
    assert!(take(&story.ledger, NOW + HOUR, 9).await.contains(&new[0]));
}

async fn asks_again_when_a_lease_ends_or_is_given_back(db: Database) {
    let story = story(&db, &[1, 2]).await;
    let first = take(&story.ledger, NOW, 9).await;
    assert!(take(&story.ledger, NOW + HOUR - 1, 9).await.is_empty());
    assert_eq!(take(&story.ledger, NOW + HOUR, 9).await, first);
    write(&story, first[0].content, &[], &[], NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.release_stores().await.unwrap();
    tx.commit().await.unwrap();
    let again = take(&story.ledger, NOW, 9).await;
    assert_eq!(again, first[1..], "what was brought back is not due");
}

async fn asks_only_for_what_is_wanted(db: Database) {
    let mut story = story(&db, &[1, 2]).await;
    let first = take(&story.ledger, NOW, 9).await;
    story.finalized = Some(99);
    story.tell(burn(0, 1)).await;
    story.tell(update(0, 2, 3, 2)).await;
    for one in &first {
        write(&story, one.content, &[], &[], NOW).await;
    }
    assert_eq!(ids(&take(&story.ledger, NOW + 9 * HOUR, 9).await), named(&[3]));
    // What is named again is asked for at once.
    story.tell(mint(0, 5, 1, 1)).await;
    assert_eq!(ids(&take(&story.ledger, NOW, 9).await), named(&[1]));
}

async fn shares_the_work_between_workers(db: Database) {
    let contents: Vec<u8> = (0..60).collect();
    let story = story(&db, &contents).await;
    let workers = (0..10).map(|_| {
        let ledger = story.ledger.clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut idle = 0;
            while idle < 3 {
                let due = take(&ledger, NOW, 7).await;
                idle = if due.is_empty() { idle + 1 } else { 0 };
                taken.extend(due);
                tokio::task::yield_now().await;
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        taken.extend(worker.await.unwrap());
    }
    assert_eq!((taken.len(), ids(&taken)), (60, named(&contents)), "each once");
}

async fn keeps_what_nodes_say(db: Database) {
    use StoreStatus::{Processed, Removing};
    let story = story(&db, &[1]).await;
    let nodes = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let both = [(nodes[0], Processed), (nodes[1], Removing)];
    let all = [said(nodes[0], 1), said(nodes[1], 0)];
    write(&story, content, &[store("aa", &both)], &all, NOW).await;
    write(&story, content, &[store("aa", &both)], &all, NOW + 5).await;
    let mut expected = store("aa", &both);
    expected.channel = Some("ART\u{fffd}".to_owned());
    expected.statuses.iter_mut().for_each(|at| at.since = NOW);
    assert_eq!(known(&story, content).await, [expected.clone()], "since it was first seen so");
    let later = [(nodes[0], Removing), (nodes[1], Removing)];
    write(&story, content, &[store("aa", &later)], &all, NOW + 9).await;
    let statuses = known(&story, content).await.remove(0).statuses;
    assert_eq!(
        statuses.iter().map(|at| (at.status, at.since)).collect::<Vec<_>>(),
        [(Removing, NOW + 9), (Removing, NOW)]
    );
    let live = story.ledger.read().await.unwrap().live_stores(content).await.unwrap();
    assert_eq!(live, BTreeMap::from([(nodes[0], 1), (nodes[1], 0)]));
    // A node that is no longer asked says nothing.
    set_nodes(&story.ledger, &["http://two"]).await;
    assert_eq!(known(&story, content).await[0].statuses.len(), 1);
    let live = story.ledger.read().await.unwrap().live_stores(content).await.unwrap();
    assert_eq!(live, BTreeMap::from([(nodes[1], 0)]));
}

async fn a_node_that_could_not_say_changes_nothing(db: Database) {
    use StoreStatus::Processed;
    let story = story(&db, &[1]).await;
    let nodes = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let both = [(nodes[0], Processed), (nodes[1], Processed)];
    write(&story, content, &[store("aa", &both)], &[said(nodes[0], 1), said(nodes[1], 3)], NOW)
        .await;
    let silent = StoresAt { node: nodes[1], live: Err("no connection".to_owned()) };
    let one = [(nodes[0], Processed)];
    write(&story, content, &[store("aa", &one)], &[said(nodes[0], 1), silent], NOW + 5).await;
    assert_eq!(known(&story, content).await[0].statuses.len(), 2);
    let live = story.ledger.read().await.unwrap().live_stores(content).await.unwrap();
    assert_eq!(live, BTreeMap::from([(nodes[0], 1), (nodes[1], 3)]));
    // One that could, and no longer knows it.
    write(&story, content, &[store("aa", &one)], &[said(nodes[1], 0)], NOW + 9).await;
    assert_eq!(known(&story, content).await[0].statuses.len(), 1);
}

async fn forgets_what_is_not_told_again(db: Database) {
    let story = story(&db, &[1, 2]).await;
    let nodes = set_nodes(&story.ledger, &["http://one"]).await;
    let (first, second) =
        (row_of(&story.ledger, raw(1)).await, row_of(&story.ledger, raw(2)).await);
    let here = [(nodes[0], StoreStatus::Processed)];
    let both = [store("aa", &here), store("bb", &here)];
    write(&story, first, &both, &[said(nodes[0], 2)], NOW).await;
    write(&story, second, &both, &[said(nodes[0], 2)], NOW).await;
    write(&story, first, &both[1..], &[said(nodes[0], 1)], NOW).await;
    let names = |all: Vec<Store>| all.into_iter().map(|one| one.item_hash).collect::<Vec<_>>();
    assert_eq!(names(known(&story, first).await), ["bb"]);
    assert_eq!(names(known(&story, second).await), ["aa", "bb"]);
}

async fn writes_those_of_many_contents_at_once(db: Database) {
    use StoreStatus::Processed;
    let contents: Vec<u8> = (0..200).collect();
    let story = story(&db, &contents).await;
    let nodes = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    let due = take(&story.ledger, NOW, 300).await;
    let seen = |due: &DueStores, stores: usize| StoresSeen {
        content: due.content,
        stores: (0..stores)
            .map(|index| store(&format!("{index}"), &[(nodes[index % 2], Processed)]))
            .collect(),
        nodes: vec![said(nodes[0], 1), StoresAt { node: nodes[1], live: Err("busy".to_owned()) }],
        due: NOW + HOUR * (due.content % 2),
    };
    for round in 0..3 {
        // Of each another number, and of some fewer than before.
        let number = |content: RowId| usize::try_from(content + round).unwrap() % 3;
        let all: Vec<_> = due.iter().map(|one| seen(one, number(one.content))).collect();
        let mut tx = story.ledger.write().await.unwrap();
        tx.record_stores(&all, NOW + round).await.unwrap();
        tx.commit().await.unwrap();
        let rows: Vec<_> = due.iter().map(|one| one.content).collect();
        let mut tx = story.ledger.read().await.unwrap();
        let known = tx.stores_of(&rows).await.unwrap();
        for one in &due {
            let stores = known.get(&one.content).map_or(&[][..], Vec::as_slice);
            assert_eq!(stores.len(), number(one.content), "{one:?}");
            assert_eq!(stores, tx.stores(one.content).await.unwrap());
            // Of the other node nobody knows better.
            assert!(stores.iter().all(|store| store.grants.len() == 1));
            let first = stores.first().map(|store| store.statuses[0].node);
            assert!(first.is_none_or(|node| node == nodes[0]));
            let live = tx.live_stores(one.content).await.unwrap();
            assert_eq!(live, BTreeMap::from([(nodes[0], 1)]));
        }
        drop(tx);
    }
    let due_now = take(&story.ledger, NOW, 300).await;
    assert_eq!(due_now.len(), 100, "each is due at its own time");
}

async fn keeps_a_name_that_two_texts_become_once(db: Database) {
    let story = story(&db, &[1]).await;
    let nodes = set_nodes(&story.ledger, &["http://one"]).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let here = [(nodes[0], StoreStatus::Processed)];
    // PostgreSQL keeps no NUL.
    let both = [store("a\0", &here), store("a\u{fffd}", &here)];
    write(&story, content, &both, &[said(nodes[0], 2)], NOW).await;
    write(&story, content, &both, &[said(nodes[0], 2)], NOW + 1).await;
    assert_eq!(known(&story, content).await.len(), 1);
}

async fn knows_whose_word_counts_through_documents(db: Database) {
    let mut story = story(&db, &[1, 2]).await;
    story.tell(mint(0, 9, 7, 1)).await;
    let link = Link::new("image".to_owned(), Reference::parse(&raw(10).uri()));
    let metadata = Ok(Metadata { links: vec![link], ..Metadata::default() });
    for parent in [1, 2] {
        let row = row_of(&story.ledger, raw(parent)).await;
        let mut tx = story.ledger.write().await.unwrap();
        tx.record_metadata(row, &metadata, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut rows = Vec::new();
    for content in [10, 1, 2] {
        rows.push(row_of(&story.ledger, raw(content)).await);
    }
    let mut tx = story.ledger.read().await.unwrap();
    let found = tx.authorities(&rows).await.unwrap();
    let owners: Vec<_> = rows.iter().map(|row| found[row].owners.clone()).collect();
    assert_eq!(owners[0], [person(1), person(7)], "of all tokens whose metadata names it");
    assert_eq!(owners[1..], [vec![person(1), person(7)], vec![person(1)]]);
}

async fn knows_whose_word_counts(db: Database) {
    let mut story = story(&db, &[1, 1, 2]).await;
    story.tell(mint(0, 9, 7, 1)).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_owner(story.collections[0].id, Some(person(5))).await.unwrap();
    tx.set_owner(story.collections[0].id, None).await.unwrap();
    let signed = message(content, "aa", &person(6).to_string(), "{}");
    tx.keep_messages(&[signed], NOW).await.unwrap();
    let found = tx.authorities(&[content]).await.unwrap();
    let expected = Authorities {
        owners: vec![person(1), person(7)],
        creators: vec![person(5)],
        repairers: vec![person(6)],
    };
    assert_eq!(found[&content], expected);
    assert_eq!(tx.makers(story.collections[0].id).await.unwrap(), [person(5)]);
    assert_eq!(tx.signed_stores(&[content]).await.unwrap()[&content], ["{}"]);
    let nobody = tx.content_row(raw(77)).await.unwrap();
    assert!(tx.authorities(&[nobody]).await.unwrap().is_empty());
}

async fn knows_which_tokens_name_a_content(db: Database) {
    let mut story = story(&db, &[1, 1, 1, 2]).await;
    story.tell(burn(0, 2)).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let named = tx.named_by(content, 1).await.unwrap();
    assert_eq!(named.len(), 1);
    assert_eq!((named[0].collection, named[0].token_count), (story.collections[0].id, 2));
    assert_eq!(named[0].tokens, [U256::from(1)]);
    let all = tx.named_by(content, 9).await.unwrap();
    assert_eq!(all[0].tokens, [U256::from(1), U256::from(3)]);
}

async fn makes_replicas_due_at_once(db: Database) {
    let mut story = story(&db, &[1, 2]).await;
    set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    for probe in take_all(&story.ledger, NOW).await {
        record(&story.ledger, &seen(probe.content, probe.node, ReplicaState::Verified, NOW)).await;
    }
    story.finalized = Some(99);
    story.tell(burn(0, 2)).await;
    let mut tx = story.ledger.write().await.unwrap();
    for content in [1, 2] {
        let row = tx.content_row(raw(content)).await.unwrap();
        tx.make_urgent(row).await.unwrap();
    }
    tx.commit().await.unwrap();
    let due = take_all(&story.ledger, NOW + 1).await;
    assert_eq!(due.len(), 2, "each node, and nothing that is not wanted");
    assert!(due.iter().all(|probe| probe.id == raw(1)));
}

async fn removal(story: &Story, id: &str, content: u8) -> Incident {
    Incident {
        id: id.to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Removal {
            row: row_of(&story.ledger, raw(content)).await,
            id: raw(content),
        },
        health: Health::Healthy,
        summary: "http://one removing".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    }
}

async fn open(story: &Story, incident: &Incident) -> bool {
    let mut tx = story.ledger.write().await.unwrap();
    let opened = tx.open_incident(incident).await.unwrap();
    tx.commit().await.unwrap();
    opened
}

async fn has_one_incident_a_collection_and_content(db: Database) {
    let story = story(&db, &[1, 2]).await;
    let first = removal(&story, "a", 1).await;
    assert!(open(&story, &first).await);
    assert!(!open(&story, &removal(&story, "b", 1).await).await, "one is open");
    assert!(open(&story, &removal(&story, "c", 2).await).await);
    let (row, id) = first.subject.removal().unwrap();
    let unwell = Incident {
        id: "d".to_owned(),
        subject: Subject::Content { row, id },
        health: Health::Lost,
        ..first.clone()
    };
    assert!(open(&story, &unwell).await, "that it is unwell is another matter");
    let mut tx = story.ledger.write().await.unwrap();
    let found = tx.removals(row).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, &found[0].subject), (&first.id, &first.subject));
    assert_eq!((found[0].subject.kind(), found[0].subject.content()), (Kind::Removal, None));
    assert_eq!(tx.incidents(Millis::MAX).await.unwrap().len(), 3);
    tx.close_incident("a", "kept", NOW + 1).await.unwrap();
    assert!(tx.removals(row).await.unwrap().is_empty());
    let again = Incident { id: "e".to_owned(), ..first };
    assert!(tx.open_incident(&again).await.unwrap());
}

async fn finds_incidents_over_what_is_named_no_more(db: Database) {
    let mut story = story(&db, &[1, 2, 2]).await;
    for (id, content) in [("a", 1), ("b", 2)] {
        assert!(open(&story, &removal(&story, id, content).await).await);
    }
    let stale = async |ledger: &Ledger| -> Vec<String> {
        let mut tx = ledger.read().await.unwrap();
        tx.stale_removals().await.unwrap().into_iter().map(|one| one.id).collect()
    };
    assert!(stale(&story.ledger).await.is_empty());
    story.tell(burn(0, 1)).await;
    assert_eq!(stale(&story.ledger).await, ["a"]);
    story.tell(burn(0, 2)).await;
    assert_eq!(stale(&story.ledger).await, ["a"], "another token names it");
    story.tell(burn(0, 3)).await;
    assert_eq!(stale(&story.ledger).await, ["a", "b"]);
}
