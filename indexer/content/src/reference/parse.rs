//! Reads references. Each function below takes a smaller part of the text, and every one of
//! them answers for any input.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{MAX_REFERENCE_BYTES, ReferenceClass as Class};
use crate::{ContentId, ContentIdError};

/// Class, content and path below it.
type Found = (Class, Option<ContentId>, Option<String>);

/// The first segments of an aleph node's URL for raw files; the item hash is next.
const ALEPH_RAW: [&str; 4] = ["api", "v0", "storage", "raw"];

/// A class without a content.
const fn nothing(class: Class) -> Found {
    (class, None, None)
}

/// Classes a text without white space around it.
pub(super) fn classify(text: &str) -> Found {
    let scheme = scheme(text);
    if let Some((name, _)) = scheme
        && name.eq_ignore_ascii_case("data")
    {
        return nothing(Class::OnChain);
    }
    if text.is_empty() || text.len() > MAX_REFERENCE_BYTES || text.contains(char::is_control) {
        return nothing(Class::Unknown);
    }
    match scheme {
        Some((name, rest)) => match name.to_ascii_lowercase().as_str() {
            "ipfs" => ipfs(rest),
            "ar" => nothing(Class::Arweave),
            "http" | "https" => http(text),
            _ => nothing(Class::Unknown),
        },
        None => bare(text),
    }
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
    let rest = rest.strip_prefix("ipfs/").unwrap_or(rest);
    let (root, below) = root_and_path(rest);
    match ContentId::from_cid_text(root) {
        Ok(content) => below_root(Class::Ipfs, content, below),
        Err(_) => nothing(Class::Ipfs),
    }
}

/// A text without a scheme: `/ipfs/CID`, a CID, an item hash, or a relative path.
fn bare(text: &str) -> Found {
    if let Some(rest) = text.strip_prefix("/ipfs/") {
        return ipfs(rest);
    }
    let (root, below) = root_and_path(text.strip_prefix("ipfs/").unwrap_or(text));
    if let Ok(content) = ContentId::from_cid_text(root) {
        return below_root(Class::Ipfs, content, below);
    }
    match text.parse() {
        Ok(content) => (Class::Aleph, Some(content), None),
        // The root of a host or of a file system: nothing that stands beside the document.
        Err(_) if text.starts_with('/') => nothing(Class::Unknown),
        Err(_) => nothing(Class::Relative),
    }
}

/// An http(s) URL.
fn http(text: &str) -> Found {
    let Ok(url) = Url::parse(text) else {
        return nothing(Class::Unknown);
    };
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let host = match url.host() {
        Some(Host::Domain(name)) => name,
        _ => "",
    };
    aleph(&segments)
        .or_else(|| gateway_host(host, &segments))
        .or_else(|| gateway_path(&segments))
        .unwrap_or_else(|| match host == "arweave.net" || host.ends_with(".arweave.net") {
            true => nothing(Class::Arweave),
            false => nothing(Class::Http),
        })
}

/// `…/api/v0/storage/raw/<item hash>` on any host.
fn aleph(segments: &[&str]) -> Option<Found> {
    let at = segments.windows(ALEPH_RAW.len()).position(|window| window == ALEPH_RAW)?;
    let (hash, below) = segments[at + ALEPH_RAW.len()..].split_first()?;
    let content = hash.parse().ok()?;
    Some(below_root(Class::Aleph, content, &below.join("/")))
}

/// `https://CID.ipfs.host/path`.
fn gateway_host(host: &str, segments: &[&str]) -> Option<Found> {
    let (label, rest) = host.split_once('.')?;
    rest.strip_prefix("ipfs.")?;
    gateway(label, &segments.join("/"))
}

/// `https://host/…/ipfs/CID/path`.
fn gateway_path(segments: &[&str]) -> Option<Found> {
    let at = segments.windows(2).position(|pair| pair[0] == "ipfs" && is_cid(pair[1]))?;
    gateway(segments[at + 1], &segments[at + 2..].join("/"))
}

/// A gateway's CID and path; `None` where there is no CID after all.
fn gateway(root: &str, path: &str) -> Option<Found> {
    match ContentId::from_cid_text(root) {
        Ok(content) => Some(below_root(Class::Gateway, content, path)),
        Err(ContentIdError::NotAContentAddress) => None,
        Err(_) => Some(nothing(Class::Gateway)),
    }
}

/// Whether a text is a CID, be it one that can't be checked.
fn is_cid(text: &str) -> bool {
    !matches!(ContentId::from_cid_text(text), Err(ContentIdError::NotAContentAddress))
}

/// `CID/path?query#fragment` → CID and path.
fn root_and_path(text: &str) -> (&str, &str) {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    text[..end].split_once('/').unwrap_or((&text[..end], ""))
}

/// A content, or a path below it. A path that could mean another place than it says proves
/// nothing, and takes the content with it.
fn below_root(class: Class, content: ContentId, path: &str) -> Found {
    match clean_path(path) {
        Some(path) if path.is_empty() => (class, Some(content), None),
        Some(path) => (class, Some(content), Some(path)),
        None => nothing(class),
    }
}

/// Decodes a path and drops its empty segments; `None` where a segment is not UTF-8, a step up,
/// or hides a slash or a control character.
fn clean_path(path: &str) -> Option<String> {
    let mut clean = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let name = percent_decode_str(segment).decode_utf8().ok()?;
        if name == "." || name == ".." || name.contains(|c: char| c == '/' || c.is_control()) {
            return None;
        }
        clean.push(name);
    }
    Some(clean.join("/"))
}
