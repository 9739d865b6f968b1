//! JSON-RPC over a WebSocket: one connection that is made anew when it breaks, bounded like
//! [`super::transport`], which also tells of new blocks.
//!
//! A notification only rings a bell; what it says is not believed. Blocks that went by while the
//! connection was down are found by the next look at the chain, for which the bell is rung, too.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::json_rpc::{Id, PubSubItem, RequestPacket, Response, ResponsePacket, SerializedRequest},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use everhold_net::{FetchError, Fetcher, Socket, Taken, Url};
use futures::future::try_join_all;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, interval, sleep_until, timeout},
};
use tower_service::Service;
use tracing::debug;

use super::{
    heads::Heads,
    transport::{MAX_ANSWER, TIMEOUT},
};

/// Requests under way at once; others wait.
const MOST_PENDING: usize = 64;
/// How often the connection is looked after.
const TICK: Duration = Duration::from_secs(1);
/// After so long without a word a sign of life is asked for; after twice that it is given up.
const QUIET: Duration = Duration::from_secs(15);
/// Pauses between attempts to connect for new blocks alone.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Messages that nobody asked for, at most, between two answers.
const MOST_STRAY: u32 = 1000;

/// Requests on their way to the connection.
#[derive(Clone, Debug)]
pub(super) struct SocketTransport {
    calls: mpsc::Sender<Call>,
    host: String,
}

#[derive(Debug)]
struct Call {
    request: SerializedRequest,
    answer: oneshot::Sender<Result<Response, TransportError>>,
}

/// A transport to the endpoint at `url`, and what tells of new blocks by ringing `wake`. The
/// connection ends with the last clone of the transport.
pub(super) fn open(fetcher: &Fetcher, url: &Url, wake: Arc<Notify>) -> (SocketTransport, Heads) {
    let (calls, taken) = mpsc::channel(MOST_PENDING);
    let heads = Heads::default();
    let keeper = Keeper {
        fetcher: fetcher.clone(),
        url: url.clone(),
        heads: heads.clone(),
        wake,
        calls: taken,
        failures: 0,
        next_try: Instant::now(),
    };
    tokio::spawn(keeper.run());
    let host = url.host_str().unwrap_or("?").to_owned();
    (SocketTransport { calls, host }, heads)
}

impl SocketTransport {
    async fn ask(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let late = |_| {
            let host = self.host.clone();
            TransportErrorKind::custom(FetchError::TooSlow { host, after: TIMEOUT })
        };
        let asking = async {
            Ok(match packet {
                RequestPacket::Single(request) => ResponsePacket::Single(self.one(request).await?),
                RequestPacket::Batch(requests) => {
                    let all = requests.into_iter().map(|request| self.one(request));
                    ResponsePacket::Batch(try_join_all(all).await?)
                }
            })
        };
        timeout(TIMEOUT, asking).await.map_err(late)?
    }

    async fn one(&self, request: SerializedRequest) -> Result<Response, TransportError> {
        let (answer, answered) = oneshot::channel();
        let call = Call { request, answer };
        self.calls.send(call).await.map_err(|_| TransportErrorKind::backend_gone())?;
        answered.await.map_err(|_| TransportErrorKind::backend_gone())?
    }
}

impl Service<RequestPacket> for SocketTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(packet))
    }
}

/// Keeps the connection.
struct Keeper {
    fetcher: Fetcher,
    url: Url,
    heads: Heads,
    wake: Arc<Notify>,
    calls: mpsc::Receiver<Call>,
    failures: u32,
    /// When it is connected again for new blocks alone; requests do not wait for that, whose
    /// sender has pauses of its own.
    next_try: Instant,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let call = tokio::select! {
                call = self.calls.recv() => match call {
                    Some(call) => Some(call),
                    None => return,
                },
                () = self.heads.become_wanted(), if !self.heads.are_wanted() => None,
                () = sleep_until(self.next_try), if self.heads.are_wanted() => None,
            };
            let begun = Instant::now();
            match self.fetcher.socket(&self.url, MAX_ANSWER).await {
                Ok(socket) => {
                    let mut talk = Talk::new(socket);
                    let error = talk.run(&mut self, call).await;
                    talk.end(&error);
                    debug!("{error}; it is connected to again");
                }
                Err(error) => self.refuse(call, &error),
            }
            // A connection that stood for a while was a good one.
            let stood = begun.elapsed() >= LONGEST_PAUSE;
            self.failures = if stood { 0 } else { self.failures.saturating_add(1) };
            let pause = FIRST_PAUSE.saturating_mul(1 << (self.failures.max(1) - 1).min(6));
            self.next_try = Instant::now() + pause.min(LONGEST_PAUSE);
        }
    }

    /// Answers those who wait for a connection that can't be made.
    fn refuse(&mut self, call: Option<Call>, error: &FetchError) {
        let waiting = call.into_iter().chain(std::iter::from_fn(|| self.calls.try_recv().ok()));
        waiting.take(MOST_PENDING).for_each(|call| drop(call.answer.send(Err(of(error)))));
    }
}

