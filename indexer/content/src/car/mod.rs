//! Archives of blocks (CAR), which gateways send and people keep.

mod check;
mod error;
mod header;
mod reader;

pub use check::{CarCheck, Next};
pub use error::CarError;
pub use reader::{CarBlock, CarReader};
