//! A real IPFS daemon, npm's `ipfs`: Kubo's RPC and a gateway.

use std::{fs::File, path::PathBuf, process::Stdio, time::Duration};

use axum::http::Method;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    Context, Error, Result,
    binaries::repository,
    eventually,
    http::Http,
    process::{Process, Tie},
    workdir::Workdir,
};

const START: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Between the parts of a form.
const BOUNDARY: &str = "everhold-harness";

/// A daemon with an empty repository, on free ports of this machine, which knows no other.
#[derive(Debug)]
pub struct Ipfs {
    process: Process,
    dir: Workdir,
    rpc: String,
    gateway: String,
    http: Http,
}

impl Ipfs {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        Self::start_with("config.json").await
    }

    /// Starts one that tells others, and asks them, who has what: a server of the DHT.
    pub async fn start_in_dht() -> Result<Self> {
        Self::start_with("dht.json").await
    }

    async fn start_with(config: &str) -> Result<Self> {
        let home = repository().join("tests/ipfs");
        let program = home.join("node_modules/ipfs/src/cli.js");
        if !program.is_file() {
            let shown = home.display();
            return Err(Error::new(format!("npm's ipfs is not there: run `npm ci` in {shown}")));
        }
        let dir = Workdir::new(None)?;
        let log = dir.join("ipfs.log");
        let output = File::create(&log).context(log.display())?;
        let errors = output.try_clone().context(log.display())?;
        let mut command = Command::new("node");
        command
            .arg("--require")
            .arg(home.join("with-resolvers.cjs"))
            .arg(program)
            .args(["daemon", "--enable-preload=false", "--init-profile=test", "--init-config"])
            .arg(home.join(config))
            .env("IPFS_PATH", dir.join("repository"))
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors));
        let mut process = Process::spawn("ipfs", &mut command, Tie::Leash)?;
        let (rpc, gateway) = eventually("the IPFS daemon listens", START, LOOK, async || {
            let text = std::fs::read_to_string(&log).context(log.display())?;
            if !process.is_running() {
                return Err(Error::new(format!("ipfs ended: {}", text.trim())));
            }
            Ok(listening(&text))
        })
        .await?;
        Ok(Self { process, dir, rpc, gateway, http: Http::new() })
    }

    /// Kubo's RPC, without `/api/v0`.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// The gateway, without `/ipfs`.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// What it says is in this file.
    pub fn log(&self) -> PathBuf {
        self.dir.join("ipfs.log")
    }

    /// The process, e.g. to stop it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Calls a method of the RPC.
    pub async fn call(&self, method: &str) -> Result<Vec<u8>> {
        let url = format!("{}/api/v0/{method}", self.rpc);
        Ok(self.http.bytes(Method::POST, &url, "", Vec::new()).await?.to_vec())
    }

    /// Adds and pins files; `options` are those of `add`, e.g. `chunker=size-1000`. Gives the CID of
    /// the last: a folder, where names have one.
    pub async fn add(&self, files: &[(&str, &[u8])], options: &str) -> Result<String> {
        let url = format!("{}/api/v0/add?{options}", self.rpc);
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let answer = self.http.bytes(Method::POST, &url, &kind, form(files)).await?;
        let last = answer.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let last: Value = serde_json::from_slice(last.context("add")?).context("add")?;
        Ok(last["Hash"].as_str().context("add")?.to_owned())
    }

    /// Imports an archive (CAR), and pins its roots; gives the CID of the last.
    pub async fn import(&self, car: &[u8]) -> Result<String> {
        let url = format!("{}/api/v0/dag/import?pin-roots=true", self.rpc);
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let form = form(&[("archive.car", car)]);
        let answer = self.http.bytes(Method::POST, &url, &kind, form).await?;
        let last = answer.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let last: Value = serde_json::from_slice(last.context("import")?).context("import")?;
        let root = &last["Root"];
        match (root["Cid"]["/"].as_str(), root["PinErrorMsg"].as_str()) {
            (Some(cid), None | Some("")) => Ok(cid.to_owned()),
            _ => Err(Error::new(format!("import: {last}"))),
        }
    }

    /// The archive (CAR) of a DAG.
    pub async fn export(&self, cid: &str) -> Result<Vec<u8>> {
        self.call(&format!("dag/export?arg={cid}")).await
    }
}

/// RFC 7578, with paths for names as Kubo takes them.
fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (path, bytes) in files {
        let path = path.replace('/', "%2F");
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{path}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

/// The URLs of RPC and gateway in what the daemon says, once it is ready.
fn listening(text: &str) -> Option<(String, String)> {
    text.contains("Daemon is ready").then_some(())?;
    let at = |what: &str| {
        let line = text.lines().find(|line| line.starts_with(what))?;
        let (_, rest) = line.split_once("/tcp/")?;
        Some(format!("http://127.0.0.1:{}", rest.split('/').next()?))
    };
    Some((at("HTTP API listening on")?, at("Gateway (read only) listening on")?))
}
