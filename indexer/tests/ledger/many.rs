//! Thousands of contents in one stretch: all new, all known, or anything in between.

use std::collections::BTreeSet;

use alloy::primitives::U256;
use everhold::{
    chain::TokenEventKind,
    content::{Codec, ContentId, Digest},
};

use crate::{
    story::{Said, Story, contract, mint, person},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(makes_what_is_new_and_finds_what_is_known, finds_the_one_that_is_known,);

const MANY: u64 = 3000;

fn digest_of(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// Tokens from a number on, each of which names one of these contents.
fn named(first: u64, contents: &[Digest]) -> Vec<Said> {
    let mut all = Vec::new();
    for (token, digest) in (first..).map(U256::from).zip(contents) {
        let transfer = TokenEventKind::Transfer { to: person(1) };
        let content = TokenEventKind::Content { digest: *digest, revision: 1 };
        all.extend([transfer, content].map(|kind| Said {
            collection: 0,
            token,
            kind,
            same_log: false,
        }));
    }
    all
}

/// Tells a ledger that knows some of the contents all of them, and looks at what it makes of that.
async fn tell_all(db: Database, known: &[Digest], all: &[Digest]) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(named(10 * MANY, known)).await;
    story.tell(named(1, all)).await;
    // Whatever the database had to take back, the next stretch finds it in order.
    story.tell(mint(0, 5 * MANY, 1, 1)).await;

    let seen = Snapshot::of(&story.ledger).await;
    assert_eq!(seen.tokens.len(), known.len() + all.len() + 1);
    for (token, digest) in (1..).zip(all) {
        let shape = &seen.tokens[&(contract(0), U256::from(token))];
        assert_eq!(shape.content, Some(ContentId::new(Codec::Raw, *digest)), "token {token}");
    }
    let contents: BTreeSet<_> = known.iter().chain(all).collect();
    assert_eq!(seen.wanted.len(), contents.len() + 1);
}

async fn makes_what_is_new_and_finds_what_is_known(db: Database) {
    let all: Vec<_> = (0..MANY).map(digest_of).collect();
    let half: Vec<_> = all.iter().copied().step_by(2).collect();
    tell_all(db, &half, &all).await;
}

/// One in thousands is looked for nowhere before all are written.
async fn finds_the_one_that_is_known(db: Database) {
    let all: Vec<_> = (0..MANY).map(digest_of).collect();
    let sorted: BTreeSet<_> = all.iter().copied().collect();
    // The first of all is looked at, since every so-manieth is; not the second.
    let second = *sorted.iter().nth(1).unwrap();
    tell_all(db, &[second], &all).await;
}
