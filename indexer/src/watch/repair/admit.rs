//! What there is room for in the budgets, written down before anything is done.

use std::{collections::HashMap, fmt, sync::PoisonError};

use futures::{StreamExt, stream};
use serde::Serialize;
use tracing::warn;

use super::{act::AT_ONCE, cases::Target};
use crate::{
    crash,
    ledger::{self, KeptMessage, NewMessage, NewRepair, RowId, Undone},
    nodes::aleph::Message,
    repair::{Action, Budget, Cost, Credits, Payer, Refusal},
    watch::{Watch, WatchError},
};

/// Where so many STOREs of our own may live that are of no use, none is signed beside them: nodes that only
/// say so must not run up bills.
const MOST_IN_DOUBT: usize = 2;
/// Tokens that are looked at for whom a content is.
const MOST_PAYERS: u32 = 20;
/// The same, where none of those has anything left.
const MOST_PAYERS_IN_NEED: u32 = 2_000;

/// An action that is to be taken.
pub(super) struct Step {
    /// Its row, once it was written down.
    pub(super) repair: RowId,
    pub(super) target: Target,
    pub(super) cost: Cost,
    payer: Option<Payer>,
    /// The node's URL, for people.
    node_name: String,
}

/// What is to be done, and what has no room.
#[derive(Default)]
pub(super) struct Admitted {
    pub(super) steps: Vec<Step>,
    new: Vec<NewMessage>,
    waiting: Vec<Undone>,
    refused: Vec<Refusal>,
}

/// An action that would be taken, had it not to be only said.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// The content's name.
    pub content: String,
    /// The node's URL.
    pub node: String,
    /// The word for it.
    pub action: &'static str,
    /// Bytes that would be sent.
    pub bytes: u64,
    /// What it would add to the bill, in credits an hour.
    pub credits_per_hour: f64,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { content, node, action, bytes, credits_per_hour } = self;
        write!(f, "{content}: {action} at {node}, {bytes} bytes")?;
        match *credits_per_hour > 0.0 {
            true => write!(f, ", {credits_per_hour} credits an hour"),
            false => Ok(()),
        }
    }
}

impl Admitted {
    /// Whether no budget was used up.
    pub(super) fn has_room(&self) -> bool {
        self.refused.is_empty()
    }

    /// The replicas that are left alone for a while; in a dry run all.
    pub(super) fn held_back(&self, dry_run: bool) -> impl Iterator<Item = (RowId, RowId)> {
        let waiting = self.waiting.iter().map(|one| (one.content, one.node));
        let said = self.steps.iter().filter(move |_| dry_run);
        waiting.chain(said.map(|step| step.target.replica()))
    }

    /// What it is, for people.
    pub(super) fn planned(&self) -> Vec<Planned> {
        let planned = |step: &Step| Planned {
            content: step.target.wanted.id.to_string(),
            node: step.node_name.clone(),
            action: step.target.action.as_str(),
            bytes: step.cost.bytes,
            credits_per_hour: step.cost.credits.as_number(),
        };
        self.steps.iter().map(planned).collect()
    }
}

/// A STORE in our own name that goes with a content's repairs.
struct OwnStore {
    message: Message,
    /// What it adds to the bill: nothing, if it was kept before.
    credits: Credits,
    is_new: bool,
}

impl Watch {
    /// The budgets, less what was spent.
    pub(super) async fn budget(&self) -> Result<Budget, WatchError> {
        let mut budget = self.settings.budget.clone();
        self.ledger.read().await?.add_spent(&mut budget, ledger::now()).await?;
        Ok(budget)
    }

