//! The way down to one byte: of DAGs of any shape, and of such as lie.

use std::collections::HashMap;

use everhold_content::{Cid, DagError, DagLimits, Seek};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{
    blocks::{dag_pb, directory, file, file_of, raw},
    importer::Importer,
    noise,
};

type Blocks = HashMap<Cid, Vec<u8>>;

/// The byte at an offset, and how many blocks led there.
fn byte_at(
    root: Cid,
    size: u64,
    offset: u64,
    blocks: &Blocks,
    limits: DagLimits,
) -> Result<(Option<u8>, usize), DagError> {
    let mut seek = Seek::new(root, size, offset, limits);
    let (mut found, mut taken) = (None, 0);
    while let Some(cid) = seek.wanted() {
        taken += 1;
        found = seek.give(&blocks[&cid])?;
        assert!(found.is_none() || seek.wanted().is_none(), "the byte is the end");
    }
    Ok((found, taken))
}

/// A part of a file: a raw leaf, or a node with bytes of its own and parts below.
#[derive(Clone, Debug)]
enum Shape {
    Raw(Vec<u8>),
    Node(Vec<u8>, Vec<Shape>),
}

/// With empty parts, parts that come again, bytes in inner nodes, and leaves at any depth.
fn shapes() -> impl Strategy<Value = Shape> {
    let own = || prop::collection::vec(0u8..3, 0..6);
    let leaf = prop_oneof![own().prop_map(Shape::Raw), own().prop_map(|b| Shape::Node(b, vec![]))];
    leaf.prop_recursive(5, 60, 6, move |below| {
        (own(), prop::collection::vec(below, 0..6)).prop_map(|(own, parts)| Shape::Node(own, parts))
    })
}

impl Shape {
    /// Its block's name and the bytes of its part of the file; its blocks are put to the others.
    fn build(&self, blocks: &mut Blocks) -> (Cid, Vec<u8>) {
        let (cid, block, bytes) = match self {
            Self::Raw(bytes) => (raw(bytes), bytes.clone(), bytes.clone()),
            Self::Node(own, parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.build(blocks)).collect();
                let sizes: Vec<_> = parts.iter().map(|(c, b)| (*c, b.len() as u64)).collect();
                let block = file(own, &sizes);
                let below = parts.into_iter().map(|(_, bytes)| bytes);
                let bytes = std::iter::once(own.clone()).chain(below).collect::<Vec<_>>().concat();
                (dag_pb(&block), block, bytes)
            }
        };
        blocks.insert(cid, block);
        (cid, bytes)
    }

    fn depth(&self) -> usize {
        match self {
            Self::Raw(_) => 1,
            Self::Node(_, parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
        }
    }
}

proptest! {
    /// Every offset leads to the block that holds it, and takes a block a level at most.
    #[test]
    fn leads_to_each_byte_of_any_file(shape in shapes()) {
        let mut blocks = Blocks::new();
        let (root, bytes) = shape.build(&mut blocks);
        let size = bytes.len() as u64;
        for (offset, byte) in (0_u64..).zip(&bytes) {
            let (found, taken) =
                byte_at(root, size, offset, &blocks, DagLimits::default()).unwrap();
            prop_assert_eq!(found, Some(*byte), "{}", offset);
            prop_assert!(taken <= shape.depth());
        }
        for beyond in [size, size + 1, u64::MAX] {
            let (found, taken) =
                byte_at(root, size, beyond, &blocks, DagLimits::default()).unwrap();
            prop_assert_eq!((found, taken), (None, 0));
        }
    }

    /// Whatever comes in the place of a block, no byte is taken from it.
    #[test]
    fn takes_no_other_block(shape in shapes(), other in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut blocks = Blocks::new();
        let (root, bytes) = shape.build(&mut blocks);
        prop_assume!(!bytes.is_empty() && blocks[&root] != other);
        let mut seek = Seek::new(root, bytes.len() as u64, 0, DagLimits::default());
        prop_assert_eq!(seek.give(&other), Err(DagError::WrongBlock { cid: root }));
        prop_assert_eq!(seek.wanted(), Some(root));
    }
}

