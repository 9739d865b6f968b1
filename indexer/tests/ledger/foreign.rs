//! Collections of others: supplies, ranges, odd logs, URIs.

use alloy::primitives::{Address, U256};
use everhold::{
    chain::{Oddity, TokenEventKind},
    config::Standard,
    content::{ContentId, Digest, Link, Metadata, Reference, ReferenceClass},
    health::{Health, Policy},
    ledger::{
        Incident, Ledger, LedgerError, Meaning, Millis, PathOf, Subject, Target, UriReading,
        UriRecord, UriState,
    },
    picture::Picture,
};

use crate::{
    story::{
        CHAIN, NOW, Said, Story, burn, digest, give, new_foreign, person, raw, row_of, set_nodes,
        take_all,
    },
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
    reads_a_uri_once_and_again_when_it_changed,
    loses_no_change_that_comes_while_it_reads,
    reads_again_what_a_reorg_touched,
    refuses_what_was_read_at_a_block_that_is_gone,
    wants_what_a_document_in_a_uri_refers_to,
    follows_a_path_to_its_content,
    gives_a_reborn_token_its_content_again,
    tries_what_cannot_be_verified_again_and_again,
    reads_a_collection_anew_that_is_something_else,
    judges_tokens_by_their_uris,
    keeps_what_a_uri_named_until_that_is_final,
    keeps_what_a_uri_named_as_long_as_its_token_lives,
    a_reorg_gives_a_uri_back_what_it_named,
    reads_what_a_collection_says_of_itself,
    leaves_a_uri_unread_for_a_while,
    opens_one_incident_for_a_path,
);

const MINUTE: Millis = 60_000;

async fn begin(db: &Database, standard: Standard) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    Story::begin_with(ledger, &[new_foreign(0, standard)]).await
}

fn said(token: u64, kind: TokenEventKind) -> Vec<Said> {
    vec![Said { collection: 0, token: U256::from(token), kind, same_log: false }]
}

fn minted(token: u64, amount: U256) -> Vec<Said> {
    said(token, TokenEventKind::Minted { amount })
}

fn burned(token: u64, amount: u64) -> Vec<Said> {
    said(token, TokenEventKind::Burned { amount: U256::from(amount) })
}

/// What a contract answers for a token: `ipfs://` and a content.
pub(crate) fn names(content: u8) -> Meaning {
    Meaning {
        answer: Some(digest(content)),
        uri: Some(raw(content).uri()),
        class: Some(ReferenceClass::Ipfs),
        target: Target::Content(raw(content)),
    }
}

fn unverifiable(why: &str) -> Meaning {
    Meaning { answer: None, uri: None, class: None, target: Target::Unverifiable(why.to_owned()) }
}

/// Takes what is due at the head, and answers each by `meaning`; gives which tokens were due. The
/// collections themselves have nothing to say.
pub(crate) async fn look(
    story: &Story,
    at: Millis,
    meaning: impl Fn(usize, U256) -> Meaning,
) -> Vec<U256> {
    let said = |collection, token: Option<U256>| match token {
        Some(token) => meaning(collection, token),
        None => nothing(),
    };
    look_at_all(story, at, said).await.into_iter().flatten().collect()
}

/// The same with an answer for the collections themselves.
async fn look_at_all(
    story: &Story,
    at: Millis,
    meaning: impl Fn(usize, Option<U256>) -> Meaning,
) -> Vec<Option<U256>> {
    let head = story.blocks.last().unwrap().reference;
    let lease = at + MINUTE;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_uris(CHAIN, head.number, at, lease, 1000).await.unwrap();
    let record = |due: &everhold::ledger::DueUri| UriRecord {
        collection: due.collection,
        token: due.token,
        meaning: meaning(
            story.collections.iter().position(|c| c.id == due.collection).unwrap(),
            due.token,
        ),
    };
    let records: Vec<_> = due.iter().map(record).collect();
    if !records.is_empty() {
        let reading = reading(story, &records, Some(lease), at);
        tx.record_uris(&reading).await.unwrap();
    }
    tx.commit().await.unwrap();
    due.into_iter().map(|due| due.token).collect()
}

