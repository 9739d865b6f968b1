//! Blocking work.

use tokio::sync::oneshot;

/// Does blocking work on a thread of its own: not one of the runtime's, for which it would wait
/// after Ctrl-C.
pub(crate) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits any more after Ctrl-C.
        let _ = done.send(work());
    });
    result
}

/// The same for work that may fail as files do.
///
/// # Errors
/// The work's, and where it ended without one.
pub(crate) async fn io_aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    aside(work).await.map_err(std::io::Error::other)?
}
