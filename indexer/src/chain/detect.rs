//! What kind of contract is at an address.
//!
//! ERC-165 (<https://eips.ethereum.org/EIPS/eip-165>) says so, where a contract keeps to it. Others
//! are known by what they answer: contracts older than the standards, those that revert, that burn
//! all gas they are given, or that say yes to everything.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol,
};
use alloy_sol_types::{SolCall, SolValue};

use super::{
    DeployError, IEverhold, IEverholdFactory,
    asked::Asked,
    error::{CollectionError, Result},
    factory::NO_ANSWER,
    rpc::Rpc,
    uris::text::{Text, text_of},
};
use crate::{
    config::Standard,
    content::{Codec, shown},
};

sol! {
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
    function name() external view returns (string);
    function owner() external view returns (address);
    function ownerOf(uint256 tokenId) external view returns (address);
    function tokenURI(uint256 tokenId) external view returns (string);
    function uri(uint256 id) external view returns (string);
}

/// `balanceOf(address)` and `balanceOf(address,uint256)`: ERC-721's (and ERC-20's), and ERC-1155's.
const BALANCE_721: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const BALANCE_1155: [u8; 4] = [0x00, 0xfd, 0xd5, 0x8e];
/// A function that no contract has.
const NONSENSE: [u8; 4] = [0xff, 0xff, 0xff, 0xff];

const ERC165: [u8; 4] = [0x01, 0xff, 0xc9, 0xa7];
const ERC721: [u8; 4] = [0x80, 0xac, 0x58, 0xcd];
const ERC1155: [u8; 4] = [0xd9, 0xb6, 0x7a, 0x26];
/// What ERC-165 says that no contract supports.
const NOTHING: [u8; 4] = [0xff; 4];

/// Characters of a name that are kept.
const LONGEST_NAME: usize = 100;
/// Ids that most contracts have one of.
const COMMON_IDS: [u64; 3] = [1, 0, 2];

/// What was found at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// What it is.
    pub standard: Standard,
    /// `name()`; where it has none that can be shown, what it is and where.
    pub name: String,
    /// Of one of ours: how its digests name content.
    pub codec: Option<Codec>,
    /// Of one of ours: whether owners may change their tokens' content.
    pub editable: bool,
}

/// Looks at what is at an address, with several endpoints: enough of them must answer alike. `said`
/// is what it is known to be, by the configuration or from before: then it is taken for that.
///
/// # Errors
/// [`CollectionError`]: there is nothing, or something that holds no tokens as far as it can be
/// told, or the chain could not be asked, or endpoints disagree.
pub async fn detect(rpc: &Rpc, address: Address, said: Option<Standard>) -> Result<Detected> {
    let contract = Asked { rpc, address };
    if !contract.has_code().await? {
        return Err(CollectionError::NoCode { address, chain_id: rpc.chain_id() });
    }
    match said {
        Some(Standard::Everhold) => contract.ours().await,
        Some(standard) => contract.foreign(standard).await,
        None => contract.found().await,
    }
}

/// Looks whether there is a factory at an address, with several endpoints: enough of them must
/// answer alike.
///
/// # Errors
/// [`DeployError::NotAFactory`], or the chain could not be asked, or endpoints disagree.
pub async fn detect_factory(rpc: &Rpc, factory: Address) -> Result<(), DeployError> {
    let contract = Asked { rpc, address: factory };
    if !contract.has_code().await? {
        return Err(DeployError::NotAFactory(factory, "there is no code"));
    }
    let asked = contract.get(IEverholdFactory::implementationCall {}, |address| address).await?;
    let address = asked.ok_or(DeployError::NotAFactory(factory, NO_ANSWER))?;
    if !(Asked { rpc, address }).has_code().await? {
        return Err(DeployError::NotAFactory(factory, "its implementation has no code"));
    }
    Ok(())
}

/// Whose a contract is, as its `owner()` says (ERC-173); `None` where it says nothing or nobody, or
/// endpoints disagree: nothing depends on it.
pub async fn owner(rpc: &Rpc, address: Address) -> Option<Address> {
    let contract = Asked { rpc, address };
    let owner = contract.get(ownerCall {}, |owner| owner).await.ok().flatten();
    owner.filter(|owner| !owner.is_zero())
}

