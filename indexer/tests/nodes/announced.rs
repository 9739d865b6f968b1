//! Those who say who has content: routers and pinning services, honest and not; and providers that
//! announce it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use everhold::{
    content::{Cid, Provider, Providers},
    health::ReplicaState::{self, Claimed, Corrupt, Missing, Unreachable, Verified},
    nodes::{
        Announced, ContentNode, Fetcher, Known, Kubo, NodeKind, Pinning, Routing, Seen, confirm,
        probe,
    },
};
use everhold_net::Limits;
use futures::stream;
use serde_json::{Value, json};
use url::Url;

use crate::{
    dag::File,
    support::{Asked, Server, fetcher},
};

fn peer(id: &str, addresses: &[String]) -> Value {
    json!({"Schema": "peer", "ID": id, "Addrs": addresses, "Protocols": ["transport-bitswap"]})
}

fn at(url: &Url) -> String {
    format!("/ip4/{}/tcp/{}/http", url.host_str().unwrap(), url.port().unwrap())
}

fn typed(kind: &'static str, body: impl Into<Body>) -> Response {
    ([("content-type", kind)], body.into()).into_response()
}

async fn ask_router(server: &Server, file: &File) -> Seen {
    let routing = Routing::new(server.url.clone(), fetcher([server.url.clone()]));
    probe(&routing, &file.id, Known::default(), None).await
}

fn said(seen: &Seen) -> (ReplicaState, &str) {
    (seen.state, seen.detail.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn what_a_router_says_is_a_claim() {
    let file = File::raw(b"announced");
    let path = format!("/routing/v1/providers/{}", Cid::from(file.id));
    let records = [
        peer("12D3a", &["/ip4/1.2.3.4/tcp/4001".to_owned()]),
        peer("12D3b", &["/dns4/b.example/tcp/443/https".to_owned()]),
        peer("12D3c", &[]),
        json!({"Schema": "of tomorrow", "ID": "x"}),
    ];
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let document = json!({"Providers": records}).to_string();
    for (kind, body) in
        [("application/x-ndjson", lines), ("application/json; charset=utf-8", document)]
    {
        let server = Server::start(move |_| typed(kind, body.clone())).await;
        let seen = ask_router(&server, &file).await;
        assert_eq!(said(&seen), (Claimed, "3 providers announce it, 1 over HTTP"), "{kind}");
        assert_eq!((seen.held, seen.bytes, seen.sha256), (None, None, None));
        let asked = server.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].path, path);
        assert!(asked[0].header("accept").contains("application/x-ndjson"));
    }
}

#[tokio::test]
async fn a_router_that_knows_nobody_is_missing_and_one_that_fails_is_unreachable() {
    let file = File::raw(b"unknown");
    let empty = || typed("application/json", "{\"Providers\":[]}");
    let server = Server::start(move |_| empty()).await;
    assert_eq!(said(&ask_router(&server, &file).await), (Missing, "nobody announces it"));
    for (status, state) in
        [(404, Missing), (422, Unreachable), (429, Unreachable), (501, Unreachable)]
    {
        let status = StatusCode::from_u16(status).unwrap();
        let server = Server::start(move |_| status.into_response()).await;
        assert_eq!(ask_router(&server, &file).await.state, state, "{status}");
    }
}

#[tokio::test]
async fn a_million_providers_are_read_no_further_than_a_thousand_need() {
    let file = File::raw(b"popular");
    let line = |at: u32| {
        format!(
            "{}\n",
            peer(&format!("peer {at}"), &[format!("/ip4/1.2.3.4/tcp/{}/http", at % 60_000 + 1)])
        )
    };
    let server = Server::start(move |_| {
        let lines = (0..1_000_000).map(line).map(Bytes::from).map(Ok::<_, std::io::Error>);
        typed("application/x-ndjson", Body::from_stream(stream::iter(lines)))
    })
    .await;
    let routing = Routing::new(server.url.clone(), fetcher([server.url.clone()]));
    let found = routing.providers(&file.id).await.unwrap();
    assert!((1_000..30_000).contains(&found.count), "{}", found.count);
    assert!(found.http.len() <= 32);
    // One line that never ends is no record, and is not kept.
    let server = Server::start(|_| typed("application/x-ndjson", vec![b'{'; 8 << 20])).await;
    let routing = Routing::new(server.url.clone(), fetcher([server.url.clone()]));
    let found = routing.providers(&file.id).await.unwrap();
    assert_eq!(found, Providers { passed_over: 1, ..Providers::default() });
}

