//! What an http(s) URL is: an aleph node's, a gateway's of IPFS or Arweave, or nobody's.
//!
//! Gateways of IPFS: <https://docs.ipfs.tech/how-to/address-ipfs-on-web/>; of Arweave:
//! <https://docs.ar.io/>.

use ::cid::multibase::Base;
use url::{Host, Url};

use super::{
    ReferenceClass as Class,
    parse::{Found, is_ipns_name, item_hash, root_and_path},
};
use crate::Cid;

/// The first segments of an aleph node's URL for raw files; the item hash is next.
const ALEPH_RAW: [&str; 4] = ["api", "v0", "storage", "raw"];

/// Gateways of Arweave, each with any subdomain. Others are known by their sandbox subdomain.
const ARWEAVE_HOSTS: [&str; 8] = [
    "arweave.net",
    "arweave.dev",
    "ar-io.net",
    "ar-io.dev",
    "ardrive.net",
    "g8way.io",
    "permagate.io",
    "vilenarios.com",
];

/// Bytes of an Arweave transaction's id.
const TRANSACTION: usize = 32;

/// Classes an http(s) URL.
pub(super) fn classify(text: &str) -> Found {
    let Ok(url) = Url::parse(text) else {
        return Found::nothing(Class::Unknown);
    };
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let host = match url.host() {
        Some(Host::Domain(name)) => name,
        _ => "",
    };
    aleph(&segments)
        .or_else(|| gateway_host(host, &segments))
        .or_else(|| gateway_path(&segments))
        .or_else(|| ipns(host, &segments))
        .or_else(|| arweave(host, &segments))
        .unwrap_or(Found::nothing(Class::Http))
}

/// `…/api/v0/storage/raw/<item hash>` on any host.
fn aleph(segments: &[&str]) -> Option<Found> {
    let at = segments.windows(ALEPH_RAW.len()).position(|window| window == ALEPH_RAW)?;
    let (hash, below) = segments[at + ALEPH_RAW.len()..].split_first()?;
    Some(Found::cid(Class::Aleph, item_hash(hash)?, &below.join("/")))
}

/// `https://CID.ipfs.host/path`.
fn gateway_host(host: &str, segments: &[&str]) -> Option<Found> {
    let (label, rest) = host.split_once('.')?;
    rest.strip_prefix("ipfs.")?;
    Some(Found::cid(Class::Gateway, label.parse().ok()?, &segments.join("/")))
}

/// `https://host/…/ipfs/CID/path`.
fn gateway_path(segments: &[&str]) -> Option<Found> {
    let cid_at = |(at, pair): (usize, &[&str])| match pair {
        ["ipfs", root] => Some((root.parse::<Cid>().ok()?, at + 2)),
        _ => None,
    };
    let (cid, below) = segments.windows(2).enumerate().find_map(cid_at)?;
    Some(Found::cid(Class::Gateway, cid, &segments[below..].join("/")))
}

/// `https://NAME.ipns.host/path`, `https://host/ipns/NAME/path`.
fn ipns(host: &str, segments: &[&str]) -> Option<Found> {
    if let Some((label, rest)) = host.split_once('.')
        && rest.starts_with("ipns.")
    {
        return Some(Found::id(Class::Ipns, ipns_name(label), &segments.join("/")));
    }
    match segments {
        ["ipns", name, below @ ..] if is_ipns_name(name) => {
            Some(Found::id(Class::Ipns, (*name).to_owned(), &below.join("/")))
        }
        _ => None,
    }
}

/// The name behind a subdomain: a key, or a domain written as one label (`-` for `.`, `--` for
/// `-`), because a certificate covers one level of them only.
fn ipns_name(label: &str) -> String {
    match label.parse::<Cid>() {
        Ok(_) => label.to_owned(),
        Err(_) => label.replace("--", "\0").replace('-', ".").replace('\0', "-"),
    }
}

/// What follows `ar:`: `//ID/path`, or `//name`, which its owner points elsewhere at any time.
pub(super) fn arweave_uri(rest: &str) -> Found {
    let (id, below) = root_and_path(rest.trim_start_matches('/'));
    match transaction(id) {
        Some(_) => Found::id(Class::Arweave, id.to_owned(), below),
        None => Found::nothing(Class::Arweave),
    }
}

/// `https://arweave.net/ID/path`, also `raw/ID` and `tx/ID/data`; on other hosts, only where the
/// subdomain says the same id.
fn arweave(host: &str, segments: &[&str]) -> Option<Found> {
    let sandbox = host.split('.').next().and_then(sandbox);
    let known = ARWEAVE_HOSTS.iter().any(|name| {
        host.strip_suffix(name).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
    });
    let (id, below) = match segments {
        ["tx", id, "data"] | ["raw", id] => (*id, &[][..]),
        [id, below @ ..] => (*id, below),
        [] => ("", &[][..]),
    };
    match (transaction(id), sandbox) {
        (Some(said), _) if known || sandbox == Some(said) => {
            Some(Found::id(Class::Arweave, id.to_owned(), &below.join("/")))
        }
        (None, Some(bytes)) if known => {
            let id = Base::Base64Url.encode(bytes);
            Some(Found::id(Class::Arweave, id, &segments.join("/")))
        }
        _ => known.then_some(Found::nothing(Class::Arweave)),
    }
}

/// The bytes of an id: 43 characters of base64url.
fn transaction(id: &str) -> Option<[u8; TRANSACTION]> {
    let fits = id.len() == 43 && id.is_ascii();
    fits.then(|| Base::Base64Url.decode(id).ok()?.try_into().ok()).flatten()
}

/// The bytes of the id that a sandbox subdomain is: 52 characters of base32.
fn sandbox(label: &str) -> Option<[u8; TRANSACTION]> {
    let fits = label.len() == 52 && label.is_ascii();
    fits.then(|| Base::Base32Lower.decode(label).ok()?.try_into().ok()).flatten()
}
