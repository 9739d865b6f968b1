//! TLS: whom one trusts is told to a process by its environment, so each of these asks one of its
//! own, which is this program again.

use std::{path::Path, process::Stdio, sync::Arc};

use everhold_net::{Fetcher, Limits, Taken, Url};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::accept_async;

/// The URLs that the child asks for.
const URLS: &str = "EVERHOLD_TEST_URLS";

/// Somebody who issues certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server's side, for a host.
    fn server(&self, host: &str, protocol: &str) -> TlsAcceptor {
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A server on `localhost` that does `work` with each connection.
async fn serve<F>(
    scheme: &str,
    acceptor: TlsAcceptor,
    work: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(work(stream));
            }
        }
    });
    url
}

async fn http1(mut stream: TlsStream<TcpStream>) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nh1";
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

async fn http2(stream: TlsStream<TcpStream>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut answer))) = connection.accept().await {
        let head = http::Response::new(());
        answer.send_response(head, false).unwrap().send_data("h2".into(), true).unwrap();
    }
}

async fn echo(stream: TlsStream<TcpStream>) {
    use futures::{SinkExt, StreamExt};
    let Ok(mut socket) = accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let _ = socket.send(message).await;
    }
}

/// One server of each kind, for a host.
async fn servers(authority: &Authority, host: &str) -> [String; 3] {
    [
        serve("https", authority.server(host, "http/1.1"), http1).await,
        serve("https", authority.server(host, "h2"), http2).await,
        serve("wss", authority.server(host, "http/1.1"), echo).await,
    ]
}

/// What becomes of asking for these, by a process that trusts whom a file names.
async fn asked(urls: &[String], trusted: Option<&Path>) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "tls::child", "--ignored", "--nocapture"]).env(URLS, urls.join(" "));
    child.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    if let Some(file) = trusted {
        child.env("SSL_CERT_FILE", file);
    }
    let output = child.stderr(Stdio::inherit()).kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| Some(line.split_once("came: ")?.1.to_owned())).collect()
}

#[tokio::test]
#[ignore = "the others run it, with an environment of its own"]
async fn child() {
    let Ok(urls) = std::env::var(URLS) else { return };
    let urls: Vec<Url> = urls.split(' ').map(|url| url.parse().unwrap()).collect();
    let fetcher = Fetcher::new(Limits::default(), urls.clone()).unwrap();
    for url in urls {
        let came = if url.scheme() == "wss" {
            talk(&fetcher, &url).await
        } else {
            get(&fetcher, url).await
        };
        println!("\ncame: {}", came.unwrap_or_else(|error| error.to_string()));
    }
}

async fn get(fetcher: &Fetcher, url: Url) -> Result<String, everhold_net::FetchError> {
    let bytes = fetcher.get(url).send().await?.collect().await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn talk(fetcher: &Fetcher, url: &Url) -> Result<String, everhold_net::FetchError> {
    let mut socket = fetcher.socket(url, 1000).await?;
    socket.send("ws".to_owned()).await?;
    match socket.take().await? {
        Taken::Message(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Taken::Alive => Ok("alive".to_owned()),
    }
}

#[tokio::test]
async fn a_ca_of_ones_own_is_trusted_over_http_and_websocket() {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, authority.0.pem()).unwrap();
    let right = servers(&authority, "localhost").await;
    assert_eq!(asked(&right, Some(&file)).await, ["h1", "h2", "ws"]);
    let wrong = servers(&authority, "elsewhere.example").await;
    let refused = asked(&wrong, Some(&file)).await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    for refused in refused {
        let is_told =
            refused.contains("not for this host") && refused.contains("elsewhere.example");
        assert!(is_told && refused.contains("localhost"), "{refused}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_refused_and_what_to_do_is_said() {
    let servers = servers(&Authority::new(), "localhost").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, Authority::new().0.pem()).unwrap();
    for trusted in [None, Some(&*file)] {
        let refused = asked(&servers, trusted).await;
        assert_eq!(refused.len(), 3, "{refused:?}");
        assert!(refused.iter().all(|text| text.contains("SSL_CERT_FILE")), "{refused:?}");
    }
}
