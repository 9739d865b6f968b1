//! Providers that routers name: rows of what they were named for alone, few of many, and gone when
//! nothing speaks for them.

use std::collections::BTreeSet;

use everhold::{
    health::{
        Health, Policy,
        ReplicaState::{self, Claimed, Corrupt, Missing, Unreachable, Verified},
    },
    ledger::{
        Announcement, Ledger, MOST_OF_A_CONTENT, MOST_PROVIDERS, Millis, Named, Node, NodeKind,
        ProbeRecord, Replica, RowId,
    },
    picture::Picture,
};

use crate::{
    story::{HOUR, NOW, Story, mint, mint_batch, raw, record, row_of, seen, take_all},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    has_rows_of_what_was_announced_alone,
    stays_a_claim_until_it_serves,
    makes_up_for_a_node_and_never_alarms,
    comes_back_by_no_late_probe,
    leaves_when_nobody_names_it,
    goes_with_its_router,
    is_none_that_is_configured,
    is_no_other_name_of_a_configured_host,
    holds_two_places_with_all_its_names,
    is_tried_on_few_contents_with_all_its_names,
    keeps_its_place_before_later_neighbours,
    crowds_out_nobody,
    makes_room_by_sending_away_the_useless,
    is_told_apart_by_its_address,
    adds_nothing_to_a_configured_machine,
    is_apart_from_no_other_with_more_addresses_than_are_kept,
    loses_no_place_to_another_name_of_it,
    has_one_place_whoever_names_it,
    rests_while_a_content_is_not_wanted,
);

const NODE: &str = "http://node";
const ROUTER: &str = "http://router";
const OTHER_ROUTER: &str = "http://router-2";

async fn configure(ledger: &Ledger, nodes: &[(&str, NodeKind)]) -> Vec<RowId> {
    let node = |(url, kind): &(&str, NodeKind)| Node {
        id: 0,
        url: (*url).to_owned(),
        kind: *kind,
        operator: None,
        address: (*url).to_owned(),
    };
    let nodes: Vec<_> = nodes.iter().map(node).collect();
    let mut tx = ledger.write().await.unwrap();
    tx.set_nodes(&nodes).await.unwrap();
    let known = tx.nodes().await.unwrap();
    tx.commit().await.unwrap();
    nodes.iter().map(|node| known.iter().find(|one| one.url == node.url).unwrap().id).collect()
}

const ALL: [(&str, NodeKind); 3] =
    [(NODE, NodeKind::Aleph), (ROUTER, NodeKind::Routing), (OTHER_ROUTER, NodeKind::Routing)];

/// A ledger with a node, two routers and contents.
async fn story(db: &Database, contents: &[u8]) -> (Story, Vec<RowId>) {
    let ledger = db.open().await;
    let nodes = configure(&ledger, &ALL).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint_batch(0, 1, 1, contents)).await;
    take_all(&story.ledger, NOW).await;
    release(&story.ledger).await;
    (story, nodes)
}

async fn release(ledger: &Ledger) {
    let mut tx = ledger.write().await.unwrap();
    tx.release_leases().await.unwrap();
    tx.commit().await.unwrap();
}

async fn announce(ledger: &Ledger, content: u8, router: RowId, urls: &[String], at: Millis) {
    let content = row_of(ledger, raw(content)).await;
    let named = urls.iter().map(|url| Named { url: url.clone(), address: url.clone() }).collect();
    let mut tx = ledger.write().await.unwrap();
    let said = Announcement { content, router, named, at };
    tx.announce(&[said], at - 48 * HOUR).await.unwrap();
    tx.commit().await.unwrap();
}

async fn replicas(ledger: &Ledger, content: u8) -> Vec<Replica> {
    let row = row_of(ledger, raw(content)).await;
    ledger.read().await.unwrap().replicas_of(row).await.unwrap()
}

async fn providers(ledger: &Ledger) -> Vec<(RowId, String)> {
    ledger.read().await.unwrap().providers().await.unwrap()
}

fn url(number: usize) -> String {
    format!("http://10.{}.{}.{}:80", number >> 16, (number >> 8) & 255, number & 255)
}

async fn saw(ledger: &Ledger, content: u8, node: RowId, state: ReplicaState, at: Millis) {
    let row = row_of(ledger, raw(content)).await;
    record(ledger, &seen(row, node, state, at)).await;
}