/// As npm's importer cuts files: balanced and trickle, three levels and more.
#[test]
fn leads_to_bytes_of_imported_files_in_few_blocks() {
    let mut importer = Importer::start();
    let bytes = noise(11, 300_000);
    let ways = [
        (json!({"chunker": "size-1000"}), 3),
        (json!({"chunker": "size-777", "rawLeaves": true, "children": 5}), 5),
        (json!({"chunker": "size-4096", "layout": "trickle", "children": 3}), 6),
    ];
    for (options, most) in ways {
        let (root, car) = importer.archive(&bytes, options.clone());
        let blocks = crate::support::blocks_of(&car);
        for offset in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let at = offset as u64;
            let (found, taken) =
                byte_at(root, bytes.len() as u64, at, &blocks, DagLimits::default()).unwrap();
            assert_eq!(found, Some(bytes[offset]), "{options} at {offset}");
            assert!(taken <= most, "{options} at {offset}: {taken} blocks");
        }
    }
}

#[test]
fn ends_where_sizes_lie() {
    let leaf = file(b"leaf", &[]);
    let cid = dag_pb(&leaf);
    let seek = |root: &[u8], size, offset| {
        let blocks = [(cid, leaf.clone()), (dag_pb(root), root.to_vec())].into();
        byte_at(dag_pb(root), size, offset, &blocks, DagLimits::default())
    };
    // More than the leaf has, less than it has, and a sum that is not that of the parts.
    for declared in [3, 5, 1 << 50] {
        let root = file(b"", &[(cid, declared)]);
        let lie = seek(&root, declared, declared - 1).unwrap_err();
        assert_eq!(lie, DagError::WrongSize { cid, declared, found: 4 });
    }
    let root = file_of(b"", &[(cid, 4)], Some(9));
    assert!(matches!(seek(&root, 9, 8), Err(DagError::WrongSize { found: 4, .. })));
    let root = file(b"", &[(cid, u64::MAX), (cid, 4)].map(|(c, s)| (c, s / 2 + 1)));
    assert!(seek(&root, 4, 3).is_err(), "the root is of another size than is known");
    let root = file_of(b"", &[(cid, u64::MAX), (cid, u64::MAX)], None);
    assert!(matches!(seek(&root, 4, 3), Err(DagError::Malformed { .. })));
}

#[test]
fn ends_at_folders_other_codecs_and_chains_too_deep() {
    let leaf = b"leaf".to_vec();
    let folder = directory(&[("a", raw(&leaf))]);
    let inside = file(b"", &[(dag_pb(&folder), 4)]);
    let cbor = Cid::from_parts(0x71, everhold_content::HashFunction::Sha256, raw(&leaf).digest());
    let other = file(b"", &[(cbor.unwrap(), 4)]);
    let blocks: Blocks = [
        (dag_pb(&folder), folder.clone()),
        (dag_pb(&inside), inside.clone()),
        (dag_pb(&other), other.clone()),
        (cbor.unwrap(), leaf.clone()),
    ]
    .into();
    let at = |root: &[u8]| byte_at(dag_pb(root), 4, 0, &blocks, DagLimits::default()).unwrap_err();
    assert!(matches!(at(&folder), DagError::Malformed { .. }));
    assert!(matches!(at(&inside), DagError::Malformed { .. }));
    assert!(matches!(at(&other), DagError::Codec { .. }));

    let (mut cid, mut blocks) = (raw(&leaf), Blocks::from([(raw(&leaf), leaf)]));
    for _ in 1..10 {
        let above = file(b"", &[(cid, 4)]);
        cid = dag_pb(&above);
        blocks.insert(cid, above);
    }
    let within = |levels| byte_at(cid, 4, 0, &blocks, DagLimits { levels, ..DagLimits::default() });
    assert_eq!(within(10), Ok((Some(b'l'), 10)));
    assert_eq!(within(9), Err(DagError::TooMany { what: "levels", limit: 9 }));
}
