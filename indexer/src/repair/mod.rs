//! What is to be done about replicas that are not well: pure functions of what is known of them, of
//! what was tried before, of budgets and the time.
//!
//! The cheapest action that should help comes first. None is believed to have worked: a later probe
//! proves it, or the next one is taken, and after the last one a person is told.

mod budget;
mod cost;
mod decide;
mod options;

#[cfg(test)]
mod tests;

pub use budget::{Budget, Caps, Payer, Refusal, Spent};
pub use cost::{Cost, Credits, LEAST_BILLED};
pub use decide::{Attempt, Decision, Outcome, Patience, decide};
pub use options::{AlephCase, Case, IpfsCase, WhyNone, options};

/// Something that may bring a replica back. The order is from cheap to dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The bytes are uploaded to a node that has a STORE of them: no message, no bill.
    Upload,
    /// They are uploaded with a STORE that lives already: no new bill.
    UploadWithStore,
    /// Their blocks are put on an own Kubo node that once had them, and pinned: it lost them.
    KuboReturn,
    /// They are uploaded with a new STORE: a new bill, for as long as it lives.
    NewStore,
    /// Their blocks are put on an own Kubo node, and pinned.
    KuboImport,
    /// An own Kubo node is told to fetch and pin them: nobody here can make their blocks.
    KuboPin,
    /// A pinning service is told to fetch and pin them.
    PinRequest,
}

impl Action {
    /// Every action, from cheap to dear.
    pub const ALL: [Self; 7] = [
        Self::Upload,
        Self::UploadWithStore,
        Self::KuboReturn,
        Self::NewStore,
        Self::KuboImport,
        Self::KuboPin,
        Self::PinRequest,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::UploadWithStore => "upload-with-store",
            Self::KuboReturn => "kubo-return",
            Self::NewStore => "new-store",
            Self::KuboImport => "kubo-import",
            Self::KuboPin => "kubo-pin",
            Self::PinRequest => "pin-request",
        }
    }

    /// The action of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// How dear it is: of one content, what is dearer waits until the cheaper has proved to be of no
    /// use.
    pub fn class(self) -> Class {
        match self {
            Self::Upload | Self::UploadWithStore | Self::KuboReturn => Class::Free,
            Self::NewStore => Class::Billed,
            Self::KuboImport | Self::KuboPin => Class::OwnDisk,
            Self::PinRequest => Class::Service,
        }
    }
}

/// How dear an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It costs nothing but bytes: a node gets back what it was told to keep.
    Free,
    /// It adds to a bill.
    Billed,
    /// It takes room on an own node.
    OwnDisk,
    /// Others are to keep it, at their price.
    Service,
}
