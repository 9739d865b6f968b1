//! One reference, fetched once, and what that proves: `everhold check`.
//!
//! `sources` are asked in turn, until one of them proves the bytes. What was asked of each, and
//! what came, is kept as it was seen.

mod archive;
mod blocks;
mod bytes;
mod source;
mod taken;

use everhold_net::{FetchError, Fetcher, Refusal, Url};
use serde::Serialize;

pub use archive::{check_archive, check_file};
pub use source::{Source, SourceKind};

use crate::{
    content::{
        Cid, DagError, DagLimits, Data, Digest, Found, MAX_IDENTITY, Outcome, Proof, Provability,
        Reference, ReferenceClass, Walk,
    },
    deny::DenyList,
};
use blocks::verdict_of;
use taken::Taken;

/// Where `ar://` leads: the gateway that everybody uses.
const ARWEAVE: &str = "https://arweave.net/";

/// Bytes of inline data that are decoded.
const MAX_INLINE: usize = 16 << 20;

/// What came of a reference, or of one source of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The bytes are proved to be those that are meant.
    Proved,
    /// Bytes came, and nothing in the reference can prove them.
    Served,
    /// Bytes came that could be proved, but not with what this source gives: it has no blocks.
    Unproved,
    /// Bytes came that are not those that are meant.
    Corrupt,
    /// It is not there.
    Missing,
    /// It could not be asked for.
    Unreachable,
    /// It is larger than is allowed.
    TooLarge,
    /// There is nothing that could be fetched.
    Unfetchable,
}

impl Verdict {
    /// In kebab-case, the same as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Served => "served",
            Self::Unproved => "unproved",
            Self::Corrupt => "corrupt",
            Self::Missing => "missing",
            Self::Unreachable => "unreachable",
            Self::TooLarge => "too-large",
            Self::Unfetchable => "unfetchable",
        }
    }

    /// How it counts among several: what was seen for sure before what was not.
    fn rank(self) -> u8 {
        match self {
            Self::Proved => 0,
            Self::Corrupt => 1,
            Self::TooLarge => 2,
            Self::Served => 3,
            Self::Unproved => 4,
            Self::Missing => 5,
            Self::Unreachable => 6,
            Self::Unfetchable => 7,
        }
    }

    /// The same for a graph of references.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Proved => Outcome::Verified,
            Self::Served | Self::Unproved => Outcome::Served,
            Self::Corrupt => Outcome::Corrupt,
            Self::Missing => Outcome::Missing,
            Self::Unreachable | Self::Unfetchable => Outcome::Unreachable,
            Self::TooLarge => Outcome::TooLarge,
        }
    }
}

/// How bytes were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Decoded from the reference itself.
    Inline,
    /// As a whole, by hashing them, or cutting them in every known way.
    Bytes,
    /// Block by block, out of an archive.
    Car,
    /// Block by block.
    Blocks,
}

/// What one source gave.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Its URL, without what may be secret in it; a file's path; `inline`.
    pub source: String,
    /// How it was checked.
    pub way: Way,
    /// What came of it.
    pub verdict: Verdict,
    /// Bytes that came, of the file.
    pub bytes: u64,
    /// sha-256 of them, where they came whole.
    pub sha256: Option<String>,
    /// HTTP status, where it was not 200.
    pub http_status: Option<u16>,
    /// The media type that the source says; nothing proves it.
    pub media_type: Option<String>,
    /// In words, what there is to say.
    pub detail: Option<String>,
    /// Names in a directory, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<String>>,
    /// The bytes, where they are short enough.
    #[serde(skip)]
    pub body: Option<Vec<u8>>,
}

/// What came of a reference.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The reference, as written.
    pub reference: String,
    /// Its class.
    pub class: ReferenceClass,
    /// The content address it carries.
    pub cid: Option<Cid>,
    /// The path below it.
    pub path: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// What a reference of this kind can prove, and what not.
    pub provability: Provability,
    /// What each source gave, in the order they were asked.
    pub answers: Vec<Answer>,
}

impl Checked {
    fn new(reference: &Reference, mut answers: Vec<Answer>) -> Self {
        // However the bytes were checked: what a reference can't prove is not proved.
        let proof = reference.proof();
        for answer in answers.iter_mut().filter(|_| !proof.proves_bytes()) {
            if answer.verdict == Verdict::Proved {
                answer.verdict = Verdict::Served;
            }
        }
        let verdicts = answers.iter().map(|answer| answer.verdict);
        let best = verdicts.min_by_key(|verdict| verdict.rank());
        Self {
            reference: reference.text.clone(),
            class: reference.class,
            cid: reference.cid,
            path: reference.path.clone(),
            verdict: best.unwrap_or(Verdict::Unfetchable),
            provability: proof.provability(),
            answers,
        }
    }

