//! An RPC endpoint in front of another, with faults that a test turns on.

use std::{
    future::Future,
    ops::RangeInclusive,
    pin::Pin,
    sync::{Arc, Mutex},
};

use everhold_net::{Fetcher, Limits};
use serde_json::{Value, json};
use url::Url;

use super::http::{Answer, Reply, Server};

type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is wrong with the endpoint. By default nothing is.
#[derive(Default)]
pub(crate) struct Faults {
    /// It knows no block above this.
    pub(crate) cap: Option<u64>,
    /// It knows no block above this from its first request for logs on.
    pub(crate) falls_back: Option<u64>,
    /// It is several machines behind one address; some know no block above this.
    pub(crate) flickers: Option<u64>,
    /// How often it was asked.
    asked: u64,
    /// From this block on it tells wrong hashes.
    pub(crate) lies_from: Option<u64>,
    /// It says this of every block's time.
    pub(crate) time: Option<Value>,
    /// It leaves these fields out of every block, and the time out of every log.
    pub(crate) lacks: &'static [&'static str],
    /// It refuses to search more blocks at once.
    pub(crate) longest_range: Option<u64>,
    /// It knows blocks by their numbers only where it is asked for a state (no EIP-1898).
    pub(crate) numbers_only: bool,
    /// It refuses calls of contracts with a longer input, in digits of hex.
    pub(crate) longest_call: Option<usize>,
    /// In what contracts answer it puts one text in the place of another of the same length.
    pub(crate) swaps: Option<(&'static str, &'static str)>,
    /// It has blocks and logs, and no states.
    pub(crate) stateless: bool,
    /// It has enough of calls of contracts for now.
    pub(crate) busy_calls: bool,
    /// It fails at so many calls of contracts.
    pub(crate) fails_calls: u32,
    /// How many calls of contracts it answered.
    pub(crate) calls: u64,
    /// It hangs up.
    pub(crate) down: bool,
    /// It takes requests, and never answers.
    pub(crate) silent: bool,
    /// It answers so many requests, then none.
    pub(crate) falls_silent: Option<u64>,
    /// It says that there is no code anywhere.
    pub(crate) no_code: bool,
    /// It says that every contract answers this, in hex.
    pub(crate) says: Option<&'static str>,
    /// It is asked too often, and wants to be left alone for so many seconds.
    pub(crate) busy: Option<u64>,
    /// It is so for so many requests only.
    pub(crate) busy_times: Option<u64>,
    /// It is so after so many requests.
    pub(crate) busy_from: u64,
    /// It leaves the logs of these blocks out.
    pub(crate) leaves_out: Option<RangeInclusive<u64>>,
    /// It tells the logs of this block with another token.
    pub(crate) invents: Option<u64>,
    /// Of blocks that are asked for by their hash it tells the truth.
    pub(crate) honest_by_hash: bool,
    /// It does not know `eth_getBlockReceipts`.
    pub(crate) no_block_receipts: bool,
    /// It knows no receipts at all.
    pub(crate) no_receipts: bool,
    /// It leaves logs out of receipts, too.
    pub(crate) false_receipts: bool,
    /// In the header of this block it says that nothing was logged.
    pub(crate) empties: Option<u64>,
    /// Requests so far.
    pub(crate) requests: u64,
    /// Requests for logs of ranges so far: from, to.
    pub(crate) searched: Vec<(u64, u64)>,
    /// It says this in place of logs of ranges that are too long.
    pub(crate) refusal: Option<&'static str>,
    /// It answers so many requests for logs, then none.
    pub(crate) logs_left: Option<u32>,
    /// It gives logs of blocks up to this one, and hangs up where those of others are asked for.
    pub(crate) logs_up_to: Option<u64>,
    /// Something that happens just before it answers so many requests for logs.
    pub(crate) before_logs: Option<(u32, Deed)>,
}

pub(crate) struct Proxy {
    server: Server,
    faults: Arc<Mutex<Faults>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: &Url) -> Self {
        let faults = Arc::new(Mutex::new(Faults::default()));
        let endpoint = Arc::new(Endpoint {
            upstream: upstream.clone(),
            fetcher: Fetcher::new(Limits::default(), [upstream.clone()]).unwrap(),
            faults: faults.clone(),
        });
        let server = Server::start(move |body| {
            let endpoint = endpoint.clone();
            async move { endpoint.answer(body).await }
        });
        Self { server: server.await, faults }
    }

    pub(crate) fn url(&self) -> Url {
        self.server.url.clone()
    }

    pub(crate) fn get<T>(&self, look: impl FnOnce(&Faults) -> T) -> T {
        look(&self.faults.lock().unwrap())
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock().unwrap());
    }
}

