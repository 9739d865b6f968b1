//! Graphs of references: whatever documents say, the walk ends, and nothing is handed out twice.
#![no_main]

use std::collections::HashSet;

use everhold_content::{Graph, GraphLimits, Outcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut documents = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let Some(uri) = documents.next().and_then(|uri| String::from_utf8(uri).ok()) else { return };
    let documents: Vec<Vec<u8>> = documents.collect();
    let mut graph = Graph::new(GraphLimits::default());
    graph.add_token("token", &uri, Some([7; 32]));
    let mut seen = HashSet::new();
    let mut turn = 0;
    while let Some(task) = graph.next_task() {
        assert!(seen.insert(task.node), "handed out twice");
        let body = documents.get(turn % documents.len().max(1));
        turn += 1;
        let size = body.map_or(0, Vec::len) as u64;
        let body = body.filter(|body| body.len() <= task.keep).map(Vec::as_slice);
        let reported = graph.report(task.node, Outcome::Verified, size, body);
        assert!(reported.is_ok());
    }
    assert!(graph.is_done());
});
