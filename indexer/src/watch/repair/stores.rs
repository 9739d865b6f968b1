//! The STOREs that make nodes keep a content: those that live, and one of our own where none does.

use super::Target;
use crate::{
    content::ContentId,
    ledger,
    nodes::{
        FetchError,
        aleph::{Message, MessageStatus, sign_store},
    },
    watch::{Watch, WatchError},
};

impl Watch {
    /// STOREs of a content that any node lists, and whether every node that is up could say.
    pub(super) async fn live_stores(&self, id: &ContentId) -> (Vec<Message>, bool) {
        let mut found: Vec<Message> = Vec::new();
        let mut complete = true;
        for client in self.nodes().values().filter_map(|node| node.aleph.as_ref()) {
            let listed = match client.stores_of(id, None).await {
                Ok(listed) => listed,
                Err(error) => {
                    complete &= matches!(error, FetchError::Connect { .. });
                    continue;
                }
            };
            for message in listed {
                if found.iter().all(|known| known.item_hash != message.item_hash) {
                    found.push(message);
                }
            }
        }
        (found, complete)
    }

    /// A STORE in our own name: the one signed before, if there is one, else a new one, written
    /// down before it is sent.
    pub(super) async fn new_store(
        &self,
        target: &Target<'_>,
    ) -> Result<Option<Message>, WatchError> {
        let Some(signer) = &self.repairer else {
            return Ok(None);
        };
        let sender = signer.address().to_checksum(None);
        let kept = self.ledger.read().await?.kept_message(target.row, &sender).await?;
        let kept = kept.and_then(|text| serde_json::from_str::<Message>(&text).ok());
        if let Some(message) = kept
            && !self.is_taken_back(&message).await
        {
            return Ok(Some(message));
        }
        let now = ledger::now();
        let (channel, payment) = (&self.settings.channel, self.settings.payment);
        let time = now as f64 / 1000.0;
        let signed = sign_store(signer, &target.id, channel, payment, time).await;
        let message = signed.map_err(|error| crate::chain::KeyError::None(error.to_string()))?;
        let envelope = serde_json::to_string(&message)
            .map_err(|error| crate::chain::KeyError::None(error.to_string()))?;
        let mut tx = self.ledger.write().await?;
        tx.keep_message(target.row, &message.item_hash, &sender, &envelope, now).await?;
        tx.commit().await?;
        Ok(Some(message))
    }

    /// Whether a message of ours is no longer good for anything: some node says that it was
    /// rejected or taken back, and none that it lives. One node's word alone costs no new STORE.
    async fn is_taken_back(&self, message: &Message) -> bool {
        let mut gone = false;
        for client in self.nodes().values().filter_map(|node| node.aleph.as_ref()) {
            match client.message_status(&message.item_hash).await {
                Ok(MessageStatus::Processed | MessageStatus::Pending) => return false,
                Ok(MessageStatus::Gone | MessageStatus::Rejected(_)) => gone = true,
                Ok(MessageStatus::Unknown) | Err(_) => {}
            }
        }
        gone
    }
}
