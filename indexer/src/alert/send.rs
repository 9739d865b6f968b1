//! An alert on its way.

use std::time::Duration;

use everhold_net::Fetcher;

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
    /// Sends an alert as its body is in the outbox.
    ///
    /// # Errors
    /// [`Refused`], where it was not taken.
    pub async fn send(
        &self,
        fetcher: &Fetcher,
        alert: Outgoing<'_>,
        span: Span,
    ) -> Result<(), Refused> {
        let notice = Notice::read(alert.payload).map_err(|error| Refused {
            said: format!("the ledger holds no alert: {error}"),
            todo: None,
            retry: Retry::Seldom,
            this_alone: true,
        })?;
        let sent = match (&self.target, self.request(alert, &notice, span)) {
            (Target::Email(email), _) => email.send(alert, &notice).await,
            (_, Some(request)) => self.post(fetcher, request).await,
            (_, None) => Ok(()),
        };
        sent.map_err(|refused| self.unsecret(refused))
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
            sent.map_err(|refused| self.unsecret(refused))?;
        }
        Ok(())
    }

    fn unsecret(&self, refused: Refused) -> Refused {
        Refused { said: without(&refused.said, &self.secrets()), ..refused }
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
