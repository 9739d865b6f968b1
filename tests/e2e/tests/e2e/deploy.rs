//! `deploy`: what it puts on the chain, where, and what it refuses.

use everhold_e2e::{
    Anvil, Context, Everhold, Finished, Result, accounts, chain,
    ended::Ended,
    fake::CautiousRpc,
    report::{items, text},
    run::{kill_when, plain},
};
use serde_json::{Value, json};

const CREATOR: &str = accounts::CREATOR.address;
/// The deterministic deployer, and the account that its transaction is of.
const DEPLOYER: &str = "0x4e59b44847b379578588920cA78FbF26c0B4956C";
const ITS_ACCOUNT: &str = "0x3fAB184622Dc19b6109349B94811493BF2a45362";
const WITHOUT_DEPLOYER: &[&str] = &["--disable-default-create2-deployer"];

/// `CollectionCreated(address,address,address,uint8,uint8,bool,string,string)`.
const CREATED: &str = "0xbb7f82172d85c997d6238792cbf70f904d0cf4af035d67f576f0285ed7387056";

/// A chain and an account that deploys.
struct Scene {
    anvil: Anvil,
    everhold: Everhold,
    key: String,
}

impl Scene {
    async fn new(chain: &[&str]) -> Result<Self> {
        let anvil = Anvil::start_with(chain, None).await?;
        let everhold = Everhold::new()?;
        let key = everhold.key_file("creator", &accounts::CREATOR)?;
        Ok(Self { anvil, everhold, key })
    }

    fn line(&self, more: &[&str]) -> Vec<String> {
        let url = self.anvil.url();
        let words = ["deploy", "--name", "Harbour", "--symbol", "HBR", "--codec", "raw"];
        let more = [&words[..], &["--private-key-file", &self.key, "--rpc", &url], more].concat();
        more.into_iter().map(str::to_owned).collect()
    }

    async fn run(&self, more: &[&str]) -> Result<Finished> {
        self.everhold.run(self.line(more)).await
    }

    async fn deploy(&self, more: &[&str]) -> Result<Value> {
        self.run(more).await?.gives(0)
    }

    /// It must be refused in one line that holds all of `names`, and nothing may have been sent.
    async fn refused(&self, more: &[&str], status: i32, names: &[&str]) -> Result<()> {
        let before = self.sent().await?;
        let run = self.run(&[more, &["-q"]].concat()).await?;
        assert_eq!(run.status, status, "{more:?}: {}", run.stderr);
        run.refuses(names).unwrap_or_else(|error| panic!("{more:?}: {error}"));
        assert_eq!(self.sent().await?, before, "{more:?}: something was sent");
        Ok(())
    }

    async fn sent(&self) -> Result<u64> {
        chain::nonce(&self.anvil, CREATOR).await
    }

    /// Every collection that a factory says it made, in lower case.
    async fn made_by(&self, factory: &str) -> Result<Vec<String>> {
        let filter = json!([{"address": factory, "fromBlock": "0x0", "topics": [CREATED]}]);
        let logs = self.anvil.rpc("eth_getLogs", filter).await?;
        let address = |log: &Value| format!("0x{}", &text(&log["topics"][1])[26..]);
        Ok(items(&logs).iter().map(address).collect())
    }
}

fn address(deployed: &Value) -> &str {
    text(&deployed["address"])
}

#[tokio::test]
async fn the_first_one_brings_the_factory_and_the_second_finds_it() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let first = scene.deploy(&[]).await?;
    let factory = text(&first["factory"]).to_owned();
    assert!(first["factory_transaction"].is_string(), "{first}");
    assert_eq!(first["deployer_transaction"], Value::Null);
    assert_eq!((&first["creator"], &first["codec"]), (&json!(CREATOR), &json!("raw")));
    assert_eq!(scene.sent().await?, 2, "the factory, the collection");
    let second = scene.deploy(&["--first-id", "0"]).await?;
    assert_eq!(second["factory"], *factory);
    assert_eq!(second["factory_transaction"], Value::Null);
    assert_eq!(second["earlier"], json!([]), "it has other settings");
    assert_eq!(scene.sent().await?, 3);
    let made = [address(&first).to_lowercase(), address(&second).to_lowercase()];
    assert_eq!(scene.made_by(&factory).await?, made);
    for (deployed, next) in [(&first, 1), (&second, 0)] {
        let collection = address(deployed);
        assert_eq!(chain::next_token_id(&scene.anvil, collection).await?, next);
        assert_eq!(chain::creator(&scene.anvil, collection).await?, CREATOR.to_lowercase());
        assert!(chain::editable(&scene.anvil, collection).await?);
        let receipt = scene.anvil.receipt(text(&deployed["transaction"])).await?;
        assert_eq!(receipt["blockNumber"], format!("{:#x}", deployed["block"].as_u64().unwrap()));
    }
    Ok(())
}

