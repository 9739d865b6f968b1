//! Takes back STOREs of our own that another has made superfluous: each is billed for as long as it
//! lives.

use std::collections::HashSet;

use futures::future::join_all;
use tracing::{info, warn};

use crate::{
    chain::KeyError,
    crash,
    ledger::{self, KeptMessage, NewMessage, RowId},
    nodes::aleph::{AlephError, Message, sign_forget},
    provenance::StoreStatus,
    repair::Credits,
    watch::{Watch, WatchError},
};

/// Contents looked at together, and FORGETs that are sent at once.
const BATCH: u32 = 100;
/// The name of no message.
const NOBODYS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What is written into a FORGET.
const REASON: &str = "superseded by a newer STORE of the same file";

/// Where a message stands on every node in use.
#[derive(Debug)]
pub(super) struct Everywhere {
    /// On those that could say; `None`: the node does not know it.
    said: Vec<Option<StoreStatus>>,
    /// Whether some could not.
    has_silent: bool,
}

impl Everywhere {
    /// Whether it is in force on each of them.
    fn is_live(&self) -> bool {
        let live = |status: &Option<StoreStatus>| status.is_some_and(StoreStatus::is_live);
        !self.has_silent && !self.said.is_empty() && self.said.iter().all(live)
    }

    /// Whether some node has heard of it.
    pub(super) fn is_known(&self) -> bool {
        self.said.iter().any(Option::is_some)
    }

    /// Whether it is in force somewhere, or on its way. One node's word that it has ended counts for nothing
    /// where another says that it lives.
    fn is_of_use(&self) -> bool {
        let mut known = self.said.iter().flatten();
        known.any(|status| status.is_live() || *status == StoreStatus::Pending)
    }

    /// Whether it was refused, and nothing else became of it: sent again, it may be taken, and anybody who
    /// has it can do that.
    fn is_only_rejected(&self) -> bool {
        self.is_known() && self.said.iter().flatten().all(|at| *at == StoreStatus::Rejected)
    }

    /// Whether it is at its end on all of them that know it, and none is silent.
    fn is_over(&self) -> bool {
        let over = |status: &Option<StoreStatus>| {
            status.is_none_or(|status| status.is_final() || status == StoreStatus::Rejected)
        };
        !self.has_silent && !self.said.is_empty() && self.said.iter().all(over)
    }

    /// What is to be made of a STORE of our own that stands so; `fits`: it says what one that is signed now
    /// would.
    pub(super) fn use_of(&self, fits: bool) -> Use {
        let all_know = self.said.iter().all(Option::is_some);
        match () {
            () if self.is_of_use() => Use::Good,
            // Nobody has heard of it, or all who have refused it: it is sent, or sent again. Another would be
            // refused for the same, and both be billed once there is enough to pay.
            () if fits && (!self.is_known() || self.is_only_rejected()) => Use::Good,
            // Who says that they never heard of it may keep it, and let it count when they like.
            () if all_know && self.is_over() => Use::Over,
            () => Use::None,
        }
    }
}

/// What a STORE of our own is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is sent.
    Good,
    /// It has ended everywhere.
    Over,
    /// It is not sent, and may live somewhere.
    None,
}

impl Watch {
    /// Takes back what is superfluous, and sees what was taken back before to its end.
    pub(super) async fn forget_superseded(&self) -> Result<(), WatchError> {
        let Some(signer) = &self.repairer else { return Ok(()) };
        let sender = signer.address().to_checksum(None);
        let mut tx = self.ledger.read().await?;
        let is_none = tx.stored_twice(&sender, RowId::MIN, 1).await?.is_empty()
            && tx.open_forgets(&sender, 1).await?.is_empty();
        drop(tx);
        // While a node is silent, nothing is known to be in force everywhere, nor over.
        if is_none || self.has_silent_node().await {
            return Ok(());
        }
        let mut after = RowId::MIN;
        loop {
            let mut tx = self.ledger.read().await?;
            let contents = tx.stored_twice(&sender, after, BATCH).await?;
            let stores = tx.kept_stores(&contents, &sender).await?;
            let open = tx.being_forgotten(&contents).await?;
            drop(tx);
            let Some(last) = contents.last() else { break };
            after = *last;
            for kept in stores.into_values() {
                self.forget_all_but_the_newest(kept, &open).await?;
            }
        }
        let open = self.ledger.read().await?.open_forgets(&sender, BATCH).await?;
        for forget in open {
            self.see_forgotten(forget).await?;
        }
        Ok(())
    }

