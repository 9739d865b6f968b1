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
}

impl Trail {
    /// A trail that begins at `url` and may have so many hops.
    pub(crate) fn new(url: &Url, most: usize) -> Self {
        Self { seen: HashSet::from([without_fragment(url)]), most }
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

fn without_fragment(url: &Url) -> String {
    url.as_str().split('#').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<Url, FetchError> {
        let from = Url::parse(from).unwrap();
        let answer = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        Trail::new(&from, 3).next(&from, &answer, &mut HeaderMap::new())
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
    fn resolves_relative_locations() {
        for (location, to) in
            [("/y", "https://a:1/y"), ("y?z", "https://a:1/x/y?z"), ("//b/c", "https://b/c")]
        {
            assert_eq!(follow("https://a:1/x/w", location).unwrap().as_str(), to);
        }
    }
}