    /// Finds out what each action costs, and takes those that there is room for.
    pub(super) async fn admit(
        &self,
        targets: Vec<Target>,
        budget: &mut Budget,
    ) -> Result<Admitted, WatchError> {
        let mut stores = self.own_stores(&targets).await?;
        let payers = match budget.asks_for_payers() {
            true => self.payers(&targets).await?,
            false => HashMap::new(),
        };
        let mut admitted = Admitted::default();
        for mut target in targets {
            let mut cost = self.cost_of(&target);
            let own =
                stores.get_mut(&target.wanted.row).filter(|_| target.action == Action::NewStore);
            if let Some(own) = &own {
                cost.credits = own.credits;
                target.message = Some(own.message.clone());
            } else if target.action == Action::NewStore {
                admitted.doubt(&target);
                continue;
            }
            // A STORE that is signed now is not what was planned before.
            target.again = target.again.filter(|_| own.as_ref().is_none_or(|own| !own.is_new));
            let for_whom = payers.get(&target.wanted.row).map_or(&[][..], Vec::as_slice);
            // What is taken up again was taken before.
            let taken = match target.again {
                Some(_) => Ok(None),
                None => self.take_for(budget, cost, for_whom, target.wanted.row).await?,
            };
            match taken {
                Ok(payer) => {
                    if let Some(own) = own {
                        admitted.new.extend(own.taken(&target, payer));
                    }
                    admitted.steps.push(self.step(target, cost, payer));
                }
                Err(refusal) => admitted.refuse(&target, refusal),
            }
        }
        Ok(admitted)
    }

    /// Takes an action on somebody's account. Where the first who name the content are used up, others may
    /// not be.
    async fn take_for(
        &self,
        budget: &mut Budget,
        cost: Cost,
        payers: &[Payer],
        content: RowId,
    ) -> Result<Result<Option<Payer>, Refusal>, WatchError> {
        let refusal = match budget.take(cost, payers) {
            Err(refusal) if payers.len() >= MOST_PAYERS as usize && !refusal.whose.is_empty() => {
                refusal
            }
            taken => return Ok(taken),
        };
        let mut tx = self.ledger.read().await?;
        let more = tx.payers(&[content], MOST_PAYERS_IN_NEED).await?.remove(&content);
        let more = more.unwrap_or_default();
        Ok(match more.len() > payers.len() {
            true => budget.take(cost, &more[payers.len()..]).map_err(|_| refusal),
            false => Err(refusal),
        })
    }

    fn step(&self, target: Target, cost: Cost, payer: Option<Payer>) -> Step {
        let node_name = self.name_of(target.node);
        let repair = target.again.unwrap_or_default();
        Step { repair, target, cost, payer, node_name }
    }

    fn cost_of(&self, target: &Target) -> Cost {
        let bytes = match target.action {
            Action::KuboPin | Action::PinRequest => 0,
            _ => target.wanted.known.size.unwrap_or(0),
        };
        Cost { bytes, credits: Credits::default() }
    }

    /// The STOREs that new ones would be, by content: one of each, however many nodes get it.
    async fn own_stores(&self, targets: &[Target]) -> Result<HashMap<RowId, OwnStore>, WatchError> {
        let Some(signer) = &self.repairer else { return Ok(HashMap::new()) };
        let sender = signer.address().to_checksum(None);
        let wanted = targets.iter().filter(|target| target.action == Action::NewStore);
        let mut wanted: Vec<_> = wanted.map(|target| (target.wanted.row, target)).collect();
        wanted.dedup_by_key(|(row, _)| *row);
        let rows: Vec<RowId> = wanted.iter().map(|(row, _)| *row).collect();
        let mut kept = self.ledger.read().await?.kept_stores(&rows, &sender).await?;
        let found = wanted.into_iter().map(|(row, target)| {
            let kept: Vec<KeptMessage> = kept.remove(&row).unwrap_or_default();
            async move { Ok::<_, WatchError>((row, self.own_store(target, kept).await?)) }
        });
        let found: Vec<_> = found.collect();
        let mut found = std::pin::pin!(stream::iter(found).buffer_unordered(AT_ONCE));
        let mut stores = HashMap::new();
        while let Some(one) = found.next().await {
            let (row, store) = one?;
            stores.extend(store.map(|store| (row, store)));
        }
        Ok(stores)
    }