#[tokio::test]
async fn kubo_is_asked_who_announces_it_old_and_new() {
    let file = File::raw(b"announced to kubo");
    let event = json!({"ID": "", "Type": 4, "Extra": "", "Responses": [{"ID": "12D3a", "Addrs": ["/ip4/1.2.3.4/tcp/80/http"]}]});
    for method in ["routing", "dht"] {
        let line = format!("{event}\n");
        let server = Server::start(move |asked| {
            match asked.path.contains(&format!("/{method}/findprovs?")) {
                true => line.clone().into_response(),
                false => StatusCode::NOT_FOUND.into_response(),
            }
        })
        .await;
        let kubo = Kubo::new(server.url.clone(), fetcher([server.url.clone()]));
        let found = kubo.providers(&file.id).await.unwrap();
        assert_eq!((found.count, found.http.len()), (1, 1), "{method}");
        assert!(server.asked().iter().all(|asked| asked.method == "POST"));
    }
}

/// A fetcher for which loopback is public, as no test has public servers.
fn open_web() -> Fetcher {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Fetcher::builder(Limits::default()).take_for_public(loopback).build().unwrap()
}

async fn confirmed(url: &Url, file: &File, fetcher: &Fetcher) -> Seen {
    let provider = Provider { id: "12D3a".to_owned(), url: url.clone() };
    confirm(&provider, &file.id, Known::default(), fetcher).await
}

