//! Archives: read in pieces of any size they say the same, and what they prove is whole.
#![no_main]

use everhold_content::{CarCheck, CarError, CarReader, Cid, DagLimits, Found, Next, Walk};
use libfuzzer_sys::fuzz_target;

const LIMITS: DagLimits =
    DagLimits { block_bytes: 1 << 16, file_bytes: 1 << 20, levels: 8, links: 64, blocks: 256 };

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, car) = (usize::from(input.0) + 1, input.1);
    let whole = read(car, car.len().max(1));
    assert_eq!(whole, read(car, piece));
    let Ok((roots, _)) = whole else { return };
    let Some(&root) = roots.first() else { return };

    let mut check = CarCheck::new(Walk::new(root, &[], LIMITS), LIMITS.block_bytes);
    let mut bytes = 0;
    let mut sink = |data: &[u8]| bytes += data.len() as u64;
    let (mut pieces, mut next) = (car.chunks(piece), Next::Bytes);
    while next != Next::Nothing {
        let gone = match next {
            Next::Bytes => match pieces.next() {
                Some(piece) => check.feed(piece, &mut sink),
                None => check.end(&mut sink),
            },
            Next::Turn => check.go_on(&mut sink),
            Next::Block(_) | Next::Nothing => return,
        };
        let Ok(gone) = gone else { return };
        next = gone;
    }
    if let Ok(walk) = check.finish()
        && let Some(Found::File { size }) = walk.found()
    {
        assert_eq!(*size, bytes);
    }
});

/// Roots and blocks of an archive that is fed in pieces.
fn read(car: &[u8], piece: usize) -> Result<(Vec<Cid>, Vec<(Cid, Vec<u8>)>), CarError> {
    let mut reader = CarReader::new(LIMITS.block_bytes);
    let mut blocks = Vec::new();
    for piece in car.chunks(piece) {
        reader.feed(piece);
        while let Some(block) = reader.block()? {
            blocks.push((block.cid, block.bytes.to_vec()));
        }
    }
    reader.finish()?;
    Ok((reader.roots().unwrap_or_default().to_vec(), blocks))
}
