//! Redirects, hop by hop (RFC 9110, section 15.4).

use std::collections::HashSet;

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, HeaderMap, HeaderName, LOCATION, RANGE,
};
use url::Url;

use crate::{
    error::{FetchError, RedirectFault},
    text::host_of,
};

/// What may go to another origin than the one it was meant for. Any other header may carry a
/// credential, whatever its name is.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, RANGE];

/// Where a request has been.
#[derive(Debug)]
pub(crate) struct Trail {
    seen: HashSet<String>,
    most: usize,
    /// The only place to go, where it may not leave that.
    home: Option<Url>,
}

impl Trail {
    /// A trail that begins at `url` and may have so many hops, with `at_home` none that leaves the
    /// host and what is below it.
    pub(crate) fn new(url: &Url, most: usize, at_home: bool) -> Self {
        let home = at_home.then(|| url.clone());
        Self { seen: HashSet::from([without_fragment(url)]), most, home }
    }

    /// Whether an answer is to be followed, or is the answer.
    pub(crate) fn follows(&self, status: u16) -> bool {
        self.most > 0 && matches!(status, 301 | 302 | 303 | 307 | 308)
    }

    /// Where an answer from `from` leads. `headers` keeps only what may go there.
    pub(crate) fn next(
        &mut self,
        from: &Url,
        answer: &HeaderMap,
        headers: &mut HeaderMap,
    ) -> Result<Url, FetchError> {
        let to = self
            .step(from, answer)
            .map_err(|fault| FetchError::Redirect { host: host_of(from), fault })?;
        if from.origin() != to.origin() {
            let kept: Vec<_> = std::mem::take(headers)
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .filter(|(name, _)| HARMLESS.contains(name))
                .collect();
            headers.extend(kept);
        }
        Ok(to)
    }

    fn step(&mut self, from: &Url, answer: &HeaderMap) -> Result<Url, RedirectFault> {
        let mut locations = answer.get_all(LOCATION).iter();
        let (Some(location), None) = (locations.next(), locations.next()) else {
            return Err(RedirectFault::NoLocation);
        };
        let location = std::str::from_utf8(location.as_bytes());
        let location = location.map_err(|_| RedirectFault::NoLocation)?;
        let to = from.join(location).map_err(|_| RedirectFault::NoLocation)?;
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(RedirectFault::Downgrade);
        }
        if self.home.as_ref().is_some_and(|home| !is_at(home, &to)) {
            return Err(RedirectFault::Elsewhere(host_of(&to)));
        }
        if !self.seen.insert(without_fragment(&to)) {
            return Err(RedirectFault::Loop);
        }
        // The first URL is no hop.
        if self.seen.len() - 1 > self.most {
            return Err(RedirectFault::TooMany(self.most));
        }
        Ok(to)
    }
}

/// Whether a URL is at the same host and port, or a host below it: so subdomain gateways redirect
/// from `gateway/ipfs/CID` to `CID.ipfs.gateway`.
fn is_at(home: &Url, url: &Url) -> bool {
    let (Some(home_host), Some(host)) = (home.host_str(), url.host_str()) else {
        return false;
    };
    // A number has nothing below it.
    let named = matches!(home.host(), Some(url::Host::Domain(_)));
    let below = host.strip_suffix(home_host).is_some_and(|rest| named && rest.ends_with('.'));
    // Going from http to https changes the port.
    let upgraded = home.scheme() == "http" && url.scheme() == "https";
    let same_port = home.port_or_known_default() == url.port_or_known_default();
    (host == home_host || below) && (same_port || (upgraded && url.port().is_none()))
}

fn without_fragment(url: &Url) -> String {
    url.as_str().split('#').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<Url, FetchError> {
        let from = Url::parse(from).unwrap();
        let answer = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        Trail::new(&from, 3, false).next(&from, &answer, &mut HeaderMap::new())
    }

    #[test]
    fn never_goes_from_https_to_http() {
        let refused = follow("https://a/", "http://a/");
        assert!(matches!(
            refused,
            Err(FetchError::Redirect { fault: RedirectFault::Downgrade, .. })
        ));
        for (from, to) in [("https://a/", "https://b/"), ("http://a/", "https://a/")] {
            assert_eq!(follow(from, to).unwrap().as_str(), to);
        }
    }

    #[test]
    fn stays_at_home_where_it_should() {
        let stays = |from: &str, to: &str| {
            let from = Url::parse(from).unwrap();
            let answer = HeaderMap::from_iter([(LOCATION, to.parse().unwrap())]);
            match Trail::new(&from, 3, true).next(&from, &answer, &mut HeaderMap::new()) {
                Ok(_) => true,
                Err(FetchError::Redirect { fault: RedirectFault::Elsewhere(_), .. }) => false,
                Err(other) => panic!("{other}"),
            }
        };
        for (from, to) in [
            ("http://a.b/ipfs/x", "/ipfs/x/"),
            ("http://a.b/ipfs/x", "http://x.ipfs.a.b/"),
            ("http://a.b:8080/ipfs/x", "http://x.ipfs.a.b:8080/"),
            ("http://a.b/ipfs/x", "https://a.b/ipfs/x"),
            ("https://a.b/ipfs/x", "https://x.ipfs.a.b/?format=raw"),
        ] {
            assert!(stays(from, to), "{from} {to}");
        }
        for (from, to) in [
            ("http://a.b/", "http://xa.b/"),
            ("http://a.b/", "http://b/"),
            ("http://a.b/", "http://a.b.c/"),
            ("http://a.b/", "http://a.b:8080/"),
            ("http://a.b:8080/", "http://x.a.b:8081/"),
            ("http://a.b:8080/", "https://a.b:8081/"),
            ("http://1.2.3.4/", "http://1.2.3.5/"),
        ] {
            assert!(!stays(from, to), "{from} {to}");
        }
    }

    #[test]
    fn resolves_relative_locations() {
        for (location, to) in
            [("/y", "https://a:1/y"), ("y?z", "https://a:1/x/y?z"), ("//b/c", "https://b/c")]
        {
            assert_eq!(follow("https://a:1/x/w", location).unwrap().as_str(), to);
        }
    }
}
