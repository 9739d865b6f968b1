//! What a contract of somebody else's answers for a token, and what that names.

use alloy_sol_types::SolValue;
use everhold::content::{Codec, ContentId, Digest};

use super::Dice;

/// What a token's contract says of it. Numbers are of contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Says {
    /// A content, by its hash.
    Names(u8),
    /// The same, by a gateway's URL.
    Gateway(u8),
    /// A document that stands in the URI, with a picture that is a content.
    Document(u8),
    /// A path, which nobody is configured to follow.
    Path(u8),
    /// A long URL that proves nothing.
    Url(u8),
    #[default]
    Empty,
    NotUtf8,
    /// Bytes that are no text.
    NoText,
    /// No bytes.
    Nothing,
    Reverts,
    /// It burns all gas that it gets.
    Burns,
}

/// What becomes of a call.
pub(super) enum Outcome {
    Answered(Vec<u8>),
    /// With these bytes.
    Reverted(Vec<u8>),
    OutOfGas,
}

fn content(number: u8) -> ContentId {
    ContentId::new(Codec::Raw, Digest([number; 32]))
}

impl Says {
    pub(super) fn any(dice: &mut Dice) -> Self {
        let number = dice.below(40) as u8 + 1;
        match dice.below(16) {
            0..=4 => Self::Names(number),
            5 => Self::Gateway(number),
            6 | 7 => Self::Document(number),
            8 => Self::Path(number),
            9 => Self::Url(number),
            10 => Self::Empty,
            11 => Self::NotUtf8,
            12 => Self::NoText,
            13 => Self::Nothing,
            14 => Self::Reverts,
            _ => Self::Burns,
        }
    }

    /// What it comes to when the contract is called.
    pub(super) fn outcome(self) -> Outcome {
        Outcome::Answered(match self {
            Self::NotUtf8 => alloy::primitives::Bytes::from_static(b"ipfs://\xff").abi_encode(),
            Self::NoText => vec![0xff; 33],
            Self::Nothing => Vec::new(),
            Self::Reverts => {
                let mut error = vec![0x08, 0xc3, 0x79, 0xa0];
                error.extend("there is no such token".to_owned().abi_encode());
                return Outcome::Reverted(error);
            }
            Self::Burns => return Outcome::OutOfGas,
            _ => self.text().unwrap_or_default().abi_encode(),
        })
    }

    fn text(self) -> Option<String> {
        Some(match self {
            Self::Names(number) => content(number).uri(),
            Self::Gateway(number) => format!("https://ipfs.io/ipfs/{}", content(number).cid()),
            Self::Document(number) => {
                format!("data:application/json,{{\"image\":\"{}\"}}", content(number).uri())
            }
            Self::Path(number) => {
                let folder = ContentId::new(Codec::DagPb, Digest([number; 32]));
                format!("ipfs://{}/{number}.json", folder.cid())
            }
            Self::Url(number) => {
                format!("https://example.com/{number}/{}", "x".repeat(200 * usize::from(number)))
            }
            Self::Empty => String::new(),
            _ => return None,
        })
    }

    /// What is kept of its text: 8 KiB.
    pub(super) fn kept(self) -> Option<String> {
        let text = self.text()?;
        Some(if text.len() > 8 << 10 { format!("{}…", &text[..8 << 10]) } else { text })
    }

    /// The content that is its token's own.
    pub(super) fn content(self) -> Option<ContentId> {
        match self {
            Self::Names(number) | Self::Gateway(number) => Some(content(number)),
            _ => None,
        }
    }

    /// The contents that its token hangs on.
    pub(super) fn contents(self) -> Vec<ContentId> {
        match self {
            Self::Names(number) | Self::Gateway(number) | Self::Document(number) => {
                vec![content(number)]
            }
            _ => Vec::new(),
        }
    }
}
