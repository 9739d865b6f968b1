//! Bytes that go by.

use super::{Answer, Verdict};
use crate::content::{Codec, Hasher};

/// Hashes the bytes of a file as they come, and keeps them while they are few.
#[derive(Debug)]
pub(super) struct Taken {
    hasher: Hasher,
    kept: Option<Vec<u8>>,
    keep: usize,
}

impl Taken {
    pub(super) fn new(keep: usize) -> Self {
        Self { hasher: Hasher::new(Codec::Raw), kept: Some(Vec::new()), keep }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.kept = self.kept.take().filter(|kept| kept.len() + bytes.len() <= self.keep);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.hasher.bytes()
    }

    /// The answer of whoever gave all of them, with a verdict.
    pub(super) fn whole(self, answer: Answer, verdict: Verdict) -> Answer {
        Answer {
            verdict,
            bytes: self.hasher.bytes(),
            sha256: Some(self.hasher.finish().digest.to_hex()),
            body: self.kept,
            ..answer
        }
    }

    /// The answer of whoever gave all of them, proved.
    pub(super) fn proved(self, answer: Answer) -> Answer {
        self.whole(answer, Verdict::Proved)
    }
}
