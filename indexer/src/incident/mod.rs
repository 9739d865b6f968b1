//! How an incident is weighed and told: pure functions of what is known of it.
//!
//! Nothing here reads a clock, a network or a database; the ledger keeps incidents, and `watch` opens,
//! changes and closes them by what is decided here.

mod severity;
mod telling;

pub use severity::{Kind, Severity};
pub use telling::{Filter, Transition};
