// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice What a collection is made with.
/// @param name Its name.
/// @param symbol Its symbol.
/// @param codec How its digests name content: 0x70 (`dag-pb`) or 0x55 (`raw`). For ever.
/// @param firstTokenId The id of its first token: 0 or 1. For ever.
/// @param editable Whether owners may change their tokens' content. For ever.
/// @param creator The account that may mint; not zero. It may hand this over, in two steps.
/// @param royaltyReceiver Who gets royalties (ERC-2981); not zero if there are any.
/// @param royaltyBasisPoints Royalties in hundredths of a per cent of the price, at most 10,000; 0: none.
/// @param contractDigest The digest of the collection's own metadata (ERC-7572); zero: none.
struct CollectionSettings {
    string name;
    string symbol;
    uint8 codec;
    uint8 firstTokenId;
    bool editable;
    address creator;
    address royaltyReceiver;
    uint96 royaltyBasisPoints;
    bytes32 contractDigest;
}

/// @notice What the creator signs (EIP-712) so that somebody else may mint a token.
/// @param id A number that the creator uses once. Numbers in a row cost the least gas.
/// @param digest The digest of the token's content.
/// @param buyer Who may redeem the voucher; zero: anyone.
/// @param price What the buyer pays, in wei.
/// @param deadline The last second, in Unix time, at which the voucher is worth anything.
struct Voucher {
    uint256 id;
    bytes32 digest;
    address buyer;
    uint256 price;
    uint256 deadline;
}

/// @title IEverholdCollection
/// @notice A collection of tokens that stores of each token's content only a 32-byte digest, which nobody but
/// the token's owner can change.
/// @dev Used together with ERC-721 and its metadata extension: `tokenURI` is the digest written as an
/// `ipfs://` URI. Functions about one token revert with ERC-6093's `ERC721NonexistentToken` where it does not exist.
interface IEverholdCollection {
    //////////////////////////////////////////////////////////////////////////
    //                                 EVENTS
    //////////////////////////////////////////////////////////////////////////

    /// @notice A token was minted by `mint` or `redeem`, or its owner changed its content.
    /// @param tokenId The token.
    /// @param digest The digest that its content has from now on.
    /// @param revision 1 for a mint, then one more with each change.
    event ContentSet(uint256 indexed tokenId, bytes32 digest, uint64 revision);

    /// @notice Tokens were minted by `mintBatch`, each at revision 1.
    /// @param firstTokenId The first token; the others follow without a gap.
    /// @param digests The tokens' digests, in the order of their ids.
    event ContentBatchSet(uint256 indexed firstTokenId, bytes32[] digests);

    /// @notice A token's content can never change again.
    /// @param tokenId The token.
    event ContentFrozen(uint256 indexed tokenId);

    /// @notice Every signed update of a token that was not used so far is worthless from now on.
    /// @param tokenId The token.
    event SignaturesCancelled(uint256 indexed tokenId);

    /// @notice The collection's own metadata changed.
    /// @param digest The digest that it has from now on; zero: there is none.
    event ContractContentSet(bytes32 digest);

    /// @notice The collection's royalties changed.
    /// @param receiver Who gets them.
    /// @param basisPoints Hundredths of a per cent of the price.
    event RoyaltySet(address receiver, uint96 basisPoints);

    /// @notice A voucher was redeemed: its token was minted and its price paid.
    /// @param id The voucher.
    /// @param tokenId The token.
    /// @param buyer Who redeemed it and owns the token.
    /// @param price What the creator was paid, in wei.
    event VoucherRedeemed(uint256 indexed id, uint256 indexed tokenId, address indexed buyer, uint256 price);

    /// @notice The creator made a voucher worthless.
    /// @param id The voucher.
    event VoucherCancelled(uint256 indexed id);

    //////////////////////////////////////////////////////////////////////////
    //                                 ERRORS
    //////////////////////////////////////////////////////////////////////////

    /// @notice Only the factory makes collections.
    error NotFactory(address caller);

    /// @notice A collection is made once.
    error AlreadyInitialized();

    /// @notice The codec is neither `dag-pb` (0x70) nor `raw` (0x55).
    error InvalidCodec(uint8 codec);

    /// @notice A collection starts at token 0 or at token 1.
    error InvalidFirstTokenId(uint256 firstTokenId);

