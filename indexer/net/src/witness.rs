//! Where answers came from.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

/// Remembers from which address answers came. A name may lead to another address each time it is
/// resolved, so that asking again says nothing of an answer that has come. Clones share what was
/// seen.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Option<IpAddr>>>);

impl Witness {
    /// The address; of several the lowest; `None` before the first answer.
    pub fn address(&self) -> Option<IpAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn saw(&self, remote: Option<SocketAddr>) {
        let Some(remote) = remote.map(|remote| remote.ip()) else { return };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(seen.map_or(remote, |known| known.min(remote)));
    }
}
