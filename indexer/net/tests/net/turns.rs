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

/// A server that takes its time with each body, and counts how many it is at.
async fn busy(ip: std::net::IpAddr) -> (Server, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let server = Server::start(ip, move |_, mut stream: TcpStream| {
        let (now, most) = (now.clone(), most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").await;
            sleep(Duration::from_millis(60)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(b"b").await;
        }
    })
    .await;
    (server, seen)
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
    assert_eq!(most.load(Ordering::SeqCst), 3);

    let (node, most) = busy(PUBLIC).await;
    fetch_all(&for_nodes(limits, &[&node]), &[&node], 20).await;
    assert_eq!(most.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_stranger_is_one_host_on_all_its_ports() {
    let limits = Limits { per_host: 2, in_total: 7, ..quick() };
    let (a, most_a) = busy(PUBLIC).await;
    let (b, most_b) = busy(PUBLIC).await;
    let fetcher = open(limits.clone()).build().unwrap();
    fetch_all(&fetcher, &[&a, &b], 6).await;
    assert!(most_a.load(Ordering::SeqCst) + most_b.load(Ordering::SeqCst) <= 4);
    assert!(most_a.load(Ordering::SeqCst) <= 2);
    // Nodes on one machine are told apart, and bounded together.
    let fetcher = for_nodes(limits, &[&a, &b]);
    fetch_all(&fetcher, &[&a, &b], 10).await;
    let (a, b) = (most_a.load(Ordering::SeqCst), most_b.load(Ordering::SeqCst));
    assert!(a > 2 && a <= 7 && b <= 7, "{a} {b}");
}

#[tokio::test]
async fn all_together_are_bounded() {
    let limits = Limits { in_total: 4, ..quick() };
    let (server, most) = busy(PUBLIC).await;
    let fetcher = for_nodes(limits, &[&server]);
    fetch_all(&fetcher, &[&server], 20).await;
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_turn_lasts_until_the_body_ends_or_is_dropped() {
    let limits = Limits { per_host: 1, total: Duration::from_millis(300), ..quick() };
    let server = Server::answering(PUBLIC, ok("", b"ab")).await;
    let fetcher = open(limits).build().unwrap();
    let mut held = fetcher.get(server.url("/")).open().await.unwrap();
    let error = fetcher.get(server.url("/")).open().await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(server.connections(), 1);
    // Read to its end, though it is still there.
    held.collect().await.unwrap();
    let next = fetcher.get(server.url("/")).open().await.unwrap();
    assert!(fetcher.get(server.url("/")).open().await.is_err());
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
