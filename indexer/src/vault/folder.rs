//! What lies in the folder of a vault. At the root of a disk there is more than the vault's own
//! (`lost+found`, which only root may read): nothing of that may keep anybody from the rest.

use std::{
    fs,
    io::{self, ErrorKind::NotFound},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use object_store::path::Path as Location;

use super::names::{MARKER, Name, is_own_folder};

/// Nobody writes at one object for so long.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// What lies there.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// The vault's own, and what is still staged.
    pub(super) files: Vec<Entry>,
    /// What is not the vault's, or can't be looked at, and why.
    pub(super) foreign: Vec<(PathBuf, String)>,
}

/// A file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) location: Location,
    pub(super) bytes: u64,
    path: PathBuf,
    written: Option<SystemTime>,
}

/// What went wrong, and where.
pub(super) type Failed = (PathBuf, io::Error);

/// Looks into the folders that are the vault's own; nothing where there is no such folder.
pub(super) fn look(folder: &Path) -> Result<Inside, Failed> {
    let failed = |error| (folder.to_owned(), error);
    let mut inside = Inside::default();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == NotFound => return Ok(inside),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        match name.to_str() {
            Some(MARKER) => {}
            Some(name) if is_own_folder(name) && path.is_dir() => {
                // A folder that can't be read hides nothing of the others.
                if let Err(error) = inside.take(&path, name) {
                    inside.foreign.push((path, error.to_string()));
                }
            }
            _ => inside.foreign.push((path, "it is not the vault's".to_owned())),
        }
    }
    Ok(inside)
}

impl Inside {
    /// Takes what is in one of the vault's folders.
    fn take(&mut self, folder: &Path, name: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let location = Location::from_iter([name, file]);
            if !is_staged(file) && !Name::is_own(&location) {
                self.foreign.push((path, "it is not the vault's".to_owned()));
                continue;
            }
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => {
                    let (bytes, written) = (found.len(), found.modified().ok());
                    self.files.push(Entry { location, bytes, path, written });
                }
                Ok(_) => self.foreign.push((path, "it is no file".to_owned())),
                // It may have been staged, and got its name.
                Err(error) if error.kind() == NotFound && is_staged(file) => {}
                Err(error) => self.foreign.push((path, error.to_string())),
            }
        }
        Ok(())
    }
}

/// Removes files that are still staged (`NAME#1`, as `object_store` calls them) long after they were last
/// written to: a process ended in the middle of it.
pub(super) fn clean(inside: &Inside, now: SystemTime) -> Result<(), Failed> {
    for Entry { path, written, .. } in &inside.files {
        let is_old = written.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age > OLD));
        let file = path.file_name().unwrap_or_default();
        if is_old && is_staged(&file.to_string_lossy()) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != NotFound => return Err((path.clone(), error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_half_written_is_removed_once_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("ab");
        fs::create_dir(&below).unwrap();
        for name in ["x", "x#1", "x#y"] {
            fs::write(below.join(name), b"").unwrap();
        }
        let (now, inside) = (SystemTime::now(), look(dir.path()).unwrap());
        clean(&inside, now).unwrap();
        assert_eq!(fs::read_dir(&below).unwrap().count(), 3);
        clean(&inside, now + OLD + Duration::from_secs(60)).unwrap();
        assert!(!below.join("x#1").exists() && below.join("x").exists());
        assert_eq!(fs::read_dir(&below).unwrap().count(), 2);
        assert!(look(&dir.path().join("none")).unwrap().files.is_empty());
    }
}
