//! Several JSON-RPC endpoints of one chain, compared.
//!
//! A [`View`] is what a majority of the answering endpoints agree on, read through one of them:
//! a lagging, forked or silent endpoint never moves the head back or forth.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use alloy::{
    eips::BlockNumberOrTag,
    network::Ethereum,
    primitives::{Address, B256, Bloom, BloomInput},
    providers::{Provider, RootProvider},
    rpc::{
        client::RpcClient,
        types::{Block, Filter},
    },
    transports::{RpcError as Transport, TransportErrorKind},
};
use everhold_net::{FetchError, Fetcher};
use futures::future::join_all;
use url::Url;

use super::{
    events::{BadLog, BlockRef, TokenEvent, decode},
    reader::{Reader, Span, read_once},
    standards::{Watched, topics, topics_of},
    transport::RpcTransport,
};
use crate::config::Finality;

/// What can go wrong between us and the chain.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No endpoint is configured.
    #[error("no RPC is configured: set `[chain] rpc`, or give --rpc URL")]
    None,
    /// An endpoint does not answer, or not well.
    #[error("RPC {url} can't be used: {reason}")]
    Unreachable {
        /// Which, without what may be secret in it.
        url: String,
        /// Why.
        reason: String,
        /// Whether it may answer if it is asked for less.
        too_much: bool,
    },
    /// Endpoints of different chains.
    #[error("RPC {a} serves chain {a_id}, but {b} serves chain {b_id}; they must be of one chain")]
    ChainsDiffer {
        /// One endpoint.
        a: String,
        /// Its chain id.
        a_id: u64,
        /// The other.
        b: String,
        /// Its chain id.
        b_id: u64,
    },
    /// No majority for any block.
    #[error("the RPC endpoints disagree about block {number}; waiting until a majority agrees")]
    Disagree {
        /// Which block.
        number: u64,
    },
    /// Logs of another fork than the view's.
    #[error("the chain changed while it was read; it will be read again")]
    Changed,
    /// A log that can't be used.
    #[error(transparent)]
    BadLog(#[from] BadLog),
}

impl RpcError {
    /// Whether the same request may work a moment later.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::None | Self::ChainsDiffer { .. })
    }

    /// Whether an endpoint may answer if it is asked for less.
    pub fn may_be_too_much(&self) -> bool {
        matches!(self, Self::Unreachable { too_much: true, .. })
    }
}

type Result<T, E = RpcError> = std::result::Result<T, E>;

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    shown: String,
    provider: RootProvider<Ethereum>,
    /// Whether it serves the chain that the majority does; unset until it has answered.
    ours: Arc<OnceLock<bool>>,
    /// How many blocks it is asked for at once.
    span: Arc<Mutex<Span>>,
}

/// The endpoints of one chain.
#[derive(Clone, Debug)]
pub struct Rpc {
    endpoints: Vec<Endpoint>,
    chain: Chain,
}

/// What tells one chain from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chain {
    id: u64,
    genesis: B256,
}

/// How often a transaction that was sent is looked for. Only commands that send one wait so.
const RECEIPT_POLL: Duration = Duration::from_millis(500);

impl Endpoint {
    fn new(url: &Url, fetcher: &Fetcher) -> Self {
        let shown = without_secrets(url);
        let transport = RpcTransport::new(fetcher.clone(), url.clone());
        let client = RpcClient::new(transport, false).with_poll_interval(RECEIPT_POLL);
        let provider = RootProvider::new(client);
        Self { shown, provider, ours: Arc::default(), span: Arc::default() }
    }

    fn failed(&self, error: Transport<TransportErrorKind>) -> RpcError {
        let reason = match &error {
            Transport::ErrorResp(payload) => payload.message.to_string(),
            Transport::Transport(_) => everhold_net::root_cause(&error),
            other => other.to_string(),
        };
        let too_much = may_be_too_much(&error);
        RpcError::Unreachable { url: self.shown.clone(), reason, too_much }
    }

