//! Where a content for an archive comes from: the vault, else a node that has it.

use std::{collections::HashMap, io};

use tempfile::NamedTempFile;

use crate::{
    config::{Config, ConfigError},
    content::ContentId,
    health::ReplicaState,
    ledger::RowId,
    nodes::{self, Configured, Fetcher, probe_to_file},
    picture::ContentPicture,
    vault::{Blocks, Form, Stored, Vault, VaultError, blocks_from, is_named_by},
};

/// Those who may have content.
#[derive(Debug)]
pub struct Holders {
    vault: Vault,
    nodes: HashMap<String, Configured>,
    most: u64,
}

/// A content on its way into an archive.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) form: Form,
    pub(super) file: NamedTempFile,
}

impl Holders {
    /// The vault and the nodes of a configuration.
    ///
    /// # Errors
    /// Where a key or a token can't be read.
    pub fn configured(config: &Config, fetcher: &Fetcher) -> Result<Self, ConfigError> {
        let vault = Vault::configured(config, fetcher)?;
        let nodes = nodes::configured(config, fetcher)?;
        let nodes = nodes.into_iter().map(|node| (nodes::name(node.node.url()), node)).collect();
        Ok(Self { vault, nodes, most: config.limits.max_content })
    }

    /// A content, proved, or why nobody gives it. `urls` are those of the ledger's nodes.
    ///
    /// # Errors
    /// Where a temporary file can't be written.
    pub(super) async fn take(
        &self,
        content: &ContentPicture,
        urls: &HashMap<RowId, String>,
    ) -> io::Result<Result<Taken, String>> {
        let (id, known) = (content.content.id, content.content.known);
        match self.in_vault(content).await {
            Ok(Some(taken)) => return Ok(Ok(taken)),
            Ok(None) => {}
            Err(VaultError::Temporary(error)) => return Err(error),
            Err(error) => tracing::warn!("{id}: {error}"),
        }
        let mut why = "it is not in the vault, and no node has it".to_owned();
        let verified =
            content.replicas.iter().filter(|one| one.view.state == Some(ReplicaState::Verified));
        for replica in verified {
            let Some(node) = urls.get(&replica.node).and_then(|url| self.nodes.get(url)) else {
                continue;
            };
            let url = nodes::name(node.node.url());
            let (seen, file) = probe_to_file(node.node.as_ref(), &id, known).await?;
            if seen.state != ReplicaState::Verified {
                let detail = seen.detail.unwrap_or_else(|| seen.state.to_string());
                why = format!("{url} does not give it any more: {detail}");
                continue;
            }
            if is_named_by(&id, file.path()).await? {
                return Ok(Ok(Taken { form: Form::File, file }));
            }
            why = match self.blocks(node, &id).await? {
                Blocks::Car(file) => return Ok(Ok(Taken { form: Form::Car, file })),
                Blocks::NotNow => format!("{url} gives its file, but not its blocks now"),
                Blocks::TooLarge => format!("its blocks are larger than {} bytes", self.most),
                Blocks::None => format!("{url} gives its file, but not its blocks"),
            };
        }
        Ok(Err(why))
    }

    async fn blocks(&self, node: &Configured, id: &ContentId) -> io::Result<Blocks> {
        match node.node.blocks() {
            Some(blocks) => blocks_from(blocks, id, self.most).await,
            None => Ok(Blocks::None),
        }
    }

    /// What the vault has, as it has it, once it is proved.
    async fn in_vault(&self, content: &ContentPicture) -> Result<Option<Taken>, VaultError> {
        let (id, known) = (content.content.id, content.content.known);
        for Stored { form, .. } in self.vault.find(&id).await? {
            let file = match form {
                Form::File => self.vault.copy_as(&id, form, known).await?,
                Form::Car => self.vault.copy_archive(&id).await?,
            };
            // A file that only the ledger's sha-256 proves makes no blocks of its name.
            if let Some(file) = file
                && (form == Form::Car || is_named_by(&id, file.path()).await?)
            {
                return Ok(Some(Taken { form, file }));
            }
        }
        Ok(None)
    }
}