/// A trustless gateway of blocks.
fn blocks(file: &File) -> impl Fn(&Asked) -> Response + Send + Sync + 'static {
    let file = file.clone();
    move |asked| {
        let block = file.blocks.iter().find(|(cid, _)| asked.path.contains(&cid.to_string()));
        match block {
            Some((_, block)) if asked.path.contains("format=raw") => block.clone().into_response(),
            Some(_) => StatusCode::NOT_ACCEPTABLE.into_response(),
            None if asked.header("cache-control") == "only-if-cached" => {
                StatusCode::PRECONDITION_FAILED.into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// Who proxies anybody's blocks gives the right bytes, and is no keeper of them.
#[tokio::test]
async fn a_provider_that_does_not_heed_the_wish_stays_claimed() {
    let file = File::of_three_blocks(45);
    let all = blocks(&file);
    let proxy = Server::start(move |asked| match all(asked) {
        answer if answer.status() == 412 => StatusCode::NOT_FOUND.into_response(),
        answer => answer,
    })
    .await;
    let seen = confirmed(&proxy.url, &file, &open_web()).await;
    assert_eq!((seen.state, seen.held), (Claimed, None), "{seen:?}");
    assert!(seen.detail.unwrap().contains("nobody knows that they are its own"));
}

/// Whose copies its bytes are could not be told this once: that is a silence. Three in a row take what it
/// was, as of others, and none gives anything.
#[tokio::test]
async fn a_provider_that_does_not_say_whose_copies_they_are_is_silent() {
    let file = File::of_three_blocks(46);
    let all = blocks(&file);
    let busy = Server::start(move |asked| match all(asked) {
        answer if answer.status() == 412 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        answer => answer,
    })
    .await;
    // One block is not given the first time that it is asked for.
    let (all, last) = (blocks(&file), file.blocks[2].0.to_string());
    let is_first = AtomicBool::new(true);
    let failing = Server::start(move |asked| {
        match asked.path.contains(&last) && is_first.swap(false, SeqCst) {
            true => StatusCode::BAD_GATEWAY.into_response(),
            false => all(asked),
        }
    })
    .await;
    let node = Announced::new(failing.url.clone(), &open_web());
    for seen in [
        confirmed(&busy.url, &file, &open_web()).await,
        probe(&node, &file.id, Known::default(), None).await,
    ] {
        assert_eq!(
            (seen.state, seen.held, seen.is_silence),
            (Unreachable, None, false),
            "{seen:?}"
        );
        assert!(seen.detail.unwrap().contains("could be told whether they are its own"));
    }
    let seen = probe(&node, &file.id, Known::default(), None).await;
    assert_eq!((seen.state, seen.held), (Verified, Some(true)), "{seen:?}");
}

#[tokio::test]
async fn a_provider_that_serves_what_it_announced_is_confirmed() {
    for file in [File::raw(b"served"), File::of_three_blocks(30)] {
        let provider = Server::start(blocks(&file)).await;
        let record = peer("12D3a", &[at(&provider.url)]);
        let router =
            Server::start(move |_| typed("application/x-ndjson", record.to_string())).await;
        let routing = Routing::new(router.url.clone(), fetcher([router.url.clone()]));
        let found = routing.providers(&file.id).await.unwrap();
        let seen = confirm(&found.http[0], &file.id, Known::default(), &open_web()).await;
        assert_eq!((seen.state, seen.held), (Verified, Some(true)), "{seen:?}");
        assert_eq!(seen.bytes, Some(file.bytes.len() as u64));
        // Another content of it is none that was announced, and it has it not.
        assert_eq!(
            confirmed(&provider.url, &File::raw(b"other"), &open_web()).await.state,
            Missing
        );
    }
}

#[tokio::test]
async fn a_provider_that_only_announces_is_not() {
    let file = File::of_three_blocks(40);
    let honest = Server::start(blocks(&file)).await;
    let elsewhere = honest.url.clone();
    let redirecting = Server::start(move |asked| {
        Redirect::temporary(elsewhere.join(&asked.path).unwrap().as_str()).into_response()
    })
    .await;
    let mut wrong = file.clone();
    wrong.blocks[2].1[0] ^= 1;
    let wrong = Server::start(blocks(&wrong)).await;
    let lacking = File { blocks: file.blocks[..2].to_vec(), ..file.clone() };
    let lacking = Server::start(blocks(&lacking)).await;
    let page = Server::start(|_| "<html>all is well</html>".into_response()).await;
    for (server, state) in
        [(&redirecting, Unreachable), (&wrong, Corrupt), (&lacking, Missing), (&page, Unreachable)]
    {
        let seen = confirmed(&server.url, &file, &open_web()).await;
        assert_eq!((seen.state, seen.held), (state, None), "{seen:?}");
    }
    assert!(honest.asked().is_empty(), "nobody is sent on to others");
    // On a private address nobody is asked, not even who is configured.
    let seen = confirmed(&honest.url, &file, &fetcher([honest.url.clone()])).await;
    assert_eq!(seen.state, Unreachable, "{seen:?}");
    assert!(honest.asked().is_empty());
}

/// What is configured for providers alone may be on a private address; what is configured for
/// something else stays out of a router's reach.
#[tokio::test]
async fn a_provider_may_be_private_where_that_is_configured() {
    let file = File::of_three_blocks(60);
    let server = Server::start(blocks(&file)).await;
    let fetcher = fetcher([server.url.clone()]);
    let known = Announced::private(server.url.clone(), &fetcher);
    let seen = probe(&known, &file.id, Known::default(), None).await;
    assert_eq!((seen.state, seen.held), (Verified, Some(true)), "{seen:?}");
    let unknown = Announced::new(server.url.clone(), &fetcher);
    let seen = probe(&unknown, &file.id, Known::default(), None).await;
    assert_eq!(seen.state, Unreachable, "{seen:?}");
    assert!(!fetcher.allows_strangers(&server.url) && fetcher.allows(&server.url));
}

#[tokio::test]
async fn the_routing_of_a_kubo_node_is_a_router() {
    let file = File::raw(b"announced to kubo's routing");
    let event = json!({"ID": "", "Type": 4, "Extra": "", "Responses": [{"ID": "12D3a", "Addrs": ["/ip4/1.2.3.4/tcp/80/http"]}]});
    let line = format!("{event}\n");
    let server = Server::start(move |_| line.clone().into_response()).await;
    let routing = Routing::of_kubo(&server.url, fetcher([server.url.clone()]));
    let seen = probe(&routing, &file.id, Known::default(), None).await;
    assert_eq!(said(&seen), (Claimed, "1 provider announces it, 1 over HTTP"));
    assert_eq!(seen.named.len(), 1);
    assert_eq!(seen.named[0].url.as_str(), "http://1.2.3.4/");
    assert_eq!(routing.kind(), NodeKind::Routing);
    assert!(routing.url().path().ends_with("/findprovs"), "it is no name of the node itself");
}

/// One that takes the question and never answers is waited for no longer than anybody.
#[tokio::test]
async fn a_provider_that_never_serves_is_given_up() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    let limits = Limits { first_byte: Duration::from_millis(300), ..Limits::default() };
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let fetcher = Fetcher::builder(limits).take_for_public(loopback).build().unwrap();
    let seen = confirmed(&url, &File::raw(b"promised"), &fetcher).await;
    silent.abort();
    assert_eq!((seen.state, seen.held), (Unreachable, None), "{seen:?}");
    assert!(seen.detail.unwrap().contains("no byte came"));
}

const TOKEN: &str = "a-token-nobody-may-see";

async fn ask_service(server: &Server, file: &File) -> Seen {
    let fetcher = fetcher([server.url.clone()]);
    let service = Pinning::new(server.url.join("/psa").unwrap(), TOKEN.to_owned(), fetcher);
    assert!(!format!("{service:?}").contains(TOKEN));
    let seen = probe(&service, &file.id, Known::default(), None).await;
    assert!(!format!("{seen:?}").contains(TOKEN), "{seen:?}");
    assert_eq!(seen.held, None);
    assert_ne!(seen.state, Verified);
    seen
}

fn pins(cids: &[(&str, &str)]) -> Response {
    let results: Vec<_> = cids
        .iter()
        // The clock of the service is of no account.
        .map(|(cid, status)| json!({"requestid": "1", "status": status, "created": "2999-01-01T00:00:00Z", "pin": {"cid": cid}}))
        .collect();
    typed("application/json", json!({"count": results.len(), "results": results}).to_string())
}

#[tokio::test]
async fn what_a_pinning_service_says_is_a_claim() {
    let file = File::of_three_blocks(50);
    let (old, new) = (file.id.cid(), Cid::from(file.id).to_string());
    for cid in [&old, &new] {
        let cid = cid.clone();
        let server = Server::start(move |_| pins(&[(&cid, "failed"), (&cid, "pinned")])).await;
        assert_eq!(ask_service(&server, &file).await.state, Claimed);
        let asked = server.asked();
        assert_eq!(asked[0].header("authorization"), format!("Bearer {TOKEN}"));
        assert!(asked[0].path.starts_with("/psa/pins?"), "{}", asked[0].path);
        assert!(asked[0].path.contains(&old) && asked[0].path.contains(&new));
    }
    let other = File::raw(b"another").id.cid();
    for answer in [
        vec![],
        vec![(old.clone(), "queued")],
        vec![(old.clone(), "failed")],
        vec![(other, "pinned")],
    ] {
        let shown = format!("{answer:?}");
        let server = Server::start(move |_| {
            pins(&answer.iter().map(|(cid, status)| (cid.as_str(), *status)).collect::<Vec<_>>())
        })
        .await;
        assert_eq!(ask_service(&server, &file).await.state, Missing, "{shown}");
    }
}

#[tokio::test]
async fn a_service_that_fails_is_unreachable_and_its_words_are_not_repeated() {
    let file = File::raw(b"pinned");
    for status in [401, 403, 404, 500] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = Server::start(move |asked| {
            (status, asked.header("authorization").to_owned()).into_response()
        })
        .await;
        let seen = ask_service(&server, &file).await;
        assert_eq!((seen.state, seen.http_status), (Unreachable, Some(status.as_u16())));
    }
    for body in ["{}", "[]", TOKEN, "{\"results\":[{\"status\":\"a-token-nobody-may-see\"}]}"] {
        let server = Server::start(move |_| body.into_response()).await;
        assert_eq!(ask_service(&server, &file).await.state, Unreachable, "{body}");
    }
}