    /// How many blocks it is asked for at once.
    pub(super) fn span(&self) -> MutexGuard<'_, Span> {
        // Numbers: whoever panicked left them whole.
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn block(&self, tag: BlockNumberOrTag) -> Result<Option<BlockRef>> {
        Ok(self.header(tag).await?.map(|(block, _)| block))
    }

    async fn header(&self, tag: BlockNumberOrTag) -> Result<Option<(BlockRef, Bloom)>> {
        let block: Option<Block> =
            self.provider.get_block_by_number(tag).await.map_err(|error| self.failed(error))?;
        Ok(block.map(|block| {
            let header = block.header;
            let (number, hash, parent_hash) = (header.number, header.hash, header.parent_hash);
            (BlockRef { number, hash, parent_hash }, header.logs_bloom)
        }))
    }

    async fn chain(&self) -> Result<Chain> {
        let id = self.provider.get_chain_id().await.map_err(|error| self.failed(error))?;
        let genesis = self.block(BlockNumberOrTag::Number(0)).await?;
        let genesis = genesis.ok_or_else(|| self.unusable("it does not know its genesis block"))?;
        Ok(Chain { id, genesis: genesis.hash })
    }

    /// Refuses an endpoint of another chain, also one that was silent until now.
    async fn check(&self, chain: Chain) -> Result<()> {
        let ours = match self.ours.get() {
            Some(ours) => *ours,
            None => {
                let its = self.chain().await?;
                *self.ours.get_or_init(|| its == chain)
            }
        };
        if ours { Ok(()) } else { Err(self.unusable("it serves another chain than the others")) }
    }

    pub(super) fn unusable(&self, reason: &str) -> RpcError {
        let (url, reason) = (self.shown.clone(), reason.to_owned());
        RpcError::Unreachable { url, reason, too_much: false }
    }

    /// What these contracts logged in the blocks of a filter.
    pub(super) async fn events(
        &self,
        blocks: Filter,
        watched: &[Watched],
    ) -> Result<Vec<TokenEvent>> {
        let addresses: Vec<Address> = watched.iter().map(|one| one.address).collect();
        let filter = blocks.address(addresses).event_signature(topics(watched));
        let logs = self.provider.get_logs(&filter).await.map_err(|error| self.failed(error))?;
        let standards: HashMap<_, _> =
            watched.iter().map(|one| (one.address, one.standard)).collect();
        let mut events = Vec::with_capacity(logs.len());
        for log in logs.iter().filter(|log| !log.removed) {
            // An endpoint may answer more than it was asked for.
            if let Some(standard) = standards.get(&log.address()) {
                events.extend(decode(log, *standard)?);
            }
        }
        Ok(events)
    }
}

/// Whether a request may have failed for what it asked for: providers bound blocks, logs, bytes and
/// time, each with codes and words of its own. What is plainly another trouble is told apart.
fn may_be_too_much(error: &Transport<TransportErrorKind>) -> bool {
    match error {
        Transport::ErrorResp(payload) => {
            let message = payload.message.to_lowercase();
            let busy = ["rate limit", "too many requests", "per second", "quota", "capacity"];
            payload.code != 429 && !busy.iter().any(|words| message.contains(words))
        }
        Transport::Transport(TransportErrorKind::HttpError(http)) => {
            matches!(http.status, 400 | 413 | 500 | 502 | 504)
        }
        Transport::Transport(TransportErrorKind::Custom(inner)) => {
            let fetch = inner.downcast_ref::<FetchError>();
            fetch.is_some_and(|error| {
                use FetchError::{Cut, Idle, TooLarge, TooSlow};
                matches!(error, TooLarge { .. } | TooSlow { .. } | Idle { .. } | Cut { .. })
            })
        }
        // Half an answer.
        Transport::DeserError { .. } => true,
        _ => false,
    }
}

