//! A real S3 server over a folder, on a free port.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use everhold::{
    config::{Config, Span},
    ledger::Known,
    vault::{Form, Vault, VaultError},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::{Place, file, noise, raw};

pub(crate) const KEY_ID: &str = "everhold-test";
pub(crate) const SECRET: &str = "a secret that is never shown";

/// The server; it ends with this.
pub(crate) struct Bucket {
    pub(crate) url: String,
    server: JoinHandle<()>,
}

impl Bucket {
    /// Serves the folders in a folder as buckets, with one more.
    pub(crate) async fn serve(root: &Path, bucket: &str) -> Self {
        fs::create_dir(root.join(bucket)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, server }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_without_it() {
    let place = Place::bucket().await;
    let mut config: Config = place.config.clone();
    let wrong = file(b"another secret");
    let s3 = config.vault.s3.as_mut().unwrap();
    s3.secret_key_file = Some(wrong.path().to_owned());
    let vault = Vault::configured(&config, &config.fetcher().unwrap()).unwrap();
    let error = vault.put(&raw(b"x"), Form::File, file(b"x").path()).await.unwrap_err();
    assert!(matches!(error, VaultError::Failed { .. }), "{error:?}");
    for text in [error.to_string(), format!("{error:?}"), format!("{vault:?}")] {
        assert!(!text.contains("another secret") && !text.contains(SECRET), "{text}");
    }
    assert!(error.to_string().contains("s3://kept/art/x"), "{error}");
}

#[tokio::test]
async fn one_that_does_not_answer_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = Place::bucket().await;
    let mut config = place.config.clone();
    let url = format!("http://{nobody}").parse().unwrap();
    config.vault.s3.as_mut().unwrap().endpoint = Some(url);
    let vault = Vault::configured(&config, &config.fetcher().unwrap()).unwrap();
    let error = vault.find(&raw(b"x")).await.unwrap_err();
    assert!(error.to_string().contains("s3://kept/art/x"), "{error}");
}

/// What is done with the answers of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Come,
    Late,
    Never,
}

/// Longer than an answer may take, and shorter than one to what is sent may.
const LATE: Duration = Duration::from_secs(1);

/// Stands before a server.
struct Before {
    url: String,
    answers: Arc<Mutex<Answers>>,
    relay: JoinHandle<()>,
}

impl Before {
    async fn server(url: &str) -> Self {
        let server = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(Answers::Come));
        let said = Arc::clone(&answers);
        let relay = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&said)));
            }
        });
        Self { url, answers, relay }
    }

    fn set(&self, answers: Answers) {
        *self.answers.lock().unwrap() = answers;
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn pass(client: TcpStream, server: TcpStream, said: Arc<Mutex<Answers>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async { tokio::io::copy(&mut from_client, &mut to_server).await.is_ok() };
    let back = async {
        let mut piece = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from_server.read(&mut piece).await {
            let answers = *said.lock().unwrap();
            match answers {
                Answers::Never => continue,
                Answers::Late => tokio::time::sleep(LATE).await,
                Answers::Come => {}
            }
            if to_client.write_all(&piece[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(there, back);
}

#[tokio::test]
async fn one_that_is_slow_is_waited_for_and_one_that_is_silent_is_told() {
    let place = Place::bucket().await;
    let mut config = place.config.clone();
    let s3 = config.vault.s3.as_mut().unwrap();
    let before = Before::server(s3.endpoint.as_ref().unwrap().as_str().trim_end_matches('/')).await;
    s3.endpoint = Some(before.url.parse().unwrap());
    config.limits.first_byte_timeout = Some(Span(Duration::from_millis(500)));
    let vault = Vault::configured(&config, &config.fetcher().unwrap()).unwrap();
    let (one, two) = (noise(1, 1000), noise(2, 1000));
    let put = async |bytes: &[u8]| vault.put(&raw(bytes), Form::File, file(bytes).path()).await;

    before.set(Answers::Late);
    let begun = Instant::now();
    assert_eq!(put(&one).await.unwrap(), 1000);
    assert!(begun.elapsed() >= LATE);

    before.set(Answers::Never);
    let begun = Instant::now();
    let error = put(&two).await.unwrap_err();
    assert!(matches!(error, VaultError::Failed { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("s3://kept/art/x") && said.contains("127.0.0.1"), "{said}");
    assert!(said.contains("no byte came for 2s"), "{said}");
    assert!(!said.contains(SECRET) && !said.contains(KEY_ID), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it does not wait for ever");

    before.set(Answers::Come);
    assert_eq!(put(&two).await.unwrap(), 1000);
    for bytes in [&one, &two] {
        let (_, copy) = vault.copy(&raw(bytes), Known::default()).await.unwrap().unwrap();
        assert!(fs::read(copy.path()).unwrap() == *bytes);
    }
}
