//! DAGs that nobody makes by accident.

use std::collections::HashMap;

use everhold_content::{Cid, Codec, DagError, DagLimits, Found, HashError, HashFunction, Walk};

use crate::support::blocks::{bytes, dag_pb, directory, file, file_of, link, node, number, raw};

/// The file under a root over these blocks, each under both codecs.
fn walk_with(limits: DagLimits, root: Cid, blocks: &[&[u8]]) -> Result<Vec<u8>, DagError> {
    let mut named = HashMap::new();
    for block in blocks {
        named.insert(dag_pb(block), *block);
        named.insert(raw(block), *block);
    }
    let mut walk = Walk::new(root, &[], limits);
    let mut file = Vec::new();
    while let Some(cid) = walk.wanted() {
        let block = cid.inlined().map_or_else(|| named[&cid].to_vec(), <[u8]>::to_vec);
        file.extend_from_slice(walk.give(&block)?);
    }
    assert!(walk.is_finished());
    assert_eq!(walk.found(), Some(&Found::File { size: file.len() as u64 }));
    Ok(file)
}

fn walk(root: &[u8], blocks: &[&[u8]]) -> Result<Vec<u8>, DagError> {
    let blocks = [&[root], blocks].concat();
    walk_with(DagLimits::default(), dag_pb(root), &blocks)
}

#[test]
fn honest_ones_of_every_shape_are_read() {
    let (one, two) = (file(b"one", &[]), b"two");
    let both = [(dag_pb(&one), 3), (raw(two), 3)];
    assert_eq!(walk(&file(b"", &both), &[&one, two]).unwrap(), b"onetwo");
    // Data of its own comes first, as in trickle DAGs; a size may be left out.
    assert_eq!(walk(&file(b"zero", &both), &[&one, two]).unwrap(), b"zeroonetwo");
    assert_eq!(walk(&file_of(b"", &both, None), &[&one, two]).unwrap(), b"onetwo");
    // Sizes packed, as later protobuf writes them.
    let data = [number(1, 2), number(3, 6), bytes(4, &[3, 3])].concat();
    let packed = node(&[link(both[0].0, ""), link(both[1].0, "")], &data);
    assert_eq!(walk(&packed, &[&one, two]).unwrap(), b"onetwo");
    // A leaf of the oldest kind, and one that is its own name.
    let old = node(&[], &[number(1, 0), bytes(2, b"old"), number(3, 3)].concat());
    let inline = Cid::of(Codec::Raw, HashFunction::Identity, b"in").unwrap();
    let root = file(b"", &[(dag_pb(&old), 3), (inline, 2)]);
    assert_eq!(walk(&root, &[&old]).unwrap(), b"oldin");
    assert_eq!(walk(&file(b"", &[]), &[]).unwrap(), b"");
}

#[test]
fn wrong_sizes_are_found() {
    let leaf = file(b"leaf", &[]);
    let sizes = |block: &[u8]| walk(block, &[&leaf]).unwrap_err();
    for declared in [0, 3, 5, u64::MAX] {
        let root = file_of(b"", &[(dag_pb(&leaf), 4)], Some(declared));
        assert!(matches!(sizes(&root), DagError::WrongSize { found: 4, .. }), "{declared}");
        // Right in itself, but not of the leaf below.
        if let Some(declared) = declared.checked_add(0).filter(|size| *size != u64::MAX) {
            let root = file(b"", &[(dag_pb(&leaf), declared)]);
            assert!(matches!(sizes(&root), DagError::WrongSize { found: 4, .. }), "{declared}");
        }
    }
    let own = file_of(b"leaf", &[], Some(5));
    assert!(matches!(walk(&own, &[]), Err(DagError::WrongSize { declared: 5, found: 4, .. })));
    // More or fewer sizes than links; sizes beyond 64 bits.
    let cid = dag_pb(&leaf);
    let of = |links: &[Cid], sizes: &[u64]| {
        let links: Vec<Vec<u8>> = links.iter().map(|cid| link(*cid, "")).collect();
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| number(4, *size)).collect();
        node(&links, &[number(1, 2), sizes].concat())
    };
    for root in [of(&[cid], &[]), of(&[cid], &[4, 4]), of(&[], &[4]), of(&[cid; 2], &[u64::MAX, 4])]
    {
        assert!(matches!(sizes(&root), DagError::Malformed { .. }));
    }
}

#[test]
fn a_bomb_of_a_few_blocks_is_refused_before_it_unfolds() {
    // 1,000 links to the same block, four levels of that: 10^12 times 1,000 bytes.
    let mut below = vec![7; 1000];
    let mut cid = raw(&below);
    let mut size = 1000_u64;
    let mut blocks = vec![below.clone()];
    for _ in 0..4 {
        below = file(b"", &vec![(cid, size); 1000]);
        (cid, size) = (dag_pb(&below), size * 1000);
        blocks.push(below.clone());
    }
    let blocks: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
    let found = walk_with(DagLimits::default(), cid, &blocks);
    assert_eq!(found, Err(DagError::FileTooLarge { size: 1_000_000_000_000_000, limit: 1 << 40 }));
}

#[test]
fn a_bomb_without_a_byte_ends_at_the_limit_of_blocks() {
    let empty = file(b"", &[]);
    let mut blocks = vec![empty.clone()];
    let mut cid = dag_pb(&empty);
    for _ in 0..6 {
        let above = file(b"", &vec![(cid, 0); 1000]);
        cid = dag_pb(&above);
        blocks.push(above);
    }
    let blocks: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
    let limits = DagLimits { blocks: 10_000, ..DagLimits::default() };
    let found = walk_with(limits, cid, &blocks);
    assert_eq!(found, Err(DagError::TooMany { what: "blocks", limit: 10_000 }));
}