    /// @notice Tokens are minted in the order of their ids, and `given` is not the next one.
    error NotNextTokenId(uint256 expected, uint256 given);

    /// @notice A batch without a digest.
    error EmptyBatch();

    /// @notice More digests than one batch may hold.
    error BatchTooLarge(uint256 size, uint256 max);

    /// @notice The chain did not put a batch's digests where they would be looked for. No Ethereum chain does so.
    error PackMisplaced();

    /// @notice Zero is no digest of any content.
    error ZeroDigest();

    /// @notice One is no digest of any content: it stands for that of a burned token.
    error ReservedDigest();

    /// @notice The update was made for content that the token no longer has.
    error StaleDigest(bytes32 current, bytes32 given);

    /// @notice The token has this very digest already.
    error SameDigest();

    /// @notice Only the token's owner may do this: no approved account, not the creator.
    error NotTokenOwner(uint256 tokenId, address caller);

    /// @notice The token's content was frozen by an owner.
    error ContentIsFrozen(uint256 tokenId);

    /// @notice The collection was made with edits off: what a token was minted with is its content for ever.
    error EditsAreOff();

    /// @notice The token changed hands in this very transaction: its content can be changed from the next one on.
    error MovedInThisTransaction(uint256 tokenId);

    /// @notice The signature is of an update that was made already, or cancelled, or is not the next one.
    error InvalidNonce(uint256 tokenId, uint256 expected, uint256 given);

    /// @notice The deadline of what was signed has passed.
    error SignatureExpired(uint256 deadline);

    /// @notice The signature is not that of `signer` over just this.
    error InvalidSignature(address signer);

    /// @notice The voucher is for another buyer.
    error NotVoucherBuyer(address buyer, address caller);

    /// @notice What was paid is not the voucher's price.
    error WrongPayment(uint256 price, uint256 given);

    /// @notice The voucher was redeemed or cancelled.
    error VoucherSpent(uint256 id);

    /// @notice The document would not be one block. Prove its root block with `verifyBlock`.
    error DocumentTooLarge(uint256 size, uint256 max);

    //////////////////////////////////////////////////////////////////////////
    //                               COLLECTION
    //////////////////////////////////////////////////////////////////////////

    /// @notice How every digest of this collection names content, as a multicodec code.
    /// @return 0x70 (`dag-pb`): sha-256 of the root block of a UnixFS DAG; 0x55 (`raw`): sha-256 of the content.
    function codec() external view returns (uint8);

    /// @notice Whether owners may change their tokens' content.
    function editable() external view returns (bool);

    /// @notice The id of the first token: 0 or 1.
    function firstTokenId() external view returns (uint256);

    /// @notice The id that the next minted token will have.
    function nextTokenId() external view returns (uint256);

    /// @notice The number of tokens that exist: minted and not burned.
    function totalSupply() external view returns (uint256);

    /// @notice The digest of the collection's own metadata, which `contractURI` (ERC-7572) is written from; zero:
    /// none.
    function contractDigest() external view returns (bytes32);

    /// @notice Gives the collection itself other metadata. Only the creator may. Tokens have nothing to do with it.
    /// @param digest The digest of the metadata; zero: none.
    function setContractContent(bytes32 digest) external;

    /// @notice Sets the royalties (ERC-2981) of all tokens. Only the creator may.
    /// @param receiver Who gets them; not zero if there are any.
    /// @param basisPoints Hundredths of a per cent of the price, at most 10,000; 0: none.
    function setRoyalty(address receiver, uint96 basisPoints) external;

    //////////////////////////////////////////////////////////////////////////
    //                                MINTING
    //////////////////////////////////////////////////////////////////////////

    /// @notice Mints the next token. Only the creator may.
    /// @dev `to` is not asked whether it can handle tokens (`onERC721Received`): no foreign code runs.
    /// @param to The token's first owner.
    /// @param tokenId Must be `nextTokenId()`, so that a mint sent twice can't mint two tokens.
    /// @param digest The digest of the token's content; neither zero nor one.
    function mint(address to, uint256 tokenId, bytes32 digest) external;

    /// @notice Mints up to 500 tokens with ids that follow one another. Only the creator may.
    /// @param to The first owner of all of them.
    /// @param firstId Must be `nextTokenId()`, so that a batch sent twice can't be minted twice.
    /// @param digests The digests of the tokens' content, in the order of their ids; none zero or one.
    function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external;