/// The one replica of a content at a provider.
async fn at_provider(ledger: &Ledger, content: u8) -> Option<Replica> {
    let rows: BTreeSet<_> = providers(ledger).await.into_iter().map(|(row, _)| row).collect();
    replicas(ledger, content).await.into_iter().find(|one| rows.contains(&one.node))
}

async fn has_rows_of_what_was_announced_alone(db: Database) {
    let (mut story, nodes) = story(&db, &[1, 2, 3]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW).await;
    announce(&story.ledger, 1, nodes[2], &[url(1)], NOW).await;
    story.tell(mint(0, 9, 1, 4)).await;
    let provider = providers(&story.ledger).await[0].0;
    let due = take_all(&story.ledger, NOW).await;
    let at: Vec<_> = due.iter().filter(|probe| probe.node == provider).collect();
    assert_eq!(at.iter().map(|probe| probe.id).collect::<Vec<_>>(), [raw(1)]);
    assert_eq!(due.len(), 4 * 3 + 1);
    // Nor where nodes change, or a reorg makes all due again.
    configure(&story.ledger, &[&ALL[..], &[("http://new", NodeKind::Gateway)]].concat()).await;
    story.revert(0).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3, 4])).await;
    release(&story.ledger).await;
    let due = take_all(&story.ledger, NOW + HOUR).await;
    assert_eq!(due.iter().filter(|probe| probe.node == provider).count(), 0, "{due:?}");
    assert_eq!(due.len(), 4 * 4);
    for content in 1..=4 {
        let replicas = replicas(&story.ledger, content).await;
        assert_eq!(replicas.len(), 4 + usize::from(content == 1), "content {content}");
    }
    let rows: Vec<_> = (1..=4).collect();
    let mut tx = story.ledger.read().await.unwrap();
    let all = tx.replicas().await.unwrap();
    assert_eq!(all.iter().filter(|one| one.node == provider).count(), 1);
    assert!(all.is_sorted_by_key(|one| (one.content, one.node)));
    let by_row = tx.replicas_of_rows(&rows).await.unwrap();
    assert_eq!(by_row.values().flatten().filter(|one| one.node == provider).count(), 1);
}

async fn stays_a_claim_until_it_serves(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW).await;
    let provider = providers(&story.ledger).await[0].0;
    let replica = at_provider(&story.ledger, 1).await.unwrap();
    assert_eq!((replica.view.state, replica.checked_at), (Some(Claimed), None));
    let mut at = NOW;
    for (number, state) in [Missing, Corrupt, Unreachable, Missing].into_iter().enumerate() {
        saw(&story.ledger, 1, provider, state, at).await;
        let replica = at_provider(&story.ledger, 1).await.unwrap();
        assert_eq!(replica.view.state, Some(Claimed), "{state}");
        // Further and further off: 4 s, 8 s, …
        let wait = 4000 << number;
        let due = async |at| take_all(&story.ledger, at).await.iter().any(|p| p.node == provider);
        assert!(!due(at + wait - 1).await, "{number}");
        assert!(due(at + wait).await, "{number}");
        at += wait;
    }
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.next_doubtful_probes(at + HOUR).await.unwrap(), [], "nobody waits for it");
    assert!(!tx.needs_repairs(NOW).await.unwrap(), "there is nothing to repair");
    drop(tx);
    saw(&story.ledger, 1, provider, Verified, at).await;
    for (failures, state) in [(1, Verified), (2, Verified), (3, Claimed)] {
        saw(&story.ledger, 1, provider, Unreachable, at + failures).await;
        let replica = at_provider(&story.ledger, 1).await.unwrap();
        assert_eq!(replica.view.state, Some(state), "{failures}");
    }
}

async fn health(ledger: &Ledger, min: u32) -> Health {
    let policy = Policy { min, min_held: 0, grace: 0, recheck: HOUR };
    let mut tx = ledger.read().await.unwrap();
    let picture = Picture::take(&mut tx, &policy, NOW + 1).await.unwrap();
    picture.collections[0].tokens[0].health
}

