//! The node's log.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes a line to stderr. A stderr that is closed must not end the node.
pub(crate) fn say(line: impl Display) {
    // There is nowhere left to say that the log can't be written.
    let _ = writeln!(stderr(), "devnode: {line}");
}
