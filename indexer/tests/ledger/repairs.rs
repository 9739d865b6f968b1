//! Repairs: only a probe says that one worked, and one is under way at a time. What they cost.

use alloy::primitives::U256;
use everhold::{
    health::ReplicaState::{self, Corrupt, Missing, Unreachable, Verified},
    ledger::{
        FailedRepair, LongestWaits, NewRepair, Repair, RepairState, RowId, SentRepair, Undone,
    },
    repair::{Action, Attempt, Cost, Credits, Outcome, Payer, Spent},
};

use crate::{
    story::{HOUR, NOW, Story, message, mint, person, raw, record, row_of, seen, set_nodes},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    is_done_only_by_a_verified_probe,
    has_failed_once_a_later_probe_sees_nothing_right,
    a_node_gets_its_time,
    never_undoes_what_a_probe_proved,
    one_is_under_way_at_a_time,
    what_was_planned_and_not_done_is_given_up_for_something_else,
    knows_what_was_tried,
    what_waits_for_a_budget_stands_once,
    tells_repairs_since_a_time,
    sums_what_was_spent_by_whose_account_it_goes_on,
    knows_for_whom_a_content_is,
    pin_requests_are_settled_by_health_and_by_time,
    keeps_messages,
    knows_what_is_stored_twice,
    one_process_has_the_turn,
    what_was_sent_by_a_clock_that_was_ahead_is_proved,
    a_message_that_was_rejected_later_was_refused,
    counts_how_often_nothing_could_be_tried,
    forgets_in_the_end_what_came_to_nothing,
);

