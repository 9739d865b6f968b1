//! The node's disk: plain files, each under its own name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};

/// Pieces in which files are read and written.
pub(crate) const PIECE: usize = 64 << 10;

/// The folders with the node's files and its unfinished uploads.
#[derive(Debug)]
pub struct Disk {
    files: PathBuf,
    unfinished: PathBuf,
    next: AtomicU64,
}

impl Disk {
    /// Opens the disk in a folder, dropping uploads that were never finished.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let (files, unfinished) = (folder.join("files"), folder.join("unfinished"));
        std::fs::create_dir_all(&files)?;
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::create_dir_all(&unfinished)?;
        let next = AtomicU64::new(0);
        Ok(Self { files, unfinished, next })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }

    /// The length of a file, if it is there.
    pub async fn length(&self, name: &str) -> Option<u64> {
        let meta = fs::metadata(self.path(name)).await.ok()?;
        meta.is_file().then_some(meta.len())
    }

    /// Opens a file to be read.
    pub async fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name)).await
    }

    /// A new file that has no name yet.
    pub async fn unfinished(&self) -> io::Result<(File, Unfinished)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.unfinished.join(number.to_string());
        Ok((File::create(&path).await?, Unfinished { path }))
    }

    /// Gives a finished file its name, in the place of any other.
    pub async fn place(&self, unfinished: &Unfinished, name: &str) -> io::Result<()> {
        fs::rename(&unfinished.path, self.path(name)).await
    }

    /// Deletes a file; false where there was none.
    pub async fn lose(&self, name: &str) -> bool {
        fs::remove_file(self.path(name)).await.is_ok()
    }

    /// Inverts every byte of a file.
    pub async fn corrupt(&self, name: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(self.path(name)).await?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        loop {
            let read = file.read(&mut piece).await?;
            if read == 0 {
                return file.flush().await;
            }
            piece[..read].iter_mut().for_each(|byte| *byte = !*byte);
            file.seek(SeekFrom::Start(at)).await?;
            file.write_all(&piece[..read]).await?;
            file.flush().await?;
            at += read as u64;
            file.seek(SeekFrom::Start(at)).await?;
        }
    }

    /// The names and lengths of all files.
    pub async fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        let mut entries = fs::read_dir(&self.files).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((name, entry.metadata().await?.len()));
        }
        found.sort();
        Ok(found)
    }
}

/// A file without a name, deleted when dropped unless it was placed.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Fails where the file was placed, which is as it should be.
        let _ = std::fs::remove_file(&self.path);
    }
}
