//! What probes saw: verdicts, their history and their evidence.

use std::collections::BTreeSet;

use everhold::{
    content::{Codec, ContentId, Digest},
    health::{
        Health,
        ReplicaState::{self, Claimed, Corrupt, Missing, Unreachable, Verified},
        independent,
    },
    ledger::{
        Judged, Ledger, MOST_ADDRESSES, MOVES_COUNT_EVERY, Millis, ProbeRecord, Replica, RowId,
        Unwell,
    },
};

use crate::{
    story::{
        HOUR, NOW, RIGHT, Story, digest, mint, raw, record, row_of, seen, set_nodes, take_all,
    },
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    believes_unreachable_the_third_time,
    starts_without_a_verdict,
    keeps_the_last_ten_changes,
    keeps_the_evidence_of_the_last_probe,
    learns_the_size_once_from_right_bytes,
    asks_again_who_was_wronged_before_a_dag_was_known,
    asks_again_who_was_wronged_meanwhile,
    remembers_when_it_was_last_right,
    keeps_replicas_apart,
    keeps_held_while_a_verdict_stands,
    keeps_held_until_three_in_a_row_did_not_tell,
    asks_soon_who_did_not_tell_whose_copy_it_is,
    judges_again_who_holds_no_copy_any_more,
    judges_again_at_once_what_is_proved_anew,
    judges_again_who_came_to_where_another_is,
    judges_all_that_a_node_serves_again_once_an_hour,
    judges_in_the_order_in_which_it_fell_due,
    keeps_by_what_nodes_are_known_to_be_one,
    a_node_is_where_any_of_its_bytes_came_from,
    who_shows_hundreds_of_addresses_harms_nobody_else,
    counts_those_once_whose_bytes_came_from_one_address,
    is_repaired_only_once_it_was_judged,
);

/// Plain sha-256 of wrong bytes.
const OTHER: Digest = Digest([2; 32]);

struct Setting {
    story: Story,
    content: RowId,
    nodes: Vec<RowId>,
}

async fn setting(db: &Database) -> Setting {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let content = row_of(&story.ledger, raw(1)).await;
    Setting { story, content, nodes }
}

impl Setting {
    async fn probe(&self, state: ReplicaState, at: i64) -> (Option<ReplicaState>, u32) {
        let probe = seen(self.content, self.nodes[0], state, NOW + at);
        let verdict = record(&self.story.ledger, &probe).await;
        let replica = self.replica(0).await;
        assert_eq!(replica.view.state, verdict.state);
        assert_eq!(replica.failures, verdict.failures);
        (verdict.state, verdict.failures)
    }

    async fn probe_held(&self, state: ReplicaState, held: Option<bool>, at: i64) {
        let probe = seen(self.content, self.nodes[0], state, NOW + at);
        record(&self.story.ledger, &ProbeRecord { held, ..probe }).await;
    }

    async fn replica(&self, node: usize) -> Replica {
        let mut tx = self.story.ledger.read().await.unwrap();
        let all = tx.replicas_of(self.content).await.unwrap();
        let found = all.into_iter().find(|r| r.node == self.nodes[node]);
        found.unwrap()
    }

    async fn history(&self, node: usize) -> Vec<(ReplicaState, i64)> {
        let mut tx = self.story.ledger.read().await.unwrap();
        let changes = tx.changes(self.content, self.nodes[node]).await.unwrap();
        changes.iter().map(|c| (c.state, c.at - NOW)).collect()
    }
}

async fn believes_unreachable_the_third_time(db: Database) {
    let it = setting(&db).await;
    assert_eq!(it.probe(Verified, 1).await, (Some(Verified), 0));
    assert_eq!(it.probe(Unreachable, 2).await, (Some(Verified), 1));
    assert_eq!(it.probe(Unreachable, 3).await, (Some(Verified), 2));
    assert_eq!(it.probe(Unreachable, 4).await, (Some(Unreachable), 3));
    assert_eq!(it.probe(Unreachable, 5).await, (Some(Unreachable), 4));
    assert_eq!(it.probe(Missing, 6).await, (Some(Missing), 0));
    assert_eq!(it.probe(Unreachable, 7).await, (Some(Missing), 1));
    assert_eq!(it.probe(Verified, 8).await, (Some(Verified), 0));
    assert_eq!(it.probe(Corrupt, 9).await, (Some(Corrupt), 0));
    let expected = [(Verified, 1), (Unreachable, 4), (Missing, 6), (Verified, 8), (Corrupt, 9)];
    assert_eq!(it.history(0).await, expected);
}

