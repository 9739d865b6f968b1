//! `publish`: what it stores and mints, and that a second run does neither again.

use std::fs;

use everhold_e2e::{
    Result, Sample, SampleOptions, Setup, World, accounts, chain, content,
    ended::Ended,
    node,
    report::{self, items, text},
    sha256,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_second_run_stores_signs_and_mints_nothing() -> Result<()> {
    let mut world = World::start(Setup { tokens: 3, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let first = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&first["contents"], &first["tokens"]), (&json!(6), &json!(3)));
    assert_eq!((&first["uploads"], &first["stores"]), (&json!(18), &json!(6)));
    assert_eq!(items(&first["transactions"]).len(), 1);

    let (facts, stores) = (world.facts().await?, world.stores().await?);
    let second = world.publish(&[]).await?.gives(0)?;
    assert_eq!(world.facts().await?, facts, "the second run sent something");
    assert_eq!(world.stores().await?, stores);
    assert_eq!((&second["uploads"], &second["stores"]), (&json!(0), &json!(0)));
    assert_eq!((&second["minted"], &second["transactions"]), (&json!([]), &json!([])));
    assert_eq!(second["already_minted"], 3);

    // One more file, one more mint, and nothing else.
    world.art.add()?;
    let third = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&third["minted"], &third["stores"]), (&json!([4]), &json!(2)));
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, [1, 2, 3, 4]);
    Ok(())
}

#[tokio::test]
async fn a_node_that_lost_something_is_filled_by_a_second_run() -> Result<()> {
    let world = World::healthy(Setup { nodes: 2, ..Setup::default() }).await?;
    let stores = world.stores().await?;
    let picture = world.id(1, "image").await?;
    fs::remove_file(world.nodes[1].path(&picture)).unwrap();
    let again = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&again["uploads"], &again["stores"]), (&json!(1), &json!(0)));
    assert_eq!(sha256(&fs::read(world.nodes[1].path(&picture)).unwrap()), picture);
    assert_eq!(world.stores().await?, stores, "a second bill for one content");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_does_nothing() -> Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.deploy(&[]).await?;
    let facts = world.facts().await?;
    let dry = world.publish(&["--dry-run"]).await?.gives(0)?;
    assert_eq!(world.facts().await?, facts);
    assert_eq!(world.count("POST").await?, 0);
    assert_eq!((&dry["dry_run"], &dry["minted"]), (&json!(true), &json!([1, 2])));
    assert_eq!((&dry["contents"], &dry["tokens"]), (&json!(4), &json!(2)));
    let bytes: u64 = world
        .art
        .tokens()
        .iter()
        .map(|token| {
            let document = content::rewritten(&token.metadata, &token.image).unwrap();
            document.len() as u64 + token.image_bytes
        })
        .sum();
    assert_eq!(dry["bytes"], bytes);
    for node in items(&dry["nodes"]) {
        assert_eq!((&node["verified"], &node["lacking"]), (&json!(0), &json!(4)));
    }
    Ok(())
}

#[tokio::test]
async fn tokens_go_to_whom_they_are_meant_for() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.publish(&["--to", accounts::OWNER.address]).await?.gives(0)?;
    for token in [1, 2] {
        let owner = chain::owner(&world.anvil, &world.collection, token).await?;
        assert_eq!(owner, accounts::OWNER.address.to_lowercase());
    }
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.token(1).await?["owner"], accounts::OWNER.address);
    Ok(())
}

#[tokio::test]
async fn the_first_token_may_be_0_and_the_codec_dag_pb() -> Result<()> {
    let setup = Setup { nodes: 1, connected: true, codec: "dag-pb", ..Setup::default() };
    let mut world = World::start(setup).await?;
    let dir = world.everhold.dir().join("from-0");
    let options = SampleOptions { tokens: 2, large: None, first_id: 0, ..Default::default() };
    world.art = Sample::make(&dir, options)?;
    world.deploy(&["--first-id", "0"]).await?;
    let published = world.publish(&[]).await?.gives(0)?;
    assert_eq!(published["minted"], json!([0, 1]));
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, [0, 1]);
    world.once(&[]).await?.gives(0)?;
    for made in world.art.tokens() {
        let token = world.token(made.id).await?;
        let digest = chain::digest(&world.anvil, &world.collection, made.id).await?;
        assert_eq!(token["digest"], format!("0x{digest}"));
        let uri = chain::token_uri(&world.anvil, &world.collection, made.id).await?;
        assert_eq!(token["uri"], uri);
        assert!(uri.starts_with("ipfs://bafybei"), "{uri}");
        // The document names the picture's CID, and under that name there is the picture.
        let served = node::bytes(&world.nodes[0], &report::id(&token, "metadata")?).await?;
        let document: Value = serde_json::from_slice(&served.unwrap()).unwrap();
        let image = report::content(&token, "image")?;
        assert_eq!(document["image"], format!("ipfs://{}", text(&image["cid"])));
        let picture = node::bytes(&world.nodes[0], text(&image["id"])).await?.unwrap();
        assert_eq!(sha256(&picture), made.image_sha256);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_local_reference_stays_as_it_is() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let dir = world.everhold.dir().join("foreign");
    fs::create_dir_all(&dir).unwrap();
    let picture = b"a picture".to_vec();
    fs::write(dir.join("p.png"), &picture).unwrap();
    // Odd spaces, numbers and order: all of it must stay.
    let foreign = "{ \"b\":1.50,\n\t\"image\" : \"ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\",\
         \"a\": 12345678901234567890123 , \"name\":\"\\u00e9\"}\n";
    let local = "{\"z\":1e3, \"image\":  \"./p.png\",\n \"external_url\": \"https://example.org/1.png\",\
         \"animation_url\":\"data:text/plain,x\" }";
    fs::write(dir.join("1.json"), foreign).unwrap();
    fs::write(dir.join("2.json"), local).unwrap();
    let line = world.publishing(&dir, &[]);
    let published = world.everhold.json(line).await?;
    assert_eq!(published["contents"], 3, "two documents and one picture");
    let digest = chain::digest(&world.anvil, &world.collection, 1).await?;
    assert_eq!(digest, sha256(foreign.as_bytes()), "a document without local files was changed");
    let rewritten = local.replace("./p.png", &content::raw_uri(&picture));
    let digest = chain::digest(&world.anvil, &world.collection, 2).await?;
    assert_eq!(digest, sha256(rewritten.as_bytes()));
    let served = node::bytes(&world.nodes[0], &sha256(rewritten.as_bytes())).await?;
    assert_eq!(served.as_deref(), Some(rewritten.as_bytes()));
    Ok(())
}