async fn makes_up_for_a_node_and_never_alarms(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    saw(&story.ledger, 1, nodes[0], Verified, NOW).await;
    for (before, min) in [(Health::Healthy, 1), (Health::Degraded, 2)] {
        assert_eq!(health(&story.ledger, min).await, before);
    }
    announce(&story.ledger, 1, nodes[1], &[url(1), url(2)], NOW).await;
    let [(first, _), (second, _)] = &providers(&story.ledger).await[..] else { panic!("two") };
    // Announced, and nothing more: nobody waits for it, and nobody minds.
    let same = async |why: &str| {
        assert_eq!(health(&story.ledger, 1).await, Health::Healthy, "{why}");
        assert_eq!(health(&story.ledger, 2).await, Health::Degraded, "{why}");
    };
    same("announced").await;
    saw(&story.ledger, 1, *first, Corrupt, NOW).await;
    saw(&story.ledger, 1, *second, Unreachable, NOW).await;
    same("not served").await;
    saw(&story.ledger, 1, *second, Verified, NOW).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Healthy);
    assert_eq!(health(&story.ledger, 3).await, Health::Degraded);
}

async fn comes_back_by_no_late_probe(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW).await;
    let provider = providers(&story.ledger).await[0].0;
    configure(&story.ledger, &ALL[..1]).await;
    saw(&story.ledger, 1, provider, Verified, NOW).await;
    assert_eq!(replicas(&story.ledger, 1).await.len(), 1);
    assert!(take_all(&story.ledger, NOW + HOUR * 100).await.iter().all(|p| p.node == nodes[0]));
}

async fn leaves_when_nobody_names_it(db: Database) {
    let (story, nodes) = story(&db, &[1, 2]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1), url(2)], NOW).await;
    announce(&story.ledger, 2, nodes[1], &[url(2)], NOW + 5 * HOUR).await;
    let known = providers(&story.ledger).await;
    let find = |url: String| known.iter().find(|one| one.1 == url).unwrap().clone();
    let (first, second) = (find(url(1)), find(url(2)));
    saw(&story.ledger, 1, first.0, Verified, NOW + HOUR).await;
    let forget = async |before| {
        let mut tx = story.ledger.write().await.unwrap();
        tx.forget_unannounced(before).await.unwrap();
        tx.commit().await.unwrap();
    };
    forget(NOW).await;
    assert_eq!(replicas(&story.ledger, 1).await.len(), 3 + 2);
    forget(NOW + HOUR).await;
    let nodes_of = async |content| {
        let replicas = replicas(&story.ledger, content).await;
        replicas.iter().map(|one| one.node).filter(|node| *node > nodes[2]).collect::<Vec<_>>()
    };
    assert_eq!(nodes_of(1).await, [first.0], "who serves it need not be named again");
    assert_eq!(nodes_of(2).await, [second.0], "it was named later");
    forget(NOW + 2 * HOUR).await;
    assert!(nodes_of(1).await.is_empty());
    assert_eq!(providers(&story.ledger).await, std::slice::from_ref(&second));
    forget(NOW + 6 * HOUR).await;
    assert!(providers(&story.ledger).await.is_empty());
    // It is the node that it was, if it comes back.
    announce(&story.ledger, 1, nodes[1], &[url(2)], NOW + 7 * HOUR).await;
    assert_eq!(providers(&story.ledger).await, [second]);
}

async fn goes_with_its_router(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1), url(2)], NOW).await;
    announce(&story.ledger, 1, nodes[2], &[url(2), url(3)], NOW).await;
    for (provider, _) in providers(&story.ledger).await {
        saw(&story.ledger, 1, provider, Verified, NOW).await;
    }
    configure(&story.ledger, &ALL).await;
    assert_eq!(providers(&story.ledger).await.len(), 3);
    configure(&story.ledger, &[ALL[0], ALL[2]]).await;
    let left: BTreeSet<_> =
        providers(&story.ledger).await.into_iter().map(|(_, url)| url).collect();
    assert_eq!(left, BTreeSet::from([url(2), url(3)]));
    // What it said is late.
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW + 1).await;
    assert_eq!(providers(&story.ledger).await.len(), 2);
    configure(&story.ledger, &ALL[..1]).await;
    assert!(providers(&story.ledger).await.is_empty());
    assert_eq!(replicas(&story.ledger, 1).await.len(), 1);
}

