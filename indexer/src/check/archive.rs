//! Files on disk, without any network.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Answer, Checked, Verdict, Way, blocks::verdict_of, taken::Taken};
use crate::content::{CarError, CarReader, Cid, DagError, DagLimits, Reference, Verifier, Walk};

/// Bytes read at a time.
const READ: usize = 1 << 20;

/// Blocks of an archive: more than a file of 64 GiB has.
const MAX_BLOCKS: usize = 1 << 18;

/// Checks a file on disk against a reference: whether it is what is meant.
///
/// # Errors
/// Those of reading it.
pub fn check_file(reference: &Reference, path: &Path) -> io::Result<Checked> {
    let answer = Answer::begin(path.display().to_string(), Way::Bytes);
    let Some(cid) = reference.cid.filter(|_| reference.path.is_none()) else {
        let answer = answer.because("bytes alone prove nothing of such a reference");
        return Ok(Checked::new(reference, vec![answer]));
    };
    let mut verifier = match Verifier::for_cid(cid) {
        Ok(verifier) => verifier,
        Err(error) => {
            let answer = Answer { verdict: Verdict::Unproved, ..answer.because(error) };
            return Ok(Checked::new(reference, vec![answer]));
        }
    };
    let mut taken = Taken::new(0);
    let mut file = File::open(path)?;
    each_piece(&mut file, &mut |piece| {
        verifier.update(piece);
        taken.take(piece);
        Ok(())
    })?;
    let seen = verifier.finish();
    let answer = match (seen.matches, seen.conclusive) {
        (true, _) => taken.proved(answer),
        (false, true) => {
            let detail = format!("other bytes: they hash to {}", seen.computed);
            taken.whole(answer.because(detail), Verdict::Corrupt)
        }
        (false, false) => {
            let detail = "these bytes make another DAG in every way that is known; an archive of \
                          its blocks (--car) can tell";
            taken.whole(answer.because(detail), Verdict::Unproved)
        }
    };
    Ok(Checked::new(reference, vec![answer]))
}

/// Checks an archive (CAR) on disk against a reference: whether it holds what is meant, all of it,
/// and nothing besides. Its blocks may come in any order.
///
/// # Errors
/// Those of reading it.
pub fn check_archive(reference: &Reference, path: &Path) -> io::Result<Checked> {
    let answer = Answer::begin(path.display().to_string(), Way::Car);
    let Some(cid) = reference.cid else {
        let answer = answer.because("such a reference names no blocks");
        return Ok(Checked::new(reference, vec![answer]));
    };
    let mut file = File::open(path)?;
    let names: Vec<&str> = reference.path.iter().flat_map(|path| path.split('/')).collect();
    let limits = DagLimits::default();
    let mut walk = Walk::new(cid, &names, limits);
    let mut taken = Taken::new(0);
    let answer = match walk_over(&mut file, &mut walk, &limits, &mut taken)? {
        Ok(()) => taken.proved(answer).found(walk.found()),
        Err(error) => {
            let verdict = verdict_of(&error);
            Answer { verdict, bytes: taken.bytes(), ..answer.because(error) }
        }
    };
    Ok(Checked::new(reference, vec![answer]))
}

/// Where a block stands in an archive, and whether it was wanted.
struct Place {
    offset: u64,
    size: usize,
    wanted: bool,
}

fn walk_over(
    file: &mut File,
    walk: &mut Walk,
    limits: &DagLimits,
    taken: &mut Taken,
) -> io::Result<Result<(), CarError>> {
    let mut places = match index(file, limits)? {
        Ok(places) => places,
        Err(error) => return Ok(Err(error)),
    };
    let mut block = Vec::new();
    while let Some(cid) = walk.wanted() {
        if let Some(inlined) = cid.inlined() {
            block = inlined.to_vec();
        } else if let Some(place) = places.get_mut(&cid) {
            place.wanted = true;
            block.resize(place.size, 0);
            file.seek(SeekFrom::Start(place.offset))?;
            file.read_exact(&mut block)?;
        } else {
            return Ok(Err(CarError::Missing { cid }));
        }
        match walk.give(&block) {
            Ok(data) => taken.take(data),
            Err(error) => return Ok(Err(error.into())),
        }
    }
    let extra = places.iter().find(|(cid, place)| !place.wanted && cid.inlined().is_none());
    Ok(match extra {
        Some((cid, _)) => Err(CarError::Extra { cid: *cid }),
        None => Ok(()),
    })
}

/// Where each block of an archive stands, by what the archive calls it.
fn index(file: &mut File, limits: &DagLimits) -> io::Result<Result<HashMap<Cid, Place>, CarError>> {
    let mut reader = CarReader::new(limits.block_bytes);
    let mut places = HashMap::new();
    let read = each_piece(file, &mut |piece| {
        reader.feed(piece);
        while let Some(block) = reader.block()? {
            if places.len() == MAX_BLOCKS {
                let reason = "more blocks than are read";
                return Err(CarError::Malformed { offset: block.offset, reason });
            }
            let place = Place { offset: block.offset, size: block.bytes.len(), wanted: false };
            match places.entry(block.cid) {
                Entry::Vacant(vacant) => {
                    vacant.insert(place);
                }
                // The walk proves the first; one that comes again must be the same.
                Entry::Occupied(_) if block.cid.names(block.bytes) == Ok(true) => {}
                Entry::Occupied(_) => return Err(DagError::WrongBlock { cid: block.cid }.into()),
            }
        }
        Ok(())
    });
    Ok(match read {
        Ok(()) => reader.finish().map(|()| places),
        Err(error) => match error.downcast::<CarError>() {
            Ok(error) => Err(error),
            Err(error) => return Err(error),
        },
    })
}

/// Gives a file piece by piece.
fn each_piece(
    file: &mut File,
    take: &mut dyn FnMut(&[u8]) -> Result<(), CarError>,
) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&buffer[..read]).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
