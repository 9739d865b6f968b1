//! One JSON-RPC endpoint: what it is asked, and how it stands.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::{Ethereum, TransactionBuilder},
    primitives::{Address, B256, Bytes},
    providers::{Provider, RootProvider},
    rpc::{
        client::RpcClient,
        json_rpc::RpcSend,
        types::{Filter, Header, Log, TransactionRequest},
    },
    transports::{RpcError as Transport, TransportErrorKind},
};
use everhold_net::Fetcher;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::value::RawValue;
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, info, warn};
use url::Url;

use super::{
    aside::{FIRST_PAUSE, STALLED, Standing},
    error::is_of_the_contract,
    events::{BlockRef, TokenEvent, decode},
    header::Seen,
    heads::Heads,
    log::RpcLog,
    receipt::Receipt,
    refusal::Refusal,
    rpc_error::{Result, RpcError},
    span::Span,
    standards::{Watched, topics},
    transport::RpcTransport,
};

/// How often a transaction that was sent is looked for. Only commands that send one wait so.
const RECEIPT_POLL: Duration = Duration::from_millis(500);

/// An endpoint is set aside over what it says of one contract at most so often: that contract may be
/// written so that honest machines differ.
const ACCUSATIONS: u32 = 3;

/// Contracts whose logs one request asks for. Geth and Erigon take a thousand
/// (`--rpc.logquerylimit`), and what providers serve is often one of these.
pub const MOST_ADDRESSES: usize = 1000;
/// Requests for the logs of as many contracts under way at once.
const PARTS: usize = 2;

/// Receipts asked for at once.
const RECEIPTS: usize = 8;
/// Transactions of a block at most: more than any gas limit allows.
const MOST_TRANSACTIONS: usize = 100_000;

/// One endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    shown: String,
    pub(super) provider: RootProvider<Ethereum>,
    /// The way to it, where that is HTTP.
    http: Option<RpcTransport>,
    /// Whether it serves the chain that the majority does; unset until it has answered.
    ours: OnceLock<bool>,
    span: Mutex<Span>,
    standing: Mutex<Standing>,
    /// How often it was set aside over a contract.
    accused: Mutex<HashMap<Address, u32>>,
    /// Tells of new blocks, where it can.
    pub(super) heads: Option<Heads>,
}

/// What tells one chain from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    pub(super) id: u64,
    pub(super) genesis: B256,
}

impl Endpoint {
    pub(super) fn new(url: &Url, fetcher: &Fetcher, pause: Duration, wake: &Arc<Notify>) -> Self {
        let (client, http, heads) = if matches!(url.scheme(), "ws" | "wss") {
            let (transport, heads) = super::socket::open(fetcher, url, wake.clone());
            (RpcClient::new(transport, false), None, Some(heads))
        } else {
            let http = RpcTransport::new(fetcher.clone(), url.clone());
            (RpcClient::new(http.clone(), false), Some(http), None)
        };
        Self {
            shown: without_secrets(url),
            provider: RootProvider::new(client.with_poll_interval(RECEIPT_POLL)),
            http,
            ours: OnceLock::new(),
            span: Mutex::default(),
            standing: Mutex::new(Standing::new(pause.min(FIRST_PAUSE))),
            accused: Mutex::default(),
            heads,
        }
    }

    /// Its URL, without what may be secret in it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// How many blocks it is asked for at once.
    pub(super) fn span(&self) -> MutexGuard<'_, Span> {
        // Numbers: whoever panicked left them whole.
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it aside for an answer that did not come or is none.
    pub(super) fn failed(&self, error: Transport<TransportErrorKind>) -> RpcError {
        let wait = Refusal::of(&error).wait();
        self.set_aside(self.described(&error, false), wait)
    }

    /// Sets it aside until it is tried again; gives the error, which says by then how long it wants to
    /// be left alone, where it was asked too often.
    pub(super) fn set_aside(&self, mut error: RpcError, wait: Option<Duration>) -> RpcError {
        let (now, why) = (Instant::now(), error.reason());
        let mut standing = self.standing();
        let was_fine = standing.failed(now, &why, wait);
        if let RpcError::Unreachable { pause, .. } = &mut error {
            *pause = standing.pause(now).filter(|_| wait.is_some());
        }
        drop(standing);
        self.say_aside(was_fine);
        error
    }

    /// Sets it aside for something that it told and that is proved to be otherwise.
    pub(super) fn lied(&self, why: impl Display) {
        let was_fine = self.standing().lied(Instant::now(), &why.to_string());
        self.say_aside(was_fine);
    }

    /// Whether it may be set aside (again) over what it says of a contract. Counts each time.
    pub(super) fn may_be_accused_over(&self, contract: Address) -> bool {
        let mut accused = self.accused.lock().unwrap_or_else(PoisonError::into_inner);
        let times = accused.entry(contract).or_default();
        *times = times.saturating_add(1);
        *times <= ACCUSATIONS
    }

