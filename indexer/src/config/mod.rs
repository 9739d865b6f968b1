//! Settings: `everhold.toml`, then `EVERHOLD_…` variables over it, then the command line.

mod chains;
mod duration;
mod env;
mod fetch;
mod standard;
mod template;

use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use serde::Deserialize;
use url::Url;

pub use duration::Span;
pub use env::{DOCUMENTED as ENVIRONMENT, apply as apply_environment};
pub use standard::Standard;
pub use template::TEMPLATE;

/// Everything a user can set. Every field has a default that works on one machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `sqlite://FILE` or `postgres://…`.
    pub database: String,
    /// The chains that collections live on: `[chain]`, or several `[[chain]]`.
    #[serde(deserialize_with = "chains::one_or_several")]
    pub chain: Vec<ChainConfig>,
    /// The collections to watch.
    pub collection: Vec<CollectionConfig>,
    /// The factories whose collections are watched as they are made.
    pub factory: Vec<FactoryConfig>,
    /// aleph.im Core Channel Nodes.
    pub aleph: AlephConfig,
    /// IPFS gateways.
    pub ipfs: IpfsConfig,
    /// When a content counts as healthy.
    pub replicas: ReplicasConfig,
    /// What may be done about content that is not.
    pub repair: RepairConfig,
    /// Who is told.
    pub alert: Vec<AlertConfig>,
    /// The HTTP interface of `everhold watch`.
    pub api: ApiConfig,
    /// What references in metadata may lead to.
    pub web: WebConfig,
    /// Bounds on every fetch.
    pub limits: LimitsConfig,
}

/// `[web]`: what references in metadata may lead to, besides all that is public.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Hosts on private addresses, each by a URL with its port.
    pub private_hosts: Vec<Url>,
}

/// `[chain]`, or one of several `[[chain]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// EIP-155 chain id; needed where there are several chains. Endpoints of another one are refused.
    pub chain_id: Option<u64>,
    /// JSON-RPC endpoints of one chain (`http`, `https`, `ws`, `wss`); several are compared.
    pub rpc: Vec<Url>,
    /// Whether every block that is read is proved, back from the head: headers by their hashes,
    /// logs by the receipts root. For those who have one endpoint and need not trust it.
    pub prove_logs: bool,
    /// Blocks on top of a block after which it counts as final (`finality = "confirmations"`).
    pub confirmations: u64,
    /// What marks a block final. It never delays indexing.
    pub finality: Finality,
    /// How often the head is asked for.
    pub poll: Span,
}

/// What marks a block as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// A number of blocks on top.
    Confirmations,
    /// The chain's own `safe` block.
    Safe,
    /// The chain's own `finalized` block.
    Finalized,
}

/// `[[collection]]`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// EIP-155 id of the chain it is on; needed where there are several.
    #[serde(default)]
    pub chain_id: Option<u64>,
    /// The contract.
    pub address: Address,
    /// The first block to read: the one it was deployed in, or earlier.
    #[serde(default)]
    pub start_block: u64,
    /// What the contract is; absent: it is found out.
    #[serde(default)]
    pub standard: Option<Standard>,
}

/// `[[factory]]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct FactoryConfig {
    /// EIP-155 id of the chain it is on; needed where there are several.
    pub chain_id: Option<u64>,
    /// The contract; absent: the one that `everhold deploy` goes by, at the same address on every
    /// chain.
    pub address: Option<Address>,
    /// The first block to read: the one it was deployed in, or one before the collections that matter.
    pub start_block: u64,
    /// Whose collections are watched; empty: everybody's. Anyone may make collections.
    pub creators: Vec<Address>,
}

/// `[aleph]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlephConfig {
    /// Nodes to store on and to check.
    pub nodes: Vec<NodeConfig>,
    /// Channel written into messages.
    pub channel: String,
    /// How STORE messages are paid.
    pub payment: Payment,
}

/// How a STORE is paid (aleph message content, `payment.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Payment {
    /// Prepaid credits: the only kind from 2027-01-01 on.
    Credit,
    /// ALEPH tokens held.
    Hold,
}

/// A node: a URL, or a URL and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "NodeText")]
pub struct NodeConfig {
    /// Base URL, without `/api/v0` or `/ipfs`.
    pub url: Url,
    /// Who runs it: nodes of one operator count as one replica.
    pub operator: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a node is a URL or { url = \"…\", operator = \"…\" }"
)]
enum NodeText {
    Url(Url),
    Named { url: Url, operator: Option<String> },
}

