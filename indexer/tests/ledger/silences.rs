//! What people say of incidents, and those that come and go.

use everhold::{
    content::Digest,
    health::Health,
    incident::{Seen, Severity, Standing, Transition},
    ledger::{
        Ack, Care, Incident, Ledger, Millis, NewAlert, Scope, Silence, Subject, silent_until,
    },
};

use crate::{
    story::{CHAIN, HOUR, NOW, Story, contract, mint_batch, raw, row_of},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    keeps_who_looks_after_an_open_incident,
    keeps_silences_while_they_are_in_force,
    holds_alerts_back_until_a_silence_ends,
    lets_alerts_go_when_a_silence_is_ended,
    drops_what_there_is_newer_news_of,
    puts_newer_news_in_the_place_of_what_waits,
    keeps_how_an_incident_was_told_of,
    counts_openings_and_what_was_told,
);

async fn story(db: &Database) -> Story {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2])).await;
    story
}

async fn open(story: &Story, id: &str, content: u8, at: Millis) -> Incident {
    let row = row_of(&story.ledger, raw(content)).await;
    let incident = Incident {
        id: id.to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Content { row, id: raw(content) },
        health: Health::Degraded,
        summary: "http://one missing".to_owned(),
        opened_at: at,
        closed_at: None,
        close_reason: None,
        care: Care { independent: Some(2), held: Some(1), ..Care::default() },
    };
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.open_incident(&incident).await.unwrap());
    tx.commit().await.unwrap();
    incident
}

