//! Everything the story needs, running.

use std::path::{Path, PathBuf};

use everhold_harness::{
    AlertReceiver, Alerting, Anvil, Context, DevNode, Everhold, NodeOptions, Result, Sample,
    SampleOptions, Settings, Watcher, accounts, dag_pb_sha256,
};

use crate::story::{Story, megabytes};

/// Nodes, and verified replicas that each content needs.
pub(crate) const NODES: usize = 4;
/// Tokens published at first.
pub(crate) const TOKENS: u64 = 8;
/// The token with a picture above 1 MiB.
pub(crate) const LARGE: u64 = 8;

/// Files up to this size are one block of a DAG.
const ONE_BLOCK: u64 = 256 << 10;

const SECRET: &str = "the demo's webhook secret";

/// The processes, in the order in which they are to end.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) watcher: Option<Watcher>,
    pub(crate) nodes: Vec<DevNode>,
    pub(crate) anvil: Anvil,
    pub(crate) receiver: AlertReceiver,
    pub(crate) everhold: Everhold,
    pub(crate) sample: Sample,
    /// Set by the step that deploys.
    pub(crate) collection: String,
    pub(crate) creator_key: String,
    pub(crate) owner_key: String,
    pub(crate) root: PathBuf,
}

impl Stage {
    /// Starts all but the watcher, and draws the collection.
    pub(crate) async fn set(root: &Path, story: &Story) -> Result<Self> {
        story.step("The stage");
        let everhold = Everhold::at(&root.join("everhold"))?;
        let anvil = Anvil::start_with(&[], Some(&root.join("chain"))).await?;
        let mut nodes = Vec::new();
        for i in 0..NODES {
            let name = node_name(i).to_lowercase().replace(' ', "-");
            let options = NodeOptions { dir: Some(root.join(name)), ..NodeOptions::default() };
            nodes.push(DevNode::start(options).await?);
        }
        let options =
            SampleOptions { tokens: TOKENS, large: Some(LARGE), ..SampleOptions::default() };
        let stage = Self {
            watcher: None,
            nodes,
            anvil,
            receiver: AlertReceiver::start(SECRET).await?,
            sample: Sample::make(&root.join("collection"), options)?,
            collection: String::new(),
            creator_key: everhold.key_file("creator", &accounts::CREATOR)?,
            owner_key: everhold.key_file("owner", &accounts::OWNER)?,
            everhold,
            root: root.to_owned(),
        };
        stage.configure(None)?;
        stage.introduce(story);
        Ok(stage)
    }

    fn introduce(&self, story: &Story) {
        story.fact("Chain", &format!("{} (anvil)", self.anvil.url()));
        for (name, node) in self.named_nodes() {
            story.fact(&name, &node.url());
        }
        story.fact("Alert receiver", &self.receiver.url());
        let large = self.sample.token(LARGE).map_or(0, |token| token.image_bytes);
        story.fact(
            "Collection",
            &format!(
                "{} ({TOKENS} pictures and {TOKENS} metadata files, just drawn, {}; token \
                 {LARGE}'s picture is {})",
                self.sample.dir().display(),
                megabytes(self.sample.bytes()),
                megabytes(large)
            ),
        );
        story.raw("");
        story.say(
            "The nodes (aleph.im nodes with IPFS, the development kind) are not connected to each \
             other: what one of them loses, no other gives back on its own.",
        );
    }

    /// Writes `everhold.toml`, with the collection once there is one.
    pub(crate) fn configure(&self, collection: Option<(String, u64)>) -> Result<()> {
        let repair_key = self.everhold.key_file("repairer", &accounts::REPAIRER)?;
        self.everhold.configure(&Settings {
            rpc: vec![self.anvil.url()],
            collections: collection.into_iter().collect(),
            nodes: self.nodes.iter().map(DevNode::url).collect(),
            min: 4,
            repair_key: Some(repair_key),
            more: "[vault]\nkeep = true\n".to_owned(),
            alert: Some(Alerting {
                url: self.receiver.url(),
                secret: self.receiver.secret().to_owned(),
            }),
            ..Settings::default()
        })
    }

    /// The nodes and what the story calls them.
    pub(crate) fn named_nodes(&self) -> impl Iterator<Item = (String, &DevNode)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(i, node)| (node_name(i), node))
    }

    /// Whether each node's disk holds a file with this digest. Everhold is not asked.
    pub(crate) async fn check_disks(&self, digest: &str) -> Result<()> {
        for (name, node) in self.named_nodes() {
            let files = node.files().await?;
            let small = files.iter().filter(|file| file.size.is_some_and(|size| size < ONE_BLOCK));
            let mut hashed = small.map(|file| std::fs::read(node.path(&file.hash)));
            let found = hashed.any(|read| read.is_ok_and(|bytes| dag_pb_sha256(&bytes) == digest));
            found.then_some(()).context(format!("no file on {name} hashes to {digest}"))?;
        }
        Ok(())
    }

    /// Publishes the collection's folder as it is now; gives what the command printed.
    pub(crate) async fn publish(&self) -> Result<serde_json::Value> {
        let dir = self.sample.dir().display().to_string();
        let arguments = [
            "publish",
            &dir,
            "--collection",
            &self.collection,
            "--to",
            accounts::OWNER.address,
            "--private-key-file",
            &self.creator_key,
        ];
        self.everhold.json(arguments).await.context("publish")
    }
}

/// `Node A`, `Node B`, …
pub(crate) fn node_name(index: usize) -> String {
    let letter = "ABCDEFGHIJ".chars().nth(index).unwrap_or('?');
    format!("Node {letter}")
}
