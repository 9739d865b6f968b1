//! Files on disk, without any network.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Answer, Checked, Verdict, Way, blocks::verdict_of, taken::Taken};
use crate::content::{
    CarError, CarReader, Cid, DagError, DagLimits, RecentBlocks, Reference, Verifier, Walk,
};

/// Bytes read at a time.
const READ: usize = 1 << 20;

/// Blocks of an archive: more than a file of 64 GiB has.
const MAX_BLOCKS: usize = 1 << 18;

/// Checks a file on disk against a reference: whether it is what is meant.
///
/// # Errors
/// Those of reading it.
pub fn check_file(reference: &Reference, path: &Path) -> io::Result<Checked> {
    let mut file = open(path)?;
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

/// Checks an archive (CAR) on disk against a reference: whether it holds what is meant, all of it.
/// Its blocks may come in any order, and it may hold more, each block of which must be what the
/// archive calls it.
///
/// # Errors
/// Those of reading it.
pub fn check_archive(reference: &Reference, path: &Path) -> io::Result<Checked> {
    let mut file = open(path)?;
    let answer = Answer::begin(path.display().to_string(), Way::Car);
    let Some(cid) = reference.cid else {
        let answer = answer.because("such a reference names no blocks");
        return Ok(Checked::new(reference, vec![answer]));
    };
    let names: Vec<&str> = reference.path.iter().flat_map(|path| path.split('/')).collect();
    let limits = DagLimits::default();
    let mut walk = Walk::new(cid, &names, limits);
    let mut taken = Taken::new(0);
    let answer = match walk_over(&mut file, &mut walk, &limits, &mut taken)? {
        Ok(besides) => {
            let mut answer = taken.proved(answer).found(walk.found());
            if besides > 0 {
                let more = format!("the archive holds {besides} more blocks");
                let details: Vec<String> = answer.detail.into_iter().chain([more]).collect();
                answer.detail = Some(details.join("; "));
            }
            answer
        }
        Err(error) => {
            let verdict = verdict_of(&error);
            Answer { verdict, bytes: taken.bytes(), ..answer.because(error) }
        }
    };
    Ok(Checked::new(reference, vec![answer]))
}

/// Opens a file, and nothing else: a pipe or a device may never end.
fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe waits for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    File::open(path)
}

/// Where a block stands in an archive, and whether it was wanted.
struct Place {
    offset: u64,
    size: usize,
    wanted: bool,
}

impl Place {
    fn read(&self, file: &mut File) -> io::Result<Vec<u8>> {
        let mut block = vec![0; self.size];
        file.seek(SeekFrom::Start(self.offset))?;
        file.read_exact(&mut block)?;
        Ok(block)
    }
}

/// Walks over an archive; gives how many blocks it holds besides.
fn walk_over(
    file: &mut File,
    walk: &mut Walk,
    limits: &DagLimits,
    taken: &mut Taken,
) -> io::Result<Result<usize, CarError>> {
    let mut places = match index(file, limits)? {
        Ok(places) => places,
        Err(error) => return Ok(Err(error)),
    };
    let mut recent = RecentBlocks::default();
    while let Some(cid) = walk.wanted() {
        if let Some(block) = recent.get(&cid) {
            match walk.give_again(block) {
                Ok(data) => taken.take(data),
                Err(error) => return Ok(Err(error.into())),
            }
            continue;
        }
        let block = match (cid.inlined(), places.get_mut(&cid)) {
            (Some(inlined), _) => inlined.to_vec(),
            (None, Some(place)) => {
                place.wanted = true;
                place.read(file)?
            }
            (None, None) => return Ok(Err(CarError::Missing { cid })),
        };
        match walk.give(&block) {
            Ok(data) => taken.take(data),
            Err(error) => return Ok(Err(error.into())),
        }
        recent.keep(cid, block);
    }
    besides(file, &places)
}

/// Whether what was not wanted is what the archive calls it; gives how much that is.
fn besides(file: &mut File, places: &HashMap<Cid, Place>) -> io::Result<Result<usize, CarError>> {
    let mut besides = 0;
    for (cid, place) in places {
        if place.wanted || cid.inlined().is_some() {
            continue;
        }
        if cid.names(&place.read(file)?) == Ok(false) {
            return Ok(Err(DagError::WrongBlock { cid: *cid }.into()));
        }
        besides += 1;
    }
    Ok(Ok(besides))
}

/// Where each block of an archive stands, by what the archive calls it. The roots in its header
/// must be among them.
fn index(file: &mut File, limits: &DagLimits) -> io::Result<Result<HashMap<Cid, Place>, CarError>> {
    let mut reader = CarReader::new(limits.block_bytes);
    let mut places = HashMap::new();
    let read = each_piece(file, &mut |piece| {
        reader.feed(piece);
        while let Some(block) = reader.block()? {
            if places.len() == MAX_BLOCKS {
                return Err(DagError::TooMany { what: "blocks", limit: MAX_BLOCKS as u64 }.into());
            }
            let place = Place { offset: block.offset, size: block.bytes.len(), wanted: false };
            match places.entry(block.cid) {
                Entry::Vacant(vacant) => {
                    vacant.insert(place);
                }
                // The first is looked at later; one that comes again must be the same.
                Entry::Occupied(_) if block.cid.names(block.bytes) == Ok(true) => {}
                Entry::Occupied(_) => return Err(DagError::WrongBlock { cid: block.cid }.into()),
            }
        }
        Ok(())
    });
    let read = match read {
        Ok(()) => reader.finish(),
        Err(error) => match error.downcast::<CarError>() {
            Ok(error) => Err(error),
            Err(error) => return Err(error),
        },
    };
    let roots = reader.roots().unwrap_or_default();
    let lying = roots.iter().find(|root| root.inlined().is_none() && !places.contains_key(root));
    Ok(match (read, lying) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(&root)) => Err(CarError::OtherRoot { root }),
        (Ok(()), None) => Ok(places),
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
