//! npm's `ipfs-unixfs-importer`, in a process of its own (`tests/importer/import.mjs`).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use everhold_content::Cid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The importer's process, and a folder for what it reads and writes.
pub(crate) struct Importer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    dir: TempDir,
}

impl Importer {
    pub(crate) fn start() -> Importer {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut process = Command::new("node")
            .arg("tests/importer/import.mjs")
            .current_dir(top)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node, and npm's packages by `make node_modules`");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Importer { process, input, output, dir: TempDir::new().unwrap() }
    }

    /// The folder, for files to import.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The CID of what is at a path, made with these options.
    pub(crate) fn add(&mut self, path: &Path, options: Value) -> Cid {
        let mut job = options;
        job["path"] = json!(path);
        writeln!(self.input.as_mut().unwrap(), "{job}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("the importer's answer");
        answer["cid"].as_str().unwrap().parse().unwrap()
    }

    /// The CID of bytes, and an archive of their DAG.
    pub(crate) fn archive(&mut self, bytes: &[u8], options: Value) -> (Cid, Vec<u8>) {
        let path = self.dir().join("file");
        std::fs::write(&path, bytes).unwrap();
        self.archive_of(&path, options)
    }

    /// The CID of what is at a path, and an archive of its DAG.
    pub(crate) fn archive_of(&mut self, path: &Path, options: Value) -> (Cid, Vec<u8>) {
        let car = self.dir().join("archive.car");
        let mut options = options;
        options["car"] = json!(car);
        let cid = self.add(path, options);
        (cid, std::fs::read(car).unwrap())
    }
}

impl Drop for Importer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
