//! Paths below a content address: what they say is where they lead.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What may not stand in a segment of a URI's path as it is.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Decodes a path and drops its empty segments; `None` where a segment is not UTF-8, a step up,
/// or hides a slash or a control character.
pub(super) fn clean_path(path: &str) -> Option<String> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let clean: Option<Vec<_>> = segments.map(clean_segment).collect();
    Some(clean?.join("/"))
}

/// The name that a segment stands for, as [`clean_path`].
fn clean_segment(segment: &str) -> Option<Cow<'_, str>> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    let lies = name == "." || name == ".." || name.contains(|c: char| c == '/' || c.is_control());
    (!lies).then_some(name)
}

/// Where `text` leads, seen from the file at `base` (a clean path): RFC 3986, section 5.2, with
/// the content address as the authority, so `..` ends at the root. Percent-encoded, without a
/// slash before it; `None` where [`clean_path`] would refuse it.
pub(super) fn join(base: Option<&str>, text: &str) -> Option<String> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let path = &text[..end];
    let mut names: Vec<Cow<'_, str>> = Vec::new();
    if !path.starts_with('/') {
        names.extend(base.into_iter().flat_map(|base| base.split('/')).map(Cow::Borrowed));
        if !path.is_empty() {
            names.pop();
        }
    }
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(names.pop()),
            _ => names.push(clean_segment(segment)?),
        }
    }
    Some(encode(names.iter().map(AsRef::as_ref)))
}

/// Names as a URI's path.
pub(super) fn encode<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let encoded = names.map(|name| utf8_percent_encode(name, SEGMENT).to_string());
    encoded.collect::<Vec<_>>().join("/")
}
