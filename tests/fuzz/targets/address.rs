//! Content addresses: whatever is read, in whichever spelling, is read the same when written again.
#![no_main]

use everhold_content::{Cid, ContentId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((cid, rest)) = Cid::read(bytes) {
        assert!(rest.len() < bytes.len());
        assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
        assert_eq!(cid.to_string().parse(), Ok(cid));
        // Whether its hash can be checked or not, asking is harmless.
        if let Ok(true) = cid.names(bytes) {
            assert!(cid.function().is_ok());
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cid) = text.parse::<Cid>() {
        assert_eq!(cid.to_string().parse(), Ok(cid));
    }
    if let Ok(id) = text.parse::<ContentId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.cid().parse(), Ok(id));
        assert_eq!(Cid::from(id).content_id(), Some(id));
    }
});
