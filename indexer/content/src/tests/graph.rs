//! The graph of a token, driven by a fetcher that has everything in memory.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use crate::{
    Graph, GraphError, GraphLimits, Limit, MetadataLimits, NodeId, NodeState, Outcome, Picture,
    Proof, ReferenceClass, RootId, Task,
};

const V1: &str = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";

/// Bodies by the reference's one spelling.
type World = HashMap<String, Vec<u8>>;

fn world(files: &[(&str, &str)]) -> World {
    let file = |(name, body): &(&str, &str)| {
        ((*name).replace("{V1}", V1), body.replace("{V1}", V1).into_bytes())
    };
    files.iter().map(file).collect()
}

fn answer(world: &World, task: &Task) -> (Outcome, u64, Option<Vec<u8>>) {
    let name = task.reference.canonical().unwrap_or_else(|| task.reference.text.clone());
    match world.get(&name) {
        None => (Outcome::Missing, 0, None),
        Some(body) if body.len() as u64 > task.max_bytes => {
            (Outcome::TooLarge, task.max_bytes, None)
        }
        Some(body) => {
            let kept = (body.len() <= task.keep).then(|| body.clone());
            (Outcome::Verified, body.len() as u64, kept)
        }
    }
}

/// Fetches all there is, one after the other; gives the names in their order.
fn run(graph: &mut Graph, world: &World) -> Vec<String> {
    let mut asked = Vec::new();
    while let Some(task) = graph.next_task() {
        let (outcome, bytes, body) = answer(world, &task);
        asked.push(task.reference.text.replace(V1, "{V1}"));
        graph.report(task.node, outcome, bytes, body.as_deref()).unwrap();
    }
    assert!(graph.is_done());
    asked
}

fn id(number: u8) -> Option<[u8; 32]> {
    let mut id = [0; 32];
    id[31] = number;
    Some(id)
}

/// The texts of all that a root reaches.
fn reached(graph: &Graph, root: Option<RootId>) -> Vec<String> {
    let nodes = graph.reached_by(root.unwrap()).into_iter();
    nodes.map(|node| graph.picture().nodes[node.0].reference.text.replace(V1, "{V1}")).collect()
}

#[test]
fn a_token_and_all_it_is_made_of() {
    let world = world(&[
        (
            "ipfs://{V1}/metadata/1.json",
            r#"{"name":"one","image":"../images/1.png","image_data":"<svg/>",
                "animation_url":"https://x.example/a.mp4",
                "properties":{"files":[{"uri":"/images/1.png","type":"image/png"},"ipns://x.eth"]}}"#,
        ),
        ("ipfs://{V1}/images/1.png", "png"),
        ("https://x.example/a.mp4", "mp4"),
    ]);
    let mut graph = Graph::new(GraphLimits::default());
    let root = graph.add_token("1", &format!("https://ipfs.io/ipfs/{V1}/metadata/1.json"), None);
    let asked = run(&mut graph, &world);
    let image = "ipfs://{V1}/images/1.png";
    let expected = [
        "https://ipfs.io/ipfs/{V1}/metadata/1.json",
        image,
        "https://x.example/a.mp4",
        "ipns://x.eth",
    ];
    assert_eq!(asked, expected);
    assert_eq!(reached(&graph, root), [expected[0], image, "<svg/>", expected[2], expected[3]]);

    let picture = graph.into_picture();
    let nodes = &picture.nodes;
    let document = nodes[0].document.as_ref().unwrap();
    assert_eq!((document.name.as_deref(), document.links), (Some("one"), 5));
    let done = |outcome, bytes| NodeState::Done { outcome, bytes };
    assert_eq!(nodes[1].state, done(Outcome::Verified, 3));
    assert_eq!((&nodes[2].state, nodes[2].proof), (&done(Outcome::Decoded, 6), Proof::InDocument));
    assert_eq!(nodes[2].sha256, Some(crate::Digest::of(b"<svg/>")));
    // Reported as verified, and yet nothing proves it.
    assert_eq!(nodes[3].state, done(Outcome::Served, 3));
    assert_eq!(nodes[4].state, done(Outcome::Missing, 0));
    let roles: Vec<_> =
        picture.edges.iter().map(|edge| (edge.role.as_str(), edge.to.0, edge.class)).collect();
    use ReferenceClass::{Http, Ipfs, Ipns, OnChain};
    assert_eq!(
        roles,
        [
            ("image", 1, Ipfs),
            ("image_data", 2, OnChain),
            ("animation_url", 3, Http),
            ("properties.files[0]", 1, Ipfs),
            ("properties.files[1]", 4, Ipns)
        ]
    );
    assert_eq!(picture.edges[3].pointer, "/properties/files/0/uri");
    assert_eq!(picture.edges[3].text.as_deref(), Some("/images/1.png"));
    assert_eq!(picture.edges[3].media_type.as_deref(), Some("image/png"));
    assert!(picture.limits.is_empty());
    let json = serde_json::to_string(&picture).unwrap();
    assert_eq!(serde_json::from_str::<Picture>(&json).unwrap(), picture);
}

