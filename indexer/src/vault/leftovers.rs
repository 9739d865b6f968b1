//! What a process leaves that ends in the middle of writing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Nobody writes at one object for so long.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes files of a folder's folders that are still staged (`NAME#1`, as `object_store` calls them)
/// long after they were last written to.
pub(super) async fn clean(folder: PathBuf) -> io::Result<()> {
    let cleaned = tokio::task::spawn_blocking(move || clean_before(&folder, SystemTime::now()));
    cleaned.await.map_err(io::Error::other)?
}

fn clean_before(folder: &Path, now: SystemTime) -> io::Result<()> {
    if !folder.try_exists()? {
        return Ok(());
    }
    for below in fs::read_dir(folder)? {
        let below = below?;
        if !below.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(below.path())? {
            let entry = entry?;
            let written = entry.metadata().and_then(|found| found.modified());
            let is_old = written.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > OLD));
            if is_old && is_staged(&entry.file_name().to_string_lossy()) {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
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
        let now = SystemTime::now();
        clean_before(dir.path(), now).unwrap();
        assert_eq!(fs::read_dir(&below).unwrap().count(), 3);
        clean_before(dir.path(), now + OLD + Duration::from_secs(60)).unwrap();
        assert!(!below.join("x#1").exists() && below.join("x").exists());
        assert_eq!(fs::read_dir(&below).unwrap().count(), 2);
        clean_before(&dir.path().join("none"), now).unwrap();
    }
}
