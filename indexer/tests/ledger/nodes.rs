//! Nodes come, go and come back.

use everhold::{
    health::ReplicaState,
    ledger::{Node, NodeKind},
};

use crate::{
    story::{NOW, Story, mint, mint_batch, raw, record, row_of, seen, set_nodes, take_all},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    gives_a_new_node_every_wanted_content,
    forgets_a_removed_node_until_it_comes_back,
    takes_over_what_changed_about_a_node,
    keeps_the_schedule_of_nodes_that_stay,
    gives_new_content_to_nodes_in_use_only,
    draws_one_seed_for_all_who_share_it,
    knows_every_kind_that_is_configured,
);

async fn gives_a_new_node_every_wanted_content(db: Database) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 3);
    let nodes = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.len(), 3);
    assert!(due.iter().all(|probe| probe.node == nodes[1]));
}

async fn forgets_a_removed_node_until_it_comes_back(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    for node in &nodes {
        record(&story.ledger, &seen(row, *node, ReplicaState::Verified, NOW)).await;
    }
    set_nodes(&story.ledger, &["http://two"]).await;
    let mut tx = story.ledger.read().await.unwrap();
    let replicas = tx.replicas().await.unwrap();
    assert_eq!(replicas.len(), 1);
    assert_eq!(replicas[0].node, nodes[1]);
    assert_eq!(tx.replicas_of(row).await.unwrap().len(), 1);
    assert_eq!(tx.nodes().await.unwrap().len(), 1);
    drop(tx);
    story.tell(mint(0, 2, 1, 2)).await;
    let due = take_all(&story.ledger, NOW + i64::MAX / 4).await;
    assert!(due.iter().all(|probe| probe.node == nodes[1]));
    // An old probe of it ends late: that makes nothing due.
    record(&story.ledger, &seen(row, nodes[0], ReplicaState::Corrupt, NOW + 1)).await;
    assert!(take_all(&story.ledger, NOW + i64::MAX / 4).await.is_empty());
    let back = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    assert_eq!(back, nodes, "the node it was before");
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.len(), 2, "what it had, and what came meanwhile");
    assert!(due.iter().all(|probe| probe.node == nodes[0]));
}

async fn takes_over_what_changed_about_a_node(db: Database) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let changed = Node {
        id: 0,
        url: "http://one".to_owned(),
        kind: NodeKind::Gateway,
        operator: Some("acme".to_owned()),
        address: "1.2.3.4".to_owned(),
    };
    let mut tx = ledger.write().await.unwrap();
    tx.set_nodes(&[changed]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = ledger.read().await.unwrap();
    let node = tx.nodes().await.unwrap().remove(0);
    assert_eq!(node.kind, NodeKind::Gateway);
    assert_eq!(node.operator.as_deref(), Some("acme"));
    assert_eq!(node.address, "1.2.3.4");
}

async fn keeps_the_schedule_of_nodes_that_stay(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&story.ledger, raw(1)).await;
    for node in &nodes {
        record(&story.ledger, &seen(row, *node, ReplicaState::Verified, NOW)).await;
    }
    set_nodes(&story.ledger, &["http://two", "http://one", "http://three"]).await;
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 1);
}

async fn gives_new_content_to_nodes_in_use_only(db: Database) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one", "http://two"]).await;
    let kept = set_nodes(&ledger, &["http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.revert(0).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].node, kept[0]);
}

async fn draws_one_seed_for_all_who_share_it(db: Database) {
    let (one, other) = (db.open().await, db.open().await);
    let mut tx = one.write().await.unwrap();
    let seed = tx.seed().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(other.write().await.unwrap().seed().await.unwrap(), seed);
    assert_ne!(seed, [0; 32]);
}

async fn knows_every_kind_that_is_configured(db: Database) {
    use NodeKind::{Aleph, Gateway, Kubo, Pinning, Routing};
    let ledger = db.open().await;
    let kinds = [Aleph, Gateway, Kubo, Routing, Pinning];
    let node = |kind: NodeKind| {
        let url = format!("http://{}", kind.as_str());
        Node { id: 0, operator: None, address: url.clone(), url, kind }
    };
    let mut tx = ledger.write().await.unwrap();
    tx.set_nodes(&kinds.map(node)).await.unwrap();
    let nodes = tx.nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|node| node.kind).collect::<Vec<_>>(), kinds);
}
