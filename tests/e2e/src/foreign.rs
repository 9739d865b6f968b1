//! Contracts of others on the chain, called without the product.

use everhold_harness::{Anvil, Context, Result, accounts};
use serde_json::{Value, json};

/// A contract that `contracts/test/foreign` has.
#[derive(Debug)]
pub struct Foreign {
    /// Its address.
    pub address: String,
}

impl Foreign {
    /// Puts one on the chain, by the code that `npm run artifacts` wrote.
    pub async fn deploy(anvil: &Anvil, name: &str) -> Result<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/foreign");
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).context(name)?;
        let artifact: Value = serde_json::from_str(&text).context(name)?;
        let receipt = send(anvil, json!({"data": artifact["bytecode"]})).await?;
        let address = receipt["contractAddress"].as_str().context("contractAddress")?;
        Ok(Self { address: address.to_owned() })
    }

    /// Mints tokens from `first` on, each with its URI, many in a transaction.
    pub async fn mint(&self, anvil: &Anvil, first: u64, uris: &[String]) -> Result<()> {
        for (at, some) in uris.chunks(100).enumerate() {
            let from = first + 100 * at as u64;
            let (mut heads, mut tails) = (String::new(), String::new());
            for uri in some {
                heads += &word(32 * some.len() as u64 + tails.len() as u64 / 2);
                tails += &bytes(uri);
            }
            let list = word(some.len() as u64) + &heads + &tails;
            self.call(anvil, "92ad3a73", &(word(from) + &word(64) + &list)).await?;
        }
        Ok(())
    }

    /// Gives a token another URI, and says so by ERC-4906 where `tell`.
    pub async fn set_uri(&self, anvil: &Anvil, token: u64, uri: &str, tell: bool) -> Result<()> {
        self.call(anvil, "5b7626e4", &(word(token) + &word(64) + &bytes(uri))).await?;
        if tell {
            self.call(anvil, "41533451", &word(token)).await?;
        }
        Ok(())
    }

    /// Mints so many of a token of an ERC-1155, whose URIs are made by `template`.
    pub async fn mint_1155(
        &self,
        anvil: &Anvil,
        token: u64,
        amount: u64,
        template: &str,
    ) -> Result<()> {
        self.call(anvil, "24a6be0b", &(word(32) + &bytes(template))).await?;
        let arguments = word(0) + &word(7) + &word(token) + &word(amount);
        self.call(anvil, "2a0673a4", &arguments).await
    }

    async fn call(&self, anvil: &Anvil, selector: &str, arguments: &str) -> Result<()> {
        let data = format!("0x{selector}{arguments}");
        send(anvil, json!({"to": self.address, "data": data})).await.map(drop)
    }
}

async fn send(anvil: &Anvil, mut transaction: Value) -> Result<Value> {
    transaction["from"] = accounts::CREATOR.address.into();
    transaction["gas"] = "0x1c9c380".into();
    let sent = anvil.send(transaction).await?;
    let receipt = anvil.mined(&sent).await?;
    (receipt["status"] == "0x1").then_some(()).context(format!("{receipt}"))?;
    Ok(receipt)
}

fn word(number: u64) -> String {
    format!("{number:064x}")
}

/// Length and bytes of a text, filled up to whole words.
fn bytes(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let whole = hex.len().div_ceil(64) * 64;
    word(text.len() as u64) + &format!("{hex:0<whole$}")
}
