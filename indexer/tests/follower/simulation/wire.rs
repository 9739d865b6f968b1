//! A wire to PostgreSQL that breaks.

use std::{path::PathBuf, sync::Arc};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ill {
    Well,
    /// It is cut, and nobody gets through.
    Cut,
    /// It breaks when the server says that something was committed.
    LosesCommits,
    /// It breaks after so many bytes of answers.
    LosesAnswers(u64),
}

/// Passes connections on; it ends with this.
pub(super) struct Wire {
    pub(super) url: String,
    ill: Arc<watch::Sender<Ill>>,
    accepting: JoinHandle<()>,
    _dir: TempDir,
}

const SOCKET: &str = ".s.PGSQL.5432";

impl Wire {
    /// To the server of a URL that names its directory by `?host=`.
    pub(super) async fn to(url: &str) -> Self {
        // A socket's path is short.
        let dir = tempfile::Builder::new().prefix("everhold-wire-").tempdir_in("/tmp").unwrap();
        let (base, server) = url.split_once("?host=").unwrap();
        let server = PathBuf::from(server).join(SOCKET);
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let ill = Arc::new(watch::Sender::new(Ill::Well));
        let all = ill.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *all.borrow() == Ill::Cut {
                    continue;
                }
                if let Ok(far) = UnixStream::connect(&server).await {
                    tokio::spawn(pass(near, far, all.subscribe()));
                }
            }
        });
        let url = format!("{base}?host={}", dir.path().display());
        Self { url, ill, accepting, _dir: dir }
    }

    pub(super) fn is(&self, ill: Ill) {
        self.ill.send_replace(ill);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Passes on until one side ends, or the wire does.
async fn pass(near: UnixStream, far: UnixStream, mut ill: watch::Receiver<Ill>) {
    let (mut from_client, mut to_client) = near.into_split();
    let (mut from_server, mut to_server) = far.into_split();
    let asked = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(|_| ()) };
    let now = ill.clone();
    let answered = async {
        let mut buffer = vec![0; 1 << 16];
        let mut left = 0;
        loop {
            let length = from_server.read(&mut buffer).await?;
            let bytes = &buffer[..length];
            let ill = *now.borrow();
            match ill {
                Ill::LosesCommits if names_commit(bytes) => return Ok(()),
                Ill::LosesAnswers(most) => {
                    left += length as u64;
                    if left > most {
                        return Ok(());
                    }
                }
                _ => left = 0,
            }
            if length == 0 {
                return Ok(());
            }
            to_client.write_all(bytes).await?;
        }
    };
    let cut = async {
        let _ = ill.wait_for(|ill| *ill == Ill::Cut).await;
        Ok::<_, std::io::Error>(())
    };
    // Whichever ends first ends both ways.
    let _ = tokio::select! {
        done = asked => done,
        done = answered => done,
        done = cut => done,
    };
}

/// Whether the server says that a transaction was committed.
fn names_commit(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"COMMIT\0")
}
