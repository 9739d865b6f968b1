//! Providers that a router names: those that serve what they announced are replicas, the others do
//! no harm.

use std::fs;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use everhold_e2e::{
    Result, Setup, World,
    blocks::Block,
    ended::Ended,
    report::{self, content, id, items, replica, text},
    web::Web,
};
use serde_json::{Value, json};

use crate::support::small;

/// Of the two contents of the one token.
fn blocks(world: &World, token: &Value) -> Result<Vec<Block>> {
    let block = |role| {
        let path = world.nodes[0].path(&id(token, role)?);
        Ok(Block::raw(&fs::read(path).unwrap()))
    };
    ["metadata", "image"].into_iter().map(block).collect()
}

/// The address of a server as routers tell it.
fn peer(number: usize, url: &str) -> Value {
    let (host, port) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    let address = format!("/ip4/{host}/tcp/{port}/http");
    json!({"Schema": "peer", "ID": format!("12D3{number}"), "Addrs": [address]})
}

/// A router that names these, whatever it is asked for.
async fn router(urls: &[String]) -> Result<Web> {
    let lines = urls.iter().enumerate().map(|(number, url)| format!("{}\n", peer(number, url)));
    let lines: String = lines.collect();
    Web::start(move |uri| match uri.path().starts_with("/routing/v1/providers/") {
        true => ([("content-type", "application/x-ndjson")], lines.clone()).into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    })
    .await
}

fn settings(router: &Web, may_be_asked: &[&str]) -> String {
    format!("[ipfs]\nrouting = [{:?}]\nprivate_hosts = {may_be_asked:?}\n", router.url())
}

fn unavailable(_: &axum::http::Uri) -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// A gateway of blocks that has one for every name.
fn other_bytes(uri: &axum::http::Uri) -> Response {
    match uri.query().unwrap_or_default().contains("format=raw") {
        true => b"other bytes".to_vec().into_response(),
        false => StatusCode::NOT_ACCEPTABLE.into_response(),
    }
}

#[tokio::test]
async fn a_content_reaches_min_by_a_provider_that_serves_it() -> Result<()> {
    reaches_min(None).await
}

#[tokio::test]
async fn a_content_reaches_min_by_a_provider_with_postgres() -> Result<()> {
    reaches_min(Some(crate::postgres::server::new_database().await)).await
}

async fn reaches_min(database: Option<String>) -> Result<()> {
    let mut world = World::healthy(Setup { database, ..small() }).await?;
    let all = blocks(&world, &world.token(1).await?)?;
    let all: Vec<_> = all.iter().collect();
    let honest = Web::of_blocks_at(2, &all, None).await?;
    let silent = Web::start_at(3, unavailable).await?;
    let wrong = Web::start_at(4, other_bytes).await?;
    let hidden = Web::of_blocks_at(5, &all, None).await?;
    let named = [&honest, &silent, &wrong, &hidden].map(|web| web.url().to_owned());
    let router = router(&named).await?;
    world.settings.min = 2;
    world.settings.more = settings(&router, &[honest.url(), silent.url(), wrong.url()]);
    world.configure()?;

    let run = world.once(&["--no-repair"]).await?;
    assert!(run.stderr.contains("only by providers that routers name for it"), "{}", run.stderr);
    run.gives(0)?;
    let token = world.token(1).await?;
    for role in ["metadata", "image"] {
        let served = replica(&token, role, honest.url())?;
        assert_eq!((text(&served["state"]), &served["held"]), ("verified", &json!(true)));
        for (web, detail) in [(&silent, "503"), (&wrong, "no blocks")] {
            let announced = replica(&token, role, web.url())?;
            assert_eq!(text(&announced["state"]), "claimed", "{announced}");
            assert!(text(&announced["detail"]).contains(detail), "{announced}");
        }
        let why = content(&token, role)?["why"].to_string();
        assert!(why.contains("2 of 2 required independent replicas"), "{why}");
        assert!(why.contains("say that they have it, which proves nothing"), "{why}");
    }
    assert_eq!(hidden.asked(), 0, "a router leads nobody into a private network");
    let status = world.everhold.status().await?;
    let node = report::node(&status, honest.url())?;
    assert_eq!((text(&node["kind"]), &node["verified"]), ("provider", &json!(2)), "{node}");
    assert!(report::node(&status, hidden.url()).is_err());

    // What a node has lost comes back from it.
    let image = world.nodes[0].path(&id(&token, "image")?);
    fs::remove_file(&image).unwrap();
    world.once(&[]).await?.gives(0)?;
    assert!(image.is_file());

    // It stops: the content is short of one, and it alone is no name in what is told.
    let gone = honest.url().to_owned();
    drop(honest);
    world.once(&["--no-repair"]).await?.gives(3)?;
    let token = world.token(1).await?;
    assert_eq!(text(&replica(&token, "image", &gone)?["state"]), "claimed");
    let status = world.everhold.status().await?;
    assert_eq!(report::health(&status, "degraded"), 1);
    for incident in items(&status["incidents"]) {
        assert!(!text(&incident["summary"]).contains("127.0.0.2"), "{incident}");
    }

    // Without the router there are none.
    world.settings.min = 1;
    world.settings.more = String::new();
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    assert!(items(&status["nodes"]).iter().all(|node| node["kind"] != "provider"), "{status}");
    Ok(())
}

/// Of a router that names many who serve nothing, and one who does.
#[tokio::test]
async fn a_flood_does_not_keep_out_who_serves() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let all = blocks(&world, &world.token(1).await?)?;
    let honest = Web::of_blocks_at(2, &all.iter().collect::<Vec<_>>(), None).await?;
    // Nobody listens there.
    let mut named: Vec<_> = (1..32).map(|at| format!("http://127.0.1.{at}:49999")).collect();
    named.push(honest.url().to_owned());
    let router = router(&named).await?;
    let may_be_asked: Vec<_> = named.iter().map(String::as_str).collect();
    world.settings.more = settings(&router, &may_be_asked);
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    let of_kind = |node: &&Value| node["kind"] == "provider";
    let providers = items(&status["nodes"]).iter().filter(of_kind).count();
    assert!(providers <= 2 * 8, "{providers}");
    assert!(items(&status["incidents"]).is_empty(), "{status}");
    // Each answer is another draw: with one in four, forty of them all but never fail.
    world.settings.min = 2;
    world.configure()?;
    for _ in 0..40 {
        if world.once(&["--no-repair"]).await?.status == 0 {
            return Ok(());
        }
    }
    panic!("who serves never got a place");
}
