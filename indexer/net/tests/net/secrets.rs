//! What is meant for one host goes to no other, and nowhere into words.

use everhold_net::{FetchError, Fetcher, Refusal, Url};

use crate::server::{PRIVATE, PUBLIC, Server, for_nodes, ok, open, unhurried};

#[tokio::test]
async fn cookies_are_not_kept() {
    let server =
        Server::answering(PUBLIC, ok("Set-Cookie: id=1; Path=/\r\nConnection: close\r\n", b"x"))
            .await;
    let there = server.url("/").to_string();
    let answer = format!(
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nSet-Cookie: id=2\r\nLocation: {there}\r\n\r\n"
    );
    let first = Server::answering(PUBLIC, answer).await;
    let fetcher = open(unhurried()).build().unwrap();
    for _ in 0..2 {
        fetcher.get(first.url("/")).open_web().open().await.unwrap();
    }
    for head in first.heads().iter().chain(&server.heads()) {
        assert!(!head.to_lowercase().contains("cookie"), "{head}");
    }
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Server::answering(PUBLIC, ok("", b"x")).await;
    let first = Server::redirecting(PUBLIC, 302, other.url("/").as_str()).await;
    let fetcher = open(unhurried()).build().unwrap();
    let request = fetcher.get(first.url("/a?token=secret")).open_web();
    let request = request
        .header("Authorization", "Bearer secret")
        .header("Cookie", "id=secret")
        .header("X-Api-Key", "secret")
        .header("Proxy-Authorization", "secret")
        .header("Accept", "image/png")
        .header("Range", "bytes=0-");
    request.open().await.unwrap();
    let (told, led) = (first.heads()[0].to_lowercase(), other.heads()[0].to_lowercase());
    assert!(told.contains("authorization: bearer secret") && told.contains("x-api-key"));
    assert!(!led.contains("secret"), "{led}");
    // Nor where it came from.
    assert!(!led.contains("referer"), "{led}");
    assert!(led.contains("accept: image/png") && led.contains("range: bytes=0-"), "{led}");
}

#[tokio::test]
async fn headers_stay_within_an_origin() {
    let server = Server::start(PUBLIC, |head, mut stream: tokio::net::TcpStream| async move {
        let answer = if head.starts_with("GET /a ") {
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /b\r\n\r\n".to_vec()
        } else {
            ok("", b"x")
        };
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await;
    })
    .await;
    let fetcher = open(unhurried()).build().unwrap();
    let request = fetcher.get(server.url("/a")).open_web().header("X-Api-Key", "secret");
    request.open().await.unwrap();
    assert!(server.heads()[1].to_lowercase().contains("x-api-key: secret"));
}

#[tokio::test]
async fn userinfo_is_used_where_it_is_configured_and_never_shown() {
    let server = Server::answering(PRIVATE, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").await;
    let port = server.address.port();
    let ours = Url::parse(&format!("http://me:secret@127.0.0.1:{port}/key")).unwrap();
    let fetcher = Fetcher::new(unhurried(), [ours.clone()]).unwrap();
    let request = fetcher.get(ours.join("/x?api_key=secret").unwrap());
    let said = format!("{request:?} {fetcher:?}");
    let error = request.open().await.unwrap_err();
    let head = server.heads()[0].to_lowercase();
    assert!(head.contains("authorization: basic bwu6c2vjcmv0\r\n"), "{head}");
    assert!(!head.contains("secret@"), "{head}");
    let said = format!("{said} {error} {error:?}");
    assert!(!said.contains("secret") && !said.contains("me:"), "{said}");

    let body = fetcher.get(ours).send().await.unwrap();
    assert_eq!(body.final_url().as_str(), format!("http://127.0.0.1:{port}/key"));
    assert!(!format!("{body:?}").contains("secret"));

    let other = Url::parse(&format!("http://me:guess@127.0.0.1:{port}/")).unwrap();
    let error = fetcher.get(other).open().await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { why: Refusal::Userinfo, .. }), "{error}");
    assert!(!error.to_string().contains("guess"));
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn userinfo_of_strangers_is_refused() {
    let server = Server::answering(PUBLIC, ok("", b"x")).await;
    let url = Url::parse(&format!("http://me:secret@{}/", server.address)).unwrap();
    let fetcher = open(unhurried()).build().unwrap();
    let error = fetcher.get(url).open_web().open().await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { why: Refusal::Userinfo, .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

/// A post that is cut off may have been heard: it is for the caller to send it again.
#[tokio::test]
async fn nothing_is_sent_twice() {
    let server = Server::answering(PRIVATE, "").await;
    let fetcher = for_nodes(unhurried(), &[&server]);
    let error = fetcher.post(server.url("/")).json(&[1]).ask().await.unwrap_err();
    assert!(matches!(error, FetchError::Cut { .. }), "{error}");
    assert!(fetcher.get(server.url("/")).ask().await.is_err());
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn json_and_headers_are_sent() {
    let server = Server::answering(PRIVATE, ok("", b"[1]")).await;
    let fetcher = for_nodes(unhurried(), &[&server]);
    let request = fetcher.post(server.url("/")).header("X-A", "b").json("x");
    assert_eq!(request.get_json::<Vec<u8>>().await.unwrap(), [1]);
    let head = server.heads()[0].to_lowercase();
    assert!(head.contains("content-type: application/json\r\n") && head.contains("x-a: b\r\n"));
    assert!(head.contains("user-agent: everhold/") && head.contains("content-length: 3\r\n"));
    let broken = fetcher.get(server.url("/")).header("X\r\nY", "b").ask().await;
    assert!(matches!(broken, Err(FetchError::Request { .. })));
}
