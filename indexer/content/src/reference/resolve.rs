//! From a relative reference to the place it means.

use url::Url;

use super::{Reference, ReferenceClass as Class, path};
use crate::cid::RAW;

impl Reference {
    /// What `text` means in the document at `base`.
    ///
    /// A text that stands for itself is read as [`Reference::parse`] does. A relative one is
    /// resolved by RFC 3986; where the base carries a CID, an IPNS name or an Arweave id, in
    /// whatever spelling, then below that name: `..` ends at its root, as in an `ipfs://` URL.
    /// What can't be resolved (in a `data:` document, in a file that can't be a folder) stays
    /// [`ReferenceClass::Relative`](super::ReferenceClass::Relative).
    ///
    /// ```
    /// use everhold_content::Reference;
    ///
    /// let cid = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
    /// let document = Reference::parse(&format!("ipfs://{cid}/metadata/1.json"));
    /// let image = Reference::resolve(&document, "../images/1.png");
    /// assert_eq!(image, Reference::parse(&format!("ipfs://{cid}/images/1.png")));
    /// ```
    pub fn resolve(base: &Reference, text: &str) -> Reference {
        let own = Reference::parse(text);
        let relative = match own.class {
            Class::Relative => true,
            // Not beside the document, but on its host or under its name.
            Class::Unknown => own.text.starts_with('/') && !own.text.contains(char::is_control),
            _ => false,
        };
        if !relative || own.text.len() < text.trim().len() {
            return own;
        }
        let resolved = base.join(&own.text).map(|text| Reference::parse(&text));
        resolved.unwrap_or(own)
    }

    /// Where this carries a name: the one spelling of it that all others are equal to.
    pub fn canonical(&self) -> Option<String> {
        let root = self.root()?;
        Some(match &self.path {
            Some(path) => format!("{root}/{}", path::encode(path.split('/'))),
            None => root,
        })
    }

    /// The name that it carries, as a URI without a path.
    fn root(&self) -> Option<String> {
        match (self.class, &self.cid, &self.id) {
            (_, Some(cid), _) => Some(format!("ipfs://{cid}")),
            (Class::Ipns, None, Some(name)) => Some(format!("ipns://{name}")),
            (Class::Arweave, None, Some(id)) => Some(format!("ar://{id}")),
            _ => None,
        }
    }

    fn join(&self, text: &str) -> Option<String> {
        let Some(root) = self.root() else {
            return match self.class {
                Class::Http | Class::Arweave | Class::Gateway => {
                    Some(Url::parse(&self.text).ok()?.join(text).ok()?.into())
                }
                _ => None,
            };
        };
        let file = self.path.is_none() && self.cid.is_some_and(|cid| cid.codec() == RAW);
        if file || text.starts_with("//") {
            return None;
        }
        match path::join(self.path.as_deref(), text)? {
            path if path.is_empty() => Some(root),
            path => Some(format!("{root}/{path}")),
        }
    }
}
