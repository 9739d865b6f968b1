//! Archives of blocks (CAR), which gateways send and people keep.

mod check;
mod error;
mod file;
mod header;
mod reader;
mod writer;

pub use check::{CarCheck, Next};
pub use error::CarError;
pub use file::CarFile;
pub use reader::{CarBlock, CarPart, CarReader};
pub use writer::CarWriter;
pub(crate) use writer::{header, section_head};