    /// The bytes of the answer that the verdict rests on, where they are kept. Whoever keeps many
    /// of these would keep all of them.
    pub fn take_body(&mut self) -> Option<Vec<u8>> {
        let best = self.answers.iter_mut().min_by_key(|answer| answer.verdict.rank());
        let body = best.and_then(|best| best.body.take());
        self.answers.iter_mut().for_each(|answer| answer.body = None);
        body
    }

    /// The answer that the verdict rests on.
    pub fn best(&self) -> Option<&Answer> {
        self.answers.iter().min_by_key(|answer| answer.verdict.rank())
    }

    /// The same for a graph of references, in which a folder is not what a link should lead to.
    pub fn outcome(&self) -> Outcome {
        match self.best() {
            Some(best) if best.entries.is_some() => Outcome::Folder,
            _ => self.verdict.outcome(),
        }
    }
}

/// Checks references.
#[derive(Debug)]
pub struct Checker {
    /// Asked for content by its address.
    sources: Vec<Source>,
    /// For places that strangers chose.
    web: Fetcher,
    /// Bodies of up to so many bytes are kept.
    keep: usize,
    /// What is not fetched.
    denied: DenyList,
}

impl Checker {
    /// One that asks `sources` in their order, and whatever a reference leads to through `web`.
    pub fn new(sources: Vec<Source>, web: Fetcher) -> Self {
        Self { sources, web, keep: 0, denied: DenyList::default() }
    }

    /// Fetches nothing that is on this list.
    #[must_use]
    pub fn deny(mut self, denied: DenyList) -> Self {
        self.denied = denied;
        self
    }

    /// Keeps bodies of up to so many bytes, for whoever reads them.
    #[must_use]
    pub fn keep(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    /// Whether anybody can be asked for this reference.
    pub fn has_source_for(&self, reference: &Reference) -> bool {
        let inlined = reference.cid.as_ref().is_some_and(|cid| cid.inlined().is_some());
        let anywhere = inlined || url_of(reference).is_some() || !reference.proof().fetchable();
        anywhere || self.sources.iter().any(|source| source.may_have(reference))
    }

    /// Fetches what a reference leads to, no more than `max_bytes` of it, and checks it.
    pub async fn check(&self, reference: &Reference, max_bytes: u64) -> Checked {
        let denied = reference.cid.as_ref().and_then(|cid| self.denied.reason_of(cid));
        if let Some(reason) = denied {
            let answer = Answer {
                verdict: Verdict::Unfetchable,
                detail: Some(format!("denied: {reason}")),
                ..Answer::begin("deny list".to_owned(), Way::Bytes)
            };
            return Checked::new(reference, vec![answer]);
        }
        let answers = match (reference.proof(), &reference.cid) {
            (Proof::InDocument, _) => vec![self.inline(reference, max_bytes)],
            (Proof::NeedsDocument | Proof::Nothing, _) => Vec::new(),
            (_, Some(cid)) => self.by_cid(reference, cid, max_bytes).await,
            (_, None) => self.by_place(reference, max_bytes).await,
        };
        Checked::new(reference, answers)
    }

    fn inline(&self, reference: &Reference, max_bytes: u64) -> Answer {
        let answer = Answer::begin("inline".to_owned(), Way::Inline);
        let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX).min(MAX_INLINE);
        match reference.data(limit) {
            Some(Ok(Data { media_type, bytes, packed })) => Answer {
                verdict: Verdict::Proved,
                bytes: bytes.len() as u64,
                sha256: Some(Digest::of(&bytes).to_hex()),
                media_type: Some(media_type),
                detail: packed.map(|packed| format!("unpacked from {packed} bytes of gzip")),
                body: (bytes.len() <= self.keep).then_some(bytes),
                ..answer
            },
            Some(Err(error)) => Answer {
                verdict: if error.is_limit() { Verdict::TooLarge } else { Verdict::Corrupt },
                detail: Some(error.to_string()),
                ..answer
            },
            None => answer.because("there is no data in it"),
        }
    }

