//! Incidents and the outbox of their alerts.

use std::collections::BTreeSet;

use everhold::{
    health::Health,
    incident::{Severity, Standing, Transition},
    ledger::{Incident, Ledger, Millis, NewAlert, PendingAlert, Subject},
};

use crate::{
    story::{CHAIN, HOUR, NOW, Story, contract, mint_batch, raw, row_of},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    opens_one_incident_for_a_content_of_a_collection,
    opens_another_when_the_first_is_over,
    shows_open_and_recent_incidents,
    takes_each_alert_once,
    tries_a_failed_alert_later,
    tries_first_what_was_tried_least,
    takes_the_worst_first_and_each_incident_in_order,
    holds_nothing_up_for_one_that_is_never_taken,
    takes_for_each_sink_by_itself,
    forgets_a_delivered_alert,
    keeps_the_outbox_over_a_restart,
    a_restart_tries_at_once_what_was_put_off,
    an_hour_without_a_sink_loses_and_doubles_nothing,
    calls_a_sink_by_its_new_name,
    knows_who_was_told_and_what_goes_on,
    knows_what_was_taken_since,
    is_closed_by_one_of_two_workers,
    remembers_how_bad_it_was,
    leaves_no_alert_of_a_dropped_transaction,
    shares_alerts_between_workers,
);

const MINUTE: Millis = HOUR / 60;
const SINK: &str = "https://example.com/hook";

async fn story(db: &Database) -> Story {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2])).await;
    story
}

async fn incident(story: &Story, id: &str, content: u8) -> Incident {
    Incident {
        id: id.to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Content {
            row: row_of(&story.ledger, raw(content)).await,
            id: raw(content),
        },
        health: Health::Degraded,
        summary: "http://one missing".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    }
}

async fn open(story: &Story, id: &str, content: u8) -> bool {
    let incident = incident(story, id, content).await;
    let mut tx = story.ledger.write().await.unwrap();
    let opened = tx.open_incident(&incident).await.unwrap();
    tx.commit().await.unwrap();
    opened
}

