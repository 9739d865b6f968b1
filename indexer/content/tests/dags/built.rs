//! Archives that are built of files: checked as those of strangers are, and beside npm's importer's.

use std::io::{self, Read};

use everhold_content::{
    CarPart, CarReader, CarWriter, Cid, CidVersion, Codec, ContentId, Found, Hasher, Outline,
    Profile, id_of,
};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{blocks_of, check_car, importer::Importer, noise};

fn name(profile: Profile, bytes: &[u8]) -> ContentId {
    let mut hasher = Hasher::with_profile(profile);
    hasher.update(bytes);
    hasher.finish()
}

/// The archive of a file, read in pieces of this size.
fn archive(outline: &Outline, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut reader = outline.archive(bytes);
    let (mut car, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return car,
            read => car.extend_from_slice(&buffer[..read]),
        }
    }
}

fn outline(id: ContentId, profile: Profile, bytes: &[u8]) -> Outline {
    Outline::by_profiles(id, &[profile], bytes).unwrap().expect("it was named so")
}

/// Builds, checks as a stranger's, and gives the outline.
fn build(profile: Profile, bytes: &[u8], piece: usize) -> Outline {
    let id = name(profile, bytes);
    let outline = outline(id, profile, bytes);
    assert_eq!((outline.id(), outline.size()), (id, bytes.len() as u64));
    let car = archive(&outline, bytes, piece);
    assert_eq!(car.len() as u64, outline.archive_bytes());
    let (walk, file) = check_car(id.into(), &[], &car).unwrap();
    assert!(file == bytes, "another file by {profile:?}");
    assert_eq!(walk.found(), Some(&Found::File { size: bytes.len() as u64 }));
    assert_eq!(walk.blocks(), outline.blocks());
    outline
}

#[test]
fn by_every_known_profile_are_those_of_the_importer() {
    let mut importer = Importer::start();
    for size in [0, 1, 262_144, 262_145, 1_048_577, 3_000_000] {
        let bytes = noise(size as u64 + 11, size);
        for profile in Profile::KNOWN {
            let options = json!({
                "cidVersion": if profile.cid_version == CidVersion::V0 { 0 } else { 1 },
                "rawLeaves": profile.raw_leaves,
                "chunker": format!("size-{}", profile.chunk_size),
                "children": profile.max_links,
            });
            let (root, theirs) = importer.archive(&bytes, options);
            let outline = build(profile, &bytes, 7777);
            assert_eq!(Cid::from(outline.id()), root, "{size} bytes by {profile:?}");
            let ours = archive(&outline, &bytes, 7777);
            assert!(blocks_of(&ours) == blocks_of(&theirs), "{size} bytes by {profile:?}");
        }
    }
}

#[test]
fn of_a_large_raw_block_come_in_parts() {
    let bytes = noise(3, 5 << 20);
    let id = id_of(Codec::Raw, &bytes);
    let outline = Outline::of(id, &bytes[..]).unwrap().unwrap();
    assert_eq!((outline.profile(), outline.blocks()), (None, 1));
    let car = archive(&outline, &bytes, 100_000);
    let (mut reader, mut file, mut ended) = (CarReader::new(6 << 20), Vec::new(), false);
    for piece in car.chunks(99_991) {
        reader.feed(piece);
        while let Some(part) = reader.part().unwrap() {
            match part {
                CarPart::Begin { cid, size, .. } => {
                    assert_eq!((cid, size), (id.into(), bytes.len() as u64));
                }
                CarPart::Bytes(part) => file.extend_from_slice(part),
                CarPart::End => ended = true,
            }
        }
    }
    assert!(file == bytes && ended);
    reader.finish().unwrap();
}

