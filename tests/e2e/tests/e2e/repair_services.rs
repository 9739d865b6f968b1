//! Pinning services: asked last, once each, and believed nothing.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use everhold_e2e::{
    Result, Setup, World,
    ended::Ended,
    node,
    report::{items, text},
    web::Web,
};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-nobody-may-see";

/// A pinning service with a memory, and what it was asked to pin.
#[derive(Clone, Default)]
struct Service {
    /// By CID: the request's name, and its status.
    pins: Arc<Mutex<BTreeMap<String, (String, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// What becomes of a request.
    says: Arc<Mutex<String>>,
}

impl Service {
    async fn start(says: &str) -> (Self, String) {
        let service = Self { says: Arc::new(Mutex::new(says.to_owned())), ..Self::default() };
        let app = Router::new()
            .route("/pins", get(list).post(pin))
            .route("/pins/{id}", post(replace))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (service, url)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn take(&self, cid: &str, id: String) -> (StatusCode, Json<Value>) {
        let status = self.says.lock().unwrap().clone();
        self.asked.lock().unwrap().push(cid.to_owned());
        self.pins.lock().unwrap().insert(cid.to_owned(), (id.clone(), status.clone()));
        (StatusCode::ACCEPTED, Json(shown(cid, &id, &status)))
    }
}

fn shown(cid: &str, id: &str, status: &str) -> Value {
    json!({"requestid": id, "status": status, "created": "2026-11-26T00:00:00Z",
        "pin": {"cid": cid}, "delegates": []})
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == format!("Bearer {TOKEN}").as_str())
}

async fn list(
    State(service): State<Service>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"reason": "UNAUTHORIZED"}})));
    }
    let cids: Vec<_> = query["cid"].split(',').map(str::to_owned).collect();
    let pins = service.pins.lock().unwrap();
    let found = pins.iter().filter(|(cid, _)| cids.contains(cid));
    let results: Vec<_> = found.map(|(cid, (id, status))| shown(cid, id, status)).collect();
    (StatusCode::OK, Json(json!({"count": results.len(), "results": results})))
}

async fn pin(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if !is_allowed(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": {"reason": "UNAUTHORIZED"}})));
    }
    let id = format!("request-{}", service.asked().len());
    service.take(text(&asked["cid"]), id)
}

async fn replace(
    State(service): State<Service>,
    Path(id): Path<String>,
    Json(asked): Json<Value>,
) -> (StatusCode, Json<Value>) {
    service.take(text(&asked["cid"]), format!("{id}-again"))
}

/// One aleph node has everything, `min` is 2, and a service might help.
async fn in_need(url: &str, gateway: &Web) -> Result<World> {
    let setup = Setup { nodes: 2, tokens: 1, codec: "dag-pb", connected: true, ..Setup::default() };
    let mut world = World::healthy(setup).await?;
    world.settings.nodes.pop();
    world.settings.more = format!(
        "[[pinning]]\nurl = {url:?}\ntoken_file = \"pins.token\"\n[ipfs]\ngateways = [{:?}]\n",
        gateway.url()
    );
    fs::write(world.everhold.dir().join("pins.token"), TOKEN).unwrap();
    world.configure()?;
    Ok(world)
}

/// A gateway that has nothing.
async fn poor() -> Result<Web> {
    Web::start(|_| StatusCode::NOT_FOUND.into_response()).await
}

async fn repairs(world: &World, role: &str) -> Result<Vec<Value>> {
    let token = world.token(1).await?;
    let content = items(&token["contents"]).iter().find(|one| text(&one["role"]) == role);
    Ok(items(&content.expect("the content")["repairs"]).to_vec())
}