    async fn own_store(
        &self,
        target: &Target,
        kept: Vec<KeptMessage>,
    ) -> Result<Option<OwnStore>, WatchError> {
        let in_doubt = match self.usable(kept).await? {
            Ok(message) => {
                return Ok(Some(OwnStore { message, credits: Credits::default(), is_new: false }));
            }
            Err(in_doubt) => in_doubt,
        };
        if in_doubt >= MOST_IN_DOUBT {
            return Ok(None);
        }
        let Some(message) = self.signed_store(&target.wanted.id).await? else { return Ok(None) };
        let bytes = target.wanted.known.size.unwrap_or(0);
        // What is paid by holding takes no credits.
        let credits = match self.pays_credits() {
            true => Credits::of_store(bytes, self.settings.price),
            false => Credits::default(),
        };
        Ok(Some(OwnStore { message, credits, is_new: true }))
    }

    /// For whom contents are: of each, some tokens that name it.
    async fn payers(&self, targets: &[Target]) -> Result<HashMap<RowId, Vec<Payer>>, WatchError> {
        let mut rows: Vec<RowId> = targets.iter().map(|target| target.wanted.row).collect();
        rows.sort_unstable();
        rows.dedup();
        Ok(self.ledger.read().await?.payers(&rows, MOST_PAYERS).await?)
    }

    /// Says which budgets are used up, each once until it is not.
    fn say_used_up(&self, refused: &[Refusal]) {
        // Whoever panicked left whole entries.
        let mut said = self.repairing.used_up.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refused {
            let text = refusal.to_string();
            if !said.contains(&text) {
                warn!("repairs have to wait: {text}; raise it, or wait");
                said.insert(text);
            }
        }
    }

    /// Writes down what is done before it is: signed messages and repairs; and what has to wait.
    pub(super) async fn write_plan(&self, admitted: &mut Admitted) -> Result<(), WatchError> {
        self.say_used_up(&admitted.refused);
        let new: Vec<_> =
            admitted.steps.iter().filter(|step| step.target.again.is_none()).collect();
        let repairs: Vec<_> = new.iter().map(|step| step.to_be_written()).collect();
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        tx.keep_messages(&admitted.new, now).await?;
        let rows = tx.plan_repairs(&repairs, now).await?;
        tx.note_undone(&admitted.waiting, now).await?;
        crash::point("repair.before-plan");
        tx.commit().await?;
        if !admitted.new.is_empty() {
            // A power cut, too, must leave what is about to be billed.
            self.ledger.sync().await?;
        }
        crash::point("repair.planned");
        let mut rows = rows.into_iter();
        admitted.steps.retain_mut(|step| {
            if step.target.again.is_none() {
                let Some(row) = rows.next().flatten() else { return false };
                step.repair = row;
            }
            true
        });
        Ok(())
    }
}

impl OwnStore {
    /// The message to be kept, the first time that it is taken. After that it costs no more.
    fn taken(&mut self, target: &Target, payer: Option<Payer>) -> Option<NewMessage> {
        let credits = std::mem::take(&mut self.credits);
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        // Our own message is JSON that can be written.
        let envelope = serde_json::to_string(&self.message).ok()?;
        Some(NewMessage {
            content: target.wanted.row,
            item_hash: self.message.item_hash.clone(),
            sender: self.message.sender.clone(),
            envelope,
            credits,
            payer,
            target: None,
        })
    }
}

impl Step {
    fn to_be_written(&self) -> NewRepair {
        let message = self.target.message.as_ref();
        NewRepair {
            content: self.target.wanted.row,
            node: self.target.node,
            action: self.target.action,
            message_hash: message.map(|message| message.item_hash.clone()),
            cost: self.cost,
            payer: self.payer,
        }
    }
}

impl Admitted {
    /// None is signed, since others may live.
    fn doubt(&mut self, target: &Target) {
        let (content, node) = target.replica();
        let detail = format!(
            "{MOST_IN_DOUBT} STOREs of it that were signed here are not known to have ended \
             everywhere: none is signed beside them"
        );
        self.waiting.push(Undone { content, node, action: None, detail });
    }

    fn refuse(&mut self, target: &Target, refusal: Refusal) {
        let (content, node) = target.replica();
        // For what is above a share by itself, no time will come.
        let (action, detail) = match refusal.is_for_good {
            true => (None, format!("it is too much for one: {refusal}")),
            false => (Some(target.action), format!("it has to wait: {refusal}")),
        };
        self.waiting.push(Undone { content, node, action, detail });
        if !self.refused.contains(&refusal) {
            self.refused.push(refusal);
        }
    }
}
