//! Fetching a file from other nodes.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::hashing::FileHasher;
use super::{Node, PEER_HEADER};
use crate::item_hash::FileHash;
use crate::log;

impl Node {
    /// Makes sure of a STORE's file: true where it is here, or said to be.
    ///
    /// A file that is on disk is left alone, whatever is in it.
    pub(super) async fn has_file(&self, file: &FileHash, message: &str) -> bool {
        if self.faults.claim(&file.on_disk).is_some() {
            return true;
        }
        if let Some(length) = self.disk.length(&file.on_disk).await {
            if self.ledger().file_size(&file.on_disk).is_none() {
                self.file_came(&file.on_disk, length);
            }
            return true;
        }
        if !self.serves(file) {
            return false;
        }
        for node in self.sources(message) {
            match self.fetch_from(&node, file).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => log::say(format_args!("{} from {node}: {error}", file.given)),
            }
        }
        false
    }

    /// Goes on asking for the file of a STORE that is in force already.
    pub(super) fn fetch_later(self: &Arc<Self>, file: FileHash, message: String) {
        let node = Arc::clone(self);
        tokio::spawn(async move {
            let mut delay = Duration::from_millis(100);
            loop {
                sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
                let wanted =
                    node.ledger().get(&message).is_some_and(|record| record.status.is_in_force());
                if !wanted || node.has_file(&file, &message).await {
                    return;
                }
            }
        });
    }

    fn sources(&self, message: &str) -> Vec<String> {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sources: Vec<String> = senders.get(message).cloned().into_iter().collect();
        sources.extend(self.peers.urls());
        sources.dedup();
        sources
    }

    /// Streams a file to disk while hashing it; false where the other does not have it.
    async fn fetch_from(&self, node: &str, file: &FileHash) -> io::Result<bool> {
        let answer = self
            .peers
            .client
            .get(format!("{node}/api/v0/storage/raw/{}", file.given))
            .header(PEER_HEADER, self.url.get().map_or("", String::as_str))
            .send()
            .await
            .map_err(io::Error::other)?;
        if !answer.status().is_success() {
            return Ok(false);
        }
        let (mut to, unfinished) = self.disk.unfinished().await?;
        let mut hasher = FileHasher::expecting(file);
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(io::Error::other)?;
            hasher.update(&piece);
            to.write_all(&piece).await?;
        }
        to.flush().await?;
        let size = hasher.size;
        if !hasher.matches(file) {
            return Err(io::Error::other("the bytes are not those of the hash"));
        }
        self.disk.place(&unfinished, &file.on_disk).await?;
        self.file_came(&file.on_disk, size);
        Ok(true)
    }

    /// Remembers which node sent a message.
    pub(super) fn remember_sender(&self, message: &str, node: &str) {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.insert(message.to_owned(), node.to_owned());
    }
}
