//! What kind of contract is at an address.
//!
//! ERC-165 (<https://eips.ethereum.org/EIPS/eip-165>) says so, where a contract keeps to it. Others
//! are known by what they answer: contracts older than the standards, those that revert, that burn
//! all gas they are given, or that say yes to everything.

use std::time::Duration;

use alloy::{
    eips::BlockId,
    network::{Ethereum, TransactionBuilder},
    primitives::{Address, Bytes, U256},
    providers::{Provider, RootProvider},
    rpc::types::TransactionRequest,
    sol,
};
use alloy_sol_types::{SolCall, SolValue};

use super::{
    collection::inspect,
    error::{CollectionError, Result, is_of_the_contract},
    send::has_code,
    uris::text::{Text, text_of},
};
use crate::{
    config::Standard,
    content::{Codec, shown},
};

sol! {
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
    function name() external view returns (string);
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

/// Gas of a question. ERC-165 allows 30,000 for its own, which proxies and chains with other prices
/// need more than; a contract that burns it all must not keep the endpoint busy.
const GAS: u64 = 2_000_000;
/// Until a contract has answered one question.
const PATIENCE: Duration = Duration::from_secs(20);
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

/// Looks at what is at an address. `said` is what it is known to be, by the configuration or from
/// before: then it is taken for that.
///
/// # Errors
/// [`CollectionError`]: there is nothing, or something that holds no tokens as far as it can be
/// told, or the chain could not be asked.
pub async fn detect(
    provider: &RootProvider<Ethereum>,
    chain_id: u64,
    address: Address,
    said: Option<Standard>,
) -> Result<Detected> {
    if !has_code(provider, address).await? {
        return Err(CollectionError::NoCode { address, chain_id });
    }
    let contract = Asked { provider, address };
    let standard = match said {
        Some(standard) => standard,
        None => contract.standard().await?,
    };
    if standard == Standard::Everhold {
        let info = inspect(provider, chain_id, address).await?;
        let (codec, editable) = (Some(info.codec), info.editable);
        return Ok(Detected { standard, name: info.name, codec, editable });
    }
    let name = contract.name(standard).await?;
    Ok(Detected { standard, name, codec: None, editable: false })
}

/// A contract that is asked.
struct Asked<'a> {
    provider: &'a RootProvider<Ethereum>,
    address: Address,
}

impl Asked<'_> {
    /// What it answers; `None` where it reverts, or runs out of gas or time.
    async fn ask(&self, input: Vec<u8>) -> Result<Option<Bytes>> {
        let request = TransactionRequest::default()
            .with_to(self.address)
            .with_gas_limit(GAS)
            .with_input(input);
        let call = self.provider.call(request).block(BlockId::latest());
        match tokio::time::timeout(PATIENCE, async { call.await }).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(error)) if is_of_the_contract(&error) => Ok(None),
            Ok(Err(error)) => Err(CollectionError::NotSent(everhold_net::root_cause(&error))),
            Err(_) => Ok(None),
        }
    }

    /// Whether it says by ERC-165 that it has an interface; `None` where it says nothing.
    async fn supports(&self, interface: [u8; 4]) -> Result<Option<bool>> {
        let call = supportsInterfaceCall { interfaceId: interface.into() };
        let answer = self.ask(call.abi_encode()).await?;
        Ok(answer.and_then(|bytes| word(&bytes)).and_then(|word| match word {
            _ if word.is_zero() => Some(false),
            _ if word == U256::ONE => Some(true),
            _ => None,
        }))
    }

    async fn standard(&self) -> Result<Standard> {
        // Whoever says yes to everything says nothing.
        let keeps_to_it = self.supports(ERC165).await? == Some(true)
            && self.supports(NOTHING).await? == Some(false);
        if keeps_to_it {
            let erc721 = self.supports(ERC721).await? == Some(true);
            let erc1155 = self.supports(ERC1155).await? == Some(true);
            match (erc721, erc1155) {
                (true, true) => return Err(CollectionError::Both(self.address)),
                (true, false) if self.is_ours().await? => return Ok(Standard::Everhold),
                (true, false) => return Ok(Standard::Erc721),
                (false, true) => return Ok(Standard::Erc1155),
                // Contracts of before the standards were final name earlier drafts.
                (false, false) => {}
            }
        }
        self.by_behaviour().await
    }

    async fn is_ours(&self) -> Result<bool> {
        match inspect(self.provider, 0, self.address).await {
            Ok(_) => Ok(true),
            Err(CollectionError::NotErc721(_) | CollectionError::NotEverhold(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What it is by its answers: it counts for somebody, and either knows owners and URIs of common
    /// tokens, or has the functions that would.
    async fn by_behaviour(&self) -> Result<Standard> {
        let anything = self.ask(NONSENSE.to_vec()).await?;
        // A fallback that answers whatever it is asked says nothing.
        if anything.is_some_and(|bytes| !bytes.is_empty()) {
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
        Ok(self.ask(input).await?.is_some_and(|bytes| word(&bytes).is_some()))
    }

    async fn looks_like_721(&self) -> Result<bool> {
        for id in COMMON_IDS.map(U256::from) {
            let owner = self.ask(ownerOfCall { tokenId: id }.abi_encode()).await?;
            let owned = owner.and_then(|bytes| word(&bytes)).is_some_and(is_address);
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
        let answer = self.ask(input).await?;
        Ok(answer
            .is_some_and(|bytes| matches!(text_of(&bytes), Text::Utf8(text) if !text.is_empty())))
    }

    /// Whether its code has a function: dispatchers push the selector (`PUSH4`) to compare it.
    async fn has(&self, selector: [u8; 4]) -> Result<bool> {
        const PUSH4: u8 = 0x63;
        let code = self.provider.get_code_at(self.address).await?;
        Ok(code.windows(5).any(|window| window[0] == PUSH4 && window[1..] == selector))
    }

    /// Its name as it may be shown: old contracts answer 32 bytes, hostile ones anything.
    async fn name(&self, standard: Standard) -> Result<String> {
        let answer = self.ask(nameCall {}.abi_encode()).await?.unwrap_or_default();
        let name = match text_of(&answer) {
            Text::Utf8(text) => Some(text),
            _ if answer.len() == 32 => {
                let end = answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len());
                String::from_utf8(answer[..end].to_vec()).ok()
            }
            _ => None,
        };
        let name = name.map(|name| name.trim().chars().take(LONGEST_NAME).collect::<String>());
        let name = name.filter(|name| !name.is_empty()).map(|name| shown(&name));
        Ok(name.unwrap_or_else(|| format!("{standard} at {}", self.address)))
    }
}

/// The one word of an answer.
fn word(bytes: &Bytes) -> Option<U256> {
    (bytes.len() == 32).then(|| U256::from_be_slice(bytes))
}

/// Whether a word is an address, and not nobody's.
fn is_address(word: U256) -> bool {
    !word.is_zero() && word.bit_len() <= 160
}
