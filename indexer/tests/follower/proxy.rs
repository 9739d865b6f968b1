//! An RPC endpoint in front of another, with faults that a test turns on.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use everhold_net::{Fetcher, Limits};
use serde_json::{Value, json};
use url::Url;

use super::http::{Answer, Server};

type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is wrong with the endpoint. By default nothing is.
#[derive(Default)]
pub(crate) struct Faults {
    /// It knows no block above this.
    pub(crate) cap: Option<u64>,
    /// It is several machines behind one address; some know no block above this.
    pub(crate) flickers: Option<u64>,
    /// How often it was asked.
    asked: u64,
    /// From this block on it tells wrong hashes.
    pub(crate) lies_from: Option<u64>,
    /// It refuses to search more blocks at once.
    pub(crate) longest_range: Option<u64>,
    /// It knows blocks by their numbers only where it is asked for a state (no EIP-1898).
    pub(crate) numbers_only: bool,
    /// It refuses calls of contracts with a longer input, in digits of hex.
    pub(crate) longest_call: Option<usize>,
    /// It has enough of calls of contracts for now.
    pub(crate) busy: bool,
    /// How many calls of contracts it answered.
    pub(crate) calls: u64,
    /// It answers nothing.
    pub(crate) down: bool,
    /// It answers so many requests for logs, then none.
    pub(crate) logs_left: Option<u32>,
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
            Early::Answer(outcome) => outcome,
            Early::Ask => {
                let mut answer = self.ask(&request).await?;
                self.faults.lock().unwrap().after(&method, &mut answer);
                return Some((200, answer.to_string().into_bytes()));
            }
        };
        let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
        match outcome {
            Ok(result) => answer["result"] = result,
            Err(message) => answer["error"] = json!({ "code": -32005, "message": message }),
        }
        Some((200, answer.to_string().into_bytes()))
    }

    async fn ask(&self, request: &Value) -> Option<Value> {
        self.fetcher.post(self.upstream.clone()).json(request).get_json().await.ok()
    }
}

enum Early {
    HangUp,
    Answer(Result<Value, &'static str>),
    Ask,
}

impl Faults {
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
        let cap = self.cap_now();
        if matches!(method, "eth_call" | "eth_getCode") {
            return self.before_call(method, &request["params"]);
        }
        if method == "eth_getLogs" {
            return self.before_search(&mut request["params"][0], cap);
        }
        let Some(cap) = cap else {
            return Early::Ask;
        };
        let block = &mut request["params"][0];
        match (method, number(block)) {
            ("eth_blockNumber", _) => Early::Answer(Ok(hex(cap))),
            ("eth_getBlockByNumber", Some(block)) if block > cap => Early::Answer(Ok(Value::Null)),
            ("eth_getBlockByNumber", None) => {
                *block = hex(cap);
                Early::Ask
            }
            _ => Early::Ask,
        }
    }

    fn before_call(&mut self, method: &str, params: &Value) -> Early {
        if self.numbers_only && params[1].is_object() {
            return Early::Answer(Err("invalid argument 1: cannot unmarshal object"));
        }
        if method != "eth_call" {
            return Early::Ask;
        }
        if self.busy {
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
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(0));
        let longest = self.longest_range.unwrap_or(u64::MAX);
        if to - from >= longest {
            return Early::Answer(Err("query exceeds the largest block range"));
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
    fn after(&self, method: &str, answer: &mut Value) {
        let lies_from = self.lies_from.unwrap_or(u64::MAX);
        // An error has no result, and must not get one.
        let Some(result) = answer.get_mut("result") else { return };
        if method != "eth_getBlockByNumber" || number(&result["number"]) < Some(lies_from) {
            return;
        }
        let hash = result["hash"].as_str().unwrap_or_default().to_owned();
        result["hash"] = json!(format!("0xbad{}", &hash[5..]));
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
