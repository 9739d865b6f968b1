//! Several JSON-RPC endpoints of one chain, compared.
//!
//! A [`View`] is what a majority of the answering endpoints agree on, read through one of them:
//! a lagging, forked or silent endpoint never moves the head back or forth.

use std::{collections::HashMap, time::Duration};

use alloy::{
    eips::BlockNumberOrTag,
    network::Ethereum,
    primitives::{Address, B256},
    providers::{Provider, RootProvider},
    rpc::{
        client::RpcClient,
        types::{Block, Filter},
    },
    transports::{RpcError as Transport, TransportErrorKind, http::Http},
};
use futures::future::join_all;
use url::Url;

use super::events::{BadLog, BlockRef, TOPICS, TokenEvent, decode};
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
}

type Result<T, E = RpcError> = std::result::Result<T, E>;

#[derive(Clone, Debug)]
struct Endpoint {
    shown: String,
    provider: RootProvider<Ethereum>,
}

/// The endpoints of one chain.
#[derive(Clone, Debug)]
pub struct Rpc {
    endpoints: Vec<Endpoint>,
    chain_id: u64,
    genesis: B256,
}

/// Until an endpoint has answered one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a transaction that was sent is looked for. Only commands that send one wait so.
const RECEIPT_POLL: Duration = Duration::from_millis(500);

impl Endpoint {
    fn new(url: &Url) -> Result<Self> {
        let shown = without_secrets(url);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| RpcError::Unreachable {
                url: shown.clone(),
                reason: error.to_string(),
            })?;
        let transport = Http::with_client(client, url.clone());
        let client = RpcClient::new(transport, false).with_poll_interval(RECEIPT_POLL);
        let provider = RootProvider::new(client);
        Ok(Self { shown, provider })
    }

    fn failed(&self, error: Transport<TransportErrorKind>) -> RpcError {
        let reason = match &error {
            Transport::ErrorResp(payload) => payload.message.to_string(),
            Transport::Transport(_) => crate::cause::root_cause(&error),
            other => other.to_string(),
        };
        RpcError::Unreachable { url: self.shown.clone(), reason }
    }

    async fn block(&self, tag: BlockNumberOrTag) -> Result<Option<BlockRef>> {
        let block: Option<Block> =
            self.provider.get_block_by_number(tag).await.map_err(|error| self.failed(error))?;
        Ok(block.map(|block| BlockRef {
            number: block.header.number,
            hash: block.header.hash,
            parent_hash: block.header.parent_hash,
        }))
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
    pub async fn connect(urls: &[Url]) -> Result<Self> {
        let endpoints = urls.iter().map(Endpoint::new).collect::<Result<Vec<_>>>()?;
        let asked = join_all(endpoints.iter().map(|endpoint| async move {
            let id = endpoint.provider.get_chain_id().await;
            let genesis = endpoint.block(BlockNumberOrTag::Number(0)).await?;
            let id = id.map_err(|error| endpoint.failed(error))?;
            let genesis = genesis.ok_or_else(|| RpcError::Unreachable {
                url: endpoint.shown.clone(),
                reason: "it does not know its own genesis block".to_owned(),
            })?;
            Ok((endpoint, id, genesis.hash))
        }))
        .await;
        let mut known: Option<(&Endpoint, u64, B256)> = None;
        let mut failure = RpcError::None;
        for answer in asked {
            match (answer, known) {
                (Ok((endpoint, id, _)), Some((other, other_id, _))) if id != other_id => {
                    return Err(RpcError::ChainsDiffer {
                        a: other.shown.clone(),
                        a_id: other_id,
                        b: endpoint.shown.clone(),
                        b_id: id,
                    });
                }
                (Ok(answer), None) => known = Some(answer),
                (Ok(_), Some(_)) => {}
                (Err(error), _) => failure = error,
            }
        }
        let (_, chain_id, genesis) = known.ok_or(failure)?;
        Ok(Self { endpoints, chain_id, genesis })
    }

    /// EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Hash of block 0.
    pub fn genesis(&self) -> B256 {
        self.genesis
    }

    /// A provider for single questions and for sending transactions: the first that answers.
    pub async fn provider(&self) -> Result<RootProvider<Ethereum>> {
        let mut failure = RpcError::None;
        for endpoint in &self.endpoints {
            match endpoint.provider.get_block_number().await {
                Ok(_) => return Ok(endpoint.provider.clone()),
                Err(error) => failure = endpoint.failed(error),
            }
        }
        Err(failure)
    }

    /// What a majority of the answering endpoints agree on now.
    pub async fn view(&self, finality: Finality, confirmations: u64) -> Result<View<'_>> {
        let heads = join_all(self.endpoints.iter().map(|endpoint| async move {
            let head = endpoint.block(BlockNumberOrTag::Latest).await?;
            let head = head.ok_or_else(|| RpcError::Unreachable {
                url: endpoint.shown.clone(),
                reason: "it has no blocks".to_owned(),
            })?;
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
        self.fresh_block(number).await
    }

    /// The block at `number` as the endpoint has it this moment, be it of the view or not.
    pub async fn fresh_block(&self, number: u64) -> Result<Option<BlockRef>> {
        self.endpoint.block(BlockNumberOrTag::Number(number)).await
    }

    /// What the logs of these contracts say between two blocks, both included, in order.
    pub async fn events(
        &self,
        collections: &[Address],
        from: u64,
        to: u64,
    ) -> Result<Vec<TokenEvent>> {
        let filter = Filter::new()
            .address(collections.to_vec())
            .event_signature(TOPICS.to_vec())
            .from_block(from)
            .to_block(to);
        let logs = self.endpoint.provider.get_logs(&filter).await;
        let logs = logs.map_err(|error| self.endpoint.failed(error))?;
        let mut events = Vec::with_capacity(logs.len());
        for log in logs.iter().filter(|log| !log.removed) {
            events.extend(decode(log)?);
        }
        events.retain(|event| (from..=to).contains(&event.block_number));
        events.sort_by_key(|event| (event.block_number, event.log_index, event.sub_index));
        Ok(events)
    }
}