    /// Asks everybody who may have it, until somebody proves it.
    async fn by_cid(&self, reference: &Reference, cid: &Cid, max_bytes: u64) -> Vec<Answer> {
        if let Some(block) = cid.inlined()
            && reference.path.is_none()
        {
            return vec![self.identity(cid, block)];
        }
        let own = url_of(reference).and_then(|url| Source::of_url(&url, reference, &self.web));
        let own = own.filter(|source| source.may_have(reference));
        let is_own = |source: &&Source| own.as_ref().is_some_and(|own| own.url() == source.url());
        let mut sources: Vec<&Source> =
            self.sources.iter().filter(|source| source.may_have(reference)).collect();
        // It comes first; one that is configured may be wherever it is.
        match sources.iter().position(is_own) {
            Some(at) => sources[..=at].rotate_right(1),
            None => sources.splice(0..0, &own).for_each(drop),
        }
        if sources.is_empty() {
            return self.by_place(reference, max_bytes).await;
        }
        let path: Vec<&str> = reference.path.iter().flat_map(|path| path.split('/')).collect();
        let mut answers = Vec::new();
        for source in sources {
            let answer = source.ask(cid, &path, max_bytes, self.keep).await;
            let proved = answer.verdict == Verdict::Proved;
            answers.push(answer);
            if proved {
                break;
            }
        }
        answers
    }

    /// A CID that is its own content.
    fn identity(&self, cid: &Cid, block: &[u8]) -> Answer {
        let limits = DagLimits { block_bytes: MAX_IDENTITY, ..DagLimits::default() };
        let answer = Answer::begin("inline".to_owned(), Way::Inline);
        let mut walk = Walk::new(*cid, &[], limits);
        let mut taken = Taken::new(self.keep);
        match walk.give(block) {
            Ok(data) if walk.is_finished() => {
                taken.take(data);
                taken.proved(answer)
            }
            Ok(_) => answer.because("it links to blocks that are elsewhere"),
            // One block of another codec: it is all there is.
            Err(DagError::Codec { .. }) => {
                taken.take(block);
                taken.proved(answer)
            }
            Err(error) => {
                let error = error.into();
                Answer { verdict: verdict_of(&error), ..answer.because(error) }
            }
        }
    }

    /// Fetches from a place that carries no hash.
    async fn by_place(&self, reference: &Reference, max_bytes: u64) -> Vec<Answer> {
        let mut places: Vec<(Url, &Fetcher)> = Vec::new();
        places.extend(url_of(reference).map(|url| (url, &self.web)));
        if reference.class == ReferenceClass::Ipns && places.is_empty() {
            let at = |source: &'_ Source| source.ipns(reference);
            places.extend(
                self.sources.iter().filter_map(|source| Some((at(source)?, source.fetcher()))),
            );
        }
        let mut answers = Vec::new();
        for (url, fetcher) in places {
            let answer = bytes::served(fetcher, url, max_bytes, self.keep).await;
            let served = answer.verdict == Verdict::Served;
            answers.push(answer);
            if served {
                break;
            }
        }
        answers
    }
}

/// The URL at which a reference itself says that it is.
fn url_of(reference: &Reference) -> Option<Url> {
    let url = Url::parse(&reference.text).ok();
    if let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) {
        return Some(url);
    }
    if reference.class != ReferenceClass::Arweave {
        return None;
    }
    let mut url = Url::parse(ARWEAVE).ok()?;
    let below = reference.path.iter().flat_map(|path| path.split('/'));
    url.path_segments_mut().ok()?.pop_if_empty().push(reference.id.as_deref()?).extend(below);
    Some(url)
}

impl Answer {
    fn begin(source: String, way: Way) -> Self {
        Self {
            source,
            way,
            verdict: Verdict::Unfetchable,
            bytes: 0,
            sha256: None,
            http_status: None,
            media_type: None,
            detail: None,
            entries: None,
            body: None,
        }
    }

    fn because(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// What a failed request says: that there is nothing, or that nobody knows.
    fn failed(self, error: &FetchError) -> Self {
        let verdict = match error {
            FetchError::TooLarge { .. } => Verdict::TooLarge,
            _ if matches!(error.status(), Some(404 | 410)) => Verdict::Missing,
            _ => Verdict::Unreachable,
        };
        let remedy = match error {
            FetchError::Refused { why: Refusal::Address | Refusal::Resolves, .. } => {
                "; [web] private_hosts names the hosts of which that is meant"
            }
            _ => "",
        };
        let detail = format!("{error}{remedy}");
        Self { verdict, http_status: error.status(), ..self.because(detail) }
    }

    /// A directory is proved by its first block; its entries are named, and not looked at.
    fn found(mut self, found: Option<&Found>) -> Self {
        if let Some(Found::Directory { entries, more }) = found {
            let many = if *more { "more than " } else { "" };
            let detail = format!(
                "a directory of {many}{} entries: its own block is proved, what is in it is not \
                 looked at",
                entries.len()
            );
            self.entries = Some(entries.iter().map(|entry| entry.name.clone()).collect());
            self.detail = Some(detail);
            // It has no bytes of its own.
            self.sha256 = None;
        }
        self
    }
}
