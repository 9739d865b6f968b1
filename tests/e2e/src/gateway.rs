//! IPFS gateways, honest and not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use everhold_harness::{Context, Result};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::dag::Dag;

/// What a gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Archives and blocks, as the trustless gateway specification says.
    Trustless,
    /// Blocks, but no archives.
    BlocksOnly,
    /// Files, whatever it is asked for.
    FilesOnly,
    /// Files for which it says that it does no blocks.
    FilesAndSaysSo,
    /// Archives and blocks, and no files: a gateway for those who check.
    NoFiles,
    /// In an archive, the last block has one other byte.
    WrongBlock,
    /// An archive has one block more.
    ExtraBlock,
    /// It does not have the last block, neither in an archive nor by itself.
    MissingBlock,
    /// An archive is cut off inside its last block.
    CutArchive,
    /// An HTML page that says that all is well.
    ErrorPage,
}

/// A gateway that has one DAG.
#[derive(Debug)]
pub struct Gateway {
    url: String,
    shelf: Arc<Shelf>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shelf {
    habit: Habit,
    root: String,
    car: Vec<u8>,
    blocks: HashMap<String, Vec<u8>>,
    /// Size of the last section of the archive.
    last: usize,
    files: HashMap<String, Vec<u8>>,
    /// How often it was asked for what.
    asked: Mutex<HashMap<String, u64>>,
    /// What became of its blocks but the root.
    state: Mutex<State>,
}

/// What became of the blocks that a gateway had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Whole,
    /// All but the root are gone, so that it can't put the file together.
    Lost,
    /// All but the root have one other byte, and so has the file.
    Rotten,
}

impl Gateway {
    /// Starts one that has this DAG, and these files by what follows `/ipfs/`.
    pub async fn start(habit: Habit, dag: &Dag, files: &[(&str, &[u8])]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("gateway")?;
        let url = format!("http://{}", listener.local_addr().context("gateway")?);
        let last = dag.blocks.last().map_or(0, |(_, bytes)| bytes.len() + 34);
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        let (car, mut blocks) = (dag.car.clone(), dag.by_cid());
        if habit == Habit::MissingBlock
            && let Some((cid, _)) = dag.blocks.last()
        {
            blocks.remove(cid);
        }
        let (files, asked, state) = (files.collect(), Mutex::default(), Mutex::default());
        let root = dag.blocks.first().map(|(cid, _)| cid.clone()).unwrap_or_default();
        let shelf = Arc::new(Shelf { habit, root, car, blocks, last, files, asked, state });
        let shared = shelf.clone();
        let answer = move |uri: Uri| {
            let answer = shared.answer(&uri);
            async move { answer }
        };
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shelf, server })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often it was asked for this block, by itself.
    pub fn asked(&self, cid: &str) -> u64 {
        let asked = self.shelf.asked.lock();
        asked.map_or(0, |asked| asked.get(cid).copied().unwrap_or(0))
    }

    /// How often it was asked for blocks by themselves since this was last called.
    pub fn asked_for_blocks(&self) -> u64 {
        let asked = self.shelf.asked.lock();
        asked.map_or(0, |mut asked| std::mem::take(&mut *asked).values().sum())
    }

    /// What becomes of its blocks.
    pub fn set_state(&self, state: State) {
        if let Ok(mut now) = self.shelf.state.lock() {
            *now = state;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shelf {
    fn answer(&self, uri: &Uri) -> Response {
        let Some(path) = uri.path().strip_prefix("/ipfs/") else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if self.habit == Habit::ErrorPage {
            return ([(header::CONTENT_TYPE, "text/html")], "<html>ok</html>").into_response();
        }
        let query = uri.query().unwrap_or_default();
        if query.contains("format=raw")
            && let Ok(mut asked) = self.asked.lock()
        {
            *asked.entry(path.to_owned()).or_default() += 1;
        }
        let state = self.state.lock().map_or(State::Whole, |state| *state);
        let is_whole = query.contains("format=raw") && path == self.root;
        if state == State::Lost && !is_whole {
            return StatusCode::NOT_FOUND.into_response();
        }
        let blocks = !matches!(self.habit, Habit::FilesOnly | Habit::FilesAndSaysSo);
        if query.contains("format=") && self.habit == Habit::FilesAndSaysSo {
            return StatusCode::NOT_ACCEPTABLE.into_response();
        }
        if query.contains("format=car") && self.habit == Habit::BlocksOnly {
            return StatusCode::BAD_REQUEST.into_response();
        }
        if query.contains("format=car") && blocks {
            let kind = "application/vnd.ipld.car;version=1;order=dfs;dups=y";
            return ([(header::CONTENT_TYPE, kind)], self.archive()).into_response();
        }
        let (kind, found) = match query.contains("format=raw") && blocks {
            true => ("application/vnd.ipld.raw", self.blocks.get(path)),
            false if self.habit == Habit::NoFiles => {
                return StatusCode::NOT_ACCEPTABLE.into_response();
            }
            // As js-ipfs says of whatever it can't guess.
            false => ("application/octet-stream", self.files.get(path)),
        };
        match found {
            Some(bytes) => {
                let mut bytes = bytes.clone();
                if let Some(last) = bytes.last_mut().filter(|_| state == State::Rotten && !is_whole)
                {
                    *last ^= 1;
                }
                ([(header::CONTENT_TYPE, kind)], bytes).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn archive(&self) -> Vec<u8> {
        let mut car = self.car.clone();
        match self.habit {
            Habit::WrongBlock => {
                if let Some(byte) = car.last_mut() {
                    *byte ^= 1;
                }
            }
            // The header is a section, too, but no block; the last block is.
            Habit::ExtraBlock => {
                car.extend_from_slice(&self.car[self.car.len() - self.section()..])
            }
            Habit::MissingBlock => car.truncate(car.len() - self.section()),
            Habit::CutArchive => car.truncate(car.len() - 3),
            _ => {}
        }
        car
    }

    /// Bytes of the last section, with its length before it.
    fn section(&self) -> usize {
        let mut size = 1;
        while self.last >> (7 * size) > 0 {
            size += 1;
        }
        self.last + size
    }
}
