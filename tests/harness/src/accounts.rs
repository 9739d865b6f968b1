//! The first of the accounts that every development chain knows. Their keys are public.

/// An account with ether on the development chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// EIP-55 address.
    pub address: &'static str,
    /// Private key, 64 hex digits.
    pub key: &'static str,
}

/// Deploys and mints.
pub const CREATOR: Account = Account {
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    key: "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
};

/// Owns tokens.
pub const OWNER: Account = Account {
    address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    key: "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
};

/// Signs and pays what repairs need.
pub const REPAIRER: Account = Account {
    address: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    key: "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
};

/// Has nothing to do with any collection.
pub const STRANGER: Account = Account {
    address: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    key: "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
};
