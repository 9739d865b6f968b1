//! When a node is proved to hold what it serves, and when not.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Extension,
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use everhold::{
    health::ReplicaState,
    nodes::{ContentNode, Gateway, Known, Kubo, Seen, probe},
};

use crate::{
    dag::File,
    support::{Asked, Never, Server, fetcher},
};

const NOT_CACHED: StatusCode = StatusCode::PRECONDITION_FAILED;

/// A gateway that has some blocks itself and gets all others from its peers.
#[derive(Clone)]
struct Setup {
    file: File,
    /// How many of the file's blocks are its own.
    own: usize,
    /// What it says of a block that it does not have and is not to look for; `None` where it does
    /// not know that wish.
    refuses: Option<StatusCode>,
}

impl Setup {
    fn new(file: File, own: usize) -> Self {
        Self { file, own, refuses: Some(NOT_CACHED) }
    }

    fn answer(&self, asked: &Asked) -> Response {
        let rest = asked.path.strip_prefix("/ipfs/").unwrap();
        let (cid, query) = rest.split_once('?').unwrap_or((rest, ""));
        let blocks = self.file.blocks.iter().enumerate();
        let blocks: HashMap<_, _> = blocks.map(|(at, (c, b))| (c.to_string(), (at, b))).collect();
        let found = blocks.get(cid);
        if asked.header("cache-control") == "only-if-cached"
            && let Some(refusal) = self.refuses
            && found.is_none_or(|(at, _)| *at >= self.own)
        {
            return refusal.into_response();
        }
        match found {
            None => StatusCode::GATEWAY_TIMEOUT.into_response(),
            Some((_, block)) if query.contains("format=raw") => (*block).clone().into_response(),
            Some(_) if query.contains("format=car") => StatusCode::BAD_REQUEST.into_response(),
            Some(_) => self.file.bytes.clone().into_response(),
        }
    }

    async fn start(self) -> (Server, Gateway) {
        let server = Server::start(move |asked| self.answer(asked)).await;
        let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
        (server, gateway)
    }
}

async fn ask(node: &dyn ContentNode, file: &File) -> Seen {
    let seen = probe(node, &file.id, Known::default(), Some(10_000)).await;
    if seen.state == ReplicaState::Verified {
        assert_eq!(seen.body.as_deref(), Some(&file.bytes[..]), "each byte once, and in order");
    }
    seen
}

async fn held(node: &dyn ContentNode, file: &File) -> Option<bool> {
    let seen = ask(node, file).await;
    assert_eq!(seen.state, ReplicaState::Verified, "{seen:?}");
    seen.held
}

#[tokio::test]
async fn a_gateway_holds_what_it_gives_only_if_cached() {
    for file in [File::raw(b"one block"), File::of_three_blocks(1)] {
        let blocks = file.blocks.len();
        let (server, gateway) = Setup::new(file.clone(), blocks).start().await;
        assert_eq!(held(&gateway, &file).await, Some(true));
        let wishes = |asked: &Asked| asked.header("cache-control") == "only-if-cached";
        assert_eq!(server.asked().iter().filter(|a| wishes(a)).count(), blocks + 1);
        assert_eq!(held(&gateway, &file).await, Some(true));
        assert_eq!(server.asked().len(), blocks, "each block once, and no second canary");
    }
}

/// That would be thousands of requests.
#[tokio::test]
async fn large_files_are_not_asked_for_block_by_block() {
    let file = File::raw(b"said to be large");
    let (server, gateway) = Setup::new(file.clone(), 1).start().await;
    let known = Known { size: Some(65 << 20), ..Known::default() };
    let seen = probe(&gateway, &file.id, known, None).await;
    assert_eq!((seen.state, seen.held), (ReplicaState::Verified, None), "{seen:?}");
    assert_eq!(server.asked().len(), 1);
}

