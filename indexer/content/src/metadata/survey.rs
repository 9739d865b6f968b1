//! One pass over a document's tokens: counts, warnings, and the places of links.
//!
//! Time and memory are linear in the document, however deep it is.

use std::ops::Range;

use super::{
    MetadataError, MetadataLimits, MetadataWarning, place::Spot, scan::Scan, surveyor::Surveyor,
};

/// A value that is, or should be, a link.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) spot: Spot,
    /// Where the value stands in the text; of an object or array, its bracket.
    pub(super) span: Range<usize>,
    /// What is said beside it.
    pub(super) media_type: Option<String>,
    /// Whether readers see it: no later value of the same key stands in its place.
    pub(super) counts: bool,
}

/// What one pass over a document finds.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) slots: Vec<Slot>,
    pub(super) name: Option<Range<usize>>,
    pub(super) description: Option<Range<usize>>,
    pub(super) warnings: Vec<MetadataWarning>,
    /// Where the first thing behind the document stands.
    pub(super) trailing: Option<usize>,
}

impl Survey {
    /// Surveys a text, before which so many bytes were left out.
    ///
    /// # Errors
    /// [`MetadataError`], where a limit is exceeded: nothing else is an error here, and of a
    /// text that is no JSON the rest means nothing.
    pub(super) fn of(
        text: &str,
        skipped: usize,
        limits: &MetadataLimits,
    ) -> Result<Survey, MetadataError> {
        let mut surveyor = Surveyor::new(text, skipped, limits);
        for token in Scan::new(text) {
            surveyor.token(token)?;
        }
        Ok(surveyor.finish())
    }
}
