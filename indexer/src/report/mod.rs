//! What Everhold tells of its ledger, in the JSON shapes that other programs rely on.

mod status;
mod token;

pub use status::{
    CollectionStatus, IncidentStatus, NodeStatus, OddLogStatus, RepairStatus, Status,
};
pub use token::{Absent, ChangeReport, ContentReport, ReplicaReport, TokenReport};
