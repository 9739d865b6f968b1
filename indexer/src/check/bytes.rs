//! Bytes as a whole.

use everhold_net::{Body, FetchError, Fetcher, Request, Url};

use super::{Answer, Verdict, Way, taken::Taken};
use crate::{
    content::{Cid, Verifier},
    nodes::blocks::is_unsupported,
};

/// Fetches what is at a place that carries no hash.
pub(super) async fn served(fetcher: &Fetcher, url: Url, max_bytes: u64, keep: usize) -> Answer {
    let answer = Answer::begin(shown(&url), Way::Bytes);
    let request = fetcher.get(url).redirects(fetcher.limits().max_redirects).limit(max_bytes);
    let mut body = match request.open().await {
        Ok(body) => body,
        Err(error) => return answer.failed(&error),
    };
    let answer = Answer { media_type: body.content_type(), ..answer };
    let mut taken = Taken::new(keep);
    match drain(&mut body, &mut |bytes| taken.take(bytes)).await {
        Ok(()) => taken.whole(answer, Verdict::Served),
        Err(error) => Answer { bytes: taken.bytes(), ..answer.failed(&error) },
    }
}

/// Sends a request whose answer should be the content of a CID, and hashes it.
///
/// `Err` where the source answers that it does not do that (400, 405, 406, 415, 501).
pub(super) async fn content(
    request: Request,
    answer: Answer,
    cid: &Cid,
    keep: usize,
) -> Result<Answer, Answer> {
    let mut verifier = match Verifier::for_cid(*cid) {
        Ok(verifier) => verifier,
        Err(error) => {
            let verdict = Verdict::Unproved;
            return Ok(Answer { verdict, ..answer.because(error) });
        }
    };
    let mut body = match request.open().await {
        Ok(body) => body,
        Err(error) if is_unsupported(&error) => return Err(answer.failed(&error)),
        Err(error) => return Ok(answer.failed(&error)),
    };
    let answer = Answer { media_type: body.content_type(), ..answer };
    let mut taken = Taken::new(keep);
    let mut both = |bytes: &[u8]| {
        verifier.update(bytes);
        taken.take(bytes);
    };
    if let Err(error) = drain(&mut body, &mut both).await {
        return Ok(Answer { bytes: taken.bytes(), ..answer.failed(&error) });
    }
    let seen = verifier.finish();
    Ok(match (seen.matches, seen.conclusive) {
        (true, _) => taken.proved(answer),
        (false, true) => {
            let detail = format!("other bytes: they hash to {}", seen.computed);
            taken.whole(answer.because(detail), Verdict::Corrupt)
        }
        (false, false) => {
            let detail = "these bytes make another DAG in every way that is known; only its \
                          blocks could tell, and none came";
            taken.whole(answer.because(detail), Verdict::Unproved)
        }
    })
}

/// Gives every chunk of a body to `sink`.
pub(super) async fn drain(
    body: &mut Body,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(), FetchError> {
    while let Some(chunk) = body.chunk().await? {
        sink(&chunk);
    }
    Ok(())
}

/// A URL without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only URLs that can't be a base, such as `data:`, have no place for these.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}