async fn starts_without_a_verdict(db: Database) {
    let it = setting(&db).await;
    let replica = it.replica(0).await;
    assert_eq!((replica.view.state, replica.checked_at), (None, None));
    assert_eq!(it.probe(Unreachable, 1).await, (None, 1));
    assert_eq!(it.probe(Unreachable, 2).await, (None, 2));
    assert_eq!(it.history(0).await, []);
    assert_eq!(it.probe(Unreachable, 3).await, (Some(Unreachable), 3));
    assert_eq!(it.history(0).await, [(Unreachable, 3)]);
}

async fn keeps_the_last_ten_changes(db: Database) {
    let it = setting(&db).await;
    let states = [Verified, Missing, Corrupt, Claimed];
    for at in 0..27_i64 {
        let state = states[usize::try_from(at).unwrap() % 4];
        it.probe(state, at).await;
        it.probe(state, at).await;
    }
    let history = it.history(0).await;
    let expected: Vec<_> =
        (17..27_i64).map(|at| (states[usize::try_from(at).unwrap() % 4], at)).collect();
    assert_eq!(history, expected);
    assert_eq!(it.history(1).await, []);
}

async fn keeps_the_evidence_of_the_last_probe(db: Database) {
    let it = setting(&db).await;
    let corrupt = ProbeRecord {
        content: it.content,
        node: it.nodes[0],
        seen: Corrupt,
        held: None,
        is_untold: false,
        bytes: Some(u64::MAX),
        http_status: Some(200),
        computed: Some("Qm…".to_owned()),
        sha256: None,
        detail: Some("wrong: \u{202e}'; DROP TABLE tokens; --".to_owned()),
        addresses: BTreeSet::new(),
        gives_blocks: false,
        began: NOW,
        at: NOW,
    };
    record(&it.story.ledger, &corrupt).await;
    let replica = it.replica(0).await;
    assert_eq!(replica.bytes, Some(i64::MAX as u64), "capped");
    assert_eq!(replica.http_status, Some(200));
    assert_eq!(replica.computed, corrupt.computed);
    assert_eq!(replica.detail, corrupt.detail);
    assert_eq!(replica.held, None);
    assert_eq!(replica.checked_at, Some(NOW));
    it.probe(Verified, 1).await;
    let replica = it.replica(0).await;
    assert_eq!((replica.computed, replica.detail), (None, None));
    assert_eq!(replica.held, Some(true));
    assert!(replica.view.held);
    let mut tx = it.story.ledger.read().await.unwrap();
    let changes = tx.changes(it.content, it.nodes[0]).await.unwrap();
    assert_eq!(changes[0].detail, corrupt.detail);
}

async fn learns_the_size_once_from_right_bytes(db: Database) {
    let it = setting(&db).await;
    let size = async || {
        let mut tx = it.story.ledger.read().await.unwrap();
        tx.wanted_contents().await.unwrap()[0].known.size
    };
    let with = |bytes, state| ProbeRecord {
        bytes: Some(bytes),
        ..seen(it.content, it.nodes[0], state, NOW)
    };
    record(&it.story.ledger, &with(7, Corrupt)).await;
    assert_eq!(size().await, None);
    record(&it.story.ledger, &with(0, Verified)).await;
    assert_eq!(size().await, Some(0));
    record(&it.story.ledger, &with(9, Verified)).await;
    assert_eq!(size().await, Some(0));
    let due = take_all(&it.story.ledger, NOW * 2).await;
    assert!(due.iter().all(|probe| probe.known.size == Some(0)));
}

/// Two nodes of a DAG that is cut in an unknown way: both serve its bytes.
async fn unusual(db: &Database) -> Setting {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::begin(ledger, &[Codec::DagPb]).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let content = ContentId::new(Codec::DagPb, digest(1));
    let content = row_of(&story.ledger, content).await;
    Setting { story, content, nodes }
}

