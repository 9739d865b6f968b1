//! Why nodes say no, in words, with what to do about it.

use everhold_net::shown;
use serde_json::Value;

/// What a rejected message's code means (pyaleph, `ErrorCode`).
fn meaning(code: i64) -> Option<&'static str> {
    Some(match code {
        -1 => "the node failed within, and does not try again",
        0 => "the message is malformed",
        1 => "the signature is wrong",
        2 => {
            "the signer may not act for this address: its `security` aggregate must authorise the \
             signer (`everhold delegate`)"
        }
        3 | 4 => "the file is nowhere to be found: upload it to some node",
        5 => {
            "the account holds too few ALEPH tokens: give it more, or set [aleph] payment = \"credit\""
        }
        6 => "the account has too few credits: give it more",
        100 => "the POST that is amended is none",
        101 => "the POST that is amended is not named",
        102 => "the POST that is amended is unknown",
        103 => "an amendment can't be amended",
        200 => "the STORE that it names as `ref` is unknown",
        201 => "an update of an update is not taken",
        202 => {
            "this payment method is not accepted: since 2027 it must be credits \
             ([aleph] payment = \"credit\")"
        }
        500 => "it names no message to be forgotten",
        501 => "the message to be forgotten is unknown",
        502 => "a FORGET can't be forgotten",
        503 => "the signer may not forget a message of this address",
        504 => "the message to be forgotten is still in use",
        _ => return None,
    })
}

/// A rejected message's reason in words, of a node's answer with `error_code` and `details`.
pub fn rejection(value: &Value) -> String {
    let code = value.get("error_code").and_then(Value::as_i64);
    let meaning = code.and_then(meaning).unwrap_or("no reason we know");
    let details = value.get("details").filter(|details| !details.is_null());
    let details = details.map(|details| format!(": {}", shown(details.to_string().as_bytes())));
    let code = code.map_or("none".to_owned(), |code| code.to_string());
    format!("{meaning} (code {code}){}", details.unwrap_or_default())
}

/// What a status means where an upload or a message is refused; nothing where it says nothing more.
pub(super) fn advice(status: u16) -> &'static str {
    match status {
        402 => " (the account that pays has too few credits or tokens: give it more)",
        403 => " (the node takes the signature, or the signer, for wrong)",
        413 => " (the file is larger than the node takes)",
        422 => " (the node takes the message or the file for another than it is named)",
        429 => " (the node wants to be left alone for a while)",
        500 | 502..=599 => " (the node is not well)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_of_the_network_has_words_and_others_are_quoted() {
        let codes = [-1, 0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 200, 201, 202];
        for code in codes.into_iter().chain(500..=504) {
            let words = rejection(&json!({"error_code": code, "details": {"errors": ["x"]}}));
            assert!(
                words.contains(&format!("(code {code})")) && words.contains("errors"),
                "{words}"
            );
            assert!(!words.contains("no reason we know"), "{words}");
        }
        assert_eq!(rejection(&json!({"error_code": 77})), "no reason we know (code 77)");
        assert_eq!(rejection(&json!({})), "no reason we know (code none)");
    }
}
