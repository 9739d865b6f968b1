//! The chain, asked without the product.

use everhold_harness::{Anvil, Context, Result};
use serde_json::{Value, json};

/// `Transfer(address,address,uint256)`.
const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

/// Calls a function with one number.
async fn call(anvil: &Anvil, to: &str, selector: &str, number: u64) -> Result<String> {
    let data = format!("0x{selector}{number:064x}");
    let answer = anvil.rpc("eth_call", json!([{"to": to, "data": data}, "latest"])).await?;
    let text = answer.as_str().and_then(|text| text.strip_prefix("0x")).map(str::to_owned);
    text.context(format!("eth_call answered {answer}"))
}

/// `contentDigest(token)`, as 64 hex digits.
pub async fn digest(anvil: &Anvil, collection: &str, token: u64) -> Result<String> {
    call(anvil, collection, "e9961cd2", token).await
}

/// `tokenURI(token)`.
pub async fn token_uri(anvil: &Anvil, collection: &str, token: u64) -> Result<String> {
    let words = call(anvil, collection, "c87b56dd", token).await?;
    let byte = |at: usize| words.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (128..words.len()).step_by(2).map(byte).collect();
    let text = String::from_utf8_lossy(&bytes.context("tokenURI")?).into_owned();
    Ok(text.trim_end_matches('\0').to_owned())
}

/// `ownerOf(token)`, in lower case.
pub async fn owner(anvil: &Anvil, collection: &str, token: u64) -> Result<String> {
    let word = call(anvil, collection, "6352211e", token).await?;
    Ok(format!("0x{}", word.get(24..).unwrap_or_default()))
}

/// `nextTokenId()`.
pub async fn next_token_id(anvil: &Anvil, collection: &str) -> Result<u64> {
    let word = call(anvil, collection, "75794a3c", 0).await?;
    u64::from_str_radix(&word, 16).context("nextTokenId")
}

/// How often each token was minted, by the chain's own logs.
pub async fn mints(anvil: &Anvil, collection: &str) -> Result<Vec<u64>> {
    let nobody = format!("0x{:064x}", 0);
    let filter = json!([{"address": collection, "fromBlock": "0x0", "toBlock": "latest",
        "topics": [TRANSFER, nobody]}]);
    let logs = anvil.rpc("eth_getLogs", filter).await?;
    let id = |log: &Value| u64::from_str_radix(log["topics"][3].as_str()?.get(2..)?, 16).ok();
    let ids: Option<Vec<_>> = logs.as_array().context("logs")?.iter().map(id).collect();
    ids.context(format!("unknown shape: {logs}"))
}

/// Sends a token from its owner, an account of the chain's own, to another.
pub async fn transfer(
    anvil: &Anvil,
    collection: &str,
    from: &str,
    to: &str,
    token: u64,
) -> Result<()> {
    let word = |address: &str| format!("{:0>64}", address.trim_start_matches("0x"));
    let data = format!("0x23b872dd{}{}{token:064x}", word(from), word(to));
    anvil.send(json!({"from": from, "to": collection, "data": data})).await.map(drop)
}

/// The sender of a transaction, in lower case.
pub async fn sender(anvil: &Anvil, transaction: &str) -> Result<String> {
    let receipt = anvil.receipt(transaction).await?;
    let from = receipt["from"].as_str().map(str::to_lowercase);
    from.context(format!("no receipt of {transaction}"))
}

/// Puts a contract with this runtime code on the chain; gives its address.
pub async fn contract(anvil: &Anvil, runtime: &str) -> Result<String> {
    let address = "0x00000000000000000000000000000000000c0dE5";
    anvil.rpc("anvil_setCode", json!([address, runtime])).await?;
    Ok(address.to_owned())
}
