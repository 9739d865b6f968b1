//! What is tried at a node to bring a replica back, and how it is seen whether it worked.

use std::{collections::VecDeque, time::Duration};

use tracing::{info, warn};

use super::Target;
use crate::{
    health::ReplicaState,
    ledger::{self, DueProbe, RepairState, RowId},
    nodes::{
        self, ContentNode,
        aleph::{AlephError, Engine, Message},
    },
    watch::{Watch, WatchError},
};

/// Between looks at a node that is fetching.
const LOOK: Duration = Duration::from_millis(500);

/// Why a repair failed whose upload the node answered with success.
const STILL_WRONG: &str = "the node took the bytes, but still serves none that are right; \
    its operator must remove the file from its disk";

/// Why a repair failed whose node then gave no answer that says anything.
const NOT_SEEN: &str = "the node wants to be left alone: whether it worked is seen later";

/// What a probe after a step saw.
enum Look {
    Proved,
    LeftAlone,
    StillWrong,
}

/// A way to bring a replica back, from the cheapest on.
enum Step {
    /// Upload, for a STORE that the node has: no message, no bill.
    Upload,
    /// Upload with a STORE that lives elsewhere: no new bill.
    WithLive(Message),
    /// Upload with a new STORE: a new bill.
    WithNew(Message),
}

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::WithLive(_) => "upload-with-store",
            Self::WithNew(_) => "new-store",
        }
    }

    fn message(&self) -> Option<&Message> {
        match self {
            Self::Upload => None,
            Self::WithLive(message) | Self::WithNew(message) => Some(message),
        }
    }
}

/// What became of a step.
enum Outcome {
    Proved,
    Refused(String),
    StillWrong(String),
}

impl Watch {
    /// Goes through the steps until a probe sees the right bytes. Gives whether one did.
    pub(super) async fn bring_back(
        &self,
        target: &Target<'_>,
        probes: &mut u64,
    ) -> Result<bool, WatchError> {
        let here = target.client.stores_of(&target.id, None).await.unwrap_or_default();
        let mut steps: VecDeque<_> = self.steps(target, &here).await?.into();
        if steps.is_empty() {
            let reason = self.why_no_step(target);
            self.give_up(target.row, target.id, target.node, target.client, reason).await?;
            return Ok(false);
        }
        let mut reason = String::new();
        while let Some(step) = steps.pop_front() {
            let refused = match self.try_step(target, &step, probes).await? {
                Outcome::Proved => return Ok(true),
                Outcome::Refused(said) => {
                    reason = said;
                    true
                }
                Outcome::StillWrong(said) => {
                    reason = said;
                    false
                }
            };
            // Somebody else's STORE may be refused for reasons of theirs; ours need not be.
            if refused && steps.is_empty() && matches!(step, Step::WithLive(_)) && target.in_need {
                steps.extend(self.new_store(target).await?.map(Step::WithNew));
            }
        }
        warn!("{}: {} is not repaired: {reason}", target.id, nodes::name(target.client.url()));
        Ok(false)
    }

    /// Does one step, written down before and after. Whatever the node answers, but for a
    /// refusal, only a probe says whether it worked.
    async fn try_step(
        &self,
        target: &Target<'_>,
        step: &Step,
        probes: &mut u64,
    ) -> Result<Outcome, WatchError> {
        let hash = step.message().map(|message| message.item_hash.as_str());
        let mut tx = self.ledger.write().await?;
        let repair =
            tx.plan_repair(target.row, target.node, step.name(), hash, ledger::now()).await?;
        tx.commit().await?;
        let said = match self.take_step(target, step).await {
            Ok(()) => STILL_WRONG.to_owned(),
            Err(error @ AlephError::Refused { .. }) => {
                let said = error.to_string();
                self.update(repair, RepairState::Failed, Some(&said)).await?;
                return Ok(Outcome::Refused(said));
            }
            Err(error) => error.to_string(),
        };
        self.update(repair, RepairState::Sent, None).await?;
        *probes += 1;
        let said = match self.look(target).await? {
            Look::Proved => {
                let node = nodes::name(target.client.url());
                info!("{}: {node} has it again ({})", target.id, step.name());
                return Ok(Outcome::Proved);
            }
            Look::LeftAlone => NOT_SEEN.to_owned(),
            Look::StillWrong => said,
        };
        self.update(repair, RepairState::Failed, Some(&said)).await?;
        Ok(Outcome::StillWrong(said))
    }

    fn why_no_step(&self, target: &Target<'_>) -> &'static str {
        if !target.in_need {
            "no STORE of it is found, and a new one is signed only where too few nodes have it \
             and every node that is up could list its STOREs"
        } else if self.repairer.is_some() {
            "it takes no file of this size"
        } else {
            "no STORE of it lives, and there is no key for a new one: \
             set [repair] keystore or private_key_file"
        }
    }

    async fn update(
        &self,
        repair: RowId,
        state: RepairState,
        detail: Option<&str>,
    ) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.update_repair(repair, state, detail, ledger::now()).await?;
        Ok(tx.commit().await?)
    }

    /// The steps that may help at this node, cheapest first.
    async fn steps(&self, target: &Target<'_>, here: &[Message]) -> Result<Vec<Step>, WatchError> {
        let (signed, unsigned) = target.client.limits(Engine::of(&target.id)).await;
        let mut steps = Vec::new();
        if !here.is_empty() && target.payload.len() <= unsigned {
            steps.push(Step::Upload);
        }
        if target.payload.len() > signed {
            return Ok(steps);
        }
        if let Some(message) = here.iter().chain(target.elsewhere).next() {
            steps.push(Step::WithLive(message.clone()));
        } else if target.in_need
            && let Some(message) = self.new_store(target).await?
        {
            steps.push(Step::WithNew(message));
        }
        Ok(steps)
    }

    /// Does one step. Where the node takes no upload, the message alone may make it fetch.
    async fn take_step(&self, target: &Target<'_>, step: &Step) -> Result<(), AlephError> {
        let uploaded = target.client.upload(&target.id, target.payload, step.message()).await;
        match (uploaded, step.message()) {
            (Err(error), Some(message)) if error.is_lacking() => {
                target.client.publish(message).await?;
                self.let_fetch(target).await;
                Ok(())
            }
            (uploaded, _) => uploaded,
        }
    }

    /// Gives the node time to fetch on its own.
    async fn let_fetch(&self, target: &Target<'_>) {
        let end = tokio::time::Instant::now() + self.settings.wait;
        while tokio::time::Instant::now() < end {
            if target.client.open(&target.id).await.is_ok() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Probes a replica now, and writes down what is seen.
    async fn look(&self, target: &Target<'_>) -> Result<Look, WatchError> {
        let due = DueProbe {
            content: target.row,
            id: target.id,
            known: target.known,
            node: target.node,
            parse: false,
        };
        let probed = self.ask_at_desk(due).await;
        let is_left_alone = probed.seen.left_alone.is_some();
        let verified = probed.seen.state == ReplicaState::Verified;
        self.write_seen(probed).await?;
        Ok(match verified {
            true => Look::Proved,
            false if is_left_alone => Look::LeftAlone,
            false => Look::StillWrong,
        })
    }
}
