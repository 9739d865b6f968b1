//! `update` and `freeze`: the token's owner and nobody else, and what becomes of the old content.

use everhold_e2e::{
    Result, SampleToken, Setup, World, accounts, chain, content,
    ended::Ended,
    node,
    report::{self, text},
    run::kill_when,
    sha256,
};
use serde_json::{Value, json};

use crate::support::refused;

/// A token that belongs to OWNER, healthy on one node; and other metadata for it.
struct Scene {
    world: World,
    owner: String,
    next: SampleToken,
}

impl Scene {
    async fn new() -> Result<Self> {
        let mut world = World::start(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
        world.deploy(&[]).await?;
        world.publish(&["--to", accounts::OWNER.address]).await?.gives(0)?;
        world.once(&[]).await?.gives(0)?;
        let owner = world.everhold.key_file("owner", &accounts::OWNER)?;
        let next = world.art.revise(1, 2)?;
        Ok(Self { world, owner, next })
    }

    fn line<'a>(&'a self, key: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let file = self.next.metadata.to_str().unwrap();
        let at = ["--collection", &self.world.collection, "--token", "1"];
        [&["update", file][..], &at, &["--private-key-file", key], more].concat()
    }

    async fn update(&self, more: &[&str]) -> Result<Value> {
        self.world.everhold.run(self.line(&self.owner, more)).await?.gives(0)
    }

    /// The digest that the new document must have.
    fn digest(&self) -> Result<String> {
        Ok(sha256(&content::rewritten(&self.next.metadata, &self.next.image)?))
    }

    async fn frozen(&self) -> Result<Value> {
        let at = ["freeze", "--collection", &self.world.collection, "--token", "1"];
        self.world.everhold.json(at.into_iter().chain(["--private-key-file", &self.owner])).await
    }
}

#[tokio::test]
async fn the_owner_updates_and_another_pays() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    let before = node::store_hashes(&world.nodes[0]).await?;
    let updated = scene.update(&["--payer", "repairer.key"]).await?;
    let digest = scene.digest()?;
    assert_eq!(chain::digest(&world.anvil, &world.collection, 1).await?, digest);
    assert_eq!(updated["digest"], format!("0x{digest}"));
    let sender = chain::sender(&world.anvil, text(&updated["transaction"])).await?;
    assert_eq!(sender, accounts::OWNER.address.to_lowercase());
    let stores = node::stores(&world.nodes[0]).await?;
    let new = stores.iter().filter(|s| !before.iter().any(|old| s["item_hash"] == **old));
    let payers: Vec<_> = new.map(|store| text(&store["sender"])).collect();
    assert_eq!(payers, [accounts::REPAIRER.address; 2]);

    world.once(&[]).await?.gives(0)?;
    let token = world.token(1).await?;
    assert_eq!((&token["revision"], &token["owner"]), (&json!(2), &json!(accounts::OWNER.address)));
    assert_eq!(report::id(&token, "metadata")?, digest);
    assert_eq!(report::id(&token, "image")?, scene.next.image_sha256);
    // The same again: no transaction, no STORE, no upload.
    let facts = world.facts().await?;
    let again = scene.update(&["--payer", "repairer.key"]).await?;
    assert_eq!(again["transaction"], Value::Null);
    assert_eq!(world.facts().await?, facts);
    Ok(())
}

#[tokio::test]
async fn without_a_payer_the_owner_pays() -> Result<()> {
    let scene = Scene::new().await?;
    scene.update(&[]).await?;
    let stores = node::stores(&scene.world.nodes[0]).await?;
    let by_owner = stores.iter().filter(|s| s["sender"] == accounts::OWNER.address).count();
    assert_eq!((by_owner, stores.len()), (2, 4));
    Ok(())
}

#[tokio::test]
async fn old_content_is_watched_until_the_update_is_final() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    let old = world.id(1, "image").await?;
    scene.update(&[]).await?;
    let contents = async |environment: &[(&str, &str)]| -> Result<(Value, u64, u64)> {
        world.forget_requests().await?;
        let run = world.everhold.run_with(["watch", "--once"], environment).await?;
        let verified = run.gives(0)?["nodes"][0]["verified"].clone();
        let node = &world.nodes[0];
        let new = &scene.next.image_sha256;
        Ok((verified, node::gets(node, &old).await?, node::gets(node, new).await?))
    };
    assert_eq!(contents(&[]).await?, (json!(4), 1, 1), "a reorg may bring it back");
    world.anvil.mine(4).await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(contents(&[]).await?, (json!(2), 0, 1), "final: nobody needs it any more");
    Ok(())
}