const LONGEST: LongestWaits = LongestWaits {
    probe: HOUR,
    spot: HOUR,
    stores: HOUR,
    assessment: HOUR,
    uri: HOUR,
    path: HOUR,
    alert: HOUR,
    vault: HOUR,
    lease: HOUR,
    skew: HOUR,
};

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
    fn at(&self, node: usize, action: Action) -> NewRepair {
        NewRepair {
            content: self.content,
            node: self.nodes[node],
            action,
            message_hash: Some("abc".to_owned()),
            cost: Cost { bytes: 10, credits: Credits(5) },
            payer: None,
        }
    }

    async fn plan(&self, node: usize, at: i64) -> Option<RowId> {
        self.plan_one(self.at(node, Action::Upload), at).await
    }

    async fn plan_one(&self, new: NewRepair, at: i64) -> Option<RowId> {
        let mut tx = self.story.ledger.write().await.unwrap();
        let planned = tx.plan_repairs(&[new], NOW + at).await.unwrap();
        tx.commit().await.unwrap();
        planned[0]
    }

    async fn sent(&self, repair: RowId, sent_at: i64, wait: i64) {
        let mut tx = self.story.ledger.write().await.unwrap();
        let (sent_at, detail) = (NOW + sent_at, Some("accepted".to_owned()));
        let request = None;
        let sent = SentRepair { repair, detail, request, sent_at, prove_by: sent_at + wait };
        tx.repairs_sent(&[sent]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn failed(&self, repair: RowId, at: i64) {
        let mut tx = self.story.ledger.write().await.unwrap();
        let failed = FailedRepair { repair, detail: "HTTP 500".to_owned(), is_refusal: false };
        tx.repairs_failed(&[failed], NOW + at).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn undone(&self, node: usize, action: Option<Action>, detail: &str, at: i64) {
        let (content, node) = (self.content, self.nodes[node]);
        let undone = Undone { content, node, action, detail: detail.to_owned() };
        let mut tx = self.story.ledger.write().await.unwrap();
        tx.note_undone(&[undone], NOW + at).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn see(&self, node: usize, state: ReplicaState, at: i64) {
        record(&self.story.ledger, &seen(self.content, self.nodes[node], state, NOW + at)).await;
    }

    async fn all(&self) -> Vec<Repair> {
        let mut tx = self.story.ledger.read().await.unwrap();
        tx.repairs_since(self.content, 0).await.unwrap()
    }

    async fn repair(&self, id: RowId) -> Repair {
        self.all().await.into_iter().find(|repair| repair.id == id).unwrap()
    }

    async fn before(&self, node: usize) -> Vec<Attempt> {
        let mut tx = self.story.ledger.read().await.unwrap();
        let mut all = tx.attempts(&[self.content], NOW).await.unwrap();
        all.remove(&(self.content, self.nodes[node])).unwrap_or_default()
    }
}

async fn is_done_only_by_a_verified_probe(db: Database) {
    let it = setting(&db).await;
    let planned = it.plan(0, 1).await.unwrap();
    let elsewhere = it.plan(1, 3).await.unwrap();
    it.see(0, Missing, 2).await;
    assert_eq!(it.repair(planned).await.state, RepairState::Planned, "it may not have been sent");
    it.see(0, Verified, 10).await;
    let repair = it.repair(planned).await;
    assert_eq!((repair.state, repair.finished_at), (RepairState::Done, Some(NOW + 10)));
    assert_eq!(it.repair(elsewhere).await.state, RepairState::Planned);

    it.sent(elsewhere, 20, 0).await;
    it.see(1, Verified, 25).await;
    let repair = it.repair(elsewhere).await;
    assert_eq!((repair.state, repair.sent_at), (RepairState::Done, Some(NOW + 20)));
    assert_eq!(repair.detail, None, "what would be said if it had not");
}

async fn has_failed_once_a_later_probe_sees_nothing_right(db: Database) {
    let it = setting(&db).await;
    for (state, at) in [(Missing, 0), (Corrupt, 100)] {
        let repair = it.plan(0, at).await.unwrap();
        it.sent(repair, at + 10, 0).await;
        // It began before the upload had ended.
        it.see(0, state, at + 9).await;
        assert_eq!(it.repair(repair).await.state, RepairState::Sent);
        it.see(0, state, at + 10).await;
        let repair = it.repair(repair).await;
        assert_eq!((repair.state, repair.finished_at), (RepairState::Failed, Some(NOW + at + 10)));
        assert_eq!(repair.detail.unwrap(), format!("accepted (it is {state})"));
    }
    // Silence says nothing, until it counts.
    let repair = it.plan(0, 200).await.unwrap();
    it.sent(repair, 201, 0).await;
    for at in [210, 220] {
        it.see(0, Unreachable, at).await;
        assert_eq!(it.repair(repair).await.state, RepairState::Sent);
    }
    it.see(0, Unreachable, 230).await;
    assert_eq!(it.repair(repair).await.state, RepairState::Failed);
}

async fn a_node_gets_its_time(db: Database) {
    let it = setting(&db).await;
    let repair = it.plan(0, 0).await.unwrap();
    it.sent(repair, 0, 5_000).await;
    it.see(0, Missing, 100).await;
    assert_eq!(it.repair(repair).await.state, RepairState::Sent);
    let next = async || {
        let mut tx = it.story.ledger.read().await.unwrap();
        tx.next_doubtful_probes(NOW).await.unwrap()
    };
    assert_eq!(next().await, [(it.nodes[0], NOW + 1_100)], "it is looked at again soon");
    it.see(0, Missing, 4_900).await;
    assert_eq!(next().await, [(it.nodes[0], NOW + 5_000)], "and when its time is over");
    let mut tx = it.story.ledger.write().await.unwrap();
    let take = async |tx: &mut everhold::ledger::Tx, at| {
        tx.take_due_probes(NOW + at, NOW + at, 9, true).await.unwrap().len()
    };
    assert_eq!((take(&mut tx, 4_999).await, take(&mut tx, 5_000).await), (0, 1));
    tx.commit().await.unwrap();
    it.see(0, Missing, 5_000).await;
    assert_eq!(it.repair(repair).await.state, RepairState::Failed);
    assert_eq!(next().await, []);
}

async fn never_undoes_what_a_probe_proved(db: Database) {
    let it = setting(&db).await;
    let failed = it.plan(0, 1).await.unwrap();
    it.failed(failed, 50).await;
    let done = it.plan(0, 2).await.unwrap();
    it.see(0, Verified, 10).await;
    it.failed(done, 60).await;
    it.sent(done, 70, 0).await;
    let repair = it.repair(done).await;
    assert_eq!((repair.state, repair.finished_at), (RepairState::Done, Some(NOW + 10)));
    assert_eq!((repair.sent_at, repair.detail), (None, None));
    let repair = it.repair(failed).await;
    assert_eq!(repair.state, RepairState::Failed, "another one worked, not this");
    assert_eq!(repair.finished_at, Some(NOW + 50));
}

async fn one_is_under_way_at_a_time(db: Database) {
    let it = setting(&db).await;
    let repair = it.plan(0, 1).await.unwrap();
    it.sent(repair, 2, 0).await;
    assert_eq!(it.plan(0, 3).await, None, "what was sent is to be proved first");
    assert!(it.plan(1, 3).await.is_some());
    it.failed(repair, 4).await;
    assert!(it.plan(0, 5).await.is_some());
}

async fn what_was_planned_and_not_done_is_given_up_for_something_else(db: Database) {
    let it = setting(&db).await;
    let planned = it.plan(0, 1).await.unwrap();
    let other = it.plan_one(it.at(0, Action::UploadWithStore), 2).await.unwrap();
    let given_up = it.repair(planned).await;
    assert_eq!((given_up.state, given_up.finished_at), (RepairState::Failed, Some(NOW + 2)));
    it.undone(0, None, "nobody has it", 3).await;
    assert_eq!(it.repair(other).await.state, RepairState::Failed);
    assert_eq!(it.all().await.last().unwrap().action, "none");
}

async fn knows_what_was_tried(db: Database) {
    let it = setting(&db).await;
    assert!(it.before(0).await.is_empty());
    let first = it.plan(0, -10).await.unwrap();
    assert_eq!(it.before(0).await.len(), 1, "from before, but under way");
    it.failed(first, -5).await;
    assert_eq!(it.before(0).await.len(), 0, "too long ago");
    let failed = it.plan(0, 1).await.unwrap();
    it.failed(failed, 2).await;
    let refused = it.plan(0, 2).await.unwrap();
    let mut tx = it.story.ledger.write().await.unwrap();
    let refusal = FailedRepair { repair: refused, detail: "HTTP 402".into(), is_refusal: true };
    tx.repairs_failed(&[refusal], NOW + 2).await.unwrap();
    tx.commit().await.unwrap();
    let disproved = it.plan(0, 3).await.unwrap();
    it.sent(disproved, 4, 0).await;
    it.see(0, Missing, 5).await;
    it.undone(0, None, "all was tried", 6).await;
    let done = it.plan(0, 7).await.unwrap();
    it.see(0, Verified, 8).await;
    it.plan(0, 9).await.unwrap();
    let before = it.before(0).await;
    let outcomes: Vec<_> = before.iter().map(|one| (one.action, one.outcome)).collect();
    let upload = Some(Action::Upload);
    let expected = [
        (upload, Outcome::Failed),
        (upload, Outcome::Refused),
        (upload, Outcome::Disproved),
        (None, Outcome::Failed),
        (upload, Outcome::Done),
        (upload, Outcome::Planned),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!((before[4].row, before[4].finished_at), (done, Some(NOW + 8)));
    assert_eq!(before[3].detail.as_deref(), Some("all was tried"));
    // The same said again, and again, takes no more room.
    for at in [20, 30] {
        it.undone(1, None, "nobody has it", at).await;
    }
    let said = it.before(1).await;
    assert_eq!((said.len(), said[0].started_at), (1, NOW + 30));
    it.undone(1, None, "no key", 40).await;
    assert_eq!(it.before(1).await.len(), 2);
}

async fn what_waits_for_a_budget_stands_once(db: Database) {
    let it = setting(&db).await;
    it.see(0, Missing, 0).await;
    it.undone(0, Some(Action::NewStore), "no credits", 1).await;
    it.undone(0, Some(Action::Upload), "no bytes", 2).await;
    let all = it.all().await;
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].state, all[0].action.as_str()), (RepairState::Waiting, "upload"));
    assert_eq!(all[0].detail.as_deref(), Some("no bytes"));
    assert!(it.before(0).await.is_empty(), "nothing was tried");
    let waiting = async || it.story.ledger.read().await.unwrap().waiting_repairs().await.unwrap();
    assert_eq!(waiting().await, 1);
    it.plan(0, 3).await.unwrap();
    assert_eq!(waiting().await, 0);
    // Well by itself: nothing waits any more.
    it.see(1, Missing, 4).await;
    it.undone(1, Some(Action::Upload), "no bytes", 4).await;
    let drop_waiting = async || {
        let mut tx = it.story.ledger.write().await.unwrap();
        tx.drop_waiting().await.unwrap();
        tx.commit().await.unwrap();
    };
    drop_waiting().await;
    assert_eq!(waiting().await, 1);
    it.see(1, Verified, 5).await;
    drop_waiting().await;
    assert_eq!(waiting().await, 0);
}

async fn tells_repairs_since_a_time(db: Database) {
    let it = setting(&db).await;
    let (first, second) = (it.plan(0, 1).await.unwrap(), it.plan(1, 2).await.unwrap());
    let mut tx = it.story.ledger.read().await.unwrap();
    let since = tx.repairs_since(it.content, NOW + 2).await.unwrap();
    assert_eq!(since.len(), 1);
    assert_eq!((since[0].id, since[0].node.as_str()), (second, "http://two"));
    assert_eq!(since[0].message_hash.as_deref(), Some("abc"));
    assert_eq!(since[0].cost, Cost { bytes: 10, credits: Credits(5) });
    let all = tx.repairs_since(it.content, NOW + 1).await.unwrap();
    assert_eq!(all.iter().map(|repair| repair.id).collect::<Vec<_>>(), [first, second]);
    let last = tx.all_repairs(NOW, 1).await.unwrap();
    assert_eq!(last.iter().map(|repair| repair.id).collect::<Vec<_>>(), [second]);
    assert_eq!(tx.repair_tally(NOW + 2).await.unwrap(), (1, 0));
}

fn payer(collection: RowId, token: u64) -> Payer {
    Payer { collection, token: Some(U256::from(token)), owner: Some(person(1)) }
}

async fn sums_what_was_spent_by_whose_account_it_goes_on(db: Database) {
    let it = setting(&db).await;
    let mine = Some(payer(it.story.collections[0].id, 1));
    let paid = |payer| NewRepair { payer, ..it.at(0, Action::NewStore) };
    let first = it.plan_one(paid(mine), 0).await.unwrap();
    it.failed(first, 1).await;
    let second = it.plan_one(paid(mine), 2).await.unwrap();
    it.failed(second, 3).await;
    it.plan_one(NewRepair { payer: None, ..it.at(1, Action::Upload) }, 4).await.unwrap();
    it.undone(0, None, "all was tried", 5).await;
    it.undone(0, Some(Action::Upload), "no bytes", 5).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    let mut store = message(it.content, "h1", "0xaa", "{}");
    (store.credits, store.payer) = (Credits(7), mine);
    tx.keep_messages(&[store.clone()], NOW).await.unwrap();
    store.item_hash = "h2".to_owned();
    tx.keep_messages(&[store], NOW).await.unwrap();
    tx.messages_ended(&["h2".to_owned()], NOW).await.unwrap();
    let mut sum = |since, until| {
        let spending = futures::executor::block_on(tx.spending(NOW + since, NOW + until)).unwrap();
        let mut by = std::collections::HashMap::new();
        for (payer, more) in spending {
            let spent: &mut Spent = by.entry(payer).or_default();
            spent.actions += more.actions;
            spent.bytes += more.bytes;
            spent.credits.0 += more.credits.0;
            spent.recurring.0 += more.recurring.0;
        }
        by
    };
    let spent = |actions, bytes, credits, recurring| Spent {
        actions,
        bytes,
        credits: Credits(credits),
        recurring: Credits(recurring),
    };
    let all = sum(0, 10);
    assert_eq!(all[&mine], spent(2, 20, 10, 7));
    assert_eq!(all[&None], spent(1, 10, 5, 0));
    let later = sum(1, 3);
    assert_eq!((later[&mine], later.len()), (spent(1, 10, 5, 7), 1));
}

async fn knows_for_whom_a_content_is(db: Database) {
    let mut it = setting(&db).await;
    it.story.tell(mint(0, 3, 2, 1)).await;
    it.story.tell(mint(0, 2, 1, 1)).await;
    let other = row_of(&it.story.ledger, raw(9)).await;
    let mut tx = it.story.ledger.read().await.unwrap();
    let found = tx.payers(&[it.content, other], 2).await.unwrap();
    let collection = it.story.collections[0].id;
    assert_eq!(found[&it.content], [payer(collection, 1), payer(collection, 2)]);
    assert!(found[&other].is_empty());
}

async fn pin_requests_are_settled_by_health_and_by_time(db: Database) {
    let it = setting(&db).await;
    let ask = async |node, at| {
        let repair = it.plan_one(it.at(node, Action::PinRequest), at).await.unwrap();
        it.sent(repair, at, 1_000).await;
        repair
    };
    let settle = async |at| {
        let mut tx = it.story.ledger.write().await.unwrap();
        tx.settle_pin_requests(NOW + at).await.unwrap();
        tx.commit().await.unwrap();
    };
    let first = ask(0, 0).await;
    settle(999).await;
    assert_eq!(it.repair(first).await.state, RepairState::Sent, "a claim is no proof");
    settle(1_000).await;
    let repair = it.repair(first).await;
    assert_eq!((repair.state, repair.finished_at), (RepairState::Failed, Some(NOW + 1_000)));
    let second = ask(1, 2_000).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    let health = Some(everhold::health::Health::Healthy);
    let judged = everhold::ledger::Judged { content: it.content, health, next: None };
    tx.schedule_new(10).await.unwrap();
    tx.write_assessments(&[judged]).await.unwrap();
    tx.commit().await.unwrap();
    settle(2_001).await;
    assert_eq!(it.repair(second).await.state, RepairState::Done);
}

async fn keeps_messages(db: Database) {
    let it = setting(&db).await;
    let other = row_of(&it.story.ledger, raw(2)).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    let envelope = "{\"item_hash\":\"h1\",\"time\":1}";
    tx.keep_messages(&[message(it.content, "h1", "0xaa", envelope)], NOW).await.unwrap();
    tx.keep_messages(&[message(it.content, "h1", "0xaa", "changed")], NOW + 9).await.unwrap();
    tx.commit().await.unwrap();
    it.story.ledger.close().await;
    let ledger = db.open().await;
    let mut tx = ledger.write().await.unwrap();
    let kept = tx.kept_stores(&[it.content, other], "0xaa").await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[&it.content][0].envelope, envelope, "a message is what was signed");
    assert!(tx.kept_stores(&[it.content], "0xbb").await.unwrap().is_empty());
    tx.keep_messages(&[message(it.content, "h2", "0xaa", "newer")], NOW + 1).await.unwrap();
    let newest = async |tx: &mut everhold::ledger::Tx| {
        let kept = tx.kept_stores(&[it.content], "0xaa").await.unwrap();
        kept[&it.content][0].envelope.clone()
    };
    assert_eq!(newest(&mut tx).await, "newer");
    tx.messages_ended(&["h2".to_owned()], NOW + 2).await.unwrap();
    assert_eq!(newest(&mut tx).await, envelope);
}

