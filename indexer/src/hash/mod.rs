//! The names of files and folders on disk: what `everhold hash` says.

mod file;
mod tree;

pub use file::{FileHashes, hash_file};
pub use tree::{HashError, Hashed, HashedEntry, Progress, hash_path};
