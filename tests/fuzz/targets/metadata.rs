//! Metadata: what can be read can be rewritten, and rewriting nothing changes nothing.
#![no_main]

use everhold_content::{Metadata, MetadataLimits, local_references, rewrite_references};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = MetadataLimits::default();
    let _ = Metadata::parse(bytes, &limits);
    if local_references(bytes).is_err() {
        return;
    }
    let same = rewrite_references(bytes, &|_| None);
    assert_eq!(same.as_deref(), Ok(bytes));
    let rewritten = rewrite_references(bytes, &|_| Some("ipfs://bafkqaaa".to_owned()));
    if let Ok(rewritten) = rewritten {
        assert_eq!(local_references(&rewritten), Ok(Vec::new()));
    }
});
