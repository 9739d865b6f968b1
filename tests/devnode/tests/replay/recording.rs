//! The recording as it is read.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Exchange {
    pub(crate) node: String,
    pub(crate) request: Request,
    pub(crate) response: Response,
}

#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Option<Body>,
}

#[derive(Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    pub(crate) body: Option<Body>,
}

/// A body as text, or the size of one that was too large to keep.
#[derive(Deserialize)]
pub(crate) struct Body {
    pub(crate) text: Option<String>,
    pub(crate) bytes: Option<usize>,
}

pub(crate) fn read() -> Vec<Exchange> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/ccn-recording.jsonl");
    let text = std::fs::read_to_string(path).expect("the recording");
    let lines = text.lines();
    lines.map(|line| serde_json::from_str(line).expect("an exchange")).collect()
}
