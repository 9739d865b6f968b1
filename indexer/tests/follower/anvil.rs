//! A chain of its own for a test, and a collection on it.

use std::{path::Path, process::Stdio, time::Duration};

use alloy::{
    network::{Ethereum, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, RootProvider},
    rpc::{client::RpcClient, types::TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
};
use alloy_sol_types::{SolCall, SolStruct};
use everhold::{
    chain::{CollectionSettings, Contract, Rpc, RpcTransport, deploy, plan_deployment},
    content::{Codec, Digest},
};
use everhold_net::{Fetcher, Limits};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use url::Url;

/// The first account of anvil's well-known mnemonic.
pub(crate) const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

sol! {
    // What the product has no command for.
    function burn(uint256 tokenId) external;
    function setContractContent(bytes32 digest) external;
    function redeem(Offer calldata voucher, bytes calldata signature) external payable;

    struct Offer {
        uint256 id;
        bytes32 digest;
        address buyer;
        uint256 price;
        uint256 deadline;
    }

    /// What the creator signs so that somebody else may mint.
    struct Voucher {
        address creator;
        uint256 id;
        bytes32 digest;
        address buyer;
        uint256 price;
        uint256 deadline;
    }
}

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
        let fetcher = Fetcher::new(Limits::default(), [url.clone()]).unwrap();
        let client = RpcClient::new(RpcTransport::new(fetcher, url.clone()), true);
        client.set_poll_interval(Duration::from_millis(20));
        Self {
            url,
            signer: KEY.parse().unwrap(),
            provider: RootProvider::new(client),
            _process: process,
        }
    }

    /// The chain as the indexer asks it.
    pub(crate) async fn rpc(&self) -> Rpc {
        let fetcher = Fetcher::new(Limits::default(), [self.url.clone()]).unwrap();
        Rpc::connect(std::slice::from_ref(&self.url), &fetcher).await.unwrap()
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

    /// A collection that owners may edit.
    pub(crate) async fn collection(&self) -> Collection<'_> {
        self.collection_with(true).await
    }

    pub(crate) async fn collection_with(&self, editable: bool) -> Collection<'_> {
        let creator = self.signer.address();
        let settings = CollectionSettings {
            name: "Test".to_owned(),
            symbol: "T".to_owned(),
            codec: Codec::Raw.multicodec(),
            firstTokenId: 1,
            editable,
            creator,
            ..CollectionSettings::default()
        };
        let planned = plan_deployment(&self.provider, creator, settings, None, None).await.unwrap();
        let deployed = deploy(&self.provider, &self.signer, &planned).await.unwrap();
        assert_eq!(deployed.address, planned.collection);
        self.collection_at(deployed.address)
    }

    /// A collection that is there.
    pub(crate) fn collection_at(&self, address: Address) -> Collection<'_> {
        let contract = Contract::new(self.provider.clone(), address);
        Collection { anvil: self, address, contract }
    }
}

/// A collection of which the test plays creator and every owner.
pub(crate) struct Collection<'a> {
    anvil: &'a Anvil,
    pub(crate) address: Address,
    pub(crate) contract: Contract,
}

pub(crate) fn digest(content: u8) -> Digest {
    Digest::of(&[content])
}

impl Collection<'_> {
    /// The id that the next mint gets: what is left after reorgs.
    pub(crate) async fn next(&self) -> U256 {
        let provider = &self.anvil.provider;
        let id = self.anvil.provider.get_chain_id().await.unwrap();
        let info = everhold::chain::inspect(provider, id, self.address).await;
        info.unwrap().next_token_id
    }

    /// A transaction of the creator's, who is an account of the chain's own.
    async fn send(&self, call: Vec<u8>) {
        let from = self.anvil.signer.address();
        let request = TransactionRequest::default().with_from(from).with_to(self.address);
        let sent = self.anvil.provider.send_transaction(request.with_input(call)).await.unwrap();
        let hash = *sent.tx_hash();
        let receipt = loop {
            let found = self.anvil.provider.get_transaction_receipt(hash).await.unwrap();
            match found {
                Some(receipt) => break receipt,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert!(receipt.status());
    }

    /// What the collection says of itself.
    pub(crate) async fn set_contract_content(&self, digest: B256) {
        self.send(setContractContentCall { digest }.abi_encode()).await;
    }

    pub(crate) async fn burn(&self, token: U256) {
        self.send(burnCall { tokenId: token }.abi_encode()).await;
    }

    /// Mints a token by a voucher; gives its id.
    pub(crate) async fn redeem(&self, content: u8) -> U256 {
        let token = self.next().await;
        let (id, digest) = (token, B256::from(digest(content).0));
        let (buyer, price, deadline) = (Address::ZERO, U256::ZERO, U256::MAX);
        let creator = self.anvil.signer.address();
        let signed = Voucher { creator, id, digest, buyer, price, deadline };
        let domain = alloy_sol_types::eip712_domain! {
            name: "Everhold",
            version: "1",
            chain_id: self.anvil.provider.get_chain_id().await.unwrap(),
            verifying_contract: self.address,
        };
        let hash = signed.eip712_signing_hash(&domain);
        let signature = self.anvil.signer.sign_hash_sync(&hash).unwrap();
        let signature = Bytes::from(signature.as_bytes());
        let voucher = Offer { id, digest, buyer, price, deadline };
        self.send(redeemCall { voucher, signature }.abi_encode()).await;
        token
    }

    /// Mints a token for each content, in one block; gives the first one's id.
    pub(crate) async fn mint(&self, contents: &[u8]) -> U256 {
        let first = self.next().await;
        let digests: Vec<_> = contents.iter().map(|content| digest(*content)).collect();
        let signer = &self.anvil.signer;
        let minted = self.contract.mint_batch(signer, signer.address(), first, &digests);
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
