//! A wire to a server that can be cut.

use std::sync::{Arc, Mutex};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// Passes connections on; it ends with this.
pub(crate) struct Relay {
    pub(crate) url: Url,
    wires: Arc<Mutex<Vec<JoinHandle<()>>>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn start(upstream: &Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let target = format!("127.0.0.1:{}", upstream.port().unwrap());
        let wires: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let kept = wires.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                let wire = tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
                kept.lock().unwrap().push(wire);
            }
        });
        Self { url, wires, accepting }
    }

    /// Ends the connections that there are.
    pub(crate) fn cut(&self) {
        self.wires.lock().unwrap().drain(..).for_each(|wire| wire.abort());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}
