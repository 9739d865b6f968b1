//! Which actions may help at a node.

use super::Action;

/// A replica that is not well, as far as it decides what may help.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    /// On an aleph node.
    Aleph(AlephCase),
    /// On an own Kubo node.
    Kubo(IpfsCase),
    /// At a pinning service.
    Pinning(IpfsCase),
}

/// On an aleph node.
#[derive(Clone, Copy, Debug)]
pub struct AlephCase {
    /// Length of the file.
    pub bytes: u64,
    /// The largest file that the node takes with a signed STORE.
    pub signed: u64,
    /// The largest that it takes without.
    pub unsigned: u64,
    /// Whether a STORE of it lives on the node.
    pub store_here: bool,
    /// Whether one lives on another.
    pub store_elsewhere: bool,
    /// Whether every node that is up could say which STOREs live.
    pub stores_known: bool,
    /// Whether what is cheaper was refused: somebody else's STORE may be, for reasons of theirs.
    pub was_refused: bool,
    /// Whether so few nodes have it that a new STORE is worth its bill.
    pub in_need: bool,
    /// Whether there is a key that can sign one.
    pub can_sign: bool,
}

/// On a node of IPFS.
#[derive(Clone, Copy, Debug)]
pub struct IpfsCase {
    /// Whether the blocks can be made here of the bytes that are at hand, and are small enough for others
    /// to take them.
    pub has_blocks: bool,
    /// Whether the node was seen to have it before.
    pub had_it: bool,
    /// Whether so few nodes have it that another one is worth the room.
    pub in_need: bool,
}

/// Why nothing can be done at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNone {
    /// No STORE lives, and none is signed: enough nodes have it, or some could not say.
    NotInNeed,
    /// No STORE lives, and there is no key for a new one.
    NoKey,
    /// The node takes no file of this size.
    TooLarge,
    /// It is at a node that need not have it: enough others do.
    Enough,
}

impl WhyNone {
    /// In words, with what to do.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotInNeed => {
                "no STORE of it is found, and a new one is signed only where too few nodes have it \
                 and every node that is up could list its STOREs"
            }
            Self::NoKey => {
                "no STORE of it lives, and there is no key for a new one: \
                 set [repair] keystore or private_key_file"
            }
            Self::TooLarge => "it takes no file of this size",
            Self::Enough => "enough nodes have it without this one",
        }
    }

    /// Whether somebody should be told: all others are as they should be.
    pub fn is_a_problem(self) -> bool {
        self != Self::Enough
    }
}

/// The actions that may help, cheapest first; never none.
///
/// # Errors
/// Why there is none.
pub fn options(case: &Case) -> Result<Vec<Action>, WhyNone> {
    match case {
        Case::Aleph(case) => aleph(case),
        Case::Kubo(IpfsCase { had_it: true, has_blocks: true, .. }) => Ok(vec![Action::KuboReturn]),
        Case::Kubo(case) if !case.in_need => Err(WhyNone::Enough),
        Case::Kubo(IpfsCase { has_blocks: true, .. }) => {
            Ok(vec![Action::KuboImport, Action::KuboPin])
        }
        Case::Kubo(_) => Ok(vec![Action::KuboPin]),
        Case::Pinning(case) if !case.in_need => Err(WhyNone::Enough),
        Case::Pinning(_) => Ok(vec![Action::PinRequest]),
    }
}

fn aleph(case: &AlephCase) -> Result<Vec<Action>, WhyNone> {
    let mut actions = Vec::new();
    if case.store_here && case.bytes <= case.unsigned {
        actions.push(Action::Upload);
    }
    if case.bytes > case.signed {
        return if actions.is_empty() { Err(WhyNone::TooLarge) } else { Ok(actions) };
    }
    let lives = case.store_here || case.store_elsewhere;
    if lives {
        actions.push(Action::UploadWithStore);
    }
    let is_wanted = case.in_need && case.stores_known && (!lives || case.was_refused);
    if is_wanted && case.can_sign {
        actions.push(Action::NewStore);
    }
    match (actions.is_empty(), case.in_need && case.stores_known) {
        (false, _) => Ok(actions),
        (true, true) => Err(WhyNone::NoKey),
        (true, false) => Err(WhyNone::NotInNeed),
    }
}
