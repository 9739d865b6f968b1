//! From a folder to a collection: hashed here, uploaded, proved, minted.

mod delegate;
mod folder;
mod mint;
mod plan;
mod store;
mod update;

pub use delegate::{DelegateError, Delegated, delegate};
pub use folder::{Document, Folder, FolderError};
pub use mint::{BATCH, MintState, Minted, mint, mint_state};
pub use plan::{Item, Plan, plan_document, plan_folder};
pub use store::{NodeReport, StoreError, StoreReport, Storer, Survey};
pub use update::{UpdateError, Updated, check_owner, update};
