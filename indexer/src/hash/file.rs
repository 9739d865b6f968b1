//! One file, read once, hashed in every way at the same time.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use crate::content::{Codec, Digest, Hasher, Imported, Profile};

/// Bytes that are read at a time. A multiple of every profile's chunks, so that none is copied.
const READ: usize = 1 << 20;

/// Pieces that wait for a hasher.
const WAITING: usize = 2;

/// Buffers in use: those that wait, one that is hashed, one that is read.
const BUFFERS: usize = WAITING + 2;

/// The hashes of a file.
#[derive(Clone, Debug)]
pub struct FileHashes {
    /// Its length.
    pub bytes: u64,
    /// sha-256 of its bytes.
    pub sha256: Digest,
    /// The root of its DAG, by each profile that was asked for.
    pub roots: Vec<Imported>,
}

/// Hashes a file by sha-256 and by each profile, each on a thread of its own, in the memory of a
/// few MiB. `seen` is told how many bytes were read since the last time.
///
/// # Errors
/// Those of reading it.
pub fn hash_file(
    path: &Path,
    profiles: &[Profile],
    seen: &(dyn Fn(u64) + Sync),
) -> io::Result<FileHashes> {
    let mut file = File::open(path)?;
    let mut hashers = vec![Hasher::new(Codec::Raw)];
    hashers.extend(profiles.iter().map(|profile| Hasher::with_profile(*profile)));

    let mut first = vec![0; READ];
    let size = fill(&mut file, &mut first)?;
    first.truncate(size);
    seen(size as u64);
    if size < READ {
        // Most files of a collection are small: threads would cost more than they save.
        hashers.iter_mut().for_each(|hasher| hasher.update(&first));
        return Ok(finish(hashers));
    }
    let hashers = on_threads(&mut file, first, hashers, seen)?;
    Ok(finish(hashers))
}

/// Gives the rest of a file, and what was read of it already, to each hasher.
fn on_threads(
    file: &mut File,
    first: Vec<u8>,
    hashers: Vec<Hasher>,
    seen: &(dyn Fn(u64) + Sync),
) -> io::Result<Vec<Hasher>> {
    thread::scope(|scope| {
        let (senders, threads): (Vec<_>, Vec<_>) = hashers
            .into_iter()
            .map(|hasher| {
                let (sender, receiver) = sync_channel(WAITING);
                (sender, scope.spawn(move || hash_all(hasher, &receiver)))
            })
            .unzip();
        let read = read_all(file, first, &senders, seen);
        drop(senders);
        let hashers = threads.into_iter().map(|thread| thread.join());
        let hashers = hashers.collect::<Result<Vec<_>, _>>();
        read?;
        hashers.map_err(|_| io::Error::other("a thread that hashed it has stopped"))
    })
}

/// Reads a file into buffers that are used again once every hasher has left them.
fn read_all(
    file: &mut File,
    first: Vec<u8>,
    hashers: &[SyncSender<Arc<Vec<u8>>>],
    seen: &(dyn Fn(u64) + Sync),
) -> io::Result<()> {
    let mut ring = vec![Arc::new(first)];
    ring.resize_with(BUFFERS, Arc::default);
    for at in 0.. {
        if at > 0 {
            let slot = &mut ring[at % BUFFERS];
            // A hasher that took the last piece but two has dropped the one before.
            let buffer = match Arc::get_mut(slot) {
                Some(buffer) => buffer,
                None => {
                    *slot = Arc::default();
                    Arc::make_mut(slot)
                }
            };
            buffer.resize(READ, 0);
            let size = fill(file, buffer)?;
            buffer.truncate(size);
            seen(size as u64);
        }
        let piece = &ring[at % BUFFERS];
        for hasher in hashers {
            // Gone only if its thread has panicked, which joining it tells.
            let _ = hasher.send(Arc::clone(piece));
        }
        if piece.len() < READ {
            break;
        }
    }
    Ok(())
}

fn hash_all(mut hasher: Hasher, pieces: &Receiver<Arc<Vec<u8>>>) -> Hasher {
    while let Ok(piece) = pieces.recv() {
        hasher.update(&piece);
    }
    hasher
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn finish(hashers: Vec<Hasher>) -> FileHashes {
    let mut hashers = hashers.into_iter();
    let raw = hashers.next().unwrap_or_else(|| Hasher::new(Codec::Raw));
    let bytes = raw.bytes();
    FileHashes {
        bytes,
        sha256: raw.finish().digest,
        roots: hashers.map(Hasher::finish_entry).collect(),
    }
}
