//! Whether repairs have worked, as probes see it.

use std::collections::BTreeMap;

use super::{Result, RowId, Tx, execute, fetch_in, insert_rows, text};
use crate::ledger::Millis;

/// While a node may still be fetching what it was told to keep, it is looked at again after this
/// (milliseconds).
const LOOK_AGAIN: Millis = 1_000;

/// What a probe says of a repair.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Proof {
    /// When the probe began.
    pub(in crate::ledger) began: Millis,
    /// When it ended.
    pub(in crate::ledger) at: Millis,
    /// Why the repair has failed, if it has; `None`: right bytes came. A probe that saw nothing, and is not
    /// the last that counts, says nothing.
    pub(in crate::ledger) wrong: Option<String>,
}

type Key = (RowId, RowId);
type Row = (i64, i64, i64, String, Option<i64>, Option<i64>, Option<String>);

impl Tx {
    /// Settles the repairs of replicas that were probed: done where right bytes came; failed where they
    /// did not, in a probe that began after the node had its time.
    pub(in crate::ledger) async fn prove_repairs(
        &mut self,
        proofs: &BTreeMap<Key, Proof>,
    ) -> Result<()> {
        let mut contents: Vec<RowId> = proofs.keys().map(|(content, _)| *content).collect();
        contents.dedup();
        let open = fetch_in!(
            self,
            Row,
            {}
            "SELECT id, content_id, node_id, state, sent_at, prove_by, detail FROM repairs
             WHERE state IN ('planned', 'sent') AND action <> 'pin-request' AND content_id IN",
            contents,
            ""
        );
        let (mut settled, mut again) = (Vec::new(), Vec::new());
        for (id, content, node, state, sent_at, prove_by, detail) in open {
            let Some(proof) = proofs.get(&(content, node)) else { continue };
            let end = prove_by.or(sent_at).unwrap_or(Millis::MAX);
            match &proof.wrong {
                None => settled.push((id, "done", None, proof.at)),
                // Nobody knows yet whether it was sent at all.
                Some(_) if state == "planned" => {}
                Some(wrong) if proof.began >= end => {
                    let said =
                        detail.map_or_else(|| wrong.clone(), |said| format!("{said} ({wrong})"));
                    settled.push((id, "failed", Some(said), proof.at));
                }
                Some(_) => {
                    again.push((content, node, (proof.at + LOOK_AGAIN).min(end.max(proof.at))))
                }
            }
        }
        insert_rows!(
            self,
            "WITH settled (id, state, detail, at) AS (",
            settled,
            |one| (one.0, one.1, one.2.as_deref().map(text), one.3),
            ") UPDATE repairs SET state = settled.state, detail = settled.detail,
                    finished_at = settled.at
               FROM settled WHERE repairs.id = settled.id"
        );
        self.probe_again(&again).await
    }

    /// Settles what pinning services were told: done where the content is well again, failed where
    /// their time is over.
    pub async fn settle_pin_requests(&mut self, now: Millis) -> Result<()> {
        execute!(
            self,
            "UPDATE repairs SET state = 'done', finished_at = $1, detail = NULL
             WHERE state = 'sent' AND action = 'pin-request' AND EXISTS (
                SELECT 1 FROM assessments a
                WHERE a.content_id = repairs.content_id AND a.health = 'healthy')",
            now,
        )?;
        execute!(
            self,
            "UPDATE repairs SET state = 'failed', finished_at = $1,
                detail = 'the service took the request, and no node was seen to serve it since'
             WHERE state = 'sent' AND action = 'pin-request' AND prove_by <= $1",
            now,
        )?;
        Ok(())
    }
}
