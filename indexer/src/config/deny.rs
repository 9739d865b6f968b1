//! Settings of the deny list.

use std::path::PathBuf;

use serde::Deserialize;

/// `[deny]`: what is never fetched, stored, repaired or shown, besides what `everhold deny` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenyConfig {
    /// Files with an id (64 hex digits or a CID) and a reason a line. Read at each start.
    pub files: Vec<PathBuf>,
}