/// It says that it has pinned everything at once, and nobody serves it since.
#[tokio::test]
async fn a_service_that_says_pinned_and_is_not_helps_nobody() -> Result<()> {
    let (service, url) = Service::start("pinned").await;
    let gateway = poor().await?;
    let world = in_need(&url, &gateway).await?;
    let soon = [("EVERHOLD_REPAIR_PIN_WAIT", "1s")];
    let run = world.everhold.run_with(["watch", "--once", "-v"], &soon).await?;
    assert!(!run.stderr.contains(TOKEN) && !run.stdout.contains(TOKEN));
    assert!(!run.stderr.contains("without you"), "it may still help: {}", run.stderr);
    run.gives(3)?;
    assert_eq!(service.asked().len(), 2, "once for each content");
    let sent = repairs(&world, "image").await?;
    let last = sent.last().unwrap();
    assert_eq!((text(&last["action"]), text(&last["state"])), ("pin-request", "sent"), "{last}");
    assert!(text(&last["message"]).starts_with("request-"), "{last}");

    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.everhold.run_with(["watch", "--once"], &soon).await?.gives(3)?;
    let failed = repairs(&world, "image").await?;
    let last = failed.iter().find(|one| text(&one["action"]) == "pin-request").unwrap();
    assert_eq!(text(&last["state"]), "failed", "{last}");
    assert!(text(&last["detail"]).contains("no node was seen to serve it"), "{last}");
    assert_eq!(service.asked().len(), 2, "it says that it has it: it is not asked again");
    let token = world.token(1).await?;
    assert_eq!(token["health"], "degraded");
    Ok(())
}

/// It is done once others are seen to serve the content, and not before.
#[tokio::test]
async fn a_pin_is_proved_by_others_who_serve_the_content() -> Result<()> {
    let (service, url) = Service::start("queued").await;
    let gateway = poor().await?;
    let mut world = in_need(&url, &gateway).await?;
    world.once(&[]).await?.gives(3)?;
    world.once(&[]).await?.gives(3)?;
    assert_eq!(service.asked().len(), 2, "what was asked for is waited for");
    let sent = repairs(&world, "metadata").await?;
    assert!(sent.iter().all(|one| text(&one["state"]) != "done"), "{sent:?}");
    // As though the service's own node were one of those that are asked.
    let id = world.id(1, "metadata").await?;
    assert!(node::bytes(&world.nodes[1], &id).await?.is_some());
    world.settings.nodes.push(world.nodes[1].url());
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let done = repairs(&world, "metadata").await?;
    let pin = done.iter().find(|one| text(&one["action"]) == "pin-request").unwrap();
    assert_eq!(text(&pin["state"]), "done", "{pin}");
    Ok(())
}

/// One that failed is asked for in the place of the first, with the token.
#[tokio::test]
async fn a_pin_that_failed_is_asked_for_anew() -> Result<()> {
    let (service, url) = Service::start("failed").await;
    let gateway = poor().await?;
    let world = in_need(&url, &gateway).await?;
    let soon = [("EVERHOLD_REPAIR_PIN_WAIT", "0s")];
    world.everhold.run_with(["watch", "--once"], &soon).await?.gives(3)?;
    world.everhold.run_with(["watch", "--once"], &soon).await?.gives(3)?;
    let ids: Vec<_> = service.pins.lock().unwrap().values().map(|(id, _)| id.clone()).collect();
    assert!(ids.iter().all(|id| id.ends_with("-again")), "{ids:?}");
    // Refused: the token is another's now.
    fs::write(world.everhold.dir().join("pins.token"), "another").unwrap();
    world.once(&[]).await?.gives(3)?;
    Ok(())
}

/// What is cheaper does not wait for a service that takes its time.
#[tokio::test]
async fn a_request_that_is_queued_keeps_nothing_cheaper_from_being_done() -> Result<()> {
    let (service, url) = Service::start("queued").await;
    let mut world = World::healthy(crate::repair::two()).await?;
    crate::repair::without_stores(&world).await?;
    let key = world.settings.repair_key.take();
    world.settings.more = format!("[[pinning]]\nurl = {url:?}\ntoken_file = \"pins.token\"\n");
    fs::write(world.everhold.dir().join("pins.token"), TOKEN).unwrap();
    world.configure()?;
    world.once(&[]).await?.gives(3)?;
    assert_eq!(service.asked().len(), 2);
    world.settings.repair_key = key;
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(service.asked().len(), 2);
    Ok(())
}
