//! The demo, run as a user runs it.

use std::process::{Command, Stdio};

/// What the summary must say was seen, in its order.
const PROMISES: [&str; 13] = [
    "a collection is published to four nodes",
    "all tokens are healthy",
    "verified, independent, held: counted apart",
    "a node loses files: degraded",
    "a signed alert tells of it",
    "the files are repaired: healthy",
    "a node serves wrong bytes: corrupt",
    "a signed alert names node and content",
    "the file is repaired: healthy",
    "every node loses a file: the vault has it",
    "an owner's update is verified",
    "a reorg takes back one mint",
    "another mint survives in a new block",
];

#[test]
fn everything_promised_is_seen() {
    let demo = Command::new(env!("CARGO_BIN_EXE_everhold-demo"))
        .env_remove("KEEP")
        .stdin(Stdio::null())
        .output()
        .expect("the demo runs");
    let told = String::from_utf8_lossy(&demo.stdout);
    assert_eq!(demo.status.code(), Some(0), "{told}");
    let seen = told.lines().filter(|line| line.contains("✓ seen"));
    let seen: Vec<_> = seen.collect();
    assert_eq!(seen.len(), PROMISES.len(), "{told}");
    for (line, promise) in seen.iter().zip(PROMISES) {
        assert!(line.contains(promise), "{line}");
    }
    assert!(told.contains("13 of 13 seen"), "{told}");
    assert!(!told.contains('✗') && !told.contains('\x1b'), "{told}");
}
