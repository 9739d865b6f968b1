//! Whether a stream is the content it is said to be.

use sha2::{Digest as _, Sha256};

use super::{
    Cid, Codec, ContentId, Digest, HashError, HashFunction, Profile, StreamHasher,
    cid::DAG_PB,
    dag::{Leaves, Tree},
};

/// Checks a stream against the id it should have, in constant memory.
///
/// A dag-pb id does not say how its file was cut, so there is one candidate per [`Profile`]. A
/// match proves that the bytes are the content; no match proves that they are not *only* for the
/// profiles tried. That an id was written `Qm…` does not narrow them down: Kubo writes so for
/// `--raw-leaves`, too, and any `bafybei…` has a `Qm…` form.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Cid,
    plain: Sha256,
    /// Of a block that is named by another hash than sha2-256.
    other: Option<StreamHasher>,
    /// The default profile's tree is the very first. Empty for raw.
    lanes: Vec<Lane>,
    bytes: u64,
}

/// Leaves of one kind and the tree of each profile that cuts so.
#[derive(Clone, Debug)]
struct Lane {
    leaves: Leaves,
    trees: Vec<(Profile, Tree)>,
}

/// What a [`Verifier`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether the bytes are the expected content.
    pub matches: bool,
    /// Whether bytes that don't match are proved to be others: so it is with a single block. A DAG
    /// may have been made in a way that was not tried, and only its blocks can tell.
    pub conclusive: bool,
    /// The id of the bytes under the expected codec with the default parameters. Where another
    /// profile matched, it differs from what was expected.
    pub computed: ContentId,
    /// The profile with which a dag-pb id came out as expected.
    pub profile: Option<Profile>,
    /// Plain sha-256 of the bytes.
    pub sha256: Digest,
    /// How many bytes there were.
    pub bytes: u64,
}

impl Verifier {
    /// Tries the default profile only: right for content that was published through aleph.
    /// Costs two sha-256 of the stream for dag-pb (blocks, and the plain digest), one for raw.
    pub fn new(expected: ContentId) -> Verifier {
        Verifier::with_profiles(expected, &[])
    }

    /// Tries every profile in [`Profile::KNOWN`]: for content of unknown origin. Costs four
    /// sha-256 of the stream for dag-pb, still one for raw.
    pub fn any_profile(expected: ContentId) -> Verifier {
        Verifier::with_profiles(expected, &Profile::KNOWN)
    }

    /// Tries the default profile and then these. Profiles that cut alike share their leaves'
    /// hashes; for raw there is nothing to try.
    pub fn with_profiles(expected: ContentId, profiles: &[Profile]) -> Verifier {
        let mut lanes = Vec::new();
        if expected.codec == Codec::DagPb {
            let profiles = [Profile::DEFAULT].into_iter().chain(profiles.iter().copied());
            profiles.for_each(|profile| add(&mut lanes, profile));
        }
        Verifier { expected: expected.into(), plain: Sha256::new(), other: None, lanes, bytes: 0 }
    }

    /// As [`Verifier::any_profile`], for any CID. Of a DAG that is not named by sha2-256 bytes
    /// never match: its blocks can tell. With codecs other than dag-pb the bytes are one block.
    ///
    /// # Errors
    /// [`HashError`], where nothing could be proved.
    pub fn for_cid(expected: Cid) -> Result<Verifier, HashError> {
        let function = expected.function()?;
        if let Some(id) = expected.content_id() {
            return Ok(Verifier::any_profile(id));
        }
        let block = expected.codec() != DAG_PB && function != HashFunction::Sha256;
        let other = block.then(|| function.hasher());
        Ok(Verifier { expected, plain: Sha256::new(), other, lanes: Vec::new(), bytes: 0 })
    }

    /// The next bytes, in pieces of any size.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.plain.update(bytes);
        self.other.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.lanes.iter_mut().for_each(|lane| lane.update(bytes));
    }

    /// How many bytes have gone by.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The verdict on the bytes that have gone by.
    pub fn finish(self) -> Verification {
        let sha256 = Digest(self.plain.finalize().into());
        let found: Vec<(Profile, ContentId)> =
            self.lanes.into_iter().flat_map(Lane::roots).collect();
        let hit = found.iter().find(|(_, id)| Cid::from(*id) == self.expected);
        let plain = ContentId::new(Codec::Raw, sha256);
        // Without a lane there is only the plain digest.
        let computed = found.first().map_or(plain, |(_, id)| *id);
        let digest = self.other.map_or_else(|| sha256.0.to_vec(), StreamHasher::finish);
        let conclusive = self.expected.codec() != DAG_PB;
        Verification {
            matches: hit.is_some() || (conclusive && digest == self.expected.digest()),
            conclusive,
            computed,
            profile: hit.map(|(profile, _)| *profile),
            sha256,
            bytes: self.bytes,
        }
    }
}

impl Lane {
    fn update(&mut self, bytes: &[u8]) {
        let Lane { leaves, trees } = self;
        leaves.update(bytes, |leaf| trees.iter_mut().for_each(|(_, tree)| tree.push(leaf)));
    }

    fn roots(mut self) -> impl Iterator<Item = (Profile, ContentId)> {
        if let Some(last) = self.leaves.finish() {
            self.trees.iter_mut().for_each(|(_, tree)| tree.push(last));
        }
        self.trees.into_iter().map(|(profile, mut tree)| (profile, tree.root().id))
    }

    /// Whether the leaves of `profile` are this lane's.
    fn cuts_like(&self, profile: &Profile) -> bool {
        self.trees.iter().any(|(own, _)| own.same_leaves(profile))
    }
}

/// Adds a tree for `profile`, over the leaves of an earlier one where it can.
fn add(lanes: &mut Vec<Lane>, profile: Profile) {
    let tree = (profile, Tree::new(&profile));
    match lanes.iter_mut().find(|lane| lane.cuts_like(&profile)) {
        Some(lane) if lane.trees.iter().any(|(own, _)| *own == profile) => {}
        Some(lane) => lane.trees.push(tree),
        None => lanes.push(Lane { leaves: Leaves::new(&profile), trees: vec![tree] }),
    }
}
