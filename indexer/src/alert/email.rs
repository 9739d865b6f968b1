//! E-mail: SMTP (RFC 5321) over TLS, or with STARTTLS (RFC 3207).
//!
//! A message is plain text. Its `Message-ID` is the alert's id, and it answers the incident's, so that
//! mail programs show an incident as one thread and drop what comes twice.

use std::{fmt, time::Duration, time::SystemTime};

use everhold_net::{root_cause, shown};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use url::{Host, Url};

use super::{
    Notice, Outgoing,
    answer::{Refused, Retry},
    text::cut,
};
use crate::config::{ConfigError, EmailConfig, secret};

/// For each command of SMTP.
const PATIENCE: Duration = Duration::from_secs(15);
/// For a whole message.
const ALTOGETHER: Duration = Duration::from_secs(60);
/// Of a subject: what mail programs show of it.
const SUBJECT: usize = 200;

/// A mail server, and who gets what.
pub(super) struct Email {
    from: Mailbox,
    to: Vec<Mailbox>,
    password: Option<String>,
    server: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Email {
    /// # Errors
    /// Where an address is none, or the password can't be read.
    pub(super) fn new(config: &EmailConfig) -> Result<Self, ConfigError> {
        let mailbox = |text: &String| {
            text.parse::<Mailbox>().map_err(|error| {
                ConfigError::Invalid(format!("[[alert]] email: `{text}` is no address: {error}"))
            })
        };
        let password = config.password_file.as_deref();
        let password = password.map(|path| secret("email password_file", path)).transpose()?;
        let from = mailbox(&config.from)?;
        let (server, transport) = transport(config, from.email.domain(), password.as_deref())?;
        Ok(Self {
            from,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            password,
            server,
            transport,
        })
    }

    /// By what it is the same after a restart.
    pub(super) fn identity(&self) -> String {
        let mut to: Vec<_> = self.to.iter().map(|to| to.email.to_string()).collect();
        to.sort();
        format!("{}\n{}", self.server, to.join("\n"))
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(super) async fn send(&self, alert: Outgoing<'_>, notice: &Notice) -> Result<(), Refused> {
        let message = self.message(alert, notice, SystemTime::now()).map_err(|error| Refused {
            said: format!("the message can't be made: {error}"),
            todo: None,
            retry: Retry::Seldom,
            this_alone: true,
        })?;
        match tokio::time::timeout(ALTOGETHER, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(self.passing(format!("not done after {ALTOGETHER:?}"))),
        }
    }

    fn message(
        &self,
        alert: Outgoing<'_>,
        notice: &Notice,
        date: SystemTime,
    ) -> Result<Message, lettre::error::Error> {
        let host = self.from.email.domain();
        let thread = format!("<{}@{host}>", notice.incident);
        // The texts are of one line each: none can begin another header.
        let subject = cut(&format!("[Everhold] {}: {}", notice.label(), notice.summary), SUBJECT);
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(date)
            .message_id(Some(format!("<{}@{host}>", alert.id)))
            .references(thread.clone())
            .in_reply_to(thread)
            .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()))
            .raw_header(raw("X-Everhold-Event", alert.event.to_owned()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(text(notice))
    }

    fn refused(&self, error: &SmtpError) -> Refused {
        let said = match error.status() {
            Some(code) => {
                format!("{}: SMTP {code}: {}", self.server, shown(root_cause(error).as_bytes()))
            }
            None => format!("{}: {}", self.server, root_cause(error)),
        };
        if !error.is_permanent() {
            return self.passing(said);
        }
        // 530, 534, 535 and 538 are about who we are (RFC 4954, section 6).
        let code = error.status().map(|code| code.to_string()).unwrap_or_default();
        let todo = match code.starts_with("53") {
            true => "look whether username and password_file are right",
            false => "look whether the server takes mail from `from` to each of `to`",
        };
        Refused { said, todo: Some(todo.to_owned()), retry: Retry::Seldom, this_alone: false }
    }

    fn passing(&self, said: String) -> Refused {
        Refused { said, todo: None, retry: Retry::Soon, this_alone: false }
    }
}

/// A header whose value is written as it is.
fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The body. What strangers say links nowhere; the link to the evidence, which is ours, does.
fn text(notice: &Notice) -> String {
    let unlinked = |text: &str| text.replace("://", "[:]//");
    let mut text = format!("{}\n", unlinked(&notice.summary));
    for (heading, paragraph) in notice.paragraphs() {
        let paragraph = match (heading, notice.link()) {
            ("Evidence", Some(link)) => link.to_owned(),
            _ => unlinked(paragraph),
        };
        text += &format!("\n{heading}: {paragraph}\n");
    }
    text + &format!("\n-- \n{}\n", notice.about())
}

/// The server's name, and the way there. Passwords and mail go over TLS, but on this machine.
fn transport(
    config: &EmailConfig,
    domain: &str,
    password: Option<&str>,
) -> Result<(String, AsyncSmtpTransport<Tokio1Executor>), ConfigError> {
    let failed = |what: String| ConfigError::Invalid(format!("[[alert]] email smtp: {what}"));
    let url = &config.smtp;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let wrapped = url.scheme() == "smtps";
    let port = url.port().unwrap_or(if wrapped { 465 } else { 587 });
    let tls = || TlsParameters::new(host.clone()).map_err(|error| failed(root_cause(&error)));
    let tls = match (wrapped, is_loopback(url)) {
        (true, _) => Tls::Wrapper(tls()?),
        (false, true) => Tls::Opportunistic(tls()?),
        (false, false) => Tls::Required(tls()?),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
        .port(port)
        .tls(tls)
        .hello_name(ClientId::Domain(domain.to_owned()))
        .timeout(Some(PATIENCE));
    if let (Some(username), Some(password)) = (&config.username, password) {
        let credentials = Credentials::new(username.clone(), password.to_owned());
        transport = transport.credentials(credentials);
    }
    Ok((format!("{host}:{port}"), transport.build()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // Of a scheme that is not the web's, an address is not told from a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(smtp: &str) -> Email {
        let config = EmailConfig {
            to: vec!["Ann <a@example.org>".to_owned(), "b@example.org".to_owned()],
            from: "Everhold <e@example.org>".to_owned(),
            smtp: smtp.parse().unwrap(),
            username: None,
            password_file: None,
        };
        Email::new(&config).unwrap()
    }

    #[test]
    fn no_name_begins_a_header_or_a_link() {
        let notice = serde_json::json!({
            "event": "incident.opened", "incident": "i", "severity": "warning", "id": "a",
            "summary": "Art\r\nBcc: all@evil.example\r\n\r\nhttp://evil.example is ill",
            "todo": "Look at http://evil.example.", "evidence": "https://ours.example/x",
        });
        let notice = Notice::read(&notice.to_string()).unwrap();
        let alert = Outgoing { id: "a", event: "incident.opened", payload: "" };
        let made =
            email("smtps://mail.example.org").message(alert, &notice, SystemTime::UNIX_EPOCH);
        let text = String::from_utf8(made.unwrap().formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: Everhold <e@example.org>",
            "To: Ann <a@example.org>, b@example.org",
            "Message-ID: <a@example.org>",
            "In-Reply-To: <i@example.org>",
            "Auto-Submitted: auto-generated",
            "X-Everhold-Event: incident.opened",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
        ] {
            assert!(head.lines().any(|known| known == line), "{line}: {head}");
        }
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(
            head.contains("Subject: [Everhold] WARNING opened: Art Bcc: all@evil.example"),
            "{head}"
        );
        assert!(!body.contains("http://evil") && body.contains("https://ours.example/x"), "{body}");
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for (url, loopback) in [
            ("smtp://127.0.0.1:25", true),
            ("smtp://[::1]:25", true),
            ("smtp://localhost", true),
            ("smtp://mail.example.org", false),
            ("smtp://10.0.0.1", false),
            ("smtp://127.0.0.1.example.org", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
        assert_eq!(email("smtp://mail.example.org").server, "mail.example.org:587");
        assert_eq!(email("smtps://mail.example.org").server, "mail.example.org:465");
    }
}
