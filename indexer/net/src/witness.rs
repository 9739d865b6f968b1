//! Where answers came from.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

tokio::task_local! {
    static SEEN: RefCell<BTreeSet<IpAddr>>;
}

/// Runs `future`, and gives with its output from which addresses answers of success came to the
/// requests that it sent. A name may lead to another address each time it is resolved, so that asking
/// again says nothing of an answer that has come; and who refuses gives nothing that counts.
///
/// What `future` spawns is not seen, nor what others send meanwhile.
pub async fn witnessed<F: Future>(future: F) -> (F::Output, BTreeSet<IpAddr>) {
    let both = async {
        let output = future.await;
        (output, SEEN.with(RefCell::take))
    };
    SEEN.scope(RefCell::default(), both).await
}

/// An answer of success has come.
pub(crate) fn saw(remote: Option<SocketAddr>) {
    let Some(remote) = remote else { return };
    // Outside of any scope nobody wants to know.
    let _ = SEEN.try_with(|seen| seen.borrow_mut().insert(remote.ip()));
}