async fn is_none_that_is_configured(db: Database) {
    let (story, nodes) = story(&db, &[1, 2]).await;
    announce(&story.ledger, 1, nodes[1], &[NODE.to_owned(), url(1)], NOW).await;
    let [(provider, known)] = &providers(&story.ledger).await[..] else { panic!("one") };
    assert_eq!(*known, url(1));
    saw(&story.ledger, 1, *provider, Missing, NOW).await;
    // Configured from now on, it is asked for everything.
    configure(&story.ledger, &[&ALL[..], &[(known.as_str(), NodeKind::Gateway)]].concat()).await;
    assert!(providers(&story.ledger).await.is_empty());
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.iter().filter(|probe| probe.node == *provider).count(), 2);
    assert_eq!(replicas(&story.ledger, 1).await.last().unwrap().view.state, None);
    // Taken out of use, it is not brought back by a router.
    configure(&story.ledger, &ALL).await;
    announce(&story.ledger, 1, nodes[1], std::slice::from_ref(known), NOW).await;
    assert!(providers(&story.ledger).await.is_empty());
}

/// Whatever port, scheme or spelling a router names it by, before and after it is configured.
async fn is_no_other_name_of_a_configured_host(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    let names = [
        "https://node.example.",
        "https://node.example:8443",
        "http://node.example/x",
        "http://[::ffff:5.6.7.8]:81",
        "https://5.6.7.8",
        "http://[2002:506:708::1]",
    ];
    let names = names.map(str::to_owned);
    let others = ["http://other.node.example", "http://5.6.7.9", "http://router.example:81"];
    let others = others.map(str::to_owned);
    announce(&story.ledger, 1, nodes[1], &[&names[..], &others[..]].concat(), NOW).await;
    assert_eq!(providers(&story.ledger).await.len(), 5, "hosts");
    let configured = [
        ALL[0],
        ALL[1],
        ("http://node.example", NodeKind::Gateway),
        ("http://5.6.7.8:80", NodeKind::Kubo),
        ("http://router.example", NodeKind::Routing),
    ];
    let nodes = configure(&story.ledger, &configured).await;
    let urls = async || {
        let all = providers(&story.ledger).await.into_iter();
        all.map(|(_, url)| url).collect::<BTreeSet<_>>()
    };
    assert!(urls().await.iter().all(|url| others.contains(url)), "{:?}", urls().await);
    for round in 0..3 {
        let said = [&names[..], &others[..]].concat();
        announce(&story.ledger, 1, nodes[1], &said, NOW + round).await;
        assert_eq!(
            urls().await,
            BTreeSet::from(others.clone()),
            "a router's host may have content"
        );
    }
    // Nor when it is taken out of use.
    configure(&story.ledger, &ALL[..2]).await;
    announce(&story.ledger, 1, nodes[1], &names, NOW + 9).await;
    assert_eq!(urls().await, BTreeSet::from(others), "what was configured comes back by no name");
    // On private addresses each port is a host.
    let private = [ALL[0], ALL[1], ("http://127.0.0.1:5001", NodeKind::Kubo)];
    configure(&story.ledger, &private).await;
    let ports = [5001, 5002, 5003].map(|port| format!("http://127.0.0.1:{port}"));
    announce(&story.ledger, 1, nodes[1], &ports, NOW + 10).await;
    let urls = urls().await;
    assert_eq!(ports.map(|url| urls.contains(&url)), [false, true, true]);
}

/// A swarm of one customer's addresses, and of one host's ports.
async fn holds_two_places_with_all_its_names(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    let swarm: Vec<_> = (0..4000)
        .map(|number| match number % 4 {
            0 => format!("http://7.7.7.{}:{}", number % 256, 1000 + number),
            1 => format!("http://[2a01:4f8:1:{number:x}::1]:80"),
            2 => format!("https://swarm.example:{}", 1000 + number),
            _ => format!("http://[::ffff:7.7.7.{}]:{number}", number % 256),
        })
        .collect();
    let honest = ["http://8.8.4.4", "https://honest.example"].map(str::to_owned);
    for (round, some) in swarm.chunks(1000).enumerate() {
        let at = NOW + i64::try_from(round).unwrap();
        announce(&story.ledger, 1, nodes[1], some, at).await;
        let known = providers(&story.ledger).await;
        assert_eq!(known.len(), 5, "2 of IPv4, 2 of IPv6, 1 host: {known:?}");
    }
    announce(&story.ledger, 1, nodes[1], &[&swarm[..30], &honest[..]].concat(), NOW + 9).await;
    let known = providers(&story.ledger).await;
    assert_eq!(known.len(), 7);
    assert!(honest.iter().all(|url| known.iter().any(|one| one.1 == *url)));
    // Whatever its names, too: where its bytes come from counts.
    let names: Vec<_> = (0..8).map(|number| format!("http://name-{number}.example")).collect();
    announce(&story.ledger, 1, nodes[2], &names, NOW).await;
    let row = row_of(&story.ledger, raw(1)).await;
    for (last, (provider, _)) in
        providers(&story.ledger).await.iter().filter(|one| names.contains(&one.1)).enumerate()
    {
        let addresses = BTreeSet::from([format!("9.9.9.{last}")]);
        let at = NOW + i64::try_from(last).unwrap();
        let probe = ProbeRecord { addresses, ..seen(row, *provider, Verified, at) };
        record(&story.ledger, &probe).await;
    }
    let others: Vec<_> = (0..32).map(|number| format!("http://6.{number}.1.1")).collect();
    announce(&story.ledger, 1, nodes[2], &[&names[..], &others[..]].concat(), NOW + 9).await;
    let known = providers(&story.ledger).await;
    assert_eq!(known.iter().filter(|one| names.contains(&one.1)).count(), 2);
    assert_eq!(known.iter().filter(|one| others.contains(&one.1)).count(), 6);
}

