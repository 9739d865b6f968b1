//! Making a collection: by the factory, which is put on the chain first where it is not yet.

use alloy::{
    network::Ethereum,
    primitives::{Address, B256, Log, U256},
    providers::RootProvider,
    rpc::types::TransactionReceipt,
    signers::local::PrivateKeySigner,
};
use alloy_sol_types::SolEvent;
use tracing::info;

use super::{
    CollectionSettings, IEverholdFactory,
    addresses::{FACTORY_SALT, clone_address, creation_code, factory_address},
    deployer::{self, DEPLOYER, DEPLOYER_ACCOUNT, ether},
    error::{CollectionError, answered},
    send::{appears, has_code, send},
};

/// Why no collection was made.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A contract or the chain.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// It was made before.
    #[error(
        "{0} is there already: the same account made a collection with the same settings and the \
         same salt; another --salt makes another one"
    )]
    Exists(Address),
    /// There is no factory at the address given.
    #[error("{0} is no factory of collections: {1}")]
    NotAFactory(Address, &'static str),
    /// The deterministic deployer can't be used.
    #[error(
        "the deterministic deployer {DEPLOYER} can't be used on this chain ({0}); put the factory \
         on it in another way, and name it: --factory ADDRESS"
    )]
    NoDeployer(&'static str),
    /// A node takes no transaction that any chain would.
    #[error(
        "this RPC does not take the transaction that puts the deterministic deployer on the chain \
         ({0}): it is for any chain, without EIP-155; send it through another one (--rpc URL), or \
         put the factory on the chain in another way and name it: --factory ADDRESS"
    )]
    DeployerRefused(String),
    /// The deployer did not put the factory where it should be.
    #[error("the factory is not at {0}, where it should be after transaction {1}")]
    FactoryMisplaced(Address, B256),
    /// The factory did something else than it said.
    #[error("the factory {0} made no collection at {1}, as it said it would")]
    CollectionMisplaced(Address, Address),
    /// The artifact in the binary can't be used.
    #[error("the factory in this binary can't be read: {0}")]
    Artifact(String),
}

type Result<T, E = DeployError> = std::result::Result<T, E>;

/// What making a collection takes, found out without sending anything.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The collection's settings.
    pub settings: CollectionSettings,
    /// Tells collections with the same settings apart.
    pub salt: B256,
    /// The account that makes it.
    pub sender: Address,
    /// The factory.
    pub factory: Address,
    /// Where the collection will be.
    pub collection: Address,
    /// Whether the factory has to be put on the chain first.
    pub factory_missing: bool,
    /// Where the deterministic deployer has to be put on the chain before: what its account needs
    /// for that, in wei.
    pub deployer_missing: Option<U256>,
    /// Collections that the same account made before with the same settings.
    pub earlier: Vec<Address>,
}

/// A collection that was made.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its address.
    pub address: Address,
    /// The transaction that made it.
    pub transaction: B256,
    /// The block that transaction is in.
    pub block: u64,
    /// The transaction that put the factory on the chain, if it was not there.
    pub factory_transaction: Option<B256>,
    /// The transaction that put the deterministic deployer there, if it was not.
    pub deployer_transaction: Option<B256>,
}

/// Looks at what there is, and where the collection will be.
///
/// Without a salt it is the lowest number that the sender did not use with these settings. So a
/// second run of a command that was cut off before its transaction gives the same address, and
/// one that is made while that transaction waits can't make a second collection.
pub async fn plan_deployment(
    provider: &RootProvider<Ethereum>,
    sender: Address,
    settings: CollectionSettings,
    salt: Option<B256>,
    factory: Option<Address>,
) -> Result<Deployment> {
    let standard = factory_address()?;
    let factory = factory.unwrap_or(standard);
    let factory_missing = !has_code(provider, factory).await?;
    if factory_missing && factory != standard {
        return Err(DeployError::NotAFactory(factory, "there is no code"));
    }
    let deployer_missing = if factory_missing { deployer::lacking(provider).await? } else { None };
    if !factory_missing {
        check_factory(provider, factory).await?;
    }
    let mut deployment = Deployment {
        settings,
        salt: salt.unwrap_or_default(),
        sender,
        factory,
        collection: Address::ZERO,
        factory_missing,
        deployer_missing,
        earlier: Vec::new(),
    };
    deployment.collection = deployment.address(provider, !factory_missing).await?;
    while has_code(provider, deployment.collection).await? {
        if salt.is_some() {
            return Err(DeployError::Exists(deployment.collection));
        }
        deployment.earlier.push(deployment.collection);
        deployment.salt = B256::from(U256::from(deployment.earlier.len()));
        deployment.collection = deployment.address(provider, !factory_missing).await?;
        if deployment.earlier.contains(&deployment.collection) {
            return Err(DeployError::NotAFactory(factory, NO_ANSWER));
        }
    }
    Ok(deployment)
}

