//! How close the hashers, and the check of an archive, come to plain sha-256, over 64 MiB in memory.
//!
//! `cargo bench --bench content`; the ratios are throughput against `sha256`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use everhold_content::{
    CarCheck, Cid, Codec, ContentId, DagLimits, Digest, Hasher, Next, Verifier, Walk, id_of,
};

/// As the tests write blocks.
#[allow(dead_code, clippy::unwrap_used, reason = "the tests write more kinds, and may stop")]
#[path = "../tests/dags/support/blocks.rs"]
mod blocks;

const SIZE: usize = 64 << 20;

/// What a socket gives at a time.
const PIECE: usize = 64 << 10;

fn hashers(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at * 31 + at / 257) as u8).collect();
    let dag = id_of(Codec::DagPb, &bytes);

    let mut group = criterion.benchmark_group("content");
    group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(10);
    group.bench_function("sha256", |b| b.iter(|| Digest::of(black_box(&bytes))));
    group.bench_function("raw", |b| b.iter(|| in_pieces(Codec::Raw, &bytes, PIECE)));
    group.bench_function("dag-pb", |b| b.iter(|| in_pieces(Codec::DagPb, &bytes, PIECE)));
    group.bench_function("dag-pb, 256 KiB a time", |b| {
        b.iter(|| in_pieces(Codec::DagPb, &bytes, 256 << 10));
    });
    for (name, verifier) in
        [("verifier", Verifier::new(dag)), ("verifier, any profile", Verifier::any_profile(dag))]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut verifier = verifier.clone();
                bytes.chunks(PIECE).for_each(|piece| verifier.update(black_box(piece)));
                assert!(verifier.finish().matches);
            });
        });
    }
    let (root, car) = archive(&bytes);
    group.bench_function("archive, block by block", |b| b.iter(|| check(root, black_box(&car))));
    group.finish();
}

/// The archive of a file cut into chunks of 256 KiB, as most are.
fn archive(bytes: &[u8]) -> (Cid, Vec<u8>) {
    let leaves: Vec<Vec<u8>> =
        bytes.chunks(256 << 10).map(|chunk| blocks::file(chunk, &[])).collect();
    let size = |leaf: &Vec<u8>| (blocks::dag_pb(leaf), 256 << 10);
    let root = blocks::file(b"", &leaves.iter().map(size).collect::<Vec<_>>());
    let cid = blocks::dag_pb(&root);
    let mut all = vec![(cid, &*root)];
    all.extend(leaves.iter().map(|leaf| (blocks::dag_pb(leaf), &**leaf)));
    (cid, blocks::car(cid, &all))
}

fn check(root: Cid, car: &[u8]) {
    let limits = DagLimits::default();
    let mut check = CarCheck::new(Walk::new(root, &[], limits), limits.block_bytes);
    let mut bytes = 0;
    let mut sink = |data: &[u8]| bytes += data.len();
    for piece in car.chunks(PIECE) {
        assert!(matches!(check.feed(piece, &mut sink), Ok(Next::Bytes)));
    }
    assert!(matches!(check.end(&mut sink), Ok(Next::Nothing)));
    assert!(check.finish().is_ok());
    assert_eq!(bytes, SIZE);
}

fn in_pieces(codec: Codec, bytes: &[u8], size: usize) -> ContentId {
    let mut hasher = Hasher::new(codec);
    bytes.chunks(size).for_each(|piece| hasher.update(black_box(piece)));
    hasher.finish()
}

criterion_group!(benches, hashers);
criterion_main!(benches);