async fn is_tried_on_few_contents_with_all_its_names(db: Database) {
    let contents: Vec<u8> = (0..250).collect();
    let (story, nodes) = story(&db, &contents).await;
    // Another port for each content, and then other addresses beside it.
    for content in &contents {
        let url = format!("http://7.7.7.7:{}", 1000 + u16::from(*content));
        announce(&story.ledger, *content, nodes[1], &[url], NOW).await;
    }
    assert_eq!(providers(&story.ledger).await.len(), 100);
    for content in &contents {
        let url = format!("http://7.7.7.{content}:80");
        announce(&story.ledger, *content, nodes[1], &[url], NOW).await;
    }
    assert_eq!(providers(&story.ledger).await.len(), 200);
    announce(&story.ledger, 0, nodes[1], &["http://7.7.8.1".to_owned()], NOW).await;
    assert_eq!(providers(&story.ledger).await.len(), 201, "others are tried as before");
}

async fn keeps_its_place_before_later_neighbours(db: Database) {
    let (story, nodes) = story(&db, &[1, 2]).await;
    let names: Vec<_> = (0..3).map(|number| format!("http://name-{number}.example")).collect();
    announce(&story.ledger, 1, nodes[1], &names, NOW).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let known = providers(&story.ledger).await;
    // The last one that came into the ledger serves first.
    for (later, (provider, _)) in known.iter().rev().enumerate() {
        let addresses = BTreeSet::from(["9.9.9.9".to_owned()]);
        let at = NOW + i64::try_from(later).unwrap();
        let probe = ProbeRecord { addresses, ..seen(row, *provider, Verified, at) };
        record(&story.ledger, &probe).await;
    }
    let others: Vec<_> = (0..32).map(|number| format!("http://6.{number}.1.1")).collect();
    announce(&story.ledger, 1, nodes[1], &[&names[..], &others[..]].concat(), NOW + 9).await;
    let after = providers(&story.ledger).await;
    assert!(known.iter().all(|one| after.contains(one)), "they serve");
    assert_eq!(after.len(), 3 + MOST_OF_A_CONTENT - 1, "and have one place");
    // Of a neighbourhood's places, those who served first from there have them, whoever came first.
    announce(&story.ledger, 2, nodes[1], &names, NOW).await;
    let row = row_of(&story.ledger, raw(2)).await;
    for (later, (provider, _)) in known.iter().enumerate() {
        let addresses = BTreeSet::from([format!("8.8.8.{later}")]);
        let at = NOW + 100 - i64::try_from(later).unwrap();
        let probe = ProbeRecord { addresses, ..seen(row, *provider, Verified, at) };
        record(&story.ledger, &probe).await;
    }
    let later = NOW + 4 * HOUR;
    let mut tx = story.ledger.write().await.unwrap();
    let named = |url: &String| Named { url: url.clone(), address: url.clone() };
    let named = others.iter().chain(&names).map(named).collect();
    let said = Announcement { content: row, router: nodes[1], named, at: later };
    // What was long ago is of no account.
    tx.announce(&[said], NOW + 2 * HOUR).await.unwrap();
    tx.commit().await.unwrap();
    let replicas = replicas(&story.ledger, 2).await;
    let left = known.iter().filter(|one| replicas.iter().any(|replica| replica.node == one.0));
    assert_eq!(left.count(), 3, "nobody serves from there any more, as far as is known");
}