#[tokio::test]
async fn old_content_may_be_kept() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    let old = world.id(1, "image").await?;
    let keep = [("EVERHOLD_REPLICAS_HISTORY", "keep")];
    scene.update(&[]).await?;
    world.anvil.mine(4).await?;
    world.everhold.run_with(["watch", "--once"], &keep).await?.gives(0)?;
    world.forget_requests().await?;
    world.everhold.run_with(["watch", "--once"], &keep).await?.gives(0)?;
    assert_eq!(node::gets(&world.nodes[0], &old).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_update_that_a_reorg_takes_back_never_was() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    let before = report::lasting(&world.token(1).await?);
    scene.update(&[]).await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.token(1).await?["revision"], 2);
    world.anvil.reorg(1, &[]).await?;
    world.anvil.mine(1).await?;
    world.once(&[]).await?.gives(0)?;
    let after = report::lasting(&world.token(1).await?);
    assert_eq!(after["revision"], 1);
    assert_eq!(after["digest"], before["digest"]);
    assert_eq!(after["contents"], before["contents"]);
    Ok(())
}

#[tokio::test]
async fn nobody_but_the_owner_updates_or_freezes() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    let stranger = world.everhold.key_file("stranger", &accounts::STRANGER)?;
    // Not even the creator.
    for (key, account) in [(&stranger, accounts::STRANGER), (&world.key, accounts::CREATOR)] {
        let names = [accounts::OWNER.address, account.address];
        refused(world, &scene.line(key, &[]), &names).await?;
        refused(world, &scene.line(key, &["--payer", &scene.owner]), &names).await?;
        let freeze = ["freeze", "--collection", &world.collection, "--token", "1"];
        let freeze = [&freeze[..], &["--private-key-file", key]].concat();
        refused(world, &freeze, &names).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_frozen_token_stays_as_it_is() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    assert_eq!(world.token(1).await?["frozen"], false);
    let frozen = scene.frozen().await?;
    assert!(frozen["frozen"] == true && frozen["transaction"].is_string(), "{frozen}");
    assert_eq!(scene.frozen().await?["transaction"], Value::Null, "once is enough");
    refused(world, &scene.line(&scene.owner, &[]), &["token 1", "frozen"]).await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.token(1).await?["frozen"], true);
    Ok(())
}

#[tokio::test]
async fn metadata_that_can_not_be_used_changes_nothing() -> Result<()> {
    let mut scene = Scene::new().await?;
    let file = scene.next.metadata.clone();
    let good = std::fs::read(&file).unwrap();
    for (bytes, names) in [
        (&b"{"[..], &["1.json", "not JSON"][..]),
        (b"[]", &["1.json", "object"]),
        (br#"{"image":"gone.png"}"#, &["1.json", "gone.png"]),
    ] {
        std::fs::write(&file, bytes).unwrap();
        refused(&scene.world, &scene.line(&scene.owner, &[]), names).await?;
    }
    std::fs::write(&file, good).unwrap();
    let mut line = scene.line(&scene.owner, &[]);
    let at = line.iter().position(|word| *word == "1").unwrap();
    line[at] = "7";
    refused(&scene.world, &line, &["token 7"]).await?;
    scene.next.metadata = file.with_file_name("nothing.json");
    refused(&scene.world, &scene.line(&scene.owner, &[]), &["nothing.json"]).await
}

#[tokio::test]
async fn an_update_that_was_killed_before_its_transaction_goes_on() -> Result<()> {
    let scene = Scene::new().await?;
    let world = &scene.world;
    world.forget_requests().await?;
    let line = scene.line(&scene.owner, &[]);
    kill_when(&world.everhold, &line, async || Ok(world.count("POST").await? >= 1)).await?;
    scene.update(&[]).await?;
    assert_eq!(chain::digest(&world.anvil, &world.collection, 1).await?, scene.digest()?);
    assert_eq!(node::store_hashes(&world.nodes[0]).await?.len(), 4, "two contents, then two more");
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.token(1).await?["revision"], 2);
    Ok(())
}
