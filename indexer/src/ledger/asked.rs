//! Since when contents are asked for: whom nobody could ask for long after that is waited for no more.
//! Before, they wait in our own queue, which says nothing of any node.

use super::{Millis, Result, RowId, Tx, assessments::LOCK_CONTENTS, bulk::fetch_in};

impl Tx {
    /// Nodes were asked for these contents, and wanted to be left alone: that is no answer, but it was not
    /// we who kept them from giving one.
    pub async fn note_refusals(&mut self, contents: &[RowId], at: Millis) -> Result<()> {
        self.among_others().await?;
        let mut contents = contents.to_vec();
        contents.sort_unstable();
        contents.dedup();
        self.lock_in_order(LOCK_CONTENTS, &contents).await?;
        let begun = fetch_in!(
            self,
            (i64,),
            {"UPDATE contents SET asked_since = " => at}
            " WHERE asked_since IS NULL AND wanted = 1 AND id IN",
            contents,
            "RETURNING id"
        );
        let mut begun: Vec<RowId> = begun.into_iter().map(|(id,)| id).collect();
        begun.sort_unstable();
        self.rejudge(&begun).await
    }
}
