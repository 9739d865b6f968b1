//! A chain of its own for a test, and a collection on it.

use std::{path::Path, process::Stdio, time::Duration};

use alloy::{
    network::Ethereum,
    primitives::{Address, U256},
    providers::{Provider, RootProvider},
    rpc::client::RpcClient,
    signers::local::PrivateKeySigner,
    transports::http::Http,
};
use everhold::{
    chain::{Contract, Deployed, deploy},
    content::{Codec, Digest},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use url::Url;

/// The first account of anvil's well-known mnemonic.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// A running anvil; it ends with this.
pub(crate) struct Anvil {
    pub(crate) url: Url,
    pub(crate) signer: PrivateKeySigner,
    pub(crate) provider: RootProvider<Ethereum>,
    _process: Child,
}

impl Anvil {
    pub(crate) async fn start() -> Self {
        Self::with_chain_id(31337).await
    }

    pub(crate) async fn with_chain_id(id: u64) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let program = root.join("node_modules/.bin/anvil");
        let mut process = Command::new(&program)
            .args(["--port", "0", "--chain-id", &id.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `npm ci` installs it", program.display()));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("anvil ended");
            if let Some(address) = line.strip_prefix("Listening on ") {
                break address.to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url: Url = format!("http://{address}").parse().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = RpcClient::new(Http::new(url.clone()), true);
        client.set_poll_interval(Duration::from_millis(20));
        Self {
            url,
            signer: KEY.parse().unwrap(),
            provider: RootProvider::new(client),
            _process: process,
        }
    }

    pub(crate) async fn call(&self, method: &'static str, params: Value) -> Value {
        let answer = self.provider.raw_request(method.into(), params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) async fn head(&self) -> u64 {
        self.provider.get_block_number().await.unwrap()
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        self.call("anvil_mine", json!([U256::from(blocks)])).await;
    }

    /// A competing chain of the same length, in which the last `depth` blocks are empty.
    pub(crate) async fn reorg(&self, depth: u64) {
        self.call("anvil_reorg", json!([depth, []])).await;
    }

    /// Shortens the chain.
    pub(crate) async fn roll_back(&self, depth: u64) {
        self.call("anvil_rollback", json!([depth])).await;
    }

    pub(crate) async fn collection(&self) -> Collection<'_> {
        let name = "Test";
        let codec = Codec::Raw;
        let deployed: Deployed =
            deploy(&self.provider, &self.signer, name, "T", codec, 1).await.unwrap();
        Collection {
            anvil: self,
            address: deployed.address,
            contract: Contract::new(self.provider.clone(), deployed.address),
        }
    }
}

/// A collection of which the test plays creator and every owner.
pub(crate) struct Collection<'a> {
    anvil: &'a Anvil,
    pub(crate) address: Address,
    contract: Contract,
}

pub(crate) fn digest(content: u8) -> Digest {
    Digest::of(&[content])
}

impl Collection<'_> {
    /// The id that the next mint gets: what is left after reorgs.
    async fn next(&self) -> U256 {
        let provider = &self.anvil.provider;
        let id = self.anvil.provider.get_chain_id().await.unwrap();
        let info = everhold::chain::inspect(provider, id, self.address).await;
        info.unwrap().next_token_id
    }

    /// Mints a token for each content, in one block; gives the first one's id.
    pub(crate) async fn mint(&self, contents: &[u8]) -> U256 {
        let first = self.next().await;
        let digests: Vec<_> = contents.iter().map(|content| digest(*content)).collect();
        let signer = &self.anvil.signer;
        let minted = self.contract.mint(signer, signer.address(), first, &digests);
        minted.await.unwrap();
        first
    }

    pub(crate) async fn update(&self, token: U256, content: u8) {
        let old = self.contract.digest(token).await.unwrap();
        let updated = self.contract.update(&self.anvil.signer, token, old, digest(content));
        updated.await.unwrap();
    }

    pub(crate) async fn freeze(&self, token: U256) {
        let frozen = self.contract.freeze(&self.anvil.signer, token);
        frozen.await.unwrap();
    }
}
