//! Reading logs of a range: from one endpoint, from two that are compared, or proved.

use std::{sync::Arc, time::Duration};

use alloy::{eips::BlockNumberOrTag, rpc::types::Filter};
use tokio::time::{Instant, timeout};

use super::{
    dispute::{Dispute, in_order, same},
    endpoint::{Endpoint, MOST_ADDRESSES},
    events::{BlockRef, TokenEvent},
    linked::Linked,
    refusal::Refusal,
    rpc::lacking,
    rpc_error::{Result, RpcError},
    standards::Watched,
};

/// Where logs are read from: the endpoints that agree on a head.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// How many there are altogether.
    pub(super) configured: usize,
    /// How many must agree.
    pub(super) votes: usize,
    /// The contracts.
    pub(super) watched: Vec<Watched>,
    pub(super) head: BlockRef,
    /// Present where every block is to be proved.
    pub(super) linked: Option<Arc<Linked>>,
}

/// Whether a range may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Below the window: read in as many requests as it takes. Who is wrong here lies.
    Deep,
    /// In the window: in one request. Who is wrong here may only be behind.
    Recent,
}

/// An endpoint that takes short ranges only makes those that the others are asked for shorter, but
/// not by more than this.
const SPREAD: u64 = 16;
/// An endpoint that is silent is asked for less, down to so many blocks; then it is set aside.
const FEW: u64 = 64;

/// The later of two answers is waited for so many times as long as the earlier one took, and at
/// least so long.
const LATER: u32 = 4;
const AT_LEAST: Duration = Duration::from_secs(5);

/// Two answers; the later one only if it is not much later.
pub(super) async fn both<T>([one, other]: [impl Future<Output = T>; 2]) -> [Option<T>; 2] {
    let begun = Instant::now();
    let patience = || (begun.elapsed() * LATER).max(AT_LEAST);
    tokio::pin!(one, other);
    tokio::select! {
        first = &mut one => [Some(first), timeout(patience(), other).await.ok()],
        second = &mut other => [timeout(patience(), one).await.ok(), Some(second)],
    }
}

impl Source {
    /// How many blocks to ask for next.
    pub(super) fn span(&self) -> u64 {
        let spans = || self.endpoints.iter().map(|endpoint| endpoint.span().blocks());
        let (least, most) = (spans().min().unwrap_or(1), spans().max().unwrap_or(1));
        most.min(least.saturating_mul(SPREAD))
    }

    /// What the logs of a range say, in order. `turn` chooses which endpoints are asked.
    pub(super) async fn read(
        &self,
        from: u64,
        to: u64,
        turn: usize,
        depth: Depth,
    ) -> Result<Vec<TokenEvent>> {
        if let Some(linked) = &self.linked {
            return linked.read(self, from, to, depth).await;
        }
        let mut failure = None;
        // Whoever fails is set aside, so that the next try is with others.
        for _ in 0..=self.endpoints.len() * 2 {
            let fine = self.fine();
            let first = fine.get(turn % fine.len().max(1));
            let second = fine.get((turn + 1) % fine.len().max(1)).filter(|_| fine.len() > 1);
            let outcome = match (first, second) {
                (Some(one), Some(other)) => self.compare([one, other], from, to, depth).await,
                // The spare of two may be silent; of three or more, one alone is not believed.
                (Some(one), None) if self.configured < 3 => self.alone(one, from, to, depth).await,
                _ => break,
            };
            match outcome {
                Err(error) if self.goes_better_elsewhere(&error, depth) => failure = Some(error),
                other => return other,
            }
        }
        // They may have failed at another range meanwhile.
        let lacking = || lacking(&self.endpoints, self.fine().len(), self.votes, self.configured);
        Err(failure.unwrap_or_else(lacking))
    }

    /// Whether another endpoint may answer what one failed at.
    fn goes_better_elsewhere(&self, error: &RpcError, depth: Depth) -> bool {
        match error {
            RpcError::Unreachable { too_much, .. } => {
                self.configured > 1 && !(*too_much && depth == Depth::Recent)
            }
            RpcError::BadLog(_) => self.configured > 1,
            _ => false,
        }
    }

    fn fine(&self) -> Vec<&Arc<Endpoint>> {
        self.endpoints.iter().filter(|endpoint| endpoint.standing().is_fine()).collect()
    }

    async fn alone(
        &self,
        endpoint: &Endpoint,
        from: u64,
        to: u64,
        depth: Depth,
    ) -> Result<Vec<TokenEvent>> {
        let events = self.ask(endpoint, from, to, depth).await?;
        // What came last proves that the endpoint knew that block. Of what is above it, a machine
        // that is behind would tell nothing either.
        let known = events.iter().map(|event| event.block_number).max();
        let answers = self.watched.len().div_ceil(MOST_ADDRESSES);
        if depth == Depth::Deep && (known != Some(to) || answers > 1) {
            let block = endpoint.block(BlockNumberOrTag::Number(to)).await?;
            if block.is_none() {
                let error = endpoint.unusable(&format!("it does not know block {to} any more"));
                return Err(endpoint.set_aside(error, None));
            }
        }
        Ok(events)
    }

    async fn compare(
        &self,
        [one, other]: [&Arc<Endpoint>; 2],
        from: u64,
        to: u64,
        depth: Depth,
    ) -> Result<Vec<TokenEvent>> {
        let asked = [one, other].map(|endpoint| self.ask(endpoint, from, to, depth));
        let [first, second] = both(asked).await;
        let late = |endpoint: &Endpoint| {
            let error = endpoint.unusable("it sent no logs long after another had");
            endpoint.set_aside(error, None)
        };
        let first = first.unwrap_or_else(|| Err(late(one)))?;
        let second = second.unwrap_or_else(|| Err(late(other)))?;
        if same(&first, &second) {
            return Ok(first);
        }
        let answers = [(one.clone(), first), (other.clone(), second)];
        Dispute { source: self, depth, answers }.settle().await
    }

    /// What one endpoint says.
    async fn ask(
        &self,
        endpoint: &Endpoint,
        from: u64,
        to: u64,
        depth: Depth,
    ) -> Result<Vec<TokenEvent>> {
        let (mut first, mut events) = (from, Vec::new());
        while first <= to {
            let most = if depth == Depth::Deep { endpoint.span().ceiling() } else { u64::MAX };
            let last = to.min(first.saturating_add(most - 1));
            match self.once(endpoint, first, last).await {
                Ok(mut found) => {
                    events.append(&mut found);
                    first = last + 1;
                }
                Err(error) if depth == Depth::Deep && first < last && error.may_be_too_much() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(in_order(events))
    }

    /// Reads a range in one request, and remembers how that went.
    async fn once(&self, endpoint: &Endpoint, from: u64, to: u64) -> Result<Vec<TokenEvent>> {
        let blocks = to - from + 1;
        let filter = Filter::new().from_block(from).to_block(to);
        let unanswered = match endpoint.events(filter, &self.watched).await {
            Ok(mut events) => {
                events.retain(|event| (from..=to).contains(&event.block_number));
                endpoint.span().answered(blocks, events.len() as u64);
                return Ok(events);
            }
            Err(unanswered) => unanswered,
        };
        let mut error = unanswered.error;
        match unanswered.refusal {
            Refusal::TooMuch(takes) if blocks > 1 => endpoint.span().refused(blocks, takes),
            Refusal::Silent if blocks > FEW => endpoint.span().refused(blocks, None),
            refusal => {
                error = endpoint.set_aside(error, refusal.wait());
                if let RpcError::Unreachable { too_much, .. } = &mut error {
                    *too_much = false;
                }
            }
        }
        Err(error)
    }
}
