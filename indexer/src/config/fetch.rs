//! The fetcher that a configuration describes.

use everhold_net::{FetchError, Fetcher, Limits, Url};

use super::{Config, LimitsConfig};

impl Config {
    /// The one way out to the network, within the configured limits. What is configured may be
    /// on private addresses.
    ///
    /// # Errors
    /// Where TLS can't be set up.
    pub fn fetcher(&self) -> Result<Fetcher, FetchError> {
        Fetcher::new(Limits::from(&self.limits), self.origins())
    }

    /// Every URL that is configured to be fetched from or posted to. Not [`Config::web`]'s, which
    /// strangers may choose.
    pub fn origins(&self) -> impl Iterator<Item = Url> {
        let listed = self.aleph.network.iter().chain(&self.aleph.private_hosts);
        let asked = self.ipfs.kubo_routing.iter().map(|node| &node.url);
        let providers = asked.chain(&self.ipfs.private_hosts);
        let vault = self.vault.s3.as_ref().and_then(|s3| s3.url().ok());
        // A file that can't be read is told of by whoever sends.
        let sinks = self.alert.iter().filter_map(|alert| alert.sink.url());
        self.chain
            .iter()
            .flat_map(|chain| &chain.rpc)
            .chain(self.node_urls())
            .chain(listed)
            .chain(providers)
            .cloned()
            .chain(vault)
            .chain(sinks)
    }
}

impl From<&LimitsConfig> for Limits {
    fn from(config: &LimitsConfig) -> Self {
        Self {
            connect: config.connect_timeout.0,
            first_byte: config.first_byte_timeout.unwrap_or(config.idle_timeout).0,
            idle: config.idle_timeout.0,
            total: config.total_timeout.0,
            max_content: config.max_content,
            max_redirects: config.max_redirects as usize,
            per_host: config.per_host as usize,
            per_configured: config.per_node as usize,
            in_total: config.requests as usize,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn everything_configured_may_be_fetched_from() {
        let text = r#"
            chain.rpc = ["http://a:1/key"]
            aleph = { nodes = ["http://b:2"], network = ["http://n:6"], private_hosts = ["http://p:7"] }
            ipfs = { gateways = ["http://c:3"], kubo = ["http://d:4"], routing = ["http://r:8"], kubo_routing = ["http://s:10"], private_hosts = ["http://t:11"] }
            pinning = [{ url = "http://q:9", token_file = "t" }]
            alert = [{ webhook = "http://e:5/x" }, { pagerduty = { routing_key_file = "k", url = "http://u:12" } }]"#;
        let config = Config::parse(Path::new("x"), text).unwrap();
        let hosts: Vec<_> = config.origins().map(|url| url.port().unwrap()).collect();
        assert_eq!(hosts, [1, 2, 3, 4, 8, 9, 6, 7, 10, 11, 5, 12]);
    }

    #[test]
    fn defaults_are_those_of_the_fetcher() {
        assert_eq!(Limits::from(&LimitsConfig::default()), Limits::default());
        let text = "[limits]\nidle_timeout = \"3s\"\nper_node = 1";
        let config = Config::parse(Path::new("x"), text).unwrap();
        let limits = Limits::from(&config.limits);
        assert_eq!((limits.first_byte.as_secs(), limits.per_configured), (3, 1));
    }
}
