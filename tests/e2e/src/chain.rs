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
    string(&call(anvil, collection, "c87b56dd", token).await?)
}

/// `contractURI()`.
pub async fn contract_uri(anvil: &Anvil, collection: &str) -> Result<String> {
    string(&call(anvil, collection, "e8a3d485", 0).await?)
}

/// The text in the answer of a function that gives one.
fn string(words: &str) -> Result<String> {
    let byte = |at: usize| words.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (128..words.len()).step_by(2).map(byte).collect();
    let text = String::from_utf8_lossy(&bytes.context("no text")?).into_owned();
    Ok(text.trim_end_matches('\0').to_owned())
}

/// `ownerOf(token)`, in lower case.
pub async fn owner(anvil: &Anvil, collection: &str, token: u64) -> Result<String> {
    let word = call(anvil, collection, "6352211e", token).await?;
    Ok(format!("0x{}", word.get(24..).unwrap_or_default()))
}

/// The creator, `owner()`, in lower case.
pub async fn creator(anvil: &Anvil, collection: &str) -> Result<String> {
    let word = call(anvil, collection, "8da5cb5b", 0).await?;
    Ok(format!("0x{}", word.get(24..).unwrap_or_default()))
}

/// `editable()`.
pub async fn editable(anvil: &Anvil, collection: &str) -> Result<bool> {
    Ok(call(anvil, collection, "8576384c", 0).await?.ends_with('1'))
}

/// `royaltyInfo(1, price)`: who gets how much, in lower case.
pub async fn royalty(anvil: &Anvil, collection: &str, price: u64) -> Result<(String, u64)> {
    let words = call(anvil, collection, &format!("2a55205a{:064x}", 1), price).await?;
    let amount = words.get(64..).and_then(|word| u64::from_str_radix(word, 16).ok());
    let receiver = format!("0x{}", words.get(24..64).unwrap_or_default());
    Ok((receiver, amount.context("royaltyInfo")?))
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

/// Destroys a token, by its owner, an account of the chain's own.
pub async fn burn(anvil: &Anvil, collection: &str, owner: &str, token: u64) -> Result<()> {
    let data = format!("0x42966c68{token:064x}");
    let sent = anvil.send(json!({"from": owner, "to": collection, "data": data})).await?;
    let receipt = anvil.mined(&sent).await?;
    (receipt["status"] == "0x1").then_some(()).context(format!("burn: {receipt}"))
}

/// How many transactions an account has sent that are in blocks.
pub async fn nonce(anvil: &Anvil, account: &str) -> Result<u64> {
    let count = anvil.rpc("eth_getTransactionCount", json!([account, "latest"])).await?;
    let count = count.as_str().and_then(|text| u64::from_str_radix(text.get(2..)?, 16).ok());
    count.context("nonce")
}

/// Whether there is code at an address.
pub async fn has_code(anvil: &Anvil, address: &str) -> Result<bool> {
    Ok(anvil.rpc("eth_getCode", json!([address, "latest"])).await? != "0x")
}

/// Transactions that wait for a block.
pub async fn waiting(anvil: &Anvil) -> Result<u64> {
    let pool = anvil.rpc("txpool_status", json!([])).await?;
    let count = pool["pending"].as_str();
    count.and_then(|text| u64::from_str_radix(text.get(2..)?, 16).ok()).context("txpool_status")
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
