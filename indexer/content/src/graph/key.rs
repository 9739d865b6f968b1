//! When two references are the same node.

use url::Url;

use crate::{Digest, Reference, ReferenceClass};

/// What two references to the same node have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A name and a path, in the one spelling of it.
    Name(String),
    /// An http(s) URL without its fragment.
    Url(String),
    /// Inline data: sha-256 of its text.
    Data(Digest),
    /// Anything else, as it is written.
    Text(String),
}

impl Key {
    pub(super) fn of(reference: &Reference) -> Key {
        if reference.class == ReferenceClass::OnChain {
            return Key::Data(Digest::of(reference.text.as_bytes()));
        }
        if let Some(name) = reference.canonical() {
            return Key::Name(name);
        }
        match Url::parse(&reference.text) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
                url.set_fragment(None);
                Key::Url(url.into())
            }
            _ => Key::Text(reference.text.clone()),
        }
    }

    /// Bytes that it keeps in memory.
    pub(super) fn size(&self) -> usize {
        match self {
            Key::Name(text) | Key::Url(text) | Key::Text(text) => text.len(),
            Key::Data(_) => 32,
        }
    }
}
