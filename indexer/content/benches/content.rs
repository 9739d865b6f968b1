//! How close the hashers come to plain sha-256, over 64 MiB in memory.
//!
//! `cargo bench --bench content`; the ratios are throughput against `sha256`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use everhold_content::{Codec, ContentId, Digest, Hasher, Verifier, id_of};

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
    group.finish();
}

fn in_pieces(codec: Codec, bytes: &[u8], size: usize) -> ContentId {
    let mut hasher = Hasher::new(codec);
    bytes.chunks(size).for_each(|piece| hasher.update(black_box(piece)));
    hasher.finish()
}

criterion_group!(benches, hashers);
criterion_main!(benches);