#[tokio::test]
async fn the_same_again_is_another_collection_and_says_so() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let first = scene.deploy(&[]).await?;
    let run = scene.run(&[]).await?;
    assert!(run.stderr.contains(address(&first)), "{}", run.stderr);
    let second = run.gives(0)?;
    assert_ne!(address(&second), address(&first));
    assert_eq!(second["earlier"], json!([address(&first)]));
    assert_eq!(text(&first["salt"]), format!("0x{:064x}", 0));
    assert_eq!(text(&second["salt"]), format!("0x{:064x}", 1));
    assert_eq!(scene.made_by(text(&first["factory"])).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_address_is_said_before_anything_is_sent() -> Result<()> {
    let scene = Scene::new(&["--no-mining"]).await?;
    let mut line = scene.line(&[]);
    let elsewhere = Scene::new(&[]).await?;
    let expected = elsewhere.deploy(&[]).await?;
    line.retain(|word| word != "--json");
    let run = plain(&scene.everhold, &line);
    let said = tokio::select! {
        run = run => run?.2,
        mined = mine(&scene.anvil) => mined.map(|()| String::new())?,
    };
    let at = said.find(address(&expected)).context(format!("no address in: {said}"))?;
    assert!(at < said.find("the factory is at").context("no factory")?, "{said}");
    Ok(())
}

/// A block a second, for ever.
async fn mine(anvil: &Anvil) -> Result<()> {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        anvil.mine(1).await?;
    }
}

#[tokio::test]
async fn a_salt_serves_once_and_gives_one_address_on_every_chain() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let other = Scene::new(&["--chain-id", "31338"]).await?;
    let deployed = scene.deploy(&["--salt", "7"]).await?;
    assert_eq!(text(&deployed["salt"]), format!("0x{:064x}", 7));
    let long = format!("0x{:064x}", 7);
    for salt in ["7", "0x7", &long] {
        let names = [address(&deployed), "--salt"];
        scene.refused(&["--salt", salt], 1, &names).await?;
    }
    let elsewhere = other.deploy(&["--salt", &long]).await?;
    assert_eq!(address(&elsewhere), address(&deployed));
    let another = scene.deploy(&["--salt", &format!("0x{}", "f".repeat(64))]).await?;
    assert_ne!(address(&another), address(&deployed));
    for salt in ["x", "-1", "0x", "1.5", &format!("0x1{}", "0".repeat(64))] {
        assert_eq!(scene.run(&["--salt", salt]).await?.status, 2, "{salt}");
    }
    Ok(())
}

#[tokio::test]
async fn royalties_and_the_creator_are_those_given() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let lower = |account: &accounts::Account| account.address.to_lowercase();
    let none = scene.deploy(&[]).await?;
    let of = async |deployed: &Value| chain::royalty(&scene.anvil, address(deployed), 10_000).await;
    assert_eq!(of(&none).await?.1, 0);
    assert_eq!(none["royalty_receiver"], Value::Null);
    let owner = accounts::OWNER.address;
    let given = scene.deploy(&["--creator", owner, "--royalty", "250"]).await?;
    assert_eq!(of(&given).await?, (lower(&accounts::OWNER), 250), "to the creator by default");
    assert_eq!(chain::creator(&scene.anvil, address(&given)).await?, lower(&accounts::OWNER));
    assert_eq!(given["creator"], owner);
    let stranger = accounts::STRANGER.address;
    let more = ["--royalty", "10000", "--royalty-receiver", stranger];
    let all = scene.deploy(&more).await?;
    assert_eq!(of(&all).await?, (lower(&accounts::STRANGER), 10_000));
    let said = (&all["royalty_receiver"], &all["royalty_basis_points"]);
    assert_eq!(said, (&json!(stranger), &json!(10_000)));
    Ok(())
}