#[test]
fn of_another_file_than_was_outlined_fail() {
    let bytes = noise(4, 600_000);
    for codec in [Codec::DagPb, Codec::Raw] {
        let id = id_of(codec, &bytes);
        let outline = Outline::of(id, &bytes[..]).unwrap().unwrap();
        let mut other = bytes.clone();
        other[300_000] ^= 1;
        let error = io::copy(&mut outline.archive(&other[..]), &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let shorter = io::copy(&mut outline.archive(&bytes[..599_999]), &mut io::sink());
        assert_eq!(shorter.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(Outline::of(id, &other[..]).unwrap().is_none());
    }
}

#[test]
fn of_several_files_have_every_root() {
    let files = [noise(8, 300_000), noise(9, 10), Vec::new()];
    let ids = [Codec::DagPb, Codec::Raw, Codec::DagPb];
    let ids: Vec<_> = ids.into_iter().zip(&files).map(|(codec, file)| id_of(codec, file)).collect();
    let roots: Vec<Cid> = ids.iter().map(|id| (*id).into()).collect();
    let mut car = CarWriter::new(Vec::new(), &roots).unwrap();
    for (id, file) in ids.iter().zip(&files) {
        let outline = Outline::of(*id, &file[..]).unwrap().unwrap();
        let mut sections = Vec::new();
        outline.sections(&file[..]).read_to_end(&mut sections).unwrap();
        car.sections(&sections, outline.blocks()).unwrap();
    }
    let (blocks, bytes) = (car.blocks(), car.bytes());
    let car = car.into_inner();
    assert_eq!((blocks, bytes), (5, car.len() as u64));
    let mut reader = CarReader::new(1 << 20);
    reader.feed(&car);
    while reader.block().unwrap().is_some() {}
    assert_eq!(reader.roots(), Some(&roots[..]));
    assert!(roots.iter().all(|root| blocks_of(&car).contains_key(root)));
}

/// The blocks of an archive, read in parts.
fn in_parts(car: &[u8], piece: usize) -> Option<Vec<(Cid, u64, Vec<u8>)>> {
    let (mut reader, mut blocks) = (CarReader::new(1 << 20), Vec::new());
    for piece in car.chunks(piece) {
        reader.feed(piece);
        while let Some(part) = reader.part().ok()? {
            match part {
                CarPart::Begin { cid, offset, .. } => blocks.push((cid, offset, Vec::new())),
                CarPart::Bytes(bytes) => blocks.last_mut()?.2.extend_from_slice(bytes),
                CarPart::End => {}
            }
        }
    }
    reader.finish().ok()?;
    Some(blocks)
}

fn as_wholes(car: &[u8], piece: usize) -> Option<Vec<(Cid, u64, Vec<u8>)>> {
    let (mut reader, mut blocks) = (CarReader::new(1 << 20), Vec::new());
    for piece in car.chunks(piece) {
        reader.feed(piece);
        while let Some(block) = reader.block().ok()? {
            blocks.push((block.cid, block.offset, block.bytes.to_vec()));
        }
    }
    reader.finish().ok()?;
    Some(blocks)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the way a file is cut, its archive proves it, and nothing else.
    #[test]
    fn of_any_file_cut_in_any_way_prove_it(
        chunk_size in 1_usize..40, max_links in 2_usize..6, raw_leaves: bool, v1: bool,
        size in 0_usize..2000, seed: u64, piece in 1_usize..300,
    ) {
        let cid_version = if v1 { CidVersion::V1 } else { CidVersion::V0 };
        let profile = Profile { chunk_size, raw_leaves, max_links, cid_version };
        build(profile, &noise(seed, size), piece);
    }

    /// By known profiles, of sizes around their borders.
    #[test]
    fn of_any_size_by_a_known_profile_prove_it(
        profile in 0_usize..4, chunks in 0_usize..5, more in -2_isize..3, seed: u64,
    ) {
        let profile = Profile::KNOWN[profile];
        let size = (chunks * profile.chunk_size).saturating_add_signed(more);
        build(profile, &noise(seed, size), 50_000);
    }

    /// Read in parts or as wholes, an archive has the same blocks, or is refused, damaged or not.
    #[test]
    fn have_the_same_blocks_in_parts(
        at in 0_usize..3000, value: u8, cut in 0_usize..6000, piece in 1_usize..500,
    ) {
        let profile = Profile { chunk_size: 100, max_links: 3, ..Profile::DEFAULT };
        let bytes = noise(1, 1234);
        let id = name(profile, &bytes);
        let mut car = archive(&outline(id, profile, &bytes), &bytes, 1000);
        let at = at % car.len();
        car[at] ^= value;
        car.truncate(cut);
        prop_assert_eq!(in_parts(&car, piece), as_wholes(&car, piece));
    }
}
