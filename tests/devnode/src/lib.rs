//! A development node that answers as an aleph Core Channel Node does.
//!
//! It is a process of its own with a disk of its own, for development and tests. Its hashing and
//! its checks of signatures share nothing with the product it tests.

pub mod config;
pub mod envelope;
pub mod http;
pub mod item_hash;
pub mod ledger;
mod log;
pub mod money;
pub mod node;
pub mod signature;
pub mod stamp;

use std::io;
use std::net::SocketAddr;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use config::Config;
use node::Node;

/// A node that listens.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub url: String,
    /// Ends when the node does.
    pub task: tokio::task::JoinHandle<io::Result<()>>,
}

/// An HTTP client, whether or not another crate of the build asked for TLS without a provider.
pub fn http_client() -> reqwest::ClientBuilder {
    // Fails only where a provider was chosen before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

/// Opens a node's folder and serves it at an address; port 0 takes a free one.
pub async fn start(config: Config, listen: SocketAddr) -> io::Result<Running> {
    let node = Node::open(config)?;
    let listener = TcpListener::bind(listen).await?;
    let url = format!("http://{}", listener.local_addr()?);
    // Head and body go out one after the other: else the body waits 40 ms for the head's receipt.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    node.start(&url);
    let router = http::router(node);
    let task = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Running { url, task })
}