struct Endpoint {
    upstream: Url,
    fetcher: Fetcher,
    faults: Arc<Mutex<Faults>>,
}

impl Endpoint {
    async fn answer(&self, body: Vec<u8>) -> Answer {
        let (silent, busy) = {
            let mut faults = self.faults.lock().unwrap();
            faults.requests += 1;
            let silent = faults.falls_silent.is_some_and(|after| faults.requests > after);
            (faults.silent || silent, faults.busy_now())
        };
        if silent {
            std::future::pending::<()>().await;
        }
        if let Some(seconds) = busy {
            return Some(Reply::busy(seconds));
        }
        let mut request: Value = serde_json::from_slice(&body).ok()?;
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        if method == "eth_getLogs" {
            let deed = self.faults.lock().unwrap().due_deed();
            if let Some(deed) = deed {
                deed.await;
            }
        }
        let early = self.faults.lock().unwrap().before(&method, &mut request);
        let outcome = match early {
            Early::HangUp => return None,
            Early::Fail => return Some(Reply::new(500, "it broke")),
            Early::Answer(outcome) => outcome,
            Early::Ask => {
                let mut answer = self.ask(&request).await?;
                self.faults.lock().unwrap().after(&method, &request, &mut answer);
                return Some(Reply::new(200, answer.to_string()));
            }
        };
        let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
        match outcome {
            Ok(result) => answer["result"] = result,
            Err(message) => answer["error"] = json!({ "code": -32005, "message": message }),
        }
        Some(Reply::new(200, answer.to_string()))
    }

    async fn ask(&self, request: &Value) -> Option<Value> {
        self.fetcher.post(self.upstream.clone()).json(request).get_json().await.ok()
    }
}

enum Early {
    HangUp,
    Fail,
    Answer(Result<Value, &'static str>),
    Ask,
}

impl Faults {
    fn busy_now(&mut self) -> Option<u64> {
        if self.requests <= self.busy_from {
            return None;
        }
        if let Some(left) = &mut self.busy_times {
            *left = left.checked_sub(1)?;
        }
        self.busy
    }

    fn due_deed(&mut self) -> Option<Deed> {
        let (left, _) = self.before_logs.as_mut()?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.before_logs.take().map(|(_, deed)| deed)
    }

    /// What is done to a request before it is passed on.
    fn before(&mut self, method: &str, request: &mut Value) -> Early {
        if self.down {
            return Early::HangUp;
        }
        if method == "eth_getLogs" && self.falls_back.is_some() {
            self.cap = self.falls_back.take();
        }
        let cap = self.cap_now();
        if matches!(method, "eth_call" | "eth_getCode") {
            return self.before_call(method, &request["params"]);
        }
        if method == "eth_getLogs" {
            return self.before_search(&mut request["params"][0], cap);
        }
        let is_receipts = method == "eth_getBlockReceipts";
        let is_receipt = method == "eth_getTransactionReceipt";
        if self.no_receipts && (is_receipt || is_receipts) || self.no_block_receipts && is_receipts
        {
            return Early::Answer(Err("the method does not exist"));
        }
        let Some(cap) = cap else {
            return Early::Ask;
        };
        if method == "eth_blockNumber" {
            return Early::Answer(Ok(hex(cap)));
        }
        if !request["params"].is_array() {
            return Early::Ask;
        }
        let block = &mut request["params"][0];
        match (method, number(block)) {
            ("eth_getBlockByNumber", Some(block)) if block > cap => Early::Answer(Ok(Value::Null)),
            ("eth_getBlockByNumber", None) => {
                *block = hex(cap);
                Early::Ask
            }
            _ => Early::Ask,
        }
    }

    fn before_call(&mut self, method: &str, params: &Value) -> Early {
        let is_hash = params[1].is_object() || params[1].as_str().is_some_and(|of| of.len() == 66);
        if self.numbers_only && is_hash {
            return Early::Answer(Err("invalid argument 1: hex number > 64 bits"));
        }
        if self.stateless {
            return Early::Answer(Err("missing trie node"));
        }
        if method != "eth_call" {
            return if self.no_code { Early::Answer(Ok(json!("0x"))) } else { Early::Ask };
        }
        if let Some(said) = self.says {
            return Early::Answer(Ok(json!(said)));
        }
        if let Some(left) = self.fails_calls.checked_sub(1) {
            self.fails_calls = left;
            return Early::Fail;
        }
        if self.busy_calls {
            return Early::Answer(Err("rate limit exceeded"));
        }
        let input = params[0]["input"].as_str().or(params[0]["data"].as_str());
        let length = input.unwrap_or_default().len();
        if self.longest_call.is_some_and(|longest| length > longest) {
            return Early::Answer(Err("request too large"));
        }
        self.calls += 1;
        Early::Ask
    }

