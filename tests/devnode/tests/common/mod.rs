//! Nodes as processes of their own, and accounts that sign.
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod account;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Body, Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A node that ends when dropped.
pub struct Devnode {
    pub url: String,
    pub client: Client,
    child: Child,
    folder: Arc<TempDir>,
}

/// What a node answered.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

impl Devnode {
    pub fn start(args: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::start_in(folder, args)
    }

    /// Starts a node on a folder that another one left.
    pub fn restart(self, args: &[&str]) -> Self {
        let folder = self.folder.clone();
        drop(self);
        Self::start_in(folder, args)
    }

    fn start_in(folder: Arc<TempDir>, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_everhold-devnode"))
            .arg("--exit-with-stdin")
            .arg("--data")
            .arg(folder.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("the node says where it is");
        let said: Value = serde_json::from_str(&line).expect("in JSON");
        let client = everhold_devnode::http_client().build().expect("a client");
        Self { url: said["url"].as_str().expect("a URL").to_owned(), client, child, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join("files").join(name)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::default()).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, None, Body::default()).await
    }

    pub async fn raw(&self, hash: &str) -> Answer {
        self.get(&format!("/api/v0/storage/raw/{hash}")).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let json = Some("application/json");
        self.send(Method::POST, path, json, body.to_string().into()).await
    }

    pub async fn dev(&self, what: &str, body: Value) -> Value {
        let answer = self.post(&format!("/dev/{what}"), &body).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        answer.json()
    }

    /// Sends a message and waits until it was judged.
    pub async fn publish(&self, message: &Value) -> Answer {
        let body = json!({"sync": true, "message": message});
        self.post("/api/v0/messages", &body).await
    }

    /// Uploads bytes without a message; the hash comes back.
    pub async fn add(&self, bytes: impl Into<Body>) -> String {
        let kind = Some("application/octet-stream");
        let path = "/api/v0/storage/add_file";
        let answer = self.send(Method::POST, path, kind, bytes.into()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["hash"].as_str().expect("a hash").to_owned()
    }

    /// Uploads a form, with a signed message or without.
    pub async fn add_form(&self, engine: &str, message: Option<&Value>, bytes: &[u8]) -> Answer {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let path = format!("/api/v0/{engine}/add_file");
        let body = form(message, bytes);
        self.send(Method::POST, &path, Some(&kind), body.into()).await
    }

    pub async fn send(&self, method: Method, path: &str, kind: Option<&str>, body: Body) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("a whole body").into(),
        }
    }

    /// Where a message stands; `unknown` where it does not.
    pub async fn standing(&self, message: &Value) -> String {
        let hash = message["item_hash"].as_str().expect("a message");
        let answer = self.get(&format!("/api/v0/messages/{hash}")).await;
        match answer.status {
            200 => answer.json()["status"].as_str().expect("a status").to_owned(),
            _ => "unknown".to_owned(),
        }
    }

    /// Waits until a message stands as it should.
    pub async fn until(&self, message: &Value, status: &str) {
        let begun = Instant::now();
        loop {
            let standing = self.standing(message).await;
            if standing == status {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "still {standing}, not {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Devnode {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long tests wait for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const BOUNDARY: &str = "0123456789abcdef0123456789abcdef";

/// The body of an upload form.
pub fn form(message: Option<&Value>, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(message) = message {
        let metadata = json!({"message": message, "sync": true});
        body.extend(
            format!(
                "--{BOUNDARY}\r\nContent-Type: application/json\r\n\
                 Content-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\r\n"
            )
            .bytes(),
        );
    }
    body.extend(file_part_head(BOUNDARY).bytes());
    body.extend(bytes);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    body
}

/// What stands before the bytes of a form's file.
pub fn file_part_head(boundary: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n"
    )
}
