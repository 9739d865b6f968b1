//! Servers that do as a test wants.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, Method},
    response::Response,
};
use everhold::nodes::Fetcher;
use everhold_net::Limits;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// What was asked, as a server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer with this never comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Never;

/// A server on loopback; it ends with this.
pub(crate) struct Server {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request by `answer`.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (book, answer) = (asked.clone(), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path_and_query().unwrap().to_string();
            let (method, headers) = (request.method().clone(), request.headers().clone());
            let asked = Asked { method, path, headers };
            let response = answer(&asked);
            book.lock().unwrap().push(asked);
            async move {
                if response.extensions().get::<Never>().is_some() {
                    std::future::pending::<()>().await;
                }
                response
            }
        });
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, asked, task }
    }

    /// What it was asked since this was last called.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A fetcher for which these are configured.
pub(crate) fn fetcher(urls: impl IntoIterator<Item = Url>) -> Fetcher {
    let limits = Limits { first_byte: Duration::from_secs(20), ..Limits::default() };
    Fetcher::new(limits, urls).unwrap()
}