#[test]
fn blocks_that_are_mostly_padding_end_at_a_multiple_of_the_file() {
    // A leaf of one byte and 1 MiB that means nothing, ten thousand times: 10 GiB to be read.
    let data = [number(1, 2), bytes(2, b"x"), number(3, 1), bytes(15, &vec![0; 1 << 20])];
    let padded = node(&[], &data.concat());
    let root = file(b"", &vec![(dag_pb(&padded), 1); 10_000]);
    let found = walk(&root, &[&padded]);
    let what = "bytes of blocks for each byte of its file";
    assert_eq!(found, Err(DagError::TooMany { what, limit: 64 }));
}

#[test]
fn too_many_levels_and_links_are_refused() {
    let mut block = file(b"x", &[]);
    let mut blocks = vec![block.clone()];
    for _ in 0..70 {
        block = file(b"", &[(dag_pb(&block), 1)]);
        blocks.push(block.clone());
    }
    let all: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
    let found = walk_with(DagLimits::default(), dag_pb(&block), &all);
    assert_eq!(found, Err(DagError::TooMany { what: "levels", limit: 64 }));

    // Links of four bytes: more of them than fit into a block of honest ones.
    let tiny = Cid::of(Codec::Raw, HashFunction::Identity, b"").unwrap();
    let wide = file(b"", &vec![(tiny, 0); 70_000]);
    assert!(matches!(walk(&wide, &[]), Err(DagError::Malformed { reason: "too many links", .. })));
    let waiting = file(b"", &vec![(tiny, 0); 60_000]);
    let two = file(b"", &[&[(dag_pb(&waiting), 0)][..], &vec![(tiny, 0); 6000]].concat());
    let found = walk(&two, &[&waiting]);
    assert_eq!(found, Err(DagError::TooMany { what: "links", limit: 1 << 16 }));
}

#[test]
fn blocks_that_are_too_large_or_others_are_refused_and_still_wanted() {
    let right = b"right".to_vec();
    let limits = DagLimits { block_bytes: 10, ..DagLimits::default() };
    let mut walk = Walk::new(raw(&right), &[], limits);
    let large = walk.give(&[0; 11]).unwrap_err();
    assert!(matches!(large, DagError::BlockTooLarge { size: 11, limit: 10, .. }));
    assert_eq!(walk.give(b"wrong"), Err(DagError::WrongBlock { cid: raw(&right) }));
    assert_eq!(walk.wanted(), Some(raw(&right)));
    assert_eq!(walk.give(&right).unwrap(), b"right");
    assert!(walk.is_finished());
}

#[test]
fn other_codecs_are_named() {
    let cbor = Cid::from_parts(0x71, HashFunction::Sha256, raw(b"\xa0").digest()).unwrap();
    let root = file(b"", &[(cbor, 1)]);
    let mut walk = Walk::new(dag_pb(&root), &[], DagLimits::default());
    walk.give(&root).unwrap();
    assert_eq!(walk.give(b"\xa0"), Err(DagError::Codec { cid: cbor }));
    assert!(!walk.is_finished() && walk.wanted().is_none());
}

#[test]
fn hashes_that_prove_nothing_are_named() {
    let of = |hash: &[u8]| Cid::from_bytes(&[&[1, 0x55], hash].concat()).unwrap();
    let sha1 = of(&[&[0x11, 20][..], &[0; 20]].concat());
    assert_eq!(sha1.function(), Err(HashError::Broken { code: 0x11, name: "sha1" }));
    let murmur = of(&[&[0x22, 8][..], &[0; 8]].concat());
    let name = Some("murmur3-x64-64");
    assert_eq!(murmur.function(), Err(HashError::Unsupported { code: 0x22, name }));
    // A sha2-256 of which only the first 20 bytes are compared.
    let cut = of(&[&[0x12, 20][..], &[0; 20]].concat());
    let function = HashFunction::Sha256;
    let wrong = HashError::WrongLength { function, size: 20, expected: 32 };
    assert_eq!(cut.function(), Err(wrong));
    for cid in [sha1, murmur, cut] {
        let mut walk = Walk::new(cid, &[], DagLimits::default());
        assert!(matches!(walk.give(b"x"), Err(DagError::Hash { .. })));
        assert!(!walk.is_finished());
    }
}

#[test]
fn directories_inside_files_are_refused() {
    let inside = directory(&[]);
    let root = file(b"", &[(dag_pb(&inside), 0)]);
    let found = walk(&root, &[&inside]);
    assert!(matches!(found, Err(DagError::Malformed { reason: "a directory inside a file", .. })));
}

#[test]
fn garbage_is_malformed_and_nothing_else() {
    let leaf = file(b"leaf", &[]);
    for garbage in
        [&b""[..], b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"<html>", b"\x08\x01", &[0xff; 64]]
    {
        let found = walk_with(DagLimits::default(), dag_pb(garbage), &[garbage]);
        assert!(matches!(found, Err(DagError::Malformed { .. })), "{garbage:?} {found:?}");
    }
    for at in 0..leaf.len() {
        let cut = &leaf[..at];
        assert!(walk_with(DagLimits::default(), dag_pb(cut), &[cut]).is_err(), "{at}");
    }
}
