//! Names and addresses lead to the public internet, or to what is configured.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use everhold_net::{FetchError, Fetcher, Refusal, Resolver, Url, witnessed};
use futures::future::{BoxFuture, ready};

use crate::server::{PRIVATE, PUBLIC, Server, for_nodes, ok, open, unhurried};

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
const REFUSAL: &str = "HTTP/1.1 415 Unsupported\r\nContent-Length: 0\r\n\r\n";

/// Answers with the first list, then the second, and so on; the last again and again.
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Resolver for Changing {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Ok(self.answers[turn.min(self.answers.len() - 1)].clone())))
    }
}

fn web(answers: &[&[IpAddr]]) -> (Fetcher, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    let resolver = Changing { answers, asked: asked.clone() };
    (open(unhurried()).resolver(resolver).build().unwrap(), asked)
}

fn named(server: &Server) -> Url {
    Url::parse(&format!("http://rebind.test:{}/", server.address.port())).unwrap()
}

async fn fetch(fetcher: &Fetcher, url: Url) -> Result<bytes::Bytes, FetchError> {
    fetcher.get(url).open_web().open().await?.collect().await
}

/// A public and a private server on the same port.
async fn pair() -> (Server, Server) {
    loop {
        let public = Server::answering(PUBLIC, ok("", b"public")).await;
        let port = public.address.port();
        let Ok(probe) = tokio::net::TcpListener::bind((PRIVATE, port)).await else { continue };
        drop(probe);
        return (public, Server::on(PRIVATE, port, ok("", b"private")).await);
    }
}

#[tokio::test]
async fn name_that_changes_its_mind() {
    let (public, private) = pair().await;
    let (fetcher, asked) = web(&[&[PUBLIC], &[PRIVATE]]);
    assert_eq!(fetch(&fetcher, named(&public)).await.unwrap(), "public");
    // Between judging and connecting nobody asked again.
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let error = fetch(&fetcher, named(&public)).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { why: Refusal::Resolves, .. }), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn an_answer_has_the_address_that_it_came_from() {
    let (public, _private) = pair().await;
    let (fetcher, _) = web(&[&[PRIVATE, PUBLIC]]);
    let (answer, addresses) = witnessed(fetch(&fetcher, named(&public))).await;
    assert_eq!(answer.unwrap(), "public");
    assert_eq!(addresses, BTreeSet::from([PUBLIC]));
}

#[tokio::test]
async fn only_what_gives_something_is_witnessed_and_only_by_who_asked() {
    let (one, other) = pair().await;
    let refusing = Server::answering(OTHER, REFUSAL).await;
    let fetcher = for_nodes(unhurried(), &[&one, &other, &refusing]);
    let ask = async |server: &Server| fetcher.get(server.url("/")).ask().await.map(|said| said.0);
    // As from a decoy that refuses, and sends another to give the blocks.
    let refused_first = witnessed(async { (ask(&refusing).await, ask(&one).await) });
    let (first, second) = futures::join!(refused_first, witnessed(ask(&other)));
    assert!(matches!(first.0, (Ok(415), Ok(200))), "{:?}", first.0);
    assert_eq!(first.1, BTreeSet::from([PUBLIC]));
    assert_eq!(second.1, BTreeSet::from([PRIVATE]), "each sees its own");
    let (_, both) = witnessed(async { (ask(&one).await, ask(&other).await) }).await;
    assert_eq!(both, BTreeSet::from([PUBLIC, PRIVATE]));
    let (_, none) = witnessed(ask(&refusing)).await;
    assert!(none.is_empty(), "{none:?}");
}

#[tokio::test]
async fn name_that_leads_to_both() {
    let (public, private) = pair().await;
    for answer in [[PRIVATE, PUBLIC], [PUBLIC, PRIVATE]] {
        let (fetcher, _) = web(&[&answer]);
        assert_eq!(fetch(&fetcher, named(&public)).await.unwrap(), "public");
    }
    // Nor is the private one tried when the public one is not there.
    let url = named(&public);
    drop(public);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let (fetcher, _) = web(&[&[PUBLIC, PRIVATE]]);
    let error = fetch(&fetcher, url).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn name_that_leads_to_nothing_or_only_inside() {
    let server = Server::answering(PRIVATE, ok("", b"x")).await;
    let (fetcher, _) = web(&[&[]]);
    let error = fetch(&fetcher, named(&server)).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("its name has no address"), "{error}");

    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"]
    {
        let (fetcher, _) = web(&[&[inside.parse().unwrap()]]);
        let error = fetch(&fetcher, named(&server)).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused { why: Refusal::Resolves, .. }), "{error}");
    }
    // `localhost` by the machine's own resolver.
    let fetcher = Fetcher::new(unhurried(), []).unwrap();
    for host in ["localhost", "LOCALHOST", "localhost."] {
        let url = Url::parse(&format!("http://{host}:{}/", server.address.port())).unwrap();
        let error = fetch(&fetcher, url).await.unwrap_err();
        let seen = matches!(error, FetchError::Refused { why: Refusal::Resolves, .. });
        // Not every resolver knows the name with a final dot.
        assert!(seen || host.ends_with('.'), "{error}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn every_notation_of_an_address() {
    let server = Server::answering(PRIVATE, ok("", b"x")).await;
    let port = server.address.port();
    let fetcher = Fetcher::new(unhurried(), []).unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "%3127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "[::]",
        "0",
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "192.0.0.192",
    ] {
        let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
        for request in [fetcher.get(url.clone()), fetcher.get(url).open_web()] {
            let error = request.open().await.unwrap_err();
            assert!(
                matches!(error, FetchError::Refused { why: Refusal::Address, .. }),
                "{host}: {error}"
            );
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn configured_is_a_host_and_a_port() {
    let (node, other) = (
        Server::answering(PRIVATE, ok("", b"node")).await,
        Server::answering(PRIVATE, ok("", b"other")).await,
    );
    let fetcher = for_nodes(unhurried(), &[&node]);
    assert_eq!(fetcher.get(node.url("/any/path")).ask().await.unwrap().1, "node");
    let refused = fetcher.get(other.url("/")).ask().await;
    assert!(matches!(refused, Err(FetchError::Refused { why: Refusal::Address, .. })));
    // A URL that strangers chose is none of ours, though it be the same.
    let refused = fetcher.get(node.url("/")).open_web().open().await;
    assert!(matches!(refused, Err(FetchError::Refused { why: Refusal::Address, .. })));
    assert_eq!((node.connections(), other.connections()), (1, 0));

    // By name, too; the name is resolved by whatever the machine resolves by.
    let port = node.address.port();
    let named = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    let fetcher = Fetcher::new(unhurried(), [named.clone()]).unwrap();
    assert_eq!(fetcher.get(named).ask().await.unwrap().1, "node");
    let twin = Url::parse(&format!("http://LocalHost:{port}/x")).unwrap();
    assert_eq!(fetcher.get(twin).ask().await.unwrap().1, "node");
    let refused = fetcher.get(node.url("/")).ask().await;
    assert!(matches!(refused, Err(FetchError::Refused { .. })), "127.0.0.1 is not configured");
}