/// A collection without metadata of its own.
fn nothing() -> Meaning {
    Meaning { answer: None, uri: None, class: None, target: Target::None }
}

/// Everything so far is final, with a block above it.
async fn finalize(story: &mut Story) {
    story.finalized = Some(story.head());
    story.tell(vec![]).await;
    story.finalized = None;
}

fn reading<'a>(
    story: &Story,
    records: &'a [UriRecord],
    lease: Option<Millis>,
    now: Millis,
) -> UriReading<'a> {
    UriReading {
        chain_id: CHAIN,
        block: story.blocks.last().unwrap().reference,
        records,
        lease,
        retry: MINUTE,
        recheck: 10 * MINUTE,
        keep_history: story.keep_history,
        now,
    }
}

async fn supply(ledger: &Ledger, token: u64) -> Option<U256> {
    let tokens = Snapshot::of(ledger).await.tokens;
    tokens.iter().find(|((_, id), _)| *id == U256::from(token))?.1.supply
}

async fn wanted(ledger: &Ledger) -> Vec<ContentId> {
    Snapshot::of(ledger).await.wanted.into_iter().collect()
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

async fn reads_a_uri_once_and_again_when_it_changed(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    assert_eq!(look(&story, NOW, |_, id| names(id.to::<u8>())).await.len(), 2);
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 2, "both are due to be probed");
    story.tell(give(0, 1, 5)).await;
    assert!(look(&story, NOW, |_, _| names(9)).await.is_empty(), "a transfer changes no metadata");
    let all = TokenEventKind::MetadataChanged { last: U256::MAX };
    story.tell(said(0, all)).await;
    assert_eq!(look(&story, NOW, |_, _| names(9)).await.len(), 2);
    assert_eq!(wanted(&story.ledger).await.len(), 3, "what they had, until that is final");
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "what they had is wanted no more");
    let one = TokenEventKind::MetadataChanged { last: U256::from(2) };
    story.tell(said(2, one)).await;
    assert_eq!(look(&story, NOW, |_, _| names(9)).await, [U256::from(2)]);
    assert!(look(&story, NOW + 100 * MINUTE, |_, _| names(9)).await.is_empty());
    story.tell([burn(0, 1), burn(0, 2)].concat()).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "until the end is final");
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
}

async fn loses_no_change_that_comes_while_it_reads(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_uris(CHAIN, 1, NOW, NOW + MINUTE, 10).await.unwrap();
    tx.commit().await.unwrap();
    let read_at = story.blocks.last().unwrap().reference;
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    let token = Some(U256::ONE);
    let collection = due.iter().find(|due| due.token == token).unwrap().collection;
    let records = [UriRecord { collection, token, meaning: names(1) }];
    let reading =
        UriReading { block: read_at, ..reading(&story, &records, Some(NOW + MINUTE), NOW) };
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.record_uris(&reading).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(look(&story, NOW, |_, _| names(2)).await, [U256::ONE], "it is read once more");
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await, [raw(2)]);
}

async fn reads_again_what_a_reorg_touched(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1), give(0, 3, 1)].concat()).await;
    look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    story.tell(give(0, 1, 2)).await;
    // Token 2 is found to be another one at block 2, though no log said so.
    let records = [UriRecord {
        collection: story.collections[0].id,
        token: Some(U256::from(2)),
        meaning: names(20),
    }];
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_uris(&reading(&story, &records, None, NOW)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await.len(), 4, "what it named before, until that is final");
    story.revert(1).await;
    story.tell(vec![]).await;
    let due = look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    assert_eq!(due, [U256::ONE, U256::from(2)]);
    let expected = [raw(1), raw(2), raw(3)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
    // The mint itself is taken back.
    story.revert(0).await;
    story.tell(vec![]).await;
    assert!(look(&story, NOW, |_, _| names(9)).await.is_empty());
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
}

