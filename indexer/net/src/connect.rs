//! When a request's connection stood: from then on the answer is waited for.
//!
//! The HTTP client has one timeout for connecting, and none until the answer's head. A timeout
//! around both would take the one for the other; so a layer around the connector notes when it is
//! done. It runs within the request's own task, which is how it knows whose connection it is.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{sync::watch, time::Instant};
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static PROGRESS: Progress;
}

/// How far a request is: since when a connection stands, or `None` while one is being made.
#[derive(Clone, Debug)]
pub(crate) struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    /// A request that begins now, with a connection that is open already or with one that the
    /// layer will tell of.
    pub(crate) fn begin() -> (Self, watch::Receiver<Option<Instant>>) {
        let (sender, receiver) = watch::channel(Some(Instant::now()));
        (Self(sender), receiver)
    }

    /// Runs a request whose connection is watched.
    pub(crate) async fn watch<F: Future>(self, request: F) -> F::Output {
        PROGRESS.scope(self, request).await
    }
}

/// Puts [`Watched`] around the connector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchConnecting;

impl<S> Layer<S> for WatchConnecting {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched(inner)
    }
}

/// A connector whose beginning and end are noted.
#[derive(Clone, Debug)]
pub(crate) struct Watched<S>(S);

impl<R, S> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connecting = self.0.call(target);
        let progress = PROGRESS.try_with(Clone::clone).ok();
        if let Some(Progress(progress)) = &progress {
            progress.send_replace(None);
        }
        Box::pin(async move {
            let connected = connecting.await;
            if let Some(Progress(progress)) = &progress {
                progress.send_replace(Some(Instant::now()));
            }
            connected
        })
    }
}
