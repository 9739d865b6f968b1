//! `everhold check`

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use alloy::primitives::U256;
use clap::Args;
use everhold_net::{Fetcher, Limits, Url};
use serde::Serialize;

use super::{
    Context,
    output::{Failure, SHORT, bytes_text, plain},
};
use crate::{
    check::{Checked, Checker, Source, SourceKind, Verdict, check_archive, check_file},
    content::{
        Graph, GraphLimits, NodeState, Outcome, Picture, Reference, ReferenceClass, shown,
        substitute_id,
    },
};

/// Fetches one reference of any kind, and says what that proves.
///
/// A reference is what stands in a contract's tokenURI or in metadata: ipfs://…, a gateway's URL,
/// an aleph item hash or URL, data:…, ar://…, ipns://…, https://…. Exit status: 0 the bytes are
/// proved, 3 they are not.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The reference
    #[arg(value_name = "REF", allow_hyphen_values = true)]
    reference: String,
    /// The document it stands in, for a relative one
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// The token whose id stands for `{id}` (ERC-1155)
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Ask this IPFS gateway, too, before the configured ones; repeatable
    #[arg(long, value_name = "URL")]
    gateway: Vec<Url>,
    /// Ask this aleph node, too, before the configured ones; repeatable
    #[arg(long, value_name = "URL")]
    node: Vec<Url>,
    /// Fetch nothing: check this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gateway", "node", "follow"])]
    file: Option<PathBuf>,
    /// Fetch nothing: check the blocks in this archive (CAR)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "gateway", "node", "follow"])]
    car: Option<PathBuf>,
    /// Take it for metadata, and check everything that it refers to
    #[arg(long)]
    follow: bool,
}

impl CheckArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let reference = self.reference()?;
        if let Some(path) = &self.file {
            let checked = check_file(&reference, path);
            return one(context, &checked.map_err(|error| unreadable(path, &error))?);
        }
        if let Some(path) = &self.car {
            let checked = check_archive(&reference, path);
            return one(context, &checked.map_err(|error| unreadable(path, &error))?);
        }
        let (checker, max_bytes) = self.checker(context)?;
        if !checker.has_source_for(&reference) {
            return Err(Failure::usage(
                "nobody can be asked for it: set [ipfs] gateways or [aleph] nodes in \
                 everhold.toml, or give --gateway URL or --node URL",
            ));
        }
        if self.follow {
            return self.follow(context, &reference, &checker).await;
        }
        one(context, &checker.check(&reference, max_bytes).await)
    }

    fn reference(&self) -> Result<Reference, Failure> {
        let id = self.id.as_deref().map(id_bytes).transpose().map_err(Failure::usage)?;
        let text = match &id {
            // A longer reference than can be is not understood anyway.
            Some(id) => substitute_id(&self.reference, id, 1 << 20).ok_or_else(|| {
                Failure::usage("the reference is too long with the token's id in it")
            })?,
            None => self.reference.as_str().into(),
        };
        let reference = match &self.base {
            Some(base) => Reference::resolve(&Reference::parse(base), &text),
            None => Reference::parse(&text),
        };
        if reference.class == ReferenceClass::Relative {
            return Err(Failure::usage(format!(
                "`{}` is relative: give the document it stands in with --base",
                reference.shown()
            )));
        }
        Ok(reference)
    }

    fn checker(&self, context: &Context) -> Result<(Checker, u64), Failure> {
        let config = context.read_config()?;
        let limits = Limits::from(&config.limits);
        let max_bytes = limits.max_content;
        let given = self.gateway.iter().chain(&self.node).cloned();
        let fetcher =
            Fetcher::builder(limits.clone()).configured(config.origins()).configured(given);
        let fetcher = fetcher.build()?;
        let mut sources = Vec::new();
        for (kind, urls) in [(SourceKind::Gateway, &self.gateway), (SourceKind::Aleph, &self.node)]
        {
            let new = |url: &Url| Source::new(kind, url.clone(), fetcher.clone());
            sources.extend(urls.iter().map(new));
        }
        sources.extend(Source::configured(&config, &fetcher));
        let web = Fetcher::new(limits, config.web.private_hosts.iter().cloned())?;
        let checker = Checker::new(sources, web);
        Ok((checker.keep(if self.follow { 1 << 20 } else { 0 }), max_bytes))
    }

    async fn follow(
        &self,
        context: &Context,
        reference: &Reference,
        checker: &Checker,
    ) -> Result<ExitCode, Failure> {
        let mut graph = Graph::new(GraphLimits::default());
        let id = self.id.as_deref().map(id_bytes).transpose().map_err(Failure::usage)?;
        graph.add_token("token", &reference.text, id);
        let mut checks = Vec::new();
        while let Some(task) = graph.next_task() {
            let checked = checker.check(&task.reference, task.max_bytes).await;
            let best = checked.best();
            let (bytes, body) = best.map_or((0, None), |best| (best.bytes, best.body.as_deref()));
            let body = body.filter(|body| body.len() <= task.keep);
            let reported = graph.report(task.node, checked.verdict.outcome(), bytes, body);
            reported.map_err(|error| Failure::failed(error.to_string()))?;
            checks.push(checked);
        }
        let graph = graph.into_picture();
        let short =
            graph.nodes.iter().any(|node| !is_proved(&node.state)) || !graph.limits.is_empty();
        let report = Followed { checks, graph };
        context.output.result(&report, people_graph(&report));
        Ok(if short { ExitCode::from(SHORT) } else { ExitCode::SUCCESS })
    }
}