async fn refuses_what_was_read_at_a_block_that_is_gone(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    story.tell(vec![]).await;
    let gone = story.blocks.last().unwrap().reference;
    story.revert(1).await;
    story.tell(vec![]).await;
    let (collection, token) = (story.collections[0].id, Some(U256::ONE));
    let records = [UriRecord { collection, token, meaning: names(1) }];
    let reading = UriReading { block: gone, ..reading(&story, &records, None, NOW) };
    let mut tx = story.ledger.write().await.unwrap();
    let refused = tx.record_uris(&reading).await;
    assert!(matches!(refused, Err(LedgerError::Unlinked(2))));
}

fn document(children: &[u8]) -> Meaning {
    let link = |(at, child): (usize, &u8)| {
        Link::new(format!("properties.files[{at}]"), Reference::parse(&raw(*child).uri()))
    };
    let links = children.iter().enumerate().map(link).collect();
    let id = ContentId { digest: Digest::of(&[b"document", children].concat()), ..raw(0) };
    Meaning {
        answer: Some(Digest::of(children)),
        uri: Some("data:…".to_owned()),
        class: Some(ReferenceClass::OnChain),
        target: Target::Document { id, metadata: Metadata { links, ..Metadata::default() } },
    }
}

async fn wants_what_a_document_in_a_uri_refers_to(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    look(&story, NOW, |_, id| document(&[10, 10 + id.to::<u8>()])).await;
    let expected = |all: &[u8]| all.iter().map(|child| raw(*child)).collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 3, "the documents need no node");
    let shared = row_of(&story.ledger, raw(10)).await;
    let authorities = story.ledger.read().await.unwrap().authorities(&[shared]).await.unwrap();
    assert_eq!(authorities[&shared].owners, [person(1)], "owns both tokens");
    story.tell(burn(0, 2)).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    finalize(&mut story).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11]));
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    look(&story, NOW, |_, _| document(&[12])).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    finalize(&mut story).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[12]));
    // Left out of the configuration, it wants nothing; put back, it does again.
    let id = story.collections[0].id;
    for (active, children) in [(&[][..], &[][..]), (&[id], &[12])] {
        let mut tx = story.ledger.write().await.unwrap();
        tx.set_active(active, false, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(children));
    }
    story.revert(0).await;
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
}

pub(crate) fn path(name: &str) -> Meaning {
    Meaning {
        answer: Some(Digest::of(name.as_bytes())),
        uri: Some(format!("{}/{name}", raw(200).uri())),
        class: Some(ReferenceClass::Ipfs),
        target: Target::Path,
    }
}

async fn follows_a_path_to_its_content(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| path("1.json")).await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_paths(NOW, NOW + MINUTE, 10, false).await.unwrap();
    let of = PathOf::Uri { collection: story.collections[0].id, token: Some(U256::ONE) };
    assert_eq!((due.len(), &due[0].of, due[0].failures), (1, &of, 0));
    assert!(due[0].text.ends_with("/1.json"));
    tx.path_failed(&due[0], "nobody has it", 1, NOW + 1).await.unwrap();
    assert_eq!(tx.next_doubtful_path().await.unwrap(), Some(NOW + 1));
    assert!(tx.take_due_paths(NOW, NOW + MINUTE, 10, true).await.unwrap().is_empty());
    let again = tx.take_due_paths(NOW + 1, NOW + 2 * MINUTE, 10, true).await.unwrap();
    assert_eq!((again.len(), again[0].failures), (1, 1));
    // What was taken before has no say any more.
    tx.path_found(&due[0], raw(8), false, NOW).await.unwrap();
    tx.path_found(&again[0], raw(9), false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(9)]);
    let shape = Snapshot::of(&story.ledger).await.tokens.into_values().next().unwrap();
    assert_eq!(shape.content, Some(raw(9)));
    // A reorg makes it be read again; the same path leads to the same content without a walk.
    story.tell(give(0, 1, 2)).await;
    story.revert(1).await;
    story.tell(vec![]).await;
    assert_eq!(look(&story, NOW, |_, _| path("1.json")).await.len(), 1);
    assert_eq!(wanted(&story.ledger).await, [raw(9)]);
    // Another path is followed anew.
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    look(&story, NOW, |_, _| path("2.json")).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "until that is final");
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.take_due_paths(NOW, NOW + MINUTE, 10, false).await.unwrap().len(), 1);
}

