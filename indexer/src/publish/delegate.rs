//! Lets another key sign for an account on aleph: its aggregate `security`.

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use futures::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::Config,
    nodes::{
        self, FetchError, Fetcher,
        aleph::{AlephError, Client, sign_aggregate},
    },
    provenance::authorizations,
};

/// What a repairer signs.
const TYPES: [&str; 2] = ["STORE", "FORGET"];

/// Why a key could not be let to sign.
#[derive(Debug, thiserror::Error)]
pub enum DelegateError {
    /// No node to ask.
    #[error("no aleph node is configured: set [aleph] nodes")]
    NoNodes,
    /// Nobody says whom the account has authorised.
    #[error(
        "not every node says whom {0} has authorised before, and what is written replaces all: {1}; \
         nothing was changed"
    )]
    Silent(Address, String),
    /// They say different things, and what is written replaces all.
    #[error(
        "nodes disagree about whom {0} has authorised before; nothing was changed: try again when \
         they agree"
    )]
    Disagree(Address),
    /// What stands there can't be read, and would be lost.
    #[error(
        "the `security` aggregate of {0} holds something else than a list; nothing was changed"
    )]
    Strange(Address),
    /// The account itself.
    #[error("{0} need not let itself sign")]
    Itself(Address),
    /// No node took it.
    #[error("no node took the message: {0}")]
    Refused(String),
    /// It could not be signed.
    #[error("can't sign the message: {0}")]
    Sign(#[from] alloy::signers::Error),
}

/// What was changed.
#[derive(Clone, Debug, Serialize)]
pub struct Delegated {
    /// The account, EIP-55.
    pub account: String,
    /// Who may sign for it, or may no more, EIP-55.
    pub delegate: String,
    /// Whether it may.
    pub authorized: bool,
    /// The message; null where nothing had to be changed.
    pub message: Option<String>,
    /// Nodes that say so now.
    pub nodes: Vec<String>,
}

/// Lets `delegate` sign STOREs and FORGETs for the account of `signer`, on the channel of the configuration,
/// or takes that back. All others whom the account has authorised stay.
///
/// # Errors
/// Where nodes can't say what stands there now, or none takes the change.
pub async fn delegate(
    config: &Config,
    fetcher: &Fetcher,
    signer: &PrivateKeySigner,
    delegate: Address,
    allow: bool,
) -> Result<Delegated, DelegateError> {
    let account = signer.address();
    if account == delegate {
        return Err(DelegateError::Itself(account));
    }
    let clients: Vec<_> = config
        .aleph
        .named()
        .iter()
        .map(|node| Client::new(node.url.clone(), fetcher.clone()))
        .collect();
    let before = entries_now(&clients, account).await?;
    let channel = &config.aleph.channel;
    let is_it = |entry: &Value| is_ours(entry, delegate);
    let known = authorizations(&json!({ "authorizations": before }));
    let name = delegate.to_checksum(None);
    let ours = json!({ "address": name, "chain": "ETH", "channels": [channel], "types": TYPES });
    let covers = |kind| known.iter().any(|one| one.covers(&name, "ETH", Some(channel), kind));
    let is_there = match allow {
        true => TYPES.iter().all(|kind| covers(kind)),
        false => before.iter().any(is_it),
    };
    let mut message = None;
    if is_there != allow {
        let mut entries = before;
        // What it may do besides is not ours to take, unless all is taken back.
        entries.retain(|entry| if allow { *entry != ours } else { !is_it(entry) });
        if allow {
            entries.push(ours);
        }
        let value = json!({ "authorizations": entries });
        let time = crate::ledger::now() as f64 / 1000.0;
        let signed = sign_aggregate(signer, "security", &value, channel, time).await?;
        let sent = join_all(clients.iter().map(|client| client.publish(&signed))).await;
        if sent.iter().all(Result::is_err) {
            let why =
                sent.into_iter().filter_map(Result::err).map(|error: AlephError| error.to_string());
            return Err(DelegateError::Refused(why.collect::<Vec<_>>().join("; ")));
        }
        message = Some(signed.item_hash);
    }
    let nodes = who_says_so(&clients, account, &name, channel, allow).await;
    let account = account.to_checksum(None);
    Ok(Delegated { account, delegate: name, authorized: allow, message, nodes })
}

/// Whether an entry is the one that lets `delegate` sign.
fn is_ours(entry: &Value, delegate: Address) -> bool {
    let address = entry.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
    address == Some(delegate)
}

/// What stands there now, as all nodes say that answer.
async fn entries_now(clients: &[Client], account: Address) -> Result<Vec<Value>, DelegateError> {
    if clients.is_empty() {
        return Err(DelegateError::NoNodes);
    }
    let said = join_all(clients.iter().map(|client| client.security_entries(account))).await;
    let mut found: Option<Value> = None;
    let mut silent: Vec<String> = Vec::new();
    for one in said {
        match one {
            Ok(Some(entries)) => match &found {
                Some(known) if *known != entries => return Err(DelegateError::Disagree(account)),
                _ => found = Some(entries),
            },
            Ok(None) => {}
            Err(error) => silent.push(error.to_string()),
        }
    }
    match found {
        // What is written replaces all: one that has it may be among the silent.
        Some(_) if !silent.is_empty() => Err(DelegateError::Silent(account, silent.join("; "))),
        Some(Value::Array(entries)) => Ok(entries),
        Some(Value::Null) => Ok(Vec::new()),
        Some(_) => Err(DelegateError::Strange(account)),
        None => {
            let why = if silent.is_empty() {
                "they have no aggregates".into()
            } else {
                silent.join("; ")
            };
            Err(DelegateError::Silent(account, why))
        }
    }
}

/// The nodes that have taken in the change.
async fn who_says_so(
    clients: &[Client],
    account: Address,
    delegate: &str,
    channel: &str,
    allowed: bool,
) -> Vec<String> {
    let asked = clients.iter().map(|client| async move {
        let said: Result<_, FetchError> = client.security(account).await;
        let covers = said.ok()??;
        let covers = covers.iter().any(|one| one.covers_store(delegate, "ETH", Some(channel)));
        (covers == allowed).then(|| nodes::name(nodes::ContentNode::url(client)))
    });
    join_all(asked).await.into_iter().flatten().collect()
}
