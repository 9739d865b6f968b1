//! Puts the blocks of a content on own Kubo nodes.

use super::{act::Taken, admit::Step, cases::LARGEST_BLOCK};
use crate::{
    content::{Codec, ContentId},
    ledger::Known,
    nodes::{Kubo, aleph::Payload},
    watch::Watch,
};

impl Watch {
    /// Whether the blocks of a content may be made here of its bytes.
    pub(super) fn makes_blocks(&self, id: ContentId, known: Known) -> bool {
        let _ = self;
        match id.codec {
            Codec::DagPb => true,
            // One block: others take no larger ones.
            Codec::Raw => known.size.is_some_and(|size| size <= LARGEST_BLOCK),
        }
    }

    pub(super) async fn import(
        &self,
        step: &Step,
        kubo: &Kubo,
        payload: &Payload,
    ) -> Result<Taken, String> {
        let _ = (step, kubo, payload);
        Err("no blocks yet".into())
    }
}
