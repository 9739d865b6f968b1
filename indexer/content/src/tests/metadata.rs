//! Metadata documents: reading and rewriting.

use proptest::prelude::*;

use crate::{
    Metadata, MetadataError, MetadataLimits, MetadataWarning, ReferenceClass, local_references,
    rewrite_references,
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
        "{} \n",
        r#"{"name":null,"properties":[],"attributes":[1e99]}"#,
        r#"{"name":{},"description":true,"properties":{"files":{"uri":1}},"media":"x.png"}"#,
        r#"{"image":[],"properties":{"image":"a word","files":["s",null]},"animation":"walk"}"#,
        r#"{"background_image":"n/a","banner_image":"Sky: blue","featured_image":null}"#,
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
        LongString, NotAnObject, NotJson, NotUtf8, NulByte, TooDeep, TooLarge, TooManyReferences,
        TooManyValues, TrailingData, WrongEncoding, WrongType,
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
        ("{}}", (1, 3)),
        ("[1,]{}", (1, 4)),
        ("{\"a\":\"\u{1}\"}", (1, 6)),
    ] {
        let Err(NotJson { line, column, reason }) = parse(text) else { panic!("{text}") };
        assert_eq!((line, column), at, "{text:?}: {reason}");
        assert!(!reason.contains("line"), "{reason}");
    }
    for (text, key) in [
        (r#"{"image":{}}"#, "image"),
        (r#"{"animation_url":1}"#, "animation_url"),
        (r#"{"properties":{"files":[{"uri":{}}]}}"#, "properties.files[0]"),
        (r#"{"image":["x",[]]}"#, "image[1]"),
    ] {
        assert_eq!(parse(text), Err(WrongType { key: key.into() }));
    }
    let nested = |depth| format!("{{\"a\":{}\"]\"{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(63)).is_ok());
    assert_eq!(parse(nested(64)), Err(TooDeep { limit: 64 }));
    assert_eq!(parse("[".repeat(100_000)), Err(TooDeep { limit: 64 }));
    for (bytes, encoding) in [
        (&b"\xff\xfe{\0}\0"[..], "UTF-16LE"),
        (b"\xfe\xff\0{\0}", "UTF-16BE"),
        (b"\xff\xfe\0\0{\0\0\0}\0\0\0", "UTF-32LE"),
        (b"\0\0\xfe\xff\0\0\0{\0\0\0}", "UTF-32BE"),
    ] {
        assert_eq!(parse(bytes), Err(WrongEncoding { encoding }));
    }
    assert_eq!(parse("{\0}\0"), Err(NulByte { offset: 1 }));
    assert_eq!(parse("{} x"), Err(TrailingData { offset: 3 }));
    assert_eq!(parse("{}["), Err(TrailingData { offset: 2 }));
    assert_eq!(parse("\u{feff}{}{}"), Err(TrailingData { offset: 5 }));
    let tight = MetadataLimits { string: 3, values: 4, ..Default::default() };
    let tight = |text: &str| Metadata::parse(text.as_bytes(), &tight);
    assert!(tight(r#"{"abc":["\n."]}"#).is_ok());
    assert_eq!(tight(r#"{"abcd":1}"#), Err(LongString { size: 4, limit: 3 }));
    assert_eq!(tight(r#"{"a":[1,2]}"#), Err(TooManyValues { limit: 4 }));
    let many =
        format!(r#"{{"properties":{{"files":[{}]}}}}"#, vec![r#"{"uri":"x"}"#; 65].join(","));
    assert_eq!(parse(many), Err(TooManyReferences { limit: 64 }));
}

const BOUNDLESS: MetadataLimits = MetadataLimits {
    bytes: usize::MAX,
    depth: usize::MAX,
    values: usize::MAX,
    string: usize::MAX,
    references: usize::MAX,
};

/// Linear: a quadratic step anywhere here would take minutes.
#[test]
fn size_and_depth_cost_no_more_than_reading() {
    let limits = MetadataLimits::default();
    assert!(Metadata::parse(&vec![b'['; 100 << 20], &limits).is_err());
    for depth in [100_000, 300_000] {
        let inner = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            format!("{{\"a\":{inner}}}"),
            format!("{{\"media\":{inner}}}"),
            format!("{{\"properties\":{{\"files\":{inner}}}}}"),
            format!("{}1{}", "{\"media\":".repeat(depth), "}".repeat(depth)),
        ] {
            assert_eq!(Metadata::parse(text.as_bytes(), &BOUNDLESS), Ok(Metadata::default()));
            assert!(Metadata::parse(text.as_bytes(), &limits).is_err());
        }
        // Not closed, closed too often.
        assert!(Metadata::parse("[".repeat(depth).as_bytes(), &BOUNDLESS).is_err());
        assert!(Metadata::parse("}".repeat(depth).as_bytes(), &BOUNDLESS).is_err());
    }
    let keys: Vec<_> = (0..1_000_000).map(|key| format!("\"{key}\":\"\\u0041\"")).collect();
    let text = format!("{{{}}}", keys.join(","));
    assert_eq!(Metadata::parse(text.as_bytes(), &BOUNDLESS), Ok(Metadata::default()));
    let text = format!("{{\"image\":[{}]}}", vec!["\"a.png\""; 1000].join(","));
    assert_eq!(Metadata::parse(text.as_bytes(), &BOUNDLESS).unwrap().links.len(), 1000);
    assert_eq!(parse(&text), Err(MetadataError::TooManyReferences { limit: 64 }));
    let twice = vec![r#""properties":{"image":"a.png"},"x":1"#; 100_000].join(",");
    let found = Metadata::parse(format!("{{{twice}}}").as_bytes(), &BOUNDLESS).unwrap();
    assert_eq!(found.links.len(), 1);
    assert_eq!(found.warnings.len(), 33);
    assert_eq!(found.warnings[32], MetadataWarning::More { count: 199_966 });
}

#[test]
fn every_place_for_a_link() {
    let text = r#"{"image":["a.png","b.png"],"animation":"ipfs://x","banner_image":"data:image/gif,",
        "banner_image_url":"https://x.example/1","featured_image":"c.png","background_image":"/ipfs/x",
        "media":{"uri":"ar://x","mimeType":"Video/MP4"},"imag\u0065_url":"d.png",
        "properties":{"image":"e.png","files":["f.png",
            {"uri":"g.png","url":"https://x.example/g","cdn_uri":"https://c.example/g","type":"image/png"},
            {"type":"no type","uri":"h.png"},{"uri":["i.png",""," "]}]}}"#;
    let found = parse(text).unwrap();
    let found: Vec<_> = found
        .links
        .iter()
        .map(|l| (l.role.as_str(), l.pointer.as_str(), l.media_type.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        found,
        [
            ("image[0]", "/image/0", ""),
            ("image[1]", "/image/1", ""),
            ("animation", "/animation", ""),
            ("banner_image", "/banner_image", "image/gif"),
            ("banner_image_url", "/banner_image_url", ""),
            ("featured_image", "/featured_image", ""),
            ("background_image", "/background_image", ""),
            ("media.uri", "/media/uri", "video/mp4"),
            ("image_url", "/image_url", ""),
            ("properties.image", "/properties/image", ""),
            ("properties.files[0]", "/properties/files/0", ""),
            ("properties.files[1]", "/properties/files/1/uri", "image/png"),
            ("properties.files[1].url", "/properties/files/1/url", "image/png"),
            ("properties.files[1].cdn_uri", "/properties/files/1/cdn_uri", "image/png"),
            ("properties.files[2]", "/properties/files/2/uri", ""),
            ("properties.files[3][0]", "/properties/files/3/uri/0", ""),
        ]
    );
    let array = r#"{"media":[{"uri":"a.png"},[{"uri":"b.png"}]]}"#;
    assert_eq!(links(array), [("media[0].uri".to_owned(), ReferenceClass::Relative)]);
}

#[test]
fn the_standards_examples() {
    // EIP-1155, "Metadata": the JSON of a token.
    let text = r#"{"name":"Asset Name","description":"Lorem ipsum...",
        "image":"https:\/\/s3.amazonaws.com\/your-bucket\/images\/{id}.png",
        "properties":{"simple_property":"example value","rich_property":{"name":"Name",
        "value":"123","display_value":"123 Example Value","class":"emphasis","css":{"color":"x"}},
        "array_property":{"name":"Name","value":[1,2,3,4],"class":"emphasis"}}}"#;
    let mut id = [0; 32];
    id[31] = 0xab;
    let hex = format!("{}ab", "0".repeat(62));
    let token = parse(text).unwrap().for_token(&id, 1000);
    let image = format!("https://s3.amazonaws.com/your-bucket/images/{hex}.png");
    assert_eq!(token.links[0].reference.text, image);
    assert_eq!((token.links.len(), token.warnings.len()), (1, 0));
    // EIP-721's schema, which some tokens took for the document.
    let text = r#"{"title":"Asset Metadata","type":"object","properties":{
        "name":{"type":"string","description":"Identifies the asset"},
        "image":{"type":"string","description":"A URI pointing to a resource"}}}"#;
    let found = parse(text).unwrap();
    assert!(found.links.is_empty());
    assert!(
        matches!(&found.warnings[..], [MetadataWarning::NoLink { role, .. }] if role == "properties.image")
    );
    // ERC-7572, "Specification".
    let text = r#"{"name":"Example Contract","symbol":"EC","image":"ipfs://QmTNgv3jx2HHfBjQX9RnKtxj2xv2xQCtbDXoRi5rJ3a46e/contract-image.png",
        "banner_image":"ipfs://x/banner.png","featured_image":"ipfs://x/f.png","external_link":"https://project-website.com",
        "collaborators":["0x388C818CA8B9251b393131C08a736A67ccB19297"]}"#;
    assert_eq!(links(text).len(), 3);
    // In every string; where it would grow too long, nowhere.
    let text = format!(
        r#"{{"name":"{{id}}","description":"{{id}} {{id}}","image":"{{id}}.png","image_data":"<svg id='{{id}}'>{}"}}"#,
        "x".repeat(99)
    );
    let token = parse(text).unwrap().for_token(&id, 70);
    assert_eq!(token.name.as_deref(), Some(hex.as_str()));
    assert_eq!(token.description.as_deref(), Some("{id} {id}"));
    assert_eq!(token.links[0].reference.text, format!("{hex}.png"));
    assert_eq!(token.links[1].reference.class, ReferenceClass::Unknown);
}

#[test]
fn what_is_odd_is_said() {
    use MetadataWarning::{
        ByteOrderMark, ControlCharacter, DuplicateKey, LoneSurrogate, NoLink, NumberChanges,
    };
    let warnings = |text: &str| parse(text).unwrap().warnings;
    let number = |number: &str, offset| NumberChanges { number: number.into(), offset };
    for (text, expected) in [
        ("\u{feff}{}", vec![ByteOrderMark]),
        (r#"{"a":{"b":1,"\u0062":2}}"#, vec![DuplicateKey { key: "b".into(), offset: 12 }]),
        (r#"{"a":{"b":1},"c":{"b":2}}"#, vec![]),
        (r#"["b","b"]"#, vec![]),
        (r#"{"a":"x\u0000"}"#, vec![ControlCharacter { code: 0, offset: 5 }]),
        (r#"{"a\b":"\t\r\n\\b"}"#, vec![ControlCharacter { code: 8, offset: 1 }]),
        ("{\"a\":\"\u{85}\"}", vec![ControlCharacter { code: 0x85, offset: 5 }]),
        (r#"{"a":"\ud83d\ude00"}"#, vec![]),
        (r#"{"a":"\ude00\ud83d"}"#, vec![LoneSurrogate { offset: 5 }]),
        (r#"{"a":"\ud83d\u0041"}"#, vec![LoneSurrogate { offset: 5 }]),
        (r#"{"a":"\\ud83d"}"#, vec![]),
        ("{\"a\":1e309}", vec![number("1e309", 5)]),
        ("{\"a\":[-1e-400]}", vec![number("-1e-400", 6)]),
        ("{\"a\":9007199254740993}", vec![number("9007199254740993", 5)]),
        ("{\"a\":[9007199254740992,1.0000000000000000001,0e999,-0,0.1,1e308]}", vec![]),
        (
            "\u{feff}{\"media\":{\"uri\":1}}",
            vec![ByteOrderMark, NoLink { role: "media.uri".into(), offset: 19 }],
        ),
    ] {
        if text.starts_with('[') {
            assert_eq!(parse(text), Err(MetadataError::NotAnObject));
        } else {
            assert_eq!(warnings(text), expected, "{text}");
        }
    }
    let json = serde_json::to_value(warnings("{\"a\":1,\"a\":2}")).unwrap();
    assert_eq!(json, serde_json::json!([{"warning":"duplicate-key","key":"a","offset":7}]));
}

#[test]
fn half_a_character_is_no_place() {
    let text = r#"{"name":"a\ud800b","image":"ipfs://x/\ud800.png","image_url":"1\udc00.png"}"#;
    let found = parse(text).unwrap();
    assert_eq!(found.name.as_deref(), Some("a\u{fffd}b"));
    let image = &found.links[0].reference;
    assert_eq!(
        (image.class, image.text.as_str()),
        (ReferenceClass::Unknown, "ipfs://x/\u{fffd}.png")
    );
    assert_eq!(rewrite(text), text);
}

#[test]
fn only_the_last_of_a_key_counts() {
    let text = r#"{"properties":{"files":["a.png","b.png"],"image":"c.png"},
        "properties":{"files":["d.png"],"files":["e.png"]},"image":["f.png"],"image":"g.png"}"#;
    let found = parse(text).unwrap();
    let texts: Vec<_> = found.links.iter().map(|link| link.reference.text.as_str()).collect();
    assert_eq!(texts, ["e.png", "g.png"]);
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
    let key =
        "name|image|image_url|animation_url|image_data|properties|files|uri|type|media|\\PC{0,5}";
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

    /// JSON is what serde_json takes for JSON, whatever the tokens of other texts are.
    #[test]
    fn json_is_json(text in r#"([{}\[\],:" \\]|"[a-z]{0,2}"|\\u[0-9a-f]{3}|true|[0-9.e-]|image){0,12}"#) {
        let expected: Result<&serde_json::value::RawValue, _> = serde_json::from_str(&text);
        match parse(&text) {
            Ok(_) => prop_assert_eq!(&expected.unwrap().get()[..1], "{"),
            Err(MetadataError::NotAnObject) => prop_assert_ne!(&expected.unwrap().get()[..1], "{"),
            Err(MetadataError::NotJson { .. } | MetadataError::TrailingData { .. }) => prop_assert!(expected.is_err()),
            Err(MetadataError::WrongType { .. }) => prop_assert!(expected.is_ok()),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    /// What is said of a link is what stands at its pointer.
    #[test]
    fn pointers_point(value in json()) {
        let Ok(found) = parse(value.to_string()) else { return Ok(()) };
        let twice = |warning: &MetadataWarning| matches!(warning, MetadataWarning::DuplicateKey { .. });
        prop_assert!(!found.warnings.iter().any(twice));
        let mut roles = std::collections::HashSet::new();
        for link in &found.links {
            let text = value.pointer(&link.pointer).unwrap().as_str().unwrap();
            prop_assert!(text.contains(&link.reference.text));
            prop_assert!(roles.insert(&link.role));
        }
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