async fn asks_again_who_was_wronged_before_a_dag_was_known(db: Database) {
    let it = unusual(&db).await;
    assert_eq!(take_all(&it.story.ledger, NOW).await.len(), 2);
    let doubted =
        ProbeRecord { sha256: Some(RIGHT), ..seen(it.content, it.nodes[0], Corrupt, NOW) };
    record(&it.story.ledger, &doubted).await;
    assert_eq!(take_all(&it.story.ledger, NOW).await.len(), 0);
    record(&it.story.ledger, &seen(it.content, it.nodes[1], Verified, NOW)).await;
    let due = take_all(&it.story.ledger, NOW).await;
    let due: Vec<_> = due.iter().map(|probe| (probe.node, probe.known.sha256)).collect();
    assert_eq!(due, [(it.nodes[0], Some(RIGHT))]);
    // Now it is known, and who is corrupt stays so until its time comes.
    record(&it.story.ledger, &ProbeRecord { sha256: Some(OTHER), ..doubted }).await;
    record(&it.story.ledger, &seen(it.content, it.nodes[1], Verified, NOW)).await;
    assert_eq!(take_all(&it.story.ledger, NOW).await.len(), 0);
}

async fn asks_again_who_was_wronged_meanwhile(db: Database) {
    let it = unusual(&db).await;
    take_all(&it.story.ledger, NOW).await;
    record(&it.story.ledger, &seen(it.content, it.nodes[1], Verified, NOW)).await;
    for (got, due) in [(OTHER, 0), (RIGHT, 1)] {
        let late = ProbeRecord { sha256: Some(got), ..seen(it.content, it.nodes[0], Corrupt, NOW) };
        record(&it.story.ledger, &late).await;
        assert_eq!(take_all(&it.story.ledger, NOW).await.len(), due);
    }
}

async fn remembers_when_it_was_last_right(db: Database) {
    let it = setting(&db).await;
    it.probe(Missing, 1).await;
    assert_eq!(it.replica(0).await.view.verified_at, None);
    it.probe(Verified, 2).await;
    it.probe(Unreachable, 3).await;
    it.probe(Missing, 4).await;
    let replica = it.replica(0).await;
    assert_eq!(replica.view.verified_at, Some(NOW + 2));
    assert_eq!(replica.checked_at, Some(NOW + 4));
}

async fn keeps_replicas_apart(db: Database) {
    let it = setting(&db).await;
    it.probe(Verified, 1).await;
    let other = it.replica(1).await;
    assert_eq!((other.view.state, other.checked_at), (None, None));
    assert_eq!(it.history(1).await, []);
}

async fn keeps_held_while_a_verdict_stands(db: Database) {
    let setting = setting(&db).await;
    setting.probe_held(Verified, Some(true), 0).await;
    for (at, state, held) in
        [(1, Unreachable, true), (2, Unreachable, true), (3, Unreachable, false)]
    {
        setting.probe_held(state, None, at).await;
        assert_eq!(setting.replica(0).await.held == Some(true), held, "after {at} silences");
    }
    setting.probe_held(Verified, Some(true), 4).await;
    setting.probe_held(Missing, None, 5).await;
    assert_eq!(setting.replica(0).await.held, None, "what it says counts at once");
}

/// What a probe of a copy sees that can't tell whose it is.
fn untold(record: ProbeRecord) -> ProbeRecord {
    ProbeRecord { held: None, is_untold: true, ..record }
}

