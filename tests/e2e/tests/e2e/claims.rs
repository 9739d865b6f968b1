//! Routers and pinning services: what they say is shown, and counts for nothing.

use std::fs;

use axum::response::IntoResponse;
use everhold_e2e::{
    Result, World,
    ended::Ended,
    report::{self, replica, text},
    web::Web,
};
use serde_json::{Value, json};

use crate::support::{refused, small};

const TOKEN: &str = "a-token-nobody-may-see";

/// A router for which everything is announced, and a service that has pinned everything.
async fn claimants() -> Result<(Web, Web)> {
    let router = Web::start(|_| {
        let record =
            json!({"Schema": "peer", "ID": "12D3a", "Addrs": ["/ip4/192.0.2.1/tcp/80/http"]});
        ([("content-type", "application/x-ndjson")], format!("{record}\n")).into_response()
    })
    .await?;
    let service = Web::start(|uri| {
        let query = uri.query().unwrap_or_default();
        let cids = query.split('&').find_map(|pair| pair.strip_prefix("cid=")).unwrap_or_default();
        let pins: Vec<Value> = cids
            .split("%2C")
            .map(|cid| json!({"status": "pinned", "pin": {"cid": cid}, "created": "2999-01-01T00:00:00Z"}))
            .collect();
        json!({"count": pins.len(), "results": pins}).to_string().into_response()
    })
    .await?;
    Ok((router, service))
}

fn settings(router: &Web, service: &Web) -> String {
    format!(
        "[ipfs]\nrouting = [{:?}]\n[[pinning]]\nurl = {:?}\ntoken_file = \"pins.token\"\noperator = \"acme\"\n",
        router.url(),
        service.url()
    )
}

#[tokio::test]
async fn claims_are_shown_and_count_for_nothing() -> Result<()> {
    let (router, service) = claimants().await?;
    let mut world = World::healthy(small()).await?;
    world.settings.more = settings(&router, &service);
    world.configure()?;
    refused(&world, &["watch", "--once"], &["token_file", "pins.token"]).await?;
    fs::write(world.everhold.dir().join("pins.token"), format!("{TOKEN}\n")).unwrap();
    let run = world.once(&["-v"]).await?;
    run.clone().gives(0)?;
    assert!(!run.stderr.contains(TOKEN) && !run.stdout.contains(TOKEN));

    let status = world.everhold.status().await?;
    for (url, kind) in [(router.url(), "routing"), (service.url(), "pinning")] {
        let node = report::node(&status, url)?;
        assert_eq!((text(&node["kind"]), node["claimed"].as_u64()), (kind, Some(2)), "{node}");
        let token = world.token(1).await?;
        let replica = replica(&token, "image", url)?;
        assert_eq!((text(&replica["state"]), &replica["held"]), ("claimed", &Value::Null));
    }

    // All is lost, whatever they say.
    let token = world.token(1).await?;
    for role in ["metadata", "image"] {
        fs::remove_file(world.nodes[0].path(&report::id(&token, role)?)).unwrap();
    }
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&world.everhold.status().await?, "lost"), 1);

    // Nor can they make up for nodes that are not there: whom routers name could, and so it is said.
    world.settings.min = 2;
    world.configure()?;
    let run = world.once(&["--no-repair"]).await?;
    for said in ["1 independent node is", "min = 2", "only by providers that routers name"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    run.gives(3)?;
    let publish = world.publishing(world.art.dir(), &[]);
    let publish: Vec<_> = publish.iter().map(String::as_str).collect();
    refused(&world, &publish, &["1 independent node is", "min = 2"]).await?;
    world.settings.more = String::new();
    world.configure()?;
    refused(&world, &["watch", "--once"], &["1 independent node is", "min = 2: configure"]).await
}
