//! What a collection is made with, from the command line.

use alloy::primitives::{Address, B256, U256, aliases::U96};
use clap::Args;

use crate::{
    chain::CollectionSettings,
    cli::output::Failure,
    content::{Codec, ContentId, Digest},
};

/// Royalties of the whole price, in hundredths of a per cent.
const WHOLE_PRICE: u64 = 10_000;

/// What can't be changed later, but for royalties and the collection's own metadata.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// The collection's name
    #[arg(long)]
    pub(super) name: String,
    /// The collection's symbol
    #[arg(long)]
    pub(super) symbol: String,
    /// How digests name content: dag-pb (resolved by every wallet) or raw (sha-256 of the file)
    #[arg(long, default_value = "dag-pb")]
    pub(super) codec: Codec,
    /// The first token's id
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(super) first_id: u8,
    /// Whatever a token is minted with is its content for ever
    #[arg(long)]
    no_edits: bool,
    /// The account that may mint [default: the key's]
    #[arg(long, value_name = "ADDRESS")]
    creator: Option<Address>,
    /// Royalties (ERC-2981) in hundredths of a per cent of the price: 500 is 5 %
    #[arg(long, value_name = "BASIS_POINTS")]
    royalty: Option<u64>,
    /// Who gets the royalties [default: the creator]
    #[arg(long, value_name = "ADDRESS", requires = "royalty")]
    royalty_receiver: Option<Address>,
    /// The collection's own metadata (ERC-7572): a CID of the collection's codec, or a digest
    #[arg(long, value_name = "CID|0x…")]
    contract_uri: Option<String>,
}

impl Terms {
    /// As the factory takes them; what it would refuse is refused here.
    pub(super) fn settings(&self, account: Address) -> Result<CollectionSettings, Failure> {
        let creator = self.creator.unwrap_or(account);
        if creator.is_zero() {
            return Err(Failure::usage("--creator: nobody could mint as the zero address"));
        }
        let (royalty_receiver, royalty) = self.royalties(creator)?;
        Ok(CollectionSettings {
            name: self.name.clone(),
            symbol: self.symbol.clone(),
            codec: self.codec.multicodec(),
            firstTokenId: self.first_id,
            editable: !self.no_edits,
            creator,
            royaltyReceiver: royalty_receiver,
            royaltyBasisPoints: royalty,
            contractDigest: self.contract_digest()?,
        })
    }

    fn royalties(&self, creator: Address) -> Result<(Address, U96), Failure> {
        let points = self.royalty.unwrap_or_default();
        if points > WHOLE_PRICE {
            return Err(Failure::usage(format!(
                "--royalty {points}: it is in hundredths of a per cent of the price, at most \
                 {WHOLE_PRICE}"
            )));
        }
        if points == 0 {
            return Ok((Address::ZERO, U96::ZERO));
        }
        let receiver = self.royalty_receiver.unwrap_or(creator);
        if receiver.is_zero() {
            return Err(Failure::usage("--royalty-receiver: the zero address can't receive"));
        }
        Ok((receiver, U96::from(points)))
    }

    fn contract_digest(&self) -> Result<B256, Failure> {
        let Some(text) = &self.contract_uri else {
            return Ok(B256::ZERO);
        };
        let wrong = |why: String| Failure::usage(format!("--contract-uri {text}: {why}"));
        let id = if text.starts_with("0x") {
            let digest = text.parse::<Digest>().map_err(|error| wrong(error.to_string()))?;
            ContentId::new(self.codec, digest)
        } else {
            let name = text.strip_prefix("ipfs://").unwrap_or(text);
            name.parse::<ContentId>().map_err(|error| wrong(error.to_string()))?
        };
        let (its, ours) = (id.codec, self.codec);
        if its != ours {
            return Err(wrong(format!("its codec is {its}, and the collection's {ours}")));
        }
        if id.digest.0 == [0; 32] {
            return Err(wrong("a digest of zeros names nothing".to_owned()));
        }
        Ok(B256::from(id.digest.0))
    }
}

/// A salt: a number, decimal or in hex, of up to 32 bytes.
pub(super) fn salt(text: &str) -> Result<B256, &'static str> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let number = U256::from_str_radix(digits, radix).ok().filter(|_| !digits.is_empty());
    number.map(B256::from).ok_or("a number of up to 32 bytes is expected, or 0x and its hex")
}