async fn keeps_held_until_three_in_a_row_did_not_tell(db: Database) {
    let it = setting(&db).await;
    let at = async |at: i64, state, is_untold| {
        let probe = seen(it.content, it.nodes[0], state, NOW + at);
        let probe = if is_untold { untold(probe) } else { probe };
        record(&it.story.ledger, &probe).await;
        let replica = it.replica(0).await;
        (replica.view.state, replica.view.held)
    };
    assert_eq!(at(0, Verified, true).await, (Some(Verified), false), "nobody ever told");
    assert_eq!(at(1, Verified, false).await, (Some(Verified), true));
    assert_eq!(at(2, Verified, true).await, (Some(Verified), true));
    assert_eq!(at(3, Verified, true).await, (Some(Verified), true));
    assert_eq!(at(4, Verified, true).await, (Some(Verified), false));
    assert_eq!(at(5, Verified, true).await, (Some(Verified), false), "nor is it given back");
    // Right bytes between silences tell nothing of whose they are, and silences nothing of the bytes.
    assert_eq!(at(6, Verified, false).await, (Some(Verified), true));
    assert_eq!(at(7, Unreachable, false).await, (Some(Verified), true));
    assert_eq!(at(8, Verified, true).await, (Some(Verified), true));
    assert_eq!(at(9, Unreachable, false).await, (Some(Verified), false));
    assert_eq!(at(10, Unreachable, false).await, (Some(Verified), false));
    // A proof begins anew.
    assert_eq!(at(11, Verified, false).await, (Some(Verified), true));
    assert_eq!(at(12, Verified, true).await, (Some(Verified), true));
    assert_eq!(at(13, Verified, false).await, (Some(Verified), true));
    assert_eq!(at(14, Verified, true).await, (Some(Verified), true));
    assert_eq!(at(15, Missing, false).await, (Some(Missing), false));
}

/// Else a node that holds nothing any more would keep the word for days.
async fn asks_soon_who_did_not_tell_whose_copy_it_is(db: Database) {
    let it = setting(&db).await;
    take_all(&it.story.ledger, NOW).await;
    let due = async |now| {
        let mut tx = it.story.ledger.write().await.unwrap();
        let next = tx.next_doubtful_probes(now).await.unwrap().first().map(|(_, at)| *at);
        let taken = tx.take_due_probes(now, now + HOUR, 10, true).await.unwrap();
        tx.commit().await.unwrap();
        (next.map(|at| at - NOW), taken.len())
    };
    let tell = async |is_untold: bool, at: i64| {
        let probe = seen(it.content, it.nodes[0], Verified, NOW + at);
        let probe = if is_untold { untold(probe) } else { probe };
        record(&it.story.ledger, &probe).await;
    };
    tell(true, 0).await;
    assert_eq!(due(NOW + 10_000).await, (None, 0), "there is nothing to lose");
    tell(false, 0).await;
    assert_eq!(due(NOW + 10_000).await, (None, 0));
    for (at, next) in [(1000, Some(2000)), (2000, Some(4000))] {
        tell(true, at).await;
        assert_eq!(due(NOW + at).await, (next, 0));
        assert_eq!(due(NOW + next.unwrap()).await, (next, 1));
    }
    tell(true, 4000).await;
    assert_eq!(due(NOW + 100_000).await, (None, 0), "it is known to be nobody's word now");
}

