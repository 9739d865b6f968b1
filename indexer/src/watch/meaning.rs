//! What a contract's answer to the question for a URI means: a content, a document, a path, or nothing that could
//! be proved. Pure: answers are hostile, and each has its meaning.

use crate::{
    chain::{MAX_URI, Text, UriAnswer, UriCall, text_of},
    config::Standard,
    content::{
        Codec, Data, Digest, Link, Metadata, MetadataLimits, Proof, Reference, ReferenceClass,
        id_of, shown, substitute_id,
    },
    ledger::{Meaning, Target},
};

/// Bytes of a URI that are kept: no URI that leads anywhere is longer. What stands in the URI itself
/// is read, and not kept.
const KEPT: usize = 8 << 10;
/// Bytes of a `data:` URI that are kept, to be shown.
const KEPT_INLINE: usize = 1 << 10;

/// What an answer means.
pub(super) fn meaning(call: &UriCall, answer: &UriAnswer) -> Meaning {
    let own = call.token.is_none();
    let bytes = match answer {
        UriAnswer::Answered(bytes) => bytes,
        // Most contracts have no contractURI, and need none.
        UriAnswer::Refused(_) if own => return none(None),
        UriAnswer::Refused(why) => {
            return nothing(format!("the contract does not give its {}: {why}", function(call)));
        }
        UriAnswer::Gone => {
            return nothing("the contract has no code any more: it destroyed itself".to_owned());
        }
    };
    let answer = Some(Digest::of(bytes));
    let text = match text_of(bytes) {
        Text::Utf8(text) if own && text.trim().is_empty() => return none(answer),
        Text::NoText { size: 0 } if own => return none(answer),
        Text::Utf8(text) => text,
        other => return Meaning { answer, ..nothing(no_text(function(call), &other)) },
    };
    let (class, target) = target(call, &text);
    let inline = class == Some(ReferenceClass::OnChain);
    let kept = beginning(&text, if inline { KEPT_INLINE } else { KEPT });
    Meaning { answer, uri: Some(kept), class, target }
}

fn nothing(why: String) -> Meaning {
    Meaning { answer: None, uri: None, class: None, target: Target::Unverifiable(why) }
}

/// The collection has no metadata of its own.
fn none(answer: Option<Digest>) -> Meaning {
    Meaning { answer, uri: None, class: None, target: Target::None }
}

/// The function that was called.
fn function(call: &UriCall) -> &'static str {
    match (call.token, call.standard) {
        (None, _) => "contractURI",
        (Some(_), Standard::Erc1155) => "uri",
        (Some(_), _) => "tokenURI",
    }
}

fn no_text(function: &str, text: &Text) -> String {
    let of = format!("its {function}");
    match text {
        Text::Utf8(_) => format!("{of} is a text"),
        Text::NotUtf8 { size, offset } => {
            format!("{of} is {size} bytes that are not UTF-8 (byte {offset})")
        }
        Text::TooLong { size } => format!("{of} has {size} bytes; at most {MAX_URI} are read"),
        Text::NoText { size: 0 } => format!("{of}: the contract answered nothing"),
        Text::NoText { size } => {
            format!("{of}: the contract answered {size} bytes that are no text")
        }
    }
}

fn target(call: &UriCall, text: &str) -> (Option<ReferenceClass>, Target) {
    if text.trim().is_empty() {
        return (None, Target::Unverifiable("its URI is empty".to_owned()));
    }
    // What `{id}` stands for, where it stands for something.
    let id = call.token.filter(|_| call.standard == Standard::Erc1155).map(|id| id.to_be_bytes());
    let whole = match &id {
        // Only the metadata's place holds an id; in a document it would be the author's own text.
        Some(id) => substitute_id(text, id, MAX_URI),
        None => Some(text.into()),
    };
    let Some(whole) = whole else {
        return (None, Target::Unverifiable(format!("its URI has more than {MAX_URI} bytes")));
    };
    let reference = Reference::parse(&whole);
    (Some(reference.class), of_reference(id.as_ref(), &reference))
}