impl From<NodeText> for NodeConfig {
    fn from(text: NodeText) -> Self {
        match text {
            NodeText::Url(url) => Self { url, operator: None },
            NodeText::Named { url, operator } => Self { url, operator },
        }
    }
}

/// `[ipfs]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpfsConfig {
    /// Gateways asked for `/ipfs/CID`.
    pub gateways: Vec<NodeConfig>,
    /// Kubo RPC endpoints.
    pub kubo: Vec<NodeConfig>,
}

/// `[replicas]`: the policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicasConfig {
    /// Independent verified replicas that a content needs.
    pub min: u32,
    /// How many of them must be held by the node itself.
    pub min_held: u32,
    /// How long after its mint a content may still be on its way.
    pub grace: Span,
    /// How often each replica is probed. `0s`: every round.
    pub recheck: Span,
    /// What happens to content that an update replaced.
    pub history: History,
}

/// What happens to content of earlier revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// It is no longer watched once the update is final.
    Drop,
    /// It is watched for as long as the token lives.
    Keep,
}

/// `[repair]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepairConfig {
    /// Whether anything is repaired at all.
    pub enabled: bool,
    /// Encrypted key (Web3 secret storage) that signs and pays for STORE messages.
    pub keystore: Option<PathBuf>,
    /// The same key as 64 hex digits in a file.
    pub private_key_file: Option<PathBuf>,
    /// File that holds the keystore's password.
    pub password_file: Option<PathBuf>,
    /// How long a node gets to fetch before it is sent the bytes.
    pub wait: Span,
}

/// `[[alert]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertConfig {
    /// Where alerts are posted.
    pub webhook: Url,
    /// File with the HMAC-SHA256 secret (surrounding white space is dropped).
    pub secret_file: Option<PathBuf>,
}

/// `[api]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Where `everhold watch` answers; absent: nowhere.
    pub listen: Option<std::net::SocketAddr>,
}

/// `[limits]`: bounds on everything that is fetched.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Until a connection stands.
    pub connect_timeout: Span,
    /// From a standing connection until an answer's head has come; absent: `idle_timeout`.
    pub first_byte_timeout: Option<Span>,
    /// Until the next byte comes.
    pub idle_timeout: Span,
    /// For one whole fetch.
    pub total_timeout: Span,
    /// Largest content that is fetched, in bytes.
    pub max_content: u64,
    /// Probes under way at once.
    pub concurrency: u32,
    /// Redirects that are followed on the open web. Nodes, RPCs and webhooks get none.
    pub max_redirects: u32,
    /// Requests under way at once to one host that is not configured.
    pub per_host: u32,
    /// Requests under way at once to one configured node, RPC or webhook.
    pub per_node: u32,
    /// Requests under way at once altogether.
    pub requests: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: "sqlite://everhold.db".to_owned(),
            chain: vec![ChainConfig::default()],
            collection: Vec::new(),
            factory: Vec::new(),
            aleph: AlephConfig::default(),
            ipfs: IpfsConfig::default(),
            replicas: ReplicasConfig::default(),
            repair: RepairConfig::default(),
            alert: Vec::new(),
            api: ApiConfig::default(),
            web: WebConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

impl Default for ChainConfig {
    fn default() -> Self {
        let rpc = Url::parse("http://127.0.0.1:8545").into_iter().collect();
        Self {
            chain_id: None,
            rpc,
            prove_logs: false,
            confirmations: 12,
            finality: Finality::Confirmations,
            poll: Span::secs(2),
        }
    }
}

impl Default for AlephConfig {
    fn default() -> Self {
        Self { nodes: Vec::new(), channel: "EVERHOLD".to_owned(), payment: Payment::Credit }
    }
}

impl Default for ReplicasConfig {
    fn default() -> Self {
        Self {
            min: 3,
            min_held: 0,
            grace: Span::secs(600),
            recheck: Span::secs(86_400),
            history: History::Drop,
        }
    }
}

