//! Classes of references.

use proptest::prelude::*;

use crate::{ContentId, Reference, ReferenceClass};
use ReferenceClass::{Aleph, Arweave, Gateway, Http, Ipfs, OnChain, Relative, Unknown};

const V0: &str = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4";
const V1: &str = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
const RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const CBOR: &str = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/// Replaces the short names in a pattern.
fn full(pattern: &str) -> String {
    let pairs = [("{V0}", V0), ("{V1}", V1), ("{RAW}", RAW), ("{HEX}", HEX), ("{CBOR}", CBOR)];
    pairs.iter().fold(pattern.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn check(pattern: &str, class: ReferenceClass, content: Option<&str>, path: Option<&str>) {
    let reference = Reference::parse(&full(pattern));
    let content = content.map(|text| text.parse::<ContentId>().unwrap());
    let expected = (class, content, path);
    assert_eq!(
        (reference.class, reference.content, reference.path.as_deref()),
        expected,
        "{pattern}"
    );
    let verifiable = class == OnChain || (content.is_some() && path.is_none());
    assert_eq!(reference.verifiable(), verifiable, "{pattern}");
}

#[test]
fn ipfs() {
    for pattern in [
        "ipfs://{V0}",
        "ipfs://ipfs/{V1}",
        "/ipfs/{V0}",
        "{V1}",
        " {V0}\n",
        "ipfs/{V0}",
        "IPFS://{V1}",
        "ipfs://{V0}/",
        "ipfs://{V0}?x=/y#z",
        "ipfs:/ipfs/{V0}",
    ] {
        check(pattern, Ipfs, Some(V0), None);
    }
    check("ipfs://{RAW}", Ipfs, Some(HEX), None);
    check("ipfs://{V0}/1.json", Ipfs, Some(V0), Some("1.json"));
    check("{V0}/a//b%20c/", Ipfs, Some(V0), Some("a/b c"));
    for pattern in ["ipfs://", "ipfs://{CBOR}", "ipfs://{HEX}", "ipfs://x", "/ipfs/x/y"] {
        check(pattern, Ipfs, None, None);
    }
}

#[test]
fn paths_that_lie_prove_nothing() {
    for path in ["..", "../x", "a/../b", "%2e%2e/x", "a%2fb", "a%00", "./a", "%ff", "a%0ab"] {
        check(&format!("ipfs://{{V0}}/{path}"), Ipfs, None, None);
    }
    check("https://gw.example/ipfs/{V0}/a%2fb", Gateway, None, None);
    // URLs resolve their dots before anyone sees them, as the host would.
    check("https://gw.example/ipfs/{V0}/../x", Http, None, None);
}

#[test]
fn gateways() {
    for pattern in [
        "https://ipfs.io/ipfs/{V0}",
        "http://127.0.0.1:8080/ipfs/{V1}?filename=a.png",
        "https://{V1}.ipfs.dweb.link/",
        "https://{V1}.ipfs.localhost:8080",
        "https://cdn.example/proxy/ipfs/{V0}#x",
    ] {
        check(pattern, Gateway, Some(V0), None);
    }
    check("https://{RAW}.ipfs.w3s.link", Gateway, Some(HEX), None);
    check("https://{V1}.ipfs.w3s.link/a/1.png?w=9", Gateway, Some(V0), Some("a/1.png"));
    check("https://ipfs.io/ipfs/{V0}/my%20art.png", Gateway, Some(V0), Some("my art.png"));
    check("https://ipfs.io/ipfs/{CBOR}/x", Gateway, None, None);
    for pattern in [
        "https://ipfs.io/ipfs/",
        "https://ipfs.io/ipfs/x",
        "https://ipfs.io/?/ipfs/{V0}",
        "https://{V1}.ipfs.",
        "https://x.ipfs.dweb.link/",
        "https://ipfs.io/ipns/{V0}",
    ] {
        let class = Reference::parse(&full(pattern)).class;
        assert!(class != Gateway || pattern.ends_with("ipfs."), "{pattern}");
    }
}

#[test]
fn aleph() {
    check("http://46.255.204.193:4024/api/v0/storage/raw/{HEX}", Aleph, Some(HEX), None);
    check("https://api3.aleph.im/api/v0/storage/raw/{V0}?find", Aleph, Some(V0), None);
    check("https://api2.aleph.im/api/v0/storage/raw/{V1}/1.png", Aleph, Some(V0), Some("1.png"));
    check("{HEX}", Aleph, Some(HEX), None);
    check("https://api2.aleph.im/api/v0/storage/metadata/{HEX}", Http, None, None);
    check("https://api2.aleph.im/api/v0/storage/raw/", Http, None, None);
}

#[test]
fn the_others() {
    check("data:image/svg+xml;utf8,<svg>\n</svg>", OnChain, None, None);
    check("DATA:,", OnChain, None, None);
    for pattern in ["ar://abc/1", "https://arweave.net/abc", "https://x.arweave.net/"] {
        check(pattern, Arweave, None, None);
    }
    for pattern in ["https://example.com/1.png", "HTTP://example.com", "https://notarweave.net/"] {
        check(pattern, Http, None, None);
    }
    for pattern in ["1.png", "images/my art #1.png", "../1.png", "{HEX}.png", "a/{V0}"] {
        check(pattern, Relative, None, None);
    }
    for pattern in [
        "",
        "  ",
        "http://",
        "http://[",
        "ftp://x/y",
        "file:///etc/passwd",
        "C:\\1.png",
        "/etc/passwd",
        "//host/x",
        "ipns://x",
        "/ipns/x",
        "a\u{0}b",
        "javascript:1",
    ] {
        check(pattern, Unknown, None, None);
    }
}

#[test]
fn long_texts_are_cut_but_for_data() {
    let long = "é".repeat(1 << 20);
    assert!(Reference::parse(&long).text.len() <= crate::MAX_REFERENCE_BYTES);
    assert_eq!(Reference::parse(&format!("ipfs://{V0}/{long}")).class, Unknown);
    assert_eq!(Reference::parse(&format!("data:,{long}")).text.len(), 6 + long.len());
}

#[test]
fn classes_as_text() {
    for class in ReferenceClass::ALL {
        assert_eq!(class.to_string().parse(), Ok(class));
        assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
    }
}

proptest! {
    #[test]
    fn any_text_has_a_class(
        head in "(ipfs://|/ipfs/|https://[a-z.]{1,8}/ipfs/|http://|data:|ar://|[a-z]*:)?",
        body in "(Qm[a-zA-Z0-9]{44}|\\PC{0,40}|.{0,40})",
        tail in "[/?#%.a-f0-9\u{0}]{0,12}",
    ) {
        let text = format!("{head}{body}{tail}");
        let reference = Reference::parse(&text);
        prop_assert!(text.contains(&reference.text));
        prop_assert_eq!(&Reference::parse(&reference.text), &reference);
        if let Some(path) = &reference.path {
            let odd = |part: &str| part.is_empty() || part == "." || part == "..";
            prop_assert!(!path.split('/').any(odd));
            prop_assert!(reference.content.is_some() && !reference.verifiable());
        }
    }
}
