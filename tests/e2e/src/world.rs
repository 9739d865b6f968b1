//! A chain, nodes, a folder to publish and the product's own folder.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    Alerting, Anvil, Context, DevNode, Everhold, Finished, NodeOptions, Result, Sample,
    SampleOptions, Settings, accounts, ended::Ended,
};

/// What a test needs.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many nodes; `min` is the same.
    pub nodes: usize,
    /// Whether they talk to each other and have the ipfs engine; else they do neither, and answer
    /// `processed` for STOREs whose bytes they lack.
    pub connected: bool,
    /// Whether accounts must pay.
    pub billing: bool,
    /// More arguments of each node.
    pub arguments: Vec<String>,
    /// Tokens in the folder.
    pub tokens: u64,
    /// The token whose picture is larger than 1 MiB.
    pub large: Option<u64>,
    /// The codec to deploy with.
    pub codec: &'static str,
    /// More of `everhold.toml`, from a table's header on.
    pub more: &'static str,
    /// Where alerts go.
    pub alert: Option<Alerting>,
    /// `database`, if not an SQLite file.
    pub database: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            nodes: 3,
            connected: false,
            billing: false,
            arguments: Vec::new(),
            tokens: 2,
            large: None,
            codec: "raw",
            more: "",
            alert: None,
            database: None,
        }
    }
}

/// All of it, running.
#[derive(Debug)]
pub struct World {
    /// The chain.
    pub anvil: Anvil,
    /// The nodes.
    pub nodes: Vec<DevNode>,
    /// The product's folder.
    pub everhold: Everhold,
    /// What is in `everhold.toml` after the next [`World::configure`].
    pub settings: Settings,
    /// The folder to publish.
    pub art: Sample,
    /// The collection, once deployed.
    pub collection: String,
    /// File with the creator's key.
    pub key: String,
    codec: &'static str,
}

impl World {
    /// Starts chain and nodes, and writes the folder and the settings.
    pub async fn start(setup: Setup) -> Result<Self> {
        let anvil = Anvil::start().await?;
        let nodes = start_nodes(&setup).await?;
        let everhold = Everhold::new()?;
        let options =
            SampleOptions { tokens: setup.tokens, large: setup.large, ..SampleOptions::default() };
        let art = Sample::make(&everhold.dir().join("art"), options)?;
        let key = everhold.key_file("creator", &accounts::CREATOR)?;
        let mut settings = Settings {
            rpc: vec![anvil.url()],
            nodes: nodes.iter().map(DevNode::url).collect(),
            min: u32::try_from(setup.nodes).context("nodes")?,
            wait: "500ms".to_owned(),
            repair_key: Some(everhold.key_file("repairer", &accounts::REPAIRER)?),
            alert: setup.alert,
            more: setup.more.to_owned(),
            ..Settings::default()
        };
        if let Some(database) = setup.database {
            settings.database = database;
        }
        let codec = setup.codec;
        let collection = String::new();
        let world = Self { anvil, nodes, everhold, settings, art, collection, key, codec };
        world.configure()?;
        Ok(world)
    }

    /// The same, deployed, published, watched once and found healthy.
    pub async fn healthy(setup: Setup) -> Result<Self> {
        let mut world = Self::start(setup).await?;
        world.deploy(&[]).await?;
        world.publish(&[]).await?.gives(0)?;
        world.once(&[]).await?.gives(0)?;
        Ok(world)
    }

    /// Writes the settings.
    pub fn configure(&self) -> Result<()> {
        self.everhold.configure(&self.settings)
    }

    /// Deploys the collection and puts it into the settings.
    pub async fn deploy(&mut self, more: &[&str]) -> Result<Value> {
        let mut arguments = vec!["deploy", "--name", "Harbour", "--symbol", "HBR"];
        arguments.extend(["--codec", self.codec, "--private-key-file", &self.key]);
        let deployed =
            self.everhold.json(arguments.into_iter().chain(more.iter().copied())).await?;
        let address = deployed["address"].as_str().context("address")?.to_owned();
        let block = deployed["block"].as_u64().context("block")?;
        self.settings.collections.push((address.clone(), block));
        self.collection = address;
        self.configure()?;
        Ok(deployed)
    }

    /// The command line of `publish` for the folder.
    pub fn publishing(&self, dir: &Path, more: &[&str]) -> Vec<String> {
        let dir = dir.display().to_string();
        let fixed = ["publish", &dir, "--collection", &self.collection];
        let key = ["--private-key-file", &self.key];
        fixed.iter().chain(&key).chain(more).map(|word| (*word).to_owned()).collect()
    }

    /// Publishes the folder, whatever comes of it.
    pub async fn publish(&self, more: &[&str]) -> Result<Finished> {
        self.everhold.run(self.publishing(self.art.dir(), more)).await
    }

    /// `watch --once`, whatever comes of it.
    pub async fn once(&self, more: &[&str]) -> Result<Finished> {
        self.everhold.run(["watch", "--once"].iter().chain(more)).await
    }

    /// `token --json`.
    pub async fn token(&self, id: u64) -> Result<Value> {
        self.everhold.token(&self.collection, id).await
    }

    /// The id of a token's content, as the ledger has it.
    pub async fn id(&self, token: u64, role: &str) -> Result<String> {
        crate::report::id(&self.token(token).await?, role)
    }

    /// Begins to count the requests of every node anew.
    pub async fn forget_requests(&self) -> Result<()> {
        for node in &self.nodes {
            node.forget_requests().await?;
        }
        Ok(())
    }

    /// How many requests of this method all nodes got together.
    pub async fn count(&self, method: &str) -> Result<u64> {
        let mut sum = 0;
        for node in &self.nodes {
            sum += crate::node::count(node, method).await?;
        }
        Ok(sum)
    }

    /// The STOREs of every node.
    pub async fn stores(&self) -> Result<Vec<Vec<String>>> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.push(crate::node::store_hashes(node).await?);
        }
        Ok(all)
    }

    /// Everything that a refused command must leave as it was: chain, nodes, ledger.
    pub async fn facts(&self) -> Result<Value> {
        let mut nodes = Vec::new();
        for node in &self.nodes {
            let files = node.files().await?;
            let files: Vec<_> = files.iter().map(|f| json!([f.hash, f.size, f.recorded])).collect();
            let posts = crate::node::count(node, "POST").await?;
            nodes.push(json!({"files": files, "posts": posts}));
        }
        let status = self.everhold.run(["status", "-q"]).await?;
        Ok(json!({"head": self.anvil.head().await?, "nodes": nodes, "ledger": status.json}))
    }
}

async fn start_nodes(setup: &Setup) -> Result<Vec<DevNode>> {
    let mut nodes: Vec<DevNode> = Vec::new();
    for _ in 0..setup.nodes {
        let options = NodeOptions {
            no_ipfs: !setup.connected,
            trusting: Some(!setup.connected),
            billing: setup.billing,
            arguments: setup.arguments.clone(),
            ..NodeOptions::default()
        };
        let node = DevNode::start(options).await?;
        for other in nodes.iter().filter(|_| setup.connected) {
            node.control("connect", &json!({"peer": other.url()})).await?;
            other.control("connect", &json!({"peer": node.url()})).await?;
        }
        nodes.push(node);
    }
    Ok(nodes)
}
