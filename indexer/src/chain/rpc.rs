//! Several JSON-RPC endpoints of one chain, compared.
//!
//! A [`View`] is what enough endpoints agree on, read through those that do: a lagging, forked or
//! silent endpoint never moves the head back or forth.

use std::{hash::Hash, sync::Arc, time::Duration};

use alloy::{
    eips::BlockNumberOrTag,
    network::Ethereum,
    primitives::{Address, B256},
    providers::RootProvider,
};
use everhold_net::Fetcher;
use tokio::{sync::Notify, time::Instant};
use url::Url;

use super::{
    endpoint::{Chain, Endpoint},
    events::BlockRef,
    linked::Linked,
    quorum::{self, Answers, agreed, ask, majority, may_revert, need, votes},
    rpc_error::{Result, RpcError},
    view::View,
};
use crate::config::Finality;

/// Times that endpoints are asked about a contract before they are said to disagree, and between
/// them.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_secs(1);

/// The endpoints of one chain.
#[derive(Clone, Debug)]
pub struct Rpc {
    endpoints: Vec<Arc<Endpoint>>,
    chain: Chain,
    /// Rung when an endpoint tells of a new block.
    wake: Arc<Notify>,
    /// The chain's links, where every block is to be proved.
    linked: Option<Arc<Linked>>,
}

/// How endpoints are treated.
#[derive(Clone, Copy, Debug)]
pub struct Treatment {
    /// The pause after an endpoint's first failure, doubled with each further one: at most one
    /// second at first, and a minute in the end.
    pub pause: Duration,
    /// Whether every block that is read is proved, back from the head.
    pub prove_logs: bool,
}

impl Default for Treatment {
    fn default() -> Self {
        Self { pause: super::aside::FIRST_PAUSE, prove_logs: false }
    }
}

impl Rpc {
    /// Connects to every endpoint; those that do not answer are left for later, as long as enough
    /// do.
    pub async fn connect(urls: &[Url], fetcher: &Fetcher) -> Result<Self> {
        Self::connect_with(urls, fetcher, Treatment::default()).await
    }

    /// As [`Rpc::connect`], with more to choose.
    pub async fn connect_with(
        urls: &[Url],
        fetcher: &Fetcher,
        treatment: Treatment,
    ) -> Result<Self> {
        let wake = Arc::new(Notify::new());
        let endpoint = |url| Arc::new(Endpoint::new(url, fetcher, treatment.pause, &wake));
        let endpoints: Vec<_> = urls.iter().map(endpoint).collect();
        let enough = majority(endpoints.len());
        let Answers { good: known, mut failures } =
            ask(&endpoints, enough, |endpoint| async move { endpoint.chain().await }).await;
        let Some((first, chain)) = known.first() else {
            return Err(match endpoints.len() {
                0 => RpcError::None,
                1 => failures.remove(0),
                _ => too_few(&endpoints, 0),
            });
        };
        if let Some((other, other_chain)) = known.iter().find(|(_, c)| c.id != chain.id) {
            return Err(RpcError::ChainsDiffer {
                a: first.shown().to_owned(),
                a_id: chain.id,
                b: other.shown().to_owned(),
                b_id: other_chain.id,
            });
        }
        if known.len() < need(endpoints.len()) {
            return Err(too_few(&endpoints, known.len()));
        }
        let votes = votes(endpoints.len(), known.len());
        let chain = agreed(known.iter().map(|(_, chain)| *chain), votes);
        let chain = chain.ok_or(RpcError::Disagree { number: 0 })?;
        known.iter().for_each(|(endpoint, its)| endpoint.judge(*its, chain));
        let linked = treatment.prove_logs.then(Arc::default);
        Ok(Self { endpoints, chain, wake, linked })
    }

