//! DAGs made by npm's importer, apart from the product.

use std::{collections::HashMap, path::Path, process::Stdio};

use everhold_harness::{Context, Error, Result, sha256};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::content::cid_v1;

/// A DAG: the CIDv1 of its root, and its blocks by theirs, in the order of a walk.
#[derive(Clone, Debug)]
pub struct Dag {
    /// The root's CID, as the importer writes it.
    pub root: String,
    /// CIDv1 and bytes of each block, as often as it is linked.
    pub blocks: Vec<(String, Vec<u8>)>,
    /// The archive (CAR) of them.
    pub car: Vec<u8>,
}

impl Dag {
    /// What the importer makes of a file or folder, with the options of `tests/importer`.
    pub async fn import(path: &Path, options: Value) -> Result<Self> {
        let dir = tempfile::tempdir().context("temporary folder")?;
        let archive = dir.path().join("archive.car");
        let mut job = options;
        job["path"] = json!(path);
        job["car"] = json!(archive);
        job["duplicates"] = json!(true);
        let mut process = Command::new("node")
            .arg("tests/importer/import.mjs")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node")?;
        let mut input = process.stdin.take().context("importer")?;
        input.write_all(format!("{job}\n").as_bytes()).await.context("importer")?;
        drop(input);
        let output = process.wait_with_output().await.context("importer")?;
        let answer: Value = serde_json::from_slice(&output.stdout).context("importer")?;
        let root = answer["cid"].as_str().context("root")?.to_owned();
        let car = std::fs::read(archive).context("archive")?;
        let blocks = blocks_of(&car)?;
        Ok(Self { root, blocks, car })
    }

    /// The blocks by their CIDv1.
    pub fn by_cid(&self) -> HashMap<String, Vec<u8>> {
        self.blocks.iter().cloned().collect()
    }
}

/// The blocks of a CARv1 whose CIDs are all by sha-256.
fn blocks_of(car: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut rest = car;
    let (header, behind) = section(rest).context("header")?;
    if header.is_empty() {
        return Err(Error::new("an archive without a header"));
    }
    rest = behind;
    let mut blocks = Vec::new();
    while let Some((section, behind)) = section(rest) {
        let (codec, cid) = if section[0] == 1 { (section[1], 36) } else { (0x70, 34) };
        let bytes = section[cid..].to_vec();
        blocks.push((cid_v1(&format!("{codec:02x}"), &sha256(&bytes)), bytes));
        rest = behind;
    }
    Ok(blocks)
}

fn section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let size = bytes[..=end].iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    Some((bytes.get(end + 1..end + 1 + size)?, bytes.get(end + 1 + size..)?))
}