async fn close(story: &Story, id: &str, at: Millis) {
    let mut tx = story.ledger.write().await.unwrap();
    tx.close_incident(id, "recovered", at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn open_ids(ledger: &Ledger, closed_since: Millis) -> Vec<String> {
    let mut tx = ledger.read().await.unwrap();
    let all = tx.incidents(closed_since).await.unwrap();
    all.into_iter().map(|incident| incident.id).collect()
}

async fn enqueue(story: &Story, incident: &str, alert: &str, at: Millis) {
    let mut tx = story.ledger.write().await.unwrap();
    let new = NewAlert {
        id: alert.to_owned(),
        sink: SINK.to_owned(),
        severity: Severity::Warning,
        payload: format!("{{\"id\":\"{alert}\"}}"),
    };
    tx.enqueue_alert(incident, Transition::Opened, &new, at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn enqueue_as(story: &Story, incident: &str, alert: &str, severity: Severity) {
    let mut tx = story.ledger.write().await.unwrap();
    let (id, sink, payload) = (alert.to_owned(), SINK.to_owned(), "{}".to_owned());
    let new = NewAlert { id, sink, severity, payload };
    tx.enqueue_alert(incident, Transition::Opened, &new, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(ledger: &Ledger, now: Millis) -> Vec<PendingAlert> {
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_due_alerts(SINK, now, now + HOUR).await.unwrap();
    tx.commit().await.unwrap();
    due
}

async fn opens_one_incident_for_a_content_of_a_collection(db: Database) {
    let story = story(&db).await;
    assert!(open(&story, "a", 1).await);
    assert!(!open(&story, "b", 1).await);
    assert!(open(&story, "c", 2).await);
    assert_eq!(open_ids(&story.ledger, Millis::MAX).await, ["a", "c"]);
}

async fn opens_another_when_the_first_is_over(db: Database) {
    let story = story(&db).await;
    assert!(open(&story, "a", 1).await);
    close(&story, "a", NOW + 5).await;
    assert!(open(&story, "b", 1).await);
    close(&story, "a", NOW + 9).await;
    let mut tx = story.ledger.read().await.unwrap();
    let all = tx.incidents(0).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].closed_at, Some(NOW + 5), "it ended once");
    assert_eq!(all[0].close_reason.as_deref(), Some("recovered"));
    assert_eq!(all[1].closed_at, None);
}

async fn shows_open_and_recent_incidents(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    let mut tx = story.ledger.write().await.unwrap();
    let b = tx.incident("b").await.unwrap().unwrap();
    let lost = Standing::of(Health::Lost);
    assert!(tx.change_incident(&b, &lost, "http://one corrupt", false).await.unwrap());
    assert!(
        !tx.change_incident(&b, &lost, "http://one corrupt", false).await.unwrap(),
        "others have told of it"
    );
    tx.commit().await.unwrap();
    close(&story, "a", NOW + 5).await;
    let mut tx = story.ledger.write().await.unwrap();
    let a = tx.incident("a").await.unwrap().unwrap();
    assert!(!tx.change_incident(&a, &lost, "worse", false).await.unwrap(), "it is over");
    drop(tx);
    assert_eq!(open_ids(&story.ledger, Millis::MAX).await, ["b"]);
    assert_eq!(open_ids(&story.ledger, NOW + 6).await, ["b"]);
    assert_eq!(open_ids(&story.ledger, NOW + 5).await, ["a", "b"]);
    let mut tx = story.ledger.read().await.unwrap();
    let b = tx.incidents(Millis::MAX).await.unwrap().remove(0);
    assert_eq!((b.health, b.summary.as_str()), (Health::Lost, "http://one corrupt"));
    let named = b.subject.content().map(|(_, id)| id);
    assert_eq!((named, b.collection, b.opened_at), (Some(raw(2)), contract(0), NOW));
}

async fn takes_each_alert_once(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue(&story, "a", "first", NOW).await;
    enqueue(&story, "a", "waits for the first", NOW).await;
    enqueue(&story, "b", "later", NOW + 1).await;
    assert!(take(&story.ledger, NOW - 1).await.is_empty());
    let due = take(&story.ledger, NOW + 1).await;
    let ids: Vec<_> = due.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids, ["first", "later"]);
    assert_eq!(due[0].event, "incident.opened");
    assert_eq!(due[0].payload, "{\"id\":\"first\"}");
    assert!(take(&story.ledger, NOW + 2).await.is_empty());
    assert_eq!(take(&story.ledger, NOW + 2 * HOUR).await.len(), 2, "the lease ended");
}

async fn tries_a_failed_alert_later(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    enqueue(&story, "a", "x", NOW).await;
    for attempt in 0..3 {
        let at = NOW + i64::from(attempt) * 1000;
        let due = take(&story.ledger, at).await;
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].attempts, attempt);
        let mut tx = story.ledger.write().await.unwrap();
        tx.alert_failed("x", "HTTP 500", at + 1000).await.unwrap();
        tx.commit().await.unwrap();
        assert!(take(&story.ledger, at + 999).await.is_empty());
    }
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.waiting_alerts(SINK).await.unwrap(), (1, Some(NOW + 3000)));
}