/// An endpoint's scheme, host and port: paths and queries hold API keys.
fn without_secrets(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

impl Rpc {
    /// Connects to every endpoint; those that do not answer are left for later, as long as one
    /// does.
    pub async fn connect(urls: &[Url], fetcher: &Fetcher) -> Result<Self> {
        let endpoints: Vec<_> = urls.iter().map(|url| Endpoint::new(url, fetcher)).collect();
        let asked =
            join_all(endpoints.iter().map(|endpoint| async move {
                Ok::<_, RpcError>((endpoint, endpoint.chain().await?))
            }))
            .await;
        let mut failure = RpcError::None;
        let mut known: Vec<(&Endpoint, Chain)> = Vec::new();
        for answer in asked {
            match answer {
                Ok(answer) => known.push(answer),
                Err(error) => failure = error,
            }
        }
        let Some((first, chain)) = known.first() else { return Err(failure) };
        if let Some((other, other_chain)) = known.iter().find(|(_, c)| c.id != chain.id) {
            return Err(RpcError::ChainsDiffer {
                a: first.shown.clone(),
                a_id: chain.id,
                b: other.shown.clone(),
                b_id: other_chain.id,
            });
        }
        let votes = |chain: &Chain| known.iter().filter(|(_, other)| other == chain).count();
        let majority = known.len() / 2 + 1;
        let agreed = known.iter().map(|(_, chain)| *chain).find(|chain| votes(chain) >= majority);
        let chain = agreed.ok_or(RpcError::Disagree { number: 0 })?;
        for (endpoint, its) in &known {
            let _ = endpoint.ours.set(*its == chain);
        }
        Ok(Self { endpoints, chain })
    }

    /// EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain.id
    }

    /// Hash of block 0.
    pub fn genesis(&self) -> B256 {
        self.chain.genesis
    }

    /// A provider for single questions and for sending transactions: the first that answers.
    pub async fn provider(&self) -> Result<RootProvider<Ethereum>> {
        let mut failure = RpcError::None;
        for endpoint in &self.endpoints {
            let alive = async {
                endpoint.check(self.chain).await?;
                endpoint.block(BlockNumberOrTag::Latest).await
            };
            match alive.await {
                Ok(_) => return Ok(endpoint.provider.clone()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// What a majority of the answering endpoints agree on now.
    pub async fn view(&self, finality: Finality, confirmations: u64) -> Result<View<'_>> {
        let heads = join_all(self.endpoints.iter().map(|endpoint| async move {
            endpoint.check(self.chain).await?;
            let head = endpoint.block(BlockNumberOrTag::Latest).await?;
            let head = head.ok_or_else(|| endpoint.unusable("it has no blocks"))?;
            Ok::<_, RpcError>((endpoint, head))
        }))
        .await;
        let mut failure = RpcError::None;
        let mut alive = Vec::new();
        for answer in heads {
            match answer {
                Ok(answer) => alive.push(answer),
                Err(error) => failure = error,
            }
        }
        if alive.is_empty() {
            return Err(failure);
        }
        alive.sort_by_key(|(_, head)| std::cmp::Reverse(head.number));
        let majority = alive.len() / 2 + 1;
        // The highest block that a majority can have.
        let number = alive[majority - 1].1.number;
        let (endpoint, head) = agreed(&alive, number, majority).await?;
        let finalized = match finality {
            Finality::Confirmations => head.number.checked_sub(confirmations),
            Finality::Safe => {
                endpoint.block(BlockNumberOrTag::Safe).await?.map(|block| block.number)
            }
            Finality::Finalized => {
                endpoint.block(BlockNumberOrTag::Finalized).await?.map(|block| block.number)
            }
        };
        Ok(View { endpoint, head, finalized: finalized.map(|block| block.min(head.number)) })
    }
}

/// The block at `number` that a majority has, and an endpoint that has it.
async fn agreed<'a>(
    alive: &[(&'a Endpoint, BlockRef)],
    number: u64,
    majority: usize,
) -> Result<(&'a Endpoint, BlockRef)> {
    let blocks = join_all(alive.iter().map(|(endpoint, head)| async move {
        if head.number == number {
            return Some((*endpoint, *head));
        }
        let block = endpoint.block(BlockNumberOrTag::Number(number)).await.ok().flatten();
        block.map(|block| (*endpoint, block))
    }))
    .await;
    let mut votes: HashMap<B256, usize> = HashMap::new();
    for (_, block) in blocks.iter().flatten() {
        *votes.entry(block.hash).or_default() += 1;
    }
    blocks
        .into_iter()
        .flatten()
        .find(|(_, block)| votes.get(&block.hash).is_some_and(|count| *count >= majority))
        .ok_or(RpcError::Disagree { number })
}

/// One state of the chain, as one endpoint has it and a majority confirms.
#[derive(Clone, Debug)]
pub struct View<'a> {
    endpoint: &'a Endpoint,
    /// The head.
    pub head: BlockRef,
    /// The last final block.
    pub finalized: Option<u64>,
}

impl View<'_> {
    /// The block at `number`, if the chain is that long.
    pub async fn block(&self, number: u64) -> Result<Option<BlockRef>> {
        if number > self.head.number {
            return Ok(None);
        }
        if number == self.head.number {
            return Ok(Some(self.head));
        }
        self.endpoint.block(BlockNumberOrTag::Number(number)).await
    }

    /// The block at `number` as the endpoint has it this moment, be it of the view or not, and
    /// the filter of what was logged in it.
    pub async fn fresh_header(&self, number: u64) -> Result<Option<(BlockRef, Bloom)>> {
        self.endpoint.header(BlockNumberOrTag::Number(number)).await
    }

    /// A provider for questions to the endpoint itself.
    pub(super) fn provider(&self) -> &RootProvider<Ethereum> {
        &self.endpoint.provider
    }

    /// What the failure of a request to the endpoint means.
    pub(super) fn failed(&self, error: Transport<TransportErrorKind>) -> RpcError {
        self.endpoint.failed(error)
    }

    /// How many blocks the endpoint answers well at once.
    pub fn span(&self) -> u64 {
        self.endpoint.span().blocks()
    }

    /// What the logs of these contracts say between two blocks, both included, in one request. Where
    /// that is too much, [`View::span`] is less afterwards.
    pub async fn events(
        &self,
        collections: &[Watched],
        from: u64,
        to: u64,
    ) -> Result<Vec<TokenEvent>> {
        read_once(self.endpoint, collections, from, to).await
    }

    /// Reads what the logs of these contracts say between two blocks, both included.
    ///
    /// An endpoint of several machines may answer from one that does not have the blocks yet, and
    /// answer with nothing. See [`View::events_of_block`].
    pub fn reader(&self, collections: &[Watched], from: u64, to: u64) -> Reader {
        Reader::new(self.endpoint.clone(), collections.to_vec(), from, to)
    }

    /// What the logs of these contracts say in one block, asked for by its hash (EIP-234): a
    /// machine that does not have it says so.
    pub async fn events_of_block(
        &self,
        collections: &[Watched],
        block: B256,
    ) -> Result<Vec<TokenEvent>> {
        let filter = Filter::new().at_block_hash(block);
        let mut events = self.endpoint.events(filter, collections).await?;
        events.retain(|event| event.block_hash == block);
        Ok(events)
    }
}

/// Whether a block's filter leaves it open that one of these contracts logged something in it.
pub fn may_concern(bloom: &Bloom, collections: &[Watched]) -> bool {
    let holds = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
    collections.iter().any(|one| {
        holds(one.address.as_slice())
            && topics_of(one.standard).iter().any(|topic| holds(topic.as_slice()))
    })
}
