//! Redirects lead nowhere that a first URL may not.

use everhold_net::{FetchError, Fetcher, RedirectFault, Refusal, Url};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::server::{PRIVATE, PUBLIC, Server, for_nodes, ok, open, unhurried};

fn web() -> Fetcher {
    open(unhurried()).build().unwrap()
}

async fn follow(fetcher: &Fetcher, url: Url) -> Result<(Url, bytes::Bytes), FetchError> {
    let mut body = fetcher.get(url).open_web().open().await?;
    let bytes = body.collect().await?;
    Ok((body.final_url().clone(), bytes))
}

fn fault(outcome: Result<(Url, bytes::Bytes), FetchError>) -> RedirectFault {
    match outcome {
        Err(FetchError::Redirect { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

fn refusal(outcome: Result<(Url, bytes::Bytes), FetchError>) -> Refusal {
    match outcome {
        Err(FetchError::Refused { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

/// `/n` leads to `/n-1`, and `/0` is there.
async fn countdown() -> Server {
    Server::start(PUBLIC, |head, mut stream: TcpStream| async move {
        let n: u32 = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        let answer = match n.checked_sub(1) {
            Some(less) => {
                format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {less}\r\n\r\n")
                    .into_bytes()
            }
            None => ok("", b"there"),
        };
        let _ = stream.write_all(&answer).await;
    })
    .await
}

#[tokio::test]
async fn are_followed_as_far_as_asked() {
    let server = countdown().await;
    let (url, bytes) = follow(&web(), server.url("/5")).await.unwrap();
    assert_eq!((url, &bytes[..]), (server.url("/0"), &b"there"[..]));
    assert_eq!(fault(follow(&web(), server.url("/6")).await), RedirectFault::TooMany(5));
    let request = web().get(server.url("/2")).redirects(1).open().await;
    assert!(matches!(request, Err(FetchError::Redirect { fault: RedirectFault::TooMany(1), .. })));
}

#[tokio::test]
async fn are_off_unless_asked_for() {
    for status in [301, 302, 303, 307, 308] {
        let target = Server::answering(PRIVATE, ok("", b"x")).await;
        let server = Server::redirecting(PRIVATE, status, target.url("/").as_str()).await;
        let fetcher = for_nodes(unhurried(), &[&server, &target]);
        let error = fetcher.get(server.url("/")).open().await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(fetcher.get(server.url("/")).ask().await.unwrap().0, status);
        assert_eq!(target.connections(), 0);
    }
}

#[tokio::test]
async fn a_body_is_never_sent_again() {
    let target = Server::answering(PRIVATE, ok("", b"x")).await;
    for status in [302, 303, 307, 308] {
        let server = Server::redirecting(PRIVATE, status, target.url("/").as_str()).await;
        let fetcher = for_nodes(unhurried(), &[&server, &target]);
        let request = fetcher.post(server.url("/")).redirects(5).body("secret");
        assert_eq!(request.ask().await.unwrap().0, status);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn circles_are_seen() {
    let server = Server::redirecting(PUBLIC, 302, "/").await;
    assert_eq!(fault(follow(&web(), server.url("/")).await), RedirectFault::Loop);
    assert_eq!(server.heads().len(), 1);
    // A fragment makes no other place of it.
    let server = Server::redirecting(PUBLIC, 302, "/x#y").await;
    assert_eq!(fault(follow(&web(), server.url("/")).await), RedirectFault::Loop);
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn locations_are_relative_or_not() {
    let target = Server::answering(PUBLIC, ok("", b"x")).await;
    let port = target.address.port();
    for location in [
        format!("http://127.0.0.2:{port}/a"),
        format!("//127.0.0.2:{port}/a"),
        format!("HTTP://127.2:{port}/b/../a"),
    ] {
        let server = Server::redirecting(PUBLIC, 302, &location).await;
        let (url, _) = follow(&web(), server.url("/q")).await.unwrap();
        assert_eq!(url, target.url("/a"), "{location}");
    }
}

#[tokio::test]
async fn garbage_leads_nowhere() {
    for location in ["http://", "http://[::1", "http://a b/", "http://x:99999/", "//%00/"] {
        let server = Server::redirecting(PUBLIC, 302, location).await;
        let fault = fault(follow(&web(), server.url("/")).await);
        assert_eq!(fault, RedirectFault::NoLocation, "{location}");
    }
    let without = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    let twice = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /a\r\nLocation: /b\r\n\r\n";
    let bytes = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\xff\xfe\r\n\r\n";
    for answer in [without.as_bytes(), twice.as_bytes(), bytes] {
        let server = Server::answering(PUBLIC, answer).await;
        assert_eq!(fault(follow(&web(), server.url("/")).await), RedirectFault::NoLocation);
    }
}

#[tokio::test]
async fn private_addresses_are_not_led_to() {
    let private = Server::answering(PRIVATE, ok("", b"secret")).await;
    let port = private.address.port();
    // Not even where it is configured: a stranger leads there.
    let configured = open(unhurried()).configured([private.url("/")]).build().unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.1."]
    {
        let server = Server::redirecting(PUBLIC, 302, &format!("http://{host}:{port}/")).await;
        for fetcher in [&web(), &configured] {
            let why = refusal(follow(fetcher, server.url("/")).await);
            assert_eq!(why, Refusal::Address, "{host}");
            let plain = fetcher.get(server.url("/")).redirects(5).open().await;
            assert!(matches!(plain, Err(FetchError::Refused { .. })), "{host}: {plain:?}");
        }
    }
    let server = Server::redirecting(PUBLIC, 302, &format!("http://localhost:{port}/")).await;
    for fetcher in [&web(), &configured] {
        assert_eq!(refusal(follow(fetcher, server.url("/")).await), Refusal::Resolves);
    }
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn a_configured_origin_may_lead_to_another() {
    let target = Server::answering(PRIVATE, ok("", b"x")).await;
    let server = Server::redirecting(PRIVATE, 302, target.url("/").as_str()).await;
    let fetcher = for_nodes(unhurried(), &[&server, &target]);
    let body = fetcher.get(server.url("/")).redirects(1).open().await.unwrap();
    assert_eq!(body.final_url(), &target.url("/"));
    let fetcher = for_nodes(unhurried(), &[&server]);
    let refused = fetcher.get(server.url("/")).redirects(1).open().await;
    assert!(matches!(refused, Err(FetchError::Refused { why: Refusal::Address, .. })));
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for location in [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "javascript:alert(1)",
        "data:,x",
        "gopher://x:70/",
    ] {
        let server = Server::redirecting(PUBLIC, 302, location).await;
        let why = refusal(follow(&web(), server.url("/")).await);
        assert!(matches!(why, Refusal::Scheme(_)), "{location}: {why}");
    }
}

#[tokio::test]
async fn userinfo_and_ports_are_refused() {
    let target = Server::answering(PUBLIC, ok("", b"x")).await;
    let port = target.address.port();
    for userinfo in ["me:secret@", "me@", ":secret@"] {
        let location = format!("http://{userinfo}127.0.0.2:{port}/");
        let server = Server::redirecting(PUBLIC, 302, &location).await;
        let error = follow(&web(), server.url("/")).await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(matches!(error, FetchError::Refused { why: Refusal::Userinfo, .. }), "{error}");
    }
    for port in [22, 25, 587] {
        let server = Server::redirecting(PUBLIC, 302, &format!("http://127.0.0.2:{port}/")).await;
        assert_eq!(refusal(follow(&web(), server.url("/")).await), Refusal::Port(port));
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn at_home_lead_to_the_same_host_only() {
    let other = Server::answering(PRIVATE, ok("", b"x")).await;
    let leaving = Server::redirecting(PRIVATE, 302, other.url("/").as_str()).await;
    let fetcher = for_nodes(unhurried(), &[&leaving, &other]);
    let error = fetcher.get(leaving.url("/")).redirects_at_home().open().await.unwrap_err();
    let fault =
        RedirectFault::Elsewhere(format!("{}:{}", "127.0.0.1", other.url("/").port().unwrap()));
    assert!(matches!(error, FetchError::Redirect { fault: found, .. } if found == fault));
    assert_eq!(other.connections(), 0);
    let staying = countdown().await;
    let fetcher = for_nodes(unhurried(), &[&staying]);
    let mut body = fetcher.get(staying.url("/3")).redirects_at_home().open().await.unwrap();
    assert_eq!(&body.collect().await.unwrap()[..], b"there");
}