async fn knows_what_is_stored_twice(db: Database) {
    let it = setting(&db).await;
    let other = row_of(&it.story.ledger, raw(2)).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    let forget = everhold::ledger::NewMessage {
        target: Some("h1".to_owned()),
        ..message(it.content, "f1", "0xaa", "{}")
    };
    let stores = ["h1", "h2"].map(|hash| message(it.content, hash, "0xaa", "{}"));
    let once = message(other, "h3", "0xaa", "{}");
    tx.keep_messages(&[stores[0].clone(), stores[1].clone(), once, forget], NOW).await.unwrap();
    assert_eq!(tx.stored_twice("0xaa", 0, 9).await.unwrap(), [it.content]);
    assert!(tx.stored_twice("0xaa", it.content, 9).await.unwrap().is_empty());
    assert!(tx.stored_twice("0xbb", 0, 9).await.unwrap().is_empty());
    let taken_back = tx.being_forgotten(&[it.content, other]).await.unwrap();
    assert_eq!(taken_back, ["h1".to_owned()].into());
    let open = tx.open_forgets("0xaa", 9).await.unwrap();
    assert_eq!((open.len(), open[0].target.as_deref()), (1, Some("h1")));
    tx.messages_ended(&["h1".to_owned(), "f1".to_owned()], NOW).await.unwrap();
    assert!(tx.stored_twice("0xaa", 0, 9).await.unwrap().is_empty());
    assert!(tx.open_forgets("0xaa", 9).await.unwrap().is_empty());
    assert_eq!(tx.signed_stores(&[it.content]).await.unwrap()[&it.content].len(), 2);
}