#[test]
fn shared_nodes_are_fetched_once() {
    let world = world(&[
        ("ipfs://{V1}/1", r#"{"image":"https://gw.example/ipfs/{V1}/i","image_data":"<a/>"}"#),
        ("ipfs://{V1}/2", r#"{"image":"/ipfs/{V1}/i#x","image_data":"<a/>"}"#),
        (
            "https://x.example/c",
            r#"{"image":"ipfs://{V1}/i?y","banner_image":"https://x.example/c#self"}"#,
        ),
    ]);
    let mut graph = Graph::new(GraphLimits::default());
    for token in ["1", "2", "1"] {
        graph.add_token(token, &format!("ipfs://{V1}/{token}"), None);
    }
    graph.add_contract("c", "https://x.example/c");
    let asked = run(&mut graph, &world);
    let asked: HashSet<_> = asked.iter().collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    let picture = graph.picture();
    assert_eq!((picture.roots.len(), picture.nodes.len(), picture.edges.len()), (4, 5, 6));
    let images = picture.edges.iter().filter(|edge| edge.role == "image");
    assert_eq!(images.map(|edge| edge.to).collect::<HashSet<_>>().len(), 1);
    assert_eq!(graph.reached_by(RootId(0)).len(), 3);
    assert_eq!(graph.reached_by(RootId(0)), graph.reached_by(RootId(2)));
    assert_eq!(graph.reached_by(RootId(9)), []);
}

#[test]
fn cycles_end() {
    let world = world(&[
        ("ipfs://{V1}/a.json", r#"{"image":"b.json","animation_url":"a.json"}"#),
        ("ipfs://{V1}/b.json", r#"{"image":["c.json","b.json"]}"#),
        ("ipfs://{V1}/c.json", r#"{"image":"./x/../a.json"}"#),
    ]);
    let mut graph = Graph::new(GraphLimits::default());
    let root = graph.add_token("a", &format!("ipfs://{V1}/a.json"), None);
    assert_eq!(run(&mut graph, &world).len(), 3);
    assert_eq!(reached(&graph, root).len(), 3);
    assert_eq!(graph.picture().edges.len(), 5);
    assert!(graph.picture().limits.is_empty());
}

#[test]
fn everything_on_the_chain_needs_no_fetcher() {
    let mut graph = Graph::new(GraphLimits::default());
    let uri = r##"data:application/json;utf8,{"name":"#1","image":"data:image/svg+xml;base64,PHN2Zy8+","animation_url":"x.html"}"##;
    let root = graph.add_token("1", uri, None);
    let bad = graph.add_token("2", "data:application/json;base64,!", None);
    let raw = graph.add_token("3", r#"{"name":"raw","image":""}"#, None);
    assert!(graph.next_task().is_none() && graph.is_done());
    assert_eq!(graph.reached_by(root.unwrap()).len(), 3);
    let picture = graph.picture();
    let node =
        |root: Option<RootId>| &picture.nodes[picture.roots[root.unwrap().0].node.unwrap().0];
    assert_eq!(node(root).document.as_ref().unwrap().name.as_deref(), Some("#1"));
    assert!(node(bad).document.as_ref().unwrap().error.as_ref().unwrap().contains("base64"));
    assert_eq!(node(raw).document.as_ref().unwrap().name.as_deref(), Some("raw"));
    // Nothing is beside a document on the chain.
    let html = picture.nodes.iter().find(|node| node.reference.text == "x.html").unwrap();
    assert_eq!((&html.state, html.proof), (&NodeState::Unfetchable, Proof::NeedsDocument));
}

#[test]
fn ids_are_put_into_a_tokens_own_metadata() {
    let hex = |n: u8| format!("{n:064x}");
    let shared = r#"{"image":"ipfs://{V1}/{id}.png","animation_url":"ipfs://{V1}/all.mp4",
        "banner_image":"ipfs://{V1}/same.png?{id}"}"#;
    let world = world(&[("ipfs://{V1}/shared", shared)]);
    let mut graph = Graph::new(GraphLimits::default());
    let uri = format!("ipfs://{V1}/shared");
    let roots = [id(1), id(2), None, id(1)].map(|id| graph.add_token("x", &uri, id));
    let image = |name: String| format!("ipfs://{{V1}}/{name}.png");
    run(&mut graph, &world);
    for (root, name) in roots.into_iter().zip([hex(1), hex(2), "%7Bid%7D".into(), hex(1)]) {
        let found = reached(&graph, root);
        assert_eq!(found.len(), 4, "{found:?}");
        let own = |text: &String| text.replace("{id}", "%7Bid%7D") == image(name.clone());
        assert_eq!(found.iter().filter(|text| own(text)).count(), 1, "{found:?}");
    }
    // A token that comes later.
    let late = graph.add_token("late", &uri, id(7));
    assert_eq!(run(&mut graph, &world), [image(hex(7))]);
    assert_eq!(reached(&graph, late).len(), 4);
    let by_uri = graph.add_token("uri", "https://x.example/{id}.json", id(0xab));
    assert_eq!(reached(&graph, by_uri), [format!("https://x.example/{}.json", hex(0xab))]);
}

/// A token's metadata that is its own image, too: there, `{id}` stands for itself.
#[test]
fn a_link_back_has_no_id() {
    let world = world(&[("ipfs://{V1}/a.json", r#"{"image":["a.json","{id}"]}"#)]);
    let mut graph = Graph::new(GraphLimits::default());
    let uri = format!("ipfs://{V1}/a.json");
    let [first, second] = [id(1), None].map(|id| graph.add_token("x", &uri, id));
    assert_eq!(run(&mut graph, &world).len(), 3);
    assert_eq!(reached(&graph, first).len(), 3);
    assert_eq!(reached(&graph, second).len(), 2);
}

/// A node that was an image first and is a token's metadata then is not fetched again.
#[test]
fn what_is_a_document_may_be_known_late() {
    let world =
        world(&[("ipfs://{V1}/1", r#"{"image":"2"}"#), ("ipfs://{V1}/2", r#"{"image":"3.png"}"#)]);
    let mut graph = Graph::new(GraphLimits::default());
    graph.add_token("1", &format!("ipfs://{V1}/1"), None);
    assert_eq!(run(&mut graph, &world), ["ipfs://{V1}/1", "ipfs://{V1}/2"]);
    assert_eq!(graph.picture().nodes[1].document, None);
    let second = graph.add_token("2", &format!("ipfs://{V1}/2"), None);
    assert_eq!(run(&mut graph, &world), ["ipfs://{V1}/3.png"]);
    assert_eq!(reached(&graph, second), ["ipfs://{V1}/2", "ipfs://{V1}/3.png"]);
    assert_eq!(graph.picture().nodes[1].depth, 0);
}

#[test]
fn reports_out_of_turn_are_refused() {
    let mut graph = Graph::new(GraphLimits::default());
    graph.add_token("1", "https://x.example/1", None);
    let node = NodeId(0);
    assert_eq!(graph.report(node, Outcome::Served, 0, None), Err(GraphError { node }));
    graph.next_task().unwrap();
    assert!(graph.next_task().is_none() && !graph.is_done());
    assert_eq!(graph.report(node, Outcome::Corrupt, 9, Some(b"{\"image\":\"x\"}")), Ok(()));
    assert_eq!(graph.report(node, Outcome::Served, 0, None), Err(GraphError { node }));
    let far = NodeId(7);
    assert_eq!(graph.report(far, Outcome::Served, 0, None), Err(GraphError { node: far }));
    // Wrong bytes say nothing.
    assert_eq!((graph.picture().nodes.len(), &graph.picture().nodes[0].document), (1, &None));
}

#[test]
fn documents_that_can_t_be_read_say_why() {
    let mut graph = Graph::new(GraphLimits::default());
    for (token, body) in [("1", Some(&b"<html>"[..])), ("2", None)] {
        graph.add_token(token, &format!("https://x.example/{token}"), None);
        let task = graph.next_task().unwrap();
        graph.report(task.node, Outcome::Served, 2 << 20, body).unwrap();
    }
    let error = |at: usize| graph.picture().nodes[at].document.clone().unwrap().error.unwrap();
    assert!(error(0).contains("not JSON"), "{}", error(0));
    assert!(error(1).contains("2097152 bytes: at most 1048576"), "{}", error(1));
}

/// A chain of documents, each linking to the next.
fn chain(length: usize) -> World {
    let next =
        |n: usize| (format!("ipfs://{V1}/{n}.json"), format!("{{\"image\":\"{}.json\"}}", n + 1));
    (0..length).map(next).map(|(name, body)| (name, body.into_bytes())).collect()
}

#[test]
fn limits_are_said() {
    let start = |limits: GraphLimits, world: &World| {
        let mut graph = Graph::new(limits);
        graph.add_token("0", &format!("ipfs://{V1}/0.json"), None);
        run(&mut graph, world);
        graph
    };
    let default = GraphLimits::default();
    let hit =
        |graph: &Graph| graph.picture().limits.iter().map(|(l, n)| (*l, *n)).collect::<Vec<_>>();

    let mut graph = start(GraphLimits { depth: 3, ..default }, &chain(9));
    assert_eq!((graph.picture().nodes.len(), hit(&graph)), (4, vec![(Limit::Depth, 1)]));
    assert_eq!(graph.picture().nodes[3].document.as_ref().unwrap().left_out, 1);
    // A shorter way to where it stopped takes it further, and says so.
    graph.add_token("2", &format!("ipfs://{V1}/2.json"), None);
    run(&mut graph, &chain(9));
    assert_eq!((graph.picture().nodes.len(), hit(&graph)), (6, vec![(Limit::Depth, 1)]));
    assert_eq!(graph.picture().nodes[3].document.as_ref().unwrap().left_out, 0);
    let mut graph = start(GraphLimits { depth: 3, ..default }, &chain(4));
    graph.add_token("2", &format!("ipfs://{V1}/2.json"), None);
    run(&mut graph, &chain(4));
    assert_eq!((graph.picture().nodes.len(), hit(&graph)), (5, vec![]));

    let graph = start(GraphLimits { nodes: 2, ..default }, &chain(9));
    assert_eq!((graph.picture().nodes.len(), hit(&graph)), (2, vec![(Limit::Nodes, 1)]));
    let graph = start(GraphLimits { references: 2, ..default }, &chain(9));
    assert_eq!((graph.picture().edges.len(), hit(&graph)), (1, vec![(Limit::References, 1)]));
    let graph = start(GraphLimits { memory: 300, ..default }, &chain(9));
    assert_eq!(hit(&graph), [(Limit::Memory, 1)]);
    let graph = start(GraphLimits { bytes: 40, ..default }, &chain(9));
    // Two documents of 18 bytes and 4 bytes of the third.
    assert_eq!(hit(&graph), [(Limit::Bytes, 1)]);
    let state = NodeState::Done { outcome: Outcome::TooLarge, bytes: 4 };
    assert_eq!(graph.picture().nodes[2].state, state);
    let graph = start(GraphLimits { bytes: 36, ..default }, &chain(9));
    assert_eq!(graph.picture().nodes[2].state, NodeState::LeftOut { limit: Limit::Bytes });
    let graph = start(GraphLimits { node_bytes: 17, ..default }, &chain(9));
    assert_eq!(hit(&graph), [(Limit::NodeBytes, 1)]);

    let mut graph = Graph::new(GraphLimits { inline: 3, ..default });
    graph.add_token("0", "data:,1234", None);
    assert_eq!(hit(&graph), [(Limit::Inline, 1)]);
    let mut graph = Graph::new(GraphLimits { references: 1, ..default });
    assert!(graph.add_token("0", "x", None).is_some());
    assert!(graph.add_token("1", "x", None).is_none());
    assert_eq!(hit(&graph), [(Limit::References, 1)]);
}

#[test]
fn bytes_are_reserved_for_what_is_under_way() {
    let mut graph =
        Graph::new(GraphLimits { bytes: 250, node_bytes: 100, ..GraphLimits::default() });
    for token in 0..4 {
        graph.add_token("x", &format!("https://x.example/{token}"), None);
    }
    let tasks: Vec<_> = std::iter::from_fn(|| graph.next_task()).collect();
    assert_eq!(tasks.iter().map(|task| task.max_bytes).collect::<Vec<_>>(), [100, 100]);
    graph.report(tasks[0].node, Outcome::Served, 10, None).unwrap();
    assert_eq!(graph.next_task().unwrap().max_bytes, 100);
    assert_eq!(graph.next_task(), None);
}

/// Tokens, documents and links that mean one another at random.
fn worlds() -> impl Strategy<Value = (Vec<(String, Option<u8>)>, World)> {
    let link = prop_oneof![
        "[a-f](\\.json)?",
        "\\.\\./[a-f]\\.json",
        "https://x\\.example/[a-c]",
        "ipns://[a-b]",
        "(data:,|<svg>)[a-b]",
        "\\{id\\}(\\.json)?",
        Just(r#"data:application/json,{"image":"a"}"#.to_owned()),
        "\\PC{0,9}",
    ];
    let body = prop_oneof![
        proptest::collection::vec(link, 0..6)
            .prop_map(|links| serde_json::json!({ "image": links }).to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let name = prop_oneof![
        "[a-f](\\.json)?".prop_map(|file| format!("ipfs://{V1}/{file}")),
        "https://x\\.example/[a-c]",
        "ipns://[a-b]",
    ];
    let root = prop_oneof![
        name.clone(),
        Just(r#"data:application/json,{"image":"https://x.example/{id}"}"#.to_owned()),
        "\\PC{0,9}",
    ];
    (
        proptest::collection::vec((root, proptest::option::of(0_u8..3)), 1..6),
        proptest::collection::hash_map(name, body, 0..12),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// It ends, asks for nothing twice, keeps its limits and says what they left out.
    #[test]
    fn laws(
        (roots, world) in worlds(),
        depth in 0_usize..5,
        nodes in 0_usize..12,
        references in 0_usize..20,
        bytes in 0_u64..800,
        node_bytes in 1_u64..200,
        memory in 0_usize..4000,
        width in 1_usize..4,
        roomy in any::<bool>(),
    ) {
        let metadata = MetadataLimits { references: 8, ..MetadataLimits::default() };
        let limits = match roomy {
            true => GraphLimits { metadata, ..GraphLimits::default() },
            false => GraphLimits { depth, nodes, references, bytes, node_bytes, inline: 100, memory, metadata },
        };
        let mut graph = Graph::new(limits);
        let mut roots = roots.into_iter();
        let (mut asked, mut under_way) = (HashSet::new(), Vec::new());
        for step in 0..1000 {
            if step % 3 == 0 && let Some((uri, number)) = roots.next() {
                graph.add_token("x", &uri, number.and_then(id));
            }
            while under_way.len() < width && let Some(task) = graph.next_task() {
                prop_assert!(asked.insert(task.node), "handed out twice");
                let name = task.reference.canonical().unwrap_or(task.reference.text.clone());
                prop_assert!(asked.len() <= limits.nodes && !name.is_empty());
                under_way.push(task);
            }
            if let Some(task) = under_way.pop() {
                let (outcome, bytes, body) = answer(&world, &task);
                graph.report(task.node, outcome, bytes, body.as_deref()).unwrap();
            }
        }
        prop_assert!(graph.is_done() && roots.next().is_none());
        let picture = graph.picture();
        prop_assert!(picture.nodes.len() <= limits.nodes);
        prop_assert!(picture.edges.len() + picture.roots.len() <= limits.references);
        let mut used = 0;
        for node in &picture.nodes {
            prop_assert!(node.depth <= limits.depth);
            match node.state {
                NodeState::Done { bytes, outcome } => {
                    used += bytes;
                    prop_assert!(outcome != Outcome::Verified || node.proof.proves_bytes());
                }
                NodeState::LeftOut { limit } => prop_assert!(picture.limits.contains_key(&limit)),
                NodeState::Unfetchable => prop_assert!(!node.proof.fetchable()),
                NodeState::Waiting | NodeState::HandedOut { .. } => prop_assert!(false, "not settled"),
            }
        }
        prop_assert!(used <= limits.bytes);
        // Whatever is left out of a document is counted.
        let left_out = picture.nodes.iter().filter_map(|node| node.document.as_ref());
        if left_out.map(|document| document.left_out).sum::<u64>() > 0 {
            prop_assert!(!picture.limits.is_empty());
        }
        if roomy {
            prop_assert!(picture.limits.keys().all(|limit| *limit == Limit::Depth));
            let reached: HashSet<_> =
                (0..picture.roots.len()).flat_map(|root| graph.reached_by(RootId(root))).collect();
            prop_assert_eq!(reached.len(), picture.nodes.len(), "every node is some root's");
        }
        let json = serde_json::to_string(&graph).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Picture>(&json).unwrap(), picture);
    }

    /// The order in which answers come does not change what is found.
    #[test]
    fn the_order_of_answers_does_not_matter((roots, world) in worlds(), width in 2_usize..6) {
        let picture = |width: usize| {
            let mut graph = Graph::new(GraphLimits { depth: 3, ..GraphLimits::default() });
            for (uri, number) in &roots {
                graph.add_token("x", uri, number.and_then(id));
            }
            let mut under_way = Vec::new();
            while !graph.is_done() {
                while under_way.len() < width && let Some(task) = graph.next_task() {
                    under_way.push(task);
                }
                let task = under_way.pop().unwrap();
                let (outcome, bytes, body) = answer(&world, &task);
                graph.report(task.node, outcome, bytes, body.as_deref()).unwrap();
            }
            let picture = graph.into_picture();
            let name = |node: NodeId| {
                let node = &picture.nodes[node.0];
                node.reference.canonical().unwrap_or(node.reference.text.clone())
            };
            let nodes: HashSet<_> = picture.nodes.iter().enumerate().map(|(at, node)| {
                (name(NodeId(at)), node.depth, format!("{:?}{:?}", node.state, node.document))
            }).collect();
            let edges: HashSet<_> = picture.edges.iter().map(|edge| {
                (name(edge.from), name(edge.to), edge.pointer.clone(), edge.token.clone())
            }).collect();
            (nodes, edges, picture.limits.clone())
        };
        prop_assert_eq!(picture(1), picture(width));
    }
}
