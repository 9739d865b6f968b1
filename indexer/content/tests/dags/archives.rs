//! Archives: of files cut in every way, honest and not.

use everhold_content::{CarError, Cid, DagError, Found};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    blocks::{car, dag_pb, file, raw, section},
    check_car,
    importer::Importer,
    noise,
};

/// Ways to cut a file that are none of the known profiles.
fn unusual() -> Vec<Value> {
    vec![
        json!({"chunker": "size-1000"}),
        json!({"chunker": "size-1048576", "children": 11}),
        json!({"chunker": "rabin-1024-4096-16384"}),
        json!({"chunker": "rabin-262144-524288-1048576", "rawLeaves": true, "cidVersion": 1}),
        json!({"chunker": "size-4096", "layout": "trickle"}),
        json!({"chunker": "size-777", "layout": "trickle", "rawLeaves": true, "children": 5}),
        json!({"chunker": "size-65536", "layout": "flat", "cidVersion": 1}),
        json!({"chunker": "size-33333", "rawLeaves": true, "cidVersion": 0}),
    ]
}

#[test]
fn of_files_that_were_cut_in_unusual_ways_prove_them() {
    let mut importer = Importer::start();
    // With parts that come again, whose blocks an archive holds once, or each time.
    let part = noise(5, 1 << 20);
    let bytes = [&part[..], &noise(6, 3_000_001), &part, &[0; 2_000_000], &part].concat();
    for options in unusual() {
        for duplicates in [false, true] {
            let mut options = options.clone();
            options["duplicates"] = json!(duplicates);
            let (root, car) = importer.archive(&bytes, options.clone());
            let (walk, file) =
                check_car(root, &[], &car).unwrap_or_else(|e| panic!("{options} {e}"));
            assert!(file == bytes, "{options}");
            assert_eq!(walk.found(), Some(&Found::File { size: bytes.len() as u64 }));
        }
    }
}

/// A file of three leaves, two of them alike.
fn three_leaves() -> (Cid, Vec<u8>, [Vec<u8>; 3]) {
    let (one, two) = (file(b"one", &[]), b"twotwo".to_vec());
    let root = file(b"", &[(dag_pb(&one), 3), (raw(&two), 6), (dag_pb(&one), 3)]);
    let archive =
        car(dag_pb(&root), &[(dag_pb(&root), &root), (dag_pb(&one), &one), (raw(&two), &two)]);
    (dag_pb(&root), archive, [root, one, two])
}

#[test]
fn that_are_right_prove_the_file() {
    let (root, car, _) = three_leaves();
    assert_eq!(check_car(root, &[], &car).unwrap().1, b"onetwotwoone");
}

#[test]
fn with_blocks_besides_prove_nothing() {
    let (root, car, _) = three_leaves();
    let extra = b"something else";
    let mut behind = car.clone();
    behind.extend(section(raw(extra), extra));
    let error = check_car(root, &[], &behind).unwrap_err();
    assert_eq!(error, CarError::Extra { cid: raw(extra) });

    let (_, _, [top, one, two]) = three_leaves();
    let between = crate::support::blocks::car(
        root,
        &[(root, &top), (raw(extra), extra), (dag_pb(&one), &one), (raw(&two), &two)],
    );
    assert!(check_car(root, &[], &between).is_err());
}

#[test]
fn with_a_block_missing_say_which() {
    let (root, _, [top, one, _two]) = three_leaves();
    let archive = car(root, &[(root, &top), (dag_pb(&one), &one)]);
    let error = check_car(root, &[], &archive).unwrap_err();
    assert_eq!(error, CarError::Missing { cid: raw(b"twotwo") });
    assert!(matches!(check_car(root, &[], &car(root, &[])), Err(CarError::Missing { .. })));
}

#[test]
fn with_a_wrong_block_say_which() {
    let (root, _, [top, one, two]) = three_leaves();
    let lying = car(root, &[(root, &top), (dag_pb(&one), &two), (raw(&two), &two)]);
    let error = check_car(root, &[], &lying).unwrap_err();
    assert_eq!(error, CarError::Dag(DagError::WrongBlock { cid: dag_pb(&one) }));
}

#[test]
fn whose_header_lies_prove_nothing() {
    let (root, _, [top, one, two]) = three_leaves();
    let blocks = [(root, &*top), (dag_pb(&one), &*one), (raw(&two), &*two)];
    let error = check_car(root, &[], &car(raw(b"another"), &blocks)).unwrap_err();
    assert_eq!(error, CarError::OtherRoot { root: raw(b"another") });
    // A gateway that did not know the root yet names no bytes instead.
    let nothing: Cid = "bafkqaaa".parse().unwrap();
    assert!(check_car(root, &[], &car(nothing, &blocks)).is_ok());
}

#[test]
fn that_are_none_are_named() {
    let html = b"<html>not found</html>".repeat(10);
    let (root, right, _) = three_leaves();
    let header = |bytes: &[u8]| check_car(root, &[], bytes).unwrap_err();
    assert!(matches!(header(&html), CarError::Header(_)), "{:?}", header(&html));
    for bytes in
        [&b"\x00"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x80\x80\x80\x80\x10"]
    {
        assert!(matches!(header(bytes), CarError::Header(_) | CarError::Malformed { .. }));
    }
    assert!(matches!(header(b""), CarError::Truncated { bytes: 0 }));
    let at = right.windows(8).position(|window| window == b"gversion").unwrap() + 8;
    let mut version_3 = right.clone();
    version_3[at] = 3;
    assert!(header(&version_3).to_string().contains("version 3"));
}

#[test]
fn of_version_2_are_read_to_the_end_of_the_one_inside() {
    let (root, car, _) = three_leaves();
    let v2 = |offset: u64, size: u64| {
        let pragma = b"\x0a\xa1\x67version\x02".to_vec();
        let numbers = [0, 0, offset, size, 0].map(u64::to_le_bytes).concat();
        [pragma, numbers, vec![0; 13], car.clone(), b"an index".to_vec()].concat()
    };
    let size = car.len() as u64;
    assert_eq!(check_car(root, &[], &v2(64, size)).unwrap().1, b"onetwotwoone");
    for (offset, size) in [(0, size), (64, size - 1), (64, size + 3), (64, u64::MAX), (u64::MAX, 1)]
    {
        assert!(check_car(root, &[], &v2(offset, size)).is_err(), "{offset} {size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever is done to an archive, it never proves another file, nor less than the whole.
    #[test]
    fn that_are_damaged_prove_the_file_or_nothing(
        at in 0_usize..400, value: u8, cut in 0_usize..400, flip: bool,
    ) {
        let (root, mut car, _) = three_leaves();
        if flip {
            let at = at % car.len();
            car[at] ^= value;
        } else {
            car.truncate(cut % car.len());
        }
        if let Ok((_, file)) = check_car(root, &[], &car) {
            prop_assert_eq!(file, b"onetwotwoone");
            prop_assert!(flip, "a cut archive is never whole");
        }
    }
}
