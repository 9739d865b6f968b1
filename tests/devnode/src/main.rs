//! The development node's command line.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use everhold_devnode::config::{Config, Limits};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// An aleph Core Channel Node for development and tests.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The folder with all of the node's state.
    #[arg(long)]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A node to send messages to and fetch files from (repeatable).
    #[arg(long = "peer", value_name = "URL")]
    peers: Vec<String>,
    /// A node without the ipfs engine.
    #[arg(long)]
    no_ipfs: bool,
    /// Process a STORE whose file is not here [default: while without peers].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        action = ArgAction::Set)]
    trusting: Option<bool>,
    /// The account whose posts set balances and give credits.
    #[arg(long, value_name = "ADDR", default_value = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")]
    corechannel_owner: String,
    /// Credits given at the start (repeatable).
    #[arg(long = "credit", value_name = "ADDR=AMOUNT", value_parser = parse_credit)]
    credits: Vec<(String, u64)>,
    /// Never ask whether an account can pay.
    #[arg(long)]
    unlimited_credit: bool,
    /// Largest file for the storage engine, with a signed message.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().storage)]
    max_storage: u64,
    /// Largest file for the storage engine, without one.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().storage_unsigned)]
    max_storage_unsigned: u64,
    /// Largest file for the ipfs engine, with a signed message.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().ipfs)]
    max_ipfs: u64,
    /// Largest file for the ipfs engine, without one.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().ipfs_unsigned)]
    max_ipfs_unsigned: u64,
    /// End when stdin is closed.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl Options {
    fn into_config(self) -> Config {
        Config {
            trusting: self.trusting,
            data: self.data,
            peers: self.peers,
            ipfs: !self.no_ipfs,
            authority: self.corechannel_owner,
            credits: self.credits,
            unlimited_credit: self.unlimited_credit,
            limits: Limits {
                storage: self.max_storage,
                storage_unsigned: self.max_storage_unsigned,
                ipfs: self.max_ipfs,
                ipfs_unsigned: self.max_ipfs_unsigned,
            },
        }
    }
}

fn parse_credit(text: &str) -> Result<(String, u64), String> {
    let parsed = text.split_once('=').and_then(|(address, amount)| {
        let amount = amount.parse().ok()?;
        Some((address.to_owned(), amount))
    });
    parsed.ok_or_else(|| format!("'{text}' is not ADDR=AMOUNT"))
}

// Two threads are plenty, and keep the node's memory small.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devnode: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let (listen, exit_with_stdin) = (options.listen, options.exit_with_stdin);
    // Before anybody knows of us: a shell's background job is born deaf to interrupts.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = everhold_devnode::start(options.into_config(), listen).await?;
    println!("{}", serde_json::json!({"url": running.url}));
    tokio::select! {
        ended = running.task => ended.map_err(io::Error::other)?,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = stdin_closed(), if exit_with_stdin => Ok(()),
    }?;
    // Reading stdin may block a thread, which an orderly end would wait for.
    std::process::exit(0)
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut bytes = [0; 64];
    while stdin.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}
