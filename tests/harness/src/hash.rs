//! SHA-256, computed apart from the product: an independent witness.

use std::{
    fmt::Write,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::{Context, Result};

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file, in hex; the file is read piece by piece.
pub fn sha256_file(path: &Path) -> Result<String> {
    let hashed = || -> io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            hasher.update(&buffer[..read]);
        }
    };
    hashed().context(path.display())
}

/// The digest that codec `dag-pb` gives a file that fits into one block (256 KiB), in hex:
/// SHA-256 of a DAG-PB node around a UnixFS file around the bytes. Written down here from the
/// formats' specifications, apart from the product and from the development node.
pub fn dag_pb_sha256(bytes: &[u8]) -> String {
    let size = varint(bytes.len());
    // UnixFS: 1 type = file (2), 2 data, 3 filesize. DAG-PB: 1 data.
    let file = [&[0x08, 0x02, 0x12], &*size, bytes, &[0x18], &*size].concat();
    sha256(&[&[0x0a], &*varint(file.len()), &*file].concat())
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        // Seven bits at a time.
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        // `hello world\n` is QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o everywhere.
        let hello = "46d44814b9c5af141c3aaab7c05dc5e844ead5f91f12858b021eba45768b4c0e";
        assert_eq!(dag_pb_sha256(b"hello world\n"), hello);
    }
}