async fn crowds_out_nobody(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    announce(&story.ledger, 1, nodes[1], &[url(0)], NOW).await;
    let honest = providers(&story.ledger).await[0].clone();
    saw(&story.ledger, 1, honest.0, Verified, NOW).await;
    let mut met = BTreeSet::new();
    for round in 0..10 {
        let at = NOW + round;
        let flood: Vec<_> = (1..=32).map(url).collect();
        announce(&story.ledger, 1, nodes[1], &flood, at).await;
        let now = providers(&story.ledger).await;
        assert_eq!(now.len(), MOST_OF_A_CONTENT);
        assert!(now.contains(&honest), "who serves keeps its place");
        for (provider, url) in now.into_iter().filter(|one| *one != honest) {
            met.insert(url);
            saw(&story.ledger, 1, provider, Missing, at).await;
        }
    }
    assert!(met.len() > 20, "each is asked in time: {}", met.len());
    // Another router has places of its own.
    announce(&story.ledger, 1, nodes[2], &[url(99)], NOW).await;
    assert_eq!(providers(&story.ledger).await.len(), MOST_OF_A_CONTENT + 1);
}

async fn makes_room_by_sending_away_the_useless(db: Database) {
    let contents: Vec<u8> = (0..200).collect();
    let (story, nodes) = story(&db, &contents).await;
    let rows = {
        let mut tx = story.ledger.write().await.unwrap();
        let mut rows = Vec::new();
        for content in &contents {
            rows.push(tx.content_row(raw(*content)).await.unwrap());
        }
        rows
    };
    let say = async |named: &dyn Fn(usize) -> Vec<String>, at: Millis| {
        let said = rows.iter().enumerate().map(|(index, content)| Announcement {
            content: *content,
            router: nodes[1],
            named: named(index)
                .into_iter()
                .map(|url| Named { address: url.clone(), url })
                .collect(),
            at,
        });
        let mut tx = story.ledger.write().await.unwrap();
        tx.announce(&said.collect::<Vec<_>>(), at - 48 * HOUR).await.unwrap();
        tx.commit().await.unwrap();
    };
    // One that never served is tried on a hundred contents; one that did is asked for all.
    say(&|_| vec![url(0)], NOW).await;
    let of = async |url: String| {
        let mut tx = story.ledger.read().await.unwrap();
        let row = tx.providers().await.unwrap().into_iter().find(|one| one.1 == url).unwrap().0;
        (row, tx.replicas().await.unwrap().iter().filter(|one| one.node == row).count())
    };
    let (honest, tried) = of(url(0)).await;
    assert_eq!(tried, 100);
    saw(&story.ledger, 0, honest, Verified, NOW).await;
    say(&|_| vec![url(0)], NOW).await;
    assert_eq!(of(url(0)).await.1, 200);
    // 1,600 others.
    let flood = |index| (0..8).map(|at| url(1 + index * 8 + at)).collect();
    say(&flood, NOW).await;
    let before = providers(&story.ledger).await;
    assert_eq!(before.len(), MOST_PROVIDERS);
    say(&|index| vec![url(5000 + index)], NOW).await;
    assert_eq!(providers(&story.ledger).await, before, "those are to be asked first");
    for (provider, _) in &before[..50] {
        let content = ledger_content(&story.ledger, *provider).await;
        record(&story.ledger, &seen(content, *provider, Missing, NOW)).await;
    }
    say(&|index| vec![url(7000 + index)], NOW).await;
    let after = providers(&story.ledger).await;
    assert_eq!(after.len(), MOST_PROVIDERS);
    assert!(after.iter().any(|(row, _)| *row == honest), "who served stays");
    let new = after.iter().filter(|one| !before.contains(one)).count();
    assert!((49..=50).contains(&new), "{new}");
}

async fn ledger_content(ledger: &Ledger, node: RowId) -> RowId {
    let mut tx = ledger.read().await.unwrap();
    tx.replicas().await.unwrap().iter().find(|one| one.node == node).unwrap().content
}

