//! Connected nodes, codec `dag-pb`, a file of several blocks, content that tokens share; and the
//! JSON that other programs rely on.

use std::fs;

use everhold_e2e::{
    Result, Setup, World, chain,
    ended::Ended,
    node,
    report::{self, content, items, text},
    run::plain,
    sha256,
    shape::lacks,
};
use serde_json::{Value, json};

async fn healthy() -> Result<World> {
    let setup =
        Setup { connected: true, codec: "dag-pb", tokens: 2, large: Some(2), ..Setup::default() };
    let world = World::start(setup).await?;
    // A third token with the first one's picture.
    let first = &world.art.tokens()[0].metadata;
    let third =
        fs::read_to_string(first).unwrap().replacen("\"name\": \"", "\"name\": \"Again ", 1);
    fs::write(first.with_file_name("3.json"), third).unwrap();
    Ok(world)
}

#[tokio::test]
async fn shared_content_is_probed_once_a_node_and_round() -> Result<()> {
    let mut world = healthy().await?;
    world.deploy(&[]).await?;
    let published = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&published["contents"], &published["tokens"]), (&json!(5), &json!(3)));
    world.once(&[]).await?.gives(0)?;
    let large = &world.art.tokens()[1];
    assert!(large.image_bytes > 1 << 20);
    let tokens = [world.token(1).await?, world.token(2).await?, world.token(3).await?];
    let pictures: Vec<_> = tokens.iter().map(|token| report::id(token, "image")).collect();
    let [first, second, third] = &pictures[..] else { panic!() };
    assert_eq!(first.as_ref().unwrap(), third.as_ref().unwrap(), "two tokens share it");
    let second = second.as_ref().unwrap();
    assert!(second.starts_with("Qm"), "{second}");
    assert_eq!(content(&tokens[1], "image")?["size"], large.image_bytes);
    for node in &world.nodes {
        let served = node::bytes(node, second).await?.unwrap();
        assert_eq!(sha256(&served), large.image_sha256);
    }
    world.forget_requests().await?;
    let round = world.once(&[]).await?.gives(0)?;
    assert_eq!(round["round"]["probes"], 15, "five contents on three nodes");
    for token in &tokens {
        for role in ["metadata", "image"] {
            let id = report::id(token, role)?;
            for node in &world.nodes {
                assert_eq!(node::gets(node, &id).await?, 1, "{id}");
            }
        }
    }
    assert_eq!(world.count("HEAD").await? + world.count("POST").await?, 0);
    // One loss shows on both tokens that share the picture, in one incident.
    fs::remove_file(world.nodes[0].path(first.as_ref().unwrap())).unwrap();
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&status, "degraded"), 2);
    assert_eq!(items(&status["incidents"]).len(), 1);
    // And the file of several blocks, rotten in its last one.
    let path = world.nodes[1].path(second);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    let token = world.token(2).await?;
    let rotten = report::replica(&token, "image", &world.nodes[1].url())?;
    assert_eq!(rotten["state"], "corrupt");
    assert!(text(&rotten["computed"]).starts_with("Qm"), "{rotten}");
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn the_json_has_the_shape_that_was_promised() -> Result<()> {
    let mut world = healthy().await?;
    let deployed = world.deploy(&[]).await?;
    let example = json!({"address": "", "transaction": "", "block": 1, "codec": ""});
    assert_eq!(lacks(&deployed, &example), Vec::<String>::new());
    assert_eq!(deployed["codec"], "dag-pb");
    let receipt = world.anvil.receipt(text(&deployed["transaction"])).await?;
    let logged: Vec<_> = items(&receipt["logs"]).iter().map(|log| text(&log["address"])).collect();
    let address = text(&deployed["address"]).to_lowercase();
    assert!(logged.contains(&&*address), "the collection logged who created it: {receipt}");
    assert_eq!(
        text(&receipt["blockNumber"]),
        format!("{:#x}", deployed["block"].as_u64().unwrap())
    );

    world.publish(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    fs::remove_file(world.nodes[0].path(&world.id(1, "metadata").await?)).unwrap();
    let watched = world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    let counts = json!({"pending": 1, "healthy": 1, "degraded": 1, "lost": 1, "unverifiable": 1});
    let example = json!({
        "collections": [{"chain_id": 1, "address": "", "name": "", "tokens": 1, "indexed_block": 1,
            "finalized_block": null, "health": counts}],
        "nodes": [{"url": "", "kind": "", "verified": 1, "claimed": 1, "corrupt": 1, "missing": 1,
            "unreachable": 1}],
        "incidents": [{"id": "", "collection": "", "content": "", "health": "", "opened_at": "",
            "closed_at": "", "repairs": [{}]}],
    });
    for document in [&status, &watched] {
        assert_eq!(lacks(document, &example), Vec::<String>::new(), "{document}");
    }
    let collection = &status["collections"][0];
    assert_eq!((&collection["chain_id"], &collection["name"]), (&json!(31337), &json!("Harbour")));
    assert_eq!(collection["address"], *world.collection, "EIP-55");
    let sum: u64 =
        collection["health"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(collection["tokens"], sum);
    assert_eq!(collection["indexed_block"], world.anvil.head().await?);
    let urls: Vec<_> = items(&status["nodes"]).iter().map(|node| text(&node["url"])).collect();
    assert_eq!(urls, world.nodes.iter().map(|node| node.url()).collect::<Vec<_>>());
    assert!(items(&status["nodes"]).iter().all(|node| node["kind"] == "aleph"));

    let token = world.token(1).await?;
    let example = json!({"token_id": "", "owner": "", "digest": "", "codec": "", "revision": 1,
        "frozen": false, "health": "", "contents": [{"role": "", "id": "", "size": 1, "health": "",
        "required": 1, "replicas": [{"node": "", "state": "", "held": null, "checked_at": "",
        "bytes": 1, "history": [{"state": "", "at": ""}]}]}]});
    assert_eq!(lacks(&token, &example), Vec::<String>::new(), "{token}");
    assert_eq!((&token["token_id"], &token["codec"]), (&json!("1"), &json!("dag-pb")));
    let digest = chain::digest(&world.anvil, &world.collection, 1).await?;
    assert_eq!(token["digest"], format!("0x{digest}"));
    let replica = report::replica(&token, "metadata", &world.nodes[0].url())?;
    assert_eq!(replica["held"], Value::Null, "a CID may come from a node's peers");
    for time in
        [&replica["checked_at"], &replica["history"][0]["at"], &status["incidents"][0]["opened_at"]]
    {
        let time = text(time);
        assert!(time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    }
    Ok(())
}

/// `--json`: one document on stdout and nothing else, however much is said beside; and without
/// it, something for people.
#[tokio::test]
async fn every_command_prints_one_document_or_something_for_people() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let dir = world.art.dir().display().to_string();
    let file = world.art.revise(1, 2)?.metadata.display().to_string();
    let collection = world.collection.clone();
    let at = ["--collection", &collection, "--private-key-file", &world.key];
    let lines = [
        vec!["init", "--config", "new.toml"],
        [&["deploy", "--name", "N", "--symbol", "S"], &at[2..]].concat(),
        [&["publish", &dir, "--dry-run"], &at[..]].concat(),
        [&["publish", &dir], &at[..]].concat(),
        vec!["watch", "--once"],
        [&["update", &file, "--token", "1"], &at[..]].concat(),
        [&["freeze", "--token", "1"], &at[..]].concat(),
        vec!["watch", "--once", "--no-repair"],
        vec!["status"],
        vec!["token", &collection, "1"],
    ];
    for line in lines {
        for level in [&["-q"][..], &[], &["-vv"]] {
            let run = world.everhold.run(line.iter().chain(level)).await?;
            let _ = fs::remove_file(world.everhold.dir().join("new.toml"));
            let ends = run.stdout.matches('\n').count();
            assert!(ends == 1 && run.stdout.ends_with('\n'), "{line:?}: {}", run.stdout);
            run.gives(0).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        }
        let (status, printed, said) = plain(&world.everhold, &line).await?;
        let _ = fs::remove_file(world.everhold.dir().join("new.toml"));
        assert_eq!(status, 0, "{line:?}: {said}");
        assert!(!printed.trim().is_empty(), "{line:?} prints nothing");
        assert!(serde_json::from_str::<Value>(&printed).is_err(), "{line:?}: JSON for people");
        assert!(!printed.contains('\u{1b}'), "{line:?}: escapes, though this is no terminal");
    }
    let (_, printed, _) = plain(&world.everhold, ["token", &collection, "1"]).await?;
    assert!(printed.contains("frozen") && printed.contains("healthy"), "{printed}");
    Ok(())
}