    /// `kept`: of one content, newest first.
    async fn forget_all_but_the_newest(
        &self,
        kept: Vec<KeptMessage>,
        open: &HashSet<String>,
    ) -> Result<(), WatchError> {
        let Some((newest, older)) = kept.split_first() else { return Ok(()) };
        let superfluous: Vec<_> =
            older.iter().filter(|store| !open.contains(&store.item_hash)).collect();
        if superfluous.is_empty() {
            return Ok(());
        }
        self.make_known(newest).await;
        if !self.stands(&newest.item_hash).await.is_live() {
            return Ok(());
        }
        for store in superfluous {
            if self.stands(&store.item_hash).await.is_over() {
                self.end(vec![store.item_hash.clone()]).await?;
                continue;
            }
            let message = self.sign_forget(store).await?;
            crash::point("forget.signed");
            let Some(message) = message else { return Ok(()) };
            // Our own message is JSON that can be written.
            let Ok(envelope) = serde_json::to_string(&message) else { return Ok(()) };
            let forget = NewMessage {
                content: store.content,
                item_hash: message.item_hash,
                sender: message.sender,
                envelope,
                credits: Credits::default(),
                payer: None,
                target: Some(store.item_hash.clone()),
            };
            let mut tx = self.ledger.write().await?;
            tx.keep_messages(&[forget], ledger::now()).await?;
            tx.commit().await?;
            crash::point("forget.kept");
        }
        Ok(())
    }

    /// Tells a STORE to nodes that do not know it: it is billed once, wherever it is.
    async fn make_known(&self, kept: &KeptMessage) {
        let Ok(message) = serde_json::from_str::<Message>(&kept.envelope) else { return };
        for (_, client) in self.aleph_clients() {
            if let Ok(None) = client.store_status(&kept.item_hash).await {
                let _ = client.publish(&message).await;
            }
        }
    }

    /// In the name of the account whose STORE it is.
    async fn sign_forget(&self, store: &KeptMessage) -> Result<Option<Message>, WatchError> {
        let Some(signer) = &self.repairer else { return Ok(None) };
        let stored = serde_json::from_str::<Message>(&store.envelope).ok();
        let account = stored.and_then(|stored| Some(stored.terms()?.0));
        let account = account.unwrap_or(signer.address());
        let hash = store.item_hash.as_str();
        let (channel, time) = (&self.settings.channel, ledger::now() as f64 / 1000.0);
        let signed = sign_forget(signer, account, &[hash], REASON, channel, time).await;
        Ok(Some(signed.map_err(|error| KeyError::None(error.to_string()))?))
    }

    /// Sends a FORGET, as often as it takes until no node has what it takes back in force.
    async fn see_forgotten(&self, forget: KeptMessage) -> Result<(), WatchError> {
        let (Some(target), Ok(message)) =
            (&forget.target, serde_json::from_str::<Message>(&forget.envelope))
        else {
            return self.end(vec![forget.item_hash]).await;
        };
        if !self.stands(target).await.is_over() {
            let clients = self.aleph_clients();
            let sent = clients.iter().map(|(_, client)| client.publish(&message));
            for refused in join_all(sent).await.into_iter().filter_map(Result::err) {
                if matches!(refused, AlephError::Refused { .. }) {
                    warn!("FORGET of STORE {target}: {refused}");
                }
            }
            crash::point("forget.sent");
        }
        if self.stands(target).await.is_over() {
            info!("STORE {target} is forgotten: a newer one keeps the same file");
            self.end(vec![target.clone(), forget.item_hash]).await?;
            crash::point("forget.ended");
        }
        Ok(())
    }

    async fn end(&self, hashes: Vec<String>) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.messages_ended(&hashes, ledger::now()).await?;
        Ok(tx.commit().await?)
    }

    /// Whether some node does not answer just now.
    async fn has_silent_node(&self) -> bool {
        let clients = self.aleph_clients();
        let asked = clients.iter().map(|(_, client)| client.store_status(NOBODYS));
        join_all(asked).await.iter().any(Result::is_err)
    }

    pub(super) async fn stands(&self, item_hash: &str) -> Everywhere {
        let clients = self.aleph_clients();
        let asked = clients.iter().map(|(_, client)| client.store_status(item_hash));
        let mut everywhere = Everywhere { said: Vec::new(), has_silent: false };
        for said in join_all(asked).await {
            match said {
                Ok(status) => everywhere.said.push(status),
                Err(_) => everywhere.has_silent = true,
            }
        }
        everywhere
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn everywhere() -> impl Strategy<Value = Everywhere> {
        let status = prop::option::of(prop::sample::select(&StoreStatus::ALL[..]));
        (prop::collection::vec(status, 0..5), any::<bool>())
            .prop_map(|(said, has_silent)| Everywhere { said, has_silent })
    }

    proptest! {
        #[test]
        fn one_is_given_up_only_where_nobody_could_bring_it_into_force(
            stands in everywhere(),
            fits in any::<bool>(),
        ) {
            let known: Vec<_> = stands.said.iter().flatten().copied().collect();
            match stands.use_of(fits) {
                Use::Over => {
                    prop_assert!(!stands.has_silent && !stands.said.is_empty());
                    prop_assert!(known.iter().all(|at| at.is_final() || *at == StoreStatus::Rejected));
                    // One node alone ends nothing that others have not heard of.
                    prop_assert_eq!(known.len(), stands.said.len());
                    // Another one like it would only be refused as well.
                    prop_assert!(!fits || known.iter().any(|at| at.is_final()));
                }
                Use::Good => {
                    let lives = |at: &StoreStatus| at.is_live() || *at == StoreStatus::Pending;
                    let is_sent_again = known.iter().all(|at| *at == StoreStatus::Rejected);
                    prop_assert!(known.iter().any(lives) || (fits && is_sent_again));
                }
                Use::None => {}
            }
        }
    }
}