    /// Refuses to be of another chain than this.
    ///
    /// # Errors
    /// [`RpcError::OtherChain`].
    pub fn must_be(&self, chain_id: Option<u64>) -> Result<()> {
        match chain_id {
            Some(expected) if expected != self.chain.id => {
                Err(RpcError::OtherChain { expected, found: self.chain.id })
            }
            _ => Ok(()),
        }
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
        // Those that are set aside come last.
        let (fine, aside): (Vec<_>, Vec<_>) =
            self.endpoints.iter().partition(|endpoint| endpoint.standing().is_fine());
        for endpoint in fine.into_iter().chain(aside) {
            match endpoint.head(self.chain).await {
                Ok(_) => return Ok(endpoint.provider.clone()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Comes when an endpoint tells of a new block, or may have told of one while nobody waited.
    /// Only WebSockets tell; without one, it never comes.
    pub async fn new_head(&self) {
        self.endpoints.iter().filter_map(|endpoint| endpoint.heads.as_ref()).for_each(|heads| {
            heads.subscribe();
        });
        self.wake.notified().await;
    }

    /// What enough endpoints agree on now.
    ///
    /// # Errors
    /// Where too few can be asked, or they do not agree.
    pub async fn view(&self, finality: Finality, confirmations: u64) -> Result<View<'_>> {
        let configured = self.endpoints.len();
        let chain = self.chain;
        let asked = self.askable();
        let mut heads =
            ask(&asked, majority(configured), |endpoint| async move { endpoint.head(chain).await })
                .await;
        let answering = heads.good.len();
        let votes = self.votes_of(&mut heads)?;
        let mut numbers: Vec<_> = heads.good.iter().map(|(_, head)| head.number).collect();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        // The highest block that enough can have.
        let number = numbers[votes - 1];
        heads.good.iter().for_each(|(endpoint, head)| endpoint.lags(head.number, numbers[0]));
        let (endpoints, head) = agreeing(&heads.good, number, votes, configured).await?;
        let others_gone = self.others_gone(&endpoints);
        let view = View {
            rpc: self,
            sure: may_revert(configured, answering, others_gone),
            endpoints,
            votes,
            head,
            finalized: None,
            linked: self.linked.clone(),
        };
        let finalized = match finality {
            Finality::Confirmations => head.number.checked_sub(confirmations),
            Finality::Safe => view.marked(BlockNumberOrTag::Safe).await?,
            Finality::Finalized => view.marked(BlockNumberOrTag::Finalized).await?,
        };
        Ok(View { finalized: finalized.map(|block| block.min(head.number)), ..view })
    }

    /// What enough endpoints answer alike to a question about a contract. Endpoints that are a block
    /// apart may differ for a moment: then they are asked again.
    ///
    /// # Errors
    /// Where too few can be asked, or [`RpcError::Differ`].
    pub(super) async fn settled<T, F>(
        &self,
        contract: Address,
        question: impl Fn(Arc<Endpoint>) -> F,
    ) -> Result<T>
    where
        T: Eq + Hash,
        F: Future<Output = Result<T>>,
    {
        let chain = self.chain;
        for _ in 0..LOOKS {
            let mut answers = ask(&self.askable(), majority(self.endpoints.len()), |endpoint| {
                let answer = question(endpoint.clone());
                async move {
                    endpoint.check(chain).await?;
                    answer.await
                }
            })
            .await;
            let votes = self.votes_of(&mut answers)?;
            if let Some(answer) = agreed(answers.good.into_iter().map(|(_, said)| said), votes) {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(RpcError::Differ { contract })
    }

    /// How many of those that answered must agree.
    fn votes_of<T>(&self, answers: &mut Answers<T>) -> Result<usize> {
        let (configured, answering) = (self.endpoints.len(), answers.good.len());
        if answering >= need(configured) {
            return Ok(votes(configured, answering));
        }
        Err(match (configured, answers.failures.pop()) {
            (1, Some(failure)) => failure,
            _ => too_few(&self.endpoints, answering),
        })
    }

    /// Whether most of all configured endpoints have this very block: those that are silent count,
    /// too. For what must not follow from the word of the few that happen to answer.
    pub async fn most_have(&self, block: &BlockRef) -> bool {
        let (chain, tag) = (self.chain, BlockNumberOrTag::Number(block.number));
        let most = self.endpoints.len() / 2 + 1;
        let answers = ask(&self.endpoints, most, |endpoint| async move {
            endpoint.check(chain).await?;
            endpoint.block(tag).await
        })
        .await;
        let its = answers.good.iter().filter_map(|(_, its)| *its);
        its.filter(|its| its.hash == block.hash).count() >= most
    }

    /// The endpoints to ask in this round. Those that are due are tried beside it, unless it has
    /// too few without them: it never waits for one that is known to be silent.
    fn askable(&self) -> Vec<Arc<Endpoint>> {
        let now = Instant::now();
        let is_fine = |endpoint: &&Arc<Endpoint>| endpoint.standing().is_fine();
        let is_due = |endpoint: &&Arc<Endpoint>| endpoint.standing().is_due(now);
        let mut asked: Vec<_> = self.endpoints.iter().filter(is_fine).cloned().collect();
        let due = self.endpoints.iter().filter(is_due).cloned();
        if asked.len() < need(self.endpoints.len()) {
            asked.extend(due);
            return asked;
        }
        for endpoint in due {
            let chain = self.chain;
            if endpoint.standing().begin_trial() {
                tokio::spawn(async move {
                    let one = [endpoint];
                    quorum::ask(&one, 1, |endpoint| async move { endpoint.head(chain).await })
                        .await;
                    one[0].standing().end_trial();
                });
            }
        }
        asked
    }

    fn others_gone(&self, these: &[Arc<Endpoint>]) -> bool {
        let now = Instant::now();
        let others =
            self.endpoints.iter().filter(|other| !these.iter().any(|e| Arc::ptr_eq(e, other)));
        others.into_iter().all(|other| other.standing().is_gone(now))
    }

    pub(super) fn too_few(&self, have: usize) -> RpcError {
        too_few(&self.endpoints, have)
    }

    pub(super) fn configured(&self) -> usize {
        self.endpoints.len()
    }
}

/// Why a round can't be: what is wrong with those that are set aside.
fn too_few(endpoints: &[Arc<Endpoint>], have: usize) -> RpcError {
    let configured = endpoints.len();
    lacking(endpoints, have, need(configured), configured)
}

/// That `have` of the endpoints can be asked and `need` must agree, and what is wrong with those of
/// these that are set aside.
pub(super) fn lacking(
    endpoints: &[Arc<Endpoint>],
    have: usize,
    need: usize,
    configured: usize,
) -> RpcError {
    let excuse = |endpoint: &Arc<Endpoint>| {
        let excuse = endpoint.standing().excuse()?;
        Some(format!("{} is set aside: {excuse}", endpoint.shown()))
    };
    let excuses: Vec<_> = endpoints.iter().filter_map(excuse).collect();
    let now = Instant::now();
    let pauses = endpoints.iter().filter_map(|endpoint| endpoint.standing().pause(now));
    let mut pauses: Vec<_> = pauses.collect();
    pauses.sort_unstable();
    // Once so many are back, there are enough.
    let pause = need.checked_sub(have + 1).and_then(|more| pauses.get(more).copied());
    RpcError::TooFew { have, need, configured, why: excuses.join("; "), pause }
}

/// Those that have the block at `number` that enough have, and the block. Of three or more, those
/// that have another one are set aside.
async fn agreeing(
    heads: &[(Arc<Endpoint>, BlockRef)],
    number: u64,
    votes: usize,
    configured: usize,
) -> Result<(Vec<Arc<Endpoint>>, BlockRef)> {
    let endpoints: Vec<_> = heads.iter().map(|(endpoint, _)| endpoint.clone()).collect();
    let head_of = |endpoint: &Arc<Endpoint>| {
        heads.iter().find(|(other, _)| Arc::ptr_eq(other, endpoint)).map(|(_, head)| *head)
    };
    let blocks = ask(&endpoints, votes, |endpoint| {
        let head = head_of(&endpoint);
        async move {
            match head {
                Some(head) if head.number == number => Ok(Some(head)),
                Some(head) if head.number < number => Ok(None),
                _ => endpoint.block(BlockNumberOrTag::Number(number)).await,
            }
        }
    })
    .await;
    let said = blocks.good.iter().filter_map(|(_, block)| *block);
    let hash = agreed(said.map(|block| block.hash), votes).ok_or(RpcError::Disagree { number })?;
    let mut found = None;
    let mut these = Vec::new();
    for (endpoint, block) in blocks.good {
        match block {
            Some(block) if block.hash == hash => {
                found.get_or_insert(block);
                these.push(endpoint);
            }
            Some(_) if configured > 2 => {
                let why = format!("its block {number} is not the one that the others have");
                endpoint.set_aside(endpoint.unusable(&why), None);
            }
            _ => {}
        }
    }
    Ok((these, found.ok_or(RpcError::Disagree { number })?))
}
