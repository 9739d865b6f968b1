//! The command line: parse, call the library, print.

mod alert;
mod check;
mod delegate;
mod deny;
mod deploy;
mod export;
mod freeze;
mod hash;
mod incident;
mod init;
mod keys;
mod output;
mod publish;
mod reindex;
mod repairs;
mod restore;
mod status;
mod token;
mod update;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::{
    aside::aside,
    chain::Rpc,
    config::Config,
    ledger::{LedgerError, Tx},
    nodes::Fetcher,
    watch::{short_of, shortage},
};
use output::{Failure, Output};

/// Keeps NFT collections provable and alive.
#[derive(Debug, Parser)]
#[command(name = "everhold", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Settings [default: everhold.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "EVERHOLD_CONFIG")]
    config: Option<PathBuf>,
    /// JSON-RPC endpoint of the chain; repeatable, instead of `[chain] rpc`. Where several chains are
    /// configured, of the one that --chain-id names
    #[arg(long, global = true, value_name = "URL")]
    rpc: Vec<Url>,
    /// Print one JSON document on stdout, everything else on stderr
    #[arg(long, global = true)]
    json: bool,
    /// Say more; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Do not ask, answer yes
    #[arg(short, long, global = true)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented everhold.toml
    Init(init::Init),
    /// Deploy a collection
    Deploy(deploy::Deploy),
    /// Upload a folder's media and metadata, and mint; a second run goes on
    Publish(publish::Publish),
    /// Give a token new metadata, as its owner
    Update(update::Update),
    /// Fix a token's content for ever, as its owner
    Freeze(freeze::Freeze),
    /// Follow the chain, verify, repair, alert
    Watch(watch::WatchArgs),
    /// Show collections, health counts, nodes and incidents
    Status(status::StatusArgs),
    /// Show one token: owner, digest, contents, replicas, evidence
    Token(token::TokenArgs),
    /// Show what was done to bring replicas back, and what it costs
    Repairs(repairs::RepairsArgs),
    /// Let the key that repairs sign for an account, which pays
    Delegate(delegate::DelegateArgs),
    /// Keep the deny list: what is never fetched, stored, repaired or shown
    Deny(deny::DenyArgs),
    /// Write all content that a collection names into an archive (CAR)
    Export(export::ExportArgs),
    /// Take content that is known out of an archive (CAR) into the vault, to be repaired from there
    Restore(restore::RestoreArgs),
    /// Test those who are told of incidents, and show what waits for them
    Alert(alert::AlertArgs),
    /// Show incidents; say who looks after one, or that nobody is to be told for a while
    Incident(incident::IncidentArgs),
    /// Forget what was read of a collection, and have it read again; ends a halt
    Reindex(reindex::ReindexArgs),
    /// Fetch one reference of any kind, and say what that proves
    Check(check::CheckArgs),
    /// Print the names of a file or folder: sha-256, CIDv0, CIDv1
    Hash(hash::HashArgs),
}

/// Which chain a command is about.
#[derive(Clone, Copy, Debug, Args)]
struct OneChain {
    /// Id of the chain (EIP-155) it is about; needed where that is not clear
    #[arg(long, value_name = "N")]
    chain_id: Option<u64>,
}

impl Command {
    /// The chain that a command of one chain names.
    fn chain_id(&self) -> Option<u64> {
        let chain = match self {
            Self::Deploy(args) => args.chain,
            Self::Publish(args) => args.chain,
            Self::Update(args) => args.chain,
            Self::Freeze(args) => args.chain,
            Self::Token(args) => args.chain,
            Self::Reindex(args) => args.chain,
            Self::Export(args) => args.chain,
            Self::Init(_)
            | Self::Watch(_)
            | Self::Status(_)
            | Self::Repairs(_)
            | Self::Delegate(_)
            | Self::Deny(_)
            | Self::Restore(_)
            | Self::Alert(_)
            | Self::Incident(_)
            | Self::Check(_)
            | Self::Hash(_) => return None,
        };
        chain.chain_id
    }
}

/// What a command works with.
pub(crate) struct Context {
    global: Global,
    output: Output,
    chain_id: Option<u64>,
    stop: CancellationToken,
}

impl Context {
    /// The configuration; nodes that can't satisfy the policy are said.
    fn config(&self) -> Result<Config, Failure> {
        let config = self.read_config()?;
        if let Some(shortage) = shortage(&config) {
            warn!("{shortage}");
        }
        Ok(config)
    }

