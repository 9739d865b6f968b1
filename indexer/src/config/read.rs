//! Reading settings, and what is wrong with them.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use url::Url;

use super::{Config, IpfsConfig, env};

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
        self.vault.check()?;
        // A Kubo node may be asked for content and, as another node, for who has it.
        let routers = self.ipfs.kubo_routing.iter().map(|node| &node.url);
        match twice(self.node_urls()).or(twice(routers)) {
            Some(twice) => Err(ConfigError::Invalid(format!(
                "node {twice} is configured twice; a node is of one kind and counts once"
            ))),
            None => self.check_network(),
        }
    }

    /// Each host of the network's list has one vote.
    fn check_network(&self) -> Result<(), ConfigError> {
        let host = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        let mut seen = HashSet::new();
        match self.aleph.network.iter().find(|url| !seen.insert(host(url))) {
            Some(twice) => Err(ConfigError::Invalid(format!(
                "{twice} is in `[aleph] network` twice; each host has one vote"
            ))),
            None => Ok(()),
        }
    }

    /// The URLs of all nodes that are named.
    pub(super) fn node_urls(&self) -> impl Iterator<Item = &Url> {
        let IpfsConfig { gateways, kubo, routing, .. } = &self.ipfs;
        let nodes = [self.aleph.named(), gateways, kubo, routing].into_iter().flatten();
        nodes.map(|node| &node.url).chain(self.pinning.iter().map(|service| &service.url))
    }
}

/// The first URL that comes again.
fn twice<'a>(mut urls: impl Iterator<Item = &'a Url>) -> Option<&'a Url> {
    let mut seen = HashSet::new();
    urls.find(|url| !seen.insert(url.as_str()))
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
    use super::{super::*, *};

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
        assert_eq!(config.aleph.named()[1].operator.as_deref(), Some("acme"));
        assert_eq!(config.node_urls().count(), 2);
    }
}
