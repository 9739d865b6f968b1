//! A development chain.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    Context, Error, Program, Result, eventually, http::Http, locate, process::Process,
    process::Tie, workdir::Workdir,
};

const START: Duration = Duration::from_secs(15);
const MINED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// An anvil on a free port; it mines a block for each transaction.
#[derive(Debug)]
pub struct Anvil {
    process: Process,
    dir: Workdir,
    url: String,
    http: Http,
}

impl Anvil {
    /// Starts one, with its defaults.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[], None).await
    }

    /// Starts one with more arguments, e.g. `["--block-time", "1"]`; its log goes to `dir`.
    pub async fn start_with(arguments: &[&str], dir: Option<&Path>) -> Result<Self> {
        let dir = Workdir::new(dir)?;
        let log = dir.join("anvil.log");
        let output = File::create(&log).context(log.display())?;
        let errors = output.try_clone().context(log.display())?;
        let mut command = Command::new(locate(Program::Anvil)?);
        command
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors));
        let mut process = Process::spawn("anvil", &mut command, Tie::Leash)?;
        let address = eventually("anvil listens", START, LOOK, async || {
            let text = std::fs::read_to_string(&log).context(log.display())?;
            if !process.is_running() {
                return Err(Error::new(format!("anvil ended: {}", text.trim())));
            }
            Ok(listening(&text))
        })
        .await?;
        Ok(Self { process, dir, url: format!("http://{address}"), http: Http::new() })
    }

    /// Its JSON-RPC endpoint.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What it printed.
    pub fn log(&self) -> PathBuf {
        self.dir.join("anvil.log")
    }

    /// The running program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Calls a method; a JSON-RPC error is an error.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer = self.http.post(&self.url, &request).await?;
        match answer.get("error") {
            Some(error) => Err(Error::new(format!("{method}: {error}"))),
            None => Ok(answer["result"].take()),
        }
    }

    /// The number of the newest block.
    pub async fn head(&self) -> Result<u64> {
        number(&self.rpc("eth_blockNumber", json!([])).await?)
    }

    /// A block without its transactions; null where there is none.
    pub async fn block(&self, number: u64) -> Result<Value> {
        let params = json!([format!("{number:#x}"), false]);
        self.rpc("eth_getBlockByNumber", params).await
    }

    /// Mines empty blocks.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        let params = json!([format!("{blocks:#x}")]);
        self.rpc("anvil_mine", params).await.map(drop)
    }

    /// Whether each transaction makes a block at once.
    pub async fn automine(&self, on: bool) -> Result<()> {
        self.rpc("evm_setAutomine", json!([on])).await.map(drop)
    }

    /// Sends a transaction (`{"from", "to", "data", …}`) of one of the chain's own accounts, which
    /// needs no key; gives its hash. It is in a block soon, not at once: see [`Anvil::mined`].
    pub async fn send(&self, transaction: Value) -> Result<String> {
        let hash = self.rpc("eth_sendTransaction", json!([transaction])).await?;
        text(&hash)
    }

    /// As [`Anvil::send`], of many at once.
    pub async fn send_all(&self, transactions: Vec<Value>) -> Result<()> {
        let request = |(id, transaction): (usize, Value)| {
            let params = json!([transaction]);
            json!({"jsonrpc": "2.0", "id": id, "method": "eth_sendTransaction", "params": params})
        };
        let batch: Vec<Value> = transactions.into_iter().enumerate().map(request).collect();
        let answers = self.http.post(&self.url, &Value::Array(batch)).await?;
        match answers.as_array().into_iter().flatten().find(|answer| answer.get("error").is_some())
        {
            Some(answer) => Err(Error::new(format!("eth_sendTransaction: {answer}"))),
            None => Ok(()),
        }
    }

    /// Calls a contract without a transaction: `data` is a selector and its arguments.
    pub async fn call(&self, to: &str, data: &str) -> Result<String> {
        let params = json!([{"to": to, "data": data}, "latest"]);
        text(&self.rpc("eth_call", params).await?)
    }

    /// `contentDigest(token)` of a collection: what the chain itself says, as 64 hex digits.
    pub async fn content_digest(&self, collection: &str, token: u64) -> Result<String> {
        let call = format!("0xe9961cd2{token:064x}");
        let digest = self.call(collection, &call).await?;
        Ok(digest.trim_start_matches("0x").to_owned())
    }

    /// Waits until a transaction is in a block; gives its receipt.
    pub async fn mined(&self, transaction: &str) -> Result<Value> {
        let what = format!("{transaction} in a block");
        eventually(&what, MINED, LOOK, async || {
            let receipt = self.receipt(transaction).await?;
            Ok((!receipt.is_null()).then_some(receipt))
        })
        .await
    }

    /// A transaction's receipt; null where it is in no block.
    pub async fn receipt(&self, transaction: &str) -> Result<Value> {
        let params = json!([transaction]);
        self.rpc("eth_getTransactionReceipt", params).await
    }

    /// A transaction as it was signed, to be mined again on another chain.
    pub async fn raw_transaction(&self, transaction: &str) -> Result<String> {
        let params = json!([transaction]);
        text(&self.rpc("eth_getRawTransactionByHash", params).await?)
    }

    /// Replaces the newest `depth` blocks by as many others. Each raw transaction is mined in the
    /// new block with its offset, 0 for the lowest; what the old blocks held else is gone.
    pub async fn reorg(&self, depth: u64, transactions: &[(String, u64)]) -> Result<()> {
        let params = json!([depth, transactions]);
        self.rpc("anvil_reorg", params).await.map(drop)
    }
}

/// The address in the line `Listening on 127.0.0.1:43210`.
fn listening(log: &str) -> Option<String> {
    let line = log.lines().find_map(|line| line.strip_prefix("Listening on "))?;
    Some(line.trim().to_owned())
}

fn number(value: &Value) -> Result<u64> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.context(format!("{value} is no number"))
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.context(format!("{value} is no text"))
}
