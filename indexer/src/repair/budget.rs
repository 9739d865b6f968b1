//! How much may be spent: in any hour, altogether and on behalf of each collection, token and owner.

use std::{collections::HashMap, fmt};

use alloy::primitives::{Address, U256};
use serde::Deserialize;

use super::{Cost, Credits};

/// The most that may be spent; `None`: as much as one likes. As settings give it:
/// `[repair.budget.collection]`, `.token` and `.owner`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Actions in any hour.
    pub actions: Option<u64>,
    /// Bytes that are sent in any hour.
    pub bytes: Option<u64>,
    /// Credits an hour that the STOREs signed in any hour may cost.
    pub credits: Option<Credits>,
    /// Credits an hour that all STOREs signed here may cost together.
    pub recurring: Option<Credits>,
}

impl Caps {
    /// Whether nothing is capped.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What was spent in the last hour, and what recurs each hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Actions.
    pub actions: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Credits an hour of STOREs signed in the last hour.
    pub credits: Credits,
    /// Credits an hour of all STOREs signed here that live.
    pub recurring: Credits,
}

impl Spent {
    /// Adds an action.
    pub fn add(&mut self, cost: Cost) {
        self.actions = self.actions.saturating_add(1);
        self.bytes = self.bytes.saturating_add(cost.bytes);
        self.credits.0 = self.credits.0.saturating_add(cost.credits.0);
        self.recurring.0 = self.recurring.0.saturating_add(cost.credits.0);
    }

    fn fits(&self, caps: &Caps, cost: Cost) -> Result<(), Over> {
        // What costs nothing is not kept back by a bill that others have run up.
        let credits = |cap: Option<Credits>| cap.filter(|_| cost.credits.0 > 0).map(|cap| cap.0);
        let each = [
            ("actions", self.actions, 1, caps.actions),
            ("bytes", self.bytes, cost.bytes, caps.bytes),
            ("credits", self.credits.0, cost.credits.0, credits(caps.credits)),
            ("recurring", self.recurring.0, cost.credits.0, credits(caps.recurring)),
        ];
        for (what, spent, more, cap) in each {
            let Some(cap) = cap.filter(|cap| spent.saturating_add(more) > *cap) else { continue };
            let is_number = matches!(what, "actions" | "bytes");
            let shown = if is_number { cap.to_string() } else { Credits(cap).to_string() };
            // Who sets nought wants nothing to be done now.
            return Err(Over { what, cap: shown, is_alone: cap > 0 && more > cap });
        }
        Ok(())
    }
}

/// What would be exceeded.
struct Over {
    what: &'static str,
    cap: String,
    /// Whether by the action alone, whatever was spent before.
    is_alone: bool,
}

impl Over {
    fn of(self, whose: &'static str) -> Refusal {
        let is_for_good = self.is_alone && !whose.is_empty();
        Refusal { whose, what: self.what, cap: self.cap, is_for_good }
    }
}

/// On whose account a repair goes: a token that names the content, or its collection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Payer {
    /// The collection's row.
    pub collection: i64,
    /// The token; `None`: only the collection itself names it.
    pub token: Option<U256>,
    /// The token's owner, where it has one.
    pub owner: Option<Address>,
}

/// A budget that an action would exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose: `""` for the budget of all, else `collection`, `token` or `owner`.
    pub whose: &'static str,
    /// Of what: `actions`, `bytes`, `credits` or `recurring`.
    pub what: &'static str,
    /// How much there is of it.
    pub cap: String,
    /// Whether the action is more than the share of one collection, token or owner by itself.
    pub is_for_good: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.whose.is_empty() { "" } else { "." };
        let hour = if self.what == "recurring" { "of a recurring bill" } else { "in any hour" };
        let how = if self.is_for_good { "is less than this takes" } else { "is used up" };
        write!(f, "[repair.budget{dot}{}] {} = {} {how} ({hour})", self.whose, self.what, self.cap)
    }
}

/// Budgets, and what was spent of them.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// Of everything.
    pub all: Caps,
    /// Of each collection.
    pub collection: Caps,
    /// Of each token.
    pub token: Caps,
    /// Of each owner, over all tokens.
    pub owner: Caps,
    spent: Spent,
    collections: HashMap<i64, Spent>,
    tokens: HashMap<(i64, Option<U256>), Spent>,
    owners: HashMap<Address, Spent>,
}

impl Budget {
    /// With nothing spent.
    pub fn new(all: Caps, collection: Caps, token: Caps, owner: Caps) -> Self {
        Self { all, collection, token, owner, ..Self::default() }
    }

    /// Whether it matters who an action is for.
    pub fn asks_for_payers(&self) -> bool {
        [self.collection, self.token, self.owner].iter().any(|caps| !caps.are_none())
    }

    /// Everything that was spent.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Adds what was spent before, on whose account is known.
    pub fn add_spent(&mut self, payer: Option<Payer>, more: Spent) {
        for spent in self.accounts(payer) {
            spent.actions = spent.actions.saturating_add(more.actions);
            spent.bytes = spent.bytes.saturating_add(more.bytes);
            spent.credits.0 = spent.credits.0.saturating_add(more.credits.0);
            spent.recurring.0 = spent.recurring.0.saturating_add(more.recurring.0);
        }
    }

    fn accounts(&mut self, payer: Option<Payer>) -> Vec<&mut Spent> {
        let mut all = vec![&mut self.spent];
        if let Some(payer) = payer {
            all.push(self.collections.entry(payer.collection).or_default());
            all.push(self.tokens.entry((payer.collection, payer.token)).or_default());
            all.extend(payer.owner.map(|owner| self.owners.entry(owner).or_default()));
        }
        all
    }

    /// Takes an action on the account of the first of those for whom it is that has room for it. A
    /// content that many name is everybody's: who names it with them takes nothing from them, and one
    /// who has used up theirs holds nobody back.
    ///
    /// # Errors
    /// Which budget it would exceed: that of the first, where it is theirs.
    pub fn take(&mut self, cost: Cost, payers: &[Payer]) -> Result<Option<Payer>, Refusal> {
        self.spent.fits(&self.all, cost).map_err(|over| over.of(""))?;
        let mut first = None;
        for payer in payers {
            match self.fits(cost, payer) {
                Ok(()) => {
                    self.accounts(Some(*payer)).into_iter().for_each(|spent| spent.add(cost));
                    return Ok(Some(*payer));
                }
                Err(refusal) => {
                    first.get_or_insert(refusal);
                }
            }
        }
        match first {
            Some(refusal) => Err(refusal),
            None => {
                self.spent.add(cost);
                Ok(None)
            }
        }
    }

    fn fits(&self, cost: Cost, payer: &Payer) -> Result<(), Refusal> {
        let of = |spent: Option<&Spent>| spent.copied().unwrap_or_default();
        let collection = of(self.collections.get(&payer.collection));
        collection.fits(&self.collection, cost).map_err(|over| over.of("collection"))?;
        let token = of(self.tokens.get(&(payer.collection, payer.token)));
        token.fits(&self.token, cost).map_err(|over| over.of("token"))?;
        let Some(owner) = payer.owner else { return Ok(()) };
        of(self.owners.get(&owner)).fits(&self.owner, cost).map_err(|over| over.of("owner"))
    }
}
