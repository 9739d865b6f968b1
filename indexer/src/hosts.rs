//! Hosts as they are told apart, however they are spelled in URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use everhold_net::is_public;
use url::{Host, Url};

/// What one customer may get of IPv6 (RFC 6177): strangers have no operator by whom they are told apart,
/// and more addresses cost them nothing.
pub(crate) const OF_A_STRANGER: u32 = 48;
/// A range that one customer may well have all of.
const OF_A_CUSTOMER: u32 = 24;

/// Who a URL leads to: its host, without a final dot, and of an address one of its forms. With the port
/// where that is private: so are those in one private network told apart.
pub(crate) fn identity(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) if !is_local(name) => name.trim_end_matches('.').to_lowercase(),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => match literal(url) {
            Some(ip) if is_public(ip) => ip.to_string(),
            _ => host_and_port(url),
        },
        _ => host_and_port(url),
    }
}

/// Who a URL's text leads to ([`identity`]); `None` where it is no URL.
pub(crate) fn host_of(url: &str) -> Option<String> {
    url.parse().ok().map(|url: Url| identity(&url))
}

/// The same, or the text itself, and the neighbourhood of the address that it names, if it names one.
pub(crate) fn place_of(url: &str) -> (String, Option<String>) {
    match url.parse::<Url>() {
        Ok(url) => (identity(&url), neighbourhood_of(&url)),
        Err(_) => (url.to_owned(), None),
    }
}

/// The host, as [`identity`] has it, and the port.
pub(crate) fn host_and_port(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    let host = match literal(url) {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        None => url.host_str().unwrap_or_default().trim_end_matches('.').to_lowercase(),
    };
    format!("{host}:{port}")
}

fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The address that a URL names, if it names one.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(embedded(ip.into())),
        Host::Domain(_) => None,
    }
}

/// The IPv4 address that an address leads to, where it is one in another coat: mapped (RFC 4291),
/// NAT64 (RFC 6052), 6to4 (RFC 3056).
pub(crate) fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(ip) = ip.to_canonical() else { return ip.to_canonical() };
    let octets = ip.octets();
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]).into()
        }
        [0x2002, ..] => Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]).into(),
        _ => ip.into(),
    }
}

/// The range of the first `bits` of an address.
pub(crate) fn range(ip: Ipv6Addr, bits: u32) -> String {
    let network = u128::from(ip) & (u128::MAX << (128 - bits));
    format!("{}/{bits}", Ipv6Addr::from(network))
}

/// The range that an address is in of which one customer may have all: /24 of IPv4, /48 of IPv6. `None`
/// where it is not public.
pub(crate) fn neighbourhood(ip: IpAddr) -> Option<String> {
    let ip = embedded(ip);
    is_public(ip).then(|| match ip {
        IpAddr::V4(ip) => {
            let network = u32::from(ip) & (u32::MAX << (32 - OF_A_CUSTOMER));
            format!("{}/{OF_A_CUSTOMER}", Ipv4Addr::from(network))
        }
        IpAddr::V6(ip) => range(ip, OF_A_STRANGER),
    })
}

/// Whether a URL names this address, or one in this range, as addresses of nodes are kept.
pub(crate) fn is_named_by(address: &str, url: &Url) -> bool {
    match literal(url) {
        Some(IpAddr::V4(ip)) => ip.to_string() == address,
        Some(IpAddr::V6(ip)) => {
            let bits = address.split_once('/').and_then(|(_, bits)| bits.parse().ok());
            bits.is_some_and(|bits| (1..=128).contains(&bits) && range(ip, bits) == address)
        }
        None => false,
    }
}

/// That of the address that a URL names, if it names one.
pub(crate) fn neighbourhood_of(url: &Url) -> Option<String> {
    neighbourhood(literal(url)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_one_however_it_is_spelled() {
        for (one, others) in [
            ("https://a.example", &["http://A.Example.:8080/x", "https://a.example:443"][..]),
            (
                "http://1.2.3.4",
                &[
                    "https://1.2.3.4:4001",
                    "http://[::ffff:1.2.3.4]:80",
                    "http://[64:ff9b::1.2.3.4]",
                    "http://[2002:102:304::1]",
                    "http://0x1020304",
                    "http://1.2.3.4.",
                ],
            ),
            ("http://[2a01:0:0::1]", &["https://[2A01::1]:8080"]),
            ("http://127.0.0.1:80", &["http://127.0.0.1", "http://[::ffff:127.0.0.1]"]),
            ("http://localhost:80", &["http://LOCALHOST."]),
        ] {
            for other in others {
                assert_eq!(identity(&url(one)), identity(&url(other)), "{other}");
            }
        }
        for (one, other) in [
            ("http://a.example", "http://b.a.example"),
            ("http://1.2.3.4", "http://1.2.3.5"),
            ("http://127.0.0.1:1", "http://127.0.0.1:2"),
            ("http://localhost:1", "http://localhost:2"),
            ("http://[fd00::1]:1", "http://[fd00::1]:2"),
        ] {
            assert_ne!(identity(&url(one)), identity(&url(other)), "{other}");
        }
    }

    #[test]
    fn a_name_may_be_the_address() {
        for (name, address, is_one) in [
            ("http://1.2.3.4:80", "1.2.3.4", true),
            ("http://[::ffff:1.2.3.4]", "1.2.3.4", true),
            ("http://1.2.3.4:80", "1.2.3.5", false),
            ("http://[2a01:4f8:1:2::9]:80", "2a01:4f8:1:2::/64", true),
            ("http://[2a01:4f8:1:2::9]:80", "2a01:4f8:1::/48", true),
            ("http://[2a01:4f8:1:2::9]:80", "2a01:4f8:1:3::/64", false),
            ("http://[2a01:4f8:1:2::9]:80", "::/0", false),
            ("http://a.example", "1.2.3.4", false),
        ] {
            assert_eq!(is_named_by(address, &url(name)), is_one, "{name} {address}");
        }
    }

    #[test]
    fn a_neighbourhood_is_what_one_customer_may_have() {
        let of = |text| neighbourhood_of(&url(text));
        assert_eq!(of("http://1.2.3.4:9").as_deref(), Some("1.2.3.0/24"));
        assert_eq!(of("http://[::ffff:1.2.3.200]").as_deref(), Some("1.2.3.0/24"));
        assert_eq!(of("http://[2a01:4f8:1:2::3]").as_deref(), Some("2a01:4f8:1::/48"));
        for none in ["http://10.1.2.3", "http://[::1]", "http://a.example"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
