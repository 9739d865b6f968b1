//! Where a command's key comes from. Keys and passwords are never on the command line.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use alloy::signers::local::PrivateKeySigner;
use clap::Args;

use super::output::Failure;
use crate::{
    chain::{KeyError, KeySource, load_key},
    config::RepairConfig,
};

/// A key that signs.
#[derive(Debug, Default, Args)]
pub(super) struct KeyArgs {
    /// Encrypted key file (Web3 secret storage)
    #[arg(long, value_name = "FILE", conflicts_with = "private_key_file")]
    keystore: Option<PathBuf>,
    /// File that holds the private key: 64 hex digits
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// File that holds the keystore's password [default: EVERHOLD_KEYSTORE_PASSWORD, or a prompt]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl KeyArgs {
    /// The key, or an error that says how to give one.
    pub(super) async fn load(&self, what: &str) -> Result<PrivateKeySigner, Failure> {
        self.load_if_named().await?.ok_or_else(|| {
            Failure::usage(format!(
                "{what} needs a key: give --keystore FILE or --private-key-file FILE"
            ))
        })
    }

    /// The key, if one is named.
    pub(super) async fn load_if_named(&self) -> Result<Option<PrivateKeySigner>, Failure> {
        const PASSWORD: &str = "EVERHOLD_KEYSTORE_PASSWORD";
        let source = match (&self.keystore, &self.private_key_file) {
            (Some(path), _) => keystore(path, self.password_file.as_deref(), PASSWORD)?,
            (None, Some(path)) => KeySource::PrivateKeyFile(path.clone()),
            (None, None) => return Ok(None),
        };
        unlock(source).await.map(Some)
    }

    /// These, or else the repairer's of the configuration.
    pub(super) fn or(self, config: &RepairConfig) -> Self {
        if self.keystore.is_some() || self.private_key_file.is_some() {
            return self;
        }
        Self {
            keystore: config.keystore.clone(),
            private_key_file: config.private_key_file.clone(),
            password_file: self.password_file.or_else(|| config.password_file.clone()),
        }
    }
}

/// A key from a file of either kind: an encrypted keystore is JSON.
pub(super) async fn load_either(
    path: &Path,
    password_file: Option<&Path>,
    variable: &str,
) -> Result<PrivateKeySigner, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
    let source = if text.trim_start().starts_with('{') {
        keystore(path, password_file, variable)?
    } else {
        KeySource::PrivateKeyFile(path.to_owned())
    };
    unlock(source).await
}

async fn unlock(source: KeySource) -> Result<PrivateKeySigner, Failure> {
    // scrypt takes a second of one core.
    let loaded = tokio::task::spawn_blocking(move || load_key(&source)).await;
    Ok(loaded.map_err(|error| Failure::failed(error.to_string()))??)
}

fn keystore(
    path: &Path,
    password_file: Option<&Path>,
    variable: &str,
) -> Result<KeySource, Failure> {
    let password = match (password_file, std::env::var(variable)) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file)
                .map_err(|source| KeyError::Unreadable { path: file.to_owned(), source })?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (None, Ok(password)) => password,
        (None, Err(_)) if std::io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("password of {}: ", path.display()))?
        }
        (None, Err(_)) => {
            return Err(Failure::usage(format!(
                "keystore {}: there is no terminal to ask for its password; set {variable} or \
                 give a password file",
                path.display()
            )));
        }
    };
    Ok(KeySource::Keystore { path: path.to_owned(), password })
}
