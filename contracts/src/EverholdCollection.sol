// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "./content/Codec.sol";
import {ContentURI} from "./content/ContentURI.sol";
import {IERC2477} from "./interfaces/IERC2477.sol";
import {IERC5646} from "./interfaces/IERC5646.sol";
import {IERC7572} from "./interfaces/IERC7572.sol";
import {CollectionSettings, IEverholdCollection} from "./interfaces/IEverholdCollection.sol";
import {LazyMint} from "./sale/LazyMint.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title EverholdCollection
/// @notice An ERC-721 collection whose tokens name their content by its hash. See {IEverholdCollection}.
/// @dev Two kinds of rights that never meet: the creator (`owner()`) mints and speaks for the collection as a
/// whole, and a token's owner alone says what the token's content is (`TokenContent`). Collections are minimal
/// clones (ERC-1167) of one implementation; nothing can upgrade them.
contract EverholdCollection is LazyMint, Ownable2Step, ERC2981, IERC7572 {
    /// @dev ERC-4906 names its interface id; its interface, of events only, has none to compute.
    bytes4 private constant ERC4906_ID = 0x49064906;

    /// @dev The factory, which alone initialises clones, each in the transaction that makes it.
    address private immutable FACTORY;

    // ERC721 keeps the names given to its constructor, which a clone does not run.
    string private _name;
    string private _symbol;

    /// @inheritdoc IEverholdCollection
    bytes32 public contractDigest;

    //////////////////////////////////////////////////////////////////////////
    //                             INITIALISATION
    //////////////////////////////////////////////////////////////////////////

    /// @dev Makes the implementation, which is no collection: it has no creator, and a codec, so that it can't
    /// be initialised. The deployer is the factory.
    constructor() ERC721("", "") Ownable(msg.sender) EIP712("Everhold", "1") {
        FACTORY = msg.sender;
        codec = Codec.RAW;
        _transferOwnership(address(0));
    }

    /// @notice Makes a new clone a collection. Only the factory may, and only once.
    /// @param settings The collection's settings.
    function initialize(CollectionSettings calldata settings) external {
        if (_msgSender() != FACTORY) revert NotFactory(_msgSender());
        if (codec != 0) revert AlreadyInitialized();
        if (!Codec.isSupported(settings.codec)) revert InvalidCodec(settings.codec);
        if (settings.creator == address(0)) revert OwnableInvalidOwner(address(0));

        _name = settings.name;
        _symbol = settings.symbol;
        codec = settings.codec;
        editable = settings.editable;
        _startAt(settings.firstTokenId);
        // Not Ownable2Step's, which would clear a pending owner that a new clone can't have.
        Ownable._transferOwnership(settings.creator);
        if (settings.royaltyBasisPoints > 0) {
            _setRoyalty(settings.royaltyReceiver, settings.royaltyBasisPoints);
        }
        if (settings.contractDigest != 0) _setContractContent(settings.contractDigest);
    }

    //////////////////////////////////////////////////////////////////////////
    //                              THE CREATOR
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function mint(address to, uint256 tokenId, bytes32 digest) external onlyOwner {
        uint256 next = _mintWith(to, digest);
        if (tokenId != next) revert NotNextTokenId(next, tokenId);
    }

    /// @inheritdoc IEverholdCollection
    function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external onlyOwner {
        _mintPack(to, firstId, digests);
        emit ContentBatchSet(firstId, digests);
    }

    /// @inheritdoc IEverholdCollection
    function setContractContent(bytes32 digest) external onlyOwner {
        _setContractContent(digest);
    }

    /// @inheritdoc IEverholdCollection
    function setRoyalty(address receiver, uint96 basisPoints) external onlyOwner {
        _setRoyalty(receiver, basisPoints);
    }

    function _setContractContent(bytes32 digest) private {
        contractDigest = digest;
        emit ContractContentSet(digest);
        emit ContractURIUpdated();
    }

    function _setRoyalty(address receiver, uint96 basisPoints) private {
        if (basisPoints == 0) {
            receiver = address(0);
            _deleteDefaultRoyalty();
        } else {
            _setDefaultRoyalty(receiver, basisPoints);
        }
        emit RoyaltySet(receiver, basisPoints);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 VIEWS
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc ERC721
    function name() public view override returns (string memory) {
        return _name;
    }

    /// @inheritdoc ERC721
    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    /// @inheritdoc IERC7572
    function contractURI() external view returns (string memory) {
        return contractDigest == 0 ? "" : ContentURI.encode(codec, contractDigest);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC721, ERC2981, IERC165)
        returns (bool)
    {
        return interfaceId == type(IEverholdCollection).interfaceId
            || interfaceId == type(IERC2477).interfaceId || interfaceId == type(IERC5646).interfaceId
            || interfaceId == ERC4906_ID || super.supportsInterface(interfaceId);
    }

    //////////////////////////////////////////////////////////////////////////
    //                               OWNERSHIP
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc Ownable2Step
    function transferOwnership(address newOwner) public override(Ownable, Ownable2Step) {
        super.transferOwnership(newOwner);
    }

    /// @inheritdoc Ownable2Step
    function _transferOwnership(address newOwner) internal override(Ownable, Ownable2Step) {
        super._transferOwnership(newOwner);
    }
}
