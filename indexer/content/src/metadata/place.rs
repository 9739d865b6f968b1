//! Where in a document links stand.

/// What a value is, by the keys that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The document itself.
    Document,
    /// `properties`.
    Properties,
    /// `properties.files`.
    Files,
    /// Something with a link and a media type: role and pointer of a file or of `media`.
    File {
        role: String,
        pointer: String,
        /// Whether it may be a link itself.
        string: bool,
    },
    /// A link, or an array of them.
    Link(Spot),
    /// `name`.
    Name,
    /// `description`.
    Description,
    /// Nothing that is looked at.
    Other,
}

/// A place for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// `image`, `properties.files[0]`, ….
    pub(super) role: String,
    /// JSON pointer (RFC 6901).
    pub(super) pointer: String,
    pub(super) kind: Kind,
    /// Whether it is one of an array already: there are no arrays of arrays of links.
    nested: bool,
}

/// How a link's value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A reference, and nothing else may stand there.
    Link,
    /// The data itself.
    Inline,
    /// A reference, where others write plain words or numbers, too.
    Maybe,
}

/// The keys of a link's media type, beside it.
const MEDIA_TYPE: [&str; 4] = ["type", "mimeType", "mime_type", "mime"];

impl Place {
    /// What stands at a key of this.
    pub(super) fn at_key(&self, key: &str) -> Place {
        match self {
            Place::Document => document(key),
            Place::Properties => match key {
                "files" => Place::Files,
                "image" | "image_url" | "animation_url" => {
                    link(&format!("properties.{key}"), &format!("/properties/{key}"), Kind::Maybe)
                }
                _ => Place::Other,
            },
            Place::File { role, pointer, string } => {
                let pointer = format!("{pointer}/{key}");
                match (key, string) {
                    ("uri", true) => link(role, &pointer, Kind::Link),
                    ("uri", false) => link(&format!("{role}.uri"), &pointer, Kind::Maybe),
                    ("url" | "cdn_uri", _) => link(&format!("{role}.{key}"), &pointer, Kind::Maybe),
                    _ => Place::Other,
                }
            }
            _ => Place::Other,
        }
    }

    /// What stands at an index of this.
    pub(super) fn at_index(&self, index: usize) -> Place {
        match self {
            Place::Files => Place::File {
                role: format!("properties.files[{index}]"),
                pointer: format!("/properties/files/{index}"),
                string: true,
            },
            // One level only: roles must not grow with the depth of hostile arrays.
            Place::File { role, pointer, string: false } if !role.ends_with(']') => Place::File {
                role: format!("{role}[{index}]"),
                pointer: format!("{pointer}/{index}"),
                string: false,
            },
            Place::Link(spot) if !spot.nested => Place::Link(Spot {
                role: format!("{}[{index}]", spot.role),
                pointer: format!("{}/{index}", spot.pointer),
                kind: spot.kind,
                nested: true,
            }),
            _ => Place::Other,
        }
    }

    /// The link that a string here is, or anything else where there is a string to be.
    pub(super) fn link(&self) -> Option<Spot> {
        match self {
            Place::Link(spot) => Some(spot.clone()),
            Place::File { role, pointer, string: true } => {
                let (role, pointer) = (role.clone(), pointer.clone());
                Some(Spot { role, pointer, kind: Kind::Maybe, nested: true })
            }
            _ => None,
        }
    }

    /// Whether an array of this kind of value is something else than a value of the wrong kind.
    pub(super) fn takes_arrays(&self) -> bool {
        matches!(self, Place::Link(Spot { nested: false, .. }))
    }

    /// Whether the key says of which media type the link beside it is.
    pub(super) fn says_media_type(&self, key: &str) -> bool {
        matches!(self, Place::File { .. }) && MEDIA_TYPE.contains(&key)
    }
}

/// The document's own keys: ERC-721, OpenSea's, ERC-7572 for contracts, Zora's `media`.
fn document(key: &str) -> Place {
    let kind = match key {
        "image" | "image_url" | "animation_url" => Kind::Link,
        "image_data" => Kind::Inline,
        "animation"
        | "banner_image"
        | "banner_image_url"
        | "featured_image"
        | "featured_image_url"
        | "background_image"
        | "background_image_url" => Kind::Maybe,
        "name" => return Place::Name,
        "description" => return Place::Description,
        "properties" => return Place::Properties,
        "media" => {
            return Place::File { role: "media".into(), pointer: "/media".into(), string: false };
        }
        _ => return Place::Other,
    };
    link(key, &format!("/{key}"), kind)
}

fn link(role: &str, pointer: &str, kind: Kind) -> Place {
    Place::Link(Spot { role: role.to_owned(), pointer: pointer.to_owned(), kind, nested: false })
}