/// A content whose incident is closed, or never was opened, is looked at by nobody else.
async fn judges_again_at_once_what_is_proved_anew(db: Database) {
    let setting = setting(&db).await;
    take_all(&setting.story.ledger, NOW).await;
    let is_judged = async |at: i64| {
        setting.probe(Verified, at).await;
        let mut tx = setting.story.ledger.write().await.unwrap();
        let due = tx.due_assessments(NOW + at, 9).await.unwrap();
        let judged = due.iter().map(|one| Judged {
            content: one.content.row,
            health: Some(Health::Degraded),
            next: None,
        });
        tx.write_assessments(&judged.collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        due.len() == 1
    };
    assert!(is_judged(0).await);
    assert!(!is_judged(2 * HOUR).await, "it counted until now");
    assert!(is_judged(4 * HOUR + 1).await, "it was too old");
    assert!(!is_judged(5 * HOUR).await);
    let ahead = 1000 * HOUR;
    assert!(is_judged(ahead).await);
    assert!(is_judged(6 * HOUR).await, "it was of a time to come");
    assert!(!is_judged(7 * HOUR).await);
}

/// Judges what is to be judged; gives the contents.
async fn judge(ledger: &Ledger, at: Millis) -> Vec<RowId> {
    let mut tx = ledger.write().await.unwrap();
    let due = tx.due_assessments(at, 9).await.unwrap();
    let rows: Vec<_> = due.iter().map(|one| one.content.row).collect();
    let judged =
        rows.iter().map(|row| Judged { content: *row, health: Some(Health::Healthy), next: None });
    tx.write_assessments(&judged.collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

async fn judges_again_who_holds_no_copy_any_more(db: Database) {
    let setting = setting(&db).await;
    take_all(&setting.story.ledger, NOW).await;
    let due = async |at: i64| judge(&setting.story.ledger, NOW + at).await.len();
    setting.probe_held(Verified, Some(true), 0).await;
    assert_eq!(due(0).await, 1);
    setting.probe_held(Verified, Some(true), 1).await;
    assert_eq!(due(1).await, 0, "nothing is another");
    setting.probe_held(Verified, None, 2).await;
    assert_eq!(due(2).await, 1);
    setting.probe_held(Unreachable, None, 3).await;
    assert_eq!(due(3).await, 0);
}

/// Right bytes of a content come from a node at these addresses.
async fn serve(ledger: &Ledger, content: RowId, node: RowId, addresses: &[&str], at: Millis) {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    record(ledger, &ProbeRecord { addresses, ..seen(content, node, Verified, at) }).await;
}

/// How many nodes of a content are independent, where addresses count for two hours.
async fn count(ledger: &Ledger, content: RowId, now: Millis) -> u32 {
    let mut tx = ledger.read().await.unwrap();
    let all = tx.replicas_of(content).await.unwrap();
    independent(all.iter().map(|replica| &replica.view.holder), now - 2 * HOUR)
}

/// Whatever their names led to when they were configured.
async fn counts_those_once_whose_bytes_came_from_one_address(db: Database) {
    let it = setting(&db).await;
    let ledger = &it.story.ledger;
    let (one, other) = (it.nodes[0], it.nodes[1]);
    let count = async |at| count(ledger, it.content, NOW + at).await;
    assert_eq!(count(0).await, 2, "by their names");
    serve(ledger, it.content, one, &["1.2.3.4"], NOW).await;
    assert_eq!(count(0).await, 2);
    serve(ledger, it.content, other, &["1.2.3.4"], NOW).await;
    assert_eq!(count(0).await, 1);
    let wrong = |state| ProbeRecord {
        addresses: BTreeSet::from(["1.2.3.5".to_owned()]),
        ..seen(it.content, other, state, NOW + 3 * HOUR)
    };
    for state in [Corrupt, Missing, Unreachable] {
        record(ledger, &wrong(state)).await;
        assert_eq!(count(3 * HOUR).await, 1, "{state} says nothing of where");
    }
    serve(ledger, it.content, other, &["1.2.3.5"], NOW + HOUR).await;
    assert_eq!(count(HOUR).await, 1, "it may be the machine that it was");
    assert_eq!(count(2 * HOUR + 40_000).await, 1, "to the minute");
    assert_eq!(count(2 * HOUR + 40_001).await, 2, "nothing that counts came from there");
    // It comes and goes.
    serve(ledger, it.content, one, &["1.2.3.4", "1.2.3.5"], NOW + HOUR).await;
    assert_eq!(count(2 * HOUR + 40_001).await, 1);
}

async fn a_node_is_where_any_of_its_bytes_came_from(db: Database) {
    let mut it = setting(&db).await;
    it.story.tell(mint(0, 2, 1, 2)).await;
    let (ledger, content) = (&it.story.ledger, it.content);
    let second = row_of(ledger, raw(2)).await;
    serve(ledger, content, it.nodes[0], &["1.2.3.4"], NOW).await;
    serve(ledger, content, it.nodes[1], &["1.2.3.5"], NOW).await;
    assert_eq!(count(ledger, content, NOW).await, 2);
    // One machine that has another address each time.
    serve(ledger, second, it.nodes[0], &["1.2.3.5"], NOW + 1).await;
    serve(ledger, second, it.nodes[1], &["1.2.3.6"], NOW + 1).await;
    assert_eq!(count(ledger, content, NOW + 1).await, 1);
    assert_eq!(count(ledger, second, NOW + 1).await, 1);
    // Those that have several and none in common are two.
    set_nodes(ledger, &["http://three", "http://four"]).await;
    let nodes = ledger.read().await.unwrap().nodes().await.unwrap();
    for (node, addresses) in nodes.iter().zip([["5.5.5.1", "5.5.5.2"], ["6.6.6.1", "6.6.6.2"]]) {
        serve(ledger, content, node.id, &addresses, NOW + 1).await;
    }
    assert_eq!(count(ledger, content, NOW + 1).await, 2);
}

async fn judges_again_who_came_to_where_another_is(db: Database) {
    let mut it = setting(&db).await;
    it.story.tell(mint(0, 2, 1, 2)).await;
    let (ledger, content) = (&it.story.ledger, it.content);
    let second = row_of(ledger, raw(2)).await;
    take_all(ledger, NOW).await;
    for (node, address) in it.nodes.iter().zip(["1.2.3.4", "1.2.3.5"]) {
        serve(ledger, content, *node, &[address], NOW).await;
        serve(ledger, second, *node, &[address], NOW).await;
    }
    assert_eq!(judge(ledger, NOW).await.len(), 2);
    serve(ledger, second, it.nodes[0], &["1.2.3.6"], NOW + 1).await;
    assert!(judge(ledger, NOW + 1).await.is_empty(), "nobody else is there");
    serve(ledger, second, it.nodes[0], &["1.2.3.5"], NOW + 2).await;
    assert_eq!(judge(ledger, NOW + 2).await.len(), 2, "of the other content, too");
    serve(ledger, second, it.nodes[0], &["1.2.3.5"], NOW + 3).await;
    assert!(judge(ledger, NOW + 3).await.is_empty(), "that is known");
}

/// Who has others' addresses anew with each probe does not have all it serves judged with each.
async fn judges_all_that_a_node_serves_again_once_an_hour(db: Database) {
    let mut it = setting(&db).await;
    it.story.tell(mint(0, 2, 1, 2)).await;
    it.story.tell(mint(0, 3, 1, 3)).await;
    let (ledger, content) = (&it.story.ledger, it.content);
    let second = row_of(ledger, raw(2)).await;
    take_all(ledger, NOW).await;
    let others: Vec<_> = (0..9).map(|last| format!("1.2.3.{last}")).collect();
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    for row in [content, second] {
        serve(ledger, row, it.nodes[0], &others, NOW).await;
        serve(ledger, row, it.nodes[1], &["5.5.5.5"], NOW).await;
    }
    judge(ledger, NOW).await;
    let judged = async |at| {
        let mut tx = ledger.write().await.unwrap();
        tx.rejudge_moved(NOW + at).await.unwrap();
        tx.commit().await.unwrap();
        judge(ledger, NOW + at).await
    };
    let come = async |address: usize, at| {
        serve(ledger, second, it.nodes[1], &[others[address]], NOW + at).await;
    };
    come(0, 1).await;
    assert_eq!(judged(1).await.len(), 2, "the first time, at once");
    for address in 1..5 {
        let at = 1 + i64::try_from(address).unwrap();
        come(address, at).await;
        assert_eq!(judged(at).await, [second], "what it serves there, and no more");
    }
    assert!(judged(MOVES_COUNT_EVERY).await.is_empty());
    assert_eq!(judged(MOVES_COUNT_EVERY + 1).await.len(), 2, "it is made up for");
    assert!(judged(MOVES_COUNT_EVERY + 2).await.is_empty(), "once");
    assert!(judged(9 * MOVES_COUNT_EVERY).await.is_empty());
    come(6, 9 * MOVES_COUNT_EVERY).await;
    assert_eq!(judged(9 * MOVES_COUNT_EVERY).await.len(), 2, "and again at once");
}

/// However many are to be judged since something of them changed, those whose time came before come first.
async fn judges_in_the_order_in_which_it_fell_due(db: Database) {
    let mut it = setting(&db).await;
    it.story.tell(mint(0, 2, 1, 2)).await;
    let (ledger, content) = (&it.story.ledger, it.content);
    let second = row_of(ledger, raw(2)).await;
    take_all(ledger, NOW).await;
    judge(ledger, NOW).await;
    let mut tx = ledger.write().await.unwrap();
    let overdue = Judged { content: second, health: Some(Health::Healthy), next: Some(1000) };
    tx.write_assessments(&[overdue]).await.unwrap();
    tx.commit().await.unwrap();
    serve(ledger, content, it.nodes[0], &[], NOW + 1).await;
    let first = async || {
        let mut tx = ledger.write().await.unwrap();
        let due = tx.due_assessments(NOW + 1, 1).await.unwrap();
        tx.commit().await.unwrap();
        due.first().map(|one| one.content.row)
    };
    assert_eq!(first().await, Some(second));
    serve(ledger, second, it.nodes[0], &[], NOW + 1).await;
    assert_eq!(first().await, Some(second), "it is no later by what changed since");
    assert_eq!(judge(ledger, NOW + 1).await, [second, content]);
}

/// Whatever they show besides.
async fn keeps_by_what_nodes_are_known_to_be_one(db: Database) {
    let it = setting(&db).await;
    let ledger = &it.story.ledger;
    for node in &it.nodes {
        serve(ledger, it.content, *node, &["1.2.3.4"], NOW).await;
    }
    let others: Vec<_> = (0..40).map(|last| format!("5.5.5.{last}")).collect();
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    serve(ledger, it.content, it.nodes[0], &others, NOW + HOUR).await;
    serve(ledger, it.content, it.nodes[1], &["6.6.6.6"], NOW + HOUR).await;
    assert_eq!(count(ledger, it.content, NOW + HOUR).await, 1);
    assert_eq!(count(ledger, it.content, NOW + 3 * HOUR).await, 2, "it was too long ago");
}

async fn who_shows_hundreds_of_addresses_harms_nobody_else(db: Database) {
    let it = setting(&db).await;
    let ledger = &it.story.ledger;
    let urls = ["http://one", "http://two", "http://hostile", "http://hostile-2"];
    let nodes = set_nodes(ledger, &urls).await;
    serve(ledger, it.content, nodes[0], &["1.2.3.4"], NOW).await;
    serve(ledger, it.content, nodes[1], &["1.2.3.5"], NOW).await;
    for (number, last) in (0..=255).enumerate() {
        let at = NOW + i64::try_from(number).unwrap();
        let (own, other) = (format!("5.5.5.{last}"), format!("6.6.6.{last}"));
        serve(ledger, it.content, nodes[2], &[&own, "1.2.3.4", "1.2.3.5"], at).await;
        serve(ledger, it.content, nodes[3], &[&other], at).await;
    }
    let mut tx = ledger.read().await.unwrap();
    let all = tx.replicas_of(it.content).await.unwrap();
    drop(tx);
    let hostile: Vec<_> = all.iter().filter(|one| one.node >= nodes[2]).collect();
    assert!(hostile.iter().all(|one| one.view.holder.addresses.len() == MOST_ADDRESSES + 1));
    let of = |nodes: &[RowId]| {
        let these = all.iter().filter(|one| nodes.contains(&one.node));
        independent(these.map(|one| &one.view.holder), NOW)
    };
    assert_eq!(of(&nodes[..2]), 2);
    assert_eq!(of(&nodes[2..]), 1, "they may be one");
    assert_eq!(of(&nodes), 3);
}

/// What is brought back before anybody was told of it is never told.
async fn is_repaired_only_once_it_was_judged(db: Database) {
    let setting = setting(&db).await;
    take_all(&setting.story.ledger, NOW).await;
    setting.probe(Missing, 0).await;
    let mut tx = setting.story.ledger.write().await.unwrap();
    assert!(!tx.needs_repairs(NOW).await.unwrap());
    for (health, [lost, others]) in [(Health::Lost, [1, 0]), (Health::Degraded, [0, 1])] {
        let judged = Judged { content: setting.content, health: Some(health), next: Some(NOW + 9) };
        tx.write_assessments(&[judged]).await.unwrap();
        for (which, count) in [(Unwell::Lost, lost), (Unwell::NotLost, others)] {
            let unwell = tx.unwell_contents(which, 0, 9, NOW).await.unwrap();
            assert_eq!(unwell, vec![setting.content; count], "{health} {which:?}");
        }
        assert!(tx.needs_repairs(NOW).await.unwrap());
        assert!(!tx.needs_repairs(NOW + 9).await.unwrap(), "it is to be judged anew");
    }
}
