//! `everhold check`

mod follow;

use std::{fmt::Write, io, path::PathBuf, process::ExitCode};

use alloy::primitives::U256;
use clap::Args;
use everhold_net::{Fetcher, Limits, Url};

use super::{
    Context, aside,
    output::{Failure, SHORT, bytes_text, plain},
};
use crate::{
    check::{Checked, Checker, Source, SourceKind, Verdict, check_archive, check_file},
    content::{Reference, ReferenceClass, shown, substitute_id},
    deny::DenyList,
};
use follow::follow;

/// Fetches one reference of any kind, and says what that proves.
///
/// A reference is what stands in a contract's tokenURI or in metadata: ipfs://…, a gateway's URL,
/// an aleph item hash or URL, data:…, ar://…, ipns://…, https://….
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 the bytes are proved, 3 they are not, 1 something failed, 2 wrong usage."
)]
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
    gateway: Vec<String>,
    /// Ask this aleph node, too, before the configured ones; repeatable
    #[arg(long, value_name = "URL")]
    node: Vec<String>,
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
        let check = if self.file.is_some() { check_file } else { check_archive };
        if let Some(path) = self.file.as_ref().or(self.car.as_ref()) {
            return on_disk(context, reference, path.clone(), check).await;
        }
        let (checker, max_bytes) = self.checker(context)?;
        let checker = checker.deny(DenyList::read(&context.read_config()?).await?);
        if !checker.has_source_for(&reference) {
            return Err(Failure::usage(
                "nobody can be asked for it: set [ipfs] gateways or [aleph] nodes in \
                 everhold.toml, or give --gateway URL or --node URL",
            ));
        }
        if self.follow {
            return follow(context, &reference, self.token_id()?, &checker).await;
        }
        one(context, &checker.check(&reference, max_bytes).await)
    }

    fn reference(&self) -> Result<Reference, Failure> {
        if self.reference.is_empty() {
            return Err(Failure::usage("the reference is empty"));
        }
        let text = match &self.token_id()? {
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
            let remedy = match self.base {
                Some(_) => ", and nothing lies beside what --base names",
                None => ": give the document it stands in with --base",
            };
            return Err(Failure::usage(format!("`{}` is relative{remedy}", reference.shown())));
        }
        Ok(reference)
    }

    fn token_id(&self) -> Result<Option<[u8; 32]>, Failure> {
        self.id.as_deref().map(id_bytes).transpose().map_err(Failure::usage)
    }

    fn checker(&self, context: &Context) -> Result<(Checker, u64), Failure> {
        let config = context.read_config()?;
        let limits = Limits::from(&config.limits);
        let max_bytes = limits.max_content;
        let mut given = Vec::new();
        for (option, kind, texts) in [
            ("--gateway", SourceKind::Gateway, &self.gateway),
            ("--node", SourceKind::Aleph, &self.node),
        ] {
            for text in texts {
                given.push((kind, base_url(option, text)?));
            }
        }
        let urls = given.iter().map(|(_, url)| url.clone());
        let fetcher =
            Fetcher::builder(limits.clone()).configured(config.origins()).configured(urls);
        let fetcher = fetcher.build()?;
        let new = |(kind, url)| Source::new(kind, url, fetcher.clone());
        let mut sources: Vec<Source> = given.into_iter().map(new).collect();
        sources.extend(Source::configured(&config, &fetcher));
        let web = Fetcher::new(limits, config.web.private_hosts.iter().cloned())?;
        let checker = Checker::new(sources, web);
        Ok((checker.keep(if self.follow { 1 << 20 } else { 0 }), max_bytes))
    }
}

/// A token's id, most significant byte first.
fn id_bytes(text: &str) -> Result<[u8; 32], String> {
    let id: Option<U256> = Some(text).filter(|text| !text.is_empty()).and_then(|t| t.parse().ok());
    Ok(id.ok_or_else(|| format!("`{text}` is not a token id"))?.to_be_bytes())
}

/// A source's URL. What is none is not said again where a password may be in it.
fn base_url(option: &str, text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        let shown = if text.contains('@') { "what it names" } else { text };
        Failure::usage(format!("{option}: {shown} is no http or https URL"))
    })
}

/// Checks a file or an archive, which may take long.
async fn on_disk(
    context: &Context,
    reference: Reference,
    path: PathBuf,
    check: fn(&Reference, &std::path::Path) -> io::Result<Checked>,
) -> Result<ExitCode, Failure> {
    let opened = path.clone();
    let checked = aside(move || check(&reference, &opened)).await;
    let checked = checked.map_err(|_| Failure::failed("the check has stopped"))?;
    one(context, &checked.map_err(|error| unreadable(&path, &error))?)
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

fn one(context: &Context, checked: &Checked) -> Result<ExitCode, Failure> {
    context.output.result(checked, || people(checked))?;
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

/// The start of a reference: inline data may be megabytes.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    let end = text.floor_char_boundary(MOST);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", shown(&text[..end]))
}
