//! Whatever comes from a chain or a node, a round goes on: on PostgreSQL, too.

use alloy::primitives::U256;
use everhold::{
    chain::TokenEventKind,
    content::{Codec, Link, Metadata, MetadataLimits, Reference},
    health::{Health, Policy, ReplicaState},
    incident::Transition,
    ledger::{
        FailedRepair, Incident, NewAlert, NewRepair, ProbeRecord, SentRepair, Subject, Undone,
    },
    picture::Picture,
    repair::{Action, Cost},
    report::Status,
};

use crate::{
    story::{
        CHAIN, NOW, SCHEDULE, Said, Story, contract, digest, mint, new_collection, person, raw,
        row_of, seen, set_nodes,
    },
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    keeps_token_ids_up_to_the_largest_in_order,
    survives_absurd_block_times,
    survives_absurd_numbers,
    survives_a_nul_in_a_reference,
    survives_a_nul_in_a_collection_name,
    survives_a_nul_in_what_a_node_says,
    survives_a_nul_in_an_alert,
    bounds_a_name_of_a_million_characters,
    keeps_long_and_strange_references,
    survives_events_in_no_sensible_order,
);

const POLICY: Policy = Policy { min: 1, min_held: 0, grace: 1000, recheck: 1000 };
/// Text that PostgreSQL can't store as it is.
const NUL: &str = "a\0b";

fn mint_id(id: U256, content: u8) -> Vec<Said> {
    let mut said = mint(0, 0, 1, content);
    said.iter_mut().for_each(|one| one.token = id);
    said
}

async fn keeps_token_ids_up_to_the_largest_in_order(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    let mut ids: Vec<U256> = (0..256).map(|bit| U256::from(1) << bit).collect();
    ids.extend([U256::ZERO, U256::MAX, U256::MAX - U256::from(1)]);
    ids.extend([127_u64, 255, 65_535, u64::MAX].map(U256::from));
    ids.reverse();
    let said = ids.iter().flat_map(|id| mint_id(*id, 1)).collect();
    story.tell(said).await;
    ids.sort();
    let mut tx = story.ledger.read().await.unwrap();
    let tokens = tx.tokens(story.collections[0].id).await.unwrap();
    let found: Vec<_> = tokens.iter().map(|token| token.token_id).collect();
    assert_eq!(found, ids);
    let contents = tx.token_contents(story.collections[0].id, None, 999).await.unwrap();
    let found: Vec<_> = contents.iter().map(|token| token.token_id).collect();
    assert_eq!(found, ids);
    let one = tx.token(story.collections[0].id, U256::MAX).await.unwrap();
    assert_eq!(one.unwrap().token_id, U256::MAX);
}

async fn survives_absurd_block_times(db: Database) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let mut story = Story::simple(ledger).await;
    let times = [None, Some(0), Some(u64::MAX), Some(i64::MAX as u64), Some(1 << 62)];
    for (place, time) in (1_u8..).zip(times) {
        let number = story.block(mint(0, u64::from(place), 1, place));
        let block = &mut story.blocks[usize::try_from(number).unwrap()];
        block.events.iter_mut().for_each(|e| e.block_time = time);
    }
    story.commit().await;
    let mut tx = story.ledger.read().await.unwrap();
    for content in tx.wanted_contents().await.unwrap() {
        let since = content.past.wanted_since.unwrap();
        assert!((0..=NOW).contains(&since), "{since} is not a time in the past");
    }
    for now in [0, NOW, i64::MAX] {
        let status = Status::read(&mut tx, &POLICY, now).await.unwrap();
        assert_eq!(status.collections[0].health.values().sum::<usize>(), 5);
    }
}

async fn survives_absurd_numbers(db: Database) {
    let mut story = Story::begin(db.open().await, &[]).await;
    let mut tx = story.ledger.write().await.unwrap();
    let mut new = new_collection(0, Codec::Raw);
    new.start_block = u64::MAX;
    let collection = tx.add_collection(&new).await.unwrap();
    assert_eq!(collection.indexed_block, None);
    let mut new = new_collection(1, Codec::Raw);
    new.start_block = 0;
    story.collections.push(tx.add_collection(&new).await.unwrap());
    tx.commit().await.unwrap();
    let mut said = mint(1, 1, 1, 1);
    if let TokenEventKind::Content { revision, .. } = &mut said[1].kind {
        *revision = u64::MAX;
    }
    story.block(said);
    story.blocks[1].events[1].log_index = u64::MAX;
    story.finalized = Some(u64::MAX);
    story.commit().await;
    let mut tx = story.ledger.read().await.unwrap();
    let token = tx.token(story.collections[0].id, U256::from(1)).await;
    assert_eq!(token.unwrap().unwrap().revision, i64::MAX as u64);
    let known = tx.collections().await.unwrap();
    assert_eq!(known[1].finalized_block, Some(1), "no more is final than was read");
}

fn with_link(role: &str, uri: &str) -> Metadata {
    Metadata { links: vec![Link::new(role, Reference::parse(uri))], ..Metadata::default() }
}

/// A round's probes and the documents they brought are written together: one bad text must not
/// stop the others.
async fn survives_a_nul_in_a_reference(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let json = br#"{"image": "https://example.com/\u0000.png", "animation_url": "\u0000"}"#;
    let metadata = Metadata::parse(json, &MetadataLimits::default()).unwrap();
    let mut tx = story.ledger.write().await.unwrap();
    let verified = seen(row, nodes[0], ReplicaState::Verified, NOW);
    tx.record_probe(&verified, &SCHEDULE).await.unwrap();
    tx.record_metadata(row, &Ok(metadata), NOW)
        .await
        .expect("one document must not stop the round");
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let picture = Picture::take(&mut tx, &POLICY, NOW).await.unwrap();
    let token = &picture.collections[0].tokens[0];
    assert_eq!(token.health, Health::Unverifiable);
    assert_eq!(token.unverifiable.len(), 2);
}