async fn enqueue(story: &Story, incident: &str, alert: &str, at: Millis) {
    let mut tx = story.ledger.write().await.unwrap();
    let (id, sink) = (alert.to_owned(), "webhook:1".to_owned());
    let new = NewAlert { id, sink, severity: Severity::Warning, payload: "{}".to_owned() };
    tx.enqueue_alert(incident, Transition::Opened, &new, at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn taken(ledger: &Ledger, now: Millis) -> Vec<String> {
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_due_alerts("webhook:1", now, now + HOUR).await.unwrap();
    tx.commit().await.unwrap();
    due.into_iter().map(|alert| alert.id).collect()
}

async fn withhold(story: &Story, incident: &str, until: Option<Millis>) {
    let mut tx = story.ledger.write().await.unwrap();
    tx.withhold(incident, until, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

fn silence(id: &str, scope: Scope, until: Millis) -> Silence {
    let (reason, by) = ("a move".to_owned(), "ann".to_owned());
    Silence { id: id.to_owned(), scope, reason, by, at: NOW, until }
}

async fn keeps_who_looks_after_an_open_incident(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1, NOW).await;
    let ack = Ack { at: NOW, by: "ann\0".to_owned(), reason: "on it".to_owned() };
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.acknowledge("a", &ack).await.unwrap());
    assert!(!tx.acknowledge("b", &ack).await.unwrap());
    let known = tx.incident("a").await.unwrap().unwrap().care.ack.unwrap();
    assert_eq!((known.at, &*known.by, &*known.reason), (NOW, "ann\u{fffd}", "on it"));
    tx.close_incident("a", "recovered", NOW).await.unwrap();
    assert!(!tx.acknowledge("a", &ack).await.unwrap(), "it is over");
    assert!(tx.incident("b").await.unwrap().is_none());
}

async fn keeps_silences_while_they_are_in_force(db: Database) {
    let story = story(&db).await;
    let (one, two) = (open(&story, "a", 1, NOW).await, open(&story, "b", 2, NOW).await);
    let content = Scope::Content(raw(1).digest);
    let mut tx = story.ledger.write().await.unwrap();
    for (id, scope, until) in [
        ("s1", Scope::Incident("b".to_owned()), NOW + 10),
        ("s2", content.clone(), NOW + 20),
        ("s3", Scope::Collection(contract(0)), NOW + 5),
    ] {
        tx.silence(&silence(id, scope, until)).await.unwrap();
    }
    let all = tx.silences(NOW).await.unwrap();
    assert_eq!((all.len(), &all[1].scope, &*all[1].by), (3, &content, "ann"));
    assert_eq!(silent_until(&all, &one), Some(NOW + 20));
    assert_eq!(silent_until(&all, &two), Some(NOW + 10));
    let later = tx.silences(NOW + 10).await.unwrap();
    assert_eq!((silent_until(&later, &one), silent_until(&later, &two)), (Some(NOW + 20), None));
    assert_eq!(tx.unsilence(&content, "bob", NOW).await.unwrap(), 1);
    assert_eq!(tx.unsilence(&content, "bob", NOW).await.unwrap(), 0, "it is ended");
    let other = Scope::Content(Digest([9; 32]));
    assert_eq!(tx.unsilence(&other, "bob", NOW).await.unwrap(), 0);
    assert_eq!(silent_until(&tx.silences(NOW).await.unwrap(), &one), Some(NOW + 5));
}

async fn holds_alerts_back_until_a_silence_ends(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1, NOW).await;
    open(&story, "b", 2, NOW).await;
    enqueue(&story, "a", "held", NOW).await;
    enqueue(&story, "b", "on its way", NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.withhold("a", Some(NOW + 2 * HOUR), NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(taken(&story.ledger, NOW).await, ["on its way"]);
    withhold(&story, "b", Some(NOW + 2 * HOUR)).await;
    let mut tx = story.ledger.write().await.unwrap();
    // Neither a start nor what waits for sinks is about it.
    tx.release_alerts().await.unwrap();
    assert_eq!(tx.waiting_alerts("webhook:1").await.unwrap().0, 1);
    tx.alert_delivered("on its way", NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(taken(&story.ledger, NOW + 2 * HOUR - 1).await.is_empty());
    assert_eq!(taken(&story.ledger, NOW + 2 * HOUR).await, ["held"]);
}

async fn lets_alerts_go_when_a_silence_is_ended(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1, NOW).await;
    enqueue(&story, "a", "x", NOW).await;
    withhold(&story, "a", Some(NOW + HOUR)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let waiting: Vec<_> = tx.incidents_to_tell().await.unwrap();
    assert_eq!(waiting.len(), 1);
    drop(tx);
    withhold(&story, "a", None).await;
    assert_eq!(taken(&story.ledger, NOW).await, ["x"]);
}

async fn drops_what_there_is_newer_news_of(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1, NOW).await;
    enqueue(&story, "a", "old", NOW).await;
    withhold(&story, "a", Some(NOW + HOUR)).await;
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.told_of("a").await.unwrap().contains("webhook:1"));
    assert!(tx.told_for_good("a").await.unwrap().is_empty(), "it may still be dropped");
    tx.supersede("a").await.unwrap();
    assert!(tx.told_of("a").await.unwrap().is_empty(), "nobody was told");
    tx.commit().await.unwrap();
    enqueue(&story, "a", "new", NOW).await;
    assert_eq!(taken(&story.ledger, NOW + HOUR).await, ["new"]);
}

async fn puts_newer_news_in_the_place_of_what_waits(db: Database) {
    let story = story(&db).await;
    open(&story, "a", 1, NOW).await;
    for alert in ["told", "old", "beside", "gone"] {
        enqueue(&story, "a", alert, NOW).await;
        if alert == "told" {
            assert_eq!(taken(&story.ledger, NOW).await, ["told"]);
        }
    }
    withhold(&story, "a", Some(NOW + HOUR)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let held = tx.withheld("a").await.unwrap();
    let held: Vec<_> = held.iter().map(|one| (&*one.id, &*one.sink, one.transition)).collect();
    let opened = |id| (id, "webhook:1", Transition::Opened);
    assert_eq!(held, ["old", "beside", "gone"].map(opened), "not what is on its way");
    assert!(tx.told_for_good("a").await.unwrap().contains("webhook:1"), "it is on its way");
    tx.alert_delivered("told", NOW).await.unwrap();
    let (id, sink, payload) = ("new".to_owned(), "webhook:1".to_owned(), "{\"new\":1}".to_owned());
    let new = NewAlert { id, sink, severity: Severity::Critical, payload };
    assert!(tx.replace_alert("old", Transition::Worsened, &new, NOW + 1).await.unwrap());
    tx.rewrite_alert("beside", "{\"x\":1}", Severity::Critical).await.unwrap();
    tx.supersede_alert("gone").await.unwrap();
    assert!(!tx.replace_alert("old", Transition::Worsened, &new, NOW).await.unwrap(), "it is gone");
    assert!(
        !tx.replace_alert("told", Transition::Worsened, &new, NOW).await.unwrap(),
        "it was sent"
    );
    tx.commit().await.unwrap();
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_alerts("webhook:1", NOW + HOUR, NOW + HOUR).await.unwrap();
    let due: Vec<_> = due.iter().map(|one| (&*one.id, &*one.event, &*one.payload)).collect();
    assert_eq!(due, [("new", "incident.worsened", "{\"new\":1}")], "the next waits for it");
    tx.alert_delivered("new", NOW + HOUR).await.unwrap();
    let due = tx.take_due_alerts("webhook:1", NOW + HOUR, NOW + HOUR).await.unwrap();
    let due: Vec<_> = due.iter().map(|one| (&*one.id, &*one.payload)).collect();
    assert_eq!(due, [("beside", "{\"x\":1}")]);
}

async fn keeps_how_an_incident_was_told_of(db: Database) {
    let story = story(&db).await;
    let opened = open(&story, "a", 1, NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    let known = tx.incident("a").await.unwrap().unwrap();
    assert_eq!((known.standing(), known.care.flapping), (opened.standing(), false));
    let seen = Seen { health: Health::Healthy, since: NOW };
    tx.note_seen("a", seen).await.unwrap();
    assert_eq!(tx.incident("a").await.unwrap().unwrap().care.seen, Some(seen));
    let standing = Standing { health: Health::Lost, independent: Some(0), held: None };
    assert!(tx.change_incident(&known, &standing, "worse", true).await.unwrap());
    let known = tx.incident("a").await.unwrap().unwrap();
    assert_eq!((known.standing(), known.summary.as_str()), (standing, "worse"));
    assert_eq!((known.care.flapping, known.care.seen), (true, None));
}

async fn counts_openings_and_what_was_told(db: Database) {
    let story = story(&db).await;
    let first = open(&story, "a", 1, NOW).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.close_incident("a", "recovered", NOW + 1).await.unwrap();
    tx.commit().await.unwrap();
    open(&story, "b", 1, NOW + 10).await;
    open(&story, "c", 2, NOW + 10).await;
    for (alert, at) in [("x", NOW), ("y", NOW + 10), ("z", NOW + 20)] {
        enqueue(&story, "b", alert, at).await;
    }
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.openings(&first, NOW - 1).await.unwrap(), 2);
    assert_eq!(tx.openings(&first, NOW).await.unwrap(), 1);
    let Subject::Content { row, id } = first.subject else { panic!("{first:?}") };
    let path = |path: &str| Subject::Path { reference: path.to_owned() };
    for subject in [Subject::Removal { row, id }, path("ipfs://x/1"), Subject::Credits] {
        let id = format!("{subject:?}");
        let other = Incident { id, subject, opened_at: NOW, ..first.clone() };
        assert_eq!(tx.openings(&other, NOW - 1).await.unwrap(), 0);
        assert!(tx.open_incident(&other).await.unwrap());
        assert_eq!(tx.openings(&other, NOW - 1).await.unwrap(), 1);
        assert_eq!(tx.openings(&other, NOW).await.unwrap(), 0);
    }
    let elsewhere = Incident { subject: path("ipfs://x/2"), ..first };
    assert_eq!(tx.openings(&elsewhere, NOW - 1).await.unwrap(), 0);
    assert_eq!(tx.told_since("b", NOW - 1).await.unwrap(), 3);
    assert_eq!(tx.told_since("b", NOW + 10).await.unwrap(), 1);
    assert_eq!(tx.told_since("c", NOW).await.unwrap(), 0);
}