/// Makes the collection, and before it what is lacking for that.
pub async fn deploy(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    deployment: &Deployment,
) -> Result<Deployed> {
    let mut deployer_transaction = None;
    if let Some(wei) = deployment.deployer_missing {
        let ether = ether(wei);
        info!("the chain lacks the deterministic deployer: {ether} ether to {DEPLOYER_ACCOUNT}");
        let receipt = deployer::put(provider, signer, wei).await?;
        info!("the deterministic deployer is at {DEPLOYER} now");
        deployer_transaction = Some(receipt.transaction_hash);
    }
    let mut factory_transaction = None;
    if deployment.factory_missing {
        factory_transaction = put_factory(provider, signer, deployment.factory).await?;
        check_factory(provider, deployment.factory).await?;
        if deployment.address(provider, true).await? != deployment.collection {
            let (factory, collection) = (deployment.factory, deployment.collection);
            return Err(DeployError::CollectionMisplaced(factory, collection));
        }
    }
    let receipt = create(provider, signer, deployment).await?;
    let address = created(&receipt, deployment)?;
    Ok(Deployed {
        address,
        transaction: receipt.transaction_hash,
        block: receipt.block_number.unwrap_or_default(),
        factory_transaction,
        deployer_transaction,
    })
}

/// Puts the factory on the chain; `None` where somebody else did so meanwhile.
async fn put_factory(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    factory: Address,
) -> Result<Option<B256>> {
    let request = deployer::request(FACTORY_SALT, &creation_code()?);
    let sent = send(provider, signer, request).await;
    match sent {
        Ok(receipt) if appears(provider, factory).await? => {
            info!("the factory is at {factory} now ({} gas)", receipt.gas_used);
            Ok(Some(receipt.transaction_hash))
        }
        Ok(receipt) => Err(DeployError::FactoryMisplaced(factory, receipt.transaction_hash)),
        Err(_) if has_code(provider, factory).await? => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn create(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    deployment: &Deployment,
) -> Result<TransactionReceipt> {
    let factory = IEverholdFactory::new(deployment.factory, provider);
    let call = factory.createCollection(deployment.settings.clone(), deployment.salt);
    match send(provider, signer, call.into_transaction_request()).await {
        Ok(receipt) => Ok(receipt),
        // A run before this one was cut off after sending, and its transaction came first.
        Err(_) if has_code(provider, deployment.collection).await? => {
            Err(DeployError::Exists(deployment.collection))
        }
        Err(error) => Err(error.into()),
    }
}

/// The collection that the factory says it made, if it is the one that was to be made.
fn created(receipt: &TransactionReceipt, deployment: &Deployment) -> Result<Address> {
    let logs = receipt.logs().iter().filter(|log| log.address() == deployment.factory);
    let event = |log: &Log| IEverholdFactory::CollectionCreated::decode_log(log).ok();
    let mut events = logs.filter_map(|log| event(&log.inner));
    let ours = |event: &Log<IEverholdFactory::CollectionCreated>| {
        event.collection == deployment.collection
            && event.creator == deployment.settings.creator
            && event.sender == deployment.sender
    };
    let made = events.find(ours).map(|event| event.collection);
    made.ok_or(DeployError::CollectionMisplaced(deployment.factory, deployment.collection))
}

impl Deployment {
    /// Where the collection will be: as the factory says, or, before there is one, as it will.
    async fn address(&self, provider: &RootProvider<Ethereum>, ask: bool) -> Result<Address> {
        if !ask {
            return Ok(clone_address(self.factory, self.sender, &self.settings, self.salt));
        }
        let factory = IEverholdFactory::new(self.factory, provider);
        let asked = factory.collectionAddress(self.sender, self.settings.clone(), self.salt);
        let address = answered(asked.call().await)?;
        address.ok_or(DeployError::NotAFactory(self.factory, NO_ANSWER))
    }
}

pub(super) const NO_ANSWER: &str = "it does not answer as one";

/// Whether there is a factory at an address where there is code. Of the standard address nothing
/// but our own code can be the code; of another one it is taken that its user knows it.
///
/// # Errors
/// [`DeployError::NotAFactory`], or what went wrong between us and the chain.
async fn check_factory(provider: &RootProvider<Ethereum>, factory: Address) -> Result<()> {
    if !has_code(provider, factory).await? {
        return Err(DeployError::NotAFactory(factory, "there is no code"));
    }
    let asked = IEverholdFactory::new(factory, provider).implementation().call().await;
    let implementation = answered(asked)?.ok_or(DeployError::NotAFactory(factory, NO_ANSWER))?;
    if !has_code(provider, implementation).await? {
        return Err(DeployError::NotAFactory(factory, "its implementation has no code"));
    }
    Ok(())
}
