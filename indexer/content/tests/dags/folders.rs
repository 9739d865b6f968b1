//! CIDs of folders, beside those of npm's importer and of the crate `aleph-cid`.

use std::{fs, path::Path};

use aleph_cid::{CidVersion as AlephVersion, UploadFolderOptions, collect_folder_files};
use everhold_content::{Cid, CidVersion, Folder, FolderError, Hasher, Imported, Profile};
use serde_json::json;

use crate::support::{importer::Importer, noise};

/// What our hasher makes of a folder on disk.
fn import(path: &Path, profile: Profile) -> Imported {
    if path.is_file() {
        let mut hasher = Hasher::with_profile(profile);
        hasher.update(&fs::read(path).unwrap());
        return hasher.finish_entry();
    }
    let mut folder = Folder::new(profile.cid_version);
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        folder.add(entry.file_name().to_str().unwrap(), import(&entry.path(), profile)).unwrap();
    }
    folder.finish().unwrap()
}

fn ours(path: &Path, profile: Profile) -> Cid {
    import(path, profile).id().into()
}

fn aleph_cid_of(path: &Path, cid_version: AlephVersion) -> Cid {
    let mut options = UploadFolderOptions::default();
    options.cid_version = cid_version;
    let files = collect_folder_files(path, true).unwrap();
    aleph_cid::folder_hash::hash_folder_root(&files, &options).unwrap().to_string().parse().unwrap()
}

/// That all agree about a folder, in both versions.
fn agree(importer: &mut Importer, path: &Path, what: &str) {
    let v0 = importer.add(path, json!({}));
    assert_eq!(ours(path, Profile::DEFAULT), v0, "{what}");
    let v1 = importer.add(path, json!({"cidVersion": 1, "rawLeaves": true}));
    assert_eq!(ours(path, Profile::KUBO_V1), v1, "{what}");
    assert_eq!(aleph_cid_of(path, AlephVersion::V0), v0, "{what}");
    assert_eq!(aleph_cid_of(path, AlephVersion::V1), v1, "{what}");
}

#[test]
fn agree_with_two_importers() {
    let mut importer = Importer::start();
    let top = importer.dir().join("collection");
    fs::create_dir_all(top.join("images/deep/er")).unwrap();
    let names =
        ["1.json", "10.json", "2.json", "Zebra", "a b", "ä", "e\u{301}", "日本", "%20", "~"];
    for (seed, name) in names.iter().enumerate() {
        fs::write(top.join(name), noise(seed as u64 + 1, seed * 1000)).unwrap();
        fs::write(top.join("images").join(name), noise(seed as u64 + 9, 300_000)).unwrap();
    }
    fs::write(top.join("images/deep/er/file"), b"").unwrap();
    agree(&mut importer, &top, "a folder of folders");
}

#[test]
fn agree_where_a_folder_becomes_shards() {
    let mut importer = Importer::start();
    // A name of 10 bytes and a CID of 34: 44 bytes an entry, so shards from 5958 entries on.
    for count in [5956, 5958, 20_000] {
        let top = importer.dir().join(format!("{count}"));
        fs::create_dir_all(&top).unwrap();
        for at in 0..count {
            fs::write(top.join(format!("{at:05}.json")), format!("{{\"n\":{at}}}")).unwrap();
        }
        agree(&mut importer, &top, &format!("{count} entries"));
    }
}

#[test]
fn an_empty_folder_is_the_one_that_everybody_knows() {
    let empty = Folder::new(CidVersion::V0).finish().unwrap();
    let known: Cid = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn".parse().unwrap();
    assert_eq!(Cid::from(empty.id()), known);
}

#[test]
fn names_that_no_folder_can_have_are_refused() {
    let file = Hasher::with_profile(Profile::DEFAULT).finish_entry();
    let mut folder = Folder::new(CidVersion::V0);
    for name in ["", ".", "..", "a/b", "/", "nul\0"] {
        let refused = Err(FolderError::Name { name: name.to_owned() });
        assert_eq!(folder.add(name, file), refused, "{name:?}");
    }
    folder.add("a", file).unwrap();
    assert_eq!(folder.add("a", file), Err(FolderError::Twice { name: "a".to_owned() }));
}