/// What `--follow --json` prints.
#[derive(Debug, Serialize)]
struct Followed {
    checks: Vec<Checked>,
    graph: Picture,
}

fn is_proved(state: &NodeState) -> bool {
    let proved = |outcome: &Outcome| matches!(outcome, Outcome::Verified | Outcome::Decoded);
    matches!(state, NodeState::Done { outcome, .. } if proved(outcome))
}

/// A token's id, most significant byte first.
fn id_bytes(text: &str) -> Result<[u8; 32], String> {
    let id: U256 = text.parse().map_err(|_| format!("`{text}` is not a token id"))?;
    Ok(id.to_be_bytes())
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

fn one(context: &Context, checked: &Checked) -> Result<ExitCode, Failure> {
    context.output.result(checked, people(checked));
    Ok(if checked.verdict == Verdict::Proved { ExitCode::SUCCESS } else { ExitCode::from(SHORT) })
}

/// Entries of a directory that are shown.
const SHOWN_ENTRIES: usize = 10;

fn people(checked: &Checked) -> String {
    let mut text = format!("{}: {}\n", checked.verdict.as_str(), shortened(&checked.reference));
    let _ = writeln!(text, "  class {}; {}", checked.class, checked.provability.sentence);
    for answer in &checked.answers {
        let _ = writeln!(text, "  {}: {}", plain(&answer.source), answer.verdict.as_str());
        let mut facts = Vec::new();
        if let Some(sha256) = &answer.sha256 {
            facts.push(format!("{}, sha-256 {sha256}", bytes_text(answer.bytes)));
        }
        if let Some(media_type) = &answer.media_type {
            facts.push(format!("said to be {}", plain(media_type)));
        }
        facts.extend(answer.detail.as_deref().map(plain));
        facts.into_iter().for_each(|fact| {
            let _ = writeln!(text, "    {fact}");
        });
        let entries = answer.entries.iter().flatten();
        for entry in entries.take(SHOWN_ENTRIES) {
            let _ = writeln!(text, "    {}", shown(entry));
        }
    }
    text
}

fn people_graph(report: &Followed) -> String {
    let mut text = String::new();
    for (at, node) in report.graph.nodes.iter().enumerate() {
        let roles: Vec<&str> = report
            .graph
            .edges
            .iter()
            .filter(|edge| edge.to.0 == at)
            .map(|edge| edge.role.as_str())
            .collect();
        let role = if node.depth == 0 { "metadata".to_owned() } else { roles.join(", ") };
        let outcome = match &node.state {
            NodeState::Done { outcome, .. } => {
                serde_json::to_value(outcome).ok().and_then(|word| Some(word.as_str()?.to_owned()))
            }
            NodeState::LeftOut { .. } => Some("left out, by a limit".to_owned()),
            _ => Some("not to be fetched".to_owned()),
        };
        let _ = writeln!(
            text,
            "{:<12} {}: {}",
            outcome.unwrap_or_default(),
            shown(&role),
            shortened(&node.reference.text)
        );
        if let Some(document) = &node.document {
            if let Some(error) = &document.error {
                let _ = writeln!(text, "             not to be read: {}", plain(error));
            }
            for warning in &document.warnings {
                let _ = writeln!(text, "             {}", warning);
            }
        }
    }
    for (limit, count) in &report.graph.limits {
        let _ = writeln!(text, "left out by the limit of {limit:?}: {count}");
    }
    text
}

/// The start of a reference: inline data may be megabytes.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    let end = text.floor_char_boundary(MOST);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", shown(&text[..end]))
}
