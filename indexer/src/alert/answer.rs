//! What a service answered, and what that means for the alert.

use std::time::Duration;

use everhold_net::FetchError;

/// When an alert that was not taken is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Soon, and later and later.
    Soon,
    /// Not before this time is over: the service said so.
    After(Duration),
    /// Seldom: only a person can mend it, or the service.
    Seldom,
}

/// Why an alert was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{said}{}", todo.as_deref().map(|todo| format!("; {todo}")).unwrap_or_default())]
pub struct Refused {
    /// What came back, without secrets, in a line.
    pub said: String,
    /// The same in short, without what differs each time, as the id of a request: a status, or what happened.
    pub gist: String,
    /// What to do about it, where something can be done.
    pub todo: Option<String>,
    /// When it is sent again.
    pub retry: Retry,
    /// Whether it is this alert alone that was not liked; else the sink takes no others either.
    pub this_alone: bool,
}

/// What to do where a service does not know us, and where it does not like what it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    /// For 401, 403, 404 and 410, and where it redirects.
    pub(super) unknown: &'static str,
    /// For 400 and the like.
    pub(super) disliked: &'static str,
}

/// An answer of HTTP.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether it was taken.
    pub(super) fn judge(&self, advice: Advice) -> Result<(), Refused> {
        let (retry, todo, this_alone) = match self.status {
            200..=299 => return Ok(()),
            429 => (self.wait(), None, false),
            408 | 425 | 500..=599 => (self.wait(), None, false),
            400 | 413 | 415 | 422 => (Retry::Seldom, Some(advice.disliked), true),
            _ => (Retry::Seldom, Some(advice.unknown), false),
        };
        let todo = todo.map(str::to_owned);
        Err(Refused { said: self.text(), gist: self.gist(), todo, retry, this_alone })
    }

    fn wait(&self) -> Retry {
        self.retry_after.map_or(Retry::Soon, Retry::After)
    }

    /// The status.
    pub(super) fn gist(&self) -> String {
        format!("HTTP {}", self.status)
    }

    /// The status, and what the service said.
    pub(super) fn text(&self) -> String {
        match String::from_utf8_lossy(&self.body).trim() {
            "" => self.gist(),
            said => format!("{}: {said}", self.gist()),
        }
    }
}

impl From<FetchError> for Refused {
    /// No answer.
    fn from(error: FetchError) -> Self {
        let retry = match error.retry() {
            everhold_net::Retry::Never => Retry::Seldom,
            everhold_net::Retry::After(wait) => Retry::After(wait),
            everhold_net::Retry::Later => Retry::Soon,
        };
        let said = error.to_string();
        // The same, but for ports, bytes and times.
        let gist = said.chars().filter(|c| !c.is_ascii_digit()).collect();
        Self { said, gist, todo: None, retry, this_alone: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_get_better_is_tried_seldom() {
        let advice = Advice { unknown: "make a new one", disliked: "tell us" };
        let judge = |status, retry_after| {
            Answer { status, retry_after, body: b"no_service".to_vec() }.judge(advice)
        };
        assert_eq!(judge(200, None), Ok(()));
        assert_eq!(judge(204, None), Ok(()));
        for (status, retry, this_alone) in [
            (400, Retry::Seldom, true),
            (401, Retry::Seldom, false),
            (403, Retry::Seldom, false),
            (404, Retry::Seldom, false),
            (410, Retry::Seldom, false),
            (302, Retry::Seldom, false),
            (429, Retry::Soon, false),
            (500, Retry::Soon, false),
        ] {
            let refused = judge(status, None).unwrap_err();
            assert_eq!((refused.retry, refused.this_alone), (retry, this_alone), "{status}");
            assert_eq!(refused.todo.is_some(), retry == Retry::Seldom, "{status}");
            assert!(refused.to_string().starts_with(&format!("HTTP {status}: no_service")));
            assert_eq!(refused.gist, format!("HTTP {status}"), "whatever else it says");
        }
        let wait = Duration::from_secs(7);
        assert_eq!(judge(429, Some(wait)).unwrap_err().retry, Retry::After(wait));
    }
}