/// So do Kubo's: what is looked for when a file is asked for is its first block.
#[tokio::test]
async fn a_gateway_that_lacks_one_block_does_not_hold_the_file() {
    let file = File::of_three_blocks(10);
    for own in 0..file.blocks.len() {
        let (_server, gateway) = Setup::new(file.clone(), own).start().await;
        assert_eq!(held(&gateway, &file).await, None, "{own} blocks");
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_heed_the_wish_is_asked_once() {
    let file = File::raw(b"of anybody");
    let other = [StatusCode::NOT_FOUND, StatusCode::GATEWAY_TIMEOUT, StatusCode::OK];
    for refuses in std::iter::once(None).chain(other.map(Some)) {
        let setup = Setup { refuses, ..Setup::new(file.clone(), 0) };
        let (server, gateway) = setup.start().await;
        assert_eq!(held(&gateway, &file).await, None, "{refuses:?}");
        assert_eq!(server.asked().len(), 2, "a canary and a probe");
        assert_eq!(held(&gateway, &file).await, None);
        assert_eq!(server.asked().len(), 1, "{refuses:?}: and probes alone");
    }
}

/// Another software at the same URL, as after an update, is found out at its first failure.
#[tokio::test]
async fn what_was_seen_is_doubted_after_a_failure() {
    let file = File::raw(b"changing");
    let heeding = Setup::new(file.clone(), 1);
    let ignoring = Setup { refuses: None, ..Setup::new(file.clone(), 0) };
    let (down, other) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_down, is_other) = (down.clone(), other.clone());
    let server = Server::start(move |asked| match (is_down.load(SeqCst), is_other.load(SeqCst)) {
        (true, _) => StatusCode::BAD_GATEWAY.into_response(),
        (false, false) => heeding.answer(asked),
        (false, true) => ignoring.answer(asked),
    })
    .await;
    let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
    assert_eq!(held(&gateway, &file).await, Some(true));
    down.store(true, SeqCst);
    assert_eq!(ask(&gateway, &file).await.state, ReplicaState::Unreachable);
    down.store(false, SeqCst);
    other.store(true, SeqCst);
    assert_eq!(held(&gateway, &file).await, None);
}

/// A node that does not say whose copy it is, this once, is no node that has none.
#[tokio::test]
async fn what_a_gateway_did_not_answer_is_told_apart_from_a_refusal() {
    let file = File::of_three_blocks(25);
    let wishes = |asked: &Asked| asked.header("cache-control") == "only-if-cached";
    let of = |asked: &Asked, cid: &str| asked.path.contains(cid);
    let last = file.blocks[2].0.to_string();
    for (status, is_untold) in [(503, true), (504, true), (412, false), (404, false)] {
        let status = StatusCode::from_u16(status).unwrap();
        for asks in ["canary", "first", "last"] {
            let setup = Setup::new(file.clone(), 3);
            let (root, last) = (file.blocks[0].0.to_string(), last.clone());
            let blocks: Vec<_> = file.blocks.iter().map(|(cid, _)| cid.to_string()).collect();
            let server = Server::start(move |asked| {
                let fails = match asks {
                    "canary" => status != 412 && !blocks.iter().any(|cid| of(asked, cid)),
                    "first" => of(asked, &root),
                    _ => of(asked, &last),
                };
                if fails && wishes(asked) {
                    return status.into_response();
                }
                setup.answer(asked)
            })
            .await;
            let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
            let seen = ask(&gateway, &file).await;
            let as_it_should = match (asks, status.as_u16()) {
                ("canary", 412) => (ReplicaState::Verified, Some(true), false),
                // So answer those who looked elsewhere.
                ("canary", 504) => (ReplicaState::Verified, None, false),
                _ => (ReplicaState::Verified, None, is_untold),
            };
            assert_eq!((seen.state, seen.held, seen.is_untold), as_it_should, "{asks}: {status}");
        }
    }
}

/// As software does that never heard of the wish, and looks for what nobody has: it says nothing, or begins an
/// answer and says no more.
async fn who_hangs(silence: impl Fn() -> Response + Send + Sync + 'static) {
    let file = File::raw(b"of anybody, after a while");
    let (cid, setup) = (file.blocks[0].0.to_string(), Setup::new(file.clone(), 1));
    let server = Server::start(move |asked| match asked.path.contains(&cid) {
        true => setup.answer(asked),
        false => silence(),
    })
    .await;
    let gateway = Gateway::new(server.url.clone(), fetcher([server.url.clone()]));
    let canaries = |asked: &[Asked]| {
        asked.iter().filter(|asked| !asked.path.contains(&file.blocks[0].0.to_string())).count()
    };
    for is_untold in [true, true, false] {
        let seen = ask(&gateway, &file).await;
        let told = (seen.state, seen.held, seen.is_untold);
        assert_eq!(told, (ReplicaState::Verified, None, is_untold), "{seen:?}");
        assert_eq!(canaries(&server.asked()), 1);
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    assert_eq!(held(&gateway, &file).await, None);
    assert_eq!(server.asked().len(), 1, "it is known, and asked for the file alone");
}

#[tokio::test]
async fn who_hangs_three_times_where_nobody_has_it_looks_elsewhere() {
    let never = || (Extension(Never), ()).into_response();
    let half = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
    tokio::join!(who_hangs(never), who_hangs(move || half().into_response()));
}

/// A block that is wrong is no block, whoever says that it is its own.
#[tokio::test]
async fn wrong_blocks_are_corrupt_and_not_held() {
    let file = File::of_three_blocks(20);
    let mut setup = Setup::new(file.clone(), 3);
    setup.file.blocks[2].1[0] ^= 1;
    let (_server, gateway) = setup.start().await;
    let seen = ask(&gateway, &file).await;
    assert_eq!((seen.state, seen.held), (ReplicaState::Corrupt, None), "{seen:?}");
}

/// Kubo's RPC, with what it says of a block that it does not have.
async fn kubo(file: &File, refusal: &'static str) -> (Server, Kubo) {
    let file = file.clone();
    let server = Server::start(move |asked| {
        let mine = [file.id.cid(), everhold::content::Cid::from(file.id).to_string()];
        match mine.iter().any(|cid| asked.path.contains(cid)) {
            true => file.bytes.clone().into_response(),
            false => (StatusCode::INTERNAL_SERVER_ERROR, refusal).into_response(),
        }
    })
    .await;
    let kubo = Kubo::new(server.url.clone(), fetcher([server.url.clone()]));
    (server, kubo)
}

#[tokio::test]
async fn a_kubo_node_holds_what_it_serves_where_it_heeds_offline() {
    let file = File::raw(b"pinned");
    let words = r#"{"Message":"block was not found locally (offline): ipld: could not find x","Code":0,"Type":"error"}"#;
    let (server, heeding) = kubo(&file, words).await;
    assert_eq!(held(&heeding, &file).await, Some(true));
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| { asked.method == "POST" && asked.path.contains("offline=true") })
    );
    let (_server, busy) = kubo(&file, r#"{"Message":"too busy"}"#).await;
    let seen = ask(&busy, &file).await;
    assert_eq!((seen.state, seen.held, seen.is_untold), (ReplicaState::Verified, None, true));
    for other in [r#"{"Message":"block not found"}"#, r#"{"Message":"context deadline exceeded"}"#]
    {
        let (_server, other_kubo) = kubo(&file, other).await;
        assert_eq!(held(&other_kubo, &file).await, None, "{other}");
    }
}
