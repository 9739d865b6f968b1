//! No host gets more requests at once than it may, and whoever waits does so in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use everhold_net::{FetchError, Fetcher, Limits, Retry};
use futures::future::join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::server::{PUBLIC, Server, for_nodes, ok, open, quick};

/// How many requests servers are at, and the most that there ever were.
#[derive(Clone, Default)]
struct Load(Arc<(AtomicUsize, AtomicUsize)>);

impl Load {
    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    /// A server that takes its time with each body, and counts here.
    async fn server(&self, ip: std::net::IpAddr) -> Server {
        let load = self.clone();
        Server::start(ip, move |_, mut stream: TcpStream| {
            let load = load.clone();
            async move {
                let (now, most) = &*load.0;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").await;
                sleep(Duration::from_millis(60)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                let _ = stream.write_all(b"b").await;
            }
        })
        .await
    }
}

/// A server, and its load.
async fn busy(ip: std::net::IpAddr) -> (Server, Load) {
    let load = Load::default();
    (load.server(ip).await, load)
}

async fn fetch_all(fetcher: &Fetcher, servers: &[&Server], each: usize) {
    let requests = servers.iter().flat_map(|server| (0..each).map(|_| server.url("/")));
    let requests = requests.map(|url| async { fetcher.get(url).open().await?.collect().await });
    for outcome in join_all(requests).await {
        assert_eq!(outcome.unwrap(), "ab");
    }
}

#[tokio::test]
async fn each_host_is_asked_so_often_at_once() {
    let limits = Limits { per_host: 3, per_configured: 6, ..quick() };
    let (stranger, most) = busy(PUBLIC).await;
    let fetcher = open(limits.clone()).build().unwrap();
    fetch_all(&fetcher, &[&stranger], 20).await;
    assert_eq!(most.most(), 3);

    let (node, most) = busy(PUBLIC).await;
    fetch_all(&for_nodes(limits, &[&node]), &[&node], 20).await;
    assert_eq!(most.most(), 6);
}

#[tokio::test]
async fn a_stranger_is_one_host_on_all_its_ports() {
    let limits = Limits { per_host: 2, per_configured: 4, in_total: 7, ..quick() };
    let load = Load::default();
    let (a, b) = (load.server(PUBLIC).await, load.server(PUBLIC).await);
    let fetcher = open(limits.clone()).build().unwrap();
    fetch_all(&fetcher, &[&a, &b], 6).await;
    assert_eq!(load.most(), 2);

    // Nodes on one machine are told apart, and bounded together.
    let load = Load::default();
    let (a, b) = (load.server(PUBLIC).await, load.server(PUBLIC).await);
    fetch_all(&for_nodes(limits, &[&a, &b]), &[&a, &b], 12).await;
    assert_eq!(load.most(), 7);
}

#[tokio::test]
async fn all_together_are_bounded() {
    let limits = Limits { in_total: 4, ..quick() };
    let (server, most) = busy(PUBLIC).await;
    let fetcher = for_nodes(limits, &[&server]);
    fetch_all(&fetcher, &[&server], 20).await;
    assert_eq!(most.most(), 4);
}

#[tokio::test]
async fn a_turn_lasts_until_the_body_ends_or_is_dropped() {
    let limits = Limits { per_host: 1, ..quick() };
    let server = Server::answering(PUBLIC, ok("", b"ab")).await;
    let fetcher = open(limits).build().unwrap();
    let mut held = fetcher.get(server.url("/")).open().await.unwrap();
    let impatient = || fetcher.get(server.url("/")).total(Duration::from_millis(300)).open();
    let error = impatient().await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(server.connections(), 1);
    // Read to its end, though it is still there.
    held.collect().await.unwrap();
    let next = fetcher.get(server.url("/")).open().await.unwrap();
    assert!(impatient().await.is_err());
    drop(next);
    // A request that is given up while it waits gives its place up, too.
    let held = fetcher.get(server.url("/")).open().await.unwrap();
    let waiting = fetcher.get(server.url("/")).open();
    assert!(tokio::time::timeout(Duration::from_millis(20), waiting).await.is_err());
    drop(held);
    assert!(fetcher.get(server.url("/")).open().await.is_ok());
}

#[tokio::test]
async fn turns_come_in_order() {
    let limits = Limits { per_host: 1, ..quick() };
    let (server, _) = busy(PUBLIC).await;
    let fetcher = open(limits).build().unwrap();
    let order = std::sync::Mutex::new(Vec::new());
    let requests = (0..8).map(|n| {
        let (fetcher, order, url) = (&fetcher, &order, server.url(&format!("/{n}")));
        async move {
            fetcher.get(url).open().await.unwrap().collect().await.unwrap();
            order.lock().unwrap().push(n);
        }
    });
    join_all(requests).await;
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
}