impl Asked<'_> {
    /// Whether it says by ERC-165 that it has an interface; `None` where it says nothing.
    async fn supports(&self, interface: [u8; 4]) -> Result<Option<bool>> {
        let call = supportsInterfaceCall { interfaceId: interface.into() };
        let said = |answer: Option<Bytes>| match word(&answer?)? {
            word if word.is_zero() => Some(false),
            word if word == U256::ONE => Some(true),
            _ => None,
        };
        self.ask(call.abi_encode(), said).await
    }

    async fn found(&self) -> Result<Detected> {
        // Whoever says yes to everything says nothing.
        let (erc165, nothing, erc721, erc1155) = tokio::try_join!(
            self.supports(ERC165),
            self.supports(NOTHING),
            self.supports(ERC721),
            self.supports(ERC1155),
        )?;
        if (erc165, nothing) == (Some(true), Some(false)) {
            match (erc721 == Some(true), erc1155 == Some(true)) {
                (true, true) => return Err(CollectionError::Both(self.address)),
                (true, false) => {
                    return match self.ours().await {
                        Err(CollectionError::NotEverhold(_)) => {
                            self.foreign(Standard::Erc721).await
                        }
                        ours => ours,
                    };
                }
                (false, true) => return self.foreign(Standard::Erc1155).await,
                // Contracts of before the standards were final name earlier drafts.
                (false, false) => {}
            }
        }
        self.foreign(self.by_behaviour().await?).await
    }

    /// What it says as one of ours. What changes from block to block is not asked for.
    async fn ours(&self) -> Result<Detected> {
        let (erc721, codec, name, editable, first, owner) = tokio::try_join!(
            self.supports(ERC721),
            self.get(IEverhold::codecCall {}, Codec::from_multicodec),
            self.get(IEverhold::nameCall {}, |name| name),
            self.get(IEverhold::editableCall {}, |editable| editable),
            self.get(IEverhold::firstTokenIdCall {}, |_| ()),
            self.get(IEverhold::ownerCall {}, |_| ()),
        )?;
        if erc721 != Some(true) {
            return Err(CollectionError::NotErc721(self.address));
        }
        let (Some(codec), Some(name), Some(editable), Some(()), Some(())) =
            (codec.flatten(), name, editable, first, owner)
        else {
            return Err(CollectionError::NotEverhold(self.address));
        };
        Ok(Detected { standard: Standard::Everhold, name, codec: Some(codec), editable })
    }

    async fn foreign(&self, standard: Standard) -> Result<Detected> {
        let name = self.name(standard).await?;
        Ok(Detected { standard, name, codec: None, editable: false })
    }

    /// What it is by its answers: it counts for somebody, and either knows owners and URIs of common
    /// tokens, or has the functions that would.
    async fn by_behaviour(&self) -> Result<Standard> {
        let anything = |answer: Option<Bytes>| answer.is_some_and(|bytes| !bytes.is_empty());
        // A fallback that answers whatever it is asked says nothing.
        if self.ask(NONSENSE.to_vec(), anything).await? {
            return Err(CollectionError::NotRecognised(self.address));
        }
        let somebody = Address::repeat_byte(0x11);
        let balance = (somebody, U256::ONE).abi_encode_params();
        if self.counts([&BALANCE_721[..], &balance[..32]].concat()).await?
            && self.looks_like_721().await?
        {
            return Ok(Standard::Erc721);
        }
        if self.counts([&BALANCE_1155[..], &balance].concat()).await?
            && self.looks_like_1155().await?
        {
            return Ok(Standard::Erc1155);
        }
        Err(CollectionError::NotRecognised(self.address))
    }

    async fn counts(&self, input: Vec<u8>) -> Result<bool> {
        self.ask(input, |answer| answer.is_some_and(|bytes| word(&bytes).is_some())).await
    }

    async fn looks_like_721(&self) -> Result<bool> {
        for id in COMMON_IDS.map(U256::from) {
            let is_owner = |answer: Option<Bytes>| {
                answer.and_then(|bytes| word(&bytes)).is_some_and(is_address)
            };
            let owned = self.ask(ownerOfCall { tokenId: id }.abi_encode(), is_owner).await?;
            if owned || self.tells(tokenURICall { tokenId: id }.abi_encode()).await? {
                return Ok(true);
            }
        }
        self.has(ownerOfCall::SELECTOR).await
    }

    async fn looks_like_1155(&self) -> Result<bool> {
        for id in COMMON_IDS.map(U256::from) {
            if self.tells(uriCall { id }.abi_encode()).await? {
                return Ok(true);
            }
        }
        self.has(uriCall::SELECTOR).await
    }

    /// Whether it answers with a text.
    async fn tells(&self, input: Vec<u8>) -> Result<bool> {
        let is_text =
            |bytes: Bytes| matches!(text_of(&bytes), Text::Utf8(text) if !text.is_empty());
        self.ask(input, |answer| answer.is_some_and(is_text)).await
    }

    /// Whether its code has a function: dispatchers push the selector (`PUSH4`) to compare it.
    async fn has(&self, selector: [u8; 4]) -> Result<bool> {
        const PUSH4: u8 = 0x63;
        let pushes = |code: &[u8]| {
            code.windows(5).any(|window| window[0] == PUSH4 && window[1..] == selector)
        };
        self.code(pushes).await
    }

    /// Its name as it may be shown.
    async fn name(&self, standard: Standard) -> Result<String> {
        let name = self.ask(nameCall {}.abi_encode(), |answer| shown_name(&answer?)).await?;
        Ok(name.unwrap_or_else(|| format!("{standard} at {}", self.address)))
    }
}

/// A name as it may be shown: old contracts answer 32 bytes, hostile ones anything.
fn shown_name(answer: &Bytes) -> Option<String> {
    let name = match text_of(answer) {
        Text::Utf8(text) => text,
        _ if answer.len() == 32 => {
            let end = answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len());
            String::from_utf8(answer[..end].to_vec()).ok()?
        }
        _ => return None,
    };
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    (!name.is_empty()).then(|| shown(&name))
}

/// The one word of an answer.
fn word(bytes: &Bytes) -> Option<U256> {
    (bytes.len() == 32).then(|| U256::from_be_slice(bytes))
}

/// Whether a word is an address, and not nobody's.
fn is_address(word: U256) -> bool {
    !word.is_zero() && word.bit_len() <= 160
}
