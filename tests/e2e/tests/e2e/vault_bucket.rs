//! A vault in a bucket of S3 that fails in the middle of what is done with it.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use everhold_e2e::{Result, Setup, World, ended::Ended};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// What is in a bucket, and how many objects it still gives before it is away.
#[derive(Default)]
struct Inside {
    objects: BTreeMap<String, Bytes>,
    given: u64,
    most: Option<u64>,
}

/// As much of S3 as a vault asks for; whoever asks may.
struct Bucket {
    url: String,
    inside: Arc<Mutex<Inside>>,
    server: JoinHandle<()>,
}

impl Bucket {
    async fn start() -> Self {
        let inside: Arc<Mutex<Inside>> = Arc::default();
        let shared = Arc::clone(&inside);
        let answer = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            shared.lock().unwrap().answer(&method, &uri, &headers, body)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, inside, server }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inside {
    fn answer(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response {
        let key = uri.path().trim_start_matches("/kept").trim_start_matches('/').to_owned();
        if *method == Method::GET && !key.is_empty() {
            self.given += 1;
        }
        if self.most.is_some_and(|most| self.given > most) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let tag = [("etag", "\"x\""), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")];
        match *method {
            Method::GET if key.is_empty() => self.list().into_response(),
            Method::GET | Method::HEAD => match self.objects.get(&key) {
                Some(bytes) => (tag, bytes.clone()).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            },
            Method::PUT => {
                let source = headers.get("x-amz-copy-source").map(|source| {
                    source.to_str().unwrap().trim_start_matches("/").trim_start_matches("kept/")
                });
                let bytes = source.map_or(body, |source| self.objects[source].clone());
                self.objects.insert(key, bytes);
                (tag, "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>").into_response()
            }
            Method::DELETE => {
                self.objects.remove(&key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    fn list(&self) -> String {
        let object = |(key, bytes): (&String, &Bytes)| {
            let size = bytes.len();
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>\"x\"</ETag><Size>{size}</Size></Contents>"
            )
        };
        let all: String = self.objects.iter().map(object).collect();
        format!("<ListBucketResult>{all}</ListBucketResult>")
    }
}

/// A healthy collection whose content is kept in it.
async fn kept_in(bucket: &Bucket) -> Result<World> {
    let mut world = World::start(Setup { nodes: 2, tokens: 2, ..Setup::default() }).await?;
    let key = world.everhold.dir().join("s3.key");
    fs::write(&key, "any").unwrap();
    world.settings.more = format!(
        "[vault]\nkeep = true\nrecheck = \"0s\"\ns3 = {{ bucket = \"kept\", endpoint = \"{}\", \
         access_key_file = {key:?}, secret_key_file = {key:?} }}\n",
        bucket.url
    );
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(status["vault"]["objects"], 4);
    assert_eq!(bucket.inside().objects.len(), 5, "these, and what marks it");
    Ok(world)
}

#[tokio::test]
async fn what_was_not_read_before_it_went_away_is_not_lost() -> Result<()> {
    let bucket = Bucket::start().await;
    let world = kept_in(&bucket).await?;
    let given = bucket.inside().given;
    // Two are read, and the next is not.
    bucket.inside().most = Some(given + 2);
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("can't be used"), "{}", run.stderr);
    assert!(!run.stderr.contains("copied again"), "{}", run.stderr);
    let counts = |status: &Value| ["objects", "problems"].map(|of| status["vault"][of].clone());
    assert_eq!(counts(&run.gives(0)?), [4, 0]);
    bucket.inside().most = None;
    let run = world.once(&[]).await?;
    assert!(!run.stderr.contains("vault"), "{}", run.stderr);
    assert_eq!(counts(&run.gives(0)?), [4, 0]);
    assert_eq!(bucket.inside().objects.len(), 5);
    Ok(())
}

/// Another bucket, or its contents deleted: the ledger knows better.
#[tokio::test]
async fn one_that_is_empty_is_not_filled_unless_it_is_marked() -> Result<()> {
    let bucket = Bucket::start().await;
    let world = kept_in(&bucket).await?;
    let kept = std::mem::take(&mut bucket.inside().objects);
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("is it mounted?"), "{}", run.stderr);
    assert_eq!(run.gives(0)?["vault"]["objects"], 4);
    assert!(bucket.inside().objects.is_empty());
    bucket.inside().objects.insert("everhold-vault".to_owned(), Bytes::new());
    world.once(&[]).await?.gives(0)?;
    let again: Vec<_> = bucket.inside().objects.keys().cloned().collect();
    assert_eq!(again, kept.keys().cloned().collect::<Vec<_>>());
    Ok(())
}
