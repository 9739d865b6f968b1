//! What the demo promises, and whether each was really seen.

use everhold_harness::Result;

use crate::story::Story;

/// Something that has to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Published,
    Healthy,
    Counted,
    Degraded,
    LossAlert,
    LossRepaired,
    Corrupt,
    CorruptAlert,
    CorruptRepaired,
    Restored,
    Updated,
    TakenBack,
    Survived,
}

impl Promise {
    /// All of them, in the story's order.
    pub(crate) const ALL: [Self; 13] = [
        Self::Published,
        Self::Healthy,
        Self::Counted,
        Self::Degraded,
        Self::LossAlert,
        Self::LossRepaired,
        Self::Corrupt,
        Self::CorruptAlert,
        Self::CorruptRepaired,
        Self::Restored,
        Self::Updated,
        Self::TakenBack,
        Self::Survived,
    ];

    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Published => "a collection is published to four nodes",
            Self::Healthy => "all tokens are healthy",
            Self::Counted => "verified, independent, held: counted apart",
            Self::Degraded => "a node loses files: degraded",
            Self::LossAlert => "a signed alert tells of it",
            Self::LossRepaired => "the files are repaired: healthy",
            Self::Corrupt => "a node serves wrong bytes: corrupt",
            Self::CorruptAlert => "a signed alert names node and content",
            Self::CorruptRepaired => "the file is repaired: healthy",
            Self::Restored => "every node loses a file: the vault has it",
            Self::Updated => "an owner's update is verified",
            Self::TakenBack => "a reorg takes back one mint",
            Self::Survived => "another mint survives in a new block",
        }
    }
}

/// What became of each promise.
#[derive(Debug, Default)]
pub(crate) struct Checklist(Vec<(Promise, Result<String>)>);

impl Checklist {
    /// Writes down what was seen, or why it was not, which is told at once. Gives whether it was.
    pub(crate) fn judge(&mut self, story: &Story, promise: Promise, seen: Result<String>) -> bool {
        if let Err(why) = &seen {
            story.bad(&format!("Not seen: {}: {why}", promise.text()));
        }
        let good = seen.is_ok();
        self.0.push((promise, seen));
        good
    }

    /// The evidence for a promise, or why there is none.
    pub(crate) fn verdict(&self, promise: Promise) -> std::result::Result<&str, String> {
        let judged = self.0.iter().find(|(judged, _)| *judged == promise);
        match judged {
            Some((_, Ok(evidence))) => Ok(evidence),
            Some((_, Err(why))) => Err(why.to_string()),
            None => Err("the story did not get there".to_owned()),
        }
    }

    /// How many were seen.
    pub(crate) fn seen(&self) -> usize {
        let seen = Promise::ALL.iter().filter(|p| self.verdict(**p).is_ok());
        seen.count()
    }

    /// Whether all were.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen() == Promise::ALL.len()
    }
}
