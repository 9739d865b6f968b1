//! The state of everything at one moment: tokens, contents, replicas, and the health that follows.
//!
//! Read from the ledger in one transaction and judged with the policy of now, so that what
//! `status` shows, what an exit status says and what an alert is sent for never disagree.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::U256;

use crate::{
    config::Standard,
    content::{MAX_REFERENCE_BYTES, Reference, substitute_id},
    health::{Assessment, Health, Policy, ReplicaView, assess, unresolved},
    ledger::{
        Collection, Content, DENIED, LedgerError, LinkRow, Millis, Node, Replica, RowId,
        TokenContents, Tx, UriState, UriView,
    },
};

/// A content with its replicas and its health.
#[derive(Clone, Debug)]
pub struct ContentPicture {
    /// The content.
    pub content: Content,
    /// Its replicas on nodes in use.
    pub replicas: Vec<Replica>,
    /// What follows from them.
    pub assessment: Assessment,
}

impl ContentPicture {
    /// Judges a content with its replicas at the time `now`.
    pub fn of(content: Content, replicas: Vec<Replica>, policy: &Policy, now: Millis) -> Self {
        let views: Vec<_> = replicas.iter().map(|replica| replica.view.clone()).collect();
        let assessment = assess(&views, policy, content.past, now);
        Self { content, replicas, assessment }
    }

    /// Its replicas as far as health goes.
    pub fn views(&self) -> Vec<ReplicaView> {
        self.replicas.iter().map(|replica| replica.view.clone()).collect()
    }
}

/// A token's health and what it hangs on.
#[derive(Clone, Debug)]
pub struct TokenPicture {
    /// Its id.
    pub token_id: U256,
    /// Its metadata and everything that refers to, in order, with the role of each.
    pub contents: Vec<(String, RowId)>,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Paths that lead nowhere.
    pub lost: Vec<LostPath>,
    /// The worst of it.
    pub health: Health,
}

/// What a collection says of itself (ERC-7572), and the health of that.
#[derive(Clone, Debug)]
pub struct OwnPicture {
    /// Its metadata and everything that refers to, in order, with the role of each.
    pub contents: Vec<(String, RowId)>,
    /// Why nobody can tell whether it is whole, if so.
    pub unverifiable: Vec<String>,
    /// What of it is not found, or not yet, and why.
    pub unresolved: Vec<String>,
    /// Paths that lead nowhere.
    pub lost: Vec<LostPath>,
    /// The worst of it.
    pub health: Health,
}

/// A path below a content address that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostPath {
    /// `ipfs://`, the address and the path, however that is spelled in the URI or the document.
    pub reference: String,
    /// Its health.
    pub health: Health,
    /// Why it leads nowhere.
    pub problem: String,
}

/// A path that leads nowhere, in a collection.
#[derive(Clone, Debug)]
pub struct LostIn {
    /// The worst that is known of it.
    pub path: LostPath,
    /// The tokens that name it; none: the collection itself.
    pub tokens: Vec<U256>,
}

/// A collection and its tokens.
#[derive(Clone, Debug)]
pub struct CollectionPicture {
    /// The collection.
    pub collection: Collection,
    /// What it says of itself, if it does, once that was read.
    pub own: Option<OwnPicture>,
    /// Its tokens, by id.
    pub tokens: Vec<TokenPicture>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The collections of the configuration.
    pub collections: Vec<CollectionPicture>,
    /// Contents that are wanted, and those that are denied.
    pub contents: HashMap<RowId, ContentPicture>,
    /// The nodes in use.
    pub nodes: Vec<Node>,
}