    /// The highest block that is known to the machine that answers now.
    fn cap_now(&mut self) -> Option<u64> {
        self.asked += 1;
        let slow_machine = self.asked.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1;
        self.flickers.filter(|_| slow_machine).or(self.cap)
    }

    fn before_search(&mut self, filter: &mut Value, cap: Option<u64>) -> Early {
        if let Some(left) = &mut self.logs_left {
            let Some(less) = left.checked_sub(1) else {
                return Early::HangUp;
            };
            *left = less;
        }
        let (from, to) = (number(&filter["fromBlock"]), number(&filter["toBlock"]));
        if self.logs_up_to.is_some_and(|last| to > Some(last)) {
            return Early::HangUp;
        }
        if let (Some(from), Some(to)) = (from, to) {
            self.searched.push((from, to));
        }
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(0));
        let longest = self.longest_range.unwrap_or(u64::MAX);
        if to - from >= longest {
            let refusal = self.refusal.unwrap_or("query exceeds the largest block range");
            return Early::Answer(Err(refusal));
        }
        match cap {
            Some(cap) if from > cap => Early::Answer(Ok(json!([]))),
            Some(cap) if to > cap => {
                filter["toBlock"] = hex(cap);
                Early::Ask
            }
            _ => Early::Ask,
        }
    }

    /// What is done to an answer before it is handed out.
    fn after(&self, method: &str, request: &Value, answer: &mut Value) {
        // An error has no result, and must not get one.
        let Some(result) = answer.get_mut("result") else { return };
        match method {
            "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                if number(&result["number"]) == self.empties && self.empties.is_some() {
                    result["logsBloom"] = json!(format!("0x{}", "00".repeat(256)));
                }
                if let Some(time) = &self.time {
                    result["timestamp"] = time.clone();
                }
                if let Some(fields) = result.as_object_mut() {
                    fields.retain(|field, _| !self.lacks.contains(&field.as_str()));
                }
                self.rename(result);
            }
            "eth_getLogs" => {
                for log in result.as_array_mut().into_iter().flatten() {
                    if let Some(time) = &self.time {
                        log["blockTimestamp"] = time.clone();
                    } else if self.lacks.contains(&"timestamp") {
                        log["blockTimestamp"] = Value::Null;
                    }
                }
                let by_hash = request["params"][0].get("blockHash").is_some();
                if !(by_hash && self.honest_by_hash) {
                    self.falsify(result);
                }
            }
            "eth_call" => {
                if let (Some((from, to)), Some(text)) = (self.swaps, result.as_str()) {
                    let hex = |text: &str| alloy::hex::encode(text);
                    *result = json!(text.replace(&hex(from), &hex(to)));
                }
            }
            "eth_getBlockReceipts" if self.false_receipts => {
                for receipt in result.as_array_mut().into_iter().flatten() {
                    self.falsify(&mut receipt["logs"]);
                }
            }
            "eth_getTransactionReceipt" if self.false_receipts => {
                self.falsify(&mut result["logs"]);
            }
            _ => {}
        }
    }

    /// Leaves logs out, or changes them.
    fn falsify(&self, logs: &mut Value) {
        let Some(logs) = logs.as_array_mut() else { return };
        logs.retain(|log| {
            let number = number(&log["blockNumber"]).unwrap_or_default();
            !self.leaves_out.as_ref().is_some_and(|range| range.contains(&number))
        });
        for log in logs.iter_mut().filter(|log| number(&log["blockNumber"]) == self.invents) {
            let topics = log["topics"].as_array_mut().unwrap();
            *topics.last_mut().unwrap() = json!(format!("{:#066x}", 0xbad));
        }
    }

    fn rename(&self, block: &mut Value) {
        let lies_from = self.lies_from.unwrap_or(u64::MAX);
        if number(&block["number"]) < Some(lies_from) {
            return;
        }
        let hash = block["hash"].as_str().unwrap_or_default().to_owned();
        block["hash"] = json!(format!("0xbad{}", &hash[5..]));
    }
}

/// A block number in hex; `None` for a word such as `latest`.
fn number(value: &Value) -> Option<u64> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok()
}

fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}