fn of_reference(id: Option<&[u8; 32]>, reference: &Reference) -> Target {
    if let Some(content) = reference.content() {
        return Target::Content(content);
    }
    let limits = MetadataLimits::default();
    // A CID that is its own content.
    let inlined = reference.cid.as_ref().and_then(|cid| cid.inlined()).filter(|_| {
        reference.path.is_none() && reference.cid.is_some_and(|cid| cid.codec_name() == "raw")
    });
    if let Some(bytes) = inlined {
        return document(id, bytes, &limits);
    }
    match reference.proof() {
        Proof::InDocument => match reference.data(limits.bytes) {
            Some(Ok(Data { bytes, .. })) => document(id, &bytes, &limits),
            Some(Err(error)) => Target::Unverifiable(format!("its URI can't be read: {error}")),
            None => Target::Unverifiable("there is no data in its URI".to_owned()),
        },
        Proof::PathByHash => Target::Path,
        _ => Target::Unverifiable(format!(
            "its URI is a reference of class {} and has no hash that is checked here: {}",
            reference.class,
            shown(&beginning(&reference.text, KEPT_INLINE))
        )),
    }
}

/// A document that stands in the URI.
fn document(id: Option<&[u8; 32]>, bytes: &[u8], limits: &MetadataLimits) -> Target {
    match (Metadata::parse(bytes, limits), id) {
        (Ok(metadata), Some(id)) => {
            // What it refers to may differ by token, so the token is part of its name.
            let metadata = links_of(metadata.for_token(id, limits.bytes));
            let named = [&id[..], bytes].concat();
            Target::Document { id: id_of(Codec::Raw, &named), metadata }
        }
        (Ok(metadata), None) => {
            Target::Document { id: id_of(Codec::Raw, bytes), metadata: links_of(metadata) }
        }
        (Err(error), _) => Target::Unverifiable(format!("its metadata can't be read: {error}")),
    }
}

/// What is needed of a document: its links, and of a picture that stands in it the beginning.
fn links_of(metadata: Metadata) -> Metadata {
    let shorter = |mut link: Link| {
        if link.reference.class == ReferenceClass::OnChain {
            link.reference.text = beginning(&link.reference.text, KEPT_INLINE);
        }
        link
    };
    let links = metadata.links.into_iter().map(shorter).collect();
    Metadata { links, ..Metadata::default() }
}

