//! Settings: `everhold.toml`, then `EVERHOLD_…` variables over it, then the command line.

mod alert;
mod chain;
mod chains;
mod deny;
mod duration;
mod env;
mod fetch;
mod holders;
mod policy;
mod read;
mod standard;
mod template;
mod vault;

use serde::Deserialize;
use url::Url;

pub(crate) use alert::secret;
pub use alert::{AlertConfig, EmailConfig, PagerDutyConfig, SecretUrl, SinkConfig, TelegramConfig};
pub use chain::{ChainConfig, CollectionConfig, FactoryConfig, Finality};
pub use deny::DenyConfig;
pub use duration::Span;
pub use env::{DOCUMENTED as ENVIRONMENT, apply as apply_environment};
pub use holders::{AlephConfig, IpfsConfig, NodeConfig, Payment, PinningConfig};
pub use policy::{BudgetConfig, History, ProbesConfig, RepairConfig, ReplicasConfig};
pub use read::ConfigError;
pub use standard::Standard;
pub use template::TEMPLATE;
pub use vault::{S3Config, VaultConfig};

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
    /// IPFS gateways, Kubo nodes and routers.
    pub ipfs: IpfsConfig,
    /// Pinning services.
    pub pinning: Vec<PinningConfig>,
    /// When a content counts as healthy.
    pub replicas: ReplicasConfig,
    /// How much may be asked of nodes.
    pub probes: ProbesConfig,
    /// What may be done about content that is not.
    pub repair: RepairConfig,
    /// The local copy of verified content.
    pub vault: VaultConfig,
    /// What is never fetched, stored, repaired or shown.
    pub deny: DenyConfig,
    /// When it is told of incidents.
    pub incidents: IncidentsConfig,
    /// Who is told.
    pub alert: Vec<AlertConfig>,
    /// The HTTP interface of `everhold watch`.
    pub api: ApiConfig,
    /// What references in metadata may lead to.
    pub web: WebConfig,
    /// Bounds on every fetch.
    pub limits: LimitsConfig,
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
            pinning: Vec::new(),
            replicas: ReplicasConfig::default(),
            probes: ProbesConfig::default(),
            repair: RepairConfig::default(),
            vault: VaultConfig::default(),
            deny: DenyConfig::default(),
            incidents: IncidentsConfig::default(),
            alert: Vec::new(),
            api: ApiConfig::default(),
            web: WebConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

/// `[web]`: what references in metadata may lead to, besides all that is public.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Hosts on private addresses, each by a URL with its port.
    pub private_hosts: Vec<Url>,
}

/// `[incidents]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentsConfig {
    /// What comes and goes within this is not told each time. `0s`: it is.
    pub window: Span,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self { window: Span::secs(3600) }
    }
}

/// `[api]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Where `everhold watch` answers; absent: nowhere.
    pub listen: Option<std::net::SocketAddr>,
    /// How others reach that, for the links of alerts; absent: alerts name commands.
    pub url: Option<Url>,
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
