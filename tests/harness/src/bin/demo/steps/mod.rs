//! The steps of the story, in its order.

mod corruption;
mod damage;
mod loss;
mod publishing;
mod reorg;
mod update;
mod vault;
mod watching;

use everhold_harness::Result;

use crate::{Checklist, Stage, Story};

/// All steps. Without a published and watched collection there is no story; what fails later is
/// written down, and the story goes on.
pub(crate) async fn all(stage: &mut Stage, story: &Story, checklist: &mut Checklist) -> Result<()> {
    publishing::tell(stage, story, checklist).await?;
    watching::tell(stage, story, checklist).await?;
    loss::tell(stage, story, checklist).await?;
    corruption::tell(stage, story, checklist).await?;
    vault::tell(stage, story, checklist).await?;
    update::tell(stage, story, checklist).await?;
    reorg::tell(stage, story, checklist).await
}
