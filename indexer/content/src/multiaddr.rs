//! Multiaddresses, as far as they say where an HTTP server is: <https://multiformats.io/multiaddr/>,
//! protocols by <https://github.com/multiformats/multiaddr/blob/master/protocols.csv>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// A longer text is no address: the longest real ones have some certificate hashes.
const LONGEST: usize = 1024;

/// A text that is no multiaddress, or none of a machine that can be asked over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the multiaddress of a machine: /ip4/1.2.3.4/tcp/4025 or the like is expected")]
pub struct MultiaddrError;

/// Where a machine is, and whether a web server is there.
///
/// Read from the text form: host first, then what is spoken there. Addresses that are relayed by
/// another machine (`p2p-circuit`) are none of this one, and protocols that are not known make the
/// text unreadable: nobody can say whether a value belongs to them.
///
/// ```
/// use everhold_content::Multiaddr;
///
/// let address: Multiaddr = "/dns4/Node.example/tcp/443/tls/http".parse()?;
/// assert_eq!(address.http.unwrap().as_str(), "https://node.example/");
/// # Ok::<(), everhold_content::MultiaddrError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiaddr {
    /// An address, or a name in lower case.
    pub host: Host,
    /// The web server at that very place, where the address is of one.
    pub http: Option<Url>,
}

/// What follows a protocol's name.
enum Part<'a> {
    /// A TCP port.
    Tcp(u16),
    Tls,
    /// The name that TLS asks for.
    Sni(&'a str),
    Http,
    Https,
    /// A peer's name: says nothing of the way to it.
    Peer,
    /// Anything else that is known, of which no web server is made.
    Other,
}

impl Multiaddr {
    fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut words = text.strip_prefix('/')?.split('/');
        let host = host(&mut words)?;
        let mut parts = Vec::new();
        while let Some(word) = words.next() {
            // A final slash is tolerated, as everywhere.
            if word.is_empty() && words.next().is_none() {
                break;
            }
            parts.push(part(word, &mut words)?);
        }
        let http = http(&host, &parts);
        Some(Self { host, http })
    }

    /// The web server on a port of this machine, whatever the address itself says of ports.
    pub fn at_port(&self, port: u16) -> Option<Url> {
        url("http", &self.host, port)
    }

    /// The address, where the host is no name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }
}

impl std::str::FromStr for Multiaddr {
    type Err = MultiaddrError;

    fn from_str(text: &str) -> Result<Self, MultiaddrError> {
        Self::read(text).ok_or(MultiaddrError)
    }
}

fn host<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Host> {
    match words.next()? {
        "ip4" => Some(Host::Ipv4(words.next()?.parse::<Ipv4Addr>().ok()?)),
        "ip6" => match words.next()?.parse::<Ipv6Addr>().ok()?.to_canonical() {
            // The same machine, however its address is written.
            IpAddr::V4(ip) => Some(Host::Ipv4(ip)),
            IpAddr::V6(ip) => Some(Host::Ipv6(ip)),
        },
        "dns" | "dns4" | "dns6" => match Host::parse(words.next()?).ok()? {
            // A number in the place of a name would be looked for where no name is checked.
            name @ Host::Domain(_) => is_name(&name).then_some(name),
            _ => None,
        },
        _ => None,
    }
}

/// A DNS name (RFC 1035, section 2.3.4).
fn is_name(host: &Host) -> bool {
    let Host::Domain(name) = host else { return false };
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    name.len() <= 253 && name.trim_end_matches('.').split('.').all(label)
}

fn part<'a>(word: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<Part<'a>> {
    Some(match word {
        "tcp" => Part::Tcp(words.next()?.parse().ok().filter(|port| *port != 0)?),
        "udp" => words.next()?.parse::<u16>().ok().map(|_| Part::Other)?,
        "tls" => Part::Tls,
        "sni" => Part::Sni(words.next()?),
        "http" => Part::Http,
        "https" => Part::Https,
        "p2p" | "ipfs" => words.next().filter(|peer| !peer.is_empty()).map(|_| Part::Peer)?,
        "certhash" | "http-path" => words.next().map(|_| Part::Other)?,
        "ws" | "wss" | "quic" | "quic-v1" | "webtransport" | "webrtc-direct" | "noise" => {
            Part::Other
        }
        _ => return None,
    })
}

