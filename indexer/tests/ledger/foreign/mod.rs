//! Collections of others: what their contracts answer, in short words.

mod judging;
mod naming;
mod reading;
mod supplies;

use alloy::primitives::U256;
use everhold::{
    chain::TokenEventKind,
    config::Standard,
    content::{ContentId, Digest, Link, Metadata, Reference, ReferenceClass},
    ledger::{Ledger, Meaning, Millis, Target, UriReading, UriRecord},
};

use crate::{
    story::{CHAIN, Said, Story, digest, new_foreign, raw, set_nodes},
    support::database::Database,
    support::snapshot::Snapshot,
};

const MINUTE: Millis = 60_000;

async fn begin(db: &Database, standard: Standard) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    Story::begin_with(ledger, &[new_foreign(0, standard)]).await
}

fn said(token: u64, kind: TokenEventKind) -> Vec<Said> {
    vec![Said { collection: 0, token: U256::from(token), kind, same_log: false }]
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

async fn wanted(ledger: &Ledger) -> Vec<ContentId> {
    Snapshot::of(ledger).await.wanted.into_iter().collect()
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

pub(crate) fn path(name: &str) -> Meaning {
    Meaning {
        answer: Some(Digest::of(name.as_bytes())),
        uri: Some(format!("{}/{name}", raw(200).uri())),
        class: Some(ReferenceClass::Ipfs),
        target: Target::Path,
    }
}