    /// Sets it aside if its head has stayed where it is for long while another's is higher.
    pub(super) fn lags(&self, its: u64, highest: u64) {
        let now = Instant::now();
        let mut standing = self.standing();
        if its >= highest || standing.stands_still(now) < STALLED {
            return;
        }
        let why = format!("it stays at block {its}, while another is at {highest}");
        let was_fine = standing.stalled(now, its, &why);
        drop(standing);
        self.say_aside(was_fine);
    }

    fn say_aside(&self, was_fine: bool) {
        let excuse = self.standing().excuse().unwrap_or_default();
        if was_fine {
            warn!("RPC {} is set aside: {excuse}", self.shown);
        } else {
            debug!("RPC {} stays aside: {excuse}", self.shown);
        }
    }

    fn described(&self, error: &Transport<TransportErrorKind>, too_much: bool) -> RpcError {
        let reason = match error {
            Transport::ErrorResp(payload) => payload.message.to_string(),
            Transport::Transport(_) => everhold_net::root_cause(error),
            other => other.to_string(),
        };
        let reason = everhold_net::shown(reason.as_bytes());
        RpcError::Unreachable { url: self.shown.clone(), reason, too_much, pause: None }
    }

    pub(super) fn unusable(&self, reason: &str) -> RpcError {
        let (url, reason) = (self.shown.clone(), reason.to_owned());
        RpcError::Unreachable { url, reason, too_much: false, pause: None }
    }

    /// The newest block. An endpoint that was set aside and tells it is asked again from now on.
    pub(super) async fn head(&self, chain: Chain) -> Result<BlockRef> {
        self.check(chain).await?;
        let head = self.block(BlockNumberOrTag::Latest).await?;
        let head = head.ok_or_else(|| self.refused("it has no blocks"))?;
        let is_back = self.standing().answered(Instant::now(), head.number);
        if is_back {
            info!("RPC {} works again", self.shown);
        }
        Ok(head)
    }

    pub(super) async fn block(&self, tag: BlockNumberOrTag) -> Result<Option<BlockRef>> {
        Ok(self.header(tag).await?.map(|seen| seen.block))
    }

    pub(super) async fn header(&self, tag: BlockNumberOrTag) -> Result<Option<Seen>> {
        let seen = self.seen("eth_getBlockByNumber", tag).await;
        let Some(seen) = seen.map_err(|error| self.failed(error))? else { return Ok(None) };
        if let BlockNumberOrTag::Number(number) = tag
            && seen.block.number != number
        {
            return Err(self.refused("it gives another block than the one asked for"));
        }
        Ok(Some(seen))
    }

    async fn seen(
        &self,
        method: &'static str,
        block: impl RpcSend,
    ) -> Result<Option<Seen>, Transport<TransportErrorKind>> {
        let text: Option<Box<RawValue>> =
            self.provider.client().request(method, (block, false)).await?;
        let read = |text: Box<RawValue>| {
            Seen::read(text).map_err(|error| {
                let error = format!("a block of it lacks what every block has: {error}");
                TransportErrorKind::custom_str(&error)
            })
        };
        text.map(read).transpose()
    }

    /// The header with this hash. What it does not answer is no reason to set it aside.
    pub(super) async fn header_of(&self, hash: B256) -> Result<Option<Seen>> {
        let seen = self.seen("eth_getBlockByHash", hash).await;
        let seen = seen.map_err(|error| self.described(&error, false))?;
        Ok(seen.filter(|seen| seen.block.hash == hash))
    }

    /// The receipts of a block: all at once, or one by one where it does not know that way.
    pub(super) async fn receipts(&self, header: &Header) -> Result<Vec<Receipt>> {
        let number = BlockNumberOrTag::Number(header.number);
        let failed = |error| {
            let wait = Refusal::of(&error).wait();
            let error = self.described(&error, false);
            if wait.is_some() { self.set_aside(error, wait) } else { error }
        };
        let client = self.provider.client();
        let all: Result<Option<Vec<Receipt>>, _> =
            client.request("eth_getBlockReceipts", (number,)).await;
        if let Ok(Some(receipts)) = all {
            return Ok(receipts);
        }
        let block = self.provider.get_block_by_hash(header.hash).await.map_err(failed)?;
        let block = block.ok_or_else(|| self.unusable("it does not know the block"))?;
        let hashes: Vec<B256> = block.transactions.hashes().take(MOST_TRANSACTIONS).collect();
        let receipts = stream::iter(hashes).map(|hash| async move {
            let receipt: Option<Receipt> =
                client.request("eth_getTransactionReceipt", (hash,)).await.map_err(failed)?;
            receipt.ok_or_else(|| self.unusable("it has no receipt of a transaction of the block"))
        });
        receipts.buffered(RECEIPTS).try_collect().await
    }

