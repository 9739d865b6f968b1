//! Metadata documents: reading and rewriting.

use proptest::prelude::*;

use crate::{
    Metadata, MetadataError, MetadataLimits, ReferenceClass, local_references, rewrite_references,
};

fn parse(bytes: impl AsRef<[u8]>) -> Result<Metadata, MetadataError> {
    Metadata::parse(bytes.as_ref(), &MetadataLimits::default())
}

/// Role and class of each link.
fn links(text: &str) -> Vec<(String, ReferenceClass)> {
    let links = parse(text).unwrap().links.into_iter();
    links.map(|link| (link.role, link.reference.class)).collect()
}

fn rewrite(text: &str) -> String {
    let new = |name: &str| name.ends_with(".png").then(|| format!("ipfs://new/{name}"));
    String::from_utf8(rewrite_references(text.as_bytes(), &new).unwrap()).unwrap()
}

#[test]
fn a_document_with_every_kind_of_link() {
    use ReferenceClass::{Http, Ipfs, OnChain, Relative};
    let text = r#"{"name":"A \"b\"","description":7,"image":"1.png","image_url":" ","animation_url":null,
        "image_data":"<svg/>","external_url":"https://x.example",
        "properties":{"files":[{"uri":"ipfs://x","type":"a"},{},"s",{"uri":"https://x.example"}]}}"#;
    let metadata = parse(text).unwrap();
    assert_eq!(metadata.name.as_deref(), Some("A \"b\""));
    assert_eq!(metadata.description.as_deref(), Some("7"));
    let files = |index| format!("properties.files[{index}]");
    let expected = [
        ("image".to_owned(), Relative),
        ("image_data".to_owned(), OnChain),
        (files(0), Ipfs),
        (files(3), Http),
    ];
    assert_eq!(links(text), expected);
}

#[test]
fn what_is_tolerated() {
    for text in [
        "{}",
        "\u{feff}{} \n",
        r#"{"name":null,"properties":[],"attributes":[1e999]}"#,
        r#"{"name":{},"description":true,"properties":{"files":{"uri":1}}}"#,
    ] {
        assert_eq!(parse(text), Ok(Metadata::default()), "{text}");
    }
    assert_eq!(links(r#"{"image_data":"https://x.example/"}"#)[0].1, ReferenceClass::Http);
    let twice = parse(r#"{"image":"a.png","name":"1","image":"b.png","name":"2"}"#).unwrap();
    assert_eq!(twice.links.len(), 1);
    assert_eq!(
        (twice.links[0].reference.text.as_str(), twice.name.as_deref()),
        ("b.png", Some("2"))
    );
}

#[test]
fn every_error_has_its_name() {
    use MetadataError::{
        NotAnObject, NotJson, NotUtf8, TooDeep, TooLarge, TooManyReferences, WrongType,
    };
    assert_eq!(
        parse(vec![b' '; (1 << 20) + 1]),
        Err(TooLarge { size: (1 << 20) + 1, limit: 1 << 20 })
    );
    assert_eq!(parse(b"{\"name\":\"\xff\"}"), Err(NotUtf8 { offset: 9 }));
    for text in ["[]", "1", "\"x\"", "null"] {
        assert_eq!(parse(text), Err(NotAnObject), "{text}");
    }
    for (text, at) in [
        ("", (1, 0)),
        ("<html>", (1, 1)),
        ("{\n\"a\":}", (2, 5)),
        ("{} x", (1, 4)),
        ("{\"image\":\n \"\\ud800\"}", (2, 2)),
        ("{\"a\":\"\u{1}\"}", (1, 6)),
    ] {
        let Err(NotJson { line, column, reason }) = parse(text) else { panic!("{text}") };
        assert_eq!((line, column), at, "{text:?}: {reason}");
        assert!(!reason.contains("line"), "{reason}");
    }
    for (text, key) in [
        (r#"{"image":{}}"#, "image"),
        (r#"{"animation_url":1}"#, "animation_url"),
        (r#"{"properties":{"files":[{"uri":[]}]}}"#, "properties.files[0]"),
    ] {
        assert_eq!(parse(text), Err(WrongType { key: key.into() }));
    }
    let nested = |depth| format!("{{\"a\":{}\"]\"{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(63)).is_ok());
    assert_eq!(parse(nested(64)), Err(TooDeep { limit: 64 }));
    assert_eq!(parse("[".repeat(100_000)), Err(TooDeep { limit: 64 }));
    let boundless = MetadataLimits { depth: usize::MAX, bytes: usize::MAX, ..Default::default() };
    assert_eq!(
        Metadata::parse(nested(200_000).as_bytes(), &boundless),
        Err(TooDeep { limit: 127 })
    );
    let many =
        format!(r#"{{"properties":{{"files":[{}]}}}}"#, vec![r#"{"uri":"x"}"#; 65].join(","));
    assert_eq!(parse(many), Err(TooManyReferences { limit: 64 }));
}

#[test]
fn local_references_are_found_and_rewritten_in_place() {
    let text = "\u{feff}{ \"n\": 1.0000000000000000000000001e400,\r\n\t\"image\" : \"a\\u002epng\", \
                \"image_data\":\"b.png\", \"animation_url\": \"https://x.example/c.png\",\
                \"properties\": {\"files\":[{\"uri\":\"d.png\",\"x\":[]},{\"uri\":\"e.gif\"}]}, \"é\":0 }\n";
    let found = local_references(text.as_bytes()).unwrap();
    let pairs = [
        ("/image", "a.png"),
        ("/properties/files/0/uri", "d.png"),
        ("/properties/files/1/uri", "e.gif"),
    ];
    assert_eq!(found, pairs.map(|(pointer, value)| (pointer.to_owned(), value.to_owned())));
    let expected = text
        .replace("\"a\\u002epng\"", "\"ipfs://new/a.png\"")
        .replace("\"d.png\"", "\"ipfs://new/d.png\"");
    assert_eq!(rewrite(text), expected);
    assert_eq!(rewrite(&expected), expected);
}

#[test]
fn a_replacement_is_escaped() {
    let new = |_: &str| Some("a\"\\\n".to_owned());
    let written = rewrite_references(br#"{"image":"x","image":"y"}"#, &new).unwrap();
    assert_eq!(written, br#"{"image":"a\"\\\n","image":"a\"\\\n"}"#);
    assert!(rewrite_references(b"[]", &new).is_err());
}

/// Any JSON value of a few levels.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,12}|data:,x|https://x.example/\\PC{0,8}".prop_map(serde_json::Value::from),
    ];
    let key = "name|image|image_url|animation_url|image_data|properties|files|uri|\\PC{0,5}";
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_rewrite_changes_local_references_only(value in json(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let Ok(local) = local_references(text.as_bytes()) else { return Ok(()) };
        let none = rewrite_references(text.as_bytes(), &|_| None).unwrap();
        prop_assert_eq!(none, text.as_bytes());
        let written = rewrite_references(text.as_bytes(), &|old| Some(format!("data:,{old}"))).unwrap();
        let mut expected = value;
        for (pointer, old) in &local {
            *expected.pointer_mut(pointer).unwrap() = format!("data:,{old}").into();
        }
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).unwrap(), expected);
        prop_assert!(local_references(&written).unwrap().is_empty());
    }
}
