//! Collections of others, from their contracts to the health of their tokens.

use std::fs;

use everhold_e2e::{
    Result, Setup, World,
    content::raw_uri,
    dag::Dag,
    ended::Ended,
    foreign::Foreign,
    gateway::{Gateway, Habit},
    node,
    report::{self, content, items, text},
    sha256,
};
use serde_json::{Value, json};

const PICTURE: &[u8] = b"a picture of somebody else's";

/// Chain and node, and a contract of somebody else's that is watched.
async fn world(nodes: usize, contract: &str) -> Result<(World, Foreign)> {
    let mut world = World::start(Setup { nodes, tokens: 0, ..Setup::default() }).await?;
    let foreign = Foreign::deploy(&world.anvil, contract).await?;
    world.collection = foreign.address.clone();
    world.settings.collections.push((foreign.address.clone(), 0));
    world.configure()?;
    Ok((world, foreign))
}

fn health(token: &Value) -> &str {
    text(&token["health"])
}

#[tokio::test]
async fn what_their_uris_name_is_healthy_degraded_lost_or_unverifiable() -> Result<()> {
    let (world, contract) = world(2, "Foreign721").await?;
    let document = format!("{{\"image\":\"{}\"}}", raw_uri(PICTURE)).into_bytes();
    let half = b"{\"name\":\"on one node\"}".to_vec();
    for node in &world.nodes {
        node::leave_there(node, PICTURE.to_vec()).await?;
        node::leave_there(node, document.clone()).await?;
    }
    node::leave_there(&world.nodes[0], half.clone()).await?;
    let uris = [
        raw_uri(&document),
        raw_uri(&half),
        raw_uri(b"nobody has this"),
        "https://example.com/4".to_owned(),
        format!("data:application/json,{{\"image\":\"{}\"}}", raw_uri(PICTURE)),
    ];
    contract.mint(&world.anvil, 1, &uris).await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    let healths = &status["collections"][0]["health"];
    let expected = json!({"healthy": 2, "denied": 0, "pending": 0, "unverifiable": 1, "degraded": 1, "lost": 1});
    assert_eq!(healths, &expected, "{status}");
    assert_eq!(status["collections"][0]["standard"], "erc721");
    assert_eq!(items(&status["incidents"]).len(), 2);
    let first = world.token(1).await?;
    assert_eq!((text(&first["uri"]), &first["digest"]), (&*uris[0], &Value::Null));
    assert_eq!(text(&content(&first, "metadata")?["id"]), sha256(&document));
    assert_eq!(health(content(&first, "image")?), "healthy");
    let of_chain = world.token(5).await?;
    assert_eq!((health(&of_chain), items(&of_chain["contents"]).len()), ("healthy", 1));
    let reasons = world.token(4).await?["unverifiable"].to_string();
    assert!(reasons.contains("https://example.com/4"), "{reasons}");
    // What was lost is replaced, and the contract says so.
    contract.set_uri(&world.anvil, 3, &raw_uri(&document), true).await?;
    contract.set_uri(&world.anvil, 2, &raw_uri(&document), false).await?;
    contract.set_uri(&world.anvil, 4, &raw_uri(&document), false).await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(report::health(&status, "healthy"), 5, "old URIs are looked at again, too");
    let closed = items(&status["incidents"]).iter().all(|one| one["closed_at"].is_string());
    assert!(closed, "{status}");
    Ok(())
}

#[tokio::test]
async fn what_others_named_is_brought_back_to_nodes_that_lost_it() -> Result<()> {
    let (world, contract) = world(2, "Foreign721").await?;
    node::leave_there(&world.nodes[0], PICTURE.to_vec()).await?;
    contract.mint(&world.anvil, 1, &[raw_uri(PICTURE)]).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    // It is no document, which no repair changes; but both nodes have it now.
    let status = world.once(&[]).await?.gives(3)?;
    assert_eq!(report::health(&status, "unverifiable"), 1);
    let metadata = content(&world.token(1).await?, "metadata")?.clone();
    assert_eq!((health(&metadata), &metadata["independent"]), ("healthy", &json!(2)));
    Ok(())
}

/// A folder of documents `1` to `count`, each of which refers to a picture beside it by a path.
async fn folder(count: u64, options: Value) -> Result<(Dag, Gateway)> {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    fs::create_dir_all(&pictures).unwrap();
    fs::write(pictures.join("1.png"), PICTURE).unwrap();
    let raw = json!({"cidVersion": 1, "rawLeaves": true});
    let shared = Dag::import(&pictures, raw.clone()).await?;
    let documents = dir.path().join("documents");
    fs::create_dir_all(&documents).unwrap();
    for id in 1..=count {
        let text = format!("{{\"name\":\"{id}\",\"image\":\"ipfs://{}/1.png\"}}", shared.root);
        fs::write(documents.join(id.to_string()), text).unwrap();
    }
    let mut job = raw;
    for (key, value) in options.as_object().unwrap() {
        job[key] = value.clone();
    }
    let mut dag = Dag::import(&documents, job).await?;
    dag.blocks.extend(shared.blocks);
    // Its leaves are raw blocks, and as such the files.
    let files: Vec<(&str, &[u8])> =
        dag.blocks.iter().map(|(cid, bytes)| (cid.as_str(), bytes.as_slice())).collect();
    let gateway = Gateway::start(Habit::BlocksOnly, &dag, &files).await?;
    Ok((dag, gateway))
}

