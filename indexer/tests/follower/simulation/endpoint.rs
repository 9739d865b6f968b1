//! JSON-RPC endpoints of the chain in memory, with faults.

use std::sync::{Arc, Mutex};

use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::Log,
};
use serde_json::{Value, json};

use super::{
    Dice, ENDPOINTS,
    calls::Calls,
    chain::{Block, Chain},
};
use crate::http::{Answer, Reply, Server};

/// What is wrong with an endpoint for a while.
#[derive(Clone, Default)]
pub(super) enum Trouble {
    #[default]
    None,
    /// It answers nothing.
    Down,
    /// It is so many blocks behind.
    Lags(u64),
    /// It is on a chain that the others have left.
    Forked(Chain),
    /// Its ranges come from a machine that does not have the newest blocks.
    Flickers(u64),
    /// It leaves out every so-manieth log.
    LeavesOut(u64),
    /// It tells every so-manieth log with another token.
    Invents(u64),
    /// It is asked too often, and says for how many seconds it wants to be left alone.
    Busy(u64),
    /// It hangs up on so many requests of ten.
    Flaps(u64),
}

/// The chain, and how the endpoints are.
pub(super) struct World {
    pub(super) chain: Chain,
    pub(super) troubles: Vec<Trouble>,
    /// So many blocks may be asked for at once, and so many contracts be called.
    pub(super) longest: u64,
    /// Whether there is Multicall3.
    pub(super) multicall: bool,
    /// Whether calls may name their block by its hash.
    pub(super) by_hash: bool,
    /// Whether requests fail now and then.
    pub(super) stormy: bool,
    pub(super) dice: Dice,
}

pub(super) type Shared = Arc<Mutex<World>>;

/// An error that is answered.
pub(super) struct Refused {
    pub(super) code: i64,
    pub(super) message: &'static str,
    pub(super) data: Option<String>,
}

impl From<&'static str> for Refused {
    fn from(message: &'static str) -> Self {
        Self { code: -32000, message, data: None }
    }
}

pub(super) async fn serve(world: &Shared, index: usize) -> Server {
    let world = world.clone();
    Server::start(move |body| {
        let answer = world.lock().unwrap().answer(index, &body);
        async move { answer }
    })
    .await
}

impl World {
    /// A chain whose endpoints are well.
    pub(super) fn of(chain: Chain, dice: &Dice) -> Self {
        Self {
            chain,
            troubles: vec![Trouble::None; ENDPOINTS],
            longest: u64::MAX,
            multicall: true,
            by_hash: true,
            stormy: false,
            dice: dice.clone(),
        }
    }

    /// The endpoints are well from now on.
    pub(super) fn calm(&mut self) {
        (self.stormy, self.longest) = (false, u64::MAX);
        self.troubles = vec![Trouble::None; ENDPOINTS];
    }

