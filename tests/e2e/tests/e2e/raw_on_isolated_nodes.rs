//! The main job on three nodes that have no IPFS, do not talk to each other, and answer
//! `processed` for a STORE whose bytes they lack.

use std::fs;

use everhold_e2e::{
    Result, Setup, World,
    ended::Ended,
    node,
    report::{self, content, history, id, incidents, items, replica},
    sha256,
};
use serde_json::{Value, json};

#[tokio::test]
async fn loss_and_rot_are_found_and_repaired_with_sqlite() -> Result<()> {
    story(None).await
}

/// What was harmed: a picture deleted on one node, metadata overwritten on another.
struct Harm {
    deleted: String,
    overwritten: String,
    rot: Vec<u8>,
}

pub(crate) async fn story(database: Option<String>) -> Result<()> {
    let mut world = World::start(Setup { tokens: 3, database, ..Setup::default() }).await?;
    publish(&mut world).await?;
    let harm = harm(&world).await?;
    let stores = world.stores().await?;
    look(&world, &harm).await?;
    repair(&world, &harm).await?;
    assert_eq!(world.stores().await?, stores, "a STORE was signed that nothing needed");
    Ok(())
}

async fn publish(world: &mut World) -> Result<()> {
    world.deploy(&[]).await?;
    let published = world.publish(&[]).await?.gives(0)?;
    assert_eq!(published["minted"], json!([1, 2, 3]));
    for node in items(&published["nodes"]) {
        assert_eq!((&node["verified"], &node["lacking"]), (&json!(6), &json!(0)), "{node}");
    }
    world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    assert_eq!(report::health(&status, "healthy"), 3);
    for (at, node) in world.nodes.iter().enumerate() {
        assert_eq!(report::node(&status, &node.url())?["verified"], 6, "node {at}");
        assert_eq!(node::store_hashes(node).await?.len(), 6, "node {at}");
    }
    // Names and bytes as computed here, and as they lie on the disks.
    for made in world.art.tokens() {
        let token = world.token(made.id).await?;
        assert_eq!(id(&token, "image")?, made.image_sha256);
        let document = everhold_e2e::content::rewritten(&made.metadata, &made.image)?;
        assert_eq!(id(&token, "metadata")?, sha256(&document));
        assert_eq!(token["digest"], format!("0x{}", sha256(&document)));
        for node in &world.nodes {
            let on_disk = fs::read(node.path(&made.image_sha256)).unwrap();
            assert_eq!(sha256(&on_disk), made.image_sha256);
        }
    }
    Ok(())
}

async fn harm(world: &World) -> Result<Harm> {
    let (deleted, overwritten) = (world.id(1, "image").await?, world.id(2, "metadata").await?);
    fs::remove_file(world.nodes[0].path(&deleted)).unwrap();
    let path = world.nodes[1].path(&overwritten);
    let rot = vec![b'X'; fs::read(&path).unwrap().len()];
    fs::write(&path, &rot).unwrap();
    // What a HEAD says is worth nothing.
    assert_eq!(node::head(&world.nodes[0], &deleted).await?, 200);
    assert_eq!(node::head(&world.nodes[1], &overwritten).await?, 200);
    world.forget_requests().await?;
    Ok(Harm { deleted, overwritten, rot })
}

async fn look(world: &World, harm: &Harm) -> Result<()> {
    let seen = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(seen["round"]["repairs"], 0);
    assert_eq!(world.count("POST").await?, 0, "--no-repair sent something");
    assert_eq!(world.count("HEAD").await?, 0, "only bytes prove anything");
    let status = world.everhold.status().await?;
    assert_eq!((report::health(&status, "healthy"), report::health(&status, "degraded")), (1, 2));
    let (first, second) = (world.nodes[0].url(), world.nodes[1].url());
    let counts = |url: &str| -> Result<Value> {
        let node = report::node(&status, url)?;
        Ok(json!([node["verified"], node["missing"], node["corrupt"], node["unreachable"]]))
    };
    assert_eq!(counts(&first)?, json!([5, 1, 0, 0]));
    assert_eq!(counts(&second)?, json!([5, 0, 1, 0]));
    assert_eq!(counts(&world.nodes[2].url())?, json!([6, 0, 0, 0]));

    let token = world.token(1).await?;
    let missing = replica(&token, "image", &first)?;
    assert_eq!((&missing["state"], &missing["http_status"]), (&json!("missing"), &json!(404)));
    let token = world.token(2).await?;
    assert_eq!(token["health"], "degraded");
    let corrupt = replica(&token, "metadata", &second)?;
    assert_eq!(corrupt["state"], "corrupt");
    assert_eq!(corrupt["computed"], sha256(&harm.rot), "the evidence");
    assert_eq!(corrupt["bytes"], harm.rot.len());
    for (content, url) in [(&harm.deleted, &first), (&harm.overwritten, &second)] {
        let incident = incidents(&status, content);
        assert_eq!(incident.len(), 1);
        assert_eq!(incident[0]["closed_at"], Value::Null);
        assert_eq!(incident[0]["repairs"], json!([]));
        assert!(report::text(&incident[0]["summary"]).contains(url.as_str()), "{incident:?}");
    }
    Ok(())
}

async fn repair(world: &World, harm: &Harm) -> Result<()> {
    let done = world.once(&[]).await?.gives(0)?;
    assert_eq!((&done["round"]["repairs"], &done["round"]["repaired"]), (&json!(2), &json!(2)));
    let (first, second) = (&world.nodes[0], &world.nodes[1]);
    for (node, hash) in [(first, &harm.deleted), (second, &harm.overwritten)] {
        assert_eq!(sha256(&fs::read(node.path(hash)).unwrap()), **hash, "on its disk");
    }
    let status = world.everhold.status().await?;
    assert_eq!(report::health(&status, "healthy"), 3);
    for (content, node) in [(&harm.deleted, first), (&harm.overwritten, second)] {
        let incident = incidents(&status, content);
        assert_eq!(incident.len(), 1);
        assert!(incident[0]["closed_at"].is_string(), "{}", incident[0]);
        let repairs = items(&incident[0]["repairs"]);
        assert_eq!(repairs.len(), 1, "{repairs:?}");
        assert_eq!(
            (&repairs[0]["node"], &repairs[0]["state"]),
            (&json!(node.url()), &json!("done"))
        );
        assert!(repairs[0]["finished_at"].is_string());
    }
    let token = world.token(1).await?;
    let back = replica(&token, "image", &first.url())?;
    assert_eq!(history(back), ["verified", "missing", "verified"]);
    assert_eq!((&back["state"], &back["held"]), (&json!("verified"), &json!(true)));
    let token = world.token(2).await?;
    let back = replica(&token, "metadata", &second.url())?;
    assert_eq!(history(back), ["verified", "corrupt", "verified"]);
    assert_eq!(content(&token, "metadata")?["independent"], 3);
    Ok(())
}
