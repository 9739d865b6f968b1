//! What the vault holds of a content.

use serde::Serialize;

use crate::{
    ledger::{Form, VaultObject},
    time_text,
};

/// A content in the vault.
#[derive(Clone, Debug, Serialize)]
pub struct VaultReport {
    /// How it is kept.
    pub form: Form,
    /// Bytes that it takes.
    pub bytes: u64,
    /// When it was put there.
    pub stored_at: Option<String>,
    /// When it was last hashed and right; null where it was found there, and not hashed yet.
    pub checked_at: Option<String>,
}

impl From<VaultObject> for VaultReport {
    fn from(object: VaultObject) -> Self {
        let (form, bytes) = (object.form, object.bytes);
        let (stored_at, checked_at) = (object.stored_at, object.checked_at);
        let [stored_at, checked_at] = [stored_at, checked_at].map(|at| at.map(time_text));
        Self { form, bytes, stored_at, checked_at }
    }
}
