//! How an incident is weighed and told: pure functions of what is known of it.
//!
//! Nothing here reads a clock, a network or a database; the ledger keeps incidents, and `watch` opens,
//! changes and closes them by what is decided here.

mod damping;
mod severity;
mod standing;
mod telling;

pub use damping::{Act, Seen, damp, flaps};
pub use severity::{Kind, Severity};
pub use standing::Standing;
pub use telling::{Filter, Transition};