/// One that a sink can't take holds up no others, but those of its incident.
async fn tries_first_what_was_tried_least(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue(&story, "a", "bad", NOW).await;
    enqueue(&story, "a", "behind it", NOW).await;
    enqueue(&story, "b", "good", NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.alert_failed("bad", "HTTP 500", NOW).await.unwrap();
    tx.alert_put_off("good", NOW + 5).await.unwrap();
    assert_eq!(tx.waiting_alerts(SINK).await.unwrap(), (3, Some(NOW)));
    tx.alert_put_off("bad", NOW + 7).await.unwrap();
    let next = tx.waiting_alerts(SINK).await.unwrap();
    assert_eq!(next, (3, Some(NOW + 5)), "what waits for another is not next");
    assert!(tx.is_alert_due(SINK, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let taken: Vec<_> = take(&story.ledger, NOW + 7).await.into_iter().map(|one| one.id).collect();
    assert_eq!(taken, ["good", "bad"]);
}

/// Whatever waits, what is critical is sent next, with what its incident has told before.
async fn takes_the_worst_first_and_each_incident_in_order(db: Database) {
    let story = story(&db).await;
    for number in 0..30 {
        let id = format!("w{number:02}");
        open(&story, &id, 1).await;
        enqueue_as(&story, &id, &id, Severity::Warning).await;
        close(&story, &id, NOW).await;
    }
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue_as(&story, "a", "a-degraded", Severity::Warning).await;
    enqueue_as(&story, "b", "b-told", Severity::Info).await;
    enqueue_as(&story, "a", "a-lost", Severity::Critical).await;
    let mut order = Vec::new();
    while let due @ [_, ..] = &*take(&story.ledger, NOW).await {
        assert!(due.len() <= 20);
        let mut tx = story.ledger.write().await.unwrap();
        for alert in due {
            tx.alert_delivered(&alert.id, NOW).await.unwrap();
            order.push(alert.id.clone());
        }
        tx.commit().await.unwrap();
    }
    assert_eq!((order.len(), order[0].as_str()), (33, "a-degraded"));
    assert_eq!(
        order[20], "a-lost",
        "it waited for one alone, and what was taken with it: {order:?}"
    );
    assert_eq!(order.last().map(String::as_str), Some("b-told"));
}

/// One that the sink never takes has its turn less and less, however bad what it tells is.
async fn holds_nothing_up_for_one_that_is_never_taken(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue_as(&story, "a", "bad", Severity::Critical).await;
    enqueue_as(&story, "b", "good", Severity::Warning).await;
    let mut first = 0;
    loop {
        let mut tx = story.ledger.write().await.unwrap();
        let due = tx.take_due_alerts(SINK, NOW, NOW).await.unwrap();
        assert_eq!(due.len(), 2);
        tx.alert_failed("bad", "HTTP 500", NOW).await.unwrap();
        tx.commit().await.unwrap();
        if due[0].id == "good" {
            break;
        }
        first += 1;
    }
    assert!((5..20).contains(&first), "it was first {first} times");
    // Nor does more of the same incident bring it back to the front.
    enqueue_as(&story, "a", "worse", Severity::Critical).await;
    assert_eq!(take(&story.ledger, NOW).await[0].id, "good");
}

/// However much waits for one, the others get what is due.
async fn takes_for_each_sink_by_itself(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue(&story, "a", "x", NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    let new = NewAlert {
        id: "y".to_owned(),
        sink: "other".to_owned(),
        severity: Severity::Warning,
        payload: "{}".to_owned(),
    };
    tx.enqueue_alert("b", Transition::Opened, &new, NOW).await.unwrap();
    let taken = tx.take_due_alerts("other", NOW, NOW + HOUR).await.unwrap();
    let taken: Vec<_> = taken.iter().map(|one| (&*one.id, &*one.incident)).collect();
    assert_eq!(taken, [("y", "b")]);
    tx.release_alerts_of(SINK).await.unwrap();
    assert!(
        tx.is_alert_due(SINK, 0).await.unwrap() && !tx.is_alert_due("other", NOW).await.unwrap()
    );
    assert_eq!(tx.waiting_alerts("unknown").await.unwrap(), (0, None));
}

async fn forgets_a_delivered_alert(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    enqueue(&story, "a", "x", NOW).await;
    take(&story.ledger, NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.alert_delivered("x", NOW).await.unwrap();
    // Another worker, whose lease had ended, comes late with its failure; and one starts anew.
    tx.alert_failed("x", "no answer", NOW + 1).await.unwrap();
    tx.release_alerts().await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.waiting_alerts(SINK).await.unwrap(), (0, None));
    drop(tx);
    assert!(take(&story.ledger, Millis::MAX - HOUR).await.is_empty());
}

async fn keeps_the_outbox_over_a_restart(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue(&story, "a", "x", NOW).await;
    enqueue(&story, "b", "y", NOW).await;
    take(&story.ledger, NOW).await;
    story.ledger.close().await;
    let ledger = db.open().await;
    let mut tx = ledger.write().await.unwrap();
    tx.release_alerts().await.unwrap();
    tx.commit().await.unwrap();
    // On PostgreSQL, another process may be about to send them: until its lease ends.
    let again = if db.engine == Engine::Postgres { NOW + HOUR } else { NOW };
    assert!(again == NOW || take(&ledger, NOW).await.is_empty());
    let due = take(&ledger, again).await;
    let ids: Vec<_> = due.iter().map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids, ["x", "y"]);
}

/// What waits for a sink and is in nobody's hands is due at once after a start.
async fn a_restart_tries_at_once_what_was_put_off(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    enqueue(&story, "a", "x", NOW).await;
    take(&story.ledger, NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.alert_failed("x", "HTTP 404", NOW + HOUR).await.unwrap();
    tx.release_alerts().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take(&story.ledger, NOW).await.len(), 1);
}

/// A sink is down for an hour while three incidents come and go: all is told afterwards, once, and of
/// each incident in its order.
async fn an_hour_without_a_sink_loses_and_doubles_nothing(db: Database) {
    let story = story(&db).await;
    for (number, minute) in [(0, 0), (1, 5), (2, 20)] {
        let (id, at) = (format!("i{number}"), NOW + minute * MINUTE);
        open(&story, &id, 1).await;
        enqueue(&story, &id, &format!("{number}-opened"), at).await;
        close(&story, &id, at).await;
        enqueue(&story, &id, &format!("{number}-recovered"), at + 1).await;
    }
    let (mut tried, mut now) = (0, NOW);
    while now < NOW + HOUR {
        for (position, alert) in take(&story.ledger, now).await.into_iter().enumerate() {
            let mut tx = story.ledger.write().await.unwrap();
            let retry = now + (1000 << alert.attempts.min(20)).min(10 * MINUTE);
            match position {
                0 => tx.alert_failed(&alert.id, "can't connect", retry).await.unwrap(),
                _ => tx.alert_put_off(&alert.id, retry).await.unwrap(),
            }
            tx.commit().await.unwrap();
            tried += 1;
        }
        now += 1000;
    }
    assert!((10..200).contains(&tried), "tried {tried} times in an hour");
    let mut outbox = story.ledger.read().await.unwrap().outbox().await.unwrap();
    let state = outbox.remove(0);
    assert_eq!((state.waiting, state.delivered, state.oldest), (6, 0, Some(NOW)));
    assert_eq!(state.last_error.as_deref(), Some("can't connect"));
    let mut told = Vec::new();
    while now < NOW + 2 * HOUR {
        for alert in take(&story.ledger, now).await {
            let mut tx = story.ledger.write().await.unwrap();
            tx.alert_delivered(&alert.id, now).await.unwrap();
            tx.commit().await.unwrap();
            told.push(alert.id);
        }
        now += 1000;
    }
    let once: BTreeSet<_> = told.iter().collect();
    assert_eq!((told.len(), once.len()), (6, 6), "{told:?}");
    for number in 0..3 {
        let at = |event: &str| told.iter().position(|id| *id == format!("{number}-{event}"));
        assert!(at("opened") < at("recovered"), "{told:?}");
    }
}

async fn calls_a_sink_by_its_new_name(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    enqueue(&story, "a", "x", NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.sinks_in_outbox().await.unwrap(), [SINK]);
    tx.rename_sink(SINK, "webhook:12").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.take_due_alerts(SINK, NOW, NOW + HOUR).await.unwrap().is_empty());
    assert_eq!(tx.take_due_alerts("webhook:12", NOW, NOW + HOUR).await.unwrap().len(), 1);
}

/// Who is told is told of what comes of it; a sink that was dropped from the settings is not.
async fn knows_who_was_told_and_what_goes_on(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    enqueue(&story, "a", "x", NOW).await;
    enqueue(&story, "b", "y", NOW).await;
    let sink = SINK;
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.told_of("a").await.unwrap().contains(sink));
    assert!(tx.going_on(sink).await.unwrap().is_empty(), "nothing was taken yet");
    tx.alert_delivered("x", NOW).await.unwrap();
    assert_eq!(tx.waited_for_since(NOW).await.unwrap(), [] as [&str; 0]);
    assert_eq!(tx.waited_for_since(NOW + 1).await.unwrap(), [sink]);
    assert_eq!(tx.drop_alerts(sink, NOW, "gone").await.unwrap(), 0, "not that old");
    assert_eq!(
        tx.drop_alerts(sink, NOW + 1, "gone").await.unwrap(),
        1,
        "and not what was delivered"
    );
    assert!(tx.told_of("a").await.unwrap().contains(sink));
    assert!(tx.told_of("b").await.unwrap().is_empty());
    let going_on = tx.going_on(sink).await.unwrap();
    assert_eq!((going_on.len(), going_on[0].opened_at), (1, NOW));
    assert_eq!(going_on[0].payload, "{\"id\":\"x\"}");
    tx.close_incident("a", "recovered", NOW).await.unwrap();
    assert!(tx.going_on(sink).await.unwrap().is_empty());
}

async fn knows_what_was_taken_since(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    open(&story, "b", 2).await;
    for (incident, alert, at) in [("a", "x", 10), ("a", "y", 30), ("b", "z", 20)] {
        enqueue(&story, incident, alert, NOW).await;
        let mut tx = story.ledger.write().await.unwrap();
        tx.alert_delivered(alert, NOW + at).await.unwrap();
        tx.commit().await.unwrap();
    }
    enqueue(&story, "b", "waits", NOW).await;
    close(&story, "a", NOW).await;
    let mut tx = story.ledger.read().await.unwrap();
    let mut taken = Vec::new();
    for (incident, seq) in tx.taken_since(SINK, NOW + 15).await.unwrap() {
        let alert = tx.taken_alert(seq).await.unwrap().unwrap();
        assert_eq!((&alert.incident, alert.opened_at), (&incident, NOW));
        taken.push(alert.id);
    }
    taken.sort();
    assert_eq!(taken, ["y", "z"], "the last of each, whether it is over or not");
    assert!(tx.taken_since(SINK, NOW + 31).await.unwrap().is_empty());
    assert!(tx.taken_since("other", 0).await.unwrap().is_empty());
    assert!(tx.taken_alert(-1).await.unwrap().is_none());
}

/// Both know it as open, and both would tell that it is over.
async fn is_closed_by_one_of_two_workers(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    let worker = async || {
        let open = story.ledger.read().await.unwrap().incidents(Millis::MAX).await.unwrap();
        assert_eq!(open.len(), 1);
        let mut tx = story.ledger.write().await.unwrap();
        let closed = tx.close_incident("a", "recovered", NOW).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        tx.commit().await.unwrap();
        closed
    };
    let (one, two) = tokio::join!(worker(), worker());
    assert!(one != two, "{one} {two}");
}

async fn remembers_how_bad_it_was(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1).await;
    let mut tx = story.ledger.write().await.unwrap();
    for (now, worst) in [
        (Severity::Warning, Severity::Warning),
        (Severity::Critical, Severity::Critical),
        (Severity::Info, Severity::Critical),
    ] {
        assert_eq!(tx.weigh_incident("a", now).await.unwrap(), worst);
    }
}

