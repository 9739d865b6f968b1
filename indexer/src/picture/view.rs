//! Looks at a token: what it hangs on, and how it is.

use std::collections::HashMap;

use alloy::primitives::U256;

use super::{ContentPicture, LostPath, OwnPicture, TokenPicture};
use crate::{
    content::{MAX_REFERENCE_BYTES, Reference, substitute_id},
    health::{Health, Policy, unresolved},
    ledger::{DENIED, LinkRow, Millis, RowId, UriState, UriView},
};

/// What a token hangs on, while it is looked at.
#[derive(Debug, Default)]
pub(super) struct Seen {
    contents: Vec<(String, RowId)>,
    unverifiable: Vec<String>,
    unresolved: Vec<String>,
    lost: Vec<LostPath>,
    /// The worst of what is not resolved.
    health: Option<Health>,
}

/// Looks at a token, or at what a collection says of itself.
pub(super) struct View<'a> {
    pub(super) contents: &'a HashMap<RowId, ContentPicture>,
    pub(super) links: &'a HashMap<RowId, Vec<LinkRow>>,
    pub(super) policy: &'a Policy,
    pub(super) now: Millis,
    /// What `{id}` stands for, where it stands for something.
    pub(super) id: Option<U256>,
    pub(super) seen: Seen,
}

impl View<'_> {
    pub(super) fn by_digest(&mut self, content: Option<RowId>) {
        match content {
            Some(row) => self.document(row),
            None => self.seen.unverifiable.push("it has no digest".to_owned()),
        }
    }

    pub(super) fn by_uri(&mut self, content: Option<RowId>, uri: Option<&UriView>) {
        let Some(uri) = uri else {
            return self.wait("its URI was not read yet".to_owned(), Health::Pending);
        };
        match (uri.state, content, uri.document) {
            (UriState::New, ..) => {
                self.wait("its URI was not read yet".to_owned(), Health::Pending);
            }
            (UriState::Unverifiable, ..) => {
                let why = uri.problem.clone().unwrap_or_default();
                self.seen.unverifiable.push(why);
            }
            // What stands in the URI is on the chain itself: only what it refers to can be lost.
            (UriState::Document, _, Some(document)) => self.links_of(document, Some(uri.since)),
            (_, Some(row), _) => self.document(row),
            _ => self.path("its URI", uri),
        }
    }

    fn path(&mut self, what: &str, uri: &UriView) {
        let text = uri.path.as_deref().unwrap_or_default();
        self.unresolved(what, text, uri.problem.as_deref(), uri.failures, Some(uri.since));
    }

    /// Metadata that is a content.
    fn document(&mut self, row: RowId) {
        self.seen.contents.push(("metadata".to_owned(), row));
        let known = self.contents.get(&row);
        if let Some(error) = known.and_then(|known| known.content.parse_error.as_ref()) {
            self.seen.unverifiable.push(format!("its metadata can't be read: {error}"));
        }
        let since = known.and_then(|known| known.content.past.wanted_since);
        self.links_of(row, since);
    }

    fn links_of(&mut self, row: RowId, since: Option<Millis>) {
        for link in self.links.get(&row).into_iter().flatten() {
            match link.child {
                Some(child) => self.seen.contents.push((link.role.clone(), child)),
                None if link.path_due => {
                    let problem = link.problem.as_deref();
                    self.unresolved(&link.role, &link.uri, problem, link.failures, since);
                }
                None if link.verifiable => {}
                None => self.seen.unverifiable.push(match &link.problem {
                    Some(problem) => format!("{}: {problem}: {}", link.role, link.uri),
                    None => format!(
                        "{} is a reference of class {} and has no hash: {}",
                        link.role, link.class, link.uri
                    ),
                }),
            }
        }
    }

    /// A path of which nobody knows yet where it leads.
    fn unresolved(
        &mut self,
        what: &str,
        text: &str,
        problem: Option<&str>,
        failures: u32,
        since: Option<Millis>,
    ) {
        match problem {
            None => self.wait(format!("{what}: its path was not followed yet"), Health::Pending),
            Some(problem) if problem.starts_with(DENIED) => {
                self.wait(format!("{what}: {problem}"), Health::Denied);
            }
            // There is nobody to ask.
            Some(problem) if failures == 0 => {
                self.seen.unverifiable.push(format!("{what}: {problem}"));
            }
            Some(problem) => {
                let health = unresolved(failures, since, self.policy, self.now);
                if health.is_problem() {
                    let reference = canonical(text, self.id);
                    let problem = problem.to_owned();
                    self.seen.lost.push(LostPath { reference, health, problem });
                }
                self.wait(format!("{what}: {problem}"), health);
            }
        }
    }

    fn wait(&mut self, why: String, health: Health) {
        self.seen.unresolved.push(why);
        self.seen.health = self.seen.health.max(Some(health));
    }
}

impl Seen {
    pub(super) fn picture(
        self,
        token_id: U256,
        contents: &HashMap<RowId, ContentPicture>,
    ) -> TokenPicture {
        let Self { contents: hangs_on, unverifiable, unresolved, lost, health } = self;
        let healths = hangs_on.iter().map(|(_, row)| {
            contents.get(row).map_or(Health::Pending, |known| known.assessment.health)
        });
        let none = if unverifiable.is_empty() { Health::Healthy } else { Health::Unverifiable };
        let health = healths.chain(health).chain([none]).max().unwrap_or(none);
        TokenPicture { token_id, contents: hangs_on, unverifiable, unresolved, lost, health }
    }
}

impl From<TokenPicture> for OwnPicture {
    fn from(picture: TokenPicture) -> Self {
        let TokenPicture { contents, unverifiable, unresolved, lost, health, .. } = picture;
        Self { contents, unverifiable, unresolved, lost, health }
    }
}

/// One spelling of a path, however it is written where it stands.
fn canonical(text: &str, id: Option<U256>) -> String {
    let id = id.map(|id| id.to_be_bytes::<32>());
    let whole = id.and_then(|id| substitute_id(text, &id, MAX_REFERENCE_BYTES));
    let reference = Reference::parse(whole.as_deref().unwrap_or(text));
    match (&reference.cid, &reference.path) {
        (Some(cid), Some(path)) => format!("ipfs://{cid}/{path}"),
        _ => text.to_owned(),
    }
}
