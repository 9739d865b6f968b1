//! Classes of references.

use proptest::prelude::*;

use crate::{
    Cid, Fact, MAX_REFERENCE_BYTES, Proof, Reference, ReferenceClass, id_hex, shown, substitute_id,
};
use ReferenceClass::{Aleph, Arweave, Gateway, Http, Ipfs, Ipns, OnChain, Relative, Unknown};

const V0: &str = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4";
const V1: &str = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
const RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const CBOR: &str = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
/// A key, as `libp2p-key` in base36, and a folder in base36: docs.ipfs.tech, "subdomain gateway".
const KEY: &str = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";
const BASE36: &str = "k2jmtxu61bnhrtj301lw7zizknztocdbeqhxgv76l2q9t36fn9jbzipo";
/// An Arweave transaction and its sandbox: the id's bytes in base32.
const TX: &str = "bNbA3TEQVL60xlgCcqdz4ZPHFZ711cZ3hmkpGttDt_U";
const SANDBOX: &str = "ntlmbxjrcbkl5ngglabhfj3t4gj4ofm66xk4m54gneurvw2dw72q";

/// Replaces the short names in a pattern.
fn full(pattern: &str) -> String {
    let pairs = [
        ("{V0}", V0),
        ("{V1}", V1),
        ("{RAW}", RAW),
        ("{HEX}", HEX),
        ("{CBOR}", CBOR),
        ("{KEY}", KEY),
        ("{BASE36}", BASE36),
        ("{TX}", TX),
        ("{SANDBOX}", SANDBOX),
    ];
    pairs.iter().fold(pattern.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn check(pattern: &str, class: ReferenceClass, cid: Option<&str>, path: Option<&str>) {
    let reference = Reference::parse(&full(pattern));
    let cid: Option<Cid> = cid.map(|text| match text {
        HEX => RAW.parse().unwrap(),
        text => text.parse().unwrap(),
    });
    let found = (reference.class, reference.cid, reference.path.as_deref());
    assert_eq!(found, (class, cid, path), "{pattern}");
    let content = cid.and_then(|cid| cid.content_id()).filter(|_| path.is_none());
    assert_eq!(reference.content(), content, "{pattern}");
    assert_eq!(reference.verifiable(), class == OnChain || content.is_some(), "{pattern}");
    assert_eq!(reference.id, None, "{pattern}");
}

/// A reference with a name that is no hash.
fn check_id(pattern: &str, class: ReferenceClass, id: Option<&str>, path: Option<&str>) {
    let reference = Reference::parse(&full(pattern));
    let found = (reference.class, reference.id.as_deref(), reference.path.as_deref());
    assert_eq!(found, (class, id, path), "{pattern}");
    assert!(reference.cid.is_none() && !reference.verifiable(), "{pattern}");
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
    check("ipfs://{CBOR}", Ipfs, Some(CBOR), None);
    check("ipfs://{BASE36}/a", Ipfs, Some(BASE36), Some("a"));
    for pattern in ["ipfs://", "ipfs://{HEX}", "ipfs://x", "/ipfs/x/y", "ipfs://\u{202e}{V0}"] {
        check(pattern, Ipfs, None, None);
    }
}

#[test]
fn ipns() {
    for pattern in [
        "ipns://{KEY}",
        "IPNS://{KEY}/?x#y",
        "/ipns/{KEY}",
        "ipns://ipns/{KEY}",
        "ipfs://ipns/{KEY}",
        "https://{KEY}.ipns.dweb.link/",
        "https://ipfs.io/ipns/{KEY}",
    ] {
        check_id(pattern, Ipns, Some(KEY), None);
    }
    check_id("ipns://docs.ipfs.tech/a%20b", Ipns, Some("docs.ipfs.tech"), Some("a b"));
    check_id(
        "https://en-wikipedia--on--ipfs-org.ipns.dweb.link/wiki/",
        Ipns,
        Some("en.wikipedia-on-ipfs.org"),
        Some("wiki"),
    );
    // A key is no content, wherever it stands.
    let key = KEY.parse::<Cid>().unwrap().to_string();
    check_id("ipfs://{KEY}/1.png", Ipns, Some(&key), Some("1.png"));
    for pattern in ["ipns://", "ipns://..", "ipns://a\u{200b}b", "ipns://x/../y"] {
        check_id(pattern, Ipns, None, None);
    }
    check("https://x.example/ipns/", Http, None, None);
}

#[test]
fn arweave() {
    for pattern in [
        "ar://{TX}",
        "AR://{TX}?x",
        "https://arweave.net/{TX}",
        "https://arweave.net/raw/{TX}",
        "https://arweave.net/tx/{TX}/data",
        "https://{SANDBOX}.arweave.net/{TX}",
        "https://{SANDBOX}.arweave.net/",
        "https://permagate.io/{TX}",
        "https://{SANDBOX}.gateway.example/{TX}#x",
    ] {
        check_id(pattern, Arweave, Some(TX), None);
    }
    check_id("ar://{TX}/0.json", Arweave, Some(TX), Some("0.json"));
    check_id("https://{SANDBOX}.ar-io.net/a/b", Arweave, Some(TX), Some("a/b"));
    for pattern in ["ar://", "ar://abc/1", "ar://{TX}/../x", "https://arweave.net/abc"] {
        check_id(pattern, Arweave, None, None);
    }
    // 43 characters that are no id: the last one has bits that no 32 bytes have.
    let odd = format!("ar://{}V", &TX[..42]);
    check_id(&odd, Arweave, None, None);
    for pattern in [
        "https://gateway.example/{TX}",
        "https://notarweave.net/{TX}",
        "https://x.example/{SANDBOX}",
    ] {
        check(pattern, Http, None, None);
    }
}

#[test]
fn paths_that_lie_prove_nothing() {
    for path in ["..", "../x", "a/../b", "%2e%2e/x", "a%2fb", "a%00", "./a", "%ff", "a%0ab"] {
        check(&format!("ipfs://{{V0}}/{path}"), Ipfs, None, None);
    }
    check("https://gw.example/ipfs/{V0}/a%2fb", Gateway, None, None);
    check("ipns://x/..", Ipns, None, None);
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
        "https://dweb.link/ipfs/{V0}",
        "https://ipfs.io/ipfs/ipfs/{V0}",
        "https://ipfs.aleph.im/ipfs/{V0}",
        "https://ipfs.aleph.cloud/ipfs/{V0}",
    ] {
        check(pattern, Gateway, Some(V0), None);
    }
    check("https://{RAW}.ipfs.w3s.link", Gateway, Some(HEX), None);
    check("https://{V1}.ipfs.w3s.link/a/1.png?w=9", Gateway, Some(V0), Some("a/1.png"));
    check("https://ipfs.io/ipfs/{V0}/my%20art.png", Gateway, Some(V0), Some("my art.png"));
    check("https://ipfs.io/ipfs/{CBOR}/x", Gateway, Some(CBOR), Some("x"));
    check("https://{BASE36}.ipfs.dweb.link/x", Gateway, Some(BASE36), Some("x"));
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
    for text in [r#"{ "name": "x" }"#, "<svg/>", "<?xml version='1.0'?><svg/>", "<!DOCTYPE SVG>"] {
        check(text, OnChain, None, None);
    }
    for pattern in ["https://example.com/1.png", "HTTP://example.com", "https://notarweave.net/"] {
        check(pattern, Http, None, None);
    }
    for pattern in
        ["1.png", "images/my art #1.png", "../1.png", "{HEX}.png", "a/{V0}", "{id}.json", "#", "?x"]
    {
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
        "a\u{0}b",
        "javascript:1",
        "bzz://{HEX}",
        "web3://0x0/1",
        "ethereum:0x0",
        "magnet:?xt=urn:btih:x",
    ] {
        check(pattern, Unknown, None, None);
    }
}

#[test]
fn long_texts_are_cut_but_for_data() {
    let long = "é".repeat(1 << 20);
    assert!(Reference::parse(&long).text.len() <= MAX_REFERENCE_BYTES);
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

#[test]
fn relative_ones_resolve_below_a_name() {
    let folder = Reference::parse(&format!("https://ipfs.io/ipfs/{V0}/metadata/my 1.json?x"));
    for (text, path) in [
        ("2.json", "metadata/2.json"),
        ("images/1.png", "metadata/images/1.png"),
        ("../images/1.png", "images/1.png"),
        ("./a/./b/../c d.png?x=/y#z", "metadata/a/c d.png"),
        ("%C3%A9%25.png", "metadata/é%.png"),
        ("/a.png", "a.png"),
        ("../../../../etc/passwd", "etc/passwd"),
        ("", "metadata/my 1.json"),
        ("#part", "metadata/my 1.json"),
    ] {
        let found = Reference::resolve(&folder, text);
        let root = V1.parse().unwrap();
        // Nothing at all is no reference, not even to the document itself.
        let path = (!text.is_empty()).then_some(path);
        assert_eq!((found.cid, found.path.as_deref()), (path.map(|_| root), path), "{text:?}");
    }
    assert_eq!(Reference::resolve(&folder, "..").content().unwrap().to_string(), V0);
    for text in ["a/%2e%2e/b", "a%2fb", "a%00b", "%ff", "//host/x", "a\0b", "x:y"] {
        assert_eq!(Reference::resolve(&folder, text).cid, None, "{text:?}");
    }
    let key = Reference::parse(&format!("/ipns/{KEY}/a/b"));
    assert_eq!(Reference::resolve(&key, "../c"), Reference::parse(&format!("ipns://{KEY}/c")));
    let tx = Reference::parse(&full("https://{SANDBOX}.arweave.net/{TX}/1.json"));
    assert_eq!(Reference::resolve(&tx, "1.png"), Reference::parse(&format!("ar://{TX}/1.png")));
}

/// RFC 3986, section 5.4, as far as it goes with http.
#[test]
fn relative_ones_resolve_against_a_url() {
    let base = Reference::parse("http://a/b/c/d;p?q");
    for (text, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        ("..", "http://a/b/"),
        ("../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("https://x/", "https://x/"),
    ] {
        assert_eq!(Reference::resolve(&base, text), Reference::parse(expected), "{text}");
    }
    // What it says once resolved counts.
    let up = Reference::resolve(&base, &format!("/ipfs/{V0}"));
    assert_eq!((up.class, up.content().map(|id| id.to_string())), (Ipfs, Some(V0.to_owned())));
}

#[test]
fn what_does_not_resolve_stays_relative() {
    for base in ["data:application/json,{}", "{RAW}", "{HEX}", "1.json", "ftp://x/y", "ipfs://x"] {
        let found = Reference::resolve(&Reference::parse(&full(base)), "1.png");
        assert_eq!((found.class, found.text.as_str()), (Relative, "1.png"), "{base}");
    }
}

#[test]
fn every_spelling_of_a_name_is_one() {
    for (text, canonical) in [
        ("{V0}", Some("ipfs://{V1}")),
        ("https://ipfs.io/ipfs/{V0}/a%20%2525?x", Some("ipfs://{V1}/a%20%2525")),
        ("{HEX}", Some("ipfs://{RAW}")),
        ("https://arweave.net/{TX}/é", Some("ar://{TX}/%C3%A9")),
        ("https://ipfs.io/ipns/x.eth/", Some("ipns://x.eth")),
        ("https://x.example/", None),
        ("1.png", None),
    ] {
        let found = Reference::parse(&full(text)).canonical();
        assert_eq!(found, canonical.map(full), "{text}");
        let again = found.map(|text| Reference::parse(&text).canonical().unwrap());
        assert_eq!(again, canonical.map(full), "{text}");
    }
}

#[test]
fn token_ids_are_put_in() {
    let mut id = [0; 32];
    assert_eq!(id_hex(&id), "0".repeat(64));
    id[31] = 0xab;
    id[0] = 0xf0;
    let hex = format!("f0{}ab", "0".repeat(60));
    assert_eq!(substitute_id("{id}/{ID}/{id}", &id, 200).unwrap(), format!("{hex}/{{ID}}/{hex}"));
    assert_eq!(substitute_id("x", &id, 1).unwrap(), "x");
    assert_eq!(substitute_id("x{id}", &id, 65).unwrap().len(), 65);
    assert_eq!(substitute_id("x{id}", &id, 64), None);
}

#[test]
fn proofs() {
    for (text, proof) in [
        ("ipfs://{V0}", Proof::ContentByHash),
        ("{HEX}", Proof::ContentByHash),
        ("https://ipfs.io/ipfs/{V0}/1.png", Proof::PathByHash),
        ("https://api2.aleph.im/api/v0/storage/raw/{HEX}", Proof::ContentByHash),
        ("ipfs://{CBOR}", Proof::BlockByHash),
        ("ipfs://{CBOR}/x", Proof::UncheckedHash),
        // sha-1 of dag-pb.
        ("ipfs://f01701114e242ed3bffccdf271b7fbaf34ed72d089537b42f", Proof::UncheckedHash),
        ("data:,x", Proof::InDocument),
        ("<svg/>", Proof::InDocument),
        ("ar://{TX}", Proof::SignedTransaction),
        ("ar://name", Proof::MutableName),
        ("ipns://{KEY}", Proof::MutableName),
        ("https://arweave.net/", Proof::ServedNow),
        ("https://x.example/", Proof::ServedNow),
        ("https://x.example/ipfs/{RAW}/thumbnail", Proof::ServedNow),
        ("ipfs://{RAW}/x", Proof::Nothing),
        ("ipfs://{V0}/%2e%2e", Proof::Nothing),
        ("1.png", Proof::NeedsDocument),
        ("ftp://x", Proof::Nothing),
    ] {
        assert_eq!(Reference::parse(&full(text)).proof(), proof, "{text}");
    }
    let mut words = std::collections::HashSet::new();
    for proof in Proof::ALL {
        let json = serde_json::to_value(proof.provability()).unwrap();
        assert_eq!(json["proof"], proof.as_str());
        assert!(words.insert(proof.as_str()) && words.insert(proof.sentence()));
        assert!(proof.can().iter().all(|fact| !proof.cannot().contains(fact)), "{proof}");
        let proves = [Fact::BytesAreNamed, Fact::BytesInDocument];
        let can = proof.can().iter().any(|fact| proves.contains(fact));
        assert_eq!(can, proof.proves_bytes(), "{proof}");
    }
    assert_eq!(serde_json::to_value(Fact::BytesAreNamed).unwrap(), "bytes-are-named");
}

#[test]
fn what_is_shown_can_be_seen() {
    for (text, expected) in [
        ("my art's \"1\".png", "my art's \"1\".png"),
        ("é日本👍", "é日本👍"),
        ("a\u{0}b\n\u{1b}[31m\u{7f}\u{9b}", r"a\0b\n\u{1b}[31m\u{7f}\u{9b}"),
        ("\u{202e}\u{2066}\u{200f}\u{61c}", r"\u{202e}\u{2066}\u{200f}\u{61c}"),
        ("\u{200b}\u{200d}\u{feff}\u{ad}\u{2060}", r"\u{200b}\u{200d}\u{feff}\u{ad}\u{2060}"),
        ("\u{e0041}\u{3164}\u{2800}\u{a0}", r"\u{e0041}\u{3164}\u{2800}\u{a0}"),
        (r"\u{202e}", r"\\u{202e}"),
    ] {
        assert_eq!(shown(text), expected);
    }
    let long = shown(&"\u{202e}".repeat(1 << 20));
    assert!(long.len() < 3000 && long.ends_with("… (3145728 bytes)"), "{long}");
    assert_eq!(Reference::parse("a\u{202e}b").shown(), r"a\u{202e}b");
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
            prop_assert!(reference.cid.is_some() || reference.id.is_some());
            prop_assert!(!reference.verifiable());
        }
        let shown = reference.shown();
        prop_assert!(!shown.contains(|c: char| c.is_control()) && shown.len() < 3000);
        if let Some(canonical) = reference.canonical() {
            let again = Reference::parse(&canonical);
            // Percent-encoding may make it too long to be read.
            if again.class != Unknown {
                prop_assert_eq!((again.cid, again.id, again.path), (reference.cid, reference.id, reference.path));
            }
        }
    }

    /// Whatever a relative reference says, it ends below the name it began at, or nowhere.
    #[test]
    fn nothing_leads_out_of_a_name(
        base in "(/[a-z%2e]{1,4}){0,3}",
        text in "(\\.\\.?/|%2e%2e/|[a-z]{1,3}/|/|%2f|\\\\|\u{202e}|\u{0}|%){0,8}[a-z]{0,3}[?#]?[a-z/]{0,3}",
    ) {
        let base = Reference::parse(&format!("ipfs://{V0}{base}"));
        let found = Reference::resolve(&base, &text);
        if let Some(cid) = found.cid {
            prop_assert_eq!(Some(cid), base.cid);
            prop_assert_eq!(found.class, Ipfs);
            let odd = |part: &str| part.is_empty() || part == "." || part == "..";
            prop_assert!(!found.path.iter().flat_map(|path| path.split('/')).any(odd));
        }
    }
}
