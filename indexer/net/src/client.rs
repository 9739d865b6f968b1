//! The HTTP clients: one for what is configured, one for everything else.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, header::ACCEPT_ENCODING, redirect, retry};

use crate::{connect::WatchConnecting, error::FetchError, limits::Limits, resolve::Checked};

/// How long an idle connection is kept, and how many of one host.
const KEEP: Duration = Duration::from_secs(30);
const KEPT: usize = 16;

/// A client that does what it is told and nothing besides: no redirects, no cookies, no proxy, no
/// Referer, no decoding, no second attempt.
pub(crate) fn client(limits: &Limits, resolver: Checked) -> Result<Client, FetchError> {
    // Fails only where another part of the process chose a provider before us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Cargo builds one reqwest for all: what another crate switches on there must not matter
    // here. Cookies have no switch; without a store there are none.
    let builder = Client::builder()
        .user_agent(concat!("everhold/", env!("CARGO_PKG_VERSION")))
        .default_headers([(ACCEPT_ENCODING, "identity")].into_iter().map(header).collect())
        .no_gzip()
        .no_deflate()
        .no_brotli()
        .no_zstd()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_proxy()
        .connect_timeout(limits.connect)
        .pool_idle_timeout(KEEP)
        .pool_max_idle_per_host(KEPT)
        .dns_resolver(Arc::new(resolver))
        .connector_layer(WatchConnecting);
    builder.build().map_err(|error| FetchError::Setup(crate::text::root_cause(&error)))
}

fn header(
    (name, value): (reqwest::header::HeaderName, &'static str),
) -> (reqwest::header::HeaderName, reqwest::header::HeaderValue) {
    (name, reqwest::header::HeaderValue::from_static(value))
}