async fn is_told_apart_by_its_address(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    saw(&story.ledger, 1, nodes[0], Missing, NOW).await;
    announce(&story.ledger, 1, nodes[1], &[url(1), url(2)], NOW).await;
    for (provider, _) in providers(&story.ledger).await {
        saw(&story.ledger, 1, provider, Verified, NOW).await;
    }
    assert_eq!(health(&story.ledger, 2).await, Health::Healthy);
    let row = row_of(&story.ledger, raw(1)).await;
    let addresses = BTreeSet::from(["1.2.3.4".to_owned()]);
    for (provider, _) in providers(&story.ledger).await {
        let probe =
            ProbeRecord { addresses: addresses.clone(), ..seen(row, provider, Verified, NOW) };
        record(&story.ledger, &probe).await;
    }
    assert_eq!(health(&story.ledger, 2).await, Health::Degraded, "it is one machine");
}

/// Named by each address of a machine whose operator is known.
async fn adds_nothing_to_a_configured_machine(db: Database) {
    let (story, _) = story(&db, &[1]).await;
    let gateway = Node {
        id: 0,
        url: "http://gw.example:8080".to_owned(),
        kind: NodeKind::Gateway,
        operator: Some("alice".to_owned()),
        address: "1.2.3.4".to_owned(),
    };
    let router = Node {
        url: ROUTER.to_owned(),
        kind: NodeKind::Routing,
        operator: None,
        address: ROUTER.to_owned(),
        ..gateway.clone()
    };
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_nodes(&[gateway, router]).await.unwrap();
    let known = tx.nodes().await.unwrap();
    tx.commit().await.unwrap();
    let of = |kind| known.iter().find(|one| one.kind == kind).unwrap().id;
    let urls =
        ["http://1.2.3.4:8080", "http://[2a01::1]:8080", "http://5.6.7.8"].map(str::to_owned);
    announce(&story.ledger, 1, of(NodeKind::Routing), &urls, NOW).await;
    let providers = providers(&story.ledger).await;
    let provider = |url: &str| providers.iter().find(|one| one.1 == url).unwrap().0;
    let row = row_of(&story.ledger, raw(1)).await;
    let serve = async |node, addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        record(&story.ledger, &ProbeRecord { addresses, ..seen(row, node, Verified, NOW) }).await;
    };
    serve(of(NodeKind::Gateway), &["1.2.3.4", "2a01::/64"]).await;
    serve(provider(&urls[0]), &["1.2.3.4"]).await;
    serve(provider(&urls[1]), &["2a01::/64", "2a01::/48"]).await;
    assert_eq!(health(&story.ledger, 1).await, Health::Healthy);
    assert_eq!(health(&story.ledger, 2).await, Health::Degraded, "one machine by three names");
    serve(provider(&urls[2]), &["5.6.7.8"]).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Healthy, "and another");
    assert_eq!(health(&story.ledger, 3).await, Health::Degraded);
}

async fn is_apart_from_no_other_with_more_addresses_than_are_kept(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    let names = ["http://a.example", "http://b.example", "http://c.example"].map(str::to_owned);
    announce(&story.ledger, 1, nodes[1], &names, NOW).await;
    let providers = providers(&story.ledger).await;
    let provider = |url: &str| providers.iter().find(|one| one.1 == url).unwrap().0;
    let row = row_of(&story.ledger, raw(1)).await;
    let serve = async |node, addresses: BTreeSet<String>| {
        record(&story.ledger, &ProbeRecord { addresses, ..seen(row, node, Verified, NOW) }).await;
    };
    let of = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
    saw(&story.ledger, 1, nodes[0], Missing, NOW).await;
    // In one network, and in one minute.
    let mut many: BTreeSet<_> = (1..=33).map(|at| format!("2a01:4f8:1:{at:x}::/64")).collect();
    many.insert("2a01:4f8:1::/48".to_owned());
    serve(provider(&names[0]), many).await;
    serve(provider(&names[1]), of(&["2a01:4f8:1:ffff::/64", "2a01:4f8:1::/48"])).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Degraded, "it is one customer's");
    serve(provider(&names[2]), of(&["5.6.7.8"])).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Healthy, "two of whom all is known");
    assert_eq!(health(&story.ledger, 3).await, Health::Degraded);
    saw(&story.ledger, 1, provider(&names[1]), Missing, NOW).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Degraded, "where else it is nobody knows");
    saw(&story.ledger, 1, nodes[0], Verified, NOW).await;
    assert_eq!(health(&story.ledger, 2).await, Health::Healthy, "a configured node is another");
}

