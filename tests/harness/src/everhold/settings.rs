//! What goes into `everhold.toml`.

use std::fmt::Write;

/// The file with the webhook's secret, beside `everhold.toml`.
pub(super) const SECRET_FILE: &str = "webhook.secret";

/// Where alerts go.
#[derive(Clone, Debug)]
pub struct Alerting {
    /// The webhook.
    pub url: String,
    /// What it is signed with.
    pub secret: String,
}

/// The settings of a test: quick, and on one machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `database`.
    pub database: String,
    /// `[chain] rpc`.
    pub rpc: Vec<String>,
    /// `[chain] confirmations`.
    pub confirmations: u64,
    /// `[chain] poll`.
    pub poll: String,
    /// Each `[[collection]]`: address and first block.
    pub collections: Vec<(String, u64)>,
    /// `[aleph] nodes`.
    pub nodes: Vec<String>,
    /// Lines of `[aleph]` in the place of `nodes`.
    pub aleph: Option<String>,
    /// `[aleph] provenance`.
    pub provenance: String,
    /// `[replicas] min`.
    pub min: u32,
    /// `[replicas] grace`.
    pub grace: String,
    /// `[replicas] recheck`.
    pub recheck: String,
    /// `[repair] private_key_file`.
    pub repair_key: Option<String>,
    /// `[repair] wait`.
    pub wait: String,
    /// `[[alert]]`.
    pub alert: Option<Alerting>,
    /// Anything else, as TOML that begins with a table's header.
    pub more: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: "sqlite://everhold.db".to_owned(),
            rpc: Vec::new(),
            confirmations: 3,
            poll: "300ms".to_owned(),
            collections: Vec::new(),
            nodes: Vec::new(),
            aleph: None,
            provenance: "24h".to_owned(),
            min: 3,
            grace: "0s".to_owned(),
            recheck: "0s".to_owned(),
            repair_key: None,
            wait: "2s".to_owned(),
            alert: None,
            more: String::new(),
        }
    }
}

impl Settings {
    /// As TOML.
    pub(super) fn text(&self) -> String {
        let mut text = format!("database = {}\n", quoted(&self.database));
        let _ = write!(
            text,
            "\n[chain]\nrpc = {}\nconfirmations = {}\npoll = {}\n",
            list(&self.rpc),
            self.confirmations,
            quoted(&self.poll)
        );
        for (address, start) in &self.collections {
            let address = quoted(address);
            let _ = write!(text, "\n[[collection]]\naddress = {address}\nstart_block = {start}\n");
        }
        let nodes = || format!("nodes = {}", list(&self.nodes));
        let nodes = self.aleph.clone().unwrap_or_else(nodes);
        let provenance = quoted(&self.provenance);
        let _ = write!(text, "\n[aleph]\n{nodes}\nprovenance = {provenance}\n");
        let _ = write!(
            text,
            "\n[replicas]\nmin = {}\ngrace = {}\nrecheck = {}\n",
            self.min,
            quoted(&self.grace),
            quoted(&self.recheck)
        );
        let _ = write!(text, "\n[repair]\nwait = {}\n", quoted(&self.wait));
        if let Some(key) = &self.repair_key {
            let _ = writeln!(text, "private_key_file = {}", quoted(key));
        }
        if let Some(alert) = &self.alert {
            let (url, file) = (quoted(&alert.url), quoted(SECRET_FILE));
            let _ = write!(text, "\n[[alert]]\nwebhook = {url}\nsecret_file = {file}\n");
        }
        text + "\n" + &self.more
    }
}

/// A TOML string; JSON's form of it is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(items: &[String]) -> String {
    serde_json::Value::from(items.to_vec()).to_string()
}