    /// The number of the block that it marks so. Not every chain has marks: it is not set aside
    /// for an error.
    pub(super) async fn marked(&self, tag: BlockNumberOrTag) -> Result<Option<u64>> {
        let seen = self.seen("eth_getBlockByNumber", tag).await;
        let seen = seen.map_err(|error| self.described(&error, false))?;
        Ok(seen.map(|seen| seen.block.number))
    }

    /// What it is called, told by itself.
    pub(super) async fn chain(&self) -> Result<Chain> {
        let id = self.provider.get_chain_id().await.map_err(|error| self.failed(error))?;
        let genesis = self.block(BlockNumberOrTag::Number(0)).await?;
        let genesis = genesis.ok_or_else(|| self.refused("it does not know its genesis block"))?;
        Ok(Chain { id, genesis: genesis.hash })
    }

    /// Notes whether it is of the chain that the majority serves.
    pub(super) fn judge(&self, its: Chain, chain: Chain) {
        let _ = self.ours.set(its == chain);
    }

    /// Refuses an endpoint of another chain, also one that was silent until now.
    pub(super) async fn check(&self, chain: Chain) -> Result<()> {
        let ours = match self.ours.get() {
            Some(ours) => *ours,
            None => {
                let its = self.chain().await?;
                *self.ours.get_or_init(|| its == chain)
            }
        };
        if ours { Ok(()) } else { Err(self.refused("it serves another chain than the others")) }
    }

    /// Sets it aside for an answer that can't be.
    fn refused(&self, reason: &str) -> RpcError {
        self.set_aside(self.unusable(reason), None)
    }

    /// What the failure of a call of a contract means. It is not set aside for what may be the
    /// contract's doing.
    pub(super) fn call_failed(&self, error: &Transport<TransportErrorKind>) -> RpcError {
        match Refusal::of(error) {
            Refusal::TooMuch(_) | Refusal::Silent => self.described(error, true),
            refusal => self.set_aside(self.described(error, false), refusal.wait()),
        }
    }

    /// What a contract answers at the newest block, with so much gas; `None` where it does not: it
    /// reverts, or runs out of gas.
    pub(super) async fn call(&self, to: Address, input: Bytes, gas: u64) -> Result<Option<Bytes>> {
        let request = TransactionRequest::default().with_to(to).with_gas_limit(gas);
        let call = self.provider.call(request.with_input(input)).block(BlockId::latest());
        match call.await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_of_the_contract(&error) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The code at an address at the newest block; nothing where there is none.
    pub(super) async fn code(&self, address: Address) -> Result<Bytes> {
        self.provider.get_code_at(address).await.map_err(|error| self.failed(error))
    }

    /// What these contracts logged in the blocks of a filter; in order, where one request asks for all
    /// of them. It is not set aside for refusing: less may be asked of it.
    pub(super) async fn events(
        &self,
        blocks: Filter,
        watched: &[Watched],
    ) -> Result<Vec<TokenEvent>, Unanswered> {
        let parts = watched.chunks(MOST_ADDRESSES);
        let parts: Vec<_> = parts.map(|part| self.events_of_few(blocks.clone(), part)).collect();
        stream::iter(parts).buffered(PARTS).try_concat().await
    }

    async fn events_of_few(
        &self,
        blocks: Filter,
        watched: &[Watched],
    ) -> Result<Vec<TokenEvent>, Unanswered> {
        let addresses: Vec<_> = watched.iter().map(|one| one.address).collect();
        let filter = blocks.address(addresses).event_signature(topics(watched));
        let logs: Result<Vec<RpcLog>, _> = match &self.http {
            Some(http) => http.request("eth_getLogs", (filter,)).await,
            None => self.provider.client().request("eth_getLogs", (filter,)).await,
        };
        let logs = logs.map_err(|error| {
            let refusal = Refusal::of(&error);
            let too_much = matches!(refusal, Refusal::TooMuch(_) | Refusal::Silent);
            Unanswered { error: self.described(&error, too_much), refusal }
        })?;
        let standards: HashMap<_, _> =
            watched.iter().map(|one| (one.address, one.standard)).collect();
        let mut events = Vec::with_capacity(logs.len());
        for log in logs.into_iter().map(Log::from).filter(|log| !log.removed) {
            let broken =
                |error| Unanswered { error: RpcError::BadLog(error), refusal: Refusal::Broken };
            // An endpoint may answer more than it was asked for.
            if let Some(standard) = standards.get(&log.address()) {
                events.extend(decode(&log, *standard).map_err(broken)?);
            }
        }
        Ok(events)
    }
}

/// Why logs did not come.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: RpcError,
    pub(super) refusal: Refusal,
}

/// An endpoint's scheme, host and port: paths and queries hold API keys.
fn without_secrets(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}
