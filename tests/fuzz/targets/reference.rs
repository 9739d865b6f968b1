//! References: whatever is read can be shown safely, resolved and decoded, and names no other place than it says.
#![no_main]

use everhold_content::{Reference, ReferenceClass};
use libfuzzer_sys::fuzz_target;

/// Bytes of inline data that are decoded.
const LIMIT: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    let base = Reference::parse(first);
    sound(&base);
    sound(&Reference::resolve(&base, second));
});

fn sound(reference: &Reference) {
    let turns = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!reference.shown().chars().any(turns));
    if let Some(path) = &reference.path {
        assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")), "{path:?}");
        assert!(!path.chars().any(char::is_control), "{path:?}");
        assert!(reference.cid.is_some() || reference.id.is_some(), "a path below nothing");
    }
    // What it proves can always be said, and proofs by hash have a hash.
    let proof = reference.proof();
    assert!(!proof.sentence().is_empty());
    if proof.proves_bytes() && reference.class != ReferenceClass::OnChain {
        assert!(reference.cid.is_some());
    }
    if let Some(Ok(data)) = reference.data(LIMIT) {
        assert!(data.bytes.len() <= LIMIT);
    }
}