#[tokio::test]
async fn paths_lead_to_contents_by_the_folders_own_blocks() -> Result<()> {
    for options in [json!({}), json!({"shardAbove": 10})] {
        let (dag, gateway) = folder(40, options).await?;
        let (mut world, contract) = world(1, "Foreign721").await?;
        world.settings.more = format!("[ipfs]\ngateways = [\"{}\"]\n", gateway.url());
        world.configure()?;
        let mut uris: Vec<String> =
            (1..=40).map(|id| format!("ipfs://{}/{id}", dag.root)).collect();
        uris.push(format!("https://gateway.example/ipfs/{}/7", dag.root));
        uris.push(format!("ipfs://{}/41", dag.root));
        contract.mint(&world.anvil, 1, &uris).await?;
        let status = world.once(&["--no-repair"]).await?.gives(3)?;
        let healths = &status["collections"][0]["health"];
        assert_eq!(healths["healthy"], 41, "{status}");
        assert_eq!(healths["lost"], 1);
        let lost = world.token(42).await?["unresolved"].to_string();
        assert!(lost.contains("`41` is not in the directory"), "{lost}");
        let token = world.token(7).await?;
        assert_eq!(text(&content(&token, "image")?["id"]), sha256(PICTURE));
        let same = world.token(41).await?;
        assert_eq!(report::id(&token, "metadata")?, report::id(&same, "metadata")?);
        assert_eq!(gateway.asked(&dag.root), 1, "one walk for all of them");
    }
    Ok(())
}

#[tokio::test]
async fn a_path_that_nobody_gives_is_lost_until_somebody_does() -> Result<()> {
    let (dag, gateway) = folder(3, json!({})).await?;
    let (mut world, contract) = world(1, "Foreign721").await?;
    let uris: Vec<String> = (1..=3).map(|id| format!("ipfs://{}/{id}", dag.root)).collect();
    contract.mint(&world.anvil, 1, &uris).await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&status, "unverifiable"), 3, "nobody could be asked");
    let empty = Gateway::start(Habit::ErrorPage, &dag, &[]).await?;
    world.settings.more = format!("[ipfs]\ngateways = [\"{}\"]\n", empty.url());
    world.configure()?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&status, "lost"), 3, "{status}");
    let reasons = world.token(1).await?["unresolved"].to_string();
    assert!(reasons.contains("other bytes came"), "{reasons}");
    let both = [empty.url(), gateway.url()];
    world.settings.more = format!("[ipfs]\ngateways = {both:?}\n");
    world.configure()?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn an_id_in_a_uri_of_1155_is_the_tokens_own() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    for id in [5_u64, 0xabc] {
        fs::write(dir.path().join(format!("{id:064x}.json")), format!("{{\"name\":\"{id}\"}}"))
            .unwrap();
    }
    let dag = Dag::import(dir.path(), json!({"cidVersion": 1, "rawLeaves": true})).await?;
    let files: Vec<(&str, &[u8])> =
        dag.blocks.iter().map(|(cid, bytes)| (cid.as_str(), bytes.as_slice())).collect();
    let gateway = Gateway::start(Habit::Trustless, &dag, &files).await?;
    let (mut world, contract) = world(1, "Foreign1155").await?;
    world.settings.more = format!("[ipfs]\ngateways = [\"{}\"]\n", gateway.url());
    world.configure()?;
    let template = format!("ipfs://{}/{{id}}.json", dag.root);
    for (id, amount) in [(5, 1), (0xabc, 1000)] {
        contract.mint_1155(&world.anvil, id, amount, &template).await?;
    }
    world.once(&["--no-repair"]).await?.gives(0)?;
    let token = world.token(0xabc).await?;
    assert_eq!((text(&token["supply"]), &token["owner"]), ("1000", &Value::Null));
    assert_eq!(text(&token["uri"]), template);
    assert_eq!(text(&content(&token, "metadata")?["id"]), sha256(b"{\"name\":\"2748\"}"));
    let shown = world.everhold.run(["token", &contract.address, "5"]).await?;
    assert_eq!(shown.status, 0);
    Ok(())
}

#[tokio::test]
async fn what_holds_no_tokens_is_refused_with_a_remedy() -> Result<()> {
    let (world, _) = world(1, "Erc20Like").await?;
    world.once(&["-q"]).await?.refuses(&["nor an ERC-721 or ERC-1155", "standard ="])?;
    Ok(())
}
