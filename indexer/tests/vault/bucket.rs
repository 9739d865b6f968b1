//! A real S3 server over a folder, on a free port.

use std::{fs, path::Path};

use everhold::{
    config::Config,
    vault::{Form, Vault, VaultError},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{Place, file, raw};

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