async fn gives_a_reborn_token_its_content_again(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    story.tell([burn(0, 1), give(0, 1, 2)].concat()).await;
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    assert_eq!(look(&story, NOW, |_, _| names(1)).await.len(), 1);
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
}

async fn tries_what_cannot_be_verified_again_and_again(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let mut at = NOW;
    // After 1, 2, 4 and 8 minutes; then with its collection, every ten.
    for wait in [1, 2, 4, 8] {
        assert_eq!(look(&story, at, |_, _| unverifiable("it reverts")).await.len(), 1, "{wait}");
        assert!(look(&story, at + wait * MINUTE - 1, |_, _| names(1)).await.is_empty());
        at += wait * MINUTE;
    }
    assert_eq!(look(&story, at, |_, _| unverifiable("it reverts")).await.len(), 1);
    assert!(look(&story, at + 1000 * MINUTE, |_, _| names(1)).await.is_empty());
    let mut tx = story.ledger.write().await.unwrap();
    let collection = tx.take_due_collection(CHAIN, 1, at, at).await.unwrap().unwrap();
    assert_eq!(tx.take_due_collection(CHAIN, 1, at, at).await.unwrap(), None);
    assert!(tx.has_due_uris(CHAIN, 1, at + 1, at).await.unwrap());
    assert!(!tx.has_due_uris(CHAIN, 1, at, at).await.unwrap());
    let page = tx.uris_after(collection, None, 2, 10).await.unwrap();
    assert_eq!(page.iter().map(|uri| uri.token).collect::<Vec<_>>(), [None, Some(U256::ONE)]);
    let own = tx.uris_after(collection, Some(None), 2, 10).await.unwrap();
    assert_eq!(own.iter().map(|uri| uri.token).collect::<Vec<_>>(), [Some(U256::ONE)]);
    assert!(tx.uris_after(collection, Some(Some(U256::ONE)), 2, 10).await.unwrap().is_empty());
    let records = [UriRecord { collection, token: Some(U256::ONE), meaning: names(1) }];
    assert_eq!(tx.record_uris(&reading(&story, &records, None, at)).await.unwrap(), 1);
    assert_eq!(tx.record_uris(&reading(&story, &records, None, at)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
}

async fn reads_a_collection_anew_that_is_something_else(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let found = tx.add_collection(&new_foreign(0, Standard::Erc1155)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((found.standard, found.indexed_block), (Standard::Erc1155, None));
    let now = Snapshot::of(&story.ledger).await;
    assert!(now.tokens.is_empty());
    // What was named stays wanted until it has been read again.
    assert!(found.rereading && now.wanted.len() == 1, "{now:?}");
}

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

fn changed(token: u64) -> Vec<Said> {
    said(token, TokenEventKind::MetadataChanged { last: U256::from(token) })
}

async fn keeps_what_a_uri_named_until_that_is_final(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    story.tell(changed(1)).await;
    look(&story, NOW, |_, _| names(2)).await;
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    // The block before the one it was seen in is final: that says nothing yet.
    story.finalized = Some(1);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    story.finalized = Some(2);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, [raw(2)]);
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 1);
}

async fn keeps_what_a_uri_named_as_long_as_its_token_lives(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.keep_history = true;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    look(&story, NOW, |_, id| document(&[id.to::<u8>()])).await;
    story.tell([changed(1), changed(2)].concat()).await;
    look(&story, NOW, |_, id| names(10 + id.to::<u8>())).await;
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await.len(), 4);
    story.tell(burn(0, 1)).await;
    finalize(&mut story).await;
    let expected = [raw(2), raw(12)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
}

/// What is read at a block that is taken back, nobody ever named; what it replaced was named all along.
async fn a_reorg_gives_a_uri_back_what_it_named(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1), give(0, 3, 1)].concat()).await;
    look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    story.tell([changed(1), changed(2), burn(0, 3)].concat()).await;
    look(&story, NOW, |_, id| names(10 + id.to::<u8>())).await;
    assert_eq!(wanted(&story.ledger).await.len(), 5);
    for fork in 0..2 {
        story.revert(1).await;
        assert!(wanted(&story.ledger).await.contains(&raw(1)), "fork {fork}");
        assert!(wanted(&story.ledger).await.contains(&raw(3)), "fork {fork}");
        story.tell(vec![]).await;
    }
    // The second is another in the new fork, too.
    look(&story, NOW, |_, id| names(if id == U256::from(2) { 22 } else { id.to::<u8>() })).await;
    let expected = [raw(1), raw(2), raw(3), raw(22)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
    finalize(&mut story).await;
    let expected = [raw(1), raw(3), raw(22)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
}

/// ERC-7572, of ours and of others.
async fn reads_what_a_collection_says_of_itself(db: Database) {
    for standard in [Standard::Erc721, Standard::Erc1155, Standard::Everhold] {
        says_of_itself(&Database::fresh(db.engine).await, standard).await;
    }
}

async fn says_of_itself(db: &Database, standard: Standard) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let new = match standard {
        Standard::Everhold => crate::story::new_collection(0, everhold::content::Codec::Raw),
        foreign => new_foreign(0, foreign),
    };
    let mut story = Story::begin_with(ledger, &[new]).await;
    story.tell(vec![]).await;
    let own = async |story: &Story, meaning: fn() -> Meaning| {
        look_at_all(story, NOW, |_, token| {
            assert_eq!(token, None);
            meaning()
        })
        .await
        .len()
    };
    assert_eq!(own(&story, nothing).await, 1, "at the start");
    assert!(wanted(&story.ledger).await.is_empty());
    let told = || said(0, TokenEventKind::OwnMetadataChanged);
    story.tell(told()).await;
    assert_eq!(own(&story, || names(1)).await, 1);
    let due = take_all(&story.ledger, NOW).await;
    assert!(due.len() == 1 && due[0].parse, "its metadata is read, too: {due:?}");
    story.tell(told()).await;
    assert_eq!(own(&story, || document(&[2])).await, 1);
    assert_eq!(wanted(&story.ledger).await, [raw(1), raw(2)], "until that is final");
    story.revert(2).await;
    story.tell(vec![]).await;
    assert_eq!(own(&story, || names(1)).await, 1, "its block was taken back");
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
    story.tell(told()).await;
    own(&story, nothing).await;
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    // Read again from its start, what it names stays.
    story.tell(told()).await;
    own(&story, || names(3)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.begin_anew(story.collections[0].id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(3)]);
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_active(&[], false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(wanted(&story.ledger).await.is_empty(), "it is left out");
    story.ledger.close().await;
}

async fn leaves_a_uri_unread_for_a_while(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let (collection, token) = (story.collections[0].id, Some(U256::ONE));
    let lease = NOW + MINUTE;
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.take_due_uris(CHAIN, 1, NOW, lease, 10).await.unwrap().len(), 2);
    tx.postpone_uris(&[(collection, token), (collection, None)], Some(lease), NOW + 5)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(look(&story, NOW + 4, |_, _| names(1)).await.is_empty());
    assert_eq!(look(&story, NOW + 5, |_, _| names(1)).await, [U256::ONE]);
    // One that was read with its collection; what became due meanwhile stays so.
    let mut tx = story.ledger.write().await.unwrap();
    tx.postpone_uris(&[(collection, token)], None, NOW + 9).await.unwrap();
    tx.postpone_uris(&[(collection, token)], None, NOW + 99).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look(&story, NOW + 9, |_, _| names(2)).await, [U256::ONE]);
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