async fn survives_a_nul_in_a_collection_name(db: Database) {
    let mut story = Story::begin(db.open().await, &[]).await;
    let mut new = new_collection(0, Codec::Raw);
    new.name = NUL.to_owned();
    let mut tx = story.ledger.write().await.unwrap();
    let added = tx.add_collection(&new).await;
    story.collections.push(added.expect("one name must not stop the indexer"));
    tx.commit().await.unwrap();
    story.tell(mint(0, 1, 1, 1)).await;
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 1);
}

async fn survives_a_nul_in_what_a_node_says(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let probe = ProbeRecord {
        computed: Some(NUL.to_owned()),
        detail: Some(NUL.to_owned()),
        ..seen(row, nodes[0], ReplicaState::Corrupt, NOW)
    };
    let recorded = tx.record_probe(&probe, &SCHEDULE).await;
    recorded.expect("one answer must not stop the round");
    let (content, node) = (row, nodes[0]);
    let (cost, payer, message_hash) = (Cost::default(), None, None);
    let new = NewRepair { content, node, action: Action::Upload, message_hash, cost, payer };
    let repair = tx.plan_repairs(&[new], NOW).await.unwrap()[0].unwrap();
    let (detail, request) = (Some(NUL.to_owned()), Some(NUL.to_owned()));
    let sent = SentRepair { repair, detail, request, sent_at: NOW, prove_by: NOW };
    let said = tx.repairs_sent(&[sent]).await;
    said.expect("one answer must not stop the round");
    let failed = FailedRepair { repair, detail: NUL.to_owned(), is_refusal: false };
    let said = tx.repairs_failed(&[failed], NOW).await;
    said.expect("one answer must not stop the round");
    let undone = Undone { content, node, action: None, detail: NUL.to_owned() };
    let said = tx.note_undone(&[undone], NOW).await;
    said.expect("one answer must not stop the round");
    let unread = Err(NUL.to_owned());
    tx.record_metadata(row, &unread, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

/// An alert's body is JSON; what its sink answers is anything.
async fn survives_a_nul_in_an_alert(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let incident = Incident {
        id: "a".to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Content { row, id: raw(1) },
        health: Health::Lost,
        summary: "http://one missing".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    };
    let alert = NewAlert {
        id: "x".to_owned(),
        sink: "https://example.com".to_owned(),
        severity: everhold::incident::Severity::Warning,
        payload: serde_json::json!({ "message": NUL }).to_string(),
    };
    let mut tx = story.ledger.write().await.unwrap();
    tx.open_incident(&incident).await.unwrap();
    let queued = tx.enqueue_alert("a", Transition::Opened, &alert, NOW).await;
    queued.expect("one name must not stop the round");
    let failed = tx.alert_failed("x", NUL, NOW).await;
    failed.expect("one answer must not stop the round");
    let due = tx.take_due_alerts("https://example.com", NOW, NOW + 1).await.unwrap();
    assert_eq!(due[0].payload, alert.payload);
}

async fn bounds_a_name_of_a_million_characters(db: Database) {
    let story = Story::begin(db.open().await, &[]).await;
    let mut new = new_collection(0, Codec::Raw);
    new.name = "ü".repeat(1_000_000);
    let mut tx = story.ledger.write().await.unwrap();
    let added = tx.add_collection(&new).await.unwrap();
    assert!(!added.name.is_empty() && added.name.len() <= 64 * 1024);
    assert!(new.name.starts_with(&added.name), "its beginning is kept");
    tx.commit().await.unwrap();
}

async fn keeps_long_and_strange_references(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let strange = [
        format!("https://example.com/{}", "x".repeat(1 << 20)),
        "\u{fffd}\u{202e}\u{200b}\u{feff}x".to_owned(),
        String::from_utf8_lossy(b"\xff\xfe\xc0\x80 ipfs://").into_owned(),
        "'; DROP TABLE tokens; --".to_owned(),
        "$1 %s {} \\".to_owned(),
    ];
    let mut metadata = Metadata::default();
    for (place, uri) in strange.iter().enumerate() {
        metadata.links.extend(with_link(&format!("{place}"), uri).links);
    }
    let expected: Vec<_> = metadata.links.iter().map(|l| l.reference.text.clone()).collect();
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_metadata(row, &Ok(metadata), NOW).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let links = tx.links_of(&[row]).await.unwrap();
    let found: Vec<_> = links.into_iter().map(|link| link.uri).collect();
    assert_eq!(found, expected);
}

/// A contract may log anything: what matters is that the same logs give the same ledger.
async fn survives_events_in_no_sensible_order(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    let said = |kind| Said { collection: 0, token: U256::from(1), kind, same_log: false };
    let content = |content, revision| TokenEventKind::Content { digest: digest(content), revision };
    let burn = TokenEventKind::Transfer { to: alloy::primitives::Address::ZERO };
    let give = TokenEventKind::Transfer { to: person(4) };
    let kinds = [
        burn.clone(),
        TokenEventKind::Frozen,
        content(1, 9),
        burn.clone(),
        content(2, 3),
        give,
        burn,
    ];
    for kind in kinds {
        story.tell(vec![said(kind)]).await;
    }
    assert!(Snapshot::of(&story.ledger).await.tokens.is_empty());
    story.revert(6).await;
    let before = Snapshot::of(&story.ledger).await;
    let token = before.tokens.values().next().unwrap();
    assert_eq!((token.owner, token.content, token.revision), (person(4), Some(raw(2)), 3));
    story.revert(0).await;
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
}
