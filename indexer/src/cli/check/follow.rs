//! `everhold check --follow`: a token's metadata, and everything that it is made of.

use std::{collections::BTreeSet, fmt::Write, process::ExitCode};

use futures::{StreamExt, stream::FuturesUnordered};
use serde::Serialize;

use super::{
    super::{
        Context,
        output::{Failure, SHORT, plain},
    },
    shortened,
};
use crate::{
    check::{Checked, Checker, Verdict},
    content::{
        Graph, GraphLimits, Node, NodeId, NodeState, Outcome, Picture, Reference, Task, shown,
    },
};

/// Contents and places of one token: far more than any has, and few enough that nobody is made to
/// flood others.
const MOST_NODES: usize = 10_000;

/// Links of one token.
const MOST_REFERENCES: usize = 100_000;

/// Fetches under way at once.
const AT_ONCE: usize = 8;

/// What `--follow --json` prints.
#[derive(Debug, Serialize)]
struct Followed {
    /// Whether everything is proved: each file of the token, and that these are all.
    proved: bool,
    /// What was fetched, in the order in which it came.
    checks: Vec<CheckedNode>,
    graph: Picture,
}

#[derive(Debug, Serialize)]
struct CheckedNode {
    /// Its place in the graph's nodes.
    node: NodeId,
    #[serde(flatten)]
    checked: Checked,
}

/// Follows a token's URI.
pub(super) async fn follow(
    context: &Context,
    reference: &Reference,
    id: Option<[u8; 32]>,
    checker: &Checker,
) -> Result<ExitCode, Failure> {
    let limits =
        GraphLimits { nodes: MOST_NODES, references: MOST_REFERENCES, ..GraphLimits::default() };
    let mut graph = Graph::new(limits);
    graph.add_token("token", &reference.text, id);
    let mut checks = Vec::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(task) = graph.next_task()
        {
            under_way.push(check(checker, task));
        }
        let Some((task, mut checked)) = under_way.next().await else { break };
        let outcome = checked.outcome();
        let bytes = checked.best().map_or(0, |best| best.bytes);
        let body = checked.take_body().filter(|body| body.len() <= task.keep);
        let reported = graph.report(task.node, outcome, bytes, body.as_deref());
        reported.map_err(|error| Failure::failed(error.to_string()))?;
        // Names in folders are many, and what a link leads to should be none.
        checked.answers.iter_mut().for_each(|answer| answer.entries = None);
        checks.push(CheckedNode { node: task.node, checked });
    }
    let graph = graph.into_picture();
    let proved = graph.limits.is_empty() && graph.nodes.iter().all(is_proved);
    let report = Followed { proved, checks, graph };
    context.output.result(&report, || people(&report))?;
    Ok(if proved { ExitCode::SUCCESS } else { ExitCode::from(SHORT) })
}

async fn check(checker: &Checker, task: Task) -> (Task, Checked) {
    let checked = checker.check(&task.reference, task.max_bytes).await;
    (task, checked)
}

/// Whether its bytes are proved and, if it should be a document, everything that it links to is
/// known.
fn is_proved(node: &Node) -> bool {
    let known = |outcome: &Outcome| matches!(outcome, Outcome::Verified | Outcome::Decoded);
    let proved = matches!(&node.state, NodeState::Done { outcome, .. } if known(outcome));
    let read = node.document.as_ref().is_none_or(|it| it.error.is_none() && it.left_out == 0);
    proved && read
}

fn people(report: &Followed) -> String {
    let Followed { proved, checks, graph } = report;
    let mut roles: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); graph.nodes.len()];
    for edge in &graph.edges {
        if let Some(roles) = roles.get_mut(edge.to.0) {
            roles.insert(&edge.role);
        }
    }
    let mut reasons: Vec<Option<String>> = vec![None; graph.nodes.len()];
    for CheckedNode { node, checked } in checks {
        if let Some(reason) = reasons.get_mut(node.0) {
            *reason = why(checked);
        }
    }
    let mut text = match proved {
        true => "proved: everything that the token is made of\n".to_owned(),
        false => "not all is proved of what the token is made of\n".to_owned(),
    };
    for ((node, roles), reason) in graph.nodes.iter().zip(roles).zip(reasons) {
        let role = match node.depth {
            0 => "metadata".to_owned(),
            _ => shown(&roles.into_iter().collect::<Vec<_>>().join(", ")),
        };
        let reference = shortened(&node.reference.text);
        let _ = writeln!(text, "  {:<12} {role}: {reference}", outcome(&node.state));
        let mut say = |line: &str| {
            let _ = writeln!(text, "  {:<12}   {}", "", plain(line));
        };
        reason.iter().for_each(|reason| say(reason));
        let Some(document) = &node.document else { continue };
        document.error.iter().for_each(|error| say(&format!("it can't be read: {error}")));
        document.warnings.iter().for_each(|warning| say(&warning.to_string()));
        if document.left_out > 0 {
            say(&format!("{} of its links were left out", document.left_out));
        }
    }
    for (limit, count) in &graph.limits {
        let _ = writeln!(text, "  left out by the limit `{}`: {count}", word(limit));
    }
    text
}

/// Why something is not proved.
fn why(checked: &Checked) -> Option<String> {
    if checked.verdict == Verdict::Proved && checked.outcome() != Outcome::Folder {
        return None;
    }
    let Some(best) = checked.best() else {
        return Some(match checked.provability.proof.fetchable() {
            true => "nobody is configured who could be asked".to_owned(),
            false => checked.provability.sentence.to_owned(),
        });
    };
    let detail = best.detail.as_deref().unwrap_or(checked.provability.sentence);
    Some(format!("{}: {detail}", best.source))
}

fn outcome(state: &NodeState) -> String {
    match state {
        NodeState::Done { outcome, .. } => word(outcome),
        NodeState::LeftOut { .. } => "left-out".to_owned(),
        _ => "unfetchable".to_owned(),
    }
}

/// The word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned()
}
