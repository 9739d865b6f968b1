//! A web server that answers as a test wants.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use everhold_harness::{Context, Result};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::blocks::Block;

/// A server on a free port of this machine.
#[derive(Debug)]
pub struct Web {
    url: String,
    asked: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Web {
    /// Starts one that answers every request by `answer`.
    pub async fn start(answer: impl Fn(&Uri) -> Response + Send + Sync + 'static) -> Result<Self> {
        Self::start_at(1, answer).await
    }

    /// The same at `127.0.0.N`: another host than those of other numbers.
    pub async fn start_at(
        number: u8,
        answer: impl Fn(&Uri) -> Response + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::heeding_at(number, move |uri, _| answer(uri)).await
    }

    /// The same, told whether it is to answer from its own copies alone (`only-if-cached`).
    pub async fn heeding_at(
        number: u8,
        answer: impl Fn(&Uri, bool) -> Response + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::new(127, 0, 0, number), 0)).await.context("web")?;
        let url = format!("http://{}", listener.local_addr().context("web")?);
        let (answer, asked) = (Arc::new(answer), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&asked);
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            seen.fetch_add(1, Ordering::Relaxed);
            let wish = headers.get(header::CACHE_CONTROL);
            let answer = answer(&uri, wish.is_some_and(|wish| wish == "only-if-cached"));
            async move { answer }
        });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, asked, server })
    }

    /// One that has these files, by their paths.
    pub async fn of_files(files: &[(&str, &str, Vec<u8>)]) -> Result<Self> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, kind, b)| ((*path).to_owned(), (*kind).to_owned(), b.clone()))
            .collect();
        Self::start(move |uri| match files.iter().find(|(path, ..)| path == uri.path()) {
            Some((_, kind, bytes)) => {
                ([(header::CONTENT_TYPE, kind.clone())], bytes.clone()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        })
        .await
    }

    /// An IPFS gateway that gives these blocks one by one, and this archive whatever is asked for. It has
    /// them all itself, and heeds the wish for such.
    pub async fn of_blocks(blocks: &[&Block], archive: Option<Vec<u8>>) -> Result<Self> {
        Self::of_blocks_at(1, blocks, archive).await
    }

    /// The same at `127.0.0.N`.
    pub async fn of_blocks_at(
        number: u8,
        blocks: &[&Block],
        archive: Option<Vec<u8>>,
    ) -> Result<Self> {
        let blocks: Vec<Block> = blocks.iter().map(|block| (*block).clone()).collect();
        Self::heeding_at(number, move |uri, own| {
            let query = uri.query().unwrap_or_default();
            if query.contains("format=car") {
                let kind = "application/vnd.ipld.car; version=1; order=dfs; dups=n";
                return match &archive {
                    Some(car) => ([(header::CONTENT_TYPE, kind)], car.clone()).into_response(),
                    None => StatusCode::NOT_ACCEPTABLE.into_response(),
                };
            }
            let path = uri.path().strip_prefix("/ipfs/").unwrap_or_default();
            match blocks.iter().find(|block| block.cid == path && query.contains("format=raw")) {
                Some(block) => block.bytes.clone().into_response(),
                None if own => StatusCode::PRECONDITION_FAILED.into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        })
        .await
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.server.abort();
    }
}
