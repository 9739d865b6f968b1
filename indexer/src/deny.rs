//! The deny list: what is never fetched, stored, repaired or shown, by its digest.
//!
//! It is in the ledger (`everhold deny`) and in files of the configuration (`[deny] files`), which are
//! read again at each start.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::{
    config::Config,
    content::{Cid, Digest, HashFunction},
    ledger::{Ledger, LedgerError},
};

/// The largest file that is read, in bytes: half a million entries.
const MOST_BYTES: u64 = 64 << 20;
/// What stands for the reason where a file gives none.
const NO_REASON: &str = "no reason is given";

/// Why the deny list can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DenyError {
    /// A file of `[deny] files`.
    #[error("[deny] files: {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large.
    #[error("[deny] files: {} has {bytes} bytes; at most {MOST_BYTES} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// A line of it.
    #[error("[deny] files: {}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: NoDigest,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A text that names no sha-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is expected: 64 hexadecimal digits, or a CID whose hash is sha2-256")]
pub struct NoDigest;

/// The digest that an id names: 64 hexadecimal digits, with `0x` or without, or a CID of either
/// version and any codec.
///
/// # Errors
/// [`NoDigest`].
pub fn digest_of(id: &str) -> Result<Digest, NoDigest> {
    let hex = id.strip_prefix("0x").unwrap_or(id);
    if hex.len() == 64 {
        let mut bytes = [0; 32];
        alloy::hex::decode_to_slice(hex, &mut bytes).map_err(|_| NoDigest)?;
        return Ok(Digest(bytes));
    }
    let cid: Cid = id.parse().map_err(|_| NoDigest)?;
    digest_in(&cid).ok_or(NoDigest)
}

/// The digest in a CID, where it is a sha-256.
pub(crate) fn digest_in(cid: &Cid) -> Option<Digest> {
    match cid.function() {
        Ok(HashFunction::Sha256) => Digest::from_slice(cid.digest()),
        _ => None,
    }
}

/// Reads the files of the configuration: an id and a reason a line; empty lines, and those that begin
/// with `#`, say nothing. Of two lines with one digest the first counts.
///
/// # Errors
/// [`DenyError`], with file and line.
pub fn read_files(config: &Config) -> Result<Vec<(Digest, String)>, DenyError> {
    let mut entries: Vec<(Digest, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for path in &config.deny.files {
        let unreadable = |source| DenyError::Unreadable { path: path.clone(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MOST_BYTES {
            return Err(DenyError::TooLarge { path: path.clone(), bytes });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let read = parse(path, &text)?;
        entries.extend(read.into_iter().filter(|(digest, _)| seen.insert(*digest)));
    }
    Ok(entries)
}

fn parse(path: &Path, text: &str) -> Result<Vec<(Digest, String)>, DenyError> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    said.map(|(line, text)| {
        let (id, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let digest = digest_of(id).map_err(|reason| DenyError::Line {
            path: path.to_owned(),
            line,
            reason,
        })?;
        let reason = match reason.trim() {
            "" => NO_REASON.to_owned(),
            reason => everhold_net::shown(reason.as_bytes()),
        };
        Ok((digest, reason))
    })
    .collect()
}

/// What is denied, for commands that store or fetch without a ledger of their own.
#[derive(Clone, Debug, Default)]
pub struct DenyList(HashMap<Digest, String>);

impl DenyList {
    /// What the configuration's files deny, and the ledger, where there is one.
    ///
    /// # Errors
    /// [`DenyError`]. A ledger that can't be read is an error: it may deny anything.
    pub async fn read(config: &Config) -> Result<Self, DenyError> {
        let mut all: HashMap<_, _> = read_files(config)?.into_iter().collect();
        match Ledger::open_existing(&config.database).await {
            Err(LedgerError::Absent(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(ledger) => {
                let denials = ledger.read().await?.denials().await;
                ledger.close().await;
                let entries = denials?.into_iter().map(|denial| (denial.digest, denial.reason));
                all.extend(entries);
            }
        }
        Ok(Self(all))
    }

    /// Why a digest is denied, if it is.
    pub fn reason(&self, digest: &Digest) -> Option<&str> {
        self.0.get(digest).map(String::as_str)
    }

    /// Why what a CID names is denied, if it is.
    pub fn reason_of(&self, cid: &Cid) -> Option<&str> {
        self.reason(&digest_in(cid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Codec, ContentId};

    #[test]
    fn an_id_is_a_digest_however_it_is_written() {
        let digest = Digest::of(b"a");
        let (dag, raw) = (ContentId::new(Codec::DagPb, digest), ContentId::new(Codec::Raw, digest));
        let hex = digest.to_hex();
        for id in [
            &hex,
            &format!("0x{hex}"),
            &hex.to_uppercase(),
            &dag.to_string(),
            &dag.cid(),
            &raw.cid(),
        ] {
            assert_eq!(digest_of(id), Ok(digest), "{id}");
        }
        let sha512 = "bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs";
        for id in ["", "Qm", &hex[1..], &format!("{hex}0"), &"zz".repeat(32), sha512, "ipfs://x"] {
            assert_eq!(digest_of(id), Err(NoDigest), "{id}");
        }
    }

    #[test]
    fn a_file_is_an_id_and_a_reason_a_line() {
        let (one, two) = (Digest::of(b"a"), Digest::of(b"b"));
        let text = format!(
            "# what a court said\n\n{}  by order 7/26 \u{202e}x\r\n0x{}\n",
            one.to_hex(),
            two.to_hex()
        );
        let read = parse(Path::new("list"), &text).unwrap();
        let reasons: Vec<_> =
            read.iter().map(|(digest, reason)| (*digest, reason.as_str())).collect();
        assert_eq!(reasons[0].0, one);
        assert!(reasons[0].1.starts_with("by order 7/26") && !reasons[0].1.contains('\u{202e}'));
        assert_eq!(reasons[1], (two, NO_REASON));
        let error = parse(Path::new("list"), "# x\nbad reason\n").unwrap_err().to_string();
        assert!(error.contains("list:2: an id is expected"), "{error}");
    }
}