/// Somebody served from elsewhere once, and lets a name lead to the machine of one that serves.
async fn loses_no_place_to_another_name_of_it(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let serve = async |node, address: &str, at| {
        let addresses = BTreeSet::from([address.to_owned()]);
        record(&story.ledger, &ProbeRecord { addresses, ..seen(row, node, Verified, at) }).await;
    };
    let find = async |url: &str| {
        let all = providers(&story.ledger).await;
        all.into_iter().find(|one| one.1 == url).map(|one| one.0)
    };
    let (alias, honest) = ("http://alias.example".to_owned(), "http://honest.example".to_owned());
    announce(&story.ledger, 1, nodes[1], std::slice::from_ref(&alias), NOW).await;
    serve(find(&alias).await.unwrap(), "6.6.6.6", NOW).await;
    let both = [alias, honest];
    announce(&story.ledger, 1, nodes[1], &both, NOW + 1).await;
    let others: Vec<_> = (0..7).map(|number| format!("http://9.{number}.1.1")).collect();
    announce(&story.ledger, 1, nodes[1], &others, NOW + 1).await;
    for (number, url) in others.iter().enumerate().take(6) {
        if let Some(node) = find(url).await {
            serve(node, &format!("9.{number}.1.1"), NOW + 1).await;
        }
    }
    serve(find(&both[1]).await.unwrap(), "8.8.8.8", NOW + 2).await;
    serve(find(&both[0]).await.unwrap(), "8.8.8.8", NOW + 3).await;
    for round in 0..8 {
        let new: Vec<_> = (0..32).map(|at| format!("http://7.{at}.{round}.1")).collect();
        announce(&story.ledger, 1, nodes[1], &new, NOW + 4 + round).await;
        assert!(find(&both[1]).await.is_some(), "whoever serves stays");
    }
    // The alias is switched off, and the machine is there.
    saw(&story.ledger, 1, find(&both[0]).await.unwrap(), Missing, NOW + 20).await;
    let state = replicas(&story.ledger, 1).await;
    let honest = find(&both[1]).await.unwrap();
    assert!(state.iter().any(|one| one.node == honest && one.view.state == Some(Verified)));
}

/// Those of a neighbourhood have two places of a content, and not two for each router.
async fn has_one_place_whoever_names_it(db: Database) {
    let (story, nodes) = story(&db, &[1]).await;
    let row = row_of(&story.ledger, raw(1)).await;
    let near: Vec<_> = (1..=9).map(|last| format!("http://7.7.7.{last}")).collect();
    announce(&story.ledger, 1, nodes[1], &near[..2], NOW).await;
    for (last, (provider, _)) in providers(&story.ledger).await.iter().enumerate() {
        let addresses = BTreeSet::from([format!("7.7.7.{}", last + 1)]);
        record(&story.ledger, &ProbeRecord { addresses, ..seen(row, *provider, Verified, NOW) })
            .await;
    }
    announce(&story.ledger, 1, nodes[2], &near[2..], NOW + 1).await;
    assert_eq!(providers(&story.ledger).await.len(), 2, "another router makes no more of them");
    announce(&story.ledger, 1, nodes[2], &[&near[..], &[url(9)]].concat(), NOW + 2).await;
    assert_eq!(providers(&story.ledger).await.len(), 3);
    // They stay with either.
    configure(&story.ledger, &[ALL[0], ALL[2]]).await;
    assert_eq!(providers(&story.ledger).await.len(), 3);
}

async fn rests_while_a_content_is_not_wanted(db: Database) {
    let (mut story, nodes) = story(&db, &[1]).await;
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW).await;
    let provider = providers(&story.ledger).await[0].0;
    let is_due = async |ledger: &Ledger| {
        release(ledger).await;
        take_all(ledger, NOW).await.iter().any(|probe| probe.node == provider)
    };
    assert!(is_due(&story.ledger).await);
    story.revert(0).await;
    assert!(!is_due(&story.ledger).await);
    announce(&story.ledger, 1, nodes[1], &[url(1), url(2)], NOW).await;
    assert!(!is_due(&story.ledger).await, "nobody wants it");
    assert_eq!(providers(&story.ledger).await.len(), 1);
    story.tell(mint(0, 1, 1, 1)).await;
    announce(&story.ledger, 1, nodes[1], &[url(1)], NOW).await;
    assert!(is_due(&story.ledger).await);
}