impl Default for RepairConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            keystore: None,
            private_key_file: None,
            password_file: None,
            wait: Span::secs(30),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Span::secs(5),
            first_byte_timeout: None,
            idle_timeout: Span::secs(15),
            total_timeout: Span::secs(900),
            max_content: 4 << 30,
            concurrency: 32,
            max_redirects: 5,
            per_host: 8,
            per_node: 64,
            requests: 256,
        }
    }
}

/// A configuration that can't be used; each says where and what.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: {source}; `everhold init` writes one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An environment variable is wrong.
    #[error("environment variable {name}: {reason}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings contradict each other.
    #[error("{0}")]
    Invalid(String),
}

impl Config {
    /// Reads `path`; a missing file is an error only if `required`, else the defaults apply.
    pub fn load(path: &Path, required: bool) -> Result<Self, ConfigError> {
        let mut config = match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                Self::default()
            }
            Err(source) => {
                return Err(ConfigError::Unreadable { path: path.to_owned(), source });
            }
        };
        env::apply(&mut config, |name| std::env::var(name).ok())?;
        Ok(config)
    }

    /// Reads the text of a configuration file; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Line {
            path: path.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: reason(text, &error),
        })
    }

    /// Finds settings that contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_chains()?;
        let all = [&self.aleph.nodes, &self.ipfs.gateways, &self.ipfs.kubo];
        let mut seen = std::collections::HashSet::new();
        match all.into_iter().flatten().find(|node| !seen.insert(node.url.as_str())) {
            Some(twice) => Err(ConfigError::Invalid(format!(
                "node {} is configured twice; a node is of one kind and counts once",
                twice.url
            ))),
            None => Ok(()),
        }
    }

    /// Every configured node that may hold content.
    pub fn node_count(&self) -> usize {
        self.aleph.nodes.len() + self.ipfs.gateways.len() + self.ipfs.kubo.len()
    }
}

/// What is wrong, and with which key. The value stays out: it may hold a password.
fn reason(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', "; ");
    // url's errors end with the text that is no URL.
    let message = message.split(": \"").next().unwrap_or(&message).to_owned();
    let start = error.span().map_or(0, |span| span.start);
    let line = text.lines().nth(line_of(text, start) - 1).unwrap_or_default();
    match line.split_once('=') {
        Some((key, _)) if !message.contains("field") => format!("{}: {message}", key.trim()),
        _ => message,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(Path::new("everhold.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn names_the_line_of_what_is_wrong() {
        assert!(
            error("database = \"sqlite://a.db\"\ncolor = 1\n")
                .starts_with("everhold.toml:2: unknown field `color`")
        );
        assert!(
            error("[replicas]\nmin = 2\ngrace = \"soon\"\n")
                .starts_with("everhold.toml:3: grace: `soon` is not a duration")
        );
        assert!(
            error("[replicas]\nmin = \"three\"\n")
                .starts_with("everhold.toml:2: min: invalid type")
        );
        assert!(
            error("[[collection]]\naddress = \"0x12\"\n").starts_with("everhold.toml:2: address:")
        );
        assert!(error("[aleph]\n\nnodes = [1]\n").starts_with("everhold.toml:3:"));
        assert!(error("[chain\n").starts_with("everhold.toml:1:"));
    }

    #[test]
    fn template_is_valid_and_says_the_defaults() {
        let config = Config::parse(Path::new("template"), TEMPLATE).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn a_collection_may_say_what_it_is() {
        let collection = |more: &str| {
            let address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
            let text = format!("[[collection]]\naddress = \"{address}\"\n{more}");
            Config::parse(Path::new("x"), &text).map(|config| config.collection[0].standard)
        };
        assert_eq!(collection("").unwrap(), None);
        for standard in Standard::ALL {
            let found = collection(&format!("standard = \"{standard}\"")).unwrap();
            assert_eq!(found, Some(standard));
        }
        let error = collection("standard = \"erc20\"").unwrap_err().to_string();
        assert!(error.starts_with("x:3:") && error.contains("erc721"), "{error}");
    }

    #[test]
    fn a_node_may_name_its_operator() {
        let text =
            "[aleph]\nnodes = [\"http://a:1\", { url = \"http://b:2\", operator = \"acme\" }]";
        let config = Config::parse(Path::new("x"), text).unwrap();
        assert_eq!(config.aleph.nodes[1].operator.as_deref(), Some("acme"));
        assert_eq!(config.node_count(), 2);
    }
}