async fn one_process_has_the_turn(db: Database) {
    let (one, other) = (db.open().await, db.open().await);
    let turn = one.try_to_repair().await.unwrap().unwrap();
    assert!(other.try_to_repair().await.unwrap().is_none());
    drop(turn);
    let turn = tokio::time::timeout(std::time::Duration::from_secs(10), other.wait_to_repair());
    let turn = turn.await.unwrap().unwrap();
    assert!(one.try_to_repair().await.unwrap().is_none());
    drop(turn);
}

async fn what_was_sent_by_a_clock_that_was_ahead_is_proved(db: Database) {
    let it = setting(&db).await;
    let ahead = 1000 * HOUR;
    let repair = it.plan(0, ahead).await.unwrap();
    it.sent(repair, ahead, 5_000).await;
    it.see(0, Missing, 100).await;
    assert_eq!(it.repair(repair).await.state, RepairState::Sent, "its time is not over");
    let mut tx = it.story.ledger.write().await.unwrap();
    tx.bring_back_from_the_future(NOW + 200, &LONGEST, 100).await.unwrap();
    tx.commit().await.unwrap();
    let known = it.repair(repair).await;
    assert_eq!((known.started_at, known.sent_at), (NOW + 200, Some(NOW + 200)));
    it.see(0, Missing, 300).await;
    assert_eq!(it.repair(repair).await.state, RepairState::Failed);
}