impl Picture {
    /// Reads the ledger and judges it at the time `now`.
    pub async fn take(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let mut replicas: HashMap<RowId, Vec<Replica>> = HashMap::new();
        for replica in tx.replicas().await? {
            replicas.entry(replica.content).or_default().push(replica);
        }
        let mut contents = HashMap::new();
        for content in tx.wanted_contents().await? {
            let replicas = replicas.remove(&content.row).unwrap_or_default();
            contents.insert(content.row, ContentPicture::of(content, replicas, policy, now));
        }
        for content in tx.denied_contents().await? {
            let (replicas, assessment) = (Vec::new(), Assessment::DENIED);
            contents.insert(content.row, ContentPicture { content, replicas, assessment });
        }
        let mut links: HashMap<RowId, Vec<LinkRow>> = HashMap::new();
        for link in tx.links().await? {
            links.entry(link.parent).or_default().push(link);
        }
        let mut tokens: BTreeMap<RowId, Vec<TokenPicture>> = BTreeMap::new();
        let standards: BTreeMap<RowId, Standard> =
            tx.collections().await?.iter().map(|one| (one.id, one.standard)).collect();
        let view = |id: Option<U256>| View {
            contents: &contents,
            links: &links,
            policy,
            now,
            id,
            seen: Seen::default(),
        };
        for token in tx.token_contents().await? {
            let standard = standards.get(&token.collection);
            let is_1155 = standard == Some(&Standard::Erc1155);
            let mut view = view(is_1155.then_some(token.token_id));
            match standard.is_some_and(|standard| standard.is_foreign()) {
                true => view.by_uri(token.content, token.uri.as_ref()),
                false => view.by_digest(&token),
            }
            let picture = view.seen.picture(token.token_id, &contents);
            tokens.entry(token.collection).or_default().push(picture);
        }
        let mut own: BTreeMap<RowId, OwnPicture> = BTreeMap::new();
        for one in tx.own_contents().await? {
            let mut view = view(None);
            view.by_uri(one.content, Some(&one.uri));
            own.insert(one.collection, view.seen.picture(U256::ZERO, &contents).into());
        }
        let collections = tx.collections().await?.into_iter().map(|collection| CollectionPicture {
            tokens: tokens.remove(&collection.id).unwrap_or_default(),
            own: own.remove(&collection.id),
            collection,
        });
        let collections = collections.collect();
        Ok(Self { collections, contents, nodes: tx.nodes().await? })
    }

    /// Whether every token of every collection is healthy, and what collections say of themselves is,
    /// as far as it can be proved; what is denied aside.
    pub fn all_healthy(&self) -> bool {
        let tokens = self.collections.iter().flat_map(|collection| &collection.tokens);
        let mut own = self.collections.iter().filter_map(|collection| collection.own.as_ref());
        let well = |health| matches!(health, Health::Healthy | Health::Denied);
        tokens.into_iter().all(|token| well(token.health))
            && own.all(|own| well(own.health) || own.health == Health::Unverifiable)
    }

    /// Each path that leads nowhere, by collection, with the tokens that name it.
    pub fn lost_paths(&self) -> BTreeMap<(RowId, String), LostIn> {
        let mut all: BTreeMap<(RowId, String), LostIn> = BTreeMap::new();
        for collection in &self.collections {
            let own = collection.own.iter().flat_map(|own| &own.lost).map(|path| (None, path));
            let tokens = collection.tokens.iter();
            let tokens =
                tokens.flat_map(|token| token.lost.iter().map(|path| (Some(token.token_id), path)));
            for (token, path) in own.chain(tokens) {
                let key = (collection.collection.id, path.reference.clone());
                let lost = || LostIn { path: path.clone(), tokens: Vec::new() };
                let known = all.entry(key).or_insert_with(lost);
                if path.health > known.path.health {
                    known.path = path.clone();
                }
                if token.is_some() && known.tokens.last() != token.as_ref() {
                    known.tokens.extend(token);
                }
            }
        }
        all
    }

    /// A node by its key.
    pub fn node(&self, id: RowId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl CollectionPicture {
    /// How many tokens have this health.
    pub fn count(&self, health: Health) -> usize {
        self.tokens.iter().filter(|token| token.health == health).count()
    }
}

/// What a token hangs on, while it is looked at.
#[derive(Debug, Default)]
struct Seen {
    contents: Vec<(String, RowId)>,
    unverifiable: Vec<String>,
    unresolved: Vec<String>,
    lost: Vec<LostPath>,
    /// The worst of what is not resolved.
    health: Option<Health>,
}

/// Looks at a token, or at what a collection says of itself.
struct View<'a> {
    contents: &'a HashMap<RowId, ContentPicture>,
    links: &'a HashMap<RowId, Vec<LinkRow>>,
    policy: &'a Policy,
    now: Millis,
    /// What `{id}` stands for, where it stands for something.
    id: Option<U256>,
    seen: Seen,
}

impl View<'_> {
    fn by_digest(&mut self, token: &TokenContents) {
        match token.content {
            Some(row) => self.document(row),
            None => self.seen.unverifiable.push("it has no digest".to_owned()),
        }
    }

    fn by_uri(&mut self, content: Option<RowId>, uri: Option<&UriView>) {
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
    fn picture(self, token_id: U256, contents: &HashMap<RowId, ContentPicture>) -> TokenPicture {
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