    /// @notice Mints the next token to the caller, who brings the creator's signature and pays the creator.
    /// @dev The payment is passed on at once; nothing is kept here. The signed type is `Voucher(address creator,
    /// uint256 id,bytes32 digest,address buyer,uint256 price,uint256 deadline)`, `creator` being `owner()`.
    /// @param voucher What the creator signed. What is sent along must be its price to the wei.
    /// @param signature The creator's EIP-712 signature, or what its contract takes for one (ERC-1271).
    /// @return tokenId The token.
    function redeem(Voucher calldata voucher, bytes calldata signature)
        external
        payable
        returns (uint256 tokenId);

    /// @notice Makes a voucher worthless. Only the creator may.
    /// @param id The voucher.
    function cancelVoucher(uint256 id) external;

    /// @notice Whether a voucher was redeemed or cancelled.
    /// @param id The voucher.
    function isVoucherSpent(uint256 id) external view returns (bool);

    //////////////////////////////////////////////////////////////////////////
    //                                CONTENT
    //////////////////////////////////////////////////////////////////////////

    /// @notice Gives a token other content. Only its owner may, and only while it is not frozen, and not in the
    /// transaction in which it came to own the token from somebody else.
    /// @param tokenId The token.
    /// @param currentDigest The digest to be replaced, so that an update made for older content reverts.
    /// @param newDigest The new digest; neither zero nor one nor `currentDigest`.
    function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external;

    /// @notice Gives a token other content as its owner signed (EIP-712). Anyone may bring the signature.
    /// @dev The signed type is `ContentUpdate(address owner,uint256 tokenId,bytes32 currentDigest,bytes32 newDigest,
    /// uint256 nonce,uint256 deadline)`.
    /// @param tokenId The token.
    /// @param currentDigest The digest to be replaced.
    /// @param newDigest The new digest.
    /// @param nonce Must be `signatureNonce(tokenId)`, so that a signature is used once.
    /// @param deadline The last second, in Unix time, at which the signature is worth anything.
    /// @param signature The owner's signature, or what its contract takes for one (ERC-1271).
    function updateContentBySignature(
        uint256 tokenId,
        bytes32 currentDigest,
        bytes32 newDigest,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Makes every signed update worthless that was not used so far. Only the token's owner may.
    /// @param tokenId The token.
    function cancelSignatures(uint256 tokenId) external;

    /// @notice Makes a token's content unchangeable for ever, for later owners too. Only its owner may.
    /// @param tokenId The token.
    function freeze(uint256 tokenId) external;

    /// @notice Destroys a token, frozen or not. Only its owner may. Its id is never used again.
    /// @param tokenId The token.
    function burn(uint256 tokenId) external;

    /// @notice The digest of a token's content.
    /// @param tokenId The token.
    function contentDigest(uint256 tokenId) external view returns (bytes32);

    /// @notice How often a token's content has been set: 1 after the mint.
    /// @param tokenId The token.
    function revision(uint256 tokenId) external view returns (uint64);

    /// @notice Whether a token's content can never change again: its owner froze it, or the collection is not
    /// `editable`.
    /// @param tokenId The token.
    function isFrozen(uint256 tokenId) external view returns (bool);

    /// @notice The nonce that the next signed update of a token must have. Every change of the content, signed or
    /// not, gives the next one.
    /// @param tokenId The token.
    function signatureNonce(uint256 tokenId) external view returns (uint256);

    /// @notice Whether these bytes are a token's content. To be called off-chain, by anyone.
    /// @dev `raw`: their sha-256 is compared. `dag-pb`: that of the one block that IPFS makes of them, which is
    /// defined for up to 262,144 bytes; more revert. `false` does not say that the bytes are wrong: another
    /// importer may have cut them up in another way. Then prove the root block, by `verifyBlock`, and walk down
    /// its links.
    /// @param tokenId The token.
    /// @param document The bytes.
    /// @return `true` is a proof; `false` says "not in this encoding".
    function verifyContent(uint256 tokenId, bytes calldata document) external view returns (bool);

    /// @notice Whether this is the root block that a token's digest names, of a DAG of any shape and size.
    /// @param tokenId The token.
    /// @param rootBlock The block's bytes.
    function verifyBlock(uint256 tokenId, bytes calldata rootBlock) external view returns (bool);
}
