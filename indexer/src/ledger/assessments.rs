//! The health of each content as it was last judged, and when it is to be judged again.

use super::{Result, RowId, Tx, bulk::fetch_in};

impl Tx {
    /// Has contents judged anew that have replicas: something of them changed.
    pub(super) async fn rejudge(&mut self, contents: &[RowId]) -> Result<()> {
        fetch_in!(
            self,
            (i64,),
            {}
            "UPDATE assessments SET due_at = 0 WHERE content_id IN",
            contents,
            "RETURNING content_id"
        );
        Ok(())
    }
}
