//! An alert on its way.

use std::time::Duration;

use everhold_net::{Fetcher, shown};

use super::{
    Notice, Outgoing, Post, Sink, Span, Target, alertmanager,
    answer::{Advice, Answer, Refused, Retry},
    discord, pagerduty, slack,
    telegram::{self, Telegram},
    text::without,
    webhook,
};

/// How long a sink may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Incidents that are told again in one request.
const AT_ONCE: usize = 100;

impl Sink {
    /// Sends an alert as its body is in the outbox; gives why some don't get it, where others do.
    ///
    /// # Errors
    /// [`Refused`], where it was not taken.
    pub async fn send(
        &self,
        fetcher: &Fetcher,
        alert: Outgoing<'_>,
        span: Span,
    ) -> Result<Option<Refused>, Refused> {
        let notice = Notice::read(alert.payload).map_err(|error| Refused {
            said: format!("the ledger holds no alert: {error}"),
            gist: "no alert".to_owned(),
            todo: None,
            retry: Retry::Seldom,
            this_alone: true,
        })?;
        let sent = match (&self.target, self.request(alert, &notice, span)) {
            (Target::Email(email), _) => email.send(alert, &notice).await,
            (_, Some(request)) => self.post(fetcher, request).await.map(|()| None),
            (_, None) => Ok(None),
        };
        sent.map(|but| but.map(|refused| self.fit(refused))).map_err(|refused| self.fit(refused))
    }

    /// Tells a sink that forgets what it is not told again and again of what goes on.
    ///
    /// # Errors
    /// [`Refused`], where it was not taken.
    pub async fn repeat(
        &self,
        fetcher: &Fetcher,
        going_on: &[(Notice, Span)],
    ) -> Result<(), Refused> {
        let Target::Alertmanager(alertmanager) = &self.target else { return Ok(()) };
        for some in going_on.chunks(AT_ONCE) {
            let sent = self.post(fetcher, alertmanager.repeat(some)).await;
            sent.map_err(|refused| self.fit(refused))?;
        }
        Ok(())
    }

    /// Strikes out what is secret; only then is it cut, which could leave the half of one.
    pub(super) fn fit(&self, refused: Refused) -> Refused {
        let secrets = self.secrets();
        let fit = |text: &str| shown(without(text, &secrets).as_bytes());
        Refused { said: fit(&refused.said), gist: fit(&refused.gist), ..refused }
    }

    async fn post(&self, fetcher: &Fetcher, post: Post) -> Result<(), Refused> {
        let mut request = fetcher.post(post.url);
        for (name, value) in &post.headers {
            request = request.header(name, value);
        }
        let request = request.body(post.body).first_byte(PATIENCE).total(PATIENCE * 2);
        let mut body = request.send().await?;
        let retry_after = body.retry_after();
        // What it said is of no matter where it took it, but for the one that says so there.
        let bytes = body.collect().await.unwrap_or_default();
        let answer = Answer { status: body.status(), retry_after, body: bytes.to_vec() };
        match self.target {
            Target::Telegram(_) => Telegram::judge(&answer),
            _ => answer.judge(self.advice()),
        }
    }

    fn advice(&self) -> Advice {
        match self.target {
            Target::Webhook(_) | Target::Email(_) => webhook::ADVICE,
            Target::Slack(_) => slack::ADVICE,
            Target::Discord(_) => discord::ADVICE,
            Target::Telegram(_) => telegram::ADVICE,
            Target::PagerDuty(_) => pagerduty::ADVICE,
            Target::Alertmanager(_) => alertmanager::ADVICE,
        }
    }
}