#[tokio::test]
async fn the_collections_own_metadata_is_named() -> Result<()> {
    const RAW: &str = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";
    const DAG_PB: &str = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
    let scene = Scene::new(&[]).await?;
    let uri = async |deployed: &Value| chain::contract_uri(&scene.anvil, address(deployed)).await;
    assert_eq!(uri(&scene.deploy(&[]).await?).await?, "");
    let digest = "0xa948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447";
    let expected = format!("ipfs://{RAW}");
    for given in [RAW, &expected, digest, digest.trim_start_matches("0x")] {
        let deployed = scene.deploy(&["--contract-uri", given]).await?;
        assert_eq!(uri(&deployed).await?, expected, "{given}");
        assert_eq!(deployed["contract_uri"], expected);
    }
    let (zeros, path) = (format!("0x{}", "0".repeat(64)), format!("ipfs://{RAW}/1.json"));
    for (given, names) in [
        (DAG_PB, &["dag-pb", "raw"][..]),
        ("0x12", &["64 hexadecimal digits"]),
        (&zeros, &["zeros"]),
        (&path, &["content address"]),
        ("https://example.org/x.json", &["content address"]),
    ] {
        let names = [&["--contract-uri", given], names].concat();
        scene.refused(&["--contract-uri", given], 2, &names).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_the_factory_would_refuse_is_not_sent() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let nobody = format!("0x{:040x}", 0);
    scene.refused(&["--royalty", "10001"], 2, &["--royalty", "10001", "10000"]).await?;
    let receiver = ["--royalty", "1", "--royalty-receiver", &nobody];
    scene.refused(&receiver, 2, &["--royalty-receiver"]).await?;
    scene.refused(&["--creator", &nobody], 2, &["--creator"]).await?;
    let alone = scene.run(&["--royalty-receiver", CREATOR]).await?;
    assert!(alone.status == 2 && alone.stderr.contains("--royalty"), "{}", alone.stderr);
    // No code; code that answers nothing; code that answers 42, and its own address, to everything.
    let names = [accounts::STRANGER.address, "no factory"];
    scene.refused(&["--factory", accounts::STRANGER.address], 2, &names).await?;
    for code in ["0x00", "0x602a5f5260205ff3", "0x305f5260205ff3"] {
        let other = chain::contract(&scene.anvil, code).await?;
        scene.refused(&["--factory", &other], 2, &[&other, "no factory"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_the_deterministic_deployer_it_is_put_there() -> Result<()> {
    let scene = Scene::new(WITHOUT_DEPLOYER).await?;
    let usual = Scene::new(&[]).await?;
    assert!(!chain::has_code(&scene.anvil, DEPLOYER).await?);
    let deployed = scene.deploy(&[]).await?;
    assert!(chain::has_code(&scene.anvil, DEPLOYER).await?);
    let transaction = text(&deployed["deployer_transaction"]);
    let sender = chain::sender(&scene.anvil, transaction).await?;
    assert_eq!(sender, ITS_ACCOUNT.to_lowercase());
    assert_eq!(scene.sent().await?, 3, "ether for it, the factory, the collection");
    let expected = usual.deploy(&[]).await?;
    assert_eq!(deployed["factory"], expected["factory"]);
    assert_eq!(address(&deployed), address(&expected));
    let code = json!([DEPLOYER, "latest"]);
    let theirs = usual.anvil.rpc("eth_getCode", code.clone()).await?;
    assert_eq!(scene.anvil.rpc("eth_getCode", code).await?, theirs);
    Ok(())
}

#[tokio::test]
async fn the_deployers_account_is_paid_no_more_than_it_needs() -> Result<()> {
    // Another run was killed after it had paid.
    let scene = Scene::new(WITHOUT_DEPLOYER).await?;
    let needed = json!([ITS_ACCOUNT, "0x2386f26fc10000"]);
    scene.anvil.rpc("anvil_setBalance", needed).await?;
    scene.deploy(&[]).await?;
    assert_eq!(scene.sent().await?, 2);
    // And another after it had sent the deployer's transaction, which still waits.
    let scene = Scene::new(WITHOUT_DEPLOYER).await?;
    let more = json!([ITS_ACCOUNT, "0x2386f26fc10001"]);
    scene.anvil.rpc("anvil_setBalance", more).await?;
    scene.anvil.automine(false).await?;
    let waiting = async || Ok(chain::waiting(&scene.anvil).await? == 1);
    kill_when(&scene.everhold, scene.line(&[]), waiting).await?;
    let run = tokio::select! {
        run = scene.run(&[]) => run?,
        mined = mine(&scene.anvil) => mined.map(|()| unreachable!())?,
    };
    let deployed = run.gives(0)?;
    assert!(deployed["deployer_transaction"].is_string(), "{deployed}");
    assert_eq!(scene.sent().await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_deployer_that_can_not_be_put_there_is_done_without() -> Result<()> {
    let dear = Scene::new(&[WITHOUT_DEPLOYER, &["--base-fee", "100000000001"]].concat()).await?;
    dear.refused(&[], 2, &[DEPLOYER, "base fee", "--factory"]).await?;
    let scene = Scene::new(WITHOUT_DEPLOYER).await?;
    scene.anvil.rpc("anvil_setNonce", json!([ITS_ACCOUNT, "0x1"])).await?;
    scene.refused(&[], 2, &[DEPLOYER, "used up", "--factory"]).await?;
    scene.anvil.rpc("anvil_setCode", json!([DEPLOYER, "0x00"])).await?;
    scene.refused(&[], 2, &[DEPLOYER, "other code", "--factory"]).await?;
    let factory = own_factory(&scene.anvil).await?;
    let deployed = scene.deploy(&["--factory", &factory]).await?;
    assert_eq!(text(&deployed["factory"]).to_lowercase(), factory);
    assert_eq!(scene.made_by(&factory).await?, [address(&deployed).to_lowercase()]);
    let names = [address(&deployed), "--salt"];
    scene.refused(&["--factory", &factory, "--salt", "0"], 1, &names).await
}

#[tokio::test]
async fn a_node_that_would_not_take_the_deployers_transaction_costs_nothing() -> Result<()> {
    let scene = Scene::new(WITHOUT_DEPLOYER).await?;
    let cautious = CautiousRpc::start(&scene.anvil.url()).await?;
    let line = scene.line(&["-q"]);
    let line = line.iter().map(|word| match word {
        url if *url == scene.anvil.url() => cautious.url(),
        word => word.clone(),
    });
    let line: Vec<_> = line.collect();
    let run = scene.everhold.run(&line).await?;
    assert_eq!(run.status, 2, "{}", run.stderr);
    run.refuses(&["EIP-155", "--rpc", "--factory"])?;
    assert_eq!(scene.sent().await?, 0, "the ether would be of no use");
    // Once it is there, such a node does.
    scene.deploy(&["--no-edits"]).await?;
    let deployed = scene.everhold.json(&line).await?;
    assert_eq!(deployed["deployer_transaction"], Value::Null);
    Ok(())
}

/// The factory, put on the chain by an account of its own; gives its address in lower case.
async fn own_factory(anvil: &Anvil) -> Result<String> {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/artifacts/EverholdFactory.json");
    let artifact = std::fs::read(path).context(path)?;
    let artifact: Value = serde_json::from_slice(&artifact).context(path)?;
    let from = accounts::OWNER.address;
    let sent = anvil.send(json!({"from": from, "data": artifact["bytecode"]})).await?;
    Ok(text(&anvil.mined(&sent).await?["contractAddress"]).to_owned())
}

#[tokio::test]
async fn killed_while_the_factory_waits_for_a_block_it_goes_on() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    let elsewhere = Scene::new(&[]).await?;
    let expected = elsewhere.deploy(&[]).await?;
    scene.anvil.automine(false).await?;
    let waiting = async || Ok(chain::waiting(&scene.anvil).await? == 1);
    kill_when(&scene.everhold, scene.line(&[]), waiting).await?;
    scene.anvil.automine(true).await?;
    scene.anvil.mine(1).await?;
    let deployed = scene.deploy(&[]).await?;
    assert_eq!(deployed["factory_transaction"], Value::Null, "it was there by then");
    assert_eq!(address(&deployed), address(&expected));
    assert_eq!(scene.sent().await?, 2);
    Ok(())
}

#[tokio::test]
async fn killed_while_the_collection_waits_for_a_block_it_makes_no_second_one() -> Result<()> {
    let scene = Scene::new(&[]).await?;
    // The factory is there.
    let factory = text(&scene.deploy(&["--no-edits"]).await?["factory"]).to_owned();
    scene.anvil.automine(false).await?;
    let waiting = async || Ok(chain::waiting(&scene.anvil).await? == 1);
    kill_when(&scene.everhold, scene.line(&[]), waiting).await?;
    // The second run does not know that it is on its way.
    let run = tokio::select! {
        run = scene.run(&["-q"]) => run?,
        mined = mine(&scene.anvil) => mined.map(|()| unreachable!())?,
    };
    scene.anvil.automine(true).await?;
    scene.anvil.mine(1).await?;
    let made = scene.made_by(&factory).await?;
    assert_eq!(made.len(), 2, "the one with edits off, and this");
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.to_lowercase().contains(&made[1]), "{}", run.stderr);
    Ok(())
}