    fn answer(&mut self, index: usize, body: &[u8]) -> Answer {
        let request: Value = serde_json::from_slice(body).ok()?;
        let method = request["method"].as_str()?;
        if self.stormy {
            match self.dice.below(60) {
                0 => return None,
                1 => return Some(Reply::new(429, "slow down")),
                2 => return Some(Reply::new(500, "oops")),
                3 => return Some(Reply::new(200, "{\"jsonrpc\":\"2.0\",\"id\":")),
                4 => return Some(Reply::new(200, "<html>maintenance</html>")),
                5 => return Some(said(&request, json!({ "result": { "absurd": [true] } }))),
                6 => {
                    let error = json!({ "code": -32005, "message": "rate limit exceeded" });
                    return Some(said(&request, json!({ "error": error })));
                }
                _ => {}
            }
        }
        let longest = self.longest;
        let trouble = self.troubles[index].clone();
        match trouble {
            Trouble::Busy(seconds) => return Some(Reply::busy(seconds)),
            Trouble::Flaps(often) if self.dice.below(10) < often => return None,
            _ => {}
        }
        let (chain, cap) = match &trouble {
            Trouble::Down => return None,
            Trouble::Forked(chain) => (chain, chain.head().number),
            Trouble::Lags(blocks) => {
                (&self.chain, self.chain.head().number.saturating_sub(*blocks))
            }
            _ => (&self.chain, self.chain.head().number),
        };
        let params = &request["params"];
        let (multicall, by_hash) = (self.multicall, self.by_hash);
        let calls = Calls { multicall, by_hash, longest };
        let result: Result<Value, Refused> = match method {
            "eth_chainId" => Ok(json!("0x7a69")),
            "eth_getCode" => calls.code(chain, cap, params),
            "eth_blockNumber" => Ok(json!(format!("{cap:#x}"))),
            "eth_getBlockByNumber" => {
                let number = number(&params[0]).unwrap_or(cap);
                let block = chain.block(number).filter(|block| block.number <= cap);
                Ok(block.map_or(Value::Null, Block::json))
            }
            "eth_getLogs" => logs(chain, cap, &trouble, &params[0], longest).map_err(Refused::from),
            "eth_getBlockByHash" => {
                let hash: Option<B256> = params[0].as_str().and_then(|text| text.parse().ok());
                let known = |block: &&Block| Some(block.hash) == hash && block.number <= cap;
                Ok(chain.blocks.iter().find(known).map_or(Value::Null, Block::json))
            }
            "eth_getBlockReceipts" => {
                let block = chain.block(number(&params[0]).unwrap_or(cap));
                let block = block.filter(|block| block.number <= cap);
                Ok(block.map_or(Value::Null, |block| {
                    let mut receipts = block.receipts();
                    receipts.as_array_mut().into_iter().flatten().for_each(|receipt| {
                        trouble.falsify(&mut receipt["logs"]);
                    });
                    receipts
                }))
            }
            "eth_call" => calls.call(chain, cap, params),
            _ => Err("no such method".into()),
        };
        Some(match result {
            Ok(mut result) => {
                if method == "eth_getLogs" {
                    trouble.falsify(&mut result);
                }
                said(&request, json!({ "result": result }))
            }
            Err(Refused { code, message, data }) => {
                let error = json!({ "code": code, "message": message, "data": data });
                said(&request, json!({ "error": error }))
            }
        })
    }
}

/// The answer to a request.
fn said(request: &Value, what: Value) -> Reply {
    let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
    for (name, value) in what.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    Reply::new(200, answer.to_string())
}

impl Trouble {
    /// What becomes of the logs that are told, by ranges, hashes or receipts.
    fn falsify(&self, logs: &mut Value) {
        let Some(logs) = logs.as_array_mut() else { return };
        let chosen = |log: &Value, every: u64| {
            let place = number(&log["blockNumber"]).unwrap_or(0) * 31
                + number(&log["logIndex"]).unwrap_or(0);
            place.is_multiple_of(every)
        };
        match self {
            Self::LeavesOut(every) => logs.retain(|log| !chosen(log, *every)),
            Self::Invents(every) => {
                for log in logs.iter_mut().filter(|log| chosen(log, *every)) {
                    if let Some(topic) = log["topics"].as_array_mut().and_then(|all| all.last_mut())
                    {
                        *topic = json!(B256::from(U256::from(0xbad)));
                    }
                }
            }
            _ => {}
        }
    }
}

fn logs(
    chain: &Chain,
    cap: u64,
    trouble: &Trouble,
    filter: &Value,
    longest: u64,
) -> Result<Value, &'static str> {
    let hash: Option<B256> = filter["blockHash"].as_str().and_then(|text| text.parse().ok());
    if let Some(hash) = hash {
        let known = chain.blocks.iter().any(|block| block.hash == hash && block.number <= cap);
        let found = || json!(of(filter, chain.logs(0, 0, Some(hash))));
        return if known { Ok(found()) } else { Err("unknown block") };
    }
    let from = number(&filter["fromBlock"]).unwrap_or(0);
    let to = number(&filter["toBlock"]).unwrap_or(cap);
    if to.saturating_sub(from) >= longest {
        return Err("query exceeds max block range");
    }
    let cap = match trouble {
        Trouble::Flickers(blocks) => cap.saturating_sub(*blocks),
        _ => cap,
    };
    Ok(json!(of(filter, chain.logs(from, to.min(cap), None))))
}

/// The logs of the contracts that are asked for.
fn of(filter: &Value, mut logs: Vec<Log>) -> Vec<Log> {
    let asked = match &filter["address"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let asked: Vec<Address> = asked.iter().filter_map(|one| one.as_str()?.parse().ok()).collect();
    logs.retain(|log| asked.contains(&log.inner.address));
    logs
}

pub(super) fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}
