//! Messages that were signed here: written down before they are sent, and sent again as they are.

use std::collections::{HashMap, HashSet};

use super::{Payer, Result, RowId, Tx, columns, execute, fetch_in, int, uint};
use crate::{ledger::Millis, repair::Credits};

/// A message that was signed just now.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The content it is about.
    pub content: RowId,
    /// Its own name.
    pub item_hash: String,
    /// Who signed it.
    pub sender: String,
    /// The whole message, as JSON.
    pub envelope: String,
    /// What it adds to the bill of each hour.
    pub credits: Credits,
    /// On whose account.
    pub payer: Option<Payer>,
    /// Of a FORGET: the message that it takes back. A STORE has none.
    pub target: Option<String>,
}

/// A message as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMessage {
    /// The content it is about.
    pub content: RowId,
    /// Its own name.
    pub item_hash: String,
    /// The whole message, as JSON.
    pub envelope: String,
    /// What it adds to the bill of each hour.
    pub credits: Credits,
    /// Of a FORGET: the message that it takes back.
    pub target: Option<String>,
}

type Row = (i64, String, String, i64, Option<String>);

fn kept((content, item_hash, envelope, credits, target): Row) -> KeptMessage {
    KeptMessage { content, item_hash, envelope, credits: Credits(uint(credits)), target }
}

impl Tx {
    /// Keeps signed messages, before they are sent. One that is kept already stays as it is.
    pub async fn keep_messages(&mut self, messages: &[NewMessage], now: Millis) -> Result<()> {
        for one in messages {
            let (collection, token, owner) = columns(one.payer.as_ref());
            let kind = if one.target.is_some() { "FORGET" } else { "STORE" };
            execute!(
                self,
                "INSERT INTO messages (item_hash, content_id, sender, envelope, created_at, kind,
                    credits, collection_id, token_id, owner, target)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
                &one.item_hash,
                one.content,
                &one.sender,
                &one.envelope,
                now,
                kind,
                int(one.credits.0),
                collection,
                token,
                owner,
                one.target.as_deref(),
            )?;
        }
        Ok(())
    }

    /// The STOREs kept for contents by a sender that are not known to have ended, newest first.
    pub async fn kept_stores(
        &mut self,
        contents: &[RowId],
        sender: &str,
    ) -> Result<HashMap<RowId, Vec<KeptMessage>>> {
        let rows = fetch_in!(
            self,
            Row,
            {"SELECT content_id, item_hash, envelope, credits, target FROM messages
              WHERE kind = 'STORE' AND ended_at IS NULL AND sender = " => sender}
            " AND content_id IN",
            contents,
            "ORDER BY created_at DESC, item_hash"
        );
        let mut all: HashMap<RowId, Vec<KeptMessage>> = HashMap::new();
        for message in rows.into_iter().map(kept) {
            all.entry(message.content).or_default().push(message);
        }
        Ok(all)
    }

    /// The contents, after `after`, of which a sender has several STOREs that are not known to have
    /// ended.
    pub async fn stored_twice(
        &mut self,
        sender: &str,
        after: RowId,
        most: u32,
    ) -> Result<Vec<RowId>> {
        let rows = super::fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT content_id FROM messages
             WHERE kind = 'STORE' AND ended_at IS NULL AND sender = $1 AND content_id > $2
             GROUP BY content_id HAVING COUNT(*) > 1 ORDER BY content_id LIMIT $3",
            sender,
            after,
            i64::from(most),
        )?;
        Ok(rows.into_iter().map(|(content,)| content).collect())
    }

    /// Some of the FORGETs of a sender that are not known to have been taken in, by chance: one that nobody
    /// takes keeps no other from its turn.
    pub async fn open_forgets(&mut self, sender: &str, most: u32) -> Result<Vec<KeptMessage>> {
        let rows = super::fetch!(
            fetch_all,
            self,
            Row,
            "SELECT content_id, item_hash, envelope, credits, target FROM messages
             WHERE kind = 'FORGET' AND ended_at IS NULL AND sender = $1
             ORDER BY RANDOM() LIMIT $2",
            sender,
            i64::from(most),
        )?;
        Ok(rows.into_iter().map(kept).collect())
    }

    /// What open FORGETs about these contents take back.
    pub async fn being_forgotten(&mut self, contents: &[RowId]) -> Result<HashSet<String>> {
        let select = "SELECT target FROM messages
                      WHERE kind = 'FORGET' AND ended_at IS NULL AND target IS NOT NULL
                        AND content_id IN";
        let rows = fetch_in!(self, (String,), {} select, contents, "");
        Ok(rows.into_iter().map(|(target,)| target).collect())
    }

    /// Writes down that messages are at their end: STOREs that were refused or taken back, and FORGETs
    /// that were taken in.
    pub async fn messages_ended(&mut self, hashes: &[String], now: Millis) -> Result<()> {
        for hash in hashes {
            let update =
                "UPDATE messages SET ended_at = $2 WHERE item_hash = $1 AND ended_at IS NULL";
            execute!(self, update, hash, now)?;
        }
        Ok(())
    }
}
