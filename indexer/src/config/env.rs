//! `EVERHOLD_…` variables: each setting of the file, by its path in upper case.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use super::{
    AlertConfig, ChainConfig, CollectionConfig, Config, ConfigError, FactoryConfig, Finality,
    History, NodeConfig, Payment, S3Config, SinkConfig,
};

type Setter = fn(&mut Config, &str) -> Result<(), String>;

/// A variable and what it sets.
const SETTINGS: &[(&str, Setter)] = &[
    ("EVERHOLD_DATABASE", |c, v| set(&mut c.database, v)),
    ("EVERHOLD_CHAIN_CHAIN_ID", |c, v| set_some(&mut only_chain(c)?.chain_id, v)),
    ("EVERHOLD_CHAIN_RPC", |c, v| set_list(&mut only_chain(c)?.rpc, v)),
    ("EVERHOLD_CHAIN_PROVE_LOGS", |c, v| set(&mut only_chain(c)?.prove_logs, v)),
    ("EVERHOLD_CHAIN_CONFIRMATIONS", |c, v| set(&mut only_chain(c)?.confirmations, v)),
    ("EVERHOLD_CHAIN_FINALITY", |c, v| {
        only_chain(c)?.finality = word(
            v,
            &[
                ("confirmations", Finality::Confirmations),
                ("safe", Finality::Safe),
                ("finalized", Finality::Finalized),
            ],
        )?;
        Ok(())
    }),
    ("EVERHOLD_CHAIN_POLL", |c, v| set(&mut only_chain(c)?.poll, v)),
    ("EVERHOLD_COLLECTION", |c, v| set_list(&mut c.collection, v)),
    ("EVERHOLD_FACTORY", |c, v| set_list(&mut c.factory, v)),
    ("EVERHOLD_ALEPH_NODES", |c, v| set_list(c.aleph.nodes.get_or_insert_default(), v)),
    ("EVERHOLD_ALEPH_NETWORK", |c, v| set_list(&mut c.aleph.network, v)),
    ("EVERHOLD_ALEPH_SAMPLE", |c, v| set(&mut c.aleph.sample, v)),
    ("EVERHOLD_ALEPH_REFRESH", |c, v| set(&mut c.aleph.refresh, v)),
    ("EVERHOLD_ALEPH_PRIVATE_HOSTS", |c, v| set_list(&mut c.aleph.private_hosts, v)),
    ("EVERHOLD_ALEPH_CHANNEL", |c, v| set(&mut c.aleph.channel, v)),
    ("EVERHOLD_ALEPH_PAYMENT", |c, v| {
        c.aleph.payment = word(v, &[("credit", Payment::Credit), ("hold", Payment::Hold)])?;
        Ok(())
    }),
    ("EVERHOLD_ALEPH_CREDITS_PER_MIB_HOUR", |c, v| set(&mut c.aleph.credits_per_mib_hour, v)),
    ("EVERHOLD_ALEPH_PROVENANCE", |c, v| set(&mut c.aleph.provenance, v)),
    ("EVERHOLD_IPFS_GATEWAYS", |c, v| set_list(&mut c.ipfs.gateways, v)),
    ("EVERHOLD_IPFS_KUBO", |c, v| set_list(&mut c.ipfs.kubo, v)),
    ("EVERHOLD_IPFS_ROUTING", |c, v| set_list(&mut c.ipfs.routing, v)),
    ("EVERHOLD_IPFS_KUBO_ROUTING", |c, v| set_list(&mut c.ipfs.kubo_routing, v)),
    ("EVERHOLD_IPFS_PRIVATE_HOSTS", |c, v| set_list(&mut c.ipfs.private_hosts, v)),
    ("EVERHOLD_REPLICAS_MIN", |c, v| set(&mut c.replicas.min, v)),
    ("EVERHOLD_REPLICAS_MIN_HELD", |c, v| set(&mut c.replicas.min_held, v)),
    ("EVERHOLD_REPLICAS_GRACE", |c, v| set(&mut c.replicas.grace, v)),
    ("EVERHOLD_REPLICAS_RECHECK", |c, v| set(&mut c.replicas.recheck, v)),
    ("EVERHOLD_REPLICAS_HISTORY", |c, v| {
        c.replicas.history = word(v, &[("drop", History::Drop), ("keep", History::Keep)])?;
        Ok(())
    }),
    ("EVERHOLD_REPLICAS_EVIDENCE", |c, v| set(&mut c.replicas.evidence, v)),
    ("EVERHOLD_PROBES_PER_NODE", |c, v| set(&mut c.probes.per_node, v)),
    ("EVERHOLD_PROBES_NODE_REQUESTS_PER_SECOND", |c, v| {
        set(&mut c.probes.node_requests_per_second, v)
    }),
    ("EVERHOLD_PROBES_NODE_BYTES_PER_SECOND", |c, v| set(&mut c.probes.node_bytes_per_second, v)),
    ("EVERHOLD_PROBES_REQUESTS_PER_SECOND", |c, v| set(&mut c.probes.requests_per_second, v)),
    ("EVERHOLD_PROBES_BYTES_PER_SECOND", |c, v| set(&mut c.probes.bytes_per_second, v)),
    ("EVERHOLD_PROBES_SPOT_CHECK", |c, v| set(&mut c.probes.spot_check, v)),
    ("EVERHOLD_REPAIR_ENABLED", |c, v| set(&mut c.repair.enabled, v)),
    ("EVERHOLD_REPAIR_KEYSTORE", |c, v| set_some(&mut c.repair.keystore, v)),
    ("EVERHOLD_REPAIR_PRIVATE_KEY_FILE", |c, v| set_some(&mut c.repair.private_key_file, v)),
    ("EVERHOLD_REPAIR_PASSWORD_FILE", |c, v| set_some(&mut c.repair.password_file, v)),
    ("EVERHOLD_REPAIR_ACCOUNT", |c, v| set_some(&mut c.repair.account, v)),
    ("EVERHOLD_REPAIR_WAIT", |c, v| set(&mut c.repair.wait, v)),
    ("EVERHOLD_REPAIR_PIN_WAIT", |c, v| set(&mut c.repair.pin_wait, v)),
    ("EVERHOLD_REPAIR_MAX_SIZE", |c, v| set(&mut c.repair.max_size, v)),
    ("EVERHOLD_REPAIR_DRY_RUN", |c, v| set(&mut c.repair.dry_run, v)),
    ("EVERHOLD_REPAIR_CREDITS_LAST", |c, v| set(&mut c.repair.credits_last, v)),
    ("EVERHOLD_REPAIR_BUDGET_ACTIONS", |c, v| set_some(&mut c.repair.budget.actions, v)),
    ("EVERHOLD_REPAIR_BUDGET_BYTES", |c, v| set_some(&mut c.repair.budget.bytes, v)),
    ("EVERHOLD_REPAIR_BUDGET_CREDITS", |c, v| set_some(&mut c.repair.budget.credits, v)),
    ("EVERHOLD_REPAIR_BUDGET_RECURRING", |c, v| set_some(&mut c.repair.budget.recurring, v)),
    ("EVERHOLD_REPAIR_BUDGET_COLLECTION_ACTIONS", |c, v| {
        set_some(&mut c.repair.budget.collection.actions, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_COLLECTION_BYTES", |c, v| {
        set_some(&mut c.repair.budget.collection.bytes, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_COLLECTION_CREDITS", |c, v| {
        set_some(&mut c.repair.budget.collection.credits, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_COLLECTION_RECURRING", |c, v| {
        set_some(&mut c.repair.budget.collection.recurring, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_TOKEN_ACTIONS", |c, v| {
        set_some(&mut c.repair.budget.token.actions, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_TOKEN_BYTES", |c, v| set_some(&mut c.repair.budget.token.bytes, v)),
    ("EVERHOLD_REPAIR_BUDGET_TOKEN_CREDITS", |c, v| {
        set_some(&mut c.repair.budget.token.credits, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_TOKEN_RECURRING", |c, v| {
        set_some(&mut c.repair.budget.token.recurring, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_OWNER_ACTIONS", |c, v| {
        set_some(&mut c.repair.budget.owner.actions, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_OWNER_BYTES", |c, v| set_some(&mut c.repair.budget.owner.bytes, v)),
    ("EVERHOLD_REPAIR_BUDGET_OWNER_CREDITS", |c, v| {
        set_some(&mut c.repair.budget.owner.credits, v)
    }),
    ("EVERHOLD_REPAIR_BUDGET_OWNER_RECURRING", |c, v| {
        set_some(&mut c.repair.budget.owner.recurring, v)
    }),
    ("EVERHOLD_VAULT_PATH", |c, v| set_some(&mut c.vault.path, v)),
    ("EVERHOLD_VAULT_KEEP", |c, v| set(&mut c.vault.keep, v)),
    ("EVERHOLD_VAULT_MAX_BYTES", |c, v| set(&mut c.vault.max_bytes, v)),
    ("EVERHOLD_VAULT_MAX_OBJECT", |c, v| set(&mut c.vault.max_object, v)),
    ("EVERHOLD_VAULT_RECHECK", |c, v| set(&mut c.vault.recheck, v)),
    ("EVERHOLD_VAULT_S3_BUCKET", |c, v| set_bucket(&mut c.vault.s3, v)),
    ("EVERHOLD_VAULT_S3_ENDPOINT", |c, v| set_some(&mut bucket(c)?.endpoint, v)),
    ("EVERHOLD_VAULT_S3_REGION", |c, v| set(&mut bucket(c)?.region, v)),
    ("EVERHOLD_VAULT_S3_PREFIX", |c, v| set(&mut bucket(c)?.prefix, v)),
    ("EVERHOLD_VAULT_S3_ACCESS_KEY_FILE", |c, v| set_some(&mut bucket(c)?.access_key_file, v)),
    ("EVERHOLD_VAULT_S3_SECRET_KEY_FILE", |c, v| set_some(&mut bucket(c)?.secret_key_file, v)),
    ("EVERHOLD_DENY_FILES", |c, v| set_list(&mut c.deny.files, v)),
    ("EVERHOLD_INCIDENTS_WINDOW", |c, v| set(&mut c.incidents.window, v)),
    ("EVERHOLD_ALERT_WEBHOOK", |c, v| set_webhook(&mut c.alert, v)),
    ("EVERHOLD_ALERT_SECRET_FILE", |c, v| {
        c.alert.iter_mut().filter_map(secret_of).try_for_each(|file| set_some(file, v))
    }),
    ("EVERHOLD_API_LISTEN", |c, v| set_some(&mut c.api.listen, v)),
    ("EVERHOLD_API_URL", |c, v| set_some(&mut c.api.url, v)),
    ("EVERHOLD_WEB_PRIVATE_HOSTS", |c, v| set_list(&mut c.web.private_hosts, v)),
    ("EVERHOLD_LIMITS_CONNECT_TIMEOUT", |c, v| set(&mut c.limits.connect_timeout, v)),
    ("EVERHOLD_LIMITS_FIRST_BYTE_TIMEOUT", |c, v| set_some(&mut c.limits.first_byte_timeout, v)),
    ("EVERHOLD_LIMITS_IDLE_TIMEOUT", |c, v| set(&mut c.limits.idle_timeout, v)),
    ("EVERHOLD_LIMITS_TOTAL_TIMEOUT", |c, v| set(&mut c.limits.total_timeout, v)),
    ("EVERHOLD_LIMITS_MAX_CONTENT", |c, v| set(&mut c.limits.max_content, v)),
    ("EVERHOLD_LIMITS_CONCURRENCY", |c, v| set(&mut c.limits.concurrency, v)),
    ("EVERHOLD_LIMITS_MAX_REDIRECTS", |c, v| set(&mut c.limits.max_redirects, v)),
    ("EVERHOLD_LIMITS_PER_HOST", |c, v| set(&mut c.limits.per_host, v)),
    ("EVERHOLD_LIMITS_PER_NODE", |c, v| set(&mut c.limits.per_node, v)),
    ("EVERHOLD_LIMITS_REQUESTS", |c, v| set(&mut c.limits.requests, v)),
];

/// Variables that commands read themselves.
const OTHERS: &[&str] = &[
    "EVERHOLD_CONFIG",
    "EVERHOLD_KEYSTORE_PASSWORD",
    "EVERHOLD_PAYER_PASSWORD",
    "EVERHOLD_LOG",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

/// Every variable Everhold reads, in the order of the file.
pub const DOCUMENTED: fn() -> Vec<&'static str> =
    || SETTINGS.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied()).collect();

/// Lays the variables over `config`. `lookup` is `std::env::var` but for tests.
pub fn apply(
    config: &mut Config,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    for (name, setter) in SETTINGS {
        let Some(value) = lookup(name) else { continue };
        setter(config, value.trim())
            .map_err(|reason| ConfigError::Environment { name: (*name).to_owned(), reason })?;
    }
    Ok(())
}

fn parse<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    // What looks like a URL may hold a key.
    let shown = if value.contains("//") { "the value" } else { value };
    value.parse().map_err(|error| format!("`{shown}`: {error}"))
}

fn set<T: FromStr<Err: Display>>(field: &mut T, value: &str) -> Result<(), String> {
    *field = parse(value)?;
    Ok(())
}

fn set_some<T: FromStr<Err: Display>>(field: &mut Option<T>, value: &str) -> Result<(), String> {
    *field = if value.is_empty() { None } else { Some(parse(value)?) };
    Ok(())
}

/// The chain that `EVERHOLD_CHAIN_…` is about: there is no telling where there are several.
fn only_chain(config: &mut Config) -> Result<&mut ChainConfig, String> {
    match config.chain.as_mut_slice() {
        [chain] => Ok(chain),
        _ => Err("the file has several [[chain]], and a variable can't say which it is about: \
                  write it there"
            .to_owned()),
    }
}

/// Comma-separated.
fn set_list<T: FromStr<Err: Display>>(field: &mut Vec<T>, value: &str) -> Result<(), String> {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    *field = items.map(parse).collect::<Result<_, _>>()?;
    Ok(())
}

fn set_bucket(s3: &mut Option<S3Config>, value: &str) -> Result<(), String> {
    if value.is_empty() {
        *s3 = None;
        return Ok(());
    }
    match s3 {
        Some(s3) => s3.bucket = value.to_owned(),
        None => *s3 = Some(S3Config::of(value.to_owned())),
    }
    Ok(())
}

/// What the other variables of a bucket are about.
fn bucket(config: &mut Config) -> Result<&mut S3Config, String> {
    config.vault.s3.as_mut().ok_or_else(|| {
        "no bucket is named: set EVERHOLD_VAULT_S3_BUCKET, or `[vault] s3` in the file".to_owned()
    })
}

/// One webhook in the place of all sinks: a variable can't say which of several it is about.
fn set_webhook(alerts: &mut Vec<AlertConfig>, value: &str) -> Result<(), String> {
    let secret_file = alerts.iter_mut().find_map(secret_of).and_then(|file| file.clone());
    *alerts = if value.is_empty() {
        Vec::new()
    } else {
        vec![AlertConfig::webhook(parse(value)?, secret_file)]
    };
    Ok(())
}

/// The file with the secret of a webhook.
fn secret_of(alert: &mut AlertConfig) -> Option<&mut Option<PathBuf>> {
    match &mut alert.sink {
        SinkConfig::Webhook { secret_file, .. } => Some(secret_file),
        _ => None,
    }
}

fn word<T: Copy>(value: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("`{value}` is none of {}", all.join(", "))
    })
}

/// `ADDRESS` or `ADDRESS@START_BLOCK`; `CHAIN_ID:` in front where there are several chains.
impl FromStr for CollectionConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (chain_id, text) = match text.split_once(':') {
            Some((chain_id, text)) => (Some(parse(chain_id)?), text),
            None => (None, text),
        };
        let (address, start) = text.split_once('@').unwrap_or((text, "0"));
        Ok(Self { chain_id, address: parse(address)?, start_block: parse(start)?, standard: None })
    }
}

/// As a collection.
impl FromStr for FactoryConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let CollectionConfig { chain_id, address, start_block, .. } = text.parse()?;
        Ok(Self { chain_id, address: Some(address), start_block, creators: Vec::new() })
    }
}

impl FromStr for NodeConfig {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { url: text.parse()?, operator: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let pairs = pairs.to_vec();
        apply(&mut config, |name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })?;
        Ok(config)
    }

    #[test]
    fn lays_variables_over_the_file() {
        let config = with(&[
            ("EVERHOLD_REPLICAS_MIN", "5"),
            ("EVERHOLD_REPLICAS_RECHECK", "0s"),
            ("EVERHOLD_ALEPH_NODES", "http://a:1, http://b:2"),
            ("EVERHOLD_COLLECTION", "0x5FbDB2315678afecb367f032d93F642f64180aa3@7"),
            ("EVERHOLD_ALERT_WEBHOOK", "http://c:3/x"),
            ("EVERHOLD_ALERT_SECRET_FILE", "/s"),
        ])
        .unwrap();
        assert_eq!((config.replicas.min, config.aleph.named().len()), (5, 2));
        assert_eq!(config.collection[0].start_block, 7);
        let SinkConfig::Webhook { secret_file, .. } = &config.alert[0].sink else { panic!() };
        assert!(secret_file.is_some());
    }

    #[test]
    fn a_variable_is_about_the_only_chain() {
        let config = with(&[
            ("EVERHOLD_CHAIN_CHAIN_ID", "5"),
            ("EVERHOLD_COLLECTION", "5:0x5FbDB2315678afecb367f032d93F642f64180aa3@7"),
            ("EVERHOLD_FACTORY", "5:0x5FbDB2315678afecb367f032d93F642f64180aa3@9"),
        ])
        .unwrap();
        assert_eq!((config.chain[0].chain_id, config.collection[0].chain_id), (Some(5), Some(5)));
        assert_eq!((config.factory[0].chain_id, config.factory[0].start_block), (Some(5), 9));
        for name in ["RPC", "CHAIN_ID", "POLL", "FINALITY", "CONFIRMATIONS", "PROVE_LOGS"] {
            let mut several = Config::default();
            several.chain.push(ChainConfig::default());
            let name = format!("EVERHOLD_CHAIN_{name}");
            let value = if name.ends_with("FINALITY") { "safe" } else { "5" };
            let set = |asked: &str| (asked == name).then(|| value.to_owned());
            let error = apply(&mut several, set).unwrap_err().to_string();
            assert!(error.contains(&name) && error.contains("several [[chain]]"), "{error}");
        }
    }

    #[test]
    fn names_the_variable_that_is_wrong() {
        for (name, value) in [
            ("EVERHOLD_REPLICAS_MIN", "many"),
            ("EVERHOLD_CHAIN_FINALITY", "soon"),
            ("EVERHOLD_CHAIN_RPC", "not a url"),
            ("EVERHOLD_REPAIR_ENABLED", "perhaps"),
        ] {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
