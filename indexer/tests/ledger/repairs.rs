//! Repairs: only a probe says that one worked. Messages: signed once, kept.

use everhold::{
    health::ReplicaState::{Corrupt, Missing, Verified},
    ledger::{Repair, RepairState, RowId},
};

use crate::{
    story::{NOW, Story, mint, raw, record, row_of, seen, set_nodes},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    is_done_only_by_a_verified_probe,
    never_undoes_what_a_probe_proved,
    counts_failures_since_the_last_that_worked,
    tells_repairs_since_a_time,
    keeps_messages,
);

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
    async fn plan(&self, node: usize, at: i64) -> RowId {
        let mut tx = self.story.ledger.write().await.unwrap();
        let planned =
            tx.plan_repair(self.content, self.nodes[node], "upload", Some("abc"), NOW + at).await;
        tx.commit().await.unwrap();
        planned.unwrap()
    }

    async fn update(&self, id: RowId, state: RepairState, detail: &str) {
        let mut tx = self.story.ledger.write().await.unwrap();
        tx.update_repair(id, state, Some(detail), NOW + 50).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn repair(&self, id: RowId) -> Repair {
        let mut tx = self.story.ledger.read().await.unwrap();
        let all = tx.repairs_since(self.content, 0).await.unwrap();
        all.into_iter().find(|repair| repair.id == id).unwrap()
    }

    async fn failed(&self, node: usize) -> (i64, Option<i64>) {
        let mut tx = self.story.ledger.read().await.unwrap();
        let failed = tx.failed_repairs(self.content, self.nodes[node], NOW).await;
        failed.unwrap()
    }
}

async fn is_done_only_by_a_verified_probe(db: Database) {
    let it = setting(&db).await;
    let planned = it.plan(0, 1).await;
    let sent = it.plan(0, 2).await;
    let elsewhere = it.plan(1, 3).await;
    it.update(sent, RepairState::Sent, "accepted").await;
    for state in [Missing, Corrupt] {
        record(&it.story.ledger, &seen(it.content, it.nodes[0], state, NOW + 9)).await;
        assert_eq!(it.repair(sent).await.state, RepairState::Sent);
        assert_eq!(it.repair(planned).await.state, RepairState::Planned);
    }
    record(&it.story.ledger, &seen(it.content, it.nodes[0], Verified, NOW + 10)).await;
    for id in [planned, sent] {
        let repair = it.repair(id).await;
        assert_eq!(repair.state, RepairState::Done);
        assert_eq!(repair.finished_at, Some(NOW + 10));
    }
    assert_eq!(it.repair(sent).await.detail.as_deref(), Some("accepted"));
    assert_eq!(it.repair(elsewhere).await.state, RepairState::Planned);
}

async fn never_undoes_what_a_probe_proved(db: Database) {
    let it = setting(&db).await;
    let failed = it.plan(0, 1).await;
    it.update(failed, RepairState::Failed, "HTTP 500").await;
    let done = it.plan(0, 2).await;
    record(&it.story.ledger, &seen(it.content, it.nodes[0], Verified, NOW + 10)).await;
    it.update(done, RepairState::Failed, "late").await;
    it.update(done, RepairState::Sent, "later").await;
    let repair = it.repair(done).await;
    assert_eq!(repair.state, RepairState::Done);
    assert_eq!((repair.finished_at, repair.detail), (Some(NOW + 10), None));
    let repair = it.repair(failed).await;
    assert_eq!(repair.state, RepairState::Failed, "another one worked, not this");
    assert_eq!(repair.finished_at, Some(NOW + 50));
}

async fn counts_failures_since_the_last_that_worked(db: Database) {
    let it = setting(&db).await;
    assert_eq!(it.failed(0).await, (0, None));
    for at in 1..=3 {
        let id = it.plan(0, at).await;
        it.update(id, RepairState::Failed, "no").await;
    }
    assert_eq!(it.failed(0).await, (3, Some(NOW + 3)));
    assert_eq!(it.failed(1).await, (0, None));
    it.plan(0, 4).await;
    record(&it.story.ledger, &seen(it.content, it.nodes[0], Verified, NOW + 10)).await;
    assert_eq!(it.failed(0).await, (0, None));
    let id = it.plan(0, 20).await;
    it.update(id, RepairState::Failed, "no").await;
    assert_eq!(it.failed(0).await, (1, Some(NOW + 20)));
    // One of a clock that was ahead puts nothing off, and what follows it counts.
    it.plan(0, 1_000_000_000).await;
    assert_eq!(it.failed(0).await, (2, None));
    it.plan(0, 30).await;
    assert_eq!(it.failed(0).await, (3, Some(NOW + 30)));
}

async fn tells_repairs_since_a_time(db: Database) {
    let it = setting(&db).await;
    let (first, second) = (it.plan(0, 1).await, it.plan(1, 2).await);
    let mut tx = it.story.ledger.read().await.unwrap();
    let since = tx.repairs_since(it.content, NOW + 2).await.unwrap();
    assert_eq!(since.len(), 1);
    assert_eq!(since[0].id, second);
    assert_eq!(since[0].node, "http://two");
    assert_eq!(since[0].message_hash.as_deref(), Some("abc"));
    let all = tx.repairs_since(it.content, NOW + 1).await.unwrap();
    let ids: Vec<_> = all.iter().map(|repair| repair.id).collect();
    assert_eq!(ids, [first, second]);
}

async fn keeps_messages(db: Database) {
    let it = setting(&db).await;
    let other = row_of(&it.story.ledger, raw(2)).await;
    let mut tx = it.story.ledger.write().await.unwrap();
    let envelope = "{\"item_hash\":\"h1\",\"time\":1}";
    tx.keep_message(it.content, "h1", "0xaa", envelope, NOW).await.unwrap();
    tx.keep_message(it.content, "h1", "0xaa", "changed", NOW + 9).await.unwrap();
    tx.commit().await.unwrap();
    it.story.ledger.close().await;
    let ledger = db.open().await;
    let mut tx = ledger.write().await.unwrap();
    let kept = tx.kept_message(it.content, "0xaa").await.unwrap();
    assert_eq!(kept.as_deref(), Some(envelope), "a message is what was signed");
    assert_eq!(tx.kept_message(it.content, "0xbb").await.unwrap(), None);
    assert_eq!(tx.kept_message(other, "0xaa").await.unwrap(), None);
    tx.keep_message(it.content, "h2", "0xaa", "newer", NOW + 1).await.unwrap();
    let kept = tx.kept_message(it.content, "0xaa").await.unwrap();
    assert_eq!(kept.as_deref(), Some("newer"));
}