async fn a_message_that_was_rejected_later_was_refused(db: Database) {
    let it = setting(&db).await;
    let repair = it.plan_one(it.at(0, Action::UploadWithStore), 0).await.unwrap();
    it.sent(repair, 10, 0).await;
    it.see(0, Missing, 20).await;
    let outcome = async || {
        let last = it.before(0).await.pop().unwrap();
        (last.outcome, last.message.unwrap())
    };
    assert_eq!(outcome().await, (Outcome::Disproved, "abc".to_owned()));
    let mut tx = it.story.ledger.write().await.unwrap();
    tx.message_was_rejected(repair, "code 6: too few credits").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outcome().await.0, Outcome::Refused);
    assert_eq!(it.repair(repair).await.detail.unwrap(), "code 6: too few credits");
}

async fn counts_how_often_nothing_could_be_tried(db: Database) {
    let it = setting(&db).await;
    let times = async || it.before(0).await.iter().map(|one| one.times).collect::<Vec<_>>();
    for at in 0..3 {
        it.undone(0, None, "no key", at).await;
    }
    assert_eq!(times().await, [3]);
    it.undone(0, None, "no source", 9).await;
    assert_eq!(times().await, [3, 1], "that is something else");
}

async fn forgets_in_the_end_what_came_to_nothing(db: Database) {
    let it = setting(&db).await;
    it.undone(0, None, "no key", 1).await;
    it.undone(1, None, "no key", 5).await;
    let free = NewRepair { cost: Cost::default(), ..it.at(0, Action::Upload) };
    let free = it.plan_one(free, 2).await.unwrap();
    it.failed(free, 3).await;
    let billed = it.plan(0, 3).await.unwrap();
    it.failed(billed, 3).await;
    let done = it.plan(0, 4).await.unwrap();
    it.see(0, Verified, 5).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    assert_eq!(tx.drop_failed_repairs(NOW + 5, 1).await.unwrap(), 1);
    assert_eq!(tx.drop_failed_repairs(NOW + 5, 9).await.unwrap(), 1);
    assert_eq!(tx.drop_failed_repairs(NOW + 5, 9).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let left: Vec<_> = it.all().await.iter().map(|one| one.id).collect();
    assert!(left.len() == 3 && left.contains(&billed) && left.contains(&done), "{left:?}");
}
