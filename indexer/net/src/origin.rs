//! Where a request may go: to what is configured, by host and port; else to what is public.

use std::{collections::HashMap, net::IpAddr};

use url::{Host, Url};

use crate::{
    address::is_public,
    error::{FetchError, Refusal},
    text::host_of,
};

/// A host and a port. The `url` crate has already brought the host into one form: lower case,
/// punycode, and numbers in every notation of the WHATWG standard ("IPv4 parser") as an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    fn of(url: &Url) -> Option<Self> {
        // A final dot makes a name absolute, and names the same host to anyone that matters here.
        let host = url.host_str()?.trim_end_matches('.').to_owned();
        Some(Self { host, port: url.port_or_known_default()? })
    }
}

/// By which client a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Configured: wherever its name leads.
    Configured,
    /// Any other: to public addresses only.
    Open,
}

/// A user name and a password, as in a URL.
type Userinfo = (String, Option<String>);

fn userinfo(url: &Url) -> Option<Userinfo> {
    let userinfo = (url.username().to_owned(), url.password().map(str::to_owned));
    (!userinfo.0.is_empty() || userinfo.1.is_some()).then_some(userinfo)
}

/// What is configured, and what counts as public.
#[derive(Clone, Default)]
pub(crate) struct Origins {
    /// With the userinfo they are configured with.
    configured: HashMap<Origin, Vec<Userinfo>>,
    also_public: Vec<IpAddr>,
}

impl Origins {
    pub(crate) fn configure(&mut self, url: &Url) {
        if let Some(origin) = Origin::of(url) {
            self.configured.entry(origin).or_default().extend(userinfo(url));
        }
    }

    pub(crate) fn take_for_public(&mut self, address: IpAddr) {
        self.also_public.push(address);
    }

    /// Whether anything may be fetched from an address that is not configured.
    pub(crate) fn is_public(&self, address: IpAddr) -> bool {
        is_public(address) || self.also_public.contains(&address)
    }

    /// Judges a URL before anything is sent to it, be it a first one or where a redirect leads.
    /// With `open`, nothing counts as configured.
    pub(crate) fn judge(&self, url: &Url, open: bool) -> Result<(Origin, Way), FetchError> {
        self.judged(url, open).map_err(|why| FetchError::Refused { host: host_of(url), why })
    }

    fn judged(&self, url: &Url, open: bool) -> Result<(Origin, Way), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        let origin = Origin::of(url).ok_or(Refusal::NoHost)?;
        let userinfo = userinfo(url);
        if let Some(known) = self.configured.get(&origin).filter(|_| !open) {
            if userinfo.is_some_and(|given| !known.contains(&given)) {
                return Err(Refusal::Userinfo);
            }
            return Ok((origin, Way::Configured));
        }
        if userinfo.is_some() {
            return Err(Refusal::Userinfo);
        }
        // Below are mail, remote shells, databases' and routers' own: nobody serves content there.
        if !matches!(origin.port, 80 | 443 | 1024..) {
            return Err(Refusal::Port(origin.port));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.take(address.into())?,
            Some(Host::Ipv6(address)) => self.take(address.into())?,
            // What a name leads to is judged where it is resolved, for the connection itself.
            Some(Host::Domain(_)) => {}
            None => return Err(Refusal::NoHost),
        }
        Ok((origin, Way::Open))
    }

    fn take(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.is_public(address) { Ok(()) } else { Err(Refusal::Address) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(url: &str) -> Result<Way, Refusal> {
        let mut origins = Origins::default();
        for url in ["http://localhost:8545/key", "http://me:secret@127.0.0.1:5001", "http://h"] {
            origins.configure(&Url::parse(url).unwrap());
        }
        origins.judged(&Url::parse(url).unwrap(), false).map(|(_, way)| way)
    }

    #[test]
    fn knows_the_configured_by_host_and_port() {
        for url in [
            "http://localhost:8545",
            "http://LOCALHOST.:8545/x?y",
            "https://localhost:8545",
            "http://127.0.0.1:5001",
            "http://0x7f.1:5001",
            "http://me:secret@127.0.0.1:5001/",
            "http://h:80/",
        ] {
            assert_eq!(judge(url), Ok(Way::Configured), "{url}");
        }
        for (url, why) in [
            ("http://127.0.0.1:5002", Refusal::Address),
            ("http://localhost:22", Refusal::Port(22)),
            ("http://127.0.0.1:8545", Refusal::Address),
            ("http://me:other@127.0.0.1:5001/", Refusal::Userinfo),
            ("http://me@127.0.0.1:5001/", Refusal::Userinfo),
            ("http://me:secret@localhost:8545/", Refusal::Userinfo),
            ("http://:secret@example.com/", Refusal::Userinfo),
        ] {
            assert_eq!(judge(url), Err(why), "{url}");
        }
        assert_eq!(judge("https://h"), Ok(Way::Open));
    }

    #[test]
    fn refuses_schemes_and_ports() {
        for url in ["file:///etc/passwd", "ftp://example.com", "javascript:1", "data:,x"] {
            assert!(matches!(judge(url), Err(Refusal::Scheme(_))), "{url}");
        }
        for port in [1, 22, 25, 110, 445, 587, 1023] {
            assert_eq!(judge(&format!("http://example.com:{port}")), Err(Refusal::Port(port)));
        }
        for port in [80, 443, 1024, 8080, 65535] {
            assert_eq!(judge(&format!("http://example.com:{port}")), Ok(Way::Open));
        }
    }

    #[test]
    fn knows_an_address_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "0x7f000001",
            "0x7f.0.0.1",
            "0X7F.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "127。0。0。1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "192.0.0.192",
            "0",
            "0.0.0.0",
            "[::]",
        ] {
            assert_eq!(judge(&format!("http://{host}/")), Err(Refusal::Address), "{host}");
        }
        // No address at all, and for the `url` crate no URL either.
        for host in ["127.0.0.256", "1.2.3.4.5", "0x100000000", "[::1%25eth0]", "09.0.0.1"] {
            assert!(Url::parse(&format!("http://{host}/")).is_err(), "{host}");
        }
    }
}
