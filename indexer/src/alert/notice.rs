//! What is told, in the one form that the outbox keeps.

use serde::Deserialize;

use super::text::clean;
use crate::{health::Health, incident::Severity};

/// What is told of an incident, as every sink needs it. Texts are one line each, without anything that
/// nobody sees. What alerts of older ledgers lack is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Notice {
    /// The alert's id.
    pub id: String,
    /// `incident.opened` and so on.
    pub event: String,
    /// When (RFC 3339).
    pub at: String,
    /// The incident's id.
    pub incident: String,
    /// What it is about: `content` and so on.
    pub kind: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// EIP-55 address.
    pub collection: String,
    /// The content, if it is about one.
    pub content: Option<Named>,
    /// How its subject is now.
    pub health: Option<Health>,
    /// How bad it is; of a recovery, how bad it was at its worst.
    pub severity: Option<Severity>,
    /// What happened, in short.
    pub summary: String,
    /// What happened, with all that was seen.
    pub message: String,
    /// What it means for owners.
    pub meaning: String,
    /// What Everhold did.
    pub done: String,
    /// What the reader should do.
    pub todo: String,
    /// Where the evidence is: a link, or a command.
    pub evidence: String,
    /// Whether it is only a test.
    pub test: bool,
}

/// A content by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Its id.
    pub id: String,
}

impl Notice {
    /// Out of a body of the outbox.
    ///
    /// # Errors
    /// Where it is none: the ledger was tampered with.
    pub fn read(payload: &str) -> Result<Self, serde_json::Error> {
        let mut notice: Self = serde_json::from_str(payload)?;
        for text in [
            &mut notice.summary,
            &mut notice.message,
            &mut notice.meaning,
            &mut notice.done,
            &mut notice.todo,
            &mut notice.evidence,
        ] {
            *text = clean(text);
        }
        if notice.summary.is_empty() {
            notice.summary = notice.message.clone();
        }
        Ok(notice)
    }

    /// Whether it says that an incident is over.
    pub fn is_over(&self) -> bool {
        self.event == "incident.recovered"
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity.unwrap_or(Severity::Warning)
    }

    /// How bad, and what kind of news it is: `CRITICAL opened`, `recovered`, `TEST`.
    pub fn label(&self) -> String {
        let news = self.event.strip_prefix("incident.").unwrap_or(&self.event);
        match (self.test, self.is_over()) {
            (true, _) => "TEST".to_owned(),
            (false, true) => news.to_owned(),
            (false, false) => format!("{} {news}", self.severity().as_str().to_uppercase()),
        }
    }

    /// The link to the evidence, where it is one.
    pub fn link(&self) -> Option<&str> {
        let evidence = self.evidence.as_str();
        let is_link = evidence.starts_with("https://") || evidence.starts_with("http://");
        is_link.then_some(evidence)
    }

    /// The paragraphs below the summary, each with its heading; those that say nothing are left out.
    pub fn paragraphs(&self) -> Vec<(&'static str, &str)> {
        let message = if self.message == self.summary { "" } else { &self.message };
        let all = [
            ("What happened", message),
            ("What it means", &self.meaning),
            ("What Everhold did", &self.done),
            ("What to do", &self.todo),
            ("Evidence", &self.evidence),
        ];
        all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }

    /// What it is about, in a line of small print.
    pub fn about(&self) -> String {
        let Self { collection, chain_id, incident, at, .. } = self;
        format!("collection {collection} on chain {chain_id}, incident {incident}, {at}")
    }
}
