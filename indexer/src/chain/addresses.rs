//! Where the factory and its collections are, before they are there.

use alloy::primitives::{Address, B256, hex, keccak256};
use alloy_sol_types::SolValue;

use super::{CollectionSettings, deployer::DEPLOYER, factory::DeployError};

/// The compiled factory, as `npm run artifacts` writes it.
const ARTIFACT: &str = include_str!("../../../contracts/artifacts/EverholdFactory.json");

/// The factory is put on a chain with this salt, so that it is at one address everywhere.
pub(super) const FACTORY_SALT: B256 = B256::ZERO;

/// Where the factory is, on every chain: its code decides.
pub fn factory_address() -> Result<Address, DeployError> {
    Ok(DEPLOYER.create2_from_code(FACTORY_SALT, creation_code()?))
}

/// The factory's creation code, as the compiled contract has it.
pub(super) fn creation_code() -> Result<Vec<u8>, DeployError> {
    let artifact: serde_json::Value =
        serde_json::from_str(ARTIFACT).map_err(|error| DeployError::Artifact(error.to_string()))?;
    let code = artifact.get("bytecode").and_then(serde_json::Value::as_str).unwrap_or_default();
    alloy::hex::decode(code).map_err(|error| DeployError::Artifact(error.to_string()))
}

/// Where our factory puts a collection: a minimal clone (ERC-1167) of the contract that the
/// factory itself creates first (number 1 of its creations, EIP-161).
pub(super) fn clone_address(
    factory: Address,
    sender: Address,
    settings: &CollectionSettings,
    salt: B256,
) -> Address {
    let implementation = factory.create(1);
    let bound = keccak256((sender, settings.clone(), salt).abi_encode_params());
    let head = hex!("3d602d80600a3d3981f3363d3d373d3d3d363d73");
    let tail = hex!("5af43d82803e903d91602b57fd5bf3");
    let code = [&head[..], implementation.as_slice(), &tail].concat();
    factory.create2_from_code(bound, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The artifact's address is worked out by another program, Foundry's `cast`.
    #[test]
    fn the_factory_is_where_its_artifact_says() {
        let artifact: serde_json::Value = serde_json::from_str(ARTIFACT).unwrap();
        let create2 = &artifact["create2"];
        assert_eq!(create2["address"], factory_address().unwrap().to_checksum(None));
        assert_eq!(create2["deployer"], DEPLOYER.to_checksum(None));
        assert_eq!(create2["salt"], FACTORY_SALT.to_string());
    }
}
