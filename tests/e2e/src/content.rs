//! Names of content, computed apart from the product.

use std::path::Path;

use everhold_harness::{Context, Result, sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// `ipfs://bafkrei…`: the CIDv1 of these bytes as one raw block.
pub fn raw_uri(bytes: &[u8]) -> String {
    raw_uri_of(&sha256(bytes))
}

/// The same of a sha-256 in hex.
pub fn raw_uri_of(digest: &str) -> String {
    format!("ipfs://{}", cid_v1("55", digest))
}

/// The CIDv1 of a sha-256 in hex, with a codec in hex: `55` raw, `70` dag-pb.
pub fn cid_v1(codec: &str, digest: &str) -> String {
    let hex = format!("01{codec}1220{digest}");
    let bits = hex.chars().filter_map(|digit| digit.to_digit(16));
    let bits: Vec<u32> = bits.flat_map(|d| [d >> 3 & 1, d >> 2 & 1, d >> 1 & 1, d & 1]).collect();
    let five = |bits: &[u32]| {
        let value = bits.iter().fold(0, |sum, bit| sum * 2 + bit) << (5 - bits.len());
        char::from(ALPHABET[value as usize])
    };
    format!("b{}", bits.chunks(5).map(five).collect::<String>())
}

/// The bytes that `publish` must store for a document of codec `raw` that names one file beside
/// it or in `images/`: the same but for that name.
pub fn rewritten(document: &Path, image: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(document).context(document.display())?;
    let bytes = std::fs::read(image).context(image.display())?;
    let name = image.file_name().and_then(|name| name.to_str()).context("file name")?;
    Ok(text.replace(&format!("\"{name}\""), &format!("\"{}\"", raw_uri(&bytes))).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CID that `ipfs add --cid-version 1` gives for `hello world` and a final newline.
    #[test]
    fn names_a_block_as_ipfs_does() {
        let uri = raw_uri(b"hello world\n");
        assert_eq!(uri, "ipfs://bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4");
    }
}
