//! Vaults of either kind, and what to put into them.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use everhold::{
    config::Config,
    content::{CarWriter, Cid, Codec, ContentId, Hasher, Outline, Profile, id_of},
    vault::Vault,
};
use tempfile::{NamedTempFile, TempDir};

use crate::bucket::{Bucket, KEY_ID, SECRET};

/// A vault, and the folder where what it holds lies in the end.
pub(crate) struct Place {
    pub(crate) vault: Vault,
    pub(crate) files: PathBuf,
    pub(crate) config: Config,
    _dir: TempDir,
    _bucket: Option<Bucket>,
}

impl Place {
    pub(crate) fn folder() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("vault");
        let text = format!("[vault]\npath = {:?}\n", files.display().to_string());
        Self::of(dir, files, None, &text)
    }

    pub(crate) async fn bucket() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bucket = Bucket::serve(dir.path(), "kept").await;
        let keys = [("id", KEY_ID), ("secret", SECRET)].map(|(name, key)| {
            let path = dir.path().join(name);
            fs::write(&path, format!("{key}\n")).unwrap();
            path.display().to_string()
        });
        let text = format!(
            "[vault]\ns3 = {{ bucket = \"kept\", endpoint = \"{}\", prefix = \"art/x\", \
             access_key_file = {:?}, secret_key_file = {:?} }}\n",
            bucket.url, keys[0], keys[1]
        );
        let files = dir.path().join("kept/art/x");
        Self::of(dir, files, Some(bucket), &text)
    }

    fn of(dir: TempDir, files: PathBuf, bucket: Option<Bucket>, text: &str) -> Self {
        let config = Config::parse(Path::new("x"), text).unwrap();
        config.check().unwrap();
        let vault = Vault::configured(&config, &config.fetcher().unwrap()).unwrap();
        Self { vault, files, config, _dir: dir, _bucket: bucket }
    }

    /// Where a content lies.
    pub(crate) fn path(&self, id: &ContentId, ending: &str) -> PathBuf {
        let cid = id.cid();
        self.files.join(&cid[cid.len() - 2..]).join(cid + ending)
    }
}

/// Bytes without a pattern.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

pub(crate) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

pub(crate) fn raw(bytes: &[u8]) -> ContentId {
    id_of(Codec::Raw, bytes)
}

/// A content that was cut in a way nobody knows: its name, and the archive of its blocks.
pub(crate) fn unusual(bytes: &[u8]) -> (ContentId, Vec<u8>) {
    let profile = Profile { chunk_size: 1000, max_links: 7, ..Profile::DEFAULT };
    let mut hasher = Hasher::with_profile(profile);
    hasher.update(bytes);
    let id = hasher.finish();
    let outline = Outline::by_profiles(id, &[profile], bytes).unwrap().unwrap();
    let mut car = CarWriter::new(Vec::new(), &[Cid::from(id)]).unwrap();
    let mut sections = Vec::new();
    outline.sections(bytes).read_to_end(&mut sections).unwrap();
    car.sections(&sections, outline.blocks()).unwrap();
    (id, car.into_inner())
}
