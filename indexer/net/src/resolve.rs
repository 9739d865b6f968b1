//! Names to addresses. The addresses that are judged here are the ones connected to: the HTTP
//! client resolves by nothing else, so a name that changes its mind in between gains nothing.

use std::{io, net::IpAddr, net::SocketAddr, sync::Arc};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{error::Refusal, origin::Origins};

/// Finds the addresses of a name.
pub trait Resolver: Send + Sync {
    /// All addresses of `name`, in the order in which they are to be tried.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// What the machine itself resolves by (`getaddrinfo`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name that leads nowhere we go. It travels through the HTTP client's errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misled(pub(crate) Refusal);

/// A resolver as the HTTP client wants it.
pub(crate) struct Checked {
    resolver: Arc<dyn Resolver>,
    /// What is public; absent: every address will do.
    public: Option<Arc<Origins>>,
}

impl Checked {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, public: Option<Arc<Origins>>) -> Self {
        Self { resolver, public }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.resolver.resolve(name.as_str());
        let public = self.public.clone();
        Box::pin(async move {
            let mut found = found.await?;
            if found.is_empty() {
                return Err(
                    io::Error::new(io::ErrorKind::NotFound, "its name has no address").into()
                );
            }
            if let Some(public) = public {
                found.retain(|address| public.is_public(*address));
            }
            if found.is_empty() {
                return Err(Misled(Refusal::Resolves).into());
            }
            // Port 0 stands for the URL's.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}