/// The same error for one more request.
fn of(error: &FetchError) -> TransportError {
    match error {
        FetchError::Status { status, body, retry_after, .. } => {
            let (status, body) = (*status, body.clone());
            TransportErrorKind::http_error_with_retry_after(status, body, *retry_after)
        }
        FetchError::TooLarge { host, limit, announced } => {
            let (host, limit, announced) = (host.clone(), *limit, *announced);
            TransportErrorKind::custom(FetchError::TooLarge { host, limit, announced })
        }
        FetchError::Cut { host, bytes, reason } => {
            let (host, bytes, reason) = (host.clone(), *bytes, reason.clone());
            TransportErrorKind::custom(FetchError::Cut { host, bytes, reason })
        }
        other => TransportErrorKind::custom_str(&other.to_string()),
    }
}

/// One connection, and what is asked over it.
struct Talk {
    socket: Socket,
    pending: HashMap<Id, (oneshot::Sender<Result<Response, TransportError>>, Instant)>,
    /// When something came last.
    heard: Instant,
    pinged: bool,
    strays: u32,
}

/// The id of the subscription's request; those of requests are numbers.
const SUBSCRIPTION: &str = "heads";

impl Talk {
    fn new(socket: Socket) -> Self {
        let (pending, heard) = (HashMap::new(), Instant::now());
        Self { socket, pending, heard, pinged: false, strays: 0 }
    }

    /// Talks until the connection ends, and says why it did.
    async fn run(&mut self, keeper: &mut Keeper, first: Option<Call>) -> FetchError {
        match self.talk(keeper, first).await {
            Err(error) => error,
            Ok(()) => self.broken("nobody needs it any more"),
        }
    }

    async fn talk(&mut self, keeper: &mut Keeper, first: Option<Call>) -> Result<(), FetchError> {
        if keeper.heads.are_wanted() {
            self.subscribe().await?;
        }
        if let Some(call) = first {
            self.ask(call).await?;
        }
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                taken = self.socket.take() => {
                    self.heard = Instant::now();
                    self.pinged = false;
                    if let Taken::Message(bytes) = taken? {
                        self.hear(&bytes, &keeper.wake)?;
                    }
                }
                call = keeper.calls.recv(), if self.pending.len() < MOST_PENDING => match call {
                    Some(call) => self.ask(call).await?,
                    None => return Ok(()),
                },
                () = keeper.heads.become_wanted() => self.subscribe().await?,
                _ = tick.tick() => self.look_after().await?,
            }
        }
    }

    async fn subscribe(&mut self) -> Result<(), FetchError> {
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":"{SUBSCRIPTION}","method":"eth_subscribe","params":["newHeads"]}}"#
        );
        self.socket.send(request).await
    }

    async fn ask(&mut self, call: Call) -> Result<(), FetchError> {
        let Call { request, answer } = call;
        // Whoever asked may have gone.
        if answer.is_closed() {
            return Ok(());
        }
        let text = request.serialized().get().to_owned();
        self.pending.insert(request.id().clone(), (answer, Instant::now() + TIMEOUT));
        self.socket.send(text).await
    }

    fn hear(&mut self, bytes: &[u8], wake: &Notify) -> Result<(), FetchError> {
        match serde_json::from_slice(bytes) {
            Ok(PubSubItem::Notification(_)) => wake.notify_one(),
            Ok(PubSubItem::Response(response)) => {
                if let Some((answer, _)) = self.pending.remove(&response.id) {
                    self.strays = 0;
                    let _ = answer.send(Ok(response));
                    return Ok(());
                }
                if response.id == Id::String(SUBSCRIPTION.to_owned()) {
                    match response.payload.as_error() {
                        Some(error) => debug!(
                            "no word of new blocks: {}",
                            everhold_net::shown(error.message.as_bytes())
                        ),
                        // What came before it told of any is found by a look.
                        None => wake.notify_one(),
                    }
                    return Ok(());
                }
                self.strays += 1;
            }
            Err(_) => return Err(self.broken("it sent what is no JSON-RPC")),
        }
        if self.strays > MOST_STRAY {
            return Err(self.broken("it sends answers that nobody asked for"));
        }
        Ok(())
    }

    /// Forgets those who have waited too long, and notices a connection that is dead.
    async fn look_after(&mut self) -> Result<(), FetchError> {
        let now = Instant::now();
        self.pending.retain(|_, (answer, end)| !answer.is_closed() && *end > now);
        let quiet = now.duration_since(self.heard);
        if quiet >= QUIET * 2 {
            return Err(self.broken("nothing came for too long"));
        }
        if quiet >= QUIET && !std::mem::replace(&mut self.pinged, true) {
            self.socket.ping().await?;
        }
        Ok(())
    }

    fn broken(&self, reason: &str) -> FetchError {
        let host = self.socket.host().to_owned();
        FetchError::Cut { host, bytes: 0, reason: reason.to_owned() }
    }

    /// Answers those who still wait.
    fn end(&mut self, error: &FetchError) {
        self.pending.drain().for_each(|(_, (answer, _))| drop(answer.send(Err(of(error)))));
    }
}
