//! Nodes that want to be left alone, or are down: they are asked no more than makes sense, and hold up
//! no other.

use std::sync::Mutex;

use axum::{http::StatusCode, response::IntoResponse};
use everhold_e2e::{
    Result, Setup, World,
    content::cid_v1,
    ended::Ended,
    report::{self, content, history, items, replica, text},
    web::Web,
};
use serde_json::{Value, json};

fn many() -> Setup {
    Setup { nodes: 2, tokens: 12, ..Setup::default() }
}

/// Requests for files that the first node got.
async fn gets(world: &World) -> Result<u64> {
    let requests = world.nodes[0].requests().await?;
    let counts = requests["counts"].as_object().cloned().unwrap_or_default();
    let gets = counts.iter().filter(|(what, _)| what.starts_with("GET /api/v0/storage/raw/"));
    Ok(gets.filter_map(|(_, count)| count.as_u64()).sum())
}

/// The first node answers everything so.
async fn answers(world: &World, status: u16) -> Result<()> {
    let all = json!({"hash": null, "kind": "status", "status": status, "path": "/api/"});
    world.nodes[0].fault(all).await?;
    world.forget_requests().await
}

async fn picture(world: &World, token: u64) -> Result<Value> {
    Ok(replica(&world.token(token).await?, "image", &world.nodes[0].url())?.clone())
}

#[tokio::test]
async fn what_a_node_did_not_say_that_was_asked_too_often_counts_for_nothing() -> Result<()> {
    let world = World::healthy(many()).await?;
    answers(&world, 429).await?;
    // The second node is looked at as ever, and what was seen of the first stands.
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(items(&status["incidents"]).len(), 0);
    for token in [1, 12] {
        let seen = picture(&world, token).await?;
        assert_eq!((history(&seen), &seen["failures"]), (vec!["verified"], &json!(0)));
    }
    let asked = gets(&world).await?;
    assert!((1..=16).contains(&asked), "{asked} requests to a node that said 429");
    Ok(())
}

/// Of a content that nobody has, gateways say 504: that says nothing of what else they have.
#[tokio::test]
async fn contents_that_a_node_fails_at_hide_no_other() -> Result<()> {
    let world = World::healthy(many()).await?;
    world.nodes[0]
        .fault(json!({"hash": null, "kind": "status", "status": 504,
        "path": "/api/v0/storage/raw/", "times": 20}))
        .await?;
    world.forget_requests().await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    // Each was asked for: twenty failures, and twenty-four answers.
    assert_eq!(gets(&world).await?, 44);
    for token in [1, 12] {
        let seen = picture(&world, token).await?;
        assert_eq!((text(&seen["state"]), &seen["failures"]), ("verified", &json!(0)));
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_down_is_not_asked_for_each_content() -> Result<()> {
    let mut world = World::healthy(many()).await?;
    let (first, second) = (world.nodes[0].url(), world.nodes[1].url());
    world.nodes[0].stop().await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::node(&status, &first)?["unreachable"], 24);
    assert_eq!(report::node(&status, &second)?["verified"], 24);
    assert_eq!(report::health(&status, "degraded"), 12);
    let said = async |token| -> Result<bool> {
        let seen = picture(&world, token).await?;
        assert_eq!((text(&seen["state"]), &seen["failures"]), ("unreachable", &json!(3)));
        Ok(text(&seen["detail"]).contains("is not asked for each content now"))
    };
    let mut unasked = 0;
    for token in 1..=12 {
        unasked += u32::from(said(token).await?);
    }
    assert!(unasked > 0, "each was asked for three times");
    // As soon as it answers, all is well again.
    world.nodes[0].restart().await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(report::node(&status, &first)?["verified"], 24);
    assert_eq!(content(&world.token(7).await?, "image")?["health"], "healthy");
    Ok(())
}

#[tokio::test]
async fn a_budget_is_kept() -> Result<()> {
    let mut world = World::healthy(Setup { nodes: 1, tokens: 12, ..Setup::default() }).await?;
    // Twenty at once, then two a second.
    world.settings.more = "[probes]\nnode_requests_per_second = 2\n".to_owned();
    world.configure()?;
    world.forget_requests().await?;
    let run = world.once(&["--no-repair"]).await?;
    assert!(run.took.as_millis() > 1_500, "{:?}: 24 probes, 20 of them saved", run.took);
    run.gives(0)?;
    assert_eq!(gets(&world).await?, 24);
    Ok(())
}

/// A node fails at one content, and wants to be left alone for an hour where it is asked for the other: so the
/// first waits for a retry that can't come.
#[tokio::test]
async fn a_single_round_ends_though_a_node_wants_to_be_left_alone_for_an_hour() -> Result<()> {
    let mut world = World::healthy(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    let metadata = cid_v1("55", &world.id(1, "metadata").await?);
    let image = cid_v1("55", &world.id(1, "image").await?);
    let first = Mutex::new(None);
    let gateway = Web::start(move |uri| {
        let of = [&metadata, &image].into_iter().find(|cid| uri.path().contains(cid.as_str()));
        // Of what nobody has, it says nothing either.
        let Some(of) = of else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
        if first.lock().unwrap().get_or_insert_with(|| of.clone()) == of {
            return StatusCode::BAD_GATEWAY.into_response();
        }
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response()
    })
    .await?;
    world.settings.more = format!("[ipfs]\ngateways = [{:?}]\n", gateway.url());
    world.configure()?;
    let run = world.once(&["--no-repair"]).await?;
    assert!(run.took.as_secs() < 30, "{:?}", run.took);
    run.gives(0)?;
    assert!((3..60).contains(&gateway.asked()), "{} requests", gateway.asked());
    Ok(())
}
