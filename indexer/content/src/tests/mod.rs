//! The module through its public names, against other implementations and against hostile input.

mod contract_vectors;
mod data_uri;
mod graph;
mod hashing;
mod ids;
mod metadata;
mod references;
mod vectors;

/// Bytes without a pattern, the same on every machine: the high bytes of a linear congruential
/// generator (Numerical Recipes), seeded with 1.
fn sample(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}
