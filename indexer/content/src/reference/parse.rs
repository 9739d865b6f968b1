//! Reads references. Each function below takes a smaller part of the text, and every one of
//! them answers for any input.

use super::{MAX_REFERENCE_BYTES, Reference, ReferenceClass as Class, http, path::clean_path};
use crate::{Cid, Digest, HashFunction};

/// The codec of a public key's CID, which under IPFS is no content but a name of IPNS.
const LIBP2P_KEY: u64 = 0x72;

/// What a text was found to be.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) class: Class,
    cid: Option<Cid>,
    id: Option<String>,
    path: Option<String>,
}

impl Found {
    /// A class without a name.
    pub(super) const fn nothing(class: Class) -> Found {
        Found { class, cid: None, id: None, path: None }
    }

    /// A content, or a path below it. A path that could mean another place than it says proves
    /// nothing, and takes the content with it.
    pub(super) fn cid(class: Class, cid: Cid, path: &str) -> Found {
        if cid.codec() == LIBP2P_KEY {
            return Found::id(Class::Ipns, cid.to_string(), path);
        }
        match clean_path(path) {
            Some(path) => Found { cid: Some(cid), path: not_empty(path), ..Found::nothing(class) },
            None => Found::nothing(class),
        }
    }

    /// A name that is no hash of the bytes, or a path below it, as [`Found::cid`].
    pub(super) fn id(class: Class, id: String, path: &str) -> Found {
        match clean_path(path) {
            Some(path) => Found { id: Some(id), path: not_empty(path), ..Found::nothing(class) },
            None => Found::nothing(class),
        }
    }

    pub(super) fn with_text(self, text: &str) -> Reference {
        let Found { class, cid, id, path } = self;
        Reference { text: text.to_owned(), class, cid, id, path }
    }
}

fn not_empty(path: String) -> Option<String> {
    (!path.is_empty()).then_some(path)
}

/// Classes a text without white space around it.
pub(super) fn classify(text: &str) -> Found {
    let scheme = scheme(text);
    let data = scheme.is_some_and(|(name, _)| name.eq_ignore_ascii_case("data"));
    if data || is_inline(text) {
        return Found::nothing(Class::OnChain);
    }
    if text.is_empty() || text.len() > MAX_REFERENCE_BYTES || text.contains(char::is_control) {
        return Found::nothing(Class::Unknown);
    }
    match scheme {
        Some((name, rest)) => match name.to_ascii_lowercase().as_str() {
            "ipfs" => ipfs(rest),
            "ipns" => ipns(rest),
            "ar" => http::arweave_uri(rest),
            "http" | "https" => http::classify(text),
            _ => Found::nothing(Class::Unknown),
        },
        None => bare(text),
    }
}

/// Whether a text is a document itself, where a link was expected: SVG or a JSON object, as some
/// contracts answer `tokenURI` with. `{id}.json` is a link, so a brace alone says nothing.
fn is_inline(text: &str) -> bool {
    let json = || text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
    let tag = |name: &str| text.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
    tag("<svg") || tag("<?xml") || tag("<!doctype svg") || json()
}

/// Scheme and what follows its colon (RFC 3986, section 3.1).
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(':')?;
    let rule = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let fits =
        name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(rule);
    fits.then_some((name, rest))
}

/// What follows `ipfs:`: `//CID`, `//ipfs/CID`, `/ipfs/CID`, each with a path or without.
fn ipfs(rest: &str) -> Found {
    let rest = rest.trim_start_matches('/');
    if let Some(name) = rest.strip_prefix("ipns/") {
        return ipns(name);
    }
    let (root, below) = root_and_path(rest.strip_prefix("ipfs/").unwrap_or(rest));
    match root.parse() {
        Ok(cid) => Found::cid(Class::Ipfs, cid, below),
        Err(_) => Found::nothing(Class::Ipfs),
    }
}

/// What follows `ipns:`, as [`ipfs`]: a key's CID or hash, or a domain.
fn ipns(rest: &str) -> Found {
    let rest = rest.trim_start_matches('/');
    let (name, below) = root_and_path(rest.strip_prefix("ipns/").unwrap_or(rest));
    match is_ipns_name(name) {
        true => Found::id(Class::Ipns, name.to_owned(), below),
        false => Found::nothing(Class::Ipns),
    }
}

/// Whether a text can be a key's CID or hash, or a domain.
pub(super) fn is_ipns_name(name: &str) -> bool {
    name.starts_with(char::is_alphanumeric)
        && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// A text without a scheme: `/ipfs/CID`, a CID, an item hash, or a relative path.
fn bare(text: &str) -> Found {
    if let Some(rest) = text.strip_prefix("/ipfs/") {
        return ipfs(rest);
    }
    if let Some(rest) = text.strip_prefix("/ipns/") {
        return ipns(rest);
    }
    let (root, below) = root_and_path(text.strip_prefix("ipfs/").unwrap_or(text));
    if let Ok(cid) = root.parse() {
        return Found::cid(Class::Ipfs, cid, below);
    }
    match item_hash(text) {
        Some(cid) => Found::cid(Class::Aleph, cid, ""),
        // The root of a host or of a file system: nothing that stands beside the document.
        None if text.starts_with('/') => Found::nothing(Class::Unknown),
        None => Found::nothing(Class::Relative),
    }
}

/// The content of an aleph item hash: 64 hexadecimal digits of sha-256, or a CID.
pub(super) fn item_hash(text: &str) -> Option<Cid> {
    match Digest::from_hex(text) {
        Some(digest) => Cid::from_parts(crate::cid::RAW, HashFunction::Sha256, &digest.0),
        None => text.parse().ok(),
    }
}

/// `CID/path?query#fragment` → CID and path.
pub(super) fn root_and_path(text: &str) -> (&str, &str) {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    text[..end].split_once('/').unwrap_or((&text[..end], ""))
}
