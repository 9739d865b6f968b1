//! A way to a server that can be cut.

use std::net::SocketAddr;

use everhold_harness::{Context, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Passes connections on while it is up; refuses them, and cuts those that stand, while it is down.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    to: String,
    task: Option<JoinHandle<()>>,
}

impl Proxy {
    /// To a server at `url`, on a free port.
    pub async fn start(url: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("proxy")?;
        let address = listener.local_addr().context("proxy")?;
        let to = url.trim_start_matches("http://").to_owned();
        let mut proxy = Self { address, to, task: None };
        proxy.serve(listener);
        Ok(proxy)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses connections, and cuts those that stand.
    pub async fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens again, at the same address.
    pub async fn up(&mut self) -> Result<()> {
        self.down().await;
        let listener = TcpListener::bind(self.address).await.context("proxy")?;
        self.serve(listener);
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let to = self.to.clone();
        self.task = Some(tokio::spawn(async move {
            // Dropped with the task, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let to = to.clone();
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut from, &mut server).await;
                    }
                });
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
