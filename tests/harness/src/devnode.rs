//! A development aleph node, its disk, and the ways to harm it.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{
    Context, Error, Program, Result, http::Http, locate, process::Process, process::Tie,
    workdir::Workdir,
};

const START: Duration = Duration::from_secs(15);
const END: Duration = Duration::from_secs(5);

/// How a node is set up.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// URLs of nodes it replicates to and fetches from.
    pub peers: Vec<String>,
    /// Whether it lacks the ipfs engine.
    pub no_ipfs: bool,
    /// Whether it processes a STORE whose file it lacks; its own default where `None`.
    pub trusting: Option<bool>,
    /// Whether accounts must pay.
    pub billing: bool,
    /// Where its disk and its log go, and stay; a temporary folder where `None`.
    pub dir: Option<PathBuf>,
    /// More arguments.
    pub arguments: Vec<String>,
}

/// A node in a process of its own, with a disk of its own.
#[derive(Debug)]
pub struct DevNode {
    process: Option<Process>,
    options: NodeOptions,
    dir: Workdir,
    url: String,
    http: Http,
}

/// A file as a node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFile {
    /// `Qm…` or 64 hex digits.
    pub hash: String,
    /// Bytes on its disk; `None` where it is not there.
    pub size: Option<u64>,
    /// Bytes in its records; `None` where it has none.
    pub recorded: Option<u64>,
}

impl DevNode {
    /// Starts a node on a free port.
    pub async fn start(options: NodeOptions) -> Result<Self> {
        Self::start_at("127.0.0.1:0", options).await
    }

    /// Starts a node at an address and port.
    pub async fn start_at(listen: &str, options: NodeOptions) -> Result<Self> {
        let dir = Workdir::new(options.dir.as_deref())?;
        let (process, url) = launch(dir.path(), &options, listen).await?;
        Ok(Self { process: Some(process), options, dir, url, http: Http::new() })
    }

    /// Its URL; the same after a restart.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// Where a file (`Qm…` or 64 hex digits) lies on its disk, if it does. What is done to it by
    /// hand has its real effect.
    pub fn path(&self, hash: &str) -> PathBuf {
        self.dir.join("data/files").join(hash)
    }

    /// Ends it; its disk stays.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.terminate(END).await.map(drop),
            None => Ok(()),
        }
    }

    /// Ends it, if it runs, and starts it again at the same URL with the same disk.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let address = self.url.trim_start_matches("http://");
        let (process, _) = launch(self.dir.path(), &self.options, address).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Deletes a file from its disk; its records stay.
    pub async fn lose(&self, hash: &str) -> Result<()> {
        let answer = self.control("lose", &json!({"hash": hash})).await?;
        match answer["lost"].as_array() {
            Some(lost) if lost.len() == 1 => Ok(()),
            _ => Err(Error::new(format!("{} has no {hash} to lose", self.url))),
        }
    }

    /// Deletes all files; gives how many.
    pub async fn lose_all(&self) -> Result<usize> {
        let answer = self.control("lose", &json!({"all": true})).await?;
        Ok(answer["lost"].as_array().map_or(0, Vec::len))
    }

    /// Inverts every byte of a file; its length stays.
    pub async fn corrupt(&self, hash: &str) -> Result<()> {
        let fault = json!({"hash": hash});
        self.control("corrupt", &fault).await.map(drop)
    }

    /// Inverts every byte of all files; gives how many.
    pub async fn corrupt_all(&self) -> Result<usize> {
        let answer = self.control("corrupt", &json!({"all": true})).await?;
        Ok(answer["corrupted"].as_array().map_or(0, Vec::len))
    }

    /// Sets a fault as the node's README describes: `{"hash", "kind", …}`.
    pub async fn fault(&self, fault: Value) -> Result<()> {
        self.control("fault", &fault).await.map(drop)
    }

    /// Any other control endpoint under `/dev/`.
    pub async fn control(&self, name: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/dev/{name}", self.url);
        self.http.post(&url, body).await
    }

    /// A GET of any other path that answers with JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.http.get(&format!("{}{path}", self.url)).await
    }

    /// What it holds, and what it believes to hold.
    pub async fn files(&self) -> Result<Vec<NodeFile>> {
        let answer = self.http.get(&format!("{}/dev/files", self.url)).await?;
        let file = |file: &Value| {
            Some(NodeFile {
                hash: file["hash"].as_str()?.to_owned(),
                size: file["size"].as_u64(),
                recorded: file["recorded"].as_u64(),
            })
        };
        let files = answer["files"].as_array();
        let files: Option<_> = files.and_then(|files| files.iter().map(file).collect());
        files.context(format!("unknown shape: {answer}"))
    }

    /// The requests it got: `{"total", "counts", "log"}`.
    pub async fn requests(&self) -> Result<Value> {
        self.http.get(&format!("{}/dev/requests", self.url)).await
    }

    /// Begins to count requests anew.
    pub async fn forget_requests(&self) -> Result<()> {
        let url = format!("{}/dev/requests", self.url);
        self.http.delete(&url).await.map(drop)
    }
}

async fn launch(dir: &Path, options: &NodeOptions, listen: &str) -> Result<(Process, String)> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("node.log"))
        .context("node.log")?;
    let mut command = command(dir, options, listen, log)?;
    let mut process = Process::spawn("everhold-devnode", &mut command, Tie::Stdin)?;
    let output = process.stdout().context("stdout of everhold-devnode")?;
    let mut line = String::new();
    let mut reader = BufReader::new(output);
    let read = tokio::time::timeout(START, reader.read_line(&mut line));
    read.await.context("everhold-devnode says nothing")?.context("everhold-devnode")?;
    let said: Option<Value> = serde_json::from_str(&line).ok();
    let url = said.and_then(|said| said["url"].as_str().map(str::to_owned));
    let url = url.with_log(dir)?;
    Ok((process, url))
}

fn command(dir: &Path, options: &NodeOptions, listen: &str, log: File) -> Result<Command> {
    let mut command = Command::new(locate(Program::DevNode)?);
    command.args(["--listen", listen, "--exit-with-stdin"]).arg("--data").arg(dir.join("data"));
    for peer in &options.peers {
        command.args(["--peer", peer]);
    }
    if options.no_ipfs {
        command.arg("--no-ipfs");
    }
    if let Some(trusting) = options.trusting {
        command.arg("--trusting").arg(trusting.to_string());
    }
    if !options.billing {
        command.arg("--unlimited-credit");
    }
    command.args(&options.arguments).stdout(Stdio::piped()).stderr(Stdio::from(log));
    Ok(command)
}

/// Where a node did not start, its log says why.
trait WithLog {
    fn with_log(self, dir: &Path) -> Result<String>;
}

impl WithLog for Option<String> {
    fn with_log(self, dir: &Path) -> Result<String> {
        self.ok_or_else(|| {
            let log = std::fs::read_to_string(dir.join("node.log")).unwrap_or_default();
            let end: Vec<_> = log.lines().take(3).collect();
            Error::new(format!("everhold-devnode did not start: {}", end.join(" ")))
        })
    }
}
