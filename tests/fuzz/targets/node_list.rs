//! The network's list of nodes: whatever is read leads to the HTTP port of a machine, and has an owner.
#![no_main]

use everhold_content::{Multiaddr, NodeList};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = NodeList::parse(bytes) {
        for node in &list.nodes {
            assert_eq!((node.url.scheme(), node.url.port()), ("http", Some(4024)));
            assert!(
                node.url.has_host() && node.url.username().is_empty() && node.url.path() == "/"
            );
            assert_eq!(node.owner.len(), 42);
            assert!(!node.owner.bytes().any(|byte| byte.is_ascii_uppercase()));
        }
        assert!(list.nodes.is_sorted());
        assert!(list.nodes.windows(2).all(|pair| pair[0] != pair[1]));
    }
    // A list is mostly addresses: they are worth the fuzzer's time by themselves.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(address) = text.parse::<Multiaddr>() {
        let host = address.host.to_string();
        for url in address.http.iter().cloned().chain(address.at_port(4024)) {
            assert_eq!(url.host_str(), Some(host.as_str()), "{text}");
            assert!(matches!(url.scheme(), "http" | "https"));
            assert!(url.username().is_empty() && url.path() == "/" && url.query().is_none());
        }
        assert!(address.at_port(4024).is_some(), "{text}");
    }
});
