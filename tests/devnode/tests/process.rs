//! The process: its one line, and how it ends.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::PATIENCE;
use serde_json::Value;

fn start(args: &[&str]) -> (Child, BufReader<std::process::ChildStdout>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_everhold-devnode"))
        .arg("--data")
        .arg(folder.path())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let said_url: Value = serde_json::from_str(&line).expect("JSON");
    assert!(said_url["url"].as_str().expect("a URL").starts_with("http://127.0.0.1:"));
    (child, said, folder)
}

fn assert_ends(mut child: Child, mut said: BufReader<std::process::ChildStdout>) {
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().expect("killed");
            panic!("it did not end");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut rest = String::new();
    said.read_line(&mut rest).expect("the end");
    assert_eq!(rest, "", "one line and no more");
}

#[test]
fn ends_with_stdin() {
    let (mut child, said, _folder) = start(&["--exit-with-stdin"]);
    drop(child.stdin.take());
    assert_ends(child, said);
}

#[test]
fn ends_at_signals() {
    for signal in ["-TERM", "-INT"] {
        let (child, said, _folder) = start(&[]);
        let pid = child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
        assert_ends(child, said);
    }
}
