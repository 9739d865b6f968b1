//! Paths through directories, flat and sharded.

use std::{collections::HashMap, fs};

use everhold_content::{Cid, DagError, DagLimits, Found, Walk};
use serde_json::json;

use crate::support::{
    blocks::{dag_pb, directory, file, raw, shard},
    check_car,
    importer::Importer,
    walk_over,
};

/// The walk along a path over these blocks.
fn walk(root: Cid, path: &[&str], blocks: &[&[u8]]) -> (Walk, Result<Vec<u8>, DagError>) {
    let named = blocks.iter().flat_map(|block| [dag_pb(block), raw(block)].map(|cid| (cid, block)));
    let blocks: HashMap<Cid, Vec<u8>> = named.map(|(cid, block)| (cid, block.to_vec())).collect();
    let mut walk = Walk::new(root, path, DagLimits::default());
    let file = walk_over(&mut walk, &blocks);
    (walk, file)
}

#[test]
fn lead_to_files_in_folders_of_any_kind() {
    let mut importer = Importer::start();
    let top = importer.dir().join("top");
    fs::create_dir_all(top.join("images")).unwrap();
    let names: Vec<String> = (0..300).map(|at| format!("{at}.json")).collect();
    for name in &names {
        fs::write(top.join(name), name).unwrap();
        fs::write(top.join("images").join(name), format!("image of {name}")).unwrap();
    }
    // In flat directories, and in shards, of which the second level is reached with 300 entries.
    for shard_above in [262_144, 0] {
        let (root, car) = importer.archive_of(&top, json!({"shardAbove": shard_above}));
        let blocks = read_all(&car);
        for name in &names {
            for (path, expected) in [
                (vec![&**name], name.clone()),
                (vec!["images", &**name], format!("image of {name}")),
            ] {
                let mut walk = Walk::new(root, &path, DagLimits::default());
                assert_eq!(walk_over(&mut walk, &blocks).unwrap(), expected.as_bytes());
                assert!(walk.is_finished());
                assert_eq!(walk.found(), Some(&Found::File { size: expected.len() as u64 }));
                assert_eq!(end_of(root, &path, &blocks), walk.target());
            }
        }
        for absent in ["300.json", "0.JSON", "", "..", "image", "images/", "00"] {
            let mut walk = Walk::new(root, &[absent], DagLimits::default());
            let found = walk_over(&mut walk, &blocks);
            assert_eq!(found, Err(DagError::NotFound { name: absent.to_owned() }));
            assert!(!walk.is_finished());
            assert_eq!(walk.arrived(), None);
        }
        // The archive of the whole is not the archive of one path.
        assert!(check_car(root, &["1.json"], &car).is_err());
    }
}

/// What lies at a path, by the folders' blocks alone.
fn end_of(root: Cid, path: &[&str], blocks: &HashMap<Cid, Vec<u8>>) -> Cid {
    let mut walk = Walk::new(root, path, DagLimits::default());
    loop {
        let wanted = walk.wanted().unwrap();
        if let Some(end) = walk.arrived() {
            assert_eq!(wanted, end, "its own blocks are not taken");
            return end;
        }
        walk.give(&blocks[&wanted]).unwrap();
    }
}

/// The blocks of an archive, by the names that it gives them.
fn read_all(car: &[u8]) -> HashMap<Cid, Vec<u8>> {
    let mut reader = everhold_content::CarReader::new(1 << 21);
    reader.feed(car);
    let mut blocks = HashMap::new();
    while let Some(block) = reader.block().unwrap() {
        blocks.insert(block.cid, block.bytes.to_vec());
    }
    reader.finish().unwrap();
    blocks
}

#[test]
fn end_in_a_directory_with_its_entries() {
    let leaf = b"leaf";
    let top = directory(&[("a", raw(leaf)), ("..", raw(leaf)), ("\u{202e}gnp.x", raw(leaf))]);
    let (walk, file) = walk(dag_pb(&top), &[], &[&top]);
    assert_eq!(file.unwrap(), b"");
    let Some(Found::Directory { entries, more: false }) = walk.found() else {
        panic!("{walk:?}");
    };
    let names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["a", "..", "\u{202e}gnp.x"], "as they are: whoever shows them escapes them");
}

#[test]
fn do_not_lead_through_files_or_links() {
    let leaf = file(b"leaf", &[]);
    let link =
        crate::support::blocks::node(&[], &[8, 4, 18, 6, b'.', b'.', b'/', b'e', b't', b'c']);
    let top = directory(&[("file", dag_pb(&leaf)), ("link", dag_pb(&link))]);
    let through = |path: &[&str]| walk(dag_pb(&top), path, &[&top, &leaf, &link]).1.unwrap_err();
    assert_eq!(through(&["file", "x"]), DagError::NotADirectory { name: "x".to_owned() });
    assert_eq!(through(&["link", "x"]), DagError::NotADirectory { name: "x".to_owned() });
    assert_eq!(through(&["link"]), DagError::Symlink { target: "../etc".to_owned() });
}

#[test]
fn are_ambiguous_where_a_name_comes_twice() {
    let twice = directory(&[("1.json", raw(b"one")), ("1.json", raw(b"other"))]);
    let error = walk(dag_pb(&twice), &["1.json"], &[&twice]).1.unwrap_err();
    assert_eq!(error, DagError::Twice { name: "1.json".to_owned() });
    let error = walk(dag_pb(&twice), &[], &[&twice]).1.unwrap_err();
    assert_eq!(error, DagError::Twice { name: "1.json".to_owned() });
}

#[test]
fn end_at_shards_that_are_none() {
    let leaf = raw(b"leaf");
    let at = |block: &[u8]| walk(dag_pb(block), &["1.json"], &[block]).1.unwrap_err();
    for (hash_type, fanout) in [(0x12, 256), (0x22, 0), (0x22, 1), (0x22, 255), (0x22, 2048)] {
        let block = shard(&[("001.json", leaf)], hash_type, fanout);
        assert!(matches!(at(&block), DagError::Malformed { .. }), "{hash_type} {fanout}");
    }
    // The right name at a place that its hash does not lead to: other readers would not find it.
    let everywhere: Vec<String> = (0..=255).map(|place| format!("{place:02X}1.json")).collect();
    let found = everywhere.iter().filter(|name| {
        let block = shard(&[(&***name, leaf)], 0x22, 256);
        let mut walk = Walk::new(dag_pb(&block), &["1.json"], DagLimits::default());
        walk.give(&block).is_ok()
    });
    assert_eq!(found.count(), 1);
}

#[test]
fn end_where_shards_would_lead_on_for_ever() {
    // Each of 256 places leads to the shard below; below the last there is no bit left.
    let mut below = raw(b"leaf");
    let mut blocks = Vec::new();
    for _ in 0..10 {
        let names: Vec<String> = (0..=255).map(|place| format!("{place:02X}")).collect();
        let links: Vec<(&str, Cid)> = names.iter().map(|name| (&**name, below)).collect();
        let block = shard(&links, 0x22, 256);
        below = dag_pb(&block);
        blocks.push(block);
    }
    let blocks: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
    let (_, found) = walk(below, &["1.json"], &blocks);
    assert!(matches!(found, Err(DagError::Malformed { .. })), "{found:?}");
}
