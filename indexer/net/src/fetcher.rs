//! The fetcher, and how it is made.

use std::{fmt, net::IpAddr, sync::Arc};

use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    client::client,
    error::FetchError,
    hosts::Hosts,
    limits::Limits,
    origin::{Origins, Way},
    request::Request,
    resolve::{Checked, Resolver, SystemResolver},
};

/// Fetches within limits. Cheap to clone; clones share connections and counts.
#[derive(Clone)]
pub struct Fetcher {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    configured: Client,
    open: Client,
    pub(crate) origins: Arc<Origins>,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
}

impl Inner {
    pub(crate) fn client(&self, way: Way) -> &Client {
        match way {
            Way::Configured => &self.configured,
            Way::Open => &self.open,
        }
    }
}

impl fmt::Debug for Fetcher {
    /// Without what is configured: that may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher for the open web and for the origins (host and port) of `configured`, which may
    /// be on private addresses.
    ///
    /// # Errors
    /// [`FetchError::Setup`] where TLS can't be set up.
    pub fn new(
        limits: Limits,
        configured: impl IntoIterator<Item = Url>,
    ) -> Result<Self, FetchError> {
        Self::builder(limits).configured(configured).build()
    }

    /// As [`Fetcher::new`], with more to choose.
    pub fn builder(limits: Limits) -> Builder {
        Builder { limits, origins: Origins::default(), resolver: Arc::new(SystemResolver) }
    }

    /// A GET.
    pub fn get(&self, url: Url) -> Request {
        Request::new(self.clone(), Method::GET, url)
    }

    /// A HEAD.
    pub fn head(&self, url: Url) -> Request {
        Request::new(self.clone(), Method::HEAD, url)
    }

    /// A POST. It is never sent twice, and never follows a redirect.
    pub fn post(&self, url: Url) -> Request {
        Request::new(self.clone(), Method::POST, url)
    }

    /// A request of any method. None but GET and HEAD follows a redirect.
    pub fn request(&self, method: Method, url: Url) -> Request {
        Request::new(self.clone(), method, url)
    }

    /// GETs a JSON document; statuses other than 200 are errors.
    ///
    /// # Errors
    /// As [`Request::get_json`].
    pub async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, FetchError> {
        self.get(url).get_json().await
    }

    /// Whether a request may go to a URL, as far as the URL itself says: what a name leads to is
    /// judged when it is resolved.
    pub fn allows(&self, url: &Url) -> bool {
        self.inner.origins.judge(url, false).is_ok()
    }

    /// As [`Fetcher::allows`], for a URL that strangers chose.
    pub fn allows_strangers(&self, url: &Url) -> bool {
        self.inner.origins.judge(url, true).is_ok()
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }
}

/// Makes a [`Fetcher`].
pub struct Builder {
    limits: Limits,
    origins: Origins,
    resolver: Arc<dyn Resolver>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Builder {
    /// Adds URLs whose host and port may be fetched from wherever they are, with the user name
    /// and password that are in the URL.
    #[must_use]
    pub fn configured(mut self, urls: impl IntoIterator<Item = Url>) -> Self {
        urls.into_iter().for_each(|url| self.origins.configure(&url));
        self
    }

    /// Resolves names by another resolver than the machine's. Its answers are judged all the same.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Takes an address for a public one, whatever [`crate::is_public`] says: for tests, which have
    /// no public servers, and for networks that use public addresses of their own.
    #[must_use]
    pub fn take_for_public(mut self, address: IpAddr) -> Self {
        self.origins.take_for_public(address);
        self
    }

    /// The fetcher.
    ///
    /// # Errors
    /// [`FetchError::Setup`] where TLS can't be set up.
    pub fn build(self) -> Result<Fetcher, FetchError> {
        let Self { limits, origins, resolver } = self;
        let origins = Arc::new(origins);
        let checked = Checked::new(resolver.clone(), Some(origins.clone()));
        Ok(Fetcher {
            inner: Arc::new(Inner {
                configured: client(&limits, Checked::new(resolver, None))?,
                open: client(&limits, checked)?,
                origins,
                hosts: Hosts::new(&limits),
                limits,
            }),
        })
    }
}
