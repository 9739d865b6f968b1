//! Content in archives (CAR) of people's own: all that a collection names into one, and what is known
//! out of one.

mod export;
mod index;
mod listing;
mod restore;
mod source;

pub use export::{ExportError, Exported, Left, export, named};
pub use index::{Index, WrongBlock};
pub use restore::{Incomplete, RestoreError, Restored, restore};
pub use source::Holders;