    /// Says it if the nodes that were found through the network's list can't satisfy the policy:
    /// which they are is in the ledger.
    async fn say_shortage(&self, config: &Config, tx: &mut Tx) -> Result<(), LedgerError> {
        if config.aleph.nodes.is_some() {
            return Ok(());
        }
        let nodes = tx.nodes().await?;
        match short_of(&nodes, config.replicas.min) {
            // Before the first `watch`, none is known.
            Some(shortage) if !nodes.is_empty() => warn!("{shortage}"),
            _ => {}
        }
        Ok(())
    }

    /// The configuration, for commands that need nodes that satisfy the policy.
    fn config_with_nodes(&self) -> Result<Config, Failure> {
        let config = self.read_config()?;
        shortage(&config).map_or(Ok(config), |shortage| Err(Failure::usage(shortage)))
    }

    /// The same for `watch`, where providers may make up for nodes that are not there.
    fn config_to_watch(&self) -> Result<Config, Failure> {
        match self.read_config()?.ipfs.has_routers() {
            true => self.config(),
            false => self.config_with_nodes(),
        }
    }

    /// The endpoints of the chain that the command is about.
    async fn connect(&self, config: &Config, fetcher: &Fetcher) -> Result<Rpc, Failure> {
        let chain = config.chain_of(self.chain_id)?;
        let rpc = Rpc::connect(&chain.rpc, fetcher).await?;
        rpc.must_be(self.chain_id.or(chain.chain_id))?;
        Ok(rpc)
    }

    /// File, environment, command line.
    fn read_config(&self) -> Result<Config, Failure> {
        let named = self.global.config.as_deref();
        let path = named.unwrap_or(std::path::Path::new("everhold.toml"));
        let mut config = Config::load(path, named.is_some())?;
        if !self.global.rpc.is_empty() {
            config.set_rpc(&self.global.rpc, self.chain_id)?;
        }
        config.check()?;
        Ok(config)
    }
}

/// Runs the command line; the exit status is 0 fine, 1 failed, 2 wrong usage or configuration,
/// 3 an integrity check fell short.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let watching = matches!(cli.command, Command::Watch(_));
    start_log(&cli.global, watching);
    let context = Context {
        output: Output::new(cli.global.json, cli.global.yes),
        global: cli.global,
        chain_id: cli.command.chain_id(),
        stop: CancellationToken::new(),
    };
    let stop = context.stop.clone();
    let forever = matches!(&cli.command, Command::Watch(watch) if !watch.once);
    let goes_on = !matches!(
        &cli.command,
        Command::Check(_)
            | Command::Hash(_)
            | Command::Token(_)
            | Command::Export(_)
            | Command::Alert(_)
    );
    let command = dispatch(cli.command, &context);
    tokio::pin!(command);
    let done = tokio::select! {
        done = &mut command => done,
        () = interrupted() => {
            stop.cancel();
            if forever {
                command.await
            } else {
                Err(Failure::interrupted(goes_on))
            }
        }
    };
    match done {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => args.run(context),
        Command::Deploy(args) => args.run(context).await,
        Command::Publish(args) => args.run(context).await,
        Command::Update(args) => args.run(context).await,
        Command::Freeze(args) => args.run(context).await,
        Command::Watch(args) => args.run(context).await,
        Command::Status(args) => args.run(context).await,
        Command::Token(args) => args.run(context).await,
        Command::Repairs(args) => args.run(context).await,
        Command::Delegate(args) => args.run(context).await,
        Command::Deny(args) => args.run(context).await,
        Command::Export(args) => args.run(context).await,
        Command::Restore(args) => args.run(context).await,
        Command::Alert(args) => args.run(context).await,
        Command::Incident(args) => args.run(context).await,
        Command::Reindex(args) => args.run(context).await,
        Command::Check(args) => args.run(context).await,
        Command::Hash(args) => args.run(context).await,
    }
}

/// Ctrl-C, or the end a service manager asks for.
async fn interrupted() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! { () = ctrl_c => {}, () = terminate => {} }
}

/// The log goes to stderr; `EVERHOLD_LOG` takes tracing's own filter text.
fn start_log(global: &Global, with_time: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (_, 0) => "warn,everhold=info",
        (_, 1) => "warn,everhold=debug",
        // HTTP libraries log URLs, and those of RPCs and webhooks hold keys.
        _ => "debug,everhold=trace,alloy=warn,hyper=warn,reqwest=warn,object_store=warn",
    };
    let filter = EnvFilter::try_from_env("EVERHOLD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_target(false);
    if with_time { log.init() } else { log.without_time().init() }
}