/// The web server that an address is of: TCP, perhaps TLS, then HTTP, and nothing between.
fn http(host: &Host, parts: &[Part<'_>]) -> Option<Url> {
    let parts = match parts {
        [parts @ .., Part::Peer] => parts,
        parts => parts,
    };
    let (scheme, port) = match parts {
        [Part::Tcp(port), Part::Http] => ("http", *port),
        [Part::Tcp(port), Part::Https | Part::Tls, ..] => {
            let rest = &parts[if matches!(parts[1], Part::Tls) { 2 } else { 1 }..];
            match rest {
                [Part::Http | Part::Https] => {}
                // The certificate is to be that of the host that is connected to.
                [Part::Sni(name), Part::Http | Part::Https]
                    if Host::parse(name).is_ok_and(|name| name == *host) => {}
                _ => return None,
            }
            ("https", *port)
        }
        _ => return None,
    };
    url(scheme, host, port)
}

fn url(scheme: &str, host: &Host, port: u16) -> Option<Url> {
    Url::parse(&format!("{scheme}://{host}:{port}/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<(String, Option<String>)> {
        let address: Multiaddr = text.parse().ok()?;
        Some((address.host.to_string(), address.http.map(String::from)))
    }

    #[test]
    fn knows_machines() {
        for (text, host) in [
            (
                "/ip4/46.255.204.193/tcp/4025/p2p/Qmb5b2ZwJm9pVWrppf3D3iMF1bXbjZhbJTwGvKEBMZNxa2",
                "46.255.204.193",
            ),
            ("/ip4/1.2.3.4", "1.2.3.4"),
            ("/ip6/::ffff:1.2.3.4/tcp/1", "1.2.3.4"),
            ("/ip6/2001:db8::1/tcp/4025/p2p/Qm", "[2001:db8::1]"),
            ("/dns4/Node.Example/tcp/4025/p2p/Qm/", "node.example"),
            (
                "/dns/a_b.example/udp/4001/quic-v1/webtransport/certhash/uE/certhash/uF/p2p/12D3",
                "a_b.example",
            ),
            ("/dns6/xn--bcher-kva.example/tcp/1", "xn--bcher-kva.example"),
        ] {
            assert_eq!(read(text), Some((host.to_owned(), None)), "{text}");
        }
    }

    #[test]
    fn knows_web_servers() {
        for (text, url) in [
            ("/ip4/1.2.3.4/tcp/8080/http", "http://1.2.3.4:8080/"),
            ("/ip6/2001:db8::1/tcp/80/http/p2p/12D3", "http://[2001:db8::1]/"),
            ("/dns/a.example/tcp/443/https", "https://a.example/"),
            ("/dns4/a.example/tcp/8443/tls/http/p2p/12D3", "https://a.example:8443/"),
            ("/dns4/a.example/tcp/443/tls/sni/a.example/http", "https://a.example/"),
        ] {
            assert_eq!(read(text).and_then(|(_, http)| http).as_deref(), Some(url), "{text}");
        }
        for text in [
            "/dns4/a.example/tcp/443/tls/sni/b.example/http",
            "/dns4/a.example/tcp/443/tls/ws",
            "/dns4/a.example/tcp/443/wss/http",
            "/dns4/a.example/tcp/443/http/http-path/x",
            "/dns4/a.example/udp/443/http",
            "/dns4/a.example/tcp/443/tls",
            "/dns4/a.example/http",
        ] {
            assert_eq!(read(text).map(|(_, http)| http), Some(None), "{text}");
        }
    }

    #[test]
    fn refuses_nonsense() {
        let long = format!("/dns4/{}/tcp/1", "a.".repeat(600));
        for text in [
            "",
            "/",
            "//",
            "ip4/1.2.3.4/tcp/1",
            "/ip4",
            "/ip4/",
            "/ip4/1.2.3",
            "/ip4/256.1.1.1/tcp/1",
            "/ip4/1.2.3.4/tcp",
            "/ip4/1.2.3.4/tcp/0",
            "/ip4/1.2.3.4/tcp/65536",
            "/ip4/1.2.3.4/tcp/-1",
            "/ip4/1.2.3.4//tcp/1",
            "/ip6/1.2.3.4/tcp/1",
            "/ip6/::1%eth0/tcp/1",
            "/ip4/::1/tcp/1",
            "/dns4/127.0.0.1/tcp/1",
            "/dns4/0x7f.1/tcp/1",
            "/dns4/[::1]/tcp/1",
            "/dns4/a b/tcp/1",
            "/dns4/a@b/tcp/1",
            "/dns4/a..b/tcp/1",
            "/dns4/a:80/tcp/1",
            "/dnsaddr/a.example",
            "/ip4/1.2.3.4/tcp/1/p2p/Qm/p2p-circuit/p2p/Qm",
            "/ip4/1.2.3.4/tcp/1/p2p",
            "/ip4/1.2.3.4/tcp/1/p2p//http",
            "/ip4/1.2.3.4/new-protocol",
            "/unix/tmp/socket",
            "http://1.2.3.4",
            &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is read leads to the host that it names, over HTTP and nothing else.
        #[test]
        fn leads_nowhere_else(text in "(/(ip4|ip6|dns|tcp|udp|tls|sni|http|https|p2p|[a-z0-9.:@#?%]{0,9})){0,8}") {
            if let Ok(address) = text.parse::<Multiaddr>() {
                let host = address.host.to_string();
                for url in address.http.iter().cloned().chain(address.at_port(4024)) {
                    prop_assert_eq!(url.host_str(), Some(host.as_str()));
                    prop_assert!(matches!(url.scheme(), "http" | "https"));
                    prop_assert!(url.username().is_empty() && url.path() == "/");
                }
            }
        }
    }
}