fn beginning(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, Bytes, U256};
    use alloy_sol_types::SolValue;

    use super::*;

    const CID: &str = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";

    fn call(standard: Standard, token: Option<u64>) -> UriCall {
        UriCall { contract: Address::ZERO, standard, token: token.map(U256::from) }
    }

    fn answered(text: &str) -> UriAnswer {
        UriAnswer::Answered(text.to_owned().abi_encode().into())
    }

    fn of(standard: Standard, text: &str) -> Meaning {
        meaning(&call(standard, Some(0xabc)), &answered(text))
    }

    fn why(meaning: Meaning) -> String {
        match meaning.target {
            Target::Unverifiable(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hash_is_a_content_and_a_path_a_path() {
        for text in [format!("ipfs://{CID}"), format!("https://ipfs.io/ipfs/{CID}"), CID.to_owned()]
        {
            let meaning = of(Standard::Erc721, &text);
            assert_eq!(meaning.target, Target::Content(CID.parse().unwrap()), "{text}");
            assert_eq!(meaning.uri, Some(text));
        }
        let path = of(Standard::Erc721, &format!("ipfs://{CID}/1.json"));
        assert_eq!((path.class, path.target), (Some(ReferenceClass::Ipfs), Target::Path));
        let hex = "12".repeat(32);
        assert!(matches!(of(Standard::Erc721, &hex).target, Target::Content(_)));
    }

    #[test]
    fn an_id_stands_in_uris_of_1155_only() {
        let text = "data:,{\"image\":\"ipfs://CID/{id}.png\"}".replace("CID", CID);
        let link = |standard| match of(standard, &text).target {
            Target::Document { metadata, .. } => metadata.links[0].reference.text.clone(),
            other => panic!("{other:?}"),
        };
        let id = format!("{:0>64}", "abc");
        assert_eq!(link(Standard::Erc1155), format!("ipfs://{CID}/{id}.png"));
        assert_eq!(link(Standard::Erc721), format!("ipfs://{CID}/{{id}}.png"));
        let raw = format!("ipfs://{CID}/{{id}}");
        assert_eq!(of(Standard::Erc1155, &raw).uri, Some(raw), "as the contract gives it");
    }

    #[test]
    fn whatever_else_is_answered_has_a_reason() {
        let long = format!("https://x/{}", "y".repeat(100_000));
        for (text, word) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("https://example.com/1", "class http"),
            ("ar://abc", "class arweave"),
            ("1.json", "class relative"),
            ("bzz://x", "class unknown"),
            ("data:application/json;base64,###", "can't be read"),
            ("data:,[1]", "metadata can't be read"),
            (&long, "class unknown"),
        ] {
            let meaning = of(Standard::Erc721, text);
            assert!(meaning.uri.as_ref().is_some_and(|uri| uri.len() <= KEPT + 3));
            let said = why(meaning);
            assert!(said.contains(word) && said.len() < 2000, "{text:.40}: {said}");
        }
        let answers = [
            (UriAnswer::Gone, "destroyed itself"),
            (UriAnswer::Refused("out of gas".to_owned()), "tokenURI: out of gas"),
            (UriAnswer::Answered(Bytes::new()), "answered nothing"),
            (UriAnswer::Answered(Bytes::from(vec![7; 33])), "33 bytes that are no text"),
            (UriAnswer::Answered(Bytes::from_static(b"\xff").abi_encode().into()), "not UTF-8"),
            (
                UriAnswer::Answered("x".repeat(MAX_URI + 1).abi_encode().into()),
                "at most 2097152 are read",
            ),
        ];
        for (answer, word) in answers {
            let said = why(meaning(&call(Standard::Erc721, Some(0)), &answer));
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_collection_need_not_have_metadata_of_its_own() {
        let own = |answer: &UriAnswer| meaning(&call(Standard::Erc1155, None), answer);
        let refused = UriAnswer::Refused("it reverted".to_owned());
        for answer in [refused, UriAnswer::Answered(Bytes::new()), answered(""), answered(" ")] {
            assert_eq!(own(&answer).target, Target::None, "{answer:?}");
        }
        assert!(why(own(&UriAnswer::Gone)).contains("destroyed itself"));
        let text = format!("ipfs://{CID}/{{id}}.json");
        let found = own(&answered(&text));
        assert_eq!((found.uri, found.target), (Some(text), Target::Path));
        let raw = UriAnswer::Answered(Bytes::from(vec![7; 33]));
        assert!(why(own(&raw)).starts_with("its contractURI: "));
    }

    #[test]
    fn large_pictures_in_documents_are_not_kept() {
        let picture = format!("data:image/svg+xml,{}", "x".repeat(500_000));
        let meaning = of(Standard::Erc721, &format!("data:,{{\"image\":\"{picture}\"}}"));
        let Target::Document { metadata, .. } = meaning.target else { panic!() };
        assert!(metadata.links[0].reference.text.len() < 2 * KEPT_INLINE);
        assert!(metadata.links[0].reference.verifiable());
    }

    #[test]
    fn large_data_is_read_and_not_kept() {
        let text = format!("data:application/json,{{\"name\":\"{}\"}}", "n".repeat(500_000));
        let meaning = of(Standard::Erc721, &text);
        assert!(matches!(meaning.target, Target::Document { .. }));
        assert!(meaning.uri.unwrap().len() < 2 * KEPT_INLINE);
    }
}
