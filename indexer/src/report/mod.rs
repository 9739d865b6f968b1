//! What Everhold tells of its ledger, in the JSON shapes that other programs rely on.

mod denied;
mod lag;
mod own;
mod repairs;
mod status;
mod store;
mod token;
mod vault;

pub use denied::DeniedStatus;
pub use own::{ContractUri, OwnContent};
pub use repairs::{CapsReport, LoggedRepair, RepairLog, SpentReport};
pub use status::{
    AckStatus, ChainStatus, CollectionStatus, FactoryStatus, HaltStatus, IncidentStatus,
    NodeStatus, OddLogStatus, RepairStatus, SilenceStatus, Status,
};
pub use store::{GrantReport, StatusReport, StoreReport};
pub use token::{
    Absent, ChangeReport, ContentReport, ReplicaReport, SeveralChains, TokenReport, collection_at,
};
pub use vault::VaultReport;