async fn leaves_no_alert_of_a_dropped_transaction(db: Database) {
    let story = story(&db).await;
    let incident = incident(&story, "a", 1).await;
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.open_incident(&incident).await.unwrap());
    let new = NewAlert {
        id: "x".to_owned(),
        sink: "https://example.com".to_owned(),
        severity: Severity::Warning,
        payload: "{}".to_owned(),
    };
    tx.enqueue_alert("a", Transition::Opened, &new, NOW).await.unwrap();
    drop(tx);
    assert!(open_ids(&story.ledger, 0).await.is_empty());
    assert!(take(&story.ledger, NOW).await.is_empty());
}

async fn shares_alerts_between_workers(db: Database) {
    let story = story(&db).await;
    for alert in 0..90_u8 {
        let id = format!("{alert:03}");
        open(&story, &id, 1 + alert % 2).await;
        enqueue(&story, &id, &id, NOW).await;
        close(&story, &id, NOW).await;
    }
    let mut workers = Vec::new();
    for _ in 0..6 {
        let ledger = story.ledger.clone();
        workers.push(tokio::spawn(async move {
            let mut taken = take(&ledger, NOW).await;
            taken.extend(take(&ledger, NOW).await);
            taken
        }));
    }
    let mut taken = Vec::new();
    for worker in workers {
        taken.extend(worker.await.unwrap());
    }
    taken.extend(take(&story.ledger, NOW).await);
    let ids: BTreeSet<_> = taken.iter().map(|alert| alert.id.clone()).collect();
    assert_eq!((taken.len(), ids.len()), (90, 90));
}
