//! Over WebSocket: everything that goes over HTTP, and blocks that are told of at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use everhold::{config::Span, watch::Watch};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    anvil::Anvil,
    proxy::Proxy,
    relay::Relay,
    setting::{Setting, seen},
    support::database::{Database, Engine},
};

/// The same endpoint over WebSocket: anvil serves both on one port.
fn ws(url: &Url) -> Url {
    url.as_str().replacen("http:", "ws:", 1).parse().unwrap()
}

/// An indexer at work; it ends with this.
struct Running {
    watch: Arc<Watch>,
    stop: CancellationToken,
    work: JoinHandle<()>,
    _db: Database,
}

impl Running {
    /// One that would look at the chain every hour, if nobody told it to.
    async fn start(setting: &mut Setting, urls: &[&Url]) -> Self {
        setting.poll = Span::secs(3600);
        let db = Database::fresh(Engine::Sqlite).await;
        let watch = Arc::new(setting.start(&db, urls).await.unwrap());
        let stop = CancellationToken::new();
        let (working, token) = (watch.clone(), stop.clone());
        let runtime = tokio::runtime::Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            runtime.block_on(working.forever(false, &token)).unwrap();
        });
        Self { watch, stop, work, _db: db }
    }

    async fn indexed(&self) -> Option<u64> {
        let mut tx = self.watch.ledger().read().await.unwrap();
        tx.collections().await.unwrap()[0].indexed_block
    }

    /// How long it takes until a block is in the ledger.
    async fn until(&self, block: u64) -> Duration {
        let begun = Instant::now();
        while self.indexed().await < Some(block) {
            assert!(begun.elapsed() < Duration::from_secs(20), "block {block} does not come");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        begun.elapsed()
    }

    async fn end(mut self) {
        self.stop.cancel();
        (&mut self.work).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_followed_over_websocket_and_beside_http() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    for round in 0..4 {
        collection.mint(&[round, round + 1]).await;
        anvil.mine(100).await;
    }
    let expected = setting.fresh(&anvil.url).await;
    let over_ws = ws(&anvil.url);
    assert_eq!(setting.fresh(&over_ws).await, expected);
    let db = Database::fresh(Engine::Sqlite).await;
    setting.round(&db, &[&over_ws, &anvil.url]).await.unwrap();
    assert_eq!(seen(&db.open().await).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_in_the_ledger_as_soon_as_it_is_told_of() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    let running = Running::start(&mut setting, &[&ws(&anvil.url)]).await;
    running.until(anvil.head().await).await;
    let mut times = Vec::new();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        anvil.mine(1).await;
        times.push(running.until(anvil.head().await).await);
    }
    times.sort_unstable();
    println!("from a block to the ledger: p50 {:?}, p95 {:?}", times[15], times[28]);
    assert!(times[15] < Duration::from_millis(500), "{times:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_anew_and_what_was_missed_is_found() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    let relay = Relay::start(&anvil.url).await;
    let running = Running::start(&mut setting, &[&ws(&relay.url)]).await;
    running.until(anvil.head().await).await;
    for round in 0..3 {
        relay.cut();
        collection.mint(&[round]).await;
        anvil.mine(3).await;
        // Nothing more happens on the chain: it finds out by itself.
        running.until(anvil.head().await).await;
    }
    assert_eq!(seen(running.watch.ledger()).await, setting.fresh(&anvil.url).await);
    running.end().await;
}

/// The one that tells is ahead of the others, and is not believed alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_only_one_endpoint_tells_of_waits_for_the_others() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    let (one, two) = (Proxy::start(&anvil.url).await, Proxy::start(&anvil.url).await);
    let running = Running::start(&mut setting, &[&ws(&anvil.url), &one.url(), &two.url()]).await;
    let before = anvil.head().await;
    running.until(before).await;
    for proxy in [&one, &two] {
        proxy.set(|faults| faults.cap = Some(before));
    }
    anvil.mine(1).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(running.indexed().await, Some(before));
    one.set(|faults| faults.cap = None);
    running.until(before + 1).await;
    running.end().await;
}

/// What a server does with a request, after the first `n`.
#[derive(Clone, Copy, Debug)]
enum Mischief {
    Garbage,
    Binary,
    HugeFrame,
    Flood,
    Close,
    Silence,
}

/// A WebSocket server that answers by anvil's answers for a while, and then does mischief.
async fn hostile(upstream: &Url, after: usize, mischief: Mischief) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
    let upstream = upstream.clone();
    let served = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (upstream, served) = (upstream.clone(), served.clone());
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(stream).await else { return };
                let limits = everhold_net::Limits::default();
                let fetcher = everhold_net::Fetcher::new(limits, [upstream.clone()]).unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    let Ok(text) = message.into_text() else { return };
                    let Ok(request) = serde_json::from_str::<Value>(&text) else { continue };
                    if served.fetch_add(1, Ordering::Relaxed) < after {
                        let asked = fetcher.post(upstream.clone()).json(&request).get_json();
                        let answer: Value = asked.await.unwrap_or(Value::Null);
                        if socket.send(Message::text(answer.to_string())).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    if mischief.work(&mut socket).await.is_none() {
                        return;
                    }
                }
            });
        }
    });
    url
}

impl Mischief {
    /// `None` where the connection is given up.
    async fn work<S>(self, socket: &mut tokio_tungstenite::WebSocketStream<S>) -> Option<()>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        use tokio::io::AsyncWriteExt;
        match self {
            Self::Garbage => socket.send(Message::text("<html>")).await.ok(),
            Self::Binary => socket.send(Message::binary(vec![0xff; 100])).await.ok(),
            Self::HugeFrame => {
                // The head of a frame of 2^62 bytes.
                let head = [0x81, 127, 0x40, 0, 0, 0, 0, 0, 0, 0];
                socket.get_mut().write_all(&head).await.ok()?;
                socket.get_mut().flush().await.ok()
            }
            Self::Flood => {
                let notes = json!({"jsonrpc": "2.0", "method": "eth_subscription",
                    "params": {"subscription": "0x1", "result": {"number": "0xffffffffff"}}});
                for _ in 0..5000 {
                    socket.feed(Message::text(notes.to_string())).await.ok()?;
                }
                socket.flush().await.ok()
            }
            Self::Close => None,
            Self::Silence => Some(()),
        }
    }
}

/// Two honest endpoints beside it go on, and quickly.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_websocket_harms_nobody() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    collection.mint(&[1, 2]).await;
    anvil.mine(200).await;
    use Mischief::*;
    for mischief in [Garbage, Binary, HugeFrame, Flood, Close, Silence] {
        // It begins with the first request, while it is asked what the contract is, or in the middle
        // of reading.
        for after in [0, 3, 40] {
            let bad = hostile(&anvil.url, after, mischief).await;
            let (one, two) = (Proxy::start(&anvil.url).await, Proxy::start(&anvil.url).await);
            let db = Database::fresh(Engine::Sqlite).await;
            let urls = [&bad, &one.url(), &two.url()];
            let begun = Instant::now();
            let done = setting.index(&db, &urls).await;
            let what = format!("{mischief:?} after {after}");
            done.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(
                crate::setting::seen_in(&db).await.snapshot,
                setting.fresh(&anvil.url).await.snapshot,
                "{what}"
            );
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(20), "{what}: {took:?}");
        }
    }
}
